"""What goes on in a comparison's folder, and what would be laid over another comparison."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pvd.comparing import comparison, continuing
from pvd.comparing.design import Cell, Design, make
from pvd.errors import BadInput
from pvd.folder import write_json
from pvd.identity import toml_of
from pvd.settings import recipe

SMALL = {
    "catalog": {"use": "boutique", "size": 60},
    "personas": {"use": "boutique", "people": 30},
    "student": {"use": "tiny"},
    "train": {"rounds": 1, "slates": 8, "validation_slates": 8},
    "exam": {"personas": 3, "items": 8, "repeats": 0},
}
SAMPLERS = {"sampler": ["uniform", "four-bin"]}


def design(vary: dict[str, Any] = SAMPLERS, **given: Any) -> Design:
    tables = {name: given.pop(name) for name in ("train", "exam") if name in given}
    return make((recipe("default"), SMALL, tables), vary, **{"seeds": 2, **given})


def look(made: Design, out: Path) -> None:
    continuing.check(made, out, out / comparison.RESULT)


def lay(made: Design, out: Path, cells: int) -> None:
    """What it leaves when it stops after so many runs began."""
    judged = [(made.exam_folder(out, judge), made.examining(judge)) for judge in made.judges]
    taught = [(made.folder(out, cell), made.settings(cell)) for cell in made.cells[:cells]]
    for folder, settings in [*judged, *taught]:
        folder.mkdir(parents=True)
        (folder / "run.toml").write_text(toml_of(settings))


def finish(made: Design, out: Path) -> None:
    lay(made, out, len(made.cells))
    arms = [{"label": arm.label} for arm in made.arms]
    write_json(out / "compare.json", {"arms": arms, "seeds": made.seeds, "design": "?"})


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"seeds": 5},
        {"judges": [{"use": "simulated", "noise": 0}]},
        {"judges": ["simulated", {"use": "simulated", "noise": 0}]},
        {"vary": {"sampler": ["uniform", "four-bin", "within-bin"]}},
        {"margin": 2.0},
    ],
)
@pytest.mark.parametrize("leave", [finish, lambda made, out: lay(made, out, 1)])
def test_the_same_and_more_goes_on(tmp_path: Path, more: dict[str, Any], leave: Any) -> None:
    leave(design(), tmp_path)
    before = sorted(tmp_path.rglob("*"))
    look(design(**more), tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"vary": {"loss": ["bradley-terry", "plackett-luce"]}},
         "holds a comparison with other arms (uniform and four-bin); give all of its arms again"),
        ({"vary": {"sampler": ["uniform", "within-bin"]}}, "with other arms (four-bin);"),
        ({"vary": {**SAMPLERS, "train.steps": [2, 3]}}, "with other arms (uniform and four-bin);"),
        ({"seeds": 1}, "holds a comparison over 2 seeds; give --seeds 2 or more, or name another"),
        ({"train": {"rounds": 2}}, "was begun with train.rounds 1, and this command says 2"),
        ({"exam": {"personas": 4}}, "was begun with exam.personas 3, and this command says 4"),
        ({"vary": {"sampler": ["four-bin", "uniform"]}}, "further values of --vary last"),
    ],
)  # fmt: skip
def test_another_comparison_is_refused_and_changes_nothing(
    tmp_path: Path, other: dict[str, Any], said: str
) -> None:
    finish(design(), tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(BadInput) as error:
        comparison.execute(design(**other), tmp_path)
    assert said in str(error.value)
    assert "another --out" in str(error.value)
    assert "--fresh" not in str(error.value), "there is no such option here"
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.name != ".lock"
             and path.is_file()}  # fmt: skip
    assert after == before


def test_a_dry_run_refuses_it_too(tmp_path: Path) -> None:
    finish(design(), tmp_path)
    with pytest.raises(BadInput, match="with other arms"):
        comparison.plan(design({"loss": ["bradley-terry", "plackett-luce"]}), tmp_path)


def test_what_was_stopped_is_not_mixed_with_another_either(tmp_path: Path) -> None:
    lay(design(), tmp_path, 1)
    with pytest.raises(BadInput, match=r"with other arms \(uniform\)"):
        look(design({"loss": ["bradley-terry", "plackett-luce"]}), tmp_path)


def test_what_nobody_who_judges_now_was_asked_holds_for_this_exam_too(tmp_path: Path) -> None:
    lay(design(), tmp_path, 0)
    other = {"judges": [{"use": "simulated", "noise": 0}]}
    look(design(**other), tmp_path)
    with pytest.raises(BadInput, match=r"exam\.items 8, and this command says 9"):
        look(design(exam={"items": 9}, **other), tmp_path)


def test_fewer_seeds_may_end_what_was_stopped(tmp_path: Path) -> None:
    made = design(seeds=5)
    lay(made, tmp_path, 3)
    assert made.folder(tmp_path, Cell(0, 1)).exists()
    look(design(seeds=1), tmp_path)
