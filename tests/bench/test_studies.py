"""What the studies of docs/results.md reckon with: tables, words, meters and statistics."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import pvd
from pvd import crossed, drawing, testing
from pvd.drawing import Drawn
from pvd.folder import write_lines
from pvd.protocols import ScoredBatch
from pvd.records import Estimate

STUDIES = Path(__file__).parent / "studies"


def study(name: str) -> ModuleType:
    if str(STUDIES) not in sys.path:
        sys.path.insert(0, str(STUDIES))
    return importlib.import_module(name)


# --- the page ---------------------------------------------------------------------------------


def test_a_section_is_written_between_its_markers() -> None:
    page = study("page")
    text = "Before.\n<!-- study: x -->\nold\n<!-- /study: x -->\nAfter.\n"
    once = page.replaced(text, "x", "new")
    assert once == "Before.\n<!-- study: x -->\nnew\n<!-- /study: x -->\nAfter.\n"
    assert page.replaced(once, "x", "new") == once
    with pytest.raises(SystemExit, match="study: y"):
        page.replaced(text, "y", "new")


def test_the_page_has_a_place_for_each_study() -> None:
    page = study("page")
    text = page.PAGE.read_text()
    for template in sorted(STUDIES.glob("*.md.template")):
        page.replaced(text, template.name.removesuffix(".md.template"), "")


def differing(mean: float, spread: float = 1.0) -> Any:
    return mean + spread * np.random.default_rng(0).normal(size=(5, 40))


def test_words_follow_from_the_numbers() -> None:
    page = study("page")
    grids = [differing(5), differing(-5), differing(0, 9), np.zeros((5, 40)), differing(5)[:2]]
    found = [crossed.compare([grid], 1, 0)[0] for grid in grids]
    said = [page.verdict(one, "B", "A") for one in found]
    assert said[0].startswith("B is better than A by +5")
    assert said[1].startswith("B is worse than A by -5")
    assert "not resolved" in said[2]
    assert "same numbers" in said[3]
    assert [page.compared(one).startswith("**") for one in found] == [True, True] + [False] * 3
    assert page.bold(found).endswith("is bold")
    assert "none of them" in page.bold(found[2:])
    words = ["worse", "better", "not resolved", "not resolved"]
    assert page.counted(words) == "better at 1 of 4, worse at 1, not resolved at 2"
    assert page.listed(["a", "b", "c"]) == "a, b and c"
    assert page.listed(["a"]) == "a"


# --- samplers ---------------------------------------------------------------------------------


def test_answers_needed_lie_on_the_line_between_two_stops() -> None:
    samplers = study("samplers")
    costs = np.array([0.0, 100.0, 300.0])
    curve = np.array([50.0, 60.0, 70.0])
    assert samplers.crossing(curve, costs, 65) == pytest.approx(200)
    assert samplers.crossing(curve, costs, 50) == 0
    assert samplers.crossing(curve, costs, 71) == float("inf")


def test_a_claim_is_held_against_all_budgets() -> None:
    said = study("samplers").said_of_claim
    assert said(["better"] * 4) == "Here it does, at every budget"
    assert "does not show" in said(["not resolved"] * 4)
    assert "some budgets" in said(["better", "not resolved"])
    assert said(["better", "worse"]) == "Here it does not"


def test_a_sampler_that_learns_twice_as_fast_needs_half_the_answers() -> None:
    samplers = study("samplers")
    costs = np.linspace(0, 800, 9)
    lot = np.random.default_rng(1)
    noise = lot.normal(size=(5, 1, 60))
    slow = 50 + costs[None, :, None] / 40 + noise
    fast = 50 + costs[None, :, None] / 20 + noise + lot.normal(size=(5, 1, 60)) / 10
    times, low, high = samplers.saved(slow, fast, costs, 60.0, resamples=300)
    assert low < 2 < high
    assert times == pytest.approx(2, abs=0.1)


# --- slips ------------------------------------------------------------------------------------


def batch() -> tuple[ScoredBatch, Any]:
    """Four slates of five of thirty pictures, and which these are."""
    import torch

    lot = torch.Generator().manual_seed(0)
    unit = torch.nn.functional.normalize
    pictures = unit(torch.randn(30, 16, generator=lot), dim=1)
    texts = unit(torch.randn(4, 16, generator=lot), dim=1)
    places = torch.stack([torch.randperm(30, generator=lot)[:5] for _ in range(4)])
    pool = texts @ pictures.T
    known = torch.ones(4, 5, dtype=torch.bool)
    return ScoredBatch(
        scores=pool.gather(1, places),
        ranks=torch.arange(5).repeat(4, 1),
        placed=known,
        mask=known,
        utilities=None,
        weights=torch.ones(4),
        persona_index=torch.arange(4),
        pool_scores=pool,
        in_slate=torch.zeros(4, 30, dtype=torch.bool).scatter_(1, places, True),
        text_embeddings=texts,
        embeddings=pictures,
        references={},
        judgments=[],
        round=1,
        step=0,
    ), places


def test_features_are_normalised_across_the_slate() -> None:
    import torch

    given, places = batch()
    some = given.embeddings[places]  # [B, K, D]
    by_hand = (some / some.norm(dim=1, keepdim=True) * given.text_embeddings[:, None]).sum(2)
    found = study("slate_normalised").scores(given)
    torch.testing.assert_close(found, by_hand)
    assert not torch.allclose(found, given.scores, atol=0.1)


def test_slates_stand_in_the_order_of_the_bins(monkeypatch: pytest.MonkeyPatch) -> None:
    bin_order = study("bin_order")
    sampler = bin_order.BinOrder(by="quantile")
    import torch

    pool = testing.pool(8, 400)
    rows = sampler.draw(pool, 5, torch.Generator().manual_seed(0))
    scores = pool.scores.gather(1, rows)
    assert bool((scores.diff(dim=1)[:, :3] > 0).all()), "one bin above the other"

    monkeypatch.setattr(drawing.Drawn, "shown", bin_order.in_bin_order)
    persona, items = testing.personas(1)[0], tuple(testing.items(5))
    in_training, validating = (Drawn(0, persona, items, (n, 7, 0)) for n in (1, 0))
    assert in_training.shown(3, 0).items == items
    assert in_training.shown(3, 1).items != items
    monkeypatch.undo()
    assert validating.shown(3, 0) == bin_order.in_bin_order(validating, 3, 0)


def test_what_fills_a_bin_stands_at_its_place() -> None:
    import torch

    sampler, lot = study("bin_order").BinOrder(fallback="nearest"), torch.Generator()
    row = sampler._filled([[10, 11, 12], [], [30], [40]], [1, 1, 1, 2], [0] * 4, 99, lot)
    assert row == [10, 11, 30, 40, 12]


# --- teachers ---------------------------------------------------------------------------------


def test_a_teacher_mixes_tastes_and_has_likes_of_its_own(tmp_path: Path) -> None:
    people = [
        pvd.Persona("a", "A", {"tastes": {"colour=red": 2.0}}),
        pvd.Persona("b", "B", {"tastes": {"colour=blue": 4.0}}),
    ]
    write_lines(tmp_path / "p.jsonl", [{"id": p.id, **p.attributes} for p in people])
    items = [
        pvd.Item(c, Path(c), attributes={"colour": c, "tone": t})
        for c, t in (("red", "dark"), ("blue", "light"))
    ]
    made = study("other_tastes").OtherTastes(
        people=tmp_path / "p.jsonl", other=0.25, likes=("tone=dark",), liking=10.0, noise=0.0
    )
    known = made.utilities(people[0], items)
    assert known == pytest.approx([2 * 0.75**0.5 + 10, 4 * 0.5])
    slate = pvd.Slate(people[0], tuple(items))
    request = made.request(slate)
    assert request.slate == slate, "the persona stays who they are"
    (reply,) = made.answer([request])
    assert json.loads(reply.text)["utilities"] == pytest.approx(known)
    other = study("other_tastes").OtherTastes(people=tmp_path / "p.jsonl", likes=("tone=dark",))
    assert other.request(slate).digest != request.digest


def test_what_agreement_goes_along_with() -> None:
    substitution = study("substitution")
    labels = ["a", "b", "c"]
    taus = {("a", "b"): 0.9, ("a", "c"): 0.2, ("b", "c"): 0.3}
    agreed = {
        frozenset(pair): substitution.Agreed(Estimate(tau, tau, tau, ""), tau)
        for pair, tau in taus.items()
    }
    gains = {
        (a, b): differing(20.0 * (1 if a == b else agreed[frozenset((a, b))].utilities), 0.01)
        for a in labels
        for b in labels
    }
    rho = substitution.correlation(gains, agreed, labels, resamples=50)
    assert rho["rankings"].value > 0.9
    assert "grows with both" in substitution.trend(rho)
    turned = {k: Estimate(-0.5, -0.9, 0.1, "") for k in rho}
    assert "no such trend" in substitution.trend(turned)
    assert substitution.words(Estimate(1, 0.5, 2, ""), "yes", "no") == "yes"
    assert substitution.words(Estimate(1, -0.5, 2, ""), "yes", "no") == "no"


# --- the exam ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["openai", "claude", "gemini"])
def test_the_meter_counts_what_a_provider_is_sent(name: str) -> None:
    """The same parts, texts and schema as on the wire, but for the pictures' bytes."""
    metering = study("metering")
    from fake_protocols import understand

    teacher: Any = pvd.load("teacher", name)
    slate = pvd.Slate(testing.personas(1)[0], tuple(testing.items(5)))
    prompt = teacher.prompt_for(slate)
    sent = teacher.wrapped("digest", prompt)
    body = sent.get("body") or sent.get("params") or sent["request"]
    paths = {
        "openai": "/v1/chat/completions",
        "claude": "/v1/messages",
        "gemini": f"/v1beta/models/{teacher.model}:generateContent",
    }
    wire = understand(paths[name], "", body)
    ours = metering.said(name, teacher, slate, shared=False)
    assert (ours.protocol, ours.model, ours.system, ours.schema) == (
        wire.protocol,
        wire.model,
        wire.system,
        wire.schema,
    )
    assert [(p.text, p.detail, bool(p.picture)) for p in ours.parts] == [
        (p.text, p.detail, bool(p.picture)) for p in wire.parts
    ]


@pytest.mark.parametrize("name", ["openai", "claude", "gemini"])
def test_a_shared_round_is_billed_for_less(name: str) -> None:
    metering = study("metering")
    people, items = testing.personas(20), testing.items(10)
    groups = [tuple(items[:5]), tuple(items[5:])]
    shared = [pvd.Slate(persona, group) for persona in people for group in groups]
    apart = [
        pvd.Slate(persona, group[n % 5 :] + group[: n % 5])
        for n, persona in enumerate(people)
        for group in groups
    ]
    alone = metering.bill(name, [[slate] for slate in apart[:2]])
    together, own = metering.bill(name, [shared]), metering.bill(name, [apart])
    assert together.read == own.read
    assert together.priced < 0.4 * together.read
    assert together.priced < own.priced < own.read
    assert alone.priced == pytest.approx(alone.read)


def test_narrowed_items_are_the_best_and_some_by_lot() -> None:
    narrowing = study("narrowing")
    scores = np.random.default_rng(0).normal(size=(6, 50))
    found = narrowing.narrowed(scores, 10, 4, "x")
    for row, own in zip(scores, found, strict=True):
        assert len(set(own)) == 14
        assert set(own[:10]) == set(np.argsort(-row)[:10])
    assert found == narrowing.narrowed(scores, 10, 4, "x")
    assert found != narrowing.narrowed(scores, 10, 4, "y")


def test_attributes_are_learned_from_rankings(tmp_path: Path) -> None:
    narrowing = study("narrowing")
    blank = {"category": "hat", "tone": "mid", "pattern": "plain"}
    items = [
        pvd.Item(f"{colour}-{n}", Path("x"), attributes={**blank, "colour": colour})
        for colour in ("red", "blue", "green")
        for n in range(2)
    ]
    people = [pvd.Persona(c, f"Who loves {c}.", {}) for c in ("red", "blue", "green")]

    def row(persona: pvd.Persona, some: Sequence[pvd.Item]) -> dict[str, Any]:
        order = sorted(range(3), key=lambda n: some[n].attributes["colour"] != persona.id)
        ids = [item.id for item in some]
        return {"persona": persona.id, "items": ids, "tiers": [[n] for n in order]}

    lot = np.random.default_rng(0)
    slates = [(p, [items[2 * c + lot.integers(2)] for c in lot.permutation(3)]) for p in people * 9]
    write_lines(tmp_path / "judgments.jsonl", [row(p, some) for p, some in slates])
    ranker = narrowing.Attributes([tmp_path / "judgments.jsonl"], people, items)
    best = ranker.scores(people, items).argmax(1)
    assert [items[n].attributes["colour"] for n in best] == [p.id for p in people]


def held(shared: float, brackets: int = 40) -> Any:
    """[B, A, S, P] of personas whose noise has this part in common within a bracket."""
    lot = np.random.default_rng(3)
    own, common = lot.normal(size=(brackets, 1, 1, 50)), lot.normal(size=(brackets, 1, 1, 1))
    between = 5 * lot.normal(size=(1, 1, 1, 50))
    noise = np.sqrt(1 - shared) * own + np.sqrt(shared) * common
    return 80 + between + 4 * noise + 0.1 * lot.normal(size=(brackets, 2, 5, 50))


def test_the_tie_between_personas_is_found() -> None:
    exam_grids = study("exam_grids")
    free, tied = exam_grids.alike(held(0.0)), exam_grids.alike(held(0.3))
    assert free.correlation.low < 0 < free.correlation.high
    assert tied.correlation.low < 0.3 < tied.correlation.high
    assert tied.correlation.low > 0
    assert free.honest == pytest.approx(1, abs=0.2)
    assert tied.honest > 1.5


def test_a_way_that_moves_nothing_is_unchanged_and_one_that_does_is_not() -> None:
    exam_grids = study("exam_grids")
    full = held(0.0) + np.array([0.0, 3.0]).reshape(1, 2, 1, 1)
    again = held(0.0)[::-1] + np.array([0.0, 3.0]).reshape(1, 2, 1, 1)
    reference = exam_grids.row(full, full, same=True)
    same, moved = (exam_grids.row(grid, full) for grid in (again, again + 4))
    assert exam_grids.verdict(reference, reference) == "reference"
    assert exam_grids.verdict(same, reference) == "unchanged"
    assert exam_grids.verdict(moved, reference) == "shifted"
    wide = exam_grids.Row(80, Estimate(0, -3, 3, ""), 2 * reference.width, -1, 1)
    assert exam_grids.verdict(wide, reference) == "not resolved, interval wider, another order"
    assert same.tau == 1


def test_an_audit_finds_a_shift() -> None:
    exam_grids = study("exam_grids")
    full = held(0.0)
    none, moved = (exam_grids.audit(grid, full) for grid in (full[::-1], full - 6))
    assert none.warns < 15
    assert moved.warns > 85
    assert moved.covers == 100, "the same brackets, moved by the same number"
