"""The rows as a table: on a terminal, and between two marks of docs/performance.md."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from statistics import median

from measuring import Row

PEAKS = (
    "Peak memory of a process that trains (ViT-B/32, 16 slates of five): the whole tower {all}, "
    "the last two blocks on kept activations {last-2}. Of one that scores 1,000,000 items for "
    "1,000 personas and draws (four-bin by range): {own} of its own, {with the file} with the "
    "mapped pages of the file in which the embeddings lie."
)
BEGIN, END = "<!-- measured -->", "<!-- /measured -->"


def cells(row: Row) -> list[str]:
    """One line, as text."""
    low, high = row.spread
    bound = f"{'at most' if row.at_most else 'at least'} {row.goal:g}"
    return [
        row.work + (f" ({row.note})" if row.note else ""),
        row.against,
        f"{spoken(median(row.ours))} / {row.unit}",
        spoken(median(row.peer)),
        f"{row.ratio:.2f} ({low:.2f} to {high:.2f})",
        bound,
        "yes" if row.met else "no",
        f"{spoken(row.floor)}, {row.share:.0%}",
    ]


HEAD = ["work", "beside", "ours", "the other's", "ours is (range)", "of it products"]


def columns(row: Row) -> list[str]:
    """One line for who reads the page: how fast, and not which goal."""
    work, against, ours, theirs, ratio, *_ = cells(row)
    times, _, spread = ratio.partition(" ")
    told = f"{times} times {'its time' if row.at_most else 'as fast'} {spread}"
    return [work, against, ours, theirs, told, f"{row.share:.0%}"]


def goals(rows: Sequence[Row]) -> str:
    """What had been aimed at, and was not reached."""
    missed = [
        f"{row.work}, beside {row.against.split()[0].strip(',')}: {row.ratio:.2f}, not {row.goal:g}"
        for row in rows
        if not row.met
    ]
    reached = (
        f"{len(rows) - len(missed)} of the {len(rows)} goals that were set before are reached."
    )
    return f"{reached} Missed: {'; '.join(missed)}." if missed else reached


def spoken(seconds: float) -> str:
    """Seconds in a unit of three figures."""
    if seconds >= 100:
        return f"{seconds:,.0f} s"
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1e3 * seconds:.3g} ms"


def markdown(rows: Sequence[Row], peaks: Mapping[str, float], about: str) -> str:
    """The table, where it was measured, and the peaks of memory."""
    lines = [about, "", _line(HEAD), _line(["---"] * len(HEAD))]
    lines += [_line(columns(row)) for row in rows]
    lines += ["", goals(rows)]
    told = {name: f"{peak:.1f} GB" for name, peak in peaks.items()}
    lines += ["", PEAKS.format(**told)] if told else []
    return "\n".join(lines) + "\n"


def terminal(rows: Sequence[Row]) -> str:
    """A few lines a row, for any width."""
    found = []
    for row in rows:
        work, against, ours, theirs, ratio, bound, met, floor = cells(row)
        found.append(f"{work}\n    against {against}: {ratio}, {bound}: {met}")
        found.append(f"    {ours}, theirs {theirs}, products alone {floor} of ours")
    return "\n".join(found)


def machine() -> str:
    """Where and with what it was measured."""
    import torch

    known = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    units = [name for name, has in known.items() if has and ("bf16" in name or "amx" in name)]
    with open("/proc/cpuinfo") as lines:
        cpu = next((li.split(":")[1].strip() for li in lines if "model name" in li), "")
    versions = ", ".join(f"{name} {version(name)}" for name in ("torch", "open_clip_torch"))
    when = datetime.now(UTC).date().isoformat()
    return (
        f"One thread of {cpu or platform.processor()} ({', '.join(units) or 'no units for bf16'}), "
        f"{platform.system()}, Python {platform.python_version()}, {versions}, {when}."
    )


def around(path: Path) -> tuple[str, str]:
    """What stands before and after the table of a page; SystemExit where it has no place for it."""
    before, _, rest = path.read_text().partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise SystemExit(f"{path} has no {BEGIN} and {END}; put them where the table belongs.")
    return before, after


def write(path: Path, table: str) -> None:
    """Put the table between the marks."""
    before, after = around(path)
    path.write_text(f"{before}{BEGIN}\n{table}{END}{after}")


def _line(texts: Sequence[str]) -> str:
    return f"| {' | '.join(texts)} |"
