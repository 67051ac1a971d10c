"""Whole comparisons, with cells in real processes: forked ones, where no test kills them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import forked
import psutil
import pytest
from click.testing import CliRunner, Result

from pvd.cli import main
from pvd.cli.comparing import _values
from pvd.comparing.cells import _failure, _shared, _status
from pvd.comparing.design import Cell
from pvd.folder import read_json, read_lines
from pvd.progress import Silent
from pvd.settings import AskSettings

ROOT = Path(__file__).parents[3]
SMALL = {
    "catalog.size": 100, "personas.people": 60, "train.rounds": 2, "train.slates": 20,
    "train.steps": 4, "train.batch": 8, "train.validation_slates": 20, "exam.personas": 6,
    "exam.repeats": 0,
}  # fmt: skip
VARY = ["--vary", 'teacher=["simulated", {use="simulated", noise=3}]']
VARY += ["--vary", "sampler=uniform,four-bin"]
LONG = 120.0


def words(out: Path, *more: str) -> list[str]:
    options = [word for name, value in SMALL.items() for word in ("-o", f"{name}={value}")]
    colours = str(ROOT / "examples/own_student.py")
    return [
        "compare", "-p", colours, "--student", "colours", *options, *VARY, "--seeds", "1",
        "--jobs", "2", "--out", str(out), *more,
    ]  # fmt: skip


def compare(out: Path, *more: str) -> Result:
    return CliRunner().invoke(main, words(out, "--store", str(store(out)), *more))


def store(out: Path) -> Path:
    return out.with_name(f"{out.name}.sqlite")


def count(path: Path, query: str) -> int:
    with sqlite3.connect(path) as db:
        return int(db.execute(query).fetchone()[0])


def used(out: Path) -> set[str]:
    """The digests of all answers that anything in the folder rests on."""
    files = [*out.glob("exams/*/exam/test.jsonl"), *out.glob("cells/*/*/exam/validation.jsonl")]
    files += out.glob("cells/*/*/rounds/*/judgments.jsonl")
    return {row["digest"] for file in files for row in read_lines(file)}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison that nothing disturbed."""
    out = tmp_path_factory.mktemp("whole") / "out"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVD_CACHE_DIR", str(out.with_name("cache")))
        patch.setattr("pvd.comparing.cells.subprocess", forked)
        result = compare(out)
    assert result.exit_code == 0, result.output
    return out


@pytest.mark.slow
def test_each_distinct_question_is_asked_once(whole: Path) -> None:
    asked, found = used(whole), read_json(whole / "compare.json")

    assert count(store(whole), "SELECT count(*) FROM answers") == len(asked)
    assert count(store(whole), "SELECT sum(calls) FROM spending") == len(asked)
    assert count(store(whole), "SELECT count(DISTINCT run) FROM spending") == 1, "one account"
    assert found["cost"]["together"]["answers"] == len(asked)
    assert found["cost"]["used"] > len(asked), "cells have questions in common"
    assert read_json(whole / "usage.json")["run_questions"] == len(asked)


@pytest.mark.slow
def test_every_cell_is_an_ordinary_run(whole: Path, tmp_path: Path) -> None:
    cells = sorted(whole.glob("cells/*/seed-*/metrics.json"))
    assert len(cells) == 4
    shutil.copytree(cells[0].parent, tmp_path / "run")

    result = CliRunner().invoke(main, ["report", str(tmp_path / "run")])
    assert result.exit_code == 0, result.output
    config = cells[0].parent.with_name("seed-0.toml")
    again = ["run", "--config", str(config), "--out", str(cells[0].parent), "--json"]
    result = CliRunner().invoke(main, again)
    assert json.loads(result.output)["metrics"] == read_json(cells[0])


@pytest.mark.slow
def test_the_first_judges_marks_are_those_of_the_runs_own_exams(whole: Path) -> None:
    found = read_json(whole / "compare.json")
    for arm, folder in zip(found["arms"], arms(whole), strict=True):
        values = [
            read_json(run / "exam/values.json")["systems"]["distilled"] for run in sorted(folder)
        ]
        for metric, mine in found["metrics"]["simulated"][arm["label"]].items():
            numbers = [number for run in values for number in run[metric]]
            assert mine["value"] == pytest.approx(sum(numbers) / len(numbers)), metric


def arms(out: Path) -> list[list[Path]]:
    labels = [arm["label"] for arm in read_json(out / "compare.json")["arms"]]
    slugs = [label.replace(", ", "-").replace(" (", "-").replace(")", "") for label in labels]
    return [sorted((out / "cells" / slug).glob("seed-?")) for slug in slugs]


@pytest.mark.slow
def test_the_untrained_catalogue_is_embedded_once(whole: Path) -> None:
    views = [
        *whole.glob("exams/*/rounds/000/items.npy"),
        *whole.glob("cells/*/*/rounds/000/items.npy"),
    ]
    assert len(views) == 6
    # The second judge has a folder of its own; all cells share the first one's file.
    assert len({view.stat().st_ino for view in views}) == 2


@pytest.mark.slow
def test_finished_it_prints_its_result_again_and_asks_nothing(whole: Path) -> None:
    before = (whole / "compare.json").read_bytes()
    start = time.monotonic()
    result = compare(whole)

    assert result.exit_code == 0
    assert "too few seeds" in result.output
    assert "These preferences are simulated" in result.output
    assert (whole / "compare.json").read_bytes() == before
    assert json.loads(compare(whole, "--json").stdout)["findings"] == json.loads(before)
    assert time.monotonic() - start < LONG


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_more_seeds_go_on_with_the_runs_that_are_there(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    shutil.copy(store(whole), store(out))
    done = {path: path.stat().st_mtime_ns for path in out.glob("cells/*/*/metrics.json")}

    result = compare(out, "--seeds", "2")
    assert result.exit_code == 0, result.output
    assert read_json(out / "compare.json")["seeds"] == 2
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    assert len(list(out.glob("cells/*/*/metrics.json"))) == 8


@pytest.mark.slow
def test_other_settings_in_the_same_folder_are_refused(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    shutil.copy(store(whole), store(out))

    result = compare(out, "-o", "train.steps=5")
    assert result.exit_code == 5
    assert "train.steps" in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("Error: ")


@pytest.mark.slow
def test_a_finished_run_that_was_taught_otherwise_is_not_counted_in(
    whole: Path, tmp_path: Path
) -> None:
    """The teacher's options stand in no exam's record where somebody else judges."""
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    noisier = [word.replace("noise=3", "noise=30") for word in words(out)]
    noisier += ["--store", str(tmp_path / "s.sqlite"), "--judges", "simulated"]
    for folder in out.glob("cells/*noise=3*"):
        folder.rename(folder.with_name(folder.name.replace("noise=3", "noise=30")))
    result = CliRunner().invoke(main, noisier)

    assert result.exit_code == 5, result.output
    assert "was begun with teacher.noise 3.0, and this command says 30.0" in result.stderr
    assert "--fresh" not in result.stderr, "there is no such option here"


@pytest.mark.slow
def test_another_judge_needs_no_other_runs(whole: Path, tmp_path: Path) -> None:
    """Wherever it stands among the judges."""
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    shutil.copy(store(whole), store(out))
    done = {path: path.stat().st_mtime_ns for path in out.glob("cells/*/*/metrics.json")}
    judges = ["--judges", '{use="simulated", noise=0},simulated']
    result = compare(out, *judges)

    assert result.exit_code == 0, result.output
    assert all(path.stat().st_mtime_ns == when for path, when in done.items())
    labels = [judge["label"] for judge in read_json(out / "compare.json")["judges"]]
    assert labels == ["simulated (noise=0)", "simulated"]


@pytest.mark.parametrize("what", ["run.toml", "notes.txt", "audit.json"])
def test_other_peoples_folders_are_left_alone(tmp_path: Path, what: str) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / what).write_text("mine")
    (tmp_path / "out" / "report.html").write_text("mine too")
    result = compare(tmp_path / "out")

    assert result.exit_code == 2
    assert what in result.stderr
    assert (tmp_path / "out" / "report.html").read_text() == "mine too"


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_what_is_damaged_is_made_again(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    shutil.copytree(whole, out)
    shutil.copy(store(whole), store(out))
    (out / "compare.json").write_text("{}")  # an older one, or another's
    (out / "report.html").unlink()
    tensors = next(out.glob("cells/*/*/exam/transcript.safetensors"))
    tensors.write_bytes(tensors.read_bytes()[:100])

    result = compare(out)
    assert result.exit_code == 5
    assert "the same command makes it again" in result.stderr
    assert compare(out).exit_code == 0
    assert (out / "compare.json").read_bytes() == (whole / "compare.json").read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")
def test_a_composites_answers_are_those_that_were_asked(tmp_path: Path) -> None:
    out = tmp_path / "out"
    line = words(out, "--store", str(store(out)), "--judges", "simulated")
    teachers = 'teacher=[simulated, {use="consistent", of="simulated", orders=3}]'
    line[line.index(VARY[1])] = teachers
    place = line.index("sampler=uniform,four-bin")
    del line[place - 1 : place + 1]
    result = CliRunner().invoke(main, line)

    assert result.exit_code == 0, result.output
    found = read_json(out / "compare.json")
    plain, three = (run["answers"] for run in found["cost"]["runs"])
    assert plain == 20 + 2 * 20
    # A set of items that was drawn before costs nothing again.
    assert 2.5 * plain < three <= 3 * plain
    assert found["cost"]["together"]["answers"] == count(store(out), "SELECT count(*) FROM answers")
    assert found["equal_answers"]["budget"] == plain


def start(out: Path, cache: Path) -> subprocess.Popen[bytes]:
    with out.with_name("said.txt").open("ab") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "pvd", *words(out, "--store", str(store(out)))],
            stdout=subprocess.DEVNULL,
            stderr=said,
            env={**os.environ, "PVD_CACHE_DIR": str(cache), "OMP_NUM_THREADS": "1"},
        )


def until(true: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + LONG
    while not true():
        assert process.poll() is None, "it ended before it was disturbed"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def children(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    return found


def labelling(out: Path) -> Callable[[], object]:
    """Two cells ask their first round."""
    return lambda: len(list(out.glob("cells/*/*/rounds/001/slates.jsonl"))) >= 2


@pytest.mark.slow
@pytest.mark.usefixtures("forked_runs")  # once nobody kills any more
def test_killed_it_goes_on_to_the_same_numbers(whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(out, tmp_path / "cache")
    until(labelling(out), process)
    orphans = children(process)
    process.kill()
    process.wait()

    assert len(orphans) == 2
    _, alive = psutil.wait_procs(orphans, timeout=LONG)
    assert not alive, "cells end with the comparison"

    process = start(out, tmp_path / "cache")
    until(lambda: list(out.glob("cells/*/*/exam/transcript.json")), process)
    for child in children(process):  # now a cell is killed, as by a machine that is out of memory
        child.kill()
    assert process.wait(LONG) == 5
    said = out.with_name("said.txt").read_text().splitlines()[-1]
    assert "was ended by SIGKILL, as systems do when memory is short" in said
    assert said.endswith("the same command goes on from there.")

    result = compare(out)
    assert result.exit_code == 0, result.output
    assert (out / "compare.json").read_bytes() == (whole / "compare.json").read_bytes()
    assert count(store(out), "SELECT count(*) FROM answers") == len(used(out))
    assert count(store(out), "SELECT sum(calls) FROM spending") >= len(used(out))


@pytest.mark.slow
def test_stopped_by_ctrl_c_it_keeps_all_answers_and_says_so(tmp_path: Path) -> None:
    out = tmp_path / "out"
    process = start(out, tmp_path / "cache")
    until(labelling(out), process)
    running = children(process)
    process.send_signal(signal.SIGINT)

    assert process.wait(LONG) == 130
    said = out.with_name("said.txt").read_text()
    assert "the same command goes on from here" in said
    assert said.count("The exam is small") == 1, "neither again by its exam, nor by its runs"
    assert not any(child.is_running() for child in running)
    assert count(store(out), "SELECT count(*) FROM leases") == 0


@pytest.mark.slow
def test_a_cell_that_fails_ends_the_comparison_with_its_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "broken.py"
    broken.write_text(
        "from dataclasses import dataclass\nimport pvd\n\n\n"
        "@dataclass(kw_only=True)\nclass Twice(pvd.Sampler):\n"
        "    def draw(self, pool, size, rng):\n"
        "        import torch\n"
        "        return torch.zeros(len(pool.personas), size, dtype=torch.long)\n\n\n"
        "@pvd.hookimpl\ndef register_samplers(register):\n    register('twice', Twice)\n"
    )
    line = words(tmp_path / "out", "--store", str(tmp_path / "s.sqlite"), "-p", str(broken))
    line[line.index("sampler=uniform,four-bin")] = "sampler=uniform,twice"
    result = CliRunner().invoke(main, line)

    assert result.exit_code == 5, result.output
    last = result.stderr.strip().splitlines()[-1]
    assert last.startswith("Error: A run of the comparison stopped (simulated")
    assert "twice, seed 0): The plug-in sampler.twice of" in last
    assert "drew the row [0, 0, 0, 0, 0]; it must return a tensor of" in last


@pytest.mark.parametrize("code", [signal.SIGHUP, signal.SIGSEGV])
def test_what_ended_a_run_tells_how_the_comparison_ends(tmp_path: Path, code: int) -> None:
    job: Any = SimpleNamespace(cell=Cell(0, 3), process=SimpleNamespace(returncode=-code))
    design: Any = SimpleNamespace(arms=[SimpleNamespace(label="uniform")])
    found = _failure(job, design, tmp_path)
    assert found.exit_code == {signal.SIGHUP: 130, signal.SIGSEGV: 1}[signal.Signals(code)]
    assert str(found) == (
        f"A run of the comparison stopped (uniform, seed 3): it was ended by "
        f"{signal.Signals(code).name}; the same command goes on from there."
    )


def test_what_the_comparison_said_is_no_runs_status(tmp_path: Path) -> None:
    log = tmp_path / "seed-0.log"
    job: Any = SimpleNamespace(cell=Cell(0, 0), log=log)
    design: Any = SimpleNamespace(arms=[SimpleNamespace(label="uniform")])
    log.write_text("round 1 of 2, asking: 3/20\nThe exam is small.\n")
    shown = Silent()
    shown.say("The exam is small.")
    assert _status([job], design, shown.said) == "uniform, seed 0: round 1 of 2, asking: 3/20"
    log.write_text("The exam is small.\n")
    assert _status([job], design, shown.said) == ""


@pytest.mark.parametrize("command", ["compare", "audit"])
def test_a_launcher_is_of_no_use(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
    line = words(tmp_path / "out") if command == "compare" else ["audit", "simulated"]
    result = CliRunner().invoke(main, line)
    assert (result.exit_code, result.stderr) == (
        2,
        f"Error: pvd {command} takes no launcher; give the command alone, without torchrun or "
        "accelerate launch.\n",
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("vary", "code", "said"),
    [
        (["--vary", "sampler"], 5, "is no KEY=A,B"),
        (["--vary", "sampler=uniform,four-bin"], 2, "given twice"),
        (["--vary", "loss={use=bradley,x"], 5, "cannot be read as TOML"),
        (["--vary", 'loss=[{use="bradley-terry"},'], 5, "a bracket or a quote is not closed"),
        (["--vary", "loss='bradley-terry,plackett-luce"], 5, "a bracket or a quote is not closed"),
        (["--vary", "loss=bradley-terry,plackett-luec"], 5, "did you mean"),
        (["--judges", "simulatd"], 5, "simulated"),
        (["--margin", "-1"], 2, "--margin"),
        (["--seeds", "0"], 2, "--seeds"),
        (["--jobs", "0"], 2, "--jobs"),
    ],
)
def test_mistakes_get_a_sentence(tmp_path: Path, vary: list[str], code: int, said: str) -> None:
    result = compare(tmp_path / "out", *vary)

    assert result.exit_code == code, result.output
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_dry_run_asks_nothing_and_says_what_it_could_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    result = compare(tmp_path / "out", "--dry-run", "--seeds", "5")

    assert result.exit_code == 0, result.output
    assert "4 arms x 5 seeds = 20 runs" in result.stdout
    assert "80 % power" in " ".join(result.stdout.split())
    table = ("exam", "validation", "training", " ")
    prose = [line for line in result.stdout.splitlines() if not line.startswith(table)]
    assert max(map(len, prose)) < 60
    assert not (tmp_path / "out").exists()
    plan: dict[str, Any] = json.loads(compare(tmp_path / "out", "--dry-run", "--json").stdout)
    parts = {part["name"]: part["questions"] for part in plan["parts"]}
    # Validation counts once for a teacher and a seed, though two samplers share it.
    assert parts["training"] == 4 * 2 * 20
    assert parts["validation"] == 2 * 20
    assert plan["what"] == "comparison"
    names = [(part["name"], part["teacher"]) for part in plan["parts"]]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("jobs", [1, 2, 3])
def test_the_time_of_a_plan_is_that_of_who_is_paid(tmp_path: Path, jobs: int) -> None:
    """By as many calls at once as there are runs at once; exams are asked one after another."""
    line = words(tmp_path / "out", "--dry-run", "--json", "--store", str(tmp_path / "s.sqlite"))
    line[line.index(VARY[1])] = "teacher=simulated,gemini"
    line[line.index("--jobs") + 1] = str(jobs)
    plan: dict[str, Any] = json.loads(CliRunner().invoke(main, line).stdout)
    timed = [part for part in plan["parts"] if part["away"]]
    calls = {part["name"]: part["at_once"] for part in timed}

    assert {part["teacher"] for part in timed} == {"gemini"}
    assert calls["exam"] > 1
    assert calls["training"] == calls["validation"] == jobs * calls["exam"]
    seconds = sum(3 * part["questions"] / calls[part["name"]] for part in timed)
    assert plan["hours"] == pytest.approx(seconds / 3600)
    assert plan["new"] > sum(part["questions"] for part in timed) > 0


def test_more_jobs_than_runs_bring_nothing(tmp_path: Path) -> None:
    line = words(tmp_path / "out", "--dry-run", "--json", "--store", str(tmp_path / "s.sqlite"))
    line[line.index(VARY[1])] = "teacher=gemini,openai"
    hours = []
    for jobs in ("4", "40"):
        line[line.index("--jobs") + 1] = jobs
        hours.append(json.loads(CliRunner().invoke(main, line).stdout)["hours"])
    assert hours[0] == hours[1] > 0


def test_a_limit_a_minute_is_one_for_all_runs() -> None:
    ask = AskSettings(requests_per_minute=100, tokens_per_minute=3, workers=8)
    each = _shared(ask, 4)
    assert (each.requests_per_minute, each.tokens_per_minute) == (25, 1)
    assert _shared(AskSettings(workers=8), 4) == AskSettings(workers=8)


@pytest.mark.parametrize(
    ("raw", "values"),
    [
        ("gemini,gpt-4o", ["gemini", "gpt-4o"]),
        (" 100, 300 ", [100, 300]),
        ("0.5,true", [0.5, True]),
        ('gemini, {use="simulated", noise=0}', ["gemini", {"use": "simulated", "noise": 0}]),
        ('[{use="a", members=["x", "y"]}, b]', [{"use": "a", "members": ["x", "y"]}, "b"]),
        ("'with, comma',b", ["with, comma", "b"]),
        ("[[1, 2], [3]]", [[1, 2], [3]]),
        ("", []),
    ],
)
def test_values_between_commas(raw: str, values: list[Any]) -> None:
    assert _values(raw) == values
