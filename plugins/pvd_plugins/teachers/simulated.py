"""A simulated teacher: it knows every persona's tastes, and answers with as much noise as wanted.

Its preferences are made up. It exists so that the whole loop runs without a key, and so that a
method can be measured against a truth that is known.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar

import pvd
from pvd import kit

LARGEST = 1e9  # weight of a taste


@dataclass(kw_only=True)
class Simulated(pvd.Teacher):
    """Ranks by the persona's `tastes`, summed over the item's attributes, plus Gumbel noise.

    With noise 1 the ranking follows a Plackett-Luce model whose strengths are exp(utility).
    """

    capabilities: ClassVar[pvd.Capabilities] = pvd.Capabilities(
        batch=64,
        simulated=True,
        reads=frozenset({"tastes"}),
        yields=frozenset({"utilities"}),
    )

    noise: Annotated[float, kit.AtLeast(0), "scale of the Gumbel noise; 0 answers the truth"] = 1.0
    position_bias: Annotated[float, "utility that the first place adds, falling to 0"] = 0.0
    malformed: Annotated[
        float, kit.AtLeast(0), kit.Below(1), "share of answers that are cut short"
    ] = 0.0
    delay: Annotated[float, kit.AtLeast(0), "seconds that a call takes"] = 0.0

    def __post_init__(self) -> None:
        if not math.isfinite(self.position_bias):
            raise ValueError(f"position_bias must be a finite number, not {self.position_bias}")

    def check(self, personas: Sequence[pvd.Persona], items: Sequence[pvd.Item]) -> None:
        there: dict[str, set[str]] = {}
        for item in items:
            for column, value in item.attributes.items():
                there.setdefault(column, set()).add(f"{column}={value}")
        matching = set().union(*there.values())
        for persona in personas:
            tastes = _tastes(persona)
            for taste in tastes:
                column = taste.partition("=")[0]
                if column not in there:
                    raise kit.BadInput(
                        f"The persona {persona.id!r} has the taste {taste!r}, and no item has a "
                        f"column {column!r}{_instead(column, there)}"
                    )
            if not matching & tastes.keys():
                taste = next(iter(tastes))
                values = there[taste.partition("=")[0]]
                raise kit.BadInput(
                    f"No item matches any taste of the persona {persona.id!r}, such as "
                    f"{taste!r}{_instead(taste, values)}"
                )

    def request(self, slate: pvd.Slate) -> pvd.Request:
        tastes = _tastes(slate.persona)
        columns = {taste.partition("=")[0] for taste in tastes}
        return pvd.Request(
            slate,
            {
                "teacher": "simulated",
                "seed": self.seed,
                "noise": self.noise,
                "position_bias": self.position_bias,
                "malformed": self.malformed,
                "persona": [slate.persona.id, dict(tastes)],
                "items": [
                    [item.id, {c: v for c, v in item.attributes.items() if c in columns}]
                    for item in slate.items
                ],
                "repeat": slate.repeat,
            },
        )

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        if self.delay:
            time.sleep(self.delay)
        return [pvd.Reply(self._text(request.slate), model="simulated") for request in requests]

    def read(self, request: pvd.Request, reply: pvd.Reply) -> pvd.Ranking:
        value = kit.read_json(reply.text)
        try:
            return pvd.Ranking.from_utilities(value["utilities"])
        except (KeyError, TypeError, ValueError):
            raise kit.Malformed(f"no utilities: {reply.text[:80]!r}") from None

    def utilities(self, persona: pvd.Persona, items: Sequence[pvd.Item]) -> Sequence[float]:
        tastes = _tastes(persona)
        return [
            math.fsum(
                tastes.get(f"{column}={value}", 0.0) for column, value in i.attributes.items()
            )
            for i in items
        ]

    def _text(self, slate: pvd.Slate) -> str:
        key = [self.seed, slate.persona.id, [item.id for item in slate.items], slate.repeat]
        last = max(len(slate.items) - 1, 1)
        heard = [
            utility
            + self.noise * _gumbel([*key, item.id])
            + self.position_bias * (1 - position / last)
            for position, (item, utility) in enumerate(
                zip(slate.items, self.utilities(slate.persona, slate.items), strict=True)
            )
        ]
        text = json.dumps({"utilities": heard})
        return text[: len(text) // 2] if _uniform([*key, "malformed"]) < self.malformed else text


def _tastes(persona: pvd.Persona) -> Mapping[str, float]:
    tastes = persona.attributes.get("tastes")
    if tastes and not isinstance(tastes, Mapping):
        raise kit.BadInput(
            f"The tastes of persona {persona.id!r} are {tastes!r:.40}; "
            'write them like {"colour=green": 1.5}.'
        )
    if not isinstance(tastes, Mapping) or not tastes:
        raise kit.BadInput(
            f"The persona {persona.id!r} has no tastes, and the simulated teacher knows nothing "
            'else; give each persona `tastes` such as {"colour=green": 1.5}, or use another.'
        )
    for taste, weight in tastes.items():
        # NaN is within no bounds, and a sum of numbers within these is finite.
        if type(weight) not in (int, float) or not -LARGEST <= weight <= LARGEST:
            raise kit.BadInput(
                f"The taste {taste!r} of persona {persona.id!r} has the weight {weight!r:.40}; "
                "write a number such as 1.5."
            )
    return tastes


def _instead(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is not there."""
    near = difflib.get_close_matches(name, known, n=1)
    few = sorted(known)[:8]
    return f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(few) or 'none'}."


def _uniform(key: Sequence[object]) -> float:
    """A number in (0, 1) that the key alone decides, so that any worker may answer in any order."""
    digest = hashlib.sha256(json.dumps(key).encode()).digest()
    return (int.from_bytes(digest[:6]) + 0.5) / 2**48


def _gumbel(key: Sequence[object]) -> float:
    return -math.log(-math.log(_uniform(key)))


@pvd.hookimpl
def register_teachers(register: Callable[[str, type[pvd.Teacher]], None]) -> None:
    register("simulated", Simulated)
