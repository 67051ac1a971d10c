"""Whole runs, small: what a user relies on from the first command to the last byte."""

from __future__ import annotations

import json
import random
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

import pvd
import pvd.pipeline
import pvd.testing
from pvd.discovery import registry
from pvd.errors import BadInput, MissingFile, PartialResult, UsageError
from pvd.folder import read_json, read_lines

Tables = dict[str, Any]


def bytes_of(folder: Path) -> bytes:
    return (folder / "metrics.json").read_bytes()


@pytest.fixture
def done(small: Tables, tmp_path: Path) -> pvd.pipeline.Run:
    return pvd.run(out=tmp_path / "done", **small)


def test_a_run_returns_numbers_student_and_paths(done: pvd.pipeline.Run) -> None:
    systems = done.metrics["exam"]["systems"]
    assert list(systems) == [
        "random", "zero-shot", "persona-blind", "shuffled-persona", "distilled", "oracle"
    ]  # fmt: skip
    for numbers in systems.values():
        for estimate in numbers.values():
            assert estimate["low"] <= estimate["value"] <= estimate["high"]
    assert done.student.embed_texts(["a gift"]).shape[0] == 1
    assert done.report.read_text().startswith("<!DOCTYPE html>")
    rounds = done.metrics["rounds"]
    assert [r["round"] for r in rounds] == list(range(len(rounds)))
    assert all(r["slates"] == 30 for r in rounds[1:])


def test_the_values_behind_the_numbers(done: pvd.pipeline.Run) -> None:
    """exam/values.json has one value a persona; their mean is what metrics.json says."""
    values = read_json(done.folder / "exam/values.json")
    systems = done.metrics["exam"]["systems"]
    assert list(values["systems"]) == list(systems)
    assert values["personas"] == [row["id"] for row in done.metrics["exam"]["people"]]
    for system, found in values["systems"].items():
        for name, per_persona in found.items():
            assert len(per_persona) == len(values["personas"])
            assert sum(per_persona) / len(per_persona) == pytest.approx(
                systems[system][name]["value"]
            )


@pytest.mark.usefixtures("drawn")
def test_the_report_can_be_made_again(done: pvd.pipeline.Run) -> None:
    want = done.report.read_bytes()
    done.report.unlink()
    assert pvd.pipeline.make_report(done.folder) == done.report
    assert done.report.read_bytes() == want
    with pytest.raises(
        MissingFile, match=r"There is no run in .*nowhere; name the folder that `pvd"
    ):
        pvd.pipeline.make_report(done.folder / "nowhere")


def test_the_saved_student_is_the_distilled_one(done: pvd.pipeline.Run) -> None:
    """The student in the folder gives the embeddings that the exam was graded on."""
    from pvd.folder import read_tensors

    best = done.metrics["best_round"]
    weights = read_tensors(done.folder / "rounds" / f"{best:03d}" / "student.safetensors")
    for name, tensor in done.student.state().items():
        assert torch.equal(tensor.cpu(), weights[f"student.{name}"])


@pytest.mark.slow
def test_a_second_folder_asks_nothing_and_writes_the_same_bytes(
    small: Tables, tmp_path: Path
) -> None:
    first = pvd.run(out=tmp_path / "a", **small)
    assert read_json(first.folder / "usage.json")["asked"] > 0
    second = pvd.run(out=tmp_path / "b", **small)
    assert read_json(second.folder / "usage.json")["asked"] == 0
    assert bytes_of(first.folder) == bytes_of(second.folder)


@pytest.mark.slow
def test_another_store_gives_the_same_bytes(small: Tables, tmp_path: Path) -> None:
    first = pvd.run(out=tmp_path / "a", **small)
    second = pvd.run(out=tmp_path / "b", store=str(tmp_path / "fresh.sqlite"), **small)
    assert read_json(second.folder / "usage.json")["asked"] > 0
    assert bytes_of(first.folder) == bytes_of(second.folder)


def test_another_seed_is_another_run(small: Tables, tmp_path: Path) -> None:
    first = pvd.run(out=tmp_path / "a", seed=0, **small)
    second = pvd.run(out=tmp_path / "b", seed=1, **small)
    assert bytes_of(first.folder) != bytes_of(second.folder)


@pytest.mark.slow
def test_observers_change_no_byte(small: Tables, tmp_path: Path) -> None:
    @dataclass(kw_only=True)
    class Meddler(pvd.Observer):
        """Does what an observer must not: draws numbers, changes what it is given, raises."""

        @pvd.hookimpl
        def on_step(self, step: pvd.Step) -> None:
            torch.rand(3)
            random.random()

        @pvd.hookimpl
        def on_report(self, metrics: dict[str, Any]) -> None:
            metrics["exam"]["systems"].clear()
            raise RuntimeError("meddling")

    bare = pvd.run(out=tmp_path / "a", **small)
    watched = pvd.run(out=tmp_path / "b", observers=("jsonl", Meddler()), **small)
    assert bytes_of(bare.folder) == bytes_of(watched.folder)
    events = [json.loads(line) for line in (tmp_path / "b/events.jsonl").read_text().splitlines()]
    kinds = [event["event"] for event in events]
    rounds = len(bare.metrics["rounds"])
    assert kinds.count("step") == 4 * (rounds - 1)
    assert kinds.count("judgment") == 30 * (rounds - 1)
    assert kinds.count("round") == rounds
    assert kinds[-2:] == ["report", "message"], "and then, that the other one is switched off"
    assert "RuntimeError: meddling" in events[-1]["line"]


def test_a_finished_run_is_not_repeated(done: pvd.pipeline.Run, small: Tables) -> None:
    before = (done.folder / "usage.json").stat().st_mtime_ns
    again = pvd.run(out=done.folder, **small)
    assert again.metrics == done.metrics
    assert (done.folder / "usage.json").stat().st_mtime_ns == before


def test_another_configuration_in_the_same_folder_is_refused(
    done: pvd.pipeline.Run, small: Tables
) -> None:
    with pytest.raises(BadInput, match=r"begun with teacher\.noise 1\.0, and .* says 0\.5"):
        pvd.run(out=done.folder, teacher={"use": "simulated", "noise": 0.5}, **small)
    with pytest.raises(UsageError, match="is no run folder"):
        pvd.run(out=done.folder.parent, fresh=True, **small)
    # What `pvd init` writes beside one's photographs makes no run of them, nor does anybody's data.
    for name in ("run.toml", "data.json", "holiday.jpg"):
        (done.folder.parent / name).write_text("{}" if name == "data.json" else "")
    with pytest.raises(UsageError, match="is no run folder"):
        pvd.run(out=done.folder.parent, fresh=True, **small)
    fresh = pvd.run(
        out=done.folder, fresh=True, teacher={"use": "simulated", "noise": 0.5}, **small
    )
    assert fresh.metrics["components"]["teacher"]["noise"] == 0.5


def test_data_that_changed_under_a_run_is_refused(small: Tables, tmp_path: Path) -> None:
    table = tmp_path / "people.jsonl"
    tastes = {"colour=red": 1.0}
    rows = [{"id": p.id, "text": p.text, "tastes": tastes} for p in pvd.testing.personas(60)]
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    small["personas"] = {"use": "table", "path": str(table)}
    run = pvd.run(out=tmp_path / "run", **small)
    (run.folder / "metrics.json").unlink()
    rows[0]["text"] = "Somebody else."
    table.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(BadInput, match="changed since the run"):
        pvd.run(out=run.folder, **small)


def test_the_parts_are_disjoint(done: pvd.pipeline.Run) -> None:
    def ids(path: Path) -> tuple[set[str], set[str]]:
        rows = [json.loads(line) for line in path.read_text().splitlines()]
        return {row["persona"] for row in rows}, {item for row in rows for item in row["items"]}

    trained = ids(done.folder / "rounds/001/judgments.jsonl")
    tested = ids(done.folder / "exam/test.jsonl")
    assert not trained[0] & tested[0]
    assert not trained[1] & tested[1]


def test_a_round_draws_exactly_its_slates_despite_malformed_answers(
    small: Tables, tmp_path: Path
) -> None:
    """A third of the answers cannot be read: slots are asked in other orders, then replaced."""
    run = pvd.run(
        out=tmp_path / "run",
        teacher={"use": "simulated", "malformed": 0.3},
        judge={"use": "simulated"},
        ask={"failures": 0.2},
        **small,
    )
    usage = read_json(run.folder / "usage.json")
    assert usage["repaired"]
    for result in run.metrics["rounds"][1:]:
        assert result["answered"] == result["slates"] == 30
    assert sum(result["replaced"] for result in run.metrics["rounds"]) > 0


def test_too_many_failures_stop_the_run(small: Tables, tmp_path: Path) -> None:
    with pytest.raises(PartialResult, match=r"ask\.failures"):
        pvd.run(
            out=tmp_path / "run",
            teacher={"use": "simulated", "malformed": 0.9},
            judge={"use": "simulated"},
            **small,
        )


def test_validation_by_mpr_and_replay_and_pairs_in_the_exam(small: Tables, tmp_path: Path) -> None:
    small["train"] |= {"validate": "mpr", "replay": "last", "patience": 1}
    small["exam"] |= {"group": 2, "items": 12}
    run = pvd.run(out=tmp_path / "run", sampler="uniform", loss="plackett-luce", **small)
    assert run.metrics["validation"] == "mpr"
    # 11 pairs a persona; 6 personas, and 3 again.
    assert run.metrics["exam"]["judgments"] == 11 * (6 + 3)


def test_the_teacher_plays_the_validation_tournaments_and_the_judge_the_exam(
    small: Tables, tmp_path: Path
) -> None:
    small["train"] |= {"validate": "mpr", "rounds": 1}
    run = pvd.run(out=tmp_path / "run", judge={"use": "simulated", "noise": 0.0}, **small)

    def noise(part: str) -> float:
        """What the utilities that were heard have beside multiples of a tenth, as tastes are."""
        rows = read_lines(run.folder / "exam" / f"{part}.jsonl")
        heard = [utility for row in rows for utility in row["utilities"]]
        return max(abs(10 * utility - round(10 * utility)) for utility in heard)

    assert noise("validation") > 0.1
    assert noise("test") < 1e-6


def test_nothing_paid_is_asked_without_a_limit(small: Tables, tmp_path: Path) -> None:
    class Paid(pvd.load("teacher", "simulated").__class__):  # type: ignore[misc]
        capabilities = pvd.Capabilities(paid=True, batch=8)

        def estimate(self, slate: pvd.Slate) -> pvd.Forecast:
            return pvd.Forecast(*[pvd.Tokens(1000, 10)] * 3)

        def dollars(self, tokens: pvd.Tokens, batch: bool = False) -> float:
            return tokens.input / 1e6

        def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
            return [replace(reply, dollars=0.001) for reply in super().answer(requests)]

    with pytest.raises(UsageError, match="name your --catalog"):
        pvd.run(out=tmp_path / "run", teacher=Paid(), **small)
    rows = ["id,image,colour,size"]
    for item in pvd.testing.items(90):
        (tmp_path / f"{item.id}.png").write_bytes(item.read())
        rows.append(f"{item.id},{item.id}.png,{item.attributes['colour']},large")
    (tmp_path / "shop.csv").write_text("\n".join(rows) + "\n")
    small["catalog"] = {"use": "table", "path": str(tmp_path / "shop.csv")}
    people = [{"id": p.id, "text": p.text, **p.attributes} for p in pvd.testing.personas(60)]
    (tmp_path / "people.jsonl").write_text("".join(json.dumps(row) + "\n" for row in people))
    small["personas"] = {"use": "table", "path": str(tmp_path / "people.jsonl")}
    with pytest.raises(UsageError, match="--max-cost"):
        pvd.run(out=tmp_path / "paid", teacher=Paid(), **small)
    from pvd.errors import BudgetReached

    with pytest.raises(BudgetReached, match="higher --max-cost"):
        pvd.run(out=tmp_path / "paid", teacher=Paid(), max_cost=0.05, **small)
    usage = read_json(tmp_path / "paid/usage.json")
    assert 0.04 < usage["run_dollars"] <= 0.05
    with pytest.raises(BudgetReached):
        pvd.run(out=tmp_path / "paid", teacher=Paid(), max_cost=0.06, **small)
    assert 0.05 < read_json(tmp_path / "paid/usage.json")["run_dollars"] <= 0.06


def test_label_train_evaluate_by_hand_equal_a_run(
    small: Tables, small_options: list[str], tmp_path: Path
) -> None:
    from click.testing import CliRunner

    from pvd.cli import main

    small["train"] |= {"patience": 9}
    options = [*small_options, "-o", "train.patience=9"]
    want = pvd.run(out=tmp_path / "want", **small)
    folder = str(tmp_path / "hand")
    for words in (
        ["label", folder, *options], ["train", folder],
        ["label", folder], ["train", folder],
        ["label", folder], ["train", folder],
        ["evaluate", folder],
    ):  # fmt: skip
        result = CliRunner().invoke(main, words)
        assert result.exit_code == 0, result.output
    assert bytes_of(tmp_path / "hand") == bytes_of(want.folder)


@pytest.mark.slow
def test_an_exam_in_between_does_not_end_the_run(small: Tables, tmp_path: Path) -> None:
    """label, evaluate, run: the run goes on to its end, as if the exam had not been."""
    from pvd.progress import Silent
    from pvd.settings import recipe, resolve

    small["train"] |= {"patience": 9}
    want = pvd.run(out=tmp_path / "want", **small)
    settings = resolve(recipe("default"), small)
    pvd.pipeline.label(settings, tmp_path / "run", Silent())
    early = pvd.pipeline.evaluate(settings, tmp_path / "run", Silent())
    assert len(early.metrics["rounds"]) == 1
    assert bytes_of(pvd.run(out=tmp_path / "run", **small).folder) == bytes_of(want.folder)


@pytest.mark.slow
def test_judgments_from_a_file(small: Tables, tmp_path: Path) -> None:
    """They are one round; those about held-out people or items are refused before anything is
    written; the rounds after them go on.
    """
    from pvd.progress import Silent
    from pvd.settings import recipe, resolve

    settings = resolve(recipe("default"), small)
    first = pvd.run(out=tmp_path / "first", **small)
    folder = tmp_path / "second"
    for held_out in ("exam/test.jsonl", "exam/validation.jsonl"):
        with pytest.raises(BadInput, match="not in the training part"):
            pvd.pipeline.train(settings, folder, Silent(), first.folder / held_out)
    mine = tmp_path / "mine.jsonl"
    rows = [
        json.loads(line)
        for line in (first.folder / "rounds/001/judgments.jsonl").read_text().splitlines()
    ]
    kept = ("persona", "items", "tiers")  # what a person would write by hand
    mine.write_text("".join(json.dumps({k: row[k] for k in kept}) + "\n" for row in rows))
    result = pvd.pipeline.train(settings, folder, Silent(), mine)
    assert (result.round, result.answered, result.fresh) == (1, 30, 30)
    # As after an interruption: the same file goes on, another one is refused.
    (folder / "rounds/001/done").unlink()
    other = tmp_path / "other.jsonl"
    other.write_text("".join(mine.read_text().splitlines(keepends=True)[1:]))
    with pytest.raises(UsageError, match="has begun with other judgments from a file"):
        pvd.pipeline.train(settings, folder, Silent(), other)
    assert pvd.pipeline.train(settings, folder, Silent(), mine) == result
    number, _, made = pvd.pipeline.label(settings, folder, Silent())
    assert (number, made) == (2, 30)
    with pytest.raises(UsageError, match="has begun with slates of its own"):
        pvd.pipeline.train(settings, folder, Silent(), mine)


def test_a_validation_tournament_may_be_bounded(small: Tables, tmp_path: Path) -> None:
    """The winners are looked up among the items that played, not among all validation items."""
    small["train"] |= {"validate": "mpr", "rounds": 1}
    small["exam"] |= {"items": 5}
    run = pvd.run(out=tmp_path / "run", **small)
    value = run.metrics["rounds"][0]["validation"]["value"]
    people = run.metrics["data"]["people"]["validation"]
    # A mean of so many percentiles among five items: with all 10 items it would be off this grid.
    total = value * min(people, 6)
    assert min(abs(total % 20), 20 - abs(total % 20)) < 1e-6, value


@pytest.mark.slow
def test_an_edited_plugin_file_is_asked_anew(small: Tables, tmp_path: Path) -> None:
    source = """
from dataclasses import dataclass
import pvd

@dataclass(kw_only=True)
class Fixed(pvd.Teacher):
    def rank(self, slates):
        return [pvd.Ranking.from_order(ORDER) for slate in slates]

@pvd.hookimpl
def register_teachers(register):
    register("fixed", Fixed)
"""
    file = tmp_path / "fixed.py"
    small["teacher"] = "fixed"
    small["train"] |= {"rounds": 1}
    small["exam"] |= {"items": 5, "repeats": 0}
    asked = []
    for name, order in (
        ("a", "sorted(range(len(slate.items)))"),
        ("b", "range(len(slate.items))[::-1]"),
    ):
        file.write_text(source.replace("ORDER", order))
        run = pvd.run(plugins=[file], out=tmp_path / name, **small)
        asked.append(read_json(run.folder / "usage.json")["asked"])
    assert asked[0] == asked[1] > 0


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:2 texts were cut off")
def test_what_a_student_says_of_the_texts_stands_in_the_result(
    small: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = pvd.run(out=tmp_path / "plain", **small)
    assert plain.metrics["data"]["texts_note"] == ""
    cls = registry.get("student", "colours")
    real = cls.embed_texts

    def warns(student: pvd.Student, texts: Any) -> Any:
        warnings.warn("2 texts were cut off <b>.", stacklevel=2)
        return real(student, texts)

    monkeypatch.setattr(cls, "embed_texts", warns)
    told = pvd.run(out=tmp_path / "told", **small)
    assert told.metrics["data"]["texts_note"] == "2 texts were cut off <b>."
    assert "2 texts were cut off &lt;b&gt;." in told.report.read_text()
    exported = pvd.export(tmp_path / "told", tmp_path / "out")
    assert "**Not read**: 2 texts were cut off" in (exported / "README.md").read_text()
    with pytest.warns(UserWarning, match="2 texts were cut off"):
        pvd.run(out=tmp_path / "again", **small)
