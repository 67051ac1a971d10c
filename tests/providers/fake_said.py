"""What the three batch interfaces say of batches, results and files."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import Any

from fake_batches import Batch, File, Outcome, new
from fake_faults import GRPC
from fake_protocols import Body


def jsonl(lines: Any) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat().replace("+00:00", "Z")


def openai_file(file: File) -> Body:
    return {"id": file.id, "object": "file", "bytes": len(file.data), "filename": file.name,
            "created_at": int(file.created), "purpose": file.purpose,
            "status": "processed"}  # fmt: skip


def openai_batch(batch: Batch) -> Body:
    ended = batch.settle()
    if batch.failed:
        status = "failed"
    elif not ended:
        status = "cancelling" if batch.canceled.is_set() else "in_progress"
    elif batch.count("canceled"):
        status = "cancelled"
    else:
        status = "expired" if batch.count("expired") else "completed"
    said = {
        "id": batch.id, "object": "batch", "created_at": int(batch.created), "status": status,
        "endpoint": batch.told["endpoint"], "input_file_id": batch.told["input_file_id"],
        "completion_window": "24h", "metadata": batch.told.get("metadata"),
        "expires_at": int(batch.created) + 86400, "in_progress_at": int(batch.created),
        "output_file_id": batch.output if ended else None,
        "error_file_id": batch.errors if ended else None,
        "errors": {"object": "list", "data": [batch.failed]} if batch.failed else None,
        "request_counts": {
            "total": 0 if batch.failed else len(batch.requests),
            "completed": batch.count("succeeded") if ended else 0,
            "failed": batch.count("errored", "expired", "canceled") if ended else 0,
        },
    }  # fmt: skip
    names = {"completed": "completed_at", "failed": "failed_at", "expired": "expired_at",
             "cancelled": "cancelled_at"}  # fmt: skip
    return said | ({names[status]: int(batch.ended)} if status in names else {})


def openai_line(outcome: Outcome) -> Body:
    said: Body = {"id": new("batch_req_"), "custom_id": outcome.id, "response": None, "error": None}
    if outcome.kind in ("succeeded", "errored"):
        said["response"] = {"status_code": outcome.status, "request_id": new("req_"),
                            "body": outcome.body}  # fmt: skip
    else:
        code = {"expired": "batch_expired", "canceled": "batch_cancelled"}[outcome.kind]
        said["error"] = {"code": code, "message": "This request was not executed."}
    return said


def anthropic_batch(batch: Batch, url: str) -> Body:
    ended = batch.settle()
    kinds = ("succeeded", "errored", "expired", "canceled")
    counts = {kind: batch.count(kind) if ended else 0 for kind in kinds}
    status = "ended" if ended else "canceling" if batch.canceled.is_set() else "in_progress"
    return {"id": batch.id, "type": "message_batch", "processing_status": status,
            "request_counts": {"processing": 0 if ended else len(batch.requests), **counts},
            "created_at": iso(batch.created), "expires_at": iso(batch.created + 86400),
            "ended_at": iso(batch.ended) if ended else None, "archived_at": None,
            "cancel_initiated_at": None,
            "results_url": f"{url}/v1/messages/batches/{batch.id}/results" if ended else None,
            }  # fmt: skip


def anthropic_line(outcome: Outcome) -> Body:
    result: Body = {"type": outcome.kind}
    if outcome.kind == "succeeded":
        result["message"] = outcome.body
    if outcome.kind == "errored":
        result["error"] = outcome.body
    return {"custom_id": outcome.id, "result": result}


def gemini_file(file: File) -> Body:
    generated = file.purpose == "batch_output"
    name = file.id.removeprefix("files/")
    uri = f"https://generativelanguage.googleapis.com/v1/files/{name}"
    said = {"name": file.id, "displayName": file.name, "mimeType": "jsonl", "uri": uri,
            "sizeBytes": str(len(file.data)), "state": "ACTIVE", "createTime": iso(file.created),
            "source": "GENERATED" if generated else "UPLOADED"}  # fmt: skip
    return said | ({"downloadUri": f"{uri}:download?alt=media"} if generated else {})


def gemini_batch(batch: Batch) -> Body:
    ended = batch.settle()
    if batch.failed:
        state = "FAILED"
    elif not ended:
        state = "PENDING" if time.time() < batch.created + batch.seconds / 2 else "RUNNING"
    else:
        state = "CANCELLED" if batch.count("canceled") else "SUCCEEDED"
    about: Body = {
        "@type": "type.googleapis.com/google.ai.generativelanguage.GenerateContentBatch",
        "name": batch.id, "model": batch.told["model"], "displayName": batch.told["displayName"],
        "state": f"BATCH_STATE_{state}", "createTime": iso(batch.created),
        "updateTime": iso(batch.ended or batch.created),
    }  # fmt: skip
    said: Body = {"name": batch.id, "metadata": about, "done": ended}
    if ended:
        about["endTime"] = iso(batch.ended)
    if batch.failed:
        return said | {"error": batch.failed}
    if ended and batch.output:
        about["output"] = {"responsesFile": batch.output}
    elif ended:
        answers = [{"metadata": {"key": o.id}, **gemini_result(o)} for o in batch.outcomes]
        about["output"] = {"inlinedResponses": {"inlinedResponses": answers}}
    return said


def gemini_result(outcome: Outcome) -> Body:
    if outcome.kind == "succeeded":
        return {"response": outcome.body}
    if outcome.kind == "errored":
        said = outcome.body["error"]
        error = {"code": GRPC.get(outcome.status, 13), "message": said["message"]}
        return {"error": error | ({"details": said["details"]} if said["details"] else {})}
    code = {"expired": 4, "canceled": 1}[outcome.kind]
    return {"error": {"code": code, "message": "This request was not executed."}}
