"""Which run a folder holds: what goes on there, what begins anew, and what is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from strangers import component

import pvd
import pvd.testing
from pvd.cli import main
from pvd.discovery import Registry, registry
from pvd.errors import BadInput, PartialResult
from pvd.folder import read_json, read_tensors, write_tensors

RAISES = "def {}(self, *args, **kwargs): 1 / 0"
METHODS = {"sampler": "draw", "loss": "__call__", "evaluator": "evaluate", "teacher": "answer"}


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def words(small_options: list[str], tmp_path: Path) -> list[str]:
    return ["run", *small_options, "--out", "RUN"]


def given(words: list[str], monkeypatch: pytest.MonkeyPatch) -> Result:
    """The command, in a process that has loaded nothing yet."""
    monkeypatch.setattr(registry, "__dict__", Registry().__dict__)
    return CliRunner().invoke(main, words)


def mine(kind: str, body: str) -> list[str]:
    """A plug-in file with this body, and the options that bring it."""
    Path("mine.py").write_text(component(kind, "mine", body))
    chosen = {
        "evaluator": ["-o", "evaluators=['mpr', 'mine']"],
        "student": ["-o", "student=mine"],  # after another, in the small run's options
    }
    return ["-p", "mine.py", *chosen.get(kind, [f"--{kind}", "mine"])]


@pytest.mark.parametrize("kind", METHODS)
def test_a_plugin_file_is_mended_and_the_same_command_given_again(
    kind: str, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is asked twice, and the money stays counted."""
    words += mine(kind, RAISES.format(METHODS[kind]))
    broken = given(words, monkeypatch)
    assert broken.exit_code == 5
    assert "mend or update it, then give the same command again" in broken.stderr
    asked = read_json(Path("RUN/usage.json"))["run_questions"]
    assert (asked > 0) == (kind != "teacher")
    mine(kind, "")
    again = given(words, monkeypatch)
    assert again.exit_code == 0, again.stderr
    assert "RUN was begun with another version of the plug-in" in again.stderr
    usage = read_json(Path("RUN/usage.json"))
    assert usage["run_questions"] == asked + usage["asked"]
    elsewhere = given([{"RUN": "OTHER"}.get(word, word) for word in words], monkeypatch)
    assert elsewhere.exit_code == 0
    assert read_json(Path("OTHER/usage.json"))["asked"] == 0, "each answer was kept"
    assert Path("OTHER/metrics.json").read_bytes() == Path("RUN/metrics.json").read_bytes()


LISTED = """
words: Path = Path("nofile.txt")
def answer(self, request): return self.words.read_text() and Good.answer(self, request)
"""


def test_what_failed_before_any_answer_may_begin_otherwise(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words += mine("teacher", LISTED)
    source = Path("mine.py").read_text()
    Path("mine.py").write_text(
        source.replace("import pvd,", "from pathlib import Path\nimport pvd,")
    )
    lost = given([*words, "-o", "teacher.words=nofile.txt"], monkeypatch)
    assert lost.exit_code == 5, lost.stderr
    early = r"There is no \S+nofile.txt, which teacher.words names.*failed in answer"
    assert re.search(early, lost.stderr, re.DOTALL), lost.stderr
    assert "judge.words" not in lost.stderr
    begun = Path("RUN/run.toml").read_text()
    plan = given([*words, "-o", "teacher.words=mine.py", "--dry-run"], monkeypatch)
    assert plan.exit_code == 0, plan.stderr
    assert Path("RUN/run.toml").read_text() == begun, "a plan changes nothing"
    found = given([*words, "-o", "teacher.words=mine.py"], monkeypatch)
    assert found.exit_code == 0, found.stderr
    assert re.search(r"RUN was begun with teacher.words \S+nofile.txt, and this", found.stderr)
    assert "mine.py" in Path("RUN/run.toml").read_text()


def test_a_run_by_its_own_file_begins_anew_too(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pvd run --config RUN/run.toml --out RUN`, as sentences propose it."""
    words += mine("teacher", RAISES.format("answer"))
    assert given(words, monkeypatch).exit_code == 5
    mine("teacher", "")
    again = given(["run", "--config", "RUN/run.toml", "--out", "RUN"], monkeypatch)
    assert again.exit_code == 0, again.stderr


@pytest.fixture
def one_round(small: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """A run that was stopped after its first round, as keywords."""
    made = {**small, "out": tmp_path / "RUN"}
    pvd.run(**made)
    for name in ("metrics.json", "rounds/002/done"):
        (tmp_path / "RUN" / name).unlink()
    return made


def test_one_round_is_of_worth(one_round: dict[str, Any], tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(BadInput, match="begun with loss bradley-terry, and this command says"):
        pvd.run(loss="plackett-luce", **one_round)
    after = {path: path.read_bytes() for path in before}
    assert after == before


def test_an_answer_that_the_store_has_not_is_of_worth(
    words: list[str], monkeypatch: pytest.MonkeyPatch, own_cache: Path
) -> None:
    words += mine("loss", RAISES.format("__call__"))
    assert given(words, monkeypatch).exit_code == 5
    for file in own_cache.glob("answers.sqlite*"):
        file.unlink()
    asked = Path("RUN/rounds/001/judgments.jsonl").read_bytes()
    mine("loss", "")
    again = given(words, monkeypatch)
    assert again.exit_code == 5
    assert "another version of the plug-in" in again.stderr
    assert Path("RUN/rounds/001/judgments.jsonl").read_bytes() == asked


def test_what_was_labelled_is_somebodys_work(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words += mine("loss", RAISES.format("__call__"))
    assert given(["label", "RUN", *words[1:-8], *words[-4:]], monkeypatch).exit_code == 0
    asked = Path("RUN/rounds/001/judgments.jsonl").read_bytes()
    mine("loss", "")
    assert given(words, monkeypatch).exit_code == 5
    assert Path("RUN/rounds/001/judgments.jsonl").read_bytes() == asked


def test_other_data_or_another_student_begin_anew_where_nothing_was_asked(
    small: dict[str, Any], tmp_path: Path
) -> None:
    table = tmp_path / "people.jsonl"
    small = {**small, "personas": {"use": "table", "path": str(table)}, "out": tmp_path / "RUN"}

    def people(text: str) -> None:
        rows = [{"id": p.id, "text": f"{text} {p.id}", "tastes": {"colour=red": 1}}
                for p in pvd.testing.personas(60)]  # fmt: skip
        table.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def begun() -> Path:
        teacher = {"use": "simulated", "malformed": 0.9}
        with pytest.raises(PartialResult):
            pvd.run(**{**small, "teacher": teacher})
        assert not list((tmp_path / "RUN/exam").glob("*.jsonl"))
        return tmp_path / "RUN"

    people("A person")
    folder = begun()
    first = [(folder / name).read_bytes() for name in ("data.json", "rounds/000/seen.safetensors")]
    people("Another person")
    begun()
    assert (folder / "data.json").read_bytes() != first[0]
    assert (folder / "rounds/000/seen.safetensors").read_bytes() != first[1]
    weights = folder / "rounds/000/student.safetensors"
    right = weights.read_bytes()
    tensors = read_tensors(weights)
    write_tensors(weights, {name: one + 1 for name, one in tensors.items()})
    begun()
    assert weights.read_bytes() == right
    assert (folder / "rounds/000/items.npy").exists()


def test_a_plugin_that_fails_later_says_how_to_start_over(
    words: list[str], small: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its rounds are of this version; in the default folder another version has another."""
    later = "def __call__(self, batch): return Good.__call__(self, batch) / (batch.round < 2 or {})"
    words += mine("loss", later.format("1 / 0"))
    broken = given(words, monkeypatch)
    assert "mend or update it, then start over with `pvd run --fresh` (PVD_" in broken.stderr
    with pytest.raises(BadInput, match=r"then start over with fresh=True \(PVD_"):
        pvd.run(loss="mine", out="RUN", **small)
    elsewhere = given([*words[: words.index("--out")], *words[-4:]], monkeypatch)
    assert "then give the same command again (PVD_" in elsewhere.stderr
    mine("loss", "")
    again = given([*words, "--fresh"], monkeypatch)
    assert again.exit_code == 0
    assert read_json(Path("RUN/usage.json"))["run_questions"] == 30, "round 3 alone is new"


@pytest.mark.parametrize(
    "other", [{"loss": "plackett-luce"}, {"personas": {"use": "boutique", "people": 50}}]
)
def test_a_program_is_told_of_its_own_keyword(
    one_round: dict[str, Any], other: dict[str, Any]
) -> None:
    with pytest.raises(BadInput, match=r"or start over with fresh=True\.$"):
        pvd.run(**{**one_round, **other})


def test_a_student_that_saves_nothing_is_to_blame_at_once(
    words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words += ["-o", "train.rounds=1", *mine("student", "def save(self, folder): pass")]
    first = given(words, monkeypatch)
    assert first.exit_code == 5
    assert "The plug-in student.mine of mine.py saved what it cannot open (No such file or " in (
        first.stderr
    )
    assert "Mend or update it, then start over with `pvd run --fresh`." in first.stderr
    assert not Path("RUN/metrics.json").exists()
    evaluated = given(["evaluate", "RUN"], monkeypatch)
    assert "saved what it cannot open" in evaluated.stderr
    assert not Path("RUN/metrics.json").exists()


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True])
def test_a_comparison_goes_on_with_a_mended_plugin_file_until_a_round_is_done(
    late: bool, small_options: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = f"1 / (batch.round != {1 + late}); "
    body = f"def __call__(self, batch): {fails}return Good.__call__(self, batch)"
    source = component("loss", "mine", body)
    Path("mine.py").write_text(source)
    words = [
        "compare", *small_options, "-o", "train.rounds=2", "-p", "mine.py",
        "--vary", "loss=bradley-terry,mine", "--seeds", "1", "--jobs", "1", "--out", "OUT",
    ]  # fmt: skip
    broken = given(words, monkeypatch)
    assert broken.exit_code == 5, broken.stderr
    helps = "compare in another --out, where kept" if late else "give the same command again (PVD_"
    assert f"mend or update it, then {helps}" in broken.stderr
    Path("mine.py").write_text(source.replace(fails, ""))
    again = given(words, monkeypatch)
    assert again.exit_code == (5 if late else 0), again.stderr
    if late:
        assert "was begun with another version of the plug-in" in again.stderr


@pytest.mark.parametrize("begun", [False, True])
def test_what_others_put_beside_a_run_stays(
    begun: bool, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`pvd init` writes run.toml beside somebody's photographs; that alone is no run."""
    words += mine("teacher", RAISES.format("answer"))
    assert given(words, monkeypatch).exit_code == 5
    if not begun:
        Path("RUN/environment.json").unlink()
    Path("RUN/photographs").mkdir()
    Path("RUN/photographs/holiday.jpg").write_text("dear to me")
    before = Path("RUN/run.toml").read_bytes()
    mine("teacher", "")
    again = given(words, monkeypatch)
    assert again.exit_code == (0 if begun else 5), again.stderr
    assert (Path("RUN/run.toml").read_bytes() == before) == (not begun)
    assert Path("RUN/photographs/holiday.jpg").read_text() == "dear to me"
