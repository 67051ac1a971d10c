"""Distil the taste of a vision-language model into an embedding model.

`pvd.run(...)` does all of it, and `pvd.Run.open(folder)` finds it again; the stages are in the
modules `catalog`, `pictures`, `scoring`, `drawing`, `asking`, `training`, `tournament`, `exam` and
`report`, each taking records and returning records. To import `pvd` loads no torch.

Shapes everywhere: B slates in a batch, K items a slate, U distinct images in the batch, S slots,
N items, P personas or texts, D the width of the space. Whatever goes wrong is a
`pvd.errors.PvdError`: one sentence that says what, where and how to mend it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

from pvd.hookspecs import hookimpl
from pvd.protocols import (
    BatchTeacher,
    Capabilities,
    Component,
    CompositeTeacher,
    Evaluator,
    Loss,
    Observer,
    Pool,
    Prepared,
    Question,
    Sampler,
    ScoredBatch,
    Source,
    State,
    Student,
    Teacher,
)
from pvd.records import (
    Catalog,
    Estimate,
    Exam,
    Forecast,
    Item,
    Judgment,
    Persona,
    Ranking,
    Reply,
    Request,
    RoundResult,
    Slate,
    Stage,
    Step,
    Tokens,
)

if TYPE_CHECKING:
    from typing import Unpack

    from pvd.auditing import Audit
    from pvd.comparing.comparison import Compared
    from pvd.keywords import RunSettings
    from pvd.outcome import Run
    from pvd.progress import Progress
    from pvd.search.index import Index

#: The version, which every run records.
__version__ = "0.1.0"

__all__ = [
    "Audit",
    "BatchTeacher",
    "Capabilities",
    "Catalog",
    "Compared",
    "Component",
    "CompositeTeacher",
    "Estimate",
    "Evaluator",
    "Exam",
    "Forecast",
    "Index",
    "Item",
    "Judgment",
    "Loss",
    "Observer",
    "Persona",
    "Pool",
    "Prepared",
    "Question",
    "Ranking",
    "Reply",
    "Request",
    "RoundResult",
    "Run",
    "Sampler",
    "ScoredBatch",
    "Slate",
    "Source",
    "Stage",
    "State",
    "Step",
    "Student",
    "Teacher",
    "Tokens",
    "__version__",
    "audit",
    "compare",
    "export",
    "hookimpl",
    "load",
    "open_student",
    "run",
]


# What a component needs none of, and imports much: found where it is, once it is asked for.
_LATER = {
    "Audit": "pvd.auditing",
    "Compared": "pvd.comparing.comparison",
    "Index": "pvd.search.index",
    "Run": "pvd.outcome",
}


def __getattr__(name: str) -> Any:
    if name in _LATER:
        from importlib import import_module

        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'pvd' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


@overload
def load(kind: Literal["teacher"], name: str, **options: Any) -> Teacher: ...
@overload
def load(kind: Literal["student"], name: str, **options: Any) -> Student: ...
@overload
def load(kind: Literal["sampler"], name: str, **options: Any) -> Sampler: ...
@overload
def load(kind: Literal["loss"], name: str, **options: Any) -> Loss: ...
@overload
def load(kind: Literal["evaluator"], name: str, **options: Any) -> Evaluator: ...
@overload
def load(kind: Literal["source"], name: str, **options: Any) -> Source: ...
@overload
def load(kind: Literal["observer"], name: str, **options: Any) -> Observer: ...
@overload
def load(kind: str, name: str, **options: Any) -> Any: ...
def load(kind: str, name: str, **options: Any) -> Any:
    """A component by kind and name, with its options: `pvd.load("teacher", "simulated", noise=2)`.

    The kinds are teacher, student, sampler, loss, evaluator, source and observer; `pvd plugins`
    lists the names, `pvd options KIND.NAME` the options. UnknownName for a name or option that
    there is not, BadInput for a value that does not fit.
    """
    from pvd.options import build

    return build(kind, {"use": name, **options}, kind)


def open_student(folder: str | Path, device: str = "cpu") -> Student:
    """The student that a run saved in `RUN/student`, or an export holds, on a device.

    `embed_texts(texts)` gives [P, D], `embed_prepared(prepare(images))` [n, D], both of unit
    length: their products are cosines. MissingFile if there is no student,
    MissingPrerequisite, with the package's name, if its plug-in is not installed.
    """
    from pvd.errors import MissingFile
    from pvd.saving import open_student

    folder = Path(folder)
    if not (folder / "pvd.json").exists():
        inside = folder / "student"
        mend = f"open {inside}." if inside.is_dir() else "name the folder RUN/student of a run."
        raise MissingFile(f"There is no student in {folder}; {mend}")
    return open_student(folder, device)


def export(
    run: str | Path, to: str | Path, *, interpolate: float | None = None, device: str = "cpu"
) -> Path:
    """Write a finished run's student and its model card to a folder, as `pvd export` does; the
    folder.

    `interpolate`, between 0 and 1, is how far the weights go from those before training to the
    trained ones (Wortsman et al. 2022, "Robust fine-tuning of zero-shot models", WiSE-FT).
    """
    from pvd.publishing.exporting import export

    return export(Path(run), Path(to), interpolate=interpolate, device=device).folder


def run(
    *,
    recipe: str = "default",
    plugins: Iterable[str | Path] = (),
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress | None = None,
    **settings: Unpack[RunSettings],
) -> Run:
    """A whole run, or the result of a finished one: `pvd.run(seed=1, train={"rounds": 3})`.

    Settings are keywords, as in a TOML file: a component is a name, a table with `use`, or an
    object; what is left out is the `recipe`'s. `plugins` are files to load, as `-p` does. `out` is
    the run's folder, else `runs/<teacher>-<student>-<digest>`: the same call finds its own run
    again, goes on where it was interrupted, and returns at once if it is finished. `fresh` starts
    over. Nothing is shown unless `progress=pvd.progress.for_terminal()`.

    BadInput if other settings began the folder, UsageError if something paid has no `max_cost`.
    """
    from pvd.pipeline import run

    return run(recipe=recipe, plugins=plugins, out=out, fresh=fresh, progress=progress, **settings)


def audit(
    *teachers: str | Mapping[str, Any] | Teacher,
    slates: int = 200,
    orders: int = 3,
    pairs: int | None = None,
    prompts: Sequence[str] = (),
    out: str | Path | None = None,
    recipe: str = "default",
    plugins: Iterable[str | Path] = (),
    progress: Progress | None = None,
    **settings: Unpack[RunSettings],
) -> Audit:
    """A report card of teachers, or the result of a finished audit, as `pvd audit` makes it:
    `pvd.audit("simulated", {"use": "simulated", "noise": 2.0}, slates=20, out="audits/first")`.

    Each of the `slates` is shown in so many `orders`; of the first `pairs` (a tenth, if none) every
    pair is asked too. With `prompts`, each teacher is asked with each of them. Settings are those
    of `pvd.run`. Returns the numbers of audit.json and the paths.
    """
    from pvd.auditing import audit

    return audit(
        *teachers,
        slates=slates,
        orders=orders,
        pairs=pairs,
        prompts=prompts,
        out=out,
        recipe=recipe,
        plugins=plugins,
        progress=progress,
        **settings,
    )


def compare(
    *,
    vary: Mapping[str, Sequence[Any]],
    out: str | Path,
    judges: Sequence[str | Mapping[str, Any] | Teacher] = (),
    seeds: int = 5,
    margin: float = 1.0,
    jobs: int | None = None,
    recipe: str = "default",
    plugins: Iterable[str | Path] = (),
    progress: Progress | None = None,
    **settings: Unpack[RunSettings],
) -> Compared:
    """The same student taught in different ways, or the result of a finished comparison:
    `pvd.compare(vary={"sampler": ["uniform", "four-bin"]}, out="runs/samplers")`.

    `vary` has settings, by path, with the values that each takes; all combinations are run, each
    with so many `seeds`. Those in `judges` examine all of them; where nobody is, the judge of the
    settings; without one, all who teach. A stand-in may be worse by `margin` percentile points. So
    many `jobs` go on at once. Other settings are those of `pvd.run`. Returns the numbers of
    compare.json and the paths.
    """
    from pvd.comparing.comparison import compare

    return compare(
        vary=vary,
        out=out,
        judges=judges,
        seeds=seeds,
        margin=margin,
        jobs=jobs,
        recipe=recipe,
        plugins=plugins,
        progress=progress,
        **settings,
    )
