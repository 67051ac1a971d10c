"""The observer `tensorboard`: what TensorBoard's own reader finds in the log of real runs."""

from __future__ import annotations

import io
import json
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

import pvd
from pvd import testing
from pvd.discovery import registry
from pvd.errors import BadInput, MissingPrerequisite
from pvd.folder import read_json, read_lines
from pvd.progress import Progress
from pvd.records import Estimate, Ranking, RoundResult, Step
from pvd.watching import Watchers

ROOT = Path(__file__).parents[3]
STUDENT = ROOT / "examples/own_student.py"
STEPS = 4
ROUNDS = 3
TABLES: dict[str, Any] = {
    "student": "colours",
    "catalog": {"use": "boutique", "size": 100},
    "personas": {"use": "boutique", "people": 60},
    "train": {
        "rounds": ROUNDS,
        "slates": 30,
        "steps": STEPS,
        "batch": 8,
        "validation_slates": 20,
        "patience": ROUNDS,
    },
    "exam": {"personas": 6, "repeat_personas": 3, "gallery": 2},
}


def read(folder: Path) -> EventAccumulator:
    """Everything in a log: scalars and images, in the order of their steps."""
    sizes = {"scalars": 0, "images": 0, "tensors": 0}
    return EventAccumulator(str(folder), size_guidance=sizes).Reload()


def scalars(log: EventAccumulator, tag: str) -> list[tuple[int, float]]:
    return [(event.step, event.value) for event in log.Scalars(tag)]


def written(values: dict[int, float]) -> list[tuple[int, float]]:
    """As TensorBoard keeps numbers: 32 bits."""
    return [(step, float(np.float32(value))) for step, value in values.items()]


@dataclass(kw_only=True)
class Broken(pvd.Observer):
    """A display that fails at once."""

    @pvd.hookimpl
    def on_stage(self, stage: pvd.Stage) -> None:
        raise BrokenPipeError("nobody reads")


@dataclass
class Both:
    """The same run twice, and the log of the second one."""

    bare: pvd.Run
    watched: pvd.Run
    log: EventAccumulator
    cache: Path

    def events(self, kind: str) -> list[dict[str, Any]]:
        rows = read_lines(self.watched.folder / "events.jsonl")
        return [row for row in rows if row["event"] == kind]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    folder = tmp_path_factory.mktemp("tensorboard")
    registry.load_file(STUDENT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PVD_CACHE_DIR", str(folder / "cache"))
        bare = pvd.run(out=folder / "bare", **TABLES)
        watched = pvd.run(
            out=folder / "watched",
            observers=("jsonl", {"use": "tensorboard", "slates": 2}),
            progress=Progress(Broken()),
            **TABLES,
        )
        yield Both(bare, watched, read(watched.folder / "tensorboard"), folder / "cache")


@pytest.mark.slow
def test_nobody_who_watches_changes_a_byte(both: Both) -> None:
    """Neither the two observers, nor a display that fails."""
    files = ("metrics.json", "gallery.json", "exam/values.json", "run.toml")
    for name in files[:-1]:
        assert (both.watched.folder / name).read_bytes() == (both.bare.folder / name).read_bytes()
    for round in range(ROUNDS + 1):
        path = f"rounds/{round:03d}/student.safetensors"
        assert (both.watched.folder / path).read_bytes() == (both.bare.folder / path).read_bytes()


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("loss", "loss"),
        ("learning rate", "learning_rate"),
        ("gradient norm", "gradient_norm"),
        ("slates per second", "slates_per_second"),
    ],
)
def test_every_step_is_there_once(both: Both, tag: str, name: str) -> None:
    steps = both.events("step")
    assert len(steps) == ROUNDS * STEPS
    found = {STEPS * (row["round"] - 1) + row["step"] + 1: row[name] for row in steps}
    assert scalars(both.log, f"optimiser/{tag}") == written(found)
    assert all(value > 0 for value in found.values())


def test_the_learning_rate_is_that_of_the_settings(both: Both) -> None:
    """It rises in each round to 0.7 of that of the round before."""
    rates = [value for _, value in scalars(both.log, "optimiser/learning rate")]
    for step in range(STEPS):
        first, second, third = rates[step::STEPS]
        assert (second / first, third / second) == pytest.approx((0.7, 0.7))
    assert rates[:STEPS] == pytest.approx([rates[0] * (n + 1) for n in range(STEPS)])


def test_every_round_is_there_as_the_metrics_have_it(both: Both) -> None:
    rounds = both.bare.metrics["rounds"]
    trained = rounds[1:]
    for part, tag in (("value", ""), ("low", ", low"), ("high", ", high")):
        found = {STEPS * row["round"]: row["validation"][part] for row in rounds}
        assert scalars(both.log, f"rounds/validation{tag}") == written(found)
    for tag, name in (
        ("loss", "loss"),
        ("answers", "answered"),
        ("answers, new", "fresh"),
        ("slates replaced", "replaced"),
    ):
        found = {STEPS * row["round"]: row[name] for row in trained}
        assert scalars(both.log, f"rounds/{tag}") == written(found)
    unanswered = {STEPS * row["round"]: row["slates"] - row["answered"] for row in trained}
    assert scalars(both.log, "rounds/slates unanswered") == written(unanswered)
    for table, rows in trained[0]["notes"].items():
        for row, columns in rows.items():
            for column in columns:
                found = {STEPS * r["round"]: r["notes"][table][row][column] for r in trained}
                assert scalars(both.log, f"sampler {table}/{row} {column}") == written(found)


def test_the_exam_is_there_as_the_metrics_have_it(both: Both) -> None:
    exam, end = both.bare.metrics["exam"], STEPS * ROUNDS
    groups = {"student, exam": exam["systems"]["distilled"]}
    groups |= {f"student, gain over {name}": found for name, found in exam["gains"].items()}
    for group, measures in groups.items():
        for measure, found in measures.items():
            for part, tag in (("value", ""), ("low", ", low"), ("high", ", high")):
                said = scalars(both.log, f"{group}/{measure}{tag}")
                assert said == written({end: found[part]})


def test_every_system_has_its_row_in_the_table(both: Both) -> None:
    (event,) = both.log.Tensors("exam/text_summary")
    lines = event.tensor_proto.string_val[0].decode().splitlines()
    head, _, *rows = ([c.strip() for c in line.strip("|").split("|")] for line in lines)
    systems = both.bare.metrics["exam"]["systems"]
    assert [row[0] for row in rows] == list(systems)
    for row in rows:
        for measure, cell in zip(head[1:], row[1:], strict=True):
            found = systems[row[0]].get(measure)
            want = found and [found["value"], found["low"], found["high"]]
            said = cell.strip(")").replace(" (", " to ").split(" to ") if cell else None
            assert said == (want and [f"{number:.3g}" for number in want])


def test_settings_stand_in_the_table_of_runs(both: Both) -> None:
    data = both.log.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    found = HParamsPluginData.FromString(data).session_start_info.hparams
    assert found["train.rounds"].number_value == ROUNDS
    assert found["teacher.use"].string_value == "simulated"
    assert found["student.use"].string_value == "colours"
    assert not [name for name in found if name.startswith(("store", "ask", "observers"))]
    data = both.log.summary_metadata["_hparams_/experiment"].plugin_data.content
    tags = {info.name.tag for info in HParamsPluginData.FromString(data).experiment.metric_infos}
    assert tags == {"student, exam/mpr", "rounds/validation"}
    assert tags <= set(both.log.Tags()["scalars"]), "or the table would be empty"


def test_a_few_slates_of_each_round_are_shown(both: Both) -> None:
    assert both.log.Tags()["images"] == ["slates/1", "slates/2"]
    for tag in both.log.Tags()["images"]:
        shown = both.log.Images(tag)
        assert [event.step for event in shown] == [STEPS * round for round in range(ROUNDS)]
        assert len({event.encoded_image_string for event in shown}) == ROUNDS
        for event in shown:
            image = Image.open(io.BytesIO(event.encoded_image_string))
            assert (image.height, image.width) == (event.height, event.width)
            assert image.convert("L").getextrema()[0] < 128, "something is drawn on it"


# --- a run that goes on -------------------------------------------------------------------------

CHILD = """
import json, os, pathlib, signal, sys
from dataclasses import dataclass
import pvd, pvd.training.bookmark
from pvd.discovery import registry

_, student, out, seconds, tables = sys.argv
pvd.training.bookmark.SECONDS = float(seconds)
pvd.training.bookmark.SHARE = 1e9
registry.load_file(pathlib.Path(student))

@dataclass(kw_only=True)
class Killer(pvd.Observer):
    @pvd.hookimpl
    def on_step(self, step):
        if (step.round, step.step) == (2, 2):
            os.kill(os.getpid(), signal.SIGKILL)

pvd.run(out=out, observers=("jsonl", "tensorboard", Killer()), **json.loads(tables))
"""


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 60.0], ids=["bookmark", "whole round"])
def test_a_killed_run_goes_on_without_gap_or_double(
    both: Both, tmp_path: Path, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed in the third step of round 2: the next command goes on from a bookmark after the
    second, or trains the round anew."""
    monkeypatch.setenv("PVD_CACHE_DIR", str(both.cache))
    killed = subprocess.run(
        [sys.executable, "-c", CHILD, STUDENT, tmp_path, str(seconds), json.dumps(TABLES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert (tmp_path / "rounds/002/training.safetensors").exists() == (seconds == 0.0)
    before = scalars(read(tmp_path / "tensorboard"), "optimiser/loss")
    assert [step for step, _ in before] == [*range(1, STEPS + 4)], "flushed before the kill"

    done = pvd.run(out=tmp_path, observers=("jsonl", "tensorboard"), **TABLES)

    assert done.metrics == both.bare.metrics
    log = read(tmp_path / "tensorboard")
    assert len(list((tmp_path / "tensorboard").iterdir())) == 2, "the same folder"
    for tag in both.log.Tags()["scalars"]:
        if tag != "optimiser/slates per second":
            assert scalars(log, tag) == scalars(both.log, tag), tag
    assert [e.step for e in log.Images("slates/1")] == [STEPS * n for n in range(ROUNDS)]
    rows = read_lines(tmp_path / "events.jsonl")
    steps = [(row["round"], row["step"]) for row in rows if row["event"] == "step"]
    assert steps == [(r, s) for r in range(1, ROUNDS + 1) for s in range(STEPS)]
    losses = [row["loss"] for row in rows if row["event"] == "step"]
    assert losses == [row["loss"] for row in both.events("step")]


SETTINGS = {"seed": 0, "train": {"steps": 5}}
VALIDATION = Estimate(61.5, 50.0, 70.0, "5 personas")


def result(round: int) -> RoundResult:
    return RoundResult(round, 9, 8, 7, 1, 0.5 if round else None, replace(VALIDATION, value=round))


def metrics(rounds: int) -> dict[str, Any]:
    mpr = {"mpr": {"value": 60.0, "low": 55.0, "high": 65.0}}
    return {"rounds": [{}] * rounds, "exam": {"systems": {"distilled": mpr}, "gains": {}}}


class Command:
    """One command's worth of events."""

    def __init__(self, run: Path, rounds: int, **options: Any) -> None:
        self.said: list[str] = []
        self._watchers = Watchers([], self.said.append)
        self._joined = self._watchers.joined_by([pvd.load("observer", "tensorboard", **options)])
        self._run, self._rounds = run, [result(n) for n in range(rounds)]

    def __enter__(self) -> Watchers:
        self._joined.__enter__()
        self._watchers.begin(self._run)
        self._watchers.tell("on_ready", settings=SETTINGS, rounds=self._rounds)
        return self._watchers

    def __exit__(self, *error: Any) -> None:
        self._joined.__exit__(*error)
        assert self.said == []


def test_an_exam_that_is_sat_again_is_no_second_one(tmp_path: Path) -> None:
    for rounds in (2, 2, 3):
        with Command(tmp_path, rounds) as watchers:
            watchers.tell("on_report", metrics=metrics(rounds))
    log = read(tmp_path / "tensorboard")
    assert scalars(log, "student, exam/mpr") == [(5, 60.0), (10, 60.0)]
    assert len(log.Tensors("exam/text_summary")) == 2


def test_who_comes_later_hears_of_the_rounds_before(tmp_path: Path) -> None:
    with Command(tmp_path, 3):
        pass
    with Command(tmp_path, 4) as watchers:  # a kill came after round 3 was written
        watchers.tell("on_step", step=Step(4, 0, 0.5, 1.0))
        watchers.tell("on_round", result=result(4))
    log = read(tmp_path / "tensorboard")
    assert scalars(log, "rounds/validation") == [(5 * n, float(n)) for n in range(5)]
    assert scalars(log, "rounds/loss") == [(5 * n, 0.5) for n in range(1, 5)]


def test_a_round_that_was_damaged_and_is_done_again_stands_there_once(tmp_path: Path) -> None:
    with Command(tmp_path, 4):
        pass
    with Command(tmp_path, 2) as watchers:
        for step in range(5):
            watchers.tell("on_step", step=Step(2, step, 0.5, 1.0))
        watchers.tell("on_round", result=result(2))
    log = read(tmp_path / "tensorboard")
    assert [step for step, _ in scalars(log, "rounds/validation")] == [0, 5, 10]


def test_a_run_that_starts_over_leaves_nothing_of_the_old_log(tmp_path: Path) -> None:
    """Where --fresh does not reach: a folder outside of the run."""
    run, logs = tmp_path / "run", tmp_path / "logs"
    with Command(run, 3, folder=str(logs)):
        pass
    with Command(run, 0, folder=str(logs)) as watchers:
        watchers.tell("on_round", result=result(0))
    assert scalars(read(logs / "run"), "rounds/validation") == [(0, 0.0)]
    assert not run.exists()


def test_a_full_disk_is_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A limit of the size of files stands for it: what fails is the same write."""
    said: list[str] = []
    watchers = Watchers([], said.append)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    with watchers.joined_by([pvd.load("observer", "tensorboard")]):
        watchers.begin(tmp_path)
        watchers.tell("on_ready", settings=SETTINGS, rounds=[result(0)])
        (log,) = (tmp_path / "tensorboard").iterdir()
        resource.setrlimit(resource.RLIMIT_FSIZE, (log.stat().st_size, before[1]))
        try:
            for step in range(3):
                watchers.tell("on_step", step=Step(1, step, 0.5, 1.0))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
    (line,) = said
    assert line.endswith(" is switched off: OSError: [Errno 27] File too large")
    assert capfd.readouterr().err == ""


def test_a_command_with_nothing_to_tell_makes_no_file(tmp_path: Path) -> None:
    with Command(tmp_path, 0):
        pass
    assert list(tmp_path.iterdir()) == []


def test_ties_and_unplaced_items_and_letters_are_drawn() -> None:
    from pvd_plugins.observers.slates import picture

    some = testing.judgment(Ranking(((3,), (0, 1))), 5)
    persona = replace(some.slate.persona, text="Бабушка, die größte; " * 40)
    sheet = picture(replace(some, slate=replace(some.slate, persona=persona)))
    strict = picture(testing.judgment(Ranking.from_order([3, 0, 1, 2, 4]), 5))
    assert sheet.shape[1:] == strict.shape[1:]
    assert sheet.shape[0] > strict.shape[0], "a long text has more lines, up to three"
    # The items stand in the same order, the places below them differ.
    below = 60
    assert (sheet[-below - 20 : -below] == strict[-below - 20 : -below]).all()
    assert (sheet[-30:] != strict[-30:]).any()


def test_a_picture_that_does_not_open_leaves_its_place_empty(tmp_path: Path) -> None:
    from pvd_plugins.observers.slates import GAP, LINE, SIDE, picture

    some = testing.judgment(Ranking.from_order([0, 1, 2]), 3)
    (tmp_path / "damaged.png").write_bytes(b"none")
    lost = [replace(some.slate.items[n], image=tmp_path / f"{n}.png") for n in (0, 1)]
    lost[1] = replace(lost[1], image=tmp_path / "damaged.png")
    slate = replace(some.slate, items=(*lost, some.slate.items[2]))
    whole, sheet = picture(some), picture(replace(some, slate=slate))
    third = GAP + 2 * (SIDE + GAP)
    assert (sheet[:, third:] == whole[:, third:]).all()
    pictures = slice(-(SIDE + LINE + GAP), -(LINE + GAP))
    assert (sheet[pictures, :third] == 255).all()
    assert (whole[pictures, :third] != 255).any()
    assert (sheet[-(LINE + GAP) :] == whole[-(LINE + GAP) :]).all(), "the places below all three"


# --- what is wrong is said before anything is asked ---------------------------------------------


def test_without_the_extra_the_command_ends_before_anything_is_asked_or_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, both: Both
) -> None:
    old = tmp_path / "run"
    (old / "rounds").mkdir(parents=True)
    for name in ("run.toml", "data.json", "environment.json", "metrics.json"):
        (old / name).write_bytes((both.bare.folder / name).read_bytes())
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingPrerequisite) as caught:
        pvd.run(out=old, fresh=True, observers=("tensorboard",), **TABLES)
    want = "tensorboard is not installed; type: pip install 'pvd-distill[tensorboard]'"
    assert str(caught.value) == want
    assert caught.value.exit_code == 3
    assert read_json(old / "metrics.json") == both.bare.metrics, "the old run is still there"
    assert not (old / "exam").exists()


@pytest.mark.parametrize(
    ("option", "why"),
    [({"slates": -1}, "slates must be at least 0, not -1"), ({"path": "x"}, "no option 'path'")],
)
def test_wrong_options_are_refused(option: dict[str, Any], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        pvd.load("observer", "tensorboard", **option)


class TestContract(testing.ObserverContract):
    def component(self) -> pvd.Observer:
        return pvd.load("observer", "tensorboard")


def test_a_plan_needs_no_extra(monkeypatch: pytest.MonkeyPatch, small: dict[str, Any]) -> None:
    from pvd.pipeline import plan
    from pvd.settings import recipe, resolve

    monkeypatch.setitem(sys.modules, "tensorboard", None)
    found = plan(resolve(recipe("default"), {**small, "observers": ["tensorboard"]}))
    assert found.new > 0
