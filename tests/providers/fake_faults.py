"""What can go wrong with an answer of the fake provider."""

from __future__ import annotations

import json
from collections.abc import Callable

from fake_protocols import Asked, Body

# Status, message, headers; nothing of these is billed.
HTTP_FAULTS: dict[str, tuple[int, str, dict[str, str]]] = {
    "429": (429, "slow down", {}),
    "429-after": (429, "slow down", {"retry-after": "1"}),
    "quota": (429, "You exceeded your current quota", {}),
    "400": (400, "image could not be processed", {}),
    "401": (401, "invalid key", {}),
    "402": (402, "no credit left", {}),
    "403": (403, "not allowed", {}),
    "404": (404, "no such model", {}),
    "408": (408, "too slow a client", {}),
    "413": (413, "too large", {}),
    "500": (500, "oops", {}),
    "503": (503, "overloaded", {}),
    "529": (529, "overloaded", {}),
}

# Somebody else answered, or nobody: no model did anything.
IDLE_FAULTS = {"html", "page", "hollow", "string", "echo", "401-echo", "unheard"}


def plain(letters: str, asked: Asked) -> str:
    """In the form that the schema wants."""
    if "array" in (asked.schema or asked.system + asked.question):
        return json.dumps({"ranking": list(letters)})
    return json.dumps({"ranking": letters})


TEXT_FAULTS: dict[str, Callable[[str, Asked], str]] = {
    "fenced": lambda letters, asked: f"```json\n{plain(letters, asked)}\n```",
    "prose": lambda letters, asked: f"Here is my ranking:\n{plain(letters, asked)}\nEnjoy!",
    "lower": lambda letters, asked: plain(letters.lower(), asked),
    "badjson": lambda letters, asked: plain(letters, asked)[:-3],
    "duplicate": lambda letters, asked: plain(letters[0] + letters[:-1], asked),
    "missing": lambda letters, asked: plain(letters[:-1], asked),
    "extra": lambda letters, asked: plain(letters + "Z", asked),
    "null": lambda letters, asked: json.dumps({"ranking": None}),
    "truncated": lambda letters, asked: plain(letters, asked)[:7],
    **dict.fromkeys(("empty", "refusal", "blocked", "nothing"), lambda letters, asked: ""),
}

ANTHROPIC_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    529: "overloaded_error",
}
GEMINI_NAMES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED",
}
# The results of a batch carry the numbers of gRPC instead.
GRPC = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 413: 3, 429: 8, 500: 13, 503: 14, 504: 4}


def error_body(protocol: str, status: int, message: str, headers: dict[str, str]) -> Body:
    """The error object of a protocol; Gemini says in the body how long to wait."""
    quota = "quota" in message
    if protocol == "openai":
        code = {401: "invalid_api_key", 404: "model_not_found"}.get(status)
        return {"error": {"message": message, "type": "error",
                          "code": "insufficient_quota" if quota else code}}  # fmt: skip
    if protocol == "anthropic":
        kind = ANTHROPIC_TYPES.get(status, "api_error")
        return {"type": "error", "error": {"type": kind, "message": message}}
    details: list[Body] = []
    if "retry-after" in headers:
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo",
                        "retryDelay": f"{headers['retry-after']}s"})  # fmt: skip
    if quota:
        spent = [{"quotaId": "GenerateRequestsPerDayPerProjectPerModel"}]
        details.append(
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": spent}
        )
    if status == 401:  # a bad key is 400 there
        status, message = 400, f"API key not valid: {message}"
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo",
                        "reason": "API_KEY_INVALID"})  # fmt: skip
    return {"error": {"code": status, "message": message, "details": details,
                      "status": GEMINI_NAMES.get(status, "INTERNAL")}}  # fmt: skip
