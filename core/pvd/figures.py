"""The report's figures: SVG pictures, each with a caption that says what its numbers show.

Colours are Okabe and Ito's. Nothing rests on colour alone: before is hollow or dashed, after is
filled or solid, so that a grey print says the same.
"""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Any

from pvd.money.amounts import count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, VERMILION, PURPLE = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7"
INK, GREY = "#222222", "#767676"
LOOKS = ((BLUE, "o", "-"), (VERMILION, "s", "--"), (GREEN, "^", "-."), (INK, "D", ":"),
         (PURPLE, "v", "-"), (ORANGE, "x", "--"))  # fmt: skip
WIDTH = 4.3  # inches: about a phone's width, so that the letters stay readable there
FONTS = "system-ui,-apple-system,'Segoe UI',Roboto,'Liberation Sans',Arial,sans-serif"
STYLE: dict[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "pvd",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), INK),
}


@dataclass(frozen=True)
class Chart:
    """A picture as a data URI, what it is for those who cannot see it, and what to conclude."""

    title: str
    image: str
    caption: str


def percentiles(people: Sequence[Mapping[str, Any]], items: int) -> Chart | None:
    """The winner's percentile of each persona, before and after, sorted by before."""
    if not people:
        return None
    pairs = sorted(_before_after(people))
    slim = min(1.0, 60 / len(pairs))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        rule(axes, 50 + 50 / items, "chance")
        for x, (before, after) in enumerate(pairs, 1):
            colour, dash = (BLUE, "-") if after >= before else (VERMILION, ":")
            axes.plot((x, x), (before, after), dash, color=colour, lw=1.6 * slim, alpha=0.6)
        size = 4.2 * slim**0.5
        before_after = list(zip(*pairs, strict=True))
        xs = range(1, len(pairs) + 1)
        axes.plot(xs, before_after[0], "o", ms=size, mfc="white", mec=INK, mew=0.8, label="before")
        axes.plot(xs, before_after[1], "o", ms=size, color=BLUE, label="after")
        axes.set(xlabel="personas, sorted by percentile before training", xticks=[])
        axes.set(ylabel="percentile of the winner", ylim=(-3, 103))
        legend(axes)

    up, down = (sum(sign * (a - b) > 0 for b, a in pairs) for sign in (1, -1))
    middle = [median(values) for values in zip(*pairs, strict=True)]
    return Chart(
        "The winner's percentile for each persona, before and after training",
        svg(paint, 3.0),
        f"The judge's winner moved up for {up} of {count(len(pairs), 'persona')} and down for "
        f"{down}; the median percentile went from {middle[0]:.1f} to {middle[1]:.1f}. One line is "
        "one persona: hollow before training, filled after; dotted where it moved down.",
    )


def reach(people: Sequence[Mapping[str, Any]], items: int) -> Chart | None:
    """How many personas meet their winner within the first k results, before and after."""
    if not people or items < 2:
        return None
    places = [[(1 - p / 100) * items for p in column]
              for column in zip(*_before_after(people), strict=True)]  # fmt: skip

    def share(ranks: Sequence[float], k: float) -> float:
        return 100 * sum(rank < k - 1e-6 for rank in ranks) / len(ranks)

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        ks = sorted({round(items ** (step / 120)) for step in range(121)})
        chance = [100 * k / items for k in ks]
        before, after = ([share(ranks, k) for k in ks] for ranks in places)
        axes.plot(ks, chance, ":", color=GREY, label="by chance")
        axes.step(ks, before, "--", where="post", color=ORANGE, label="before")
        axes.step(ks, after, "-", where="post", color=BLUE, lw=2, label="after")
        axes.set_xscale("log")
        steps = (1, 2, 5) if items <= 1000 else (1,)
        ticks = [step * 10**power for power in range(9) for step in steps]
        axes.set_xticks([k for k in ticks if k <= items])
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.xaxis.set_minor_formatter("")
        axes.set(xlabel=f"first k of {items:,} items", xlim=(1, items))
        axes.set(ylabel="personas that meet the winner, %", ylim=(0, 103))
        legend(axes)

    k = 10 if items > 10 else 1
    return Chart(
        "Share of personas whose winner is among the first k results",
        svg(paint, 3.0),
        f"Within the first {k} of {items:,} items, {share(places[1], k):.0f} % of the personas "
        f"meet their winner, before training {share(places[0], k):.0f} %, by chance "
        f"{100 * k / items:.1f} %.",
    )


def learning(rounds: Sequence[Mapping[str, Any]], best: int, measure: str) -> Chart | None:
    """Validation by round with its interval; no picture without a round of training."""
    shown = [r for r in rounds if r["validation"] is not None]
    if len(shown) < 2:
        return None
    numbers = [r["round"] for r in shown]
    value, low, high = ([r["validation"][k] for r in shown] for k in ("value", "low", "high"))
    what = {"pairs": "pairs ordered like the teacher, %", "mpr": "mean percentile rank"}
    label = what.get(measure, measure)
    at = numbers.index(best) if best in numbers else value.index(max(value))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        if measure in what:
            rule(axes, 50, "chance")
        axes.fill_between(numbers, low, high, color=BLUE, alpha=0.15, lw=0)
        axes.plot(numbers, value, "o-", color=BLUE, ms=4)
        axes.plot(numbers[at], value[at], "o", ms=11, mfc="none", mec=INK, mew=1.1)
        axes.annotate("best", (numbers[at], value[at]), (0, 9), ha="center", va="bottom",
                      textcoords="offset points")  # fmt: skip
        axes.locator_params(axis="x", integer=True)
        axes.margins(y=0.15)
        axes.set(xlabel="round (0: before training)", ylabel=plain(label, 40))

    change = value[at] - value[0]
    since = numbers[-1] - numbers[at]
    caption = (
        f"Validation went from {value[0]:.1f} to {value[at]:.1f} in round {numbers[at]}, the "
        f"best of {numbers[-1]}"
        + ("; the two intervals do not overlap. " if low[at] > high[0] else ". ")
        if change > 0
        else f"No round is better than the student before training ({value[0]:.1f}). "
    )
    if since and numbers[at]:
        later = f"The {since} rounds after it" if since > 1 else "The last round"
        caption += f"{later} brought nothing more. "
    elif at and value[at] - value[at - 1] > (high[at] - low[at]) / 4:
        caption += "It was still rising when training stopped. "
    caption += f"Shown: {label}, with the 95 % interval over {shown[at]['validation']['over']}."
    return Chart("Learning curve on the validation personas", svg(paint, 3.0), caption)


def bins(rounds: Sequence[Mapping[str, Any]]) -> Chart | None:
    """What a sampler's score bins held and failed to give, by round; None for any other note."""
    drawn = [r for r in rounds if "bins" in r["notes"]]
    numbers = [r["round"] for r in drawn]
    try:
        names = list(drawn[-1]["notes"]["bins"])[: len(LOOKS)]
        columns = [[_bin(r["notes"]["bins"][name], r["slates"]) for r in drawn] for name in names]
    except (IndexError, KeyError):
        return None  # no bins, or another sampler's idea of them
    if not names:
        return None

    def paint(figure: Figure) -> None:
        above, below = figure.subplots(2, sharex=True)
        for name, pairs, (colour, marker, dash) in zip(names, columns, LOOKS, strict=False):
            look: dict[str, Any] = {"color": colour, "marker": marker, "ls": dash, "ms": 3.5}
            held, missed = zip(*pairs, strict=True)
            above.plot(numbers, held, label=plain(name, 22), **look)
            below.plot(numbers, missed, **look)
        above.set_yscale("symlog", linthresh=1)
        above.yaxis.set_major_formatter(lambda y, _: f"{y:g}")
        above.yaxis.set_minor_formatter("")
        above.set(ylabel="items in bin", ylim=(0, None))
        below.set(ylabel="shortfall, %", xlabel="round")
        below.set_ylim(-2, max(10, below.get_ylim()[1]))
        below.locator_params(axis="x", integer=True)
        legend(above, columns=4 if sum(map(len, names)) < 40 else 2)

    last = [pairs[-1] for pairs in columns]
    held, scarce = min((held, name) for (held, _), name in zip(last, names, strict=True))
    missed, worst = max((missed, name) for (_, missed), name in zip(last, names, strict=True))
    caption = (
        "A bin is a range of the student's scores for one persona. "
        f"In round {numbers[-1]} the emptiest bin, {scarce}, held {held:,.1f} items of a persona "
        "on average. "
    )
    caption += (
        f"The bin {worst} could not give {missed:.0f} % of the images wanted from it, so others "
        "stood in."
        if missed
        else "Every bin gave all that was wanted from it."
    )
    title = "What the sampler's score bins held, and how often they had too little"
    return Chart(title, svg(paint, 3.0), caption)


def times(seconds: Mapping[str, float]) -> Chart | None:
    """The seconds that each stage of this invocation took."""
    total = sum(seconds.values())
    if not total:
        return None
    unit, name = next(((u, n) for u, n in ((3600, "hours"), (60, "minutes")) if total > 3 * u),
                      (1, "seconds"))  # fmt: skip

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        labels = [plain(stage, 24) for stage in seconds]
        bars = axes.barh(range(len(labels)), [s / unit for s in seconds.values()], color=BLUE)
        axes.bar_label(bars, [f"{s / unit:.1f}" for s in seconds.values()], padding=3)
        axes.set_yticks(range(len(labels)), labels)
        axes.tick_params(axis="y", length=0)
        axes.invert_yaxis()
        axes.margins(x=0.12)
        axes.set(xlabel=name)

    longest = max(seconds, key=lambda stage: seconds[stage])
    caption = (
        f"The longest stage, {longest}, took {seconds[longest] / unit:.1f} of {total / unit:.1f} "
        f"{name} ({100 * seconds[longest] / total:.0f} %)."
    )
    return Chart("Time by stage", svg(paint, 0.8 + 0.24 * len(seconds)), caption)


def _before_after(people: Sequence[Mapping[str, Any]]) -> list[tuple[float, float]]:
    return [(p["percentile"]["zero-shot"], p["percentile"]["distilled"]) for p in people]


def _bin(row: Mapping[str, float], slates: int) -> tuple[float, float]:
    """The items that a bin held for one persona, and the percentage of draws that it missed."""
    # A sampler's notes are added up over the slates of a round.
    return row["members"] / max(slates, 1), 100 * row["short"] / max(row["wanted"], 1)


def rule(axes: Axes, y: float, label: str) -> None:
    axes.axhline(y, color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=0)
    axes.annotate(label, (1, y), (0, 2), xycoords=("axes fraction", "data"), color=GREY,
                  textcoords="offset points", ha="right", fontsize=8)  # fmt: skip


def legend(axes: Axes, columns: int = 3) -> None:
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=columns, borderpad=0,
                borderaxespad=0.3, handlelength=1.8, columnspacing=1)  # fmt: skip


def plain(name: str, most: int) -> str:
    """A label from foreign text: without control characters, which XML forbids, and short."""
    text = "".join(c for c in name if c.isprintable())
    return text if len(text) <= most else text[: most - 1] + "…"


def svg(paint: Callable[[Figure], None], height: float) -> str:
    """The data URI of what `paint` draws, the same bytes for the same drawing."""
    from matplotlib import style
    from matplotlib.figure import Figure

    with style.context(["default", STYLE]), warnings.catch_warnings():
        # The reader's browser has the glyphs that matplotlib's own font lacks.
        warnings.filterwarnings("ignore", message="Glyph .* missing")
        figure = Figure(figsize=(WIDTH, height), layout="constrained")
        paint(figure)
        buffer = io.StringIO()
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(buffer, format="svg", metadata=nothing, transparent=True)
    # Laid out in matplotlib's own font, the same everywhere; shown in the reader's.
    drawing = buffer.getvalue().replace("'DejaVu Sans'", FONTS)
    drawing = drawing[drawing.index("<svg") :]
    return "data:image/svg+xml;base64," + base64.b64encode(drawing.encode()).decode()
