"""The HTML report of a comparison: which is better, by how much, how sure, at what cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pvd import figures, pages
from pvd.comparing import measures, wording
from pvd.comparing.units import POINTS, Unit, in_points, judges, own, units
from pvd.comparing.units import percent as written_percent
from pvd.comparing.verdicts import tag
from pvd.figures import GREY, LOOKS, Chart
from pvd.metrics import SYSTEMS
from pvd.money.amounts import count
from pvd.pages import dollars
from pvd.prose import DASH

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LOW_HIGH = ("low", "high")
WIDE = 22  # letters of a label, of which two stand side by side below that


def render(findings: Mapping[str, Any]) -> str:
    """The report as one HTML page that loads nothing and runs nothing."""
    views, plug_ins = judges(findings), own(findings)
    written = units(findings)
    return pages.render(
        "compare.html.j2",
        *(count, dollars, tag, percent, margin),
        found=findings,
        points=POINTS,
        units=written,
        views=views,
        plug_ins=plug_ins,
        answers=wording.answers(findings),
        scope=wording.scope(findings),
        how_sure=wording.how_sure(findings),
        spent=wording.spent(findings),
        substitution=wording.substitution(findings),
        about_system=SYSTEMS,
        rows=_by_pair(findings["comparisons"], views),
        pairs=_by_pair(findings["pairs"], views),
        rows_by_plug_ins=_by_pair(findings["comparisons"], plug_ins),
        pairs_by_plug_ins=_by_pair(findings["pairs"], plug_ins),
        equal={
            key: (
                findings[f"equal_{key}"],
                _by_pair(findings[f"equal_{key}"]["comparisons"], [*views, *plug_ins]),
            )
            for key in ("answers", "dollars")
            if findings[f"equal_{key}"]
        },
        measured=measures.measured(findings),
        made_up=wording.made_up(findings),
        silent=" ".join(wording.silent(findings)),
        systems_by_plug_ins=list(
            dict.fromkeys(system for view in plug_ins for system in findings["rows"][view])
        ),
        chances={
            view: findings["chance"][unit.metric]
            for view, unit in written.items()
            if unit.metric in findings["chance"]
        },
        reaches=_reaches(findings, views, plug_ins),
        charts=_charts(findings, {view: written[view] for view in views}),
        charts_by_plug_ins=_charts(findings, {view: written[view] for view in plug_ins}),
        paid=any(run["dollars"] != 0 for run in findings["cost"]["runs"]),
    )


def margin(size: float) -> str:
    """The points that a stand-in may be worse by."""
    return in_points(size)


def percent(share: float | None) -> str:
    """A share of a gain."""
    return DASH if share is None else f"{written_percent(share)} %"


def _reaches(
    findings: Mapping[str, Any], views: Sequence[str], plug_ins: Sequence[str]
) -> dict[str, float]:
    """By view, where the scale of its differences ends: one for all in points, one for each other
    unit."""
    rows = [*findings["comparisons"], *findings["pairs"]]

    def ends(some: Sequence[str]) -> list[float]:
        return [abs(r["difference"][end]) for r in rows if r["view"] in some for end in LOW_HIGH]

    points = max([*ends(views), 1.2 * findings["margin"], 0.1])
    own_units = {view: max(ends([view])) or 1.0 for view in plug_ins}
    return dict.fromkeys(views, points) | own_units


def _by_pair(
    rows: Sequence[Mapping[str, Any]], views: Sequence[str]
) -> list[list[Mapping[str, Any]]]:
    """The verdicts on the same two, one a view."""
    found: dict[tuple[str, str, str], list[Mapping[str, Any]]] = {}
    for row in (row for row in rows if row["view"] in views):
        found.setdefault((row["factor"], row["a"], row["b"]), []).append(row)
    return list(found.values())


def _charts(findings: Mapping[str, Any], views: Mapping[str, Unit]) -> list[Chart]:
    """Learning curves against answers, and against dollars where some were paid."""
    keys = {"answers": "distinct answers, for validation and training"}
    prices = [run["dollars"] for run in findings["cost"]["runs"]]
    if any(prices) and None not in prices:
        keys["dollars"] = "dollars that these answers cost"
    return [
        chart
        for key, label in keys.items()
        for view, unit in views.items()
        if (chart := _curve(findings, view, unit, key, label)) is not None
    ]


def _curve(
    findings: Mapping[str, Any], view: str, unit: Unit, key: str, label: str
) -> Chart | None:
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
        axes.set(xlabel=label, ylabel=figures.plain(unit.label, 40))
        axes.grid(axis="y", color=GREY, alpha=0.2, lw=0.5)
        figures.legend(axes, columns=1 if widest > WIDE else 2)

    best = max(curves, key=lambda arm: curves[arm][-1]["value"])
    last = curves[best][-1]
    cost = f"${last[key]:,.2f}" if key == "dollars" else f"{last[key]:,.0f} answers"
    caption = (
        f"At the end {best} stands highest, at {unit.number(last['value'])} after {cost}. Each "
        "point is the round that validation would have chosen if the runs had ended there, mean "
        "over seeds. How sure the differences are stands above; the intervals of the points are "
        "in compare.json."
    )
    lines = len(curves) if widest > WIDE else (len(curves) + 1) // 2
    return Chart(f"What {key} buy, by {view}", figures.svg(paint, 2.8 + 0.16 * lines), caption)
