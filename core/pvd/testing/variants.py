"""What may be otherwise: slates, teachers and replies that differ in one thing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

from pvd.errors import BadInput, PluginError
from pvd.failures import Malformed, Refused
from pvd.isolation import checks
from pvd.protocols import Teacher
from pvd.records import Item, Persona, Ranking, Reply, Request, Slate

# No reader can find a ranking in these.
NOTHING = ("", " ", "no idea", "null", "[]", "{}")
# In these one may, if it fits; whatever is raised else must be Malformed.
NONSENSE = (
    "17", "true", '"', "{", "[" * 100_000, "\x00", "\ud83d", "A" * 10_000, '["A"]',
    '{"ranking": null}', '{"ranking": 3}', '{"ranking": [[]]}', '{"ranking": {"A": 1}}',
    '{"ranking": "ABCDEF"}', '{"utilities": null}', '{"utilities": ["x"]}', '{"tiers": 3}',
)  # fmt: skip
INSTEAD: tuple[Any, ...] = (None, "x", -1, [], {})

# Answers to a question about so many items that a strict ranking does not foresee.
ODD: dict[str, Callable[[int], Ranking]] = {
    "strict rankings": lambda size: Ranking.from_order(range(size)),
    "answers that tie all items": lambda size: Ranking((tuple(range(size)),)),
    "answers that place one item alone": lambda size: Ranking(((size - 1,),)),
    "answers that call all but one worse": lambda size: Ranking(((0,),), rest="worse"),
}


def slates(slate: Slate) -> Iterator[tuple[str, Slate]]:
    """The slate with one thing changed, and what that is; ids, order and number stay."""
    persona, shelf = slate.persona, slate.items

    def about(**changed: Any) -> Slate:
        return replace(slate, persona=replace(persona, **changed))

    def of(change: Callable[[int, Item], Item]) -> Slate:
        return replace(slate, items=tuple(change(n, item) for n, item in enumerate(shelf)))

    yield "the persona's text", about(text="Somebody else altogether.")
    tastes = _turned(persona)
    yield "the persona's attributes", about(attributes=tastes)
    yield (
        "the pictures",
        of(lambda n, item: Item(item.id, shelf[n - 1].image, item.title, item.attributes)),
    )
    yield "the titles", of(lambda n, item: replace(item, title=shelf[n - 1].title))
    yield (
        "the items' attributes",
        of(lambda n, item: replace(item, attributes=shelf[n - 1].attributes)),
    )
    yield "the items' ids", of(lambda n, item: replace(item, id=f"other-{n}"))


def _turned(persona: Persona) -> dict[str, Any]:
    """Its attributes with every number the other way round."""
    found = dict(persona.attributes)
    for name, value in found.items():
        if isinstance(value, dict):
            found[name] = {k: -v if isinstance(v, int | float) else v for k, v in value.items()}
    return found


def replies(reply: Reply) -> Iterator[Reply]:
    """The reply cut short, doubled, and, if it is JSON, with each part of it replaced."""
    texts = [reply.text[: len(reply.text) // 2], reply.text * 2]
    with suppress(ValueError):
        value = json.loads(reply.text)
        texts += [json.dumps(other) for other in _others(value)]
    for text in texts:
        yield replace(reply, text=text)


def _others(value: Any) -> Iterator[Any]:
    yield from INSTEAD
    if isinstance(value, dict):
        for key, inner in value.items():
            yield {k: v for k, v in value.items() if k != key}
            yield from ({**value, key: other} for other in _others(inner))
    elif isinstance(value, list):
        yield [*value, *value]
        for place, inner in enumerate(value[:3]):
            yield from ([*value[:place], other, *value[place + 1 :]] for other in _others(inner))


def outcome(teacher: Teacher, request: Request, reply: Reply) -> Ranking | None:
    """The ranking that a reply is read as, None if it is refused as core expects it."""
    try:
        found = teacher.read(request, reply)
        checks.check_type(teacher, "read", found)
        return found.check(len(request.slate.items))
    except PluginError:
        raise
    except (Malformed, Refused, BadInput):
        return None
    except Exception as error:
        raise AssertionError(
            f"read() of the reply {reply.text[:60]!r} raises {type(error).__name__}: {error}; "
            "raise pvd.kit.Malformed, so that the slate is asked again in another order"
        ) from error
