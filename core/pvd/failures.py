"""What can go wrong with one question, and what the asking does about it. `pvd.kit` shows them to
authors of teachers; failures that stop the whole run are in `pvd.errors`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from pvd.errors import ProviderFailure


class Busy(Exception):
    """Raised by `answer`: call me again, after so many seconds if the provider said so."""

    after: float | None  #: seconds that the provider asked for
    limited: bool  #: it wants fewer calls, and is not out of order

    def __init__(self, why: str, after: float | None = None, limited: bool = False) -> None:
        super().__init__(why)
        self.after, self.limited = after, limited


class Lost(Busy):
    """Raised by `answer`: the request went out, and no answer came back. The provider may have
    worked, and charge for it; what is put aside for that question stays spent."""


class BatchFailed(Exception):
    """Raised by `collect`: the provider gave the whole submission up, and charges nothing."""


class Gone(Exception):
    """Raised by `collect`: the provider knows no such submission (any more, or under this key)."""


class Malformed(Exception):
    """Raised by `read`: this reply is no ranking. The slate is asked again in another order."""

    kind: str  #: what the report counts it under

    def __init__(self, why: str, kind: str = "no ranking") -> None:
        super().__init__(why)
        self.kind = kind


class Refused(Exception):
    """Raised by `read`: the model will not answer this. The reply is kept, the slate is not shown
    again, and its slot gets another one."""


class Rejected(Exception):
    """Raised by `answer`: the provider cannot take this request, for example a picture in it.
    There is no reply to keep; the slot gets another slate."""


def http_failure(service: str, status: int, why: str, after: float | None = None) -> Exception:
    """What an HTTP status means for the question, the same for every provider.

    Busy: 408, 409, 425, 429 and 5xx; Lost: 504, of a gateway behind which the provider may have
    worked. ProviderFailure, which stops the run: 401, 402, 403 and 404,
    which every other question would meet too. Rejected: what is wrong with this one (400, 413 ...).
    """
    said = f"{service} answered {status} ({why})"
    mend = {
        401: "check the key",
        402: "look at the account's billing",
        403: "this key may not use the model",
        404: "check the model's name with teacher.model",
    }
    if status in mend:
        return ProviderFailure(f"{said}; {mend[status]}.")
    if status == 504:
        return Lost(said, after)
    if status in (408, 409, 425, 429) or status >= 500:
        return Busy(said, after, limited=status in (429, 529))
    return Rejected(said)


MOST = 200  # characters of a provider's message that are passed on


def one_line(message: object, secret: str = "") -> str:
    """A provider's message as one short line, without the key that some of them repeat."""
    text = " ".join(str(message).split())
    if secret:
        text = text.replace(secret, "[key]")
    return (text if len(text) <= MOST else text[: MOST - 1] + "…").rstrip(".")


def seconds(text: str | None) -> float | None:
    """The seconds in a Retry-After header or a delay such as "7s"; None for anything else."""
    try:
        return max(float((text or "").removesuffix("s")), 0.0)
    except ValueError:
        return None  # a date: our own pauses will do


def check_url(url: str | None) -> None:
    """ValueError for a base_url that holds a password: it would be written into run.toml. What is
    refused is not shown either."""
    if url is None:
        return
    try:
        parts = urlsplit(url)
        whole = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # of brackets, or a port that is no number
        whole = False
    if "@" in url or "?" in url or "#" in url:
        raise ValueError("base_url must hold no user, password or query; use the key's variable")
    if not whole:
        raise ValueError("base_url is no address; write for example http://localhost:8000/v1")
