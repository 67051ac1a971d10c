"""The run's report as a browser lays it out: on a phone, and on a wide screen."""

from __future__ import annotations

import runpy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from made_up import estimate, sample

from pvd.report import render

pytestmark = pytest.mark.slow
CHROMIUM = Path(__file__).parents[1] / "plugins/teachers/human/chromium.py"

# Of each number of the first measure: how far down it stands, and how far to the right.
CELLS = """[...document.querySelectorAll('table.measured')].map((table) =>
  [...table.querySelectorAll('tbody tr:first-child td')].map((cell) => {
    const {left, top} = cell.getBoundingClientRect(); return [Math.round(left), Math.round(top)];
  }))"""
# How much of its row each figure, or table beside the figures, leaves empty at the right.
EMPTY = """[...document.querySelectorAll('.plates')].map((grid) => {
  const rows = {}, right = grid.getBoundingClientRect().right;
  for (const one of grid.children) {
    const box = one.getBoundingClientRect();
    rows[Math.round(box.top)] = Math.max(rows[Math.round(box.top)] || 0, box.right);
  }
  return Math.max(...Object.values(rows).map((end) => right - end));
})"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    module = runpy.run_path(str(CHROMIUM))
    if module["find"]() is None:
        pytest.skip(f"none of {', '.join(module['NAMES'])} is installed")
    with module["Chromium"](tmp_path_factory.mktemp("chromium") / "profile") as running:
        yield running


def opened(browser: Any, folder: Path, width: int, notes: int) -> Any:
    """A tab with a report of two measures of plug-ins and so many tables of notes."""
    metrics, usage, gallery = sample(gallery=1)
    for part in ("systems", "gains"):
        for numbers in metrics["exam"][part].values():
            numbers.update({"lift": estimate(0.3, 0.05), "label precision@5": estimate(0.4, 0.05)})
    for row in metrics["rounds"]:
        row["notes"] = {f"note {n}": {"all": {"slates": 7}} for n in range(notes)}
    page = folder / "report.html"
    page.write_text(render(metrics, usage, gallery))
    tab = browser.open(page.as_uri(), width=width)
    tab.until("document.readyState === 'complete' && document.querySelector('footer')")
    return tab


def test_a_measures_numbers_stand_in_one_grid_on_a_phone(browser: Any, tmp_path: Path) -> None:
    tab = opened(browser, tmp_path, 420, notes=1)

    values, gains = tab.value(CELLS)
    for cells in (values, gains):
        lefts, tops = [left for left, _ in cells], [top for _, top in cells]
        assert lefts[0] == min(lefts), "the first number is where a row begins"
        assert tops[0] == tops[1] == tops[2], "and others stand beside it"
    assert len({left for left, _ in values}) == 3
    assert tab.value("document.documentElement.scrollWidth") <= 420


@pytest.mark.parametrize("notes", [0, 1, 2])
def test_no_row_of_figures_is_half_empty(browser: Any, tmp_path: Path, notes: int) -> None:
    tab = opened(browser, tmp_path, 1280, notes)
    assert tab.value("document.querySelectorAll('.plates .plain').length") == notes
    assert all(empty < 10 for empty in tab.value(EMPTY))
    # A caption beside its picture, if that stands alone.
    beside = tab.value(
        "[...document.querySelectorAll('.plates figure')].filter((one) =>"
        " one.querySelector('figcaption').getBoundingClientRect().left"
        " > one.querySelector('img').getBoundingClientRect().right).length"
    )
    assert beside == (1 if notes == 0 else 0)
