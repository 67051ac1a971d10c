"""Bounds in the types of options: the same numbers are refused wherever they come from."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Annotated, Any

import pytest

import pvd
from pvd import kit, options
from pvd.bounds import Bound
from pvd.errors import BadInput, PluginError
from pvd.settings import recipe, resolve


@dataclass(kw_only=True)
class Hinge(pvd.Loss):
    """An option of every sort that can have bounds, and a `__post_init__` of its own, which calls
    nobody else's."""

    margin: Annotated[float, kit.Above(0), kit.AtMost(2), "of cosines"] = 0.2
    share: Annotated[float, kit.AtLeast(0), kit.Below(1)] = 0.5
    most: Annotated[int | None, kit.AtLeast(1), "pairs of a slate; all if none"] = None
    weights: Annotated[tuple[float, ...], kit.Above(0), "by rank"] = ()
    steps: tuple[Annotated[int, kit.AtLeast(1)], ...] | None = None
    name_of: str = "any"

    def __post_init__(self) -> None:
        if self.margin > 1.5 and not math.sqrt(self.margin - 1.5) < 0.5:
            raise ValueError("margin is odd")

    def __call__(self, batch: pvd.ScoredBatch) -> Any:
        return batch.scores.sum()


REFUSED = [
    ({"margin": 0.0}, "margin must be above 0 and at most 2, not 0.0"),
    ({"margin": 2.1}, "margin must be above 0 and at most 2, not 2.1"),
    ({"margin": math.nan}, "margin must be above 0 and at most 2, not nan"),
    ({"margin": -math.inf}, "margin must be above 0 and at most 2, not -inf"),
    ({"share": 1.0}, "share must be at least 0 and below 1, not 1.0"),
    ({"most": 0}, "most must be at least 1, not 0"),
    ({"weights": (1.0, 0.0)}, "weights[1] must be above 0, not 0.0"),
    ({"weights": (math.inf,)}, "weights[0] must be a finite number, not inf"),
    ({"steps": (3, 2, 0)}, "steps[2] must be at least 1, not 0"),
]
TAKEN: list[dict[str, Any]] = [
    {"margin": 1e-9},
    {"share": 0.0},
    {"share": 0.999},
    {"most": 1},
    {"most": None},
    {"weights": (0.1, 5.0)},
    {"steps": (1,)},
    {"steps": None},
]


@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_a_program_is_refused_a_number_out_of_bounds(given: dict[str, Any], said: str) -> None:
    for make in (lambda: Hinge(**given), lambda: replace(Hinge(), **given)):
        with pytest.raises(ValueError, match="must be") as caught:
            make()
        assert str(caught.value) == said


@pytest.mark.parametrize(("given", "said"), REFUSED)
def test_a_table_is_refused_it_in_the_words_of_the_settings(
    given: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadInput) as caught:
        options.fill(Hinge, given, "loss")
    assert str(caught.value) == f"loss.{said}."
    with pytest.raises(BadInput, match=r"^train\.rounds must be at least 1, not 0\.$"):
        resolve(recipe("default"), {"train": {"rounds": 0}})


@pytest.mark.parametrize("given", TAKEN)
def test_what_is_within_them_is_taken(given: dict[str, Any]) -> None:
    assert options.fill(Hinge, given, "loss") == Hinge(**given)


def test_an_authors_own_check_comes_after_them() -> None:
    with pytest.raises(ValueError, match="margin is odd"):
        Hinge(margin=1.9)
    with pytest.raises(ValueError, match="at most 2"):  # and sees no other number
        Hinge(margin=3.0)


def test_a_subclass_has_them_too() -> None:
    @dataclass(kw_only=True)
    class Softer(Hinge):
        slope: Annotated[float, kit.Above(0)] = 1.0

        def __post_init__(self) -> None:
            self.half = self.slope / 2

    assert Softer(slope=3.0).half == 1.5
    for given in ({"slope": 0.0}, {"margin": 0.0}):
        with pytest.raises(ValueError, match="must be above 0"):
            Softer(**given)


def test_a_type_that_cannot_be_resolved_is_said_where_options_are_set() -> None:
    members = {"__annotations__": {"x": "Nowhere"}, "x": 1, "__module__": __name__}
    odd = dataclass(type("Odd", (pvd.Loss,), {**members, "__call__": Hinge.__call__}))
    odd()
    with pytest.raises(PluginError, match="cannot be resolved"):
        options.fill(odd, {}, "loss")


@pytest.mark.parametrize("bound", [kit.AtLeast, kit.Above, kit.AtMost, kit.Below])
def test_numbers_of_any_size_are_compared_exactly(bound: type[Bound]) -> None:
    huge = 10**400
    fits = {step for step in (-1, 0, 1) if bound(huge).holds(huge + step)}
    assert fits == {
        kit.AtLeast: {0, 1}, kit.Above: {1}, kit.AtMost: {-1, 0}, kit.Below: {-1},
    }[bound]  # fmt: skip
    assert not bound(0).holds(math.nan)
