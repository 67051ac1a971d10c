"""Training on a toy that one linear layer can learn: pictures are four numbers, texts are axes."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch.nn import functional

from pvd import Item, Judgment, Loss, Persona, Ranking, Reply, ScoredBatch, Slate, Step, Student
from pvd.errors import BadInput
from pvd.pictures import Memory, Pictures
from pvd.settings import TrainSettings
from pvd.streams import stream
from pvd.training import Aged, Lesson, drift, train_round
from pvd_plugins.losses.bradley_terry import BradleyTerry

WIDTH = 4
PERSONAS = [Persona(f"p{n}", f"likes axis {n}") for n in range(3)]
# Persona n likes what is long on axis n + 1; her text points along axis n. To be learnt: turn.
TEXTS = {persona.id: torch.eye(WIDTH)[n] for n, persona in enumerate(PERSONAS)}
ITEMS = [Item(f"i{n}", Path(f"{n}.png")) for n in range(20)]
PIXELS = torch.randn(20, WIDTH, generator=Generator().manual_seed(0))


@dataclass(kw_only=True)
class Linear(Student):
    """One matrix, at first the identity."""

    dropout: float = 0.0
    noise: float = 0.0
    scales: tuple[float, ...] = (1.0,)  # of the learning rate, one for each part of the rows

    def load(self, device: str) -> None:
        rows = torch.eye(WIDTH).chunk(len(self.scales))
        self.parts = [torch.nn.Parameter(part.clone()) for part in rows]

    def prepare(self, images: Any) -> Tensor:
        raise NotImplementedError

    open = save = prepare_key = embed_texts = prepare

    def augment(self, prepared: Any, rng: Generator) -> Tensor:
        return prepared + self.noise * torch.randn(prepared.shape, generator=rng)

    def embed_prepared(self, prepared: Any, *, train: bool = False) -> Tensor:
        seen = functional.dropout(prepared, self.dropout, training=train)
        return functional.normalize(seen @ torch.cat(self.parts).T, dim=1)

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [
            {"params": [part], "lr_scale": scale}
            for part, scale in zip(self.parts, self.scales, strict=True)
        ]

    def state(self) -> dict[str, Tensor]:
        return {"matrix": torch.cat(self.parts).detach().clone()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        raise NotImplementedError


@dataclass(kw_only=True)
class Spy(Loss):
    """Any function of the batch as a loss; keeps the batches."""

    cost: Callable[[ScoredBatch], Tensor] = lambda batch: batch.scores.sum()
    own: Tensor | None = None
    batches: list[ScoredBatch] = field(default_factory=list)

    def __call__(self, batch: ScoredBatch) -> Tensor:
        self.batches.append(batch)
        return self.cost(batch)

    def parameters(self) -> Iterable[Tensor]:
        return () if self.own is None else (self.own,)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """The tensors are tiny: a second thread only waits, tenfold on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def student(**options: Any) -> Linear:
    made = Linear(**options)
    made.load("cpu")
    return made


def judgment(person: int, places: Sequence[int], ranking: Ranking | None = None) -> Judgment:
    """By default the truth: persona n likes what is long on axis n + 1."""
    unit = functional.normalize(PIXELS[list(places)], dim=1)
    truth = Ranking.from_utilities(unit[:, person + 1].tolist())
    slate = Slate(PERSONAS[person], tuple(ITEMS[place] for place in places))
    return Judgment(slate, ranking or truth, "", Reply(""), "", "")


def judgments(count: int = 60) -> list[Judgment]:
    lot = stream("slates")
    return [judgment(n % 3, lot.sample(range(20), 5)) for n in range(count)]


def lesson(found: Sequence[Judgment], ages: Sequence[int] = (), replay: str = "all") -> Lesson:
    aged = [Aged(j, age) for j, age in zip(found, ages or [0] * len(found), strict=True)]
    return Lesson(aged, Pictures(ITEMS, Memory(PIXELS)), TEXTS, base=2 * PIXELS, replay=replay)


def settings(**options: Any) -> TrainSettings:
    plain = {"steps": 1, "batch": 8, "learning_rate": 0.05, "weight_decay": 0.0, "warmup": 0}
    return TrainSettings(**{**plain, **options})


def whole(found: Lesson, of: Linear) -> ScoredBatch:
    """All judgments of a lesson as one batch, in their order."""
    rows = torch.arange(len(found))
    images = found.images(rows)
    prepared = of.augment(found.pictures.take(images), Generator())
    seen = of.embed_prepared(prepared, train=True)
    known = found.have_utilities(rows)
    return found.scored(rows, images, seen, utilities=known, round=1, step=0)


# --- learning -----------------------------------------------------------------------------------


def test_the_loss_falls_on_a_separable_toy() -> None:
    learner, loss, found = student(), BradleyTerry(), lesson(judgments())
    before = float(loss(whole(found, learner)).detach())

    mean = train_round(learner, loss, found, settings(steps=300, batch=20), round=1, seed=0)

    after = float(loss(whole(found, learner)).detach())
    assert after < 0.1 * before
    assert after < mean < before
    # What was to be learnt: each persona's axis takes what she likes.
    direction = functional.normalize(torch.cat(learner.parts).detach(), dim=1)
    assert min(float(direction[n, n + 1]) for n in range(3)) > 0.95


def test_the_mean_of_the_steps_losses_is_returned_and_each_is_told() -> None:
    told: list[Step] = []

    mean = train_round(
        student(), BradleyTerry(), lesson(judgments()), settings(steps=4), round=3, seed=0,
        on_step=told.append,
    )  # fmt: skip

    assert [(step.round, step.step) for step in told] == [(3, 0), (3, 1), (3, 2), (3, 3)]
    assert mean == pytest.approx(sum(step.loss for step in told) / 4)
    assert all(step.slates_per_second > 0 for step in told)


# --- determinism --------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"noise": 0.3}])
def test_the_same_seed_gives_the_same_bits(options: dict[str, float]) -> None:
    weights = []
    for elsewhere in (1, 2):
        torch.manual_seed(elsewhere)  # what other code did with the global generator
        learner = student(**options)
        train_round(
            learner, BradleyTerry(), lesson(judgments()), settings(steps=10), round=1, seed=5
        )
        weights.append(learner.state()["matrix"])

    assert torch.equal(*weights)


@pytest.mark.parametrize("options", [{}, {"dropout": 0.5}, {"noise": 0.3}])
@pytest.mark.parametrize(("round", "seed"), [(1, 6), (2, 5)])
def test_another_seed_or_round_gives_others(
    options: dict[str, float], round: int, seed: int
) -> None:
    weights = []
    for key in ((1, 5), (round, seed)):
        learner = student(**options)
        rows = settings(steps=10, decay=1.0)
        train_round(learner, BradleyTerry(), lesson(judgments()), rows, round=key[0], seed=key[1])
        weights.append(learner.state()["matrix"])

    assert not torch.equal(*weights)


def test_dropout_and_augmentation_differ_from_step_to_step() -> None:
    for options in ({"dropout": 0.5}, {"noise": 0.3}):
        spy = Spy(cost=lambda batch: 0 * batch.scores.sum())
        one = lesson(judgments(1))  # the same slate in every step

        train_round(student(**options), spy, one, settings(steps=2), round=1, seed=0)

        first, second = (batch.embeddings for batch in spy.batches)
        assert not torch.allclose(first, second)


# --- which judgments ------------------------------------------------------------------------------


def test_every_judgment_comes_once_before_any_comes_again() -> None:
    spy = Spy()

    train_round(student(), spy, lesson(judgments(10)), settings(steps=5, batch=4), round=1, seed=0)

    order = [id(j) for batch in spy.batches for j in batch.judgments]
    assert len(order) == 20
    assert set(Counter(order).values()) == {2}
    assert len(set(order[:10])) == 10
    assert order[:10] != order[10:]  # shuffled anew


def test_a_batch_is_never_larger_than_the_lesson() -> None:
    spy = Spy()

    train_round(student(), spy, lesson(judgments(3)), settings(steps=2, batch=64), round=1, seed=0)

    assert [batch.scores.shape for batch in spy.batches] == [(3, 5), (3, 5)]
    assert all(len({id(j) for j in batch.judgments}) == 3 for batch in spy.batches)


@pytest.mark.parametrize(
    ("replay", "kept", "weights"),
    [
        ("all", [0, 1, 2, 3], [1, 1, 1, 1]),
        ("last", [2, 3], [1, 1]),
        ("decay", [0, 1, 2, 3], [0.25, 0.5, 1, 1]),  # 0.5 ** age
    ],
)
def test_replay(replay: str, kept: list[int], weights: list[float]) -> None:
    four = judgments(4)

    found = lesson(four, ages=(2, 1, 0, 0), replay=replay)

    assert found.judgments == [four[n] for n in kept]
    assert whole(found, student()).weights.tolist() == weights


# --- the batch ------------------------------------------------------------------------------------


def test_scores_are_the_cosines_of_text_and_picture() -> None:
    batch = whole(lesson([judgment(0, [3, 7]), judgment(2, [7, 1])]), student())

    unit = functional.normalize(PIXELS, dim=1)  # the student begins as the identity
    expected = [[unit[3, 0], unit[7, 0]], [unit[7, 2], unit[1, 2]]]
    for row, want in zip(batch.scores.tolist(), expected, strict=True):
        assert row == pytest.approx([float(score) for score in want])
    assert batch.persona_index.tolist() == [0, 1]
    assert batch.text_embeddings.tolist() == [TEXTS["p0"].tolist(), TEXTS["p2"].tolist()]


def test_every_distinct_picture_is_embedded_once() -> None:
    batch = whole(
        lesson([judgment(0, [3, 7]), judgment(1, [7, 1]), judgment(0, [3, 1])]), student()
    )

    # Pictures 1, 3 and 7, in this order.
    assert batch.embeddings.shape == (3, WIDTH)
    assert batch.in_slate.tolist() == [
        [False, True, True],
        [True, False, True],
        [True, True, False],
    ]
    assert batch.references["base"].tolist() == (2 * PIXELS[[1, 3, 7]]).tolist()
    assert batch.persona_index.tolist() == [0, 1, 0]
    # The cosine in the pool is the one in the slate.
    assert batch.pool_scores[0, 1] == batch.scores[0, 0]
    assert batch.pool_scores[1, 0] == batch.scores[1, 1]


def test_unplaced_items_and_those_that_are_worse() -> None:
    unknown = judgment(0, [0, 1, 2, 3], Ranking(((2,), (0,))))
    worse = judgment(0, [0, 1, 2, 3], Ranking(((2,), (0,)), rest="worse"))

    batch = whole(lesson([unknown, worse]), student())

    # The others are at 4, the width, where nothing is known, and in the next tier if worse.
    assert batch.ranks.tolist() == [[1, 4, 0, 4], [1, 2, 0, 2]]
    assert batch.placed.tolist() == [[True, False, True, False], [True] * 4]


def test_short_slates_are_filled_up_and_cost_the_same() -> None:
    three, five = judgment(0, [4, 9, 2]), judgment(1, [1, 2, 3, 5, 8])
    learner, loss = student(), BradleyTerry()

    batch = whole(lesson([three, five]), learner)

    assert batch.mask.tolist() == [[True] * 3 + [False] * 2, [True] * 5]
    assert batch.placed.tolist() == batch.mask.tolist()
    assert batch.ranks[0, 3:].tolist() == [5, 5]
    assert batch.in_slate.sum(1).tolist() == [3, 5]
    # The mean over two slates is the mean of the two alone.
    alone = [float(loss(whole(lesson([j]), learner)).detach()) for j in (three, five)]
    assert float(loss(batch).detach()) == pytest.approx(sum(alone) / 2)


def test_padding_gets_no_gradient() -> None:
    short, long = judgment(0, [4, 9, 2]), judgment(1, [1, 3, 5, 8, 6])
    spy = Spy(cost=lambda batch: BradleyTerry()(batch))
    found = lesson([short, long])

    batch = whole(found, student())
    scores = batch.scores
    scores.retain_grad()
    spy(batch).backward()

    assert scores.grad is not None
    assert scores.grad[0, 3:].tolist() == [0, 0]
    assert bool((scores.grad[0, :3] != 0).any())


def test_utilities_are_there_only_if_every_ranking_has_them() -> None:
    known = judgment(0, [0, 1], Ranking.from_utilities([0.5, 2.0]))
    unknown = judgment(0, [0, 1], Ranking.from_order([1, 0]))

    both = whole(lesson([known, known]), student()).utilities
    assert both is not None
    assert both.tolist() == [[0.5, 2.0], [0.5, 2.0]]
    assert whole(lesson([known, unknown]), student()).utilities is None


# --- the optimiser --------------------------------------------------------------------------------


def moved(learner: Linear, loss: Loss | None = None, *, round: int = 1, **options: Any) -> Tensor:
    """How far each weight goes in one step. AdamW's first step is the learning rate, whatever the
    gradient, so that each of the numbers below can be known.
    """
    before = learner.state()["matrix"]
    train_round(
        learner, loss or BradleyTerry(), lesson(judgments()), settings(**options), round=round,
        seed=0,
    )  # fmt: skip
    return (learner.state()["matrix"] - before).abs()[:3]  # the fourth axis is nobody's text


@pytest.mark.parametrize(
    ("options", "round", "expected"),
    [
        ({}, 1, 0.05),
        ({"learning_rate": 0.01}, 1, 0.01),
        ({"decay": 0.5}, 1, 0.05),
        ({"decay": 0.5}, 3, 0.05 * 0.25),  # halved twice
        ({"warmup": 4}, 1, 0.05 / 4),  # the first of four steps
        ({"warmup": 1}, 1, 0.05),
        ({"clip": 0.01}, 1, 0.05),  # a shorter gradient, the same step
    ],
)
def test_the_learning_rate(options: dict[str, Any], round: int, expected: float) -> None:
    assert moved(student(), round=round, **options).flatten().tolist() == pytest.approx(
        [expected] * 12, rel=0.01
    )


def test_groups_of_parameters_learn_at_their_own_rate() -> None:
    moves = moved(student(scales=(1.0, 0.1)))

    # Two rows at the full rate, and of the other two the one that somebody's text meets.
    assert moves[:2].flatten().tolist() == pytest.approx([0.05] * 8, rel=0.01)
    assert moves[2].tolist() == pytest.approx([0.005] * 4, rel=0.01)


def test_the_students_own_groups_stay_as_they_were() -> None:
    learner = student()
    groups = [{"params": learner.parts, "lr_scale": 0.5}]
    learner.parameter_groups = lambda: groups

    moved(learner)

    assert groups[0]["lr_scale"] == 0.5
    assert set(groups[0]) == {"params", "lr_scale"}


def test_warmup_rises_step_by_step() -> None:
    # A constant gradient: each of Adam's steps has the length of the rate, 1/3, 2/3, 1, 1 of it.
    own = torch.nn.Parameter(torch.zeros(1))
    loss = Spy(cost=lambda batch: -own.sum() + 0 * batch.scores.sum(), own=own)

    moved(student(), loss, steps=4, warmup=3)

    assert own.item() == pytest.approx(0.05 * (1 / 3 + 2 / 3 + 1 + 1), rel=1e-4)


def test_weight_decay_shrinks_the_student_but_not_the_loss() -> None:
    own = torch.nn.Parameter(torch.ones(1))
    learner = student()
    loss = Spy(cost=lambda batch: -own.sum() + 0 * batch.scores.sum(), own=own)

    moved(learner, loss, weight_decay=0.5)

    # AdamW: w * (1 - rate * decay); the loss's own parameter takes its plain step.
    assert learner.state()["matrix"][0, 0] == pytest.approx(1 - 0.05 * 0.5)
    assert own.item() == pytest.approx(1 + 0.05)


def at_start() -> Lesson:
    """All judgments, and the untrained student's own embeddings as what to be held to."""
    base = student().embed_prepared(PIXELS).detach()
    aged = [Aged(j, 0) for j in judgments()]
    return Lesson(aged, Pictures(ITEMS, Memory(PIXELS)), TEXTS, base, replay="all")


def test_drift_by_hand() -> None:
    """Half of the squared distance to the base; its gradient is the distance, over the images."""
    batch = whole(at_start(), student())
    moved = batch.embeddings.detach().clone().requires_grad_()
    found = drift(replace(batch, embeddings=moved)).mean()
    assert float(found.detach()) == 0
    (gradient,) = torch.autograd.grad(found, moved)
    assert torch.equal(gradient, torch.zeros_like(moved))

    turned = functional.normalize(moved.detach() + torch.tensor([0.0, 0.5, 0, 0]), dim=1)
    turned.requires_grad_()
    found = drift(replace(batch, embeddings=turned)).mean()
    base = batch.references["base"]
    cosines = functional.cosine_similarity(turned, base)
    assert float(found.detach()) == pytest.approx(1 - float(cosines.mean().detach()), abs=1e-6)
    (gradient,) = torch.autograd.grad(found, turned)
    assert torch.allclose(gradient, (turned - base).detach() / len(base))


def test_the_anchor_adds_its_drift_to_the_loss() -> None:
    """With a loss that asks for nothing, only the anchor pulls; without it, nothing does."""
    spy = Spy(cost=lambda batch: 0 * batch.scores.sum())
    away = student()
    away.parts[0].data += 0.5
    start = away.state()["matrix"]
    far = float(drift(whole(at_start(), away)).mean().detach())

    still = train_round(away, spy, at_start(), settings(steps=30), round=1, seed=0)
    assert still == 0
    assert torch.equal(away.state()["matrix"], start)

    first = train_round(away, spy, at_start(), settings(batch=60, anchor=3.0), round=1, seed=0)
    assert first == pytest.approx(3 * far)
    train_round(away, spy, at_start(), settings(steps=200, anchor=3.0), round=1, seed=0)
    assert float(drift(whole(at_start(), away)).mean().detach()) < 0.1 * far


def test_a_larger_anchor_leaves_the_student_nearer_to_where_it_was() -> None:
    found = []
    for anchor in (0.0, 5.0, 500.0):
        learner = student()
        train_round(
            learner, BradleyTerry(), at_start(), settings(steps=100, anchor=anchor), round=1, seed=0
        )
        found.append(float(drift(whole(at_start(), learner)).mean().detach()))
    assert found[0] > found[1] > 10 * found[2] > 0


def test_a_loss_learns_its_own_parameters() -> None:
    own = torch.nn.Parameter(torch.zeros(1))

    def cost(batch: ScoredBatch) -> Tensor:
        return (own.sum() - 0.7) ** 2 + 0 * batch.scores.sum()

    moved(student(), Spy(cost=cost, own=own), steps=200)

    assert own.item() == pytest.approx(0.7, abs=0.02)


def test_the_optimiser_starts_anew_each_round() -> None:
    # A round that was interrupted is repeated from the weights alone.
    whole_run, resumed = student(), student()
    for round in (1, 2):
        moved(whole_run, round=round, steps=5)
    moved(resumed, steps=5)
    again = student()
    again.parts[0].data.copy_(resumed.state()["matrix"])
    moved(again, round=2, steps=5)

    assert torch.equal(again.state()["matrix"], whole_run.state()["matrix"])


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [math.nan, math.inf])
def test_a_loss_that_is_no_number_stops_the_run(number: float) -> None:
    learner = student()
    before = learner.state()["matrix"]
    loss = Spy(cost=lambda batch: batch.scores.sum() * 0 + number)

    with pytest.raises(
        BadInput,
        match=rf"The loss Spy became {number} on the student Linear in round 2, step 0; lower",
    ):
        train_round(learner, loss, lesson(judgments()), settings(), round=2, seed=0)

    assert torch.equal(learner.state()["matrix"], before)


@pytest.mark.parametrize(
    ("found", "ages", "replay"),
    [
        ([judgment(0, [0, 1], Ranking(((0, 1),)))], [0], "all"),
        ([judgment(0, [0, 1, 2], Ranking(((2,),)))], [0], "all"),
        ([judgment(0, [0, 1])], [1], "last"),
    ],
    ids=["all tied", "one placed", "none of the last round"],
)
def test_judgments_without_a_pair_teach_nothing(
    found: list[Judgment], ages: list[int], replay: str
) -> None:
    with pytest.raises(BadInput, match="none states a pair"):
        lesson(found, ages, replay)


def test_an_item_that_is_not_for_training_is_named() -> None:
    slate = Slate(PERSONAS[0], (ITEMS[0], Item("stranger", Path("x.png"))))
    other = Judgment(slate, Ranking.from_order([0, 1]), "", Reply(""), "", "")

    with pytest.raises(BadInput, match="names the item 'stranger', which is not in the training"):
        lesson([other])
