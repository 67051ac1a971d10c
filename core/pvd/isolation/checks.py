"""What plug-ins return, looked at once where core receives it, and by their contracts
(`pvd.testing`), which demand more only where they say why a run does not.

The types of single values are checked by the guard; what is checked here needs to know what was
asked for. All of it is cheap beside what it checks: no more than a glance at each value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pvd.errors import BadInput
from pvd.isolation.origin import broken, shortened, shown
from pvd.money.amounts import count as counted
from pvd.records import (
    Catalog,
    Estimate,
    Forecast,
    Ranking,
    Request,
)

if TYPE_CHECKING:
    from torch import Tensor

NUMBER = (int, float)
RETURNS: dict[str, tuple[type | tuple[type, ...], str]] = {
    "request": (Request, "a pvd.Request"),
    "read": (Ranking, "a pvd.Ranking"),
    "combine": (Ranking, "a pvd.Ranking"),
    "estimate": (Forecast, "a pvd.Forecast"),
    "dollars": ((*NUMBER, type(None)), "a number, or None if nobody knows"),
    "prices": (str, "text"),
    "line": (bytes, "bytes"),
    "submit": (str, "the ticket as text"),
    "prepare_key": (str, "text"),
    "learning_rate": (NUMBER, "a number"),
    "about": (Mapping, "a mapping"),
    "state": (dict, "a dict of tensors"),
    "catalog": (Catalog, "a pvd.Catalog"),
    "chance": (Mapping, "a mapping from names to numbers"),
    "evaluate": (Mapping, "a mapping from names to pvd.Estimate"),
}
UNIT = 0.02  # how far a length may be from 1: half precision is off by less


def check_type(component: object, method: str, found: object) -> None:
    """PluginError if a method returned something of another type than its protocol says."""
    if method == "__enter__" and found is None:
        raise broken(component, "returned None from __enter__", "it must return self")
    if method in RETURNS:
        types, must = RETURNS[method]
        if not isinstance(found, types):
            raise broken(
                component, f"returned {shown(found)} from {method}", f"it must return {must}"
            )


# --- teachers ---------------------------------------------------------------------------------


def rankings(teacher: object, requests: Sequence[Request], found: object) -> Sequence[Ranking]:
    """What `rank` returned: a ranking a slate that fits it."""
    must = f"it must return a list of {len(requests)}, one pvd.Ranking a slate"
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise broken(teacher, f"returned {shown(found)} from rank", must)
    if len(found) != len(requests):
        raise broken(teacher, f"returned {counted(len(found), 'ranking')} from rank", must)
    for ranking, request in zip(found, requests, strict=True):
        if not isinstance(ranking, Ranking):
            raise broken(teacher, f"returned {shown(ranking)} from rank for a slate", must)
        fits(teacher, "rank", ranking, len(request.slate.items))
    return found


def fits(teacher: object, method: str, ranking: Ranking, size: int) -> Ranking:
    """A ranking of so many items."""
    try:
        return ranking.check(size)
    except BadInput as error:
        what, _, must = str(error).rstrip(".").partition("; ")
        what = what.replace("The ranking has", "it has", 1).replace("The ranking", "", 1).strip()
        raise broken(
            teacher, f"returned from {method} a ranking that cannot be used: {what}", must
        ) from None
    except Exception:  # tiers that are no tuples, utilities that are no numbers
        raise broken(
            teacher,
            f"returned from {method} the ranking {shortened(str(ranking.tiers))}",
            f"its tiers must be tuples of positions from 0 to {size - 1}, its utilities numbers",
        ) from None


def digest(teacher: object, request: Request, known: str | None = None) -> str:
    """The request's digest, which must be the same each time that a slate is asked about."""
    try:
        own = request.digest
    except (TypeError, ValueError, RecursionError) as error:
        raise broken(
            teacher,
            f"returned from request a body that is no JSON ({error})",
            "it must hold text, numbers, lists and mappings alone",
        ) from error
    if known is not None and own != known:
        raise broken(
            teacher,
            "returned two different requests for one slate",
            "request must depend on the slate and the options alone: on no time, id() or hash()",
        )
    return own


def lines(teacher: object, found: object) -> Sequence[str]:
    """What `connect` returned: lines for the user, or nothing at all."""
    if found is None:
        return ()
    if not isinstance(found, Sequence) or isinstance(found, str):
        raise broken(
            teacher, f"returned {shown(found)} from connect", "it must return a list of lines"
        )
    return found


def questions(teacher: object, found: object, kind: type) -> Sequence[Any]:
    """What a composite teacher wants to know of a slate: some questions."""
    must = "it must return a list of pvd.Question, one at least"
    if not isinstance(found, Sequence) or not found:
        raise broken(teacher, f"returned {shown(found)} from questions", must)
    for one in found:
        if not isinstance(one, kind):
            raise broken(teacher, f"returned {shown(one)} from questions", must)
    return found


def utilities(judge: object, rows: Sequence[Sequence[float]], items: int) -> Tensor:
    """[P, N], what `utilities` returned for each persona."""
    import torch

    must = f"it must return {counted(items, 'number')}, one an item"
    for row in rows:
        try:
            count = len(row)
        except TypeError:
            raise broken(judge, f"returned {shown(row)} from utilities", must) from None
        if count != items:
            raise broken(judge, f"returned {counted(count, 'number')} from utilities", must)
    try:
        found = torch.tensor([list(row) for row in rows], dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError) as error:
        raise broken(judge, f"returned from utilities what is none ({error})", must) from error
    if bool(found.isnan().any()):
        raise broken(judge, "returned NaN from utilities", must)
    return found


# --- samplers, losses, evaluators -------------------------------------------------------------


def rows(sampler: object, found: object, slots: int, size: int, items: int) -> list[list[int]]:
    """What `draw` returned: a row of distinct item indices a slot."""
    import torch

    must = f"it must return a tensor of {counted(slots, 'row')} with {size} distinct whole numbers "
    must += f"below {items:,}, indices of the pool's items"
    if not isinstance(found, torch.Tensor):
        raise broken(sampler, f"returned {shown(found)} from draw", must)
    whole = not (found.is_floating_point() or found.is_complex() or found.dtype == torch.bool)
    if tuple(found.shape) != (slots, size) or not whole:
        what = f"{shown(found)} and {found.dtype}"
        raise broken(sampler, f"returned {what} from draw", must)
    drawn: list[list[int]] = found.tolist()
    for row in drawn:
        if len(set(row)) != size or min(row) < 0 or max(row) >= items:
            raise broken(sampler, f"drew the row {shortened(str(row))}", must)
    return drawn


def loss(loss: object, value: object, alone: bool) -> Tensor:
    """What a loss returned: one number, with the way back to the scores if it stands alone."""
    import torch

    must = "it must return one number as a tensor, such as the mean over the slates, computed from "
    must += "the batch's scores or embeddings without .detach(), .item() or numpy"
    if not isinstance(value, torch.Tensor) or value.numel() != 1:
        raise broken(loss, f"returned {shown(value)}", must)
    if alone and not value.requires_grad:
        raise broken(loss, "returned a number without a gradient", must)
    return value.reshape(())


def estimates(evaluator: object, found: Mapping[str, Estimate]) -> Mapping[str, Estimate]:
    """What `evaluate` returned: finite numbers with their intervals, by name."""
    must = "it must return a mapping from names to pvd.Estimate; pvd.kit.mean makes one"
    for name, one in found.items():
        if not isinstance(one, Estimate) or not isinstance(name, str):
            raise broken(evaluator, f"returned {shown(one)} for {name!r} from evaluate", must)
        values = (value for value in one.values if value is not None)
        if not all(map(math.isfinite, (one.value, one.low, one.high, *values))):
            what = f"returned {name!r} = {one.value} ({one.low} to {one.high}) from evaluate"
            raise broken(evaluator, what, "it must be finite, or left out where it has no value")
    return found


# --- students ---------------------------------------------------------------------------------


def embeddings(
    student: object, method: str, found: object, count: int, values: bool = True
) -> Tensor:
    """[n, D]: a row each, and, where their `values` are looked at, of unit length. Training looks
    at the shape alone: on a GPU the numbers would have to be waited for."""
    import torch

    must = f"it must return a tensor of {counted(count, 'row')} of unit length"
    if not isinstance(found, torch.Tensor):
        raise broken(student, f"returned {shown(found)} from {method}", must)
    if found.ndim != 2 or len(found) != count or not found.is_floating_point():
        raise broken(student, f"returned {shown(found)} from {method}", must)
    if values and count:
        off = (torch.linalg.vector_norm(found.detach().float(), dim=1) - 1).abs().max()
        if not bool(off <= UNIT):  # NaN is not, either
            length = "NaN or no length" if not math.isfinite(float(off)) else f"{float(off):.2g}"
            raise broken(
                student, f"returned from {method} rows whose length is off 1 by {length}", must
            )
    return found


def same_width(student: object, texts: Tensor, images: Tensor, when: str = "") -> None:
    """Texts and images stand in one space."""
    if texts.shape[1] != images.shape[1]:
        raise broken(
            student,
            f"embeds texts into {texts.shape[1]} numbers and images into {images.shape[1]}{when}",
            "both must be of one width",
        )


def prepared(student: object, found: object, count: int) -> Any:
    """What `prepare` returned: a tensor, or a mapping of some, with one row an image."""
    import torch

    must = f"it must return a tensor, or a mapping of tensors, with {counted(count, 'row')}: one "
    must += "an image"
    tensors = list(found.values()) if isinstance(found, Mapping) else [found]
    for one in tensors or [None]:
        if not isinstance(one, torch.Tensor) or not one.ndim or len(one) != count:
            raise broken(student, f"returned {shown(one)} from prepare", must)
    return found


def groups(student: object, found: object) -> list[dict[str, Any]]:
    """What `parameter_groups` returned, in copies: something that learns."""
    import torch

    must = 'it must return a list such as [{"params": [...]}], with a tensor that learns at least'
    if not isinstance(found, list | tuple) or not all(
        isinstance(group, dict) and "params" in group for group in found
    ):
        raise broken(student, f"returned {shown(found)} from parameter_groups", must)
    copies = [{**group, "params": list(group["params"])} for group in found]
    learning = [one for group in copies for one in group["params"]]
    if not learning or not all(isinstance(one, torch.Tensor) for one in learning):
        raise broken(student, "returned nothing that learns from parameter_groups", must)
    return copies
