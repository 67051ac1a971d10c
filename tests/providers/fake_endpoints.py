"""The batch and file interfaces of the three protocols."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from fake_batches import Batch, Batches, File, Request, new, page
from fake_faults import error_body
from fake_protocols import Body, either, key_of
from fake_said import (
    anthropic_batch,
    anthropic_line,
    gemini_batch,
    gemini_file,
    gemini_result,
    jsonl,
    openai_batch,
    openai_file,
    openai_line,
)

CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")


@dataclass(frozen=True)
class Told:
    """A reply."""

    body: Body | bytes
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class No(Exception):
    """Refuses a call."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Call:
    """A call of a batch interface."""

    protocol: str
    method: str
    path: str
    words: tuple[str, ...]  # of the path, from "files" or "batches" on
    query: dict[str, str]
    headers: dict[str, str]
    to: Callable[[Call, bytes], Told] = field(repr=False)

    def act(self, data: bytes) -> Told:
        try:
            return self.to(self, data)
        except No as no:
            return Told(error_body(self.protocol, no.status, str(no), {}), no.status)


class Endpoints:
    def __init__(self, batches: Batches) -> None:
        self.batches = batches
        self.calls: list[str] = []
        self.uploads: dict[str, tuple[File, int]] = {}  # begun, with the promised bytes

    def find(self, method: str, url: str, headers: dict[str, str]) -> Call | None:
        """The call, if it is one of a batch interface."""
        split = urlsplit(url)
        path = unquote(split.path)
        if "/messages/batches" in path:
            protocol, to = "anthropic", self.anthropic
        elif "/upload/" in path or "x-goog-api-key" in headers:
            protocol, to = "gemini", self.gemini
        else:
            protocol, to = "openai", self.openai
        found = re.search(
            r"/((?:files|batches)(?:[/:].*)?|models/[^/]+:batchGenerateContent)$", path
        )
        if not found:
            return None
        self.calls.append(f"{method} {path}")
        words = tuple(re.split("[/:]", found[1]))
        return Call(protocol, method, path, words, dict(parse_qsl(split.query)), headers, to)

    def finish(self, batch: Batch) -> None:
        """Writes the files of results that the protocol has."""
        if batch.protocol == "openai":
            good = [o for o in batch.outcomes if o.kind == "succeeded"]
            bad = [o for o in batch.outcomes if o.kind != "succeeded"]
            if good:
                batch.output = self._results(batch, "output", map(openai_line, good))
            if bad:
                batch.errors = self._results(batch, "error", map(openai_line, bad))
        elif batch.protocol == "gemini" and "fileName" in batch.told["input"]:
            lines = [{"key": o.id, **gemini_result(o)} for o in batch.outcomes]
            batch.output = self._results(batch, "output", lines)

    def _results(self, batch: Batch, kind: str, lines: Any) -> str:
        name = f"files/batch-{new()}" if batch.protocol == "gemini" else new("file-")
        self.batches.keep(f"{batch.id}_{kind}.jsonl", jsonl(lines), "batch_output", name)
        return name

    def _batch(self, id: str, protocol: str) -> Batch:
        batch = self.batches.all.get(id)
        if not batch or batch.protocol != protocol:
            raise No(404, f"no batch {id}")
        return batch

    def _file(self, id: str) -> File:
        if id not in self.batches.files:
            raise No(404, f"no file {id}")
        return self.batches.files[id]

    # --- OpenAI -----------------------------------------------------------------------------------

    def openai(self, call: Call, data: bytes) -> Told:
        match call.method, *call.words:
            case "POST", "files":
                return self._openai_upload(call, data)
            case "GET", "files":
                files = [f for f in self.batches.files.values() if not f.id.startswith("files/")]
                return Told(openai_page(list(map(openai_file, reversed(files))), call))
            case "GET", "files", id:
                return Told(openai_file(self._file(id)))
            case "GET", "files", id, "content":
                return Told(self._file(id).data, headers={"Content-Type": "application/jsonl"})
            case "DELETE", "files", id:
                self._file(id)
                del self.batches.files[id]
                return Told({"id": id, "object": "file", "deleted": True})
            case "POST", "batches":
                return Told(openai_batch(self._openai_create(call, json.loads(data))))
            case "GET", "batches":
                return Told(
                    openai_page(list(map(openai_batch, self.batches.newest("openai"))), call)
                )
            case "GET", "batches", id:
                return Told(openai_batch(self._batch(id, "openai")))
            case "POST", "batches", id, "cancel":
                self._batch(id, "openai").canceled.set()
                return Told(openai_batch(self._batch(id, "openai")))
        raise No(404, f"nothing is at {call.path}")

    def _openai_upload(self, call: Call, data: bytes) -> Told:
        fields = multipart(call.headers["content-type"], data)
        name, content = fields["file"]
        if len(content) > self.batches.limits["openai"][1]:
            raise No(400, "the file is too large for a batch")
        purpose = fields["purpose"][1].decode()
        return Told(openai_file(self.batches.keep(name, content, purpose, new("file-"))))

    def _openai_create(self, call: Call, body: Body) -> Batch:
        file = self._file(body["input_file_id"])
        if file.purpose != "batch" or body["completion_window"] != "24h":
            raise No(400, "no file of a batch, or no window of 24h")
        requests: list[Request] = []
        failed: Body | None = None
        try:
            for row in rows(file.data):
                if row["url"] != body["endpoint"] or row["method"] != "POST":
                    raise ValueError("mismatched_endpoint")
                requests.append(Request(row["custom_id"], row["url"], row["body"]))
            if len({request.body["model"] for request in requests}) != 1:
                raise ValueError("mismatched_model")
            if len({request.id for request in requests}) < len(requests):
                raise ValueError("duplicate_custom_id")
            if len(requests) > self.batches.limits["openai"][0]:
                raise ValueError("too_many_requests")
        except (ValueError, KeyError, TypeError) as e:
            code = str(e) if str(e).islower() else "invalid_json_line"
            failed = {"code": code, "message": f"{type(e).__name__}: {e}", "line": len(requests)}
        return self.batches.hand_in(
            Batch(new("batch_"), "openai", key_of(call.headers), requests, self.batches.seconds,
                  told=body, failed=failed)
        )  # fmt: skip

    # --- Anthropic --------------------------------------------------------------------------------

    def anthropic(self, call: Call, data: bytes) -> Told:
        url = self.batches.fake.url
        match call.method, *call.words:
            case "POST", "batches":
                return Told(anthropic_batch(self._anthropic_create(call, data), url))
            case "GET", "batches":
                limit = int(call.query.get("limit", "20"))
                found, more = page(
                    self.batches.newest("anthropic"), call.query.get("after_id", ""), limit
                )
                return Told({"data": [anthropic_batch(batch, url) for batch in found],
                             "has_more": more, "first_id": found[0].id if found else None,
                             "last_id": found[-1].id if found else None})  # fmt: skip
            case "GET", "batches", id:
                return Told(anthropic_batch(self._batch(id, "anthropic"), url))
            case "GET", "batches", id, "results":
                batch = self._batch(id, "anthropic")
                if not batch.settle():
                    raise No(404, "it has not ended")
                lines = jsonl(map(anthropic_line, batch.outcomes))
                return Told(lines, headers={"Content-Type": "application/x-jsonl"})
            case "POST", "batches", id, "cancel":
                self._batch(id, "anthropic").canceled.set()
                return Told(anthropic_batch(self._batch(id, "anthropic"), url))
            case "DELETE", "batches", id:
                if not self._batch(id, "anthropic").settle():
                    raise No(400, "it has not ended")
                self.batches.drop(id)
                return Told({"id": id, "type": "message_batch_deleted"})
        raise No(404, f"nothing is at {call.path}")

    def _anthropic_create(self, call: Call, data: bytes) -> Batch:
        most, bytes_ = self.batches.limits["anthropic"]
        if len(data) > bytes_:
            raise No(413, "the batch is too large")
        found = json.loads(data)["requests"]
        ids = [request["custom_id"] for request in found]
        if not 0 < len(ids) <= most:
            raise No(400, f"{len(ids)} requests in a batch")
        if not all(CUSTOM_ID.fullmatch(id) for id in ids) or len(set(ids)) < len(ids):
            raise No(400, "custom_id: must match ^[a-zA-Z0-9_-]{1,64}$ and be unique")
        requests = [Request(row["custom_id"], "/v1/messages", row["params"]) for row in found]
        return self.batches.hand_in(
            Batch(new("msgbatch_"), "anthropic", key_of(call.headers), requests,
                  self.batches.seconds, told={})
        )  # fmt: skip

    # --- Gemini -----------------------------------------------------------------------------------

    def gemini(self, call: Call, data: bytes) -> Told:
        match call.method, *call.words:
            case "POST", "files":
                return self._gemini_upload(call, data)
            case "GET", "files":
                files = [f for f in self.batches.files.values() if f.id.startswith("files/")]
                return Told({"files": [gemini_file(file) for file in files]})
            case "GET", "files", id:
                return Told(gemini_file(self._file(f"files/{id}")))
            case "GET", "files", id, "download":
                file = self._file(f"files/{id}")
                if file.purpose != "batch_output":
                    raise No(400, "what was uploaded cannot be downloaded")
                return Told(file.data, headers={"Content-Type": "application/jsonl"})
            case "DELETE", "files", id:
                del self.batches.files[self._file(f"files/{id}").id]
                return Told({})
            case "POST", "models", model, "batchGenerateContent":
                return Told(gemini_batch(self._gemini_create(call, model, json.loads(data))))
            case "GET", "batches":
                limit = int(call.query.get("pageSize", "50"))
                found, more = page(
                    self.batches.newest("gemini"), call.query.get("pageToken", ""), limit
                )
                token = {"nextPageToken": found[-1].id} if more else {}
                return Told({"operations": [gemini_batch(batch) for batch in found], **token})
            case "GET", "batches", id:
                return Told(gemini_batch(self._batch(f"batches/{id}", "gemini")))
            case "POST", "batches", id, "cancel":
                self._batch(f"batches/{id}", "gemini").canceled.set()
                return Told({})
            case "DELETE", "batches", id:
                self.batches.drop(self._batch(f"batches/{id}", "gemini").id)
                return Told({})
        raise No(404, f"nothing is at {call.path}")

    def _gemini_upload(self, call: Call, data: bytes) -> Told:
        command = call.headers.get("x-goog-upload-command", "")
        if command == "start":
            told = json.loads(data)["file"]
            id = told.get("name") or f"files/{new()}"
            if id in self.batches.files:
                raise No(409, f"{id} exists")
            size = int(call.headers["x-goog-upload-header-content-length"])
            if size > self.batches.limits["gemini"][1]:
                raise No(400, "the file is too large")
            upload = new()
            self.uploads[upload] = File(id, either(told, "displayName") or "", b"", "batch"), size
            url = f"{self.batches.fake.url}{call.path}?upload_id={upload}"
            return Told({}, headers={"x-goog-upload-url": url, "x-goog-upload-status": "active"})
        file, size = self.uploads[call.query["upload_id"]]
        # A piece that comes again replaces itself.
        file.data = file.data[: int(call.headers["x-goog-upload-offset"])] + data
        if "finalize" not in command:
            return Told({}, headers={"x-goog-upload-status": "active"})
        if len(file.data) != size:
            raise No(400, f"{len(file.data)} bytes instead of {size}")
        kept = self.batches.keep(file.name, file.data, file.purpose, file.id)
        return Told({"file": gemini_file(kept)}, headers={"x-goog-upload-status": "final"})

    def _gemini_create(self, call: Call, model: str, body: Body) -> Batch:
        given = either(body["batch"], "inputConfig")
        path = f"/v1/models/{model}:generateContent"
        requests: list[Request] = []
        failed: Body | None = None
        if "fileName" in given:
            file = self._file(given["fileName"])
            try:
                requests = [Request(row["key"], path, row["request"]) for row in rows(file.data)]
                if len(requests) > self.batches.limits["gemini"][0]:
                    raise ValueError("too many requests")
            except (ValueError, KeyError, TypeError) as e:
                failed = {"code": 3, "message": f"{type(e).__name__}: {e}"}
        else:
            for number, row in enumerate(given["requests"]["requests"]):
                key = (row.get("metadata") or {}).get("key", str(number))
                requests.append(Request(key, path, row["request"]))
        told = {"model": f"models/{model}", "input": given,
                "displayName": either(body["batch"], "displayName") or ""}  # fmt: skip
        return self.batches.hand_in(
            Batch(f"batches/{new()}", "gemini", key_of(call.headers), requests,
                  self.batches.seconds, told=told, failed=failed)
        )  # fmt: skip


def rows(data: bytes) -> list[Body]:
    return [json.loads(line) for line in data.split(b"\n") if line.strip()]


def multipart(kind: str, data: bytes) -> dict[str, tuple[str, bytes]]:
    """The fields of a form: file name and content."""
    found = re.search(r'boundary="?([^";]+)', kind)
    assert found
    fields = {}
    for piece in data.split(b"--" + found[1].encode())[1:-1]:
        head, _, content = piece.partition(b"\r\n\r\n")
        name = re.search(rb'[; ]name="([^"]*)"', head)
        file = re.search(rb'filename="([^"]*)"', head)
        assert name
        fields[name[1].decode()] = (file[1].decode() if file else "", content.removesuffix(b"\r\n"))
    return fields


def openai_page(found: list[Body], call: Call) -> Body:
    ids = [row["id"] for row in found]
    after = call.query.get("after", "")
    start = ids.index(after) + 1 if after in ids else 0
    limit = int(call.query.get("limit", "20"))
    shown = found[start : start + limit]
    return {"object": "list", "data": shown, "has_more": len(found) > start + limit,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None}  # fmt: skip
