"""Means over seeds and personas: by hand, and by thousands of replays whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2, norm, t

from pvd.crossed import (
    FEW_SEEDS,
    Components,
    analyse,
    compare,
    conditional,
    detectable,
    holm,
    ratio,
    seeds_needed,
)
from pvd.estimates import mean

Grid = npt.NDArray[np.float64]
REPLAYS = 2000

# Fitted on real runs (tests/bench/alike.py): 200 of one arm; the difference of two such arms, which
# has twice the variances, without that of personas, who are the same; and four-bin - uniform over
# 20 seeds. The last are what a plan assumes of photographs of clothes (docs/results.md).
ARM = Components(seed=3.2, persona=458.0, residual=135.0)
ALIKE = Components(seed=6.4, persona=0.0, residual=270.0)
SAMPLERS = Components(seed=3.1, persona=30.0, residual=233.0)
CLOTHES = Components(seed=4.0, persona=15.0, residual=60.0)
FITTED = {"arm": ARM, "alike": ALIKE, "samplers": SAMPLERS, "clothes": CLOTHES}
NEITHER = Components(seed=0.0, persona=0.0, residual=60.0)


def draw(rng: np.random.Generator, parts: Components, seeds: int, personas: int) -> Grid:
    """A grid of the model, whose true mean is 0."""
    seed, persona, rest = (
        math.sqrt(variance) * rng.normal(size=shape)
        for variance, shape in (
            (parts.seed, (seeds, 1)),
            (parts.persona, (1, personas)),
            (parts.residual, (seeds, personas)),
        )
    )
    return np.asarray(seed + persona + rest)


# --- one grid -----------------------------------------------------------------------------------


def test_by_hand() -> None:
    found = analyse([[1.0, 5.0], [3.0, 8.0]])
    # Rows 3 and 5.5, columns 2 and 6.5, residuals +-0.25.
    assert found.mean_squares == pytest.approx((6.25, 20.25, 0.25))
    assert found.components == Components(seed=3.0, persona=10.0, residual=0.25)
    assert found.value == 4.25
    assert found.error == pytest.approx(math.sqrt((6.25 + 20.25 - 0.25) / 4))
    assert found.freedom == pytest.approx(26.25**2 / (6.25**2 + 20.25**2 + 0.25**2))
    assert (found.seeds, found.personas) == (2, 2)


def test_what_adds_nothing_is_pooled_with_the_residual_by_hand() -> None:
    # Rows 3 and 3, columns 2 and 4, residuals +-1: mean squares 0, 4, 4. The two seeds' 0 and the
    # residual's 4 have a freedom each: 2 together. Personas alone make the error: 4 / (2 * 2).
    found = analyse([[1.0, 5.0], [3.0, 3.0]])
    assert found.mean_squares == pytest.approx((0, 4, 4))
    assert found.components == Components(seed=0.0, persona=1.0, residual=2.0)
    assert (found.error, found.freedom) == pytest.approx((1, 1))


@pytest.mark.parametrize("personas", [3, 6])
@pytest.mark.parametrize("parts", [(4, 9, 4), (0, 9, 4), (4, 0, 4), (0, 0, 4)])
def test_components_are_those_of_restricted_maximum_likelihood(
    parts: tuple[float, float, float], personas: int
) -> None:
    """Found here by climbing the likelihood of all cells, without a mean square."""
    grid = draw(np.random.default_rng(sum(parts) + personas), Components(*parts), 4, personas)
    seeds = len(grid)
    y, ones = grid.ravel(), np.ones(grid.size)
    same_seed = np.kron(np.eye(seeds), np.ones((personas, personas)))
    same_persona = np.kron(np.ones((seeds, seeds)), np.eye(personas))

    def unlikely(variances: Grid) -> float:
        seed, persona, rest = variances
        v = seed * same_seed + persona * same_persona + rest * np.eye(grid.size)
        solved = np.linalg.solve(v, np.stack([y, ones], axis=1))
        information = ones @ solved[:, 1]
        left = y @ solved[:, 0] - (ones @ solved[:, 0]) ** 2 / information
        return float(np.linalg.slogdet(v)[1] + np.log(information) + left)

    bounds = [(0, None), (0, None), (1e-6, None)]
    best = min(
        (
            minimize(unlikely, start, bounds=bounds, method="L-BFGS-B", options={"ftol": 1e-14})
            for start in ((1.0, 1.0, 1.0), (9.0, 0.1, 4.0), (0.1, 9.0, 4.0))
        ),
        key=lambda found: float(found.fun),
    )
    found = analyse(grid).components
    assert (found.seed, found.persona, found.residual) == pytest.approx(best.x, rel=0.01, abs=0.01)


def test_the_error_is_that_of_the_published_components() -> None:
    rng = np.random.default_rng(0)
    for parts in (*FITTED.values(), NEITHER):
        found = analyse(draw(rng, parts, 6, 9))
        assert found.components.error(6, 9) == found.error
    assert Components(4.0, 9.0, 30.0).error(2, 3) == pytest.approx(math.sqrt(4 / 2 + 9 / 3 + 5))


def test_shift_scale_and_order_change_nothing_else() -> None:
    rng = np.random.default_rng(4)
    grid = draw(rng, CLOTHES, 5, 12)
    found = analyse(grid)
    moved = analyse(3 - 2 * grid[rng.permutation(5)][:, rng.permutation(12)])
    assert moved.value == pytest.approx(3 - 2 * found.value)
    assert moved.error == pytest.approx(2 * found.error)
    assert moved.freedom == pytest.approx(found.freedom)
    assert moved.p_differs(3) == pytest.approx(found.p_differs(0))
    assert moved.p_not_above(3) == pytest.approx(1 - found.p_not_above(0))
    turned = analyse(grid.T)  # seeds and personas are alike to the mean
    assert (turned.error, turned.freedom) == pytest.approx((found.error, found.freedom))


@pytest.mark.parametrize("size", [1e-6, 1.0])
def test_only_identical_values_have_an_interval_without_width(size: float) -> None:
    rng = np.random.default_rng(5)
    one_cell = np.zeros((5, 7))
    one_cell[2, 3] = size
    for grid in (
        one_cell,
        size * rng.normal(size=(5, 1)) + np.zeros((1, 7)),  # the same for all personas
        size * rng.normal(size=(1, 7)) + np.zeros((5, 1)),  # the same for all seeds
        50 + size * rng.normal(size=(5, 7)),
    ):
        interval = analyse(grid).interval()
        assert interval.low < interval.value < interval.high
    same = analyse(np.full((5, 7), 0.1))
    assert (same.error, same.interval().low, same.interval().high) == (0, same.value, same.value)
    assert same.p_differs() == same.p_not_above(-1) == 1  # nothing was tested


@pytest.mark.parametrize("shape", [(1, 4), (4, 1), (4,), (2, 2, 2)])
def test_it_takes_two_seeds_and_two_personas(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="at least two seeds and two personas"):
        analyse(np.zeros(shape))


def test_a_missing_value_is_not_left_out_silently() -> None:
    with pytest.raises(ValueError, match="a number for every seed and persona"):
        analyse([[1.0, math.nan], [2.0, 3.0]])


def test_p_values_and_intervals_say_the_same() -> None:
    found = analyse(draw(np.random.default_rng(6), CLOTHES, 5, 20))
    for level in (0.8, 0.95, 0.99):
        interval = found.interval(level)
        assert found.p_differs(interval.low) == pytest.approx(1 - level)
        assert found.p_differs(interval.high) == pytest.approx(1 - level)
        assert found.p_not_above(interval.low) == pytest.approx((1 - level) / 2)
    assert found.p_differs(found.value) == 1
    half = t.ppf(0.975, found.freedom) * found.error
    assert found.interval().high == pytest.approx(found.value + half)
    assert found.interval().over == "5 seeds x 20 personas (two-way)"


def test_the_p_value_of_one_of_many_is_the_generalised_one_where_that_is_larger() -> None:
    """Compared with a million draws of what the variances may be, given the mean squares."""
    rng = np.random.default_rng(7)
    for parts in FITTED.values():
        found = analyse(draw(rng, parts, 5, 49))
        degrees = (4, 48, 4 * 48)
        seed, persona, rest = (
            square * d / chi2.rvs(d, size=1_000_000, random_state=rng)
            for square, d in zip(found.mean_squares, degrees, strict=True)
        )
        errors = np.sqrt(np.maximum(seed + persona - rest, rest) / (5 * 49))
        for steps in (1, 2.5, 4):
            bound = found.value - steps * found.error
            general = norm.sf(steps * found.error / errors).mean()
            expected = max(general, found.p_not_above(bound))
            strict = found.p_not_above(bound, one_of_many=True)
            assert strict == pytest.approx(expected, rel=0.02)
            assert found.p_differs(bound, one_of_many=True) == pytest.approx(min(1, 2 * strict))


@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("parts", FITTED.values(), ids=FITTED)
def test_95_percent_intervals_cover_93_to_97(parts: Components, seeds: int) -> None:
    rng = np.random.default_rng(seeds)
    found = [analyse(draw(rng, parts, seeds, 49)).interval() for _ in range(REPLAYS)]
    covered = sum(one.low <= 0 <= one.high for one in found) / REPLAYS
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize("seeds", [5, 20])
def test_where_nothing_but_the_residual_varies_intervals_are_a_little_wide(seeds: int) -> None:
    """Known, and to the safe side: mean squares of seeds cannot tell that seeds vary not at all."""
    rng = np.random.default_rng(seeds)
    found = [analyse(draw(rng, NEITHER, seeds, 49)).interval() for _ in range(REPLAYS)]
    assert 0.95 <= sum(one.low <= 0 <= one.high for one in found) / REPLAYS <= 0.985


@pytest.mark.parametrize("parts", FITTED.values(), ids=FITTED)
def test_heavy_tails_do_no_harm(parts: Components) -> None:
    """Student's t with 5 degrees of freedom instead of normal effects."""
    rng = np.random.default_rng(9)
    covered = 0
    for _ in range(REPLAYS):
        grid = sum(
            math.sqrt(variance * 3 / 5) * rng.standard_t(5, size=shape)
            for variance, shape in (
                (parts.seed, (5, 1)),
                (parts.persona, (1, 49)),
                (parts.residual, (5, 49)),
            )
        )
        interval = analyse(grid).interval()
        covered += interval.low <= 0 <= interval.high
    assert 0.93 <= covered / REPLAYS <= 0.97


@pytest.mark.parametrize("seeds", [5, 20])
def test_intervals_of_components_cover_them(seeds: int) -> None:
    rng = np.random.default_rng(10 + seeds)
    covered = dict.fromkeys(vars(CLOTHES), 0)
    for _ in range(1000):
        for name, spread in analyse(draw(rng, CLOTHES, seeds, 30)).spreads().items():
            assert spread.low <= spread.high
            covered[name] += spread.low <= getattr(CLOTHES, name) <= spread.high
    assert all(0.93 <= count / 1000 <= 0.975 for count in covered.values()), covered


def test_given_the_seeds_only_personas_vary() -> None:
    grid = draw(np.random.default_rng(11), CLOTHES, 3, 40)
    found = conditional(grid, seed=5)
    expected = mean(grid.mean(axis=0).tolist(), 5, "40 personas, given these 3 seeds")
    assert found == expected
    assert conditional(grid[:1], seed=5).over == "40 personas, given this 1 seed"


# --- many comparisons ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "adjusted"),
    [
        ([], []),
        ([0.2], [0.2]),
        # Sorted: 3 * .01, 2 * .03, 1 * .04; the last may not be below the one before.
        ([0.04, 0.01, 0.03], [0.06, 0.03, 0.06]),
        ([0.5, 0.6], [1.0, 1.0]),
    ],
)
def test_holm_by_hand(given: list[float], adjusted: list[float]) -> None:
    assert holm(given) == pytest.approx(adjusted)


@pytest.mark.slow
@pytest.mark.parametrize(
    "own",
    [CLOTHES, Components(20.0, 60.0, 60.0)],
    ids=["clothes", "more of both"],
)
def test_of_equal_arms_at_most_6_percent_of_families_find_a_difference(own: Components) -> None:
    """Four arms that share the personas and the seeds' streams, all six pairs, five seeds: the
    differences have the variances `own`. Satterthwaite's p-values alone find more than they may."""
    rng = np.random.default_rng(12)
    half = Components(own.seed / 2, own.persona / 2, own.residual / 2)
    found, plain = 0, 0
    for _ in range(REPLAYS):
        shared = draw(rng, Components(2.0, 300.0, 0.0), 5, 49)
        arms = [shared + draw(rng, half, 5, 49) for _ in range(4)]
        pairs = [analyse(b - a) for n, b in enumerate(arms) for a in arms[:n]]
        found += min(holm([pair.p_differs(one_of_many=True) for pair in pairs])) < 0.05
        plain += min(holm([pair.p_differs() for pair in pairs])) < 0.05
    assert found / REPLAYS <= 0.06
    assert found < plain


def hits(rng: np.random.Generator, arms: int, personas: int, rate: float, k: int) -> list[Grid]:
    """Equal arms of five seeds in a measure of somebody's own: the share of hits among k, whose
    chance varies, as a logit, between personas, arms, seeds and runs (docs/method.md)."""
    middle = math.log(rate / (1 - rate)) + 1.5 * rng.normal(size=personas)
    found = []
    for _ in range(arms):
        own = middle + 0.7 * rng.normal(size=personas) + 0.3 * rng.normal(size=(5, 1))
        chance = 1 / (1 + np.exp(-own - 0.7 * rng.normal(size=(5, personas))))
        found.append(rng.binomial(k, chance) / k)
    return found


@pytest.mark.slow
@pytest.mark.parametrize(("k", "rate", "personas"), [(1, 0.02, 20), (5, 0.5, 49)])
def test_of_equal_arms_verdicts_by_hits_are_on_the_careful_side(
    k: int, rate: float, personas: int
) -> None:
    """Few personas and rare hits are far from normal; differences of equal arms are symmetrical."""
    rng = np.random.default_rng(15)
    different, covered, told = 0, 0, 0
    for _ in range(REPLAYS // 2):
        one, two, three = hits(rng, 3, personas, rate, k)
        verdicts = [c.verdict for c in compare([two - one, three - one, three - two], 1, 0)]
        different += "better" in verdicts or "worse" in verdicts
        if np.ptp(two - one):
            interval = analyse(two - one).interval()
            told += 1
            covered += interval.low <= 0 <= interval.high
    assert different / (REPLAYS // 2) <= 0.06
    assert covered / told >= 0.93
    assert told > REPLAYS / 3


def test_verdicts() -> None:
    rng = np.random.default_rng(13)
    noise = [draw(rng, CLOTHES, 6, 49) for _ in range(3)]
    noise = [grid - grid.mean() for grid in noise]  # so that the means below are exact
    up, down, nothing = noise[0] + 9, noise[1] - 9, noise[2] + 0.1
    same, few = np.zeros((6, 49)), noise[0][:4] + 9

    found = compare([up, down, nothing, same, few], margin=4, seed=3)

    assert [one.verdict for one in found] == [
        "better", "worse", "not resolved", "same numbers", "too few seeds",
    ]  # fmt: skip
    assert [one.replaces for one in found] == [True, False, True, False, False]
    tested = [one for one in found if one.crossed]
    expected = [analyse(grid) for grid in (up, down, nothing)]
    assert [one.estimate.low for one in tested] == pytest.approx(
        [one.interval().low for one in expected]
    )
    assert [one.p for one in tested] == pytest.approx([one.p_differs() for one in expected])
    assert [one.p_holm for one in tested] == pytest.approx(
        holm([one.p_differs(one_of_many=True) for one in expected])
    )
    assert found[3].estimate.over == "49 personas, given these 6 seeds"
    assert found[4].estimate == conditional(few, seed=3)
    assert found[4].p is found[4].p_holm is None
    # Whether it is not worse by the margin depends on the margin.
    assert not compare([nothing], margin=0.5, seed=3)[0].replaces


def test_one_comparison_alone_is_judged_by_its_own_interval() -> None:
    rng = np.random.default_rng(14)
    verdicts = set()
    for _ in range(100):
        (found,) = compare([draw(rng, CLOTHES, FEW_SEEDS, 20) + 4], margin=1, seed=0)
        outside = not found.estimate.low <= 0 <= found.estimate.high
        assert found.p_holm == found.p
        assert (found.verdict != "not resolved") == outside
        assert found.replaces == (found.estimate.low > -1)
        verdicts.add(found.verdict)
    assert verdicts == {"better", "not resolved"}


def test_more_comparisons_ask_for_more() -> None:
    rng = np.random.default_rng(15)
    grids = [draw(rng, CLOTHES, 5, 49) + 4 for _ in range(6)]
    alone = [compare([grid], 1, 0)[0].p_holm for grid in grids]
    together = [one.p_holm for one in compare(grids, 1, 0)]
    for ours, theirs in zip(alone, together, strict=True):
        assert ours is not None
        assert theirs is not None
        assert ours < theirs


def test_rounding_is_no_difference_and_no_spread() -> None:
    """0.1 + 0.2 - 0.3 is not 0 in a computer."""
    rng = np.random.default_rng(16)
    values = rng.normal(50, 10, size=(5, 20))
    (same, shifted) = compare([(values + 0.1) - 0.1 - values, (values + 0.1) - values], 1, 0)
    assert same.verdict == "same numbers"
    assert shifted.verdict == "not resolved"  # no spread, no test


# --- ratios -------------------------------------------------------------------------------------


def test_fieller_covers_the_ratio() -> None:
    """Gains of two students on the same personas and judge, 8 and 10 points."""
    rng = np.random.default_rng(17)
    found = []
    for _ in range(600):
        shared = draw(rng, Components(2.0, 60.0, 0.0), 5, 49)
        found.append(ratio(*(gain + shared + draw(rng, CLOTHES, 5, 49) for gain in (8, 10))))
    intervals = [(one.low, one.high) for one in found if one.low is not None and one.high]
    assert len(intervals) > 0.95 * len(found)  # elsewhere the denominator is not told from 0
    covered = sum(low <= 0.8 <= high for low, high in intervals)
    assert 0.93 <= covered / len(intervals) <= 0.975


def test_fieller_is_where_the_test_turns() -> None:
    rng = np.random.default_rng(18)
    ours, theirs = (gain + draw(rng, CLOTHES, 5, 49) for gain in (8, 10))
    found = ratio(ours, theirs, level=0.9)
    assert found.value == pytest.approx(ours.mean() / theirs.mean())
    for end in (found.low, found.high):
        assert end is not None
        assert analyse(ours - end * theirs).p_differs() == pytest.approx(0.1, abs=1e-6)
    assert found.low is not None
    assert found.high is not None
    # Another scale of both changes nothing, and of one that alone.
    scaled = ratio(30 * ours, 10 * theirs, level=0.9)
    assert (scaled.low, scaled.high) == pytest.approx((3 * found.low, 3 * found.high))


def test_a_ratio_to_nothing_is_undefined() -> None:
    rng = np.random.default_rng(19)
    ours, nothing = 8 + draw(rng, CLOTHES, 5, 49), draw(rng, CLOTHES, 5, 49)
    nothing -= nothing.mean()
    found = ratio(ours, nothing + 0.1)
    assert (found.defined, found.value, found.low, found.high) == (False, None, None, None)
    assert "covers zero" in found.why
    assert ratio(nothing, ours).defined  # nothing of something is a number


def test_a_ratio_of_the_same_runs_is_no_evidence() -> None:
    gain = 8 + draw(np.random.default_rng(20), CLOTHES, 5, 49)
    found = ratio(gain, gain)
    assert (found.value, found.low, found.high, found.defined) == (1, None, None, False)
    assert "same numbers" in found.why


def test_a_ratio_needs_pairs() -> None:
    with pytest.raises(ValueError, match="same seeds and personas"):
        ratio(np.ones((5, 4)), np.ones((5, 3)))


# --- planning -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seeds", [5, 8])
@pytest.mark.parametrize("parts", [*FITTED.values(), NEITHER], ids=[*FITTED, "neither"])
def test_what_is_called_detectable_is_found_in_80_of_100(parts: Components, seeds: int) -> None:
    rng = np.random.default_rng(21)
    difference = detectable(parts, seeds, 49)
    found = sum(
        analyse(draw(rng, parts, seeds, 49) + difference).p_differs() < 0.05 for _ in range(REPLAYS)
    )
    assert found / REPLAYS == pytest.approx(0.8, abs=3 * math.sqrt(0.8 * 0.2 / REPLAYS))


def test_what_is_detectable_where_seeds_alone_vary() -> None:
    """Then the test is a t test of five means, whose power by the noncentral t is in textbooks."""
    from scipy.stats import nct

    difference = detectable(Components(4.0, 0.0, 1e-9), 5, 49)
    bound = t.ppf(0.975, 4)
    assert nct.sf(bound, 4, difference / math.sqrt(4 / 5)) == pytest.approx(0.8, abs=0.001)
    assert detectable(Components(0.0, 0.0, 0.0), 5, 49) == 0


def test_power_and_level_cost() -> None:
    usual = detectable(CLOTHES, 5, 49)
    assert detectable(CLOTHES, 5, 49, power=0.9) > usual
    assert detectable(CLOTHES, 5, 49, level=0.05 / 6) > usual
    assert detectable(CLOTHES, 8, 49) < usual
    assert detectable(CLOTHES, 5, 98) < usual


@pytest.mark.parametrize("difference", [1.8, 2.5])
def test_the_seeds_needed_are_the_fewest(difference: float) -> None:
    needed = seeds_needed(CLOTHES, 49, difference)
    assert needed is not None
    assert needed > FEW_SEEDS
    assert detectable(CLOTHES, needed, 49) <= difference
    assert detectable(CLOTHES, needed - 1, 49) > difference


def test_seeds_cannot_replace_personas() -> None:
    # However many seeds, the error of 15 / 49 remains: 2.8 times its root is not 1.
    assert seeds_needed(CLOTHES, 49, 1.0) is None
    assert seeds_needed(CLOTHES, 400, 1.0) is not None
    assert seeds_needed(CLOTHES, 49, 2.5, most=6) is None
    assert seeds_needed(CLOTHES, 49, 50.0) == FEW_SEEDS  # with fewer there is no verdict
