"""The plan says what the run then does, and what it will cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

import pvd
from pvd import pipeline, tournament, validation
from pvd.asking import Desk
from pvd.catalog import bounded
from pvd.errors import UsageError
from pvd.folder import read_json
from pvd.money import quote
from pvd.money.plan import Part, Plan
from pvd.progress import Silent
from pvd.records import Forecast, Tokens
from pvd.settings import Settings, recipe, resolve
from pvd.store import Spent, Store
from pvd.streams import derive
from pvd_plugins.teachers.simulated import Simulated

Tables = dict[str, Any]


@dataclass(kw_only=True)
class Paid(Simulated):
    """Says what it will cost: more for a persona with a longer text, and for more items."""

    capabilities: ClassVar[pvd.Capabilities] = replace(Simulated.capabilities, paid=True)
    known: bool = True

    def estimate(self, slate: pvd.Slate) -> Forecast:
        pictures = 100 * len(slate.items)
        tokens = Tokens(pictures + len(slate.persona.text), 10, images=pictures)
        return Forecast(replace(tokens, output=5), tokens, replace(tokens, output=500))

    def dollars(self, tokens: Tokens, batch: bool = False) -> float | None:
        return (tokens.input + 5 * tokens.output) / 1e6 if self.known else None

    def prices(self) -> str:
        return "Prices of this test." if self.known else "The price is not known."

    def answer(self, requests: Sequence[pvd.Request]) -> Sequence[pvd.Reply]:
        tokens = [self.estimate(request.slate).expected for request in requests]
        replies = zip(super().answer(requests), tokens, strict=True)
        return [replace(r, tokens=t, dollars=self.dollars(t)) for r, t in replies]


Make = Callable[..., Settings]


@pytest.fixture
def settings(small: Tables, tmp_path: Path) -> Make:
    """Settings of the small run, with a store of its own."""

    def made(**tables: Any) -> Settings:
        here = {"store": str(tmp_path / "answers.sqlite"), **small, **tables}
        return resolve(recipe("default"), here)

    return made


def counts(plan: Plan) -> dict[str, tuple[int, int]]:
    return {part.name: (part.questions, part.stored) for part in plan.parts}


@pytest.mark.slow
def test_what_is_planned_is_what_is_asked(settings: Make, tmp_path: Path) -> None:
    given, folder = settings(), tmp_path / "run"
    before = pipeline.plan(given, folder)
    assert not folder.exists()
    pipeline.execute(settings(), folder)
    usage = read_json(folder / "usage.json")
    # Three rounds of 30; 20 for validation; the exam's tournaments, three of them twice.
    assert counts(before)["training"] == (90, 0)
    assert counts(before)["validation"] == (20, 0)
    exam = read_json(folder / "metrics.json")["exam"]["judgments"]
    assert counts(before)["exam"] == (exam, 0)
    assert before.new >= usage["asked"] > before.new - 10, "a slate can be drawn twice"
    after = pipeline.plan(settings(), folder)
    assert after.new == 0
    assert counts(after)["exam"] == (exam, exam)
    assert "Everything is answered already: nothing is asked." in quote.lines(after)


def test_answers_of_another_run_are_free_as_far_as_one_can_know(
    settings: Make, tmp_path: Path
) -> None:
    pipeline.execute(settings(), tmp_path / "one")
    plan = pipeline.plan(settings(), tmp_path / "two")
    exam, validation, training = plan.parts
    assert (exam.new, validation.new) == (0, 0)
    assert training.new == 90, "what the rounds will ask depends on the student"


def test_a_run_that_was_begun_is_planned_from_where_it_stands(
    settings: Make, tmp_path: Path
) -> None:
    folder = tmp_path / "run"
    pipeline.label(settings(), folder, Silent())
    assert counts(pipeline.plan(settings(), folder))["training"] == (60, 0)
    # Drawn, and not asked: these very slates are looked up.
    (folder / "rounds/001/judgments.jsonl").unlink()
    questions, stored = counts(pipeline.plan(settings(), folder))["training"]
    assert (questions - stored, stored > 20) == (60, True)


def test_a_tournament_that_was_cut_short_is_played_as_far_as_it_is_known(
    settings: Make, tmp_path: Path
) -> None:
    pipeline.execute(settings(), tmp_path / "run")
    whole = counts(pipeline.plan(settings(), tmp_path / "other"))["exam"][0]
    with Store(tmp_path / "answers.sqlite") as store:
        store._db.execute("DELETE FROM answers WHERE substr(digest, 1, 1) IN ('0', '1', '2', '3')")
    questions, stored = counts(pipeline.plan(settings(), tmp_path / "other"))["exam"]
    assert questions == whole
    assert 0.2 * whole < stored < 0.9 * whole


def test_each_question_of_a_composite_counts(settings: Make, tmp_path: Path) -> None:
    one = pipeline.plan(settings(), tmp_path / "run")
    twice = {"use": "consistent", "of": "simulated", "orders": 2}
    two = pipeline.plan(settings(teacher=twice, judge={"use": "simulated"}), tmp_path / "run")
    assert [part.new for part in two.parts] == [
        one.parts[0].new,
        2 * one.parts[1].new,
        2 * one.parts[2].new,
    ]


def test_dear_and_cheap_members_are_priced_each_by_its_own_questions(
    settings: Make, tmp_path: Path
) -> None:
    """Of thousands of questions a few hundred are estimated: as many of each member."""
    train = {"rounds": 3, "slates": 400, "steps": 4, "batch": 8, "validation_slates": 20}

    def training(teacher: pvd.Teacher) -> Part:
        made = settings(teacher=teacher, judge={"use": "simulated"}, train=train)
        return pipeline.plan(made, tmp_path / "run").parts[2]

    dear, free = training(Paid()), training(Simulated())
    members = (Simulated(), Paid(), Simulated(noise=2.0))
    both = training(pvd.load("teacher", "ensemble", members=members, orders=3))

    assert (dear.new, both.new) == (1200, 9 * 1200)
    assert dear.dollars is not None
    assert free.dollars == (0, 0, 0)
    assert both.dollars == pytest.approx([3 * part for part in dear.dollars], rel=0.01)
    assert both.forecast.expected.input == pytest.approx(3 * dear.forecast.expected.input, rel=0.01)


def test_members_wait_for_each_others_batches(settings: Make, tmp_path: Path) -> None:
    def submissions(*members: str) -> int:
        teacher = {"use": "ensemble", "members": list(members)}
        made = settings(teacher=teacher, judge={"use": "simulated"})
        return pipeline.plan(made, tmp_path / "run").submissions

    # A batch for validation, and one for each of the three rounds.
    assert submissions("simulated", "simulated") == 0
    assert submissions("gemini", "simulated") == 4
    assert submissions("gemini", "claude", "simulated") == 8


def test_dollars_and_tokens_are_those_of_the_run(
    settings: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    plan = pipeline.plan(settings(teacher=Paid()), folder)
    low, expected, high = plan.dollars(batch=False) or (0, 0, 0)
    assert low < expected < high
    monkeypatch.setattr("pvd.money.account.agree", lambda *_: None)  # nobody pays for a drawn shop
    pipeline.execute(settings(teacher=Paid(), max_cost=high), folder)
    usage = read_json(folder / "usage.json")
    assert usage["dollars"] == pytest.approx(expected, rel=0.1)
    tokens = [part.forecast.expected for part in plan.parts]
    assert usage["tokens"]["input"] == pytest.approx(sum(t.input for t in tokens), rel=0.1)
    assert usage["tokens"]["images"] == pytest.approx(sum(t.images for t in tokens), rel=0.1)


def test_who_sets_no_limit_is_told_which(settings: Make, tmp_path: Path) -> None:
    def refused(match: str, **tables: Any) -> None:
        given = settings(**tables)
        with pytest.raises(UsageError, match=match):
            pipeline.plan(given, tmp_path / "run").check(given)

    refused(r"costs? money; add --max-cost .* for example --max-cost 1\.$", teacher=Paid())
    unknown = {"teacher": Paid(known=False), "max_cost": 5.0}
    refused(r"^The price is not known\. To go on .* --allow-unpriced and --max-calls", **unknown)
    refused("--max-cost cannot hold it", **unknown, ask={"allow_unpriced": True})
    for fine in (
        {"teacher": Paid(), "max_cost": 0.0},
        {"teacher": Paid(), "max_calls": 5},
        {"teacher": Paid(known=False), "max_calls": 5, "ask": {"allow_unpriced": True}},
        {},
    ):
        given = settings(**fine)
        pipeline.plan(given, tmp_path / "run").check(given)


def test_a_run_that_ended_early_has_nothing_more_to_ask(settings: Make, tmp_path: Path) -> None:
    train = {"rounds": 9, "slates": 10, "steps": 1, "learning_rate": 0.0, "patience": 1}
    tables = {"train": {**train, "validation_slates": 20, "batch": 8}}
    pipeline.execute(settings(**tables), tmp_path / "run")
    assert not (tmp_path / "run/rounds/003").exists()
    assert pipeline.plan(settings(**tables), tmp_path / "run").new == 0


@pytest.mark.slow
def test_what_is_refused_for_good_is_not_planned_again(settings: Make, tmp_path: Path) -> None:
    broken = {"use": "simulated", "malformed": 0.2}
    tables = {"judge": broken, "ask": {"attempts": 1, "failures": 1.0}}
    pipeline.execute(settings(**tables), tmp_path / "run")
    assert read_json(tmp_path / "run/metrics.json")["exam"]["personas"] < 6
    assert pipeline.plan(settings(**tables), tmp_path / "run").new == 0


def test_what_is_in_a_batch_is_put_aside_for_already(settings: Make, tmp_path: Path) -> None:
    given, folder = settings(), tmp_path / "run"
    before = pipeline.plan(given, folder)
    with Store(tmp_path / "answers.sqlite") as store:
        store._db.execute("INSERT INTO batches VALUES ('b', 'simulated', '', 't', '2026-01-01', 1)")
        teacher = given.teacher
        for drawn in validation.slates(
            *(part.validation for part in _data(given)), 20, 5, given.stream("draw")
        ):
            digest = teacher.request(drawn.shown(given.stream("draw"), 0)).digest
            store._db.execute("INSERT INTO submitted VALUES (?, 'b', 'run', 0.5)", (digest,))
    after = pipeline.plan(settings(), folder)
    assert counts(before)["validation"] == counts(after)["validation"] == (20, 0)
    assert (before.parts[1].new, after.parts[1].new, after.parts[1].waiting) == (20, 0, 20)
    assert "waiting" in quote.lines(after)[1]


def _data(given: Settings) -> tuple[Any, Any]:
    from pvd import loading

    _, _, data = loading.read(given, Silent())
    given.teacher.seed = given.stream("teacher")
    return data.people, data.items


def test_what_waits_in_a_batch_keeps_its_tournament_open(settings: Make, tmp_path: Path) -> None:
    """Rounds that come after it are still to be asked."""
    given = settings()
    before = pipeline.plan(given, tmp_path / "run")
    _, items = _data(given)
    with Store(tmp_path / "answers.sqlite") as store:
        store._db.execute("INSERT INTO batches VALUES ('b', 'simulated', '', 't', '2026-01-01', 1)")

        def hand_in(teacher: pvd.Teacher, slates: Sequence[pvd.Slate], *_: Any) -> None:
            for slate in slates:
                row = (teacher.request(slate).digest,)
                store._db.execute("INSERT OR IGNORE INTO submitted VALUES (?, 'b', 'r', 0.5)", row)

        first = Desk(store)
        first.post.answers = hand_in  # type: ignore[method-assign]
        judge = given.judge
        judge.seed = given.stream("judge")
        people, _ = _data(given)
        shelf = bounded(items.test, None, derive(given.stream("exam"), "items"))
        some = bounded(people.test, 6, derive(given.stream("exam"), "personas"))
        tournament.play(first, judge, some, shelf, group=5, seed=given.stream("exam"))
    after = pipeline.plan(settings(), tmp_path / "run")
    exam = after.parts[0]
    assert exam.waiting > 0
    assert exam.questions == before.parts[0].questions
    assert exam.new == before.parts[0].new - exam.waiting


@pytest.mark.slow
def test_a_fresh_run_is_planned_as_such(settings: Make, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pipeline.execute(settings(), folder)
    assert pipeline.plan(settings(), folder).new == 0
    plan = pipeline.plan(settings(), folder, fresh=True)
    assert (plan.parts[2].new, plan.spent) == (90, Spent())
    assert (folder / "metrics.json").exists()


def test_a_refused_fresh_run_costs_no_run(settings: Make, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    pipeline.execute(settings(), folder)
    with pytest.raises(UsageError):
        pipeline.execute(settings(teacher=Paid()), folder, fresh=True)
    assert (folder / "report.html").exists()


# --- in words ---------------------------------------------------------------------------------


def part(name: str, new: int, dollars: tuple[float, float, float] | None) -> Part:
    forecast = Forecast(Tokens(), Tokens(900, 12, images=600) * new, Tokens())
    batch = None if dollars is None else (dollars[0] / 2, dollars[1] / 2, dollars[2] / 2)
    return Part(name, "gemini", new + 7, 7, 0, forecast, dollars, batch, 3, new, 64)


PLAN = Plan(
    parts=(part("exam", 5000, (1.0, 2.0, 30.0)), part("training", 10_000, (2.0, 4.0, 60.0))),
    prices=("Prices of 2026-11-20.",),
    requests_per_minute=None,
    tokens_per_minute=None,
    has_batches=True,
    batch=False,
    paid=True,
    spent=Spent(),
)


def said(width: int = 70, **changes: Any) -> str:
    lines = quote.lines(replace(PLAN, **changes), width=width)
    assert max(map(len, lines)) <= width
    return " ".join(" ".join(lines).split())


def test_the_quote_says_what_matters() -> None:
    words = said()
    assert "exam 5,007 7 5,000 4.5M 3.0M 60.0k" in words
    assert "Expected to cost $6.00: exam $2.00, training $4.00." in words
    assert "At least $3.00; at most $90.00" in words
    assert "With --batch: $3.00, and 6 submissions one after the other" in words
    assert "6 days at most" in words
    assert "Prices of 2026-11-20." in words


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "about 12 min: at most 64 calls at once of 3 s each."),
        ({"requests_per_minute": 100}, "about 2.5 hours: .* 100 requests a minute"),
        ({"tokens_per_minute": 50_000}, "about 4.6 hours: .* 50,000 tokens a minute"),
        ({"batch": True}, "Expected to cost \\$3.00: .* In batches: 6 submissions"),
        ({"max_cost": 6.0}, "--max-cost 6: enough, unless answers are much longer"),
        ({"max_cost": 90.0}, "--max-cost 90: enough, however long"),
        ({"max_cost": 5.9}, r"--max-cost 5\.9: that is less than is expected: the run will stop"),
        ({"max_cost": 6.5, "spent": Spent(9, 0.6)}, r"\$0\.60 of it is spent; that is less than"),
        ({"max_cost": 6.0, "batch": True}, r"with less than \$45\.00 left, rounds are handed in"),
        ({"max_calls": 100}, "--max-calls 100 is less than that"),
        ({"shared": True}, "the exam may cost a third of that"),
        ({"paid": False}, "The answers cost nothing."),
    ],
)
def test_what_bounds_it(changes: dict[str, Any], expected: str) -> None:
    import re

    assert re.search(expected, said(**changes))


FREE = (0.0, 0.0, 0.0)
SIMULATED = replace(part("exam", 200_000, FREE), teacher="simulated", away=0, at_once=0)


def test_who_answers_on_this_machine_does_not_count_as_slow() -> None:
    words = said(80, parts=(SIMULATED, *PLAN.parts), has_batches=False)
    assert "Asking gemini takes about 12 min: at most 64 calls at once of 3 s each." in words
    assert "$6.00: exam (gemini) $2.00, training (gemini) $4.00." in words, "and whose it is"
    assert "$0.00" not in words
    limited = said(80, parts=(SIMULATED, *PLAN.parts), requests_per_minute=1000)
    assert "Asking takes about 3.6 hours: at most 64 calls" in limited, "all are held back"
    free = said(parts=(SIMULATED,), paid=False, requests_per_minute=1000)
    assert "Asking takes about 3.3 hours: at most 1,000 requests a minute." in free


def test_who_takes_few_calls_holds_nobody_else_up() -> None:
    slow = replace(PLAN.parts[0], teacher="claude", at_once=4)
    words = said(80, parts=(slow, PLAN.parts[1]))
    # 5000 questions of 3 s by 4, and 10,000 by 64.
    assert "Asking takes about 1.2 hours: at most 4 (claude), 64 (gemini) calls at once" in words


def test_one_batch_is_no_plural() -> None:
    words = said(parts=(replace(PLAN.parts[0], submissions=1),))
    assert "and 1 submission. It is answered within 24 hours, often sooner." in words
    none = said(parts=(replace(PLAN.parts[0], submissions=0),))
    assert "submission" not in none


def test_each_teachers_questions_wait_for_its_own_calls(settings: Make, tmp_path: Path) -> None:
    """The judge is free and takes one call at once; the teacher is paid and takes more."""
    made = settings(teacher={"use": "gemini"}, judge={"use": "simulated"})
    exam, *taught = pipeline.plan(made, tmp_path / "run").parts
    calls = made.teacher.capabilities.workers

    assert calls > 1
    assert (exam.away, exam.at_once) == (0, 0)
    assert exam.new > 0
    assert [(part.away, part.at_once) for part in taught] == [(p.new, calls) for p in taught]
    half = {"use": "ensemble", "members": ["gemini", "simulated"]}
    mixed = pipeline.plan(settings(teacher=half, judge={"use": "simulated"}), tmp_path / "run")
    for part in mixed.parts[1:]:
        assert (part.away, part.at_once) == (part.new / 2, calls)


def test_enough_money_is_no_matter() -> None:
    words = said(max_cost=6.0, max_calls=15_000)
    assert "stop there" not in words
    assert "--max-calls" not in words


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    words = said(parts=(PLAN.parts[0], replace(PLAN.parts[1], dollars=None, batch_dollars=None)))
    assert "Nobody knows what it costs." in words
    assert "$" not in words


def test_the_plan_as_json_can_be_written() -> None:
    import json

    row = json.loads(json.dumps(PLAN.as_json()))
    assert (row["new"], row["dollars"], row["batch_dollars"]) == (
        15_000,
        [3.0, 6.0, 90.0],
        [1.5, 3.0, 45.0],
    )
