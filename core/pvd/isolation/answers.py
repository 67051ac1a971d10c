"""What teachers answer, looked at before it is kept: it may be paid, and the store must take it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from pvd.errors import PluginError
from pvd.isolation.checks import NUMBER
from pvd.isolation.origin import broken, shown
from pvd.records import Reply, Request, Tokens

PARTS = (  # of a reply, beside its text
    ("model", str, "text"),
    ("finish", str, "text"),
    ("tokens", Tokens, "pvd.Tokens"),
    ("dollars", (*NUMBER, type(None)), "a number, or None if nobody knows"),
)


def replies(teacher: object, requests: Sequence[Request], found: object) -> Sequence[Reply]:
    """What `answer` returned: a reply a request."""
    must = f"it must return a list of {len(requests)}, one pvd.Reply a request"
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise broken(teacher, f"returned {shown(found)} from answer", must)
    if len(found) != len(requests):
        replies = "1 reply" if len(found) == 1 else f"{len(found):,} replies"
        raise broken(teacher, f"returned {replies} from answer", must)
    for one in found:
        reply(teacher, "answer", one, must)
    return found


def sound(teacher: object, requests: Sequence[Request], found: object) -> dict[str, Reply]:
    """What can be kept of replies that `replies` refuses, by digest: of others it is unknown which
    request they answer."""
    if not isinstance(found, Sequence) or isinstance(found, str) or len(found) != len(requests):
        return {}
    kept = {}
    for request, one in zip(requests, found, strict=True):
        with suppress(PluginError):
            kept[request.digest] = reply(teacher, "answer", one, "")
    return kept


def reply(teacher: object, method: str, found: object, must: str) -> Reply:
    """One reply that a method brought, which the store can keep; else it is said that it `must`."""
    if not (isinstance(found, Reply) and isinstance(found.text, str)):
        raise broken(teacher, f"returned {shown(found)} from {method} for a request", must)
    for name, types, must_be in PARTS:
        if not isinstance(value := getattr(found, name), types) or value != value:  # NaN
            raise broken(
                teacher,
                f"returned a reply whose {name} is {shown(value)}",
                f"it must be {must_be}",
            )
    for count in found.tokens.counts():
        if not isinstance(count, int) or isinstance(count, bool) or count < 0:
            raise broken(
                teacher,
                f"returned a reply that counts {shown(count)} tokens",
                "it must count whole numbers from 0, or be pvd.Tokens() if nobody knows",
            )
    return found


def collected(teacher: object, one: object) -> tuple[str, Reply | str]:
    """One of what `collect` brings: a digest with its reply, or with why there is none."""
    must = "it must bring pairs of a request's digest and its pvd.Reply, or text that says why none"
    if not (isinstance(one, tuple) and len(one) == 2 and isinstance(one[0], str)):
        raise broken(teacher, f"returned {shown(one)} from collect", must)
    digest, answer = one
    if answer is None or not isinstance(answer, Reply | str):
        raise broken(teacher, f"returned {shown(answer)} from collect for a request", must)
    return digest, answer if isinstance(answer, str) else reply(teacher, "collect", answer, must)
