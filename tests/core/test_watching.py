"""Observers: each is told everything; one that raises is switched off alone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pvd
from pvd import testing, watching
from pvd.errors import MissingPrerequisite, PluginError
from pvd.progress import Progress, for_terminal
from pvd.records import Estimate, Ranking, RoundResult, Stage, Step
from pvd.watching import Watchers

STEP = Step(1, 0, 0.5, 100.0)
RESULT = RoundResult(1, 9, 8, 8, 1, 0.5, Estimate(60.0, 50.0, 70.0, "5 personas"))
JUDGMENT = testing.judgment(Ranking.from_order([1, 0]), 2)
METRICS: dict[str, Any] = {"mpr": 80.0}


@dataclass(kw_only=True)
class Notes(pvd.Observer):
    """Writes down what it is told."""

    def __post_init__(self) -> None:
        self.heard: list[Any] = []

    def begin(self, folder: Path) -> None:
        self.heard.append(folder)

    @pvd.hookimpl
    def on_judgment(self, judgment: pvd.Judgment) -> None:
        self.heard.append(judgment)

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        self.heard.append(step)

    @pvd.hookimpl
    def on_round(self, result: pvd.RoundResult) -> None:
        self.heard.append(result)

    @pvd.hookimpl
    def on_report(self, metrics: dict[str, Any]) -> None:
        self.heard.append(metrics)


@dataclass(kw_only=True)
class Fragile(Notes):
    """Raises at its second step."""

    why: str = "disk full"

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        if step.step == 1:
            raise OSError(self.why)
        self.heard.append(step)


@dataclass(kw_only=True)
class Moody(Notes):
    """Raises if it is angry, which is no option."""

    angry: ClassVar[bool] = False

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        if self.angry:
            raise ValueError("go away")
        self.heard.append(step)


@dataclass(kw_only=True)
class Stillborn(Notes):
    """Raises before anything happens."""

    def begin(self, folder: Path) -> None:
        raise KeyError("no such place")


@dataclass(kw_only=True)
class Deaf(pvd.Observer):
    """Listens to nothing, which is allowed."""


def tell_all(watchers: Watchers, folder: Path) -> list[Any]:
    watchers.begin(folder)
    watchers.tell("on_judgment", judgment=JUDGMENT)
    watchers.tell("on_step", step=STEP)
    watchers.tell("on_round", result=RESULT)
    watchers.tell("on_report", metrics=METRICS)
    return [folder, JUDGMENT, STEP, RESULT, METRICS]


def test_every_observer_is_told_everything_in_order(tmp_path: Path) -> None:
    said: list[str] = []
    one, two = Notes(), Notes()
    events = tell_all(Watchers([one, Deaf(), two], said.append), tmp_path)
    assert one.heard == two.heard == events
    assert said == []


def test_nobody_watching_is_fine(tmp_path: Path) -> None:
    tell_all(Watchers([], pytest.fail), tmp_path)


def test_one_that_raises_is_switched_off_with_one_line_and_alone(tmp_path: Path) -> None:
    said: list[str] = []
    first, fragile, last = Notes(), Fragile(), Notes()
    watchers = Watchers([first, fragile, last], said.append)
    steps = [Step(1, number, 0.5, 100.0) for number in range(4)]
    for step in steps:
        watchers.tell("on_step", step=step)
    watchers.tell("on_report", metrics=METRICS)
    assert first.heard == last.heard == [*steps, METRICS]
    assert fragile.heard == steps[:1], "it hears nothing more, of any kind"
    assert said == ["The observer Fragile is switched off: OSError: disk full"]


@dataclass(kw_only=True)
class Meddler(pvd.Observer):
    """Changes whatever it is told."""

    @pvd.hookimpl
    def on_ready(self, settings: dict[str, Any], rounds: list[RoundResult]) -> None:
        settings["train"]["steps"] = 0
        rounds[0].notes["bins"] = {}
        rounds.clear()

    @pvd.hookimpl
    def on_round(self, result: RoundResult) -> None:
        result.notes.clear()

    @pvd.hookimpl
    def on_report(self, metrics: dict[str, Any]) -> None:
        metrics["exam"]["mpr"] = 100.0


@dataclass(kw_only=True)
class Ready(Notes):
    """Is there from the beginning."""

    @pvd.hookimpl
    def on_ready(self, settings: dict[str, Any], rounds: list[RoundResult]) -> None:
        self.heard += [settings, rounds]


def test_none_changes_what_another_is_told_nor_what_core_has() -> None:
    said: list[str] = []
    notes = Ready()
    watchers = Watchers([Meddler(), notes, Meddler()], said.append)
    result = replace(RESULT, notes={"bins": {"top": {"share": 0.5}}})
    settings, rounds = {"train": {"steps": 4}}, [result]
    metrics = {"exam": {"mpr": 80.0}}
    watchers.tell("on_ready", settings=settings, rounds=rounds)
    watchers.tell("on_round", result=result)
    watchers.tell("on_report", metrics=metrics)
    assert said == []
    assert (settings, rounds, metrics) == (
        {"train": {"steps": 4}}, [result], {"exam": {"mpr": 80.0}}
    )  # fmt: skip
    assert result.notes == {"bins": {"top": {"share": 0.5}}}
    assert notes.heard == [settings, rounds, result, metrics]


def test_of_two_equal_observers_the_right_one_is_switched_off() -> None:
    """Dataclasses with equal options are equal; the list of observers must not mix them up."""
    said: list[str] = []
    calm, angry = Moody(), Moody()
    vars(angry)["angry"] = True
    assert calm == angry
    watchers = Watchers([calm, angry], said.append)
    for number in range(3):
        watchers.tell("on_step", step=Step(1, number, 0.5, 1.0))
    assert len(calm.heard) == 3
    assert len(said) == 1


def test_one_that_raises_at_the_beginning_is_switched_off(tmp_path: Path) -> None:
    said: list[str] = []
    broken, whole = Stillborn(), Notes()
    events = tell_all(Watchers([broken, whole], said.append), tmp_path)
    assert whole.heard == events
    assert broken.heard == []
    assert said == ["The observer Stillborn is switched off: KeyError: 'no such place'"]


def test_one_that_fails_over_the_news_of_another_is_told_nothing_after_it_was_closed() -> None:
    @dataclass(kw_only=True)
    class Touchy(Notes):
        @pvd.hookimpl
        def on_message(self, line: str) -> None:
            raise asyncio.CancelledError  # no Exception

        def __exit__(self, *error: object) -> None:
            self.heard.append("closed")

    touchy = Touchy()
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if len(said) == 1:
            watchers.tell("on_message", line=line, needed=False)

    watchers = Watchers([Fragile(), touchy], say)
    watchers.tell("on_step", step=Step(1, 1, 0.5, 100.0))
    assert touchy.heard == ["closed"]
    assert said == [
        "The observer Fragile is switched off: OSError: disk full",
        "The observer Touchy is switched off: CancelledError",
    ]


def test_an_error_of_many_lines_is_said_in_one() -> None:
    said: list[str] = []
    watchers = Watchers([Fragile(why="first\nsecond")], said.append)
    watchers.tell("on_step", step=Step(1, 1, 0.5, 1.0))
    assert said == ["The observer Fragile is switched off: OSError: first second"]


@dataclass(kw_only=True)
class Stopper(Notes):
    """Raises what is no Exception."""

    stop: ClassVar[type[BaseException]] = KeyboardInterrupt

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        raise self.stop


def test_control_c_is_not_an_observers_error() -> None:
    with pytest.raises(KeyboardInterrupt):
        Watchers([Stopper()], pytest.fail).tell("on_step", step=STEP)


def test_an_observer_that_exits_ends_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Stopper, "stop", SystemExit)
    said: list[str] = []
    watchers = Watchers([Stopper()], said.append)
    watchers.tell("on_step", step=STEP)
    assert said == ["The observer Stopper is switched off: SystemExit"]


@dataclass(kw_only=True)
class Misspelt(pvd.Observer):
    @pvd.hookimpl
    def on_steps(self, step: pvd.Step) -> None: ...


@dataclass(kw_only=True)
class WrongArgument(pvd.Observer):
    @pvd.hookimpl
    def on_step(self, stage: pvd.Step) -> None: ...


@pytest.mark.parametrize("observer", [Misspelt(), WrongArgument()])
def test_a_hook_that_does_not_exist_is_the_plug_ins_fault(observer: pvd.Observer) -> None:
    """Before the run begins, not after an hour."""
    with pytest.raises(PluginError) as caught:
        Watchers([Notes(), observer], pytest.fail)
    assert f"The observer {type(observer).__name__} does not fit: " in str(caught.value)
    assert "on_step" in str(caught.value)


# --- joining for a run ------------------------------------------------------------------------


@dataclass(kw_only=True)
class Guest(Notes):
    """Notes when it comes and goes."""

    def __enter__(self) -> Guest:
        self.heard.append("enter")
        return self

    def __exit__(self, *error: object) -> None:
        self.heard.append("exit")


@dataclass(kw_only=True)
class Unready(Guest):
    def __enter__(self) -> Unready:
        raise MissingPrerequisite("no package")


@dataclass(kw_only=True)
class Stubborn(Guest):
    """Raises whenever it can."""

    @pvd.hookimpl
    def on_step(self, step: pvd.Step) -> None:
        raise ValueError("no")

    def __exit__(self, *error: object) -> None:
        super().__exit__()
        raise OSError("nor that")


def test_a_guest_hears_all_between_its_beginning_and_the_end_of_the_run(tmp_path: Path) -> None:
    display, guest = Notes(), Guest()
    watchers = Watchers([display], pytest.fail)
    later = Step(2, 0, 0.5, 100.0)
    with watchers.joined_by([guest]):
        watchers.tell("on_step", step=STEP)
        watchers.begin(tmp_path)
        watchers.tell("on_report", metrics=METRICS)
    watchers.tell("on_step", step=later)
    assert guest.heard == ["enter", tmp_path, METRICS, "exit"]
    assert display.heard == [STEP, tmp_path, METRICS, later]


def test_a_guest_that_cannot_get_ready_ends_the_command(tmp_path: Path) -> None:
    first, last = Guest(), Guest()
    watchers = Watchers([], pytest.fail)
    with (
        pytest.raises(MissingPrerequisite, match="no package"),
        watchers.joined_by([first, Unready(), last]),
    ):
        pytest.fail("it ran")
    assert first.heard == ["enter", "exit"]
    assert last.heard == []
    watchers.begin(tmp_path)
    assert first.heard == ["enter", "exit"], "it is gone"


def test_a_guest_leaves_also_when_the_run_fails_or_it_is_switched_off(tmp_path: Path) -> None:
    said: list[str] = []
    guest, stubborn = Guest(), Stubborn()
    watchers = Watchers([], said.append)

    def interrupted() -> None:
        with watchers.joined_by([stubborn, guest]):
            watchers.begin(tmp_path)
            watchers.tell("on_step", step=STEP)
            assert stubborn.heard == ["enter", tmp_path, "exit"]
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert guest.heard == ["enter", tmp_path, STEP, "exit"]
    assert stubborn.heard == ["enter", tmp_path, "exit"], "once"
    assert said == ["The observer Stubborn is switched off: ValueError: no"]


def test_one_that_cannot_close_its_file_says_so(tmp_path: Path) -> None:
    said: list[str] = []
    watchers = Watchers([], said.append)
    with watchers.joined_by([Stubborn()]):
        watchers.begin(tmp_path)
    assert said == ["The observer Stubborn is switched off: OSError: nor that"]


# --- stages, and the display ------------------------------------------------------------------


@dataclass(kw_only=True)
class Looker(pvd.Observer):
    """Hears of stages, each call taking its time; the test turns the clock."""

    seconds: float = 0.0

    def __post_init__(self) -> None:
        self.heard: list[tuple[str, Any]] = []
        self.clock: list[float] = []

    @pvd.hookimpl
    def on_stage(self, stage: pvd.Stage) -> None:
        self.heard.append(("begins", stage))

    @pvd.hookimpl
    def on_progress(self, stage: pvd.Stage) -> None:
        self.heard.append(("goes on", stage))
        self.clock[0] += self.seconds

    @pvd.hookimpl
    def on_stage_end(self, stage: pvd.Stage) -> None:
        self.heard.append(("ends", stage))

    @pvd.hookimpl
    def on_message(self, line: str, needed: bool) -> None:
        self.heard.append((line, needed))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(watching.time, "monotonic", lambda: now[0])
    return now


def looker(clock: list[float], **options: Any) -> Looker:
    made = Looker(**options)
    made.clock = clock
    return made


def test_a_stage_is_told_from_beginning_to_end(clock: list[float]) -> None:
    seen = looker(clock)
    progress = Progress(seen)
    with progress.stage("asking", 10, "slates", "round 2 of 6"):
        clock[0] += 2.0
        progress.show("$1 spent")
        progress.advance(4)
        clock[0] += 1.0
        progress.extend(5)
    progress.say("a line")
    progress.insist("an address")
    asking = Stage("asking", "round 2 of 6", "slates", 10)
    assert seen.heard == [
        ("begins", asking),
        ("goes on", Stage("asking", "round 2 of 6", "slates", 10, 0, "$1 spent", 2.0)),
        ("goes on", Stage("asking", "round 2 of 6", "slates", 10, 4, "$1 spent", 2.0)),
        ("goes on", Stage("asking", "round 2 of 6", "slates", 15, 4, "$1 spent", 3.0)),
        ("ends", Stage("asking", "round 2 of 6", "slates", 15, 4, "$1 spent", 3.0)),
        ("a line", False),
        ("an address", True),
    ]
    assert asking.title == "round 2 of 6, asking"
    assert progress.seconds == {"asking": 3.0}


def test_a_stage_that_fails_ends_too(clock: list[float]) -> None:
    seen = looker(clock)
    progress = Progress(seen)

    def interrupted() -> None:
        with progress.stage("training"):
            clock[0] += 1.0
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert [what for what, _ in seen.heard] == ["begins", "ends"]
    assert progress.seconds == {"training": 1.0}


def test_however_fast_it_goes_ten_a_second_are_told_and_the_end_is_whole(
    clock: list[float],
) -> None:
    seen = looker(clock)
    progress = Progress(seen)
    with progress.stage("asking", 10_000, "slates"):
        for _ in range(10_000):
            clock[0] += 2**-10
            progress.advance()
    told = [stage.done for what, stage in seen.heard if what == "goes on"]
    assert 90 <= len(told) <= 102, "nearly ten seconds passed"
    assert told == sorted(set(told))
    assert seen.heard[-1] == (
        "ends",
        Stage("asking", "", "slates", 10_000, 10_000, "", 10_000 / 2**10),
    )


def test_a_slow_observer_takes_a_twentieth_of_the_time_and_holds_up_no_other(
    clock: list[float],
) -> None:
    slow, quick = looker(clock, seconds=0.5), looker(clock)
    progress = Progress(slow)
    with progress.watchers.joined_by([quick]):
        progress.watchers.begin(Path())
        with progress.stage("asking", None, "slates"):
            begin = clock[0]
            while clock[0] < begin + 100:
                clock[0] += 0.01
                progress.advance()
    called = sum(what == "goes on" for what, _ in slow.heard)
    assert 8 <= called <= 11, "every ten seconds, half a second"
    assert sum(what == "goes on" for what, _ in quick.heard) > 850


@dataclass(kw_only=True)
class Broken(pvd.Observer):
    """A display on a terminal that is gone."""

    @pvd.hookimpl
    def on_stage(self, stage: pvd.Stage) -> None:
        raise BrokenPipeError("nobody reads")


def test_a_display_that_fails_ends_nothing_and_addresses_are_still_said(
    clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    guest = looker(clock)
    progress = Progress(Broken())
    with progress.watchers.joined_by([guest]):
        progress.watchers.begin(Path())
        with progress.stage("asking", 3, "slates"):
            progress.advance(3)
        progress.say("nobody shows this")
        progress.insist("http://127.0.0.1:1/")
    off = "The observer Broken is switched off: BrokenPipeError: nobody reads"
    assert capsys.readouterr().err == f"{off}\nhttp://127.0.0.1:1/\n"
    assert [what for what, _ in guest.heard] == [
        off,
        "begins",
        "goes on",
        "ends",
        "nobody shows this",
        "http://127.0.0.1:1/",
    ]


def test_one_that_is_switched_off_is_said_also_where_nothing_else_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    progress = for_terminal(quiet=True)
    with progress.watchers.joined_by([Fragile()]):
        progress.watchers.begin(Path())
        progress.say("not this")
        progress.watchers.tell("on_step", step=Step(1, 1, 0.5, 1.0))
    off = "The observer Fragile is switched off: OSError: disk full\n"
    assert capsys.readouterr().err == off


def test_a_stderr_that_is_gone_ends_no_command(monkeypatch: pytest.MonkeyPatch) -> None:
    from pvd import displays

    class Gone:
        def write(self, text: str) -> int:
            raise BrokenPipeError("gone")

        def flush(self) -> None:
            raise BrokenPipeError("gone")

    monkeypatch.setattr(displays.sys, "stderr", Gone())
    progress = Progress(displays.Plain())
    progress.say("a line")
    progress.insist("an address")
    with progress.stage("asking", 3, "slates"):
        progress.advance(3)
    assert list(progress.seconds) == ["asking"]
