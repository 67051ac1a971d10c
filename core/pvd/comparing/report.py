"""The HTML report of a comparison: which is better, by how much, how sure, at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pvd import figures, pages
from pvd.comparing import measures, wording
from pvd.figures import GREY, LOOKS, Chart
from pvd.money.amounts import count, money

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LOW_HIGH = ("low", "high")
WIDE = 22  # letters of a label, of which two stand side by side below that


def render(findings: Mapping[str, Any]) -> str:
    """The report as one HTML page that loads nothing and runs nothing."""
    views = [view["label"] for view in findings["views"]]
    answers = wording.answers(findings)
    ends = [abs(row["difference"][end]) for row in findings["comparisons"] for end in LOW_HIGH]
    return pages.render(
        "compare.html.j2",
        *(count, dollars, wording.number, wording.signed, wording.between, wording.tag, percent),
        found=findings,
        views=views,
        answers=answers,
        scope=wording.scope(findings),
        how_sure=wording.how_sure(findings),
        spent=wording.spent(findings),
        substitution=wording.substitution(findings),
        about_system=wording.SYSTEMS,
        rows=_by_pair(findings["comparisons"]),
        pairs=_by_pair(findings["pairs"]),
        equal={
            key: (findings[f"equal_{key}"], _by_pair(findings[f"equal_{key}"]["comparisons"]))
            for key in ("answers", "dollars")
            if findings[f"equal_{key}"]
        },
        measured=measures.measured(findings),
        made_up=wording.made_up(findings),
        silent=" ".join(wording.silent(findings)),
        reach=max([*ends, 1.2 * findings["margin"], 0.1]),
        charts=_charts(findings, views),
        paid=any(run["dollars"] != 0 for run in findings["cost"]["runs"]),
    )


def dollars(amount: float | None) -> str:
    """An amount of money; that of an unknown price is unknown."""
    return "unknown" if amount is None else money(amount)


def percent(share: float | None) -> str:
    """A share of a gain."""
    return "\N{EN DASH}" if share is None else f"{100 * share:.0f} %".replace("-", wording.MINUS)


def _by_pair(rows: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The verdicts on the same two, one a view."""
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["factor"], row["a"], row["b"]), []).append(row)
    return list(found.values())


def _charts(findings: Mapping[str, Any], views: Sequence[str]) -> list[Chart]:
    """Learning curves against answers, and against dollars where some were paid."""
    keys = {"answers": "distinct answers, for validation and training"}
    prices = [run["dollars"] for run in findings["cost"]["runs"]]
    if any(prices) and None not in prices:
        keys["dollars"] = "dollars that these answers cost"
    return [
        chart
        for key, label in keys.items()
        for view in views
        if (chart := _curve(findings, view, key, label)) is not None
    ]


def _curve(findings: Mapping[str, Any], view: str, key: str, label: str) -> Chart | None:
    curves = findings["curves"][view]
    if all(len({point[key] for point in points}) < 2 for points in curves.values()):
        return None
    widest = max(map(len, curves))

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for number, (arm, points) in enumerate(curves.items()):
            colour, marker, dash = LOOKS[number % len(LOOKS)]
            costs, values = ([point[name] for point in points] for name in (key, "value"))
            axes.plot(costs, values, color=colour, marker=marker, ls=dash, ms=3.5,
                      label=figures.plain(arm, 40))  # fmt: skip
        axes.set(xlabel=label, ylabel="percentile of what is best")
        axes.grid(axis="y", color=GREY, alpha=0.2, lw=0.5)
        figures.legend(axes, columns=1 if widest > WIDE else 2)

    best = max(curves, key=lambda arm: curves[arm][-1]["value"])
    last = curves[best][-1]
    cost = f"${last[key]:,.2f}" if key == "dollars" else f"{last[key]:,.0f} answers"
    caption = (
        f"At the end {best} stands highest, at {wording.number(last['value'])} after {cost}. Each "
        "point is the round that validation would have chosen if the runs had ended there, mean "
        "over seeds. How sure the differences are stands above; the intervals of the points are "
        "in compare.json."
    )
    lines = len(curves) if widest > WIDE else (len(curves) + 1) // 2
    return Chart(f"What {key} buy, by {view}", figures.svg(paint, 2.8 + 0.16 * lines), caption)
