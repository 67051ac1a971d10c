"""A table keeps within its window, by whichever way takes fewer lines."""

from __future__ import annotations

import re

import pytest

from pvd.printing import by_row

HEADS = ["a long name of one\n- another", "one\n- before", "another\n- before"]
CELLS = ["+1.0 (+0.5 to +1.5)\nnot resolved", "+2.0 (+1.0 to +3.0)", "+9.0 (+8.0 to +9.9)"]
NAMES = [f"measure {n} under somebody" for n in range(4)]
ROWS = [(name, CELLS) for name in NAMES]


def printed(capsys: pytest.CaptureFixture[str], width: int, most: float = 99) -> list[str]:
    from rich.console import Console

    fits = by_row(Console(width=width, markup=False), "measure", HEADS, ROWS, most)
    lines = capsys.readouterr().out.splitlines()
    assert fits == bool(lines)
    return lines


def test_where_there_is_room_a_row_is_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, 100)
    (one,) = [line for line in lines if line.startswith(NAMES[1])]
    assert re.split(r"\s{2,}", one)[1:] == [cell.split("\n")[0] for cell in CELLS]


@pytest.mark.parametrize(
    ("width", "label"),
    [
        (72, ["a long name of one - another"]),
        (60, ["a long name of one -", "another"]),
    ],
)
def test_else_its_cells_stand_below_it(
    width: int, label: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, width)
    assert max(map(len, lines)) <= width
    below = lines[lines.index(NAMES[1]) + 1 : lines.index(NAMES[2])]
    assert [re.split(r"\s{2,}", line) for line in below] == [
        *(["", part] for part in label[:-1]),
        ["", label[-1], *CELLS[0].split("\n")],
        ["", "one - before", CELLS[1]],
        ["", "another - before", CELLS[2]],
    ]


def test_what_is_too_long_is_not_printed_at_all(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, 100)
    assert printed(capsys, 100, most=len(lines)) == lines
    assert printed(capsys, 100, most=len(lines) - 1) == []


@pytest.mark.parametrize("width", [38, 40, 44, 52])
def test_no_line_is_wider_than_its_window(width: int, capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys, width)
    assert max(map(len, lines)) <= width
    text = "\n".join(lines)
    assert [text.count(cell.split("\n")[0]) for cell in CELLS] == [len(ROWS)] * 3
