"""The audit's pictures: ranks by place, and predicted against observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pvd import figures
from pvd.auditing.wording import sureness
from pvd.figures import GREY, LOOKS, Chart, legend, rule
from pvd.prose import fixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Card = Mapping[str, Any]
WIDE = 0.5  # an interval of a chance that tells nothing
LETTERS = 34  # of a teacher's label in a legend


def by_place(cards: Sequence[Card]) -> Chart | None:
    """The mean rank of what is shown at each place, with intervals."""
    shown = [card for card in cards if card["place"]["curve"]][: len(LOOKS)]
    if not shown:
        return None
    size = len(shown[0]["place"]["curve"])
    middle = (size + 1) / 2

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        rule(axes, middle, "without bias")
        for row, (card, look) in enumerate(zip(shown, LOOKS, strict=False)):
            aside = 0.12 * (row - (len(shown) - 1) / 2)
            xs = [place + 1 + aside for place in range(size)]
            _points(axes, xs, card["place"]["curve"], card["label"], look)
        axes.set(xlabel="place where an item was shown", xticks=range(1, size + 1))
        axes.set(ylabel="mean rank of what was shown there")
        axes.invert_yaxis()  # the best rank above
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, middle + 0.5), min(high, middle - 0.5))
        legend(axes, columns=1 if len(shown) < 4 else 2)

    ends = [
        f"{_short(card['label'])} {fixed(card['place']['curve'][0]['value'], 2)} and "
        f"{fixed(card['place']['curve'][-1]['value'], 2)}"
        for card in shown
    ]
    return Chart(
        "Rank by place",
        figures.svg(paint, 3.0 + 0.12 * len(shown)),
        f"Mean ranks at the first and the last place: {'; '.join(ends)}. Without bias every place "
        f"has the rank {fixed(middle, 1)}; above the line a place is favoured. What the items are "
        "worth is taken out. 95 % intervals.",
    )


def reliability(cards: Sequence[Card]) -> Chart | None:
    """Predicted and observed chances of comparisons, for teachers that give utilities."""
    able = [card for card in cards if card["calibration"]]
    shown = [card for card in able if _known(card["calibration"]["bins"])][: len(LOOKS)]
    if not shown:
        return None

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        axes.plot((50, 100), (50, 100), color=GREY, lw=0.8, ls=(0, (1, 2)), zorder=0)
        for card, look in zip(shown, LOOKS, strict=False):
            bins = _known(card["calibration"]["bins"])
            xs = [100 * one["predicted"] for one in bins]
            points = [
                {name: 100 * one["observed"][name] for name in ("value", "low", "high")}
                for one in bins
            ]
            _points(axes, xs, points, card["label"], look)
        axes.set(xlabel="predicted by the utilities of one order, %")
        axes.set(ylabel="came out so in another order, %")
        legend(axes, columns=1 if len(shown) < 4 else 2)

    said = "; ".join(sureness({**card, "label": _short(card["label"])}) for card in shown)
    return Chart(
        "How sure the utilities say it is, and how sure it is",
        figures.svg(paint, 3.0 + 0.12 * len(shown)),
        f"{said}. On the dotted line what is predicted is what happens; below it the "
        "differences between utilities promise too much, above it too little. 95 % intervals; "
        "ranges of which hardly anything is known are left out.",
    )


def _known(bins: Sequence[Card]) -> list[Card]:
    """Without what came from next to no comparisons: a bar from 0 to 100 tells nothing, and looks
    as if the line fell."""
    return [one for one in bins if one["observed"]["high"] - one["observed"]["low"] < WIDE]


def _points(
    axes: Axes,
    xs: Sequence[float],
    points: Sequence[Mapping[str, float]],
    label: str,
    look: tuple[str, str, str],
) -> None:
    colour, marker, dash = look
    values = [point["value"] for point in points]
    below = [max(point["value"] - point["low"], 0) for point in points]
    above = [max(point["high"] - point["value"], 0) for point in points]
    # Behind the line, and lighter: where few answers are, a bar is longer than the line.
    axes.errorbar(
        xs, values, (below, above), ls="", ecolor=colour, elinewidth=1, alpha=0.45, zorder=1
    )
    axes.plot(
        xs, values, color=colour, marker=marker, ls=dash, ms=4, lw=1.2, zorder=2,
        label=_short(label),
    )  # fmt: skip


def _short(label: str) -> str:
    text = "".join(c for c in label if c.isprintable())
    return text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
