"""Auditing: a report card of teachers, before anyone pays for ten thousand answers.

A few hundred slates, each in several orders, go to every teacher. What comes back is counted in
pure functions (`intervals`, `agreement`, `places`, `pairs`, `calibration`) and told in `wording`,
`table` and `page`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pvd.auditing.questions import Design
from pvd.auditing.running import Audit, Task, execute, plan, task
from pvd.auditing.teachers import Member, members
from pvd.discovery import registry
from pvd.progress import Progress, Silent
from pvd.protocols import Teacher
from pvd.settings import recipe as read_recipe
from pvd.settings import resolve

__all__ = ["Audit", "Design", "Member", "Task", "audit", "execute", "members", "plan", "task"]


def audit(
    *teachers: str | Mapping[str, Any] | Teacher,
    slates: int = 200,
    orders: int = 3,
    pairs: int | None = None,
    prompts: Sequence[str] = (),
    out: str | Path | None = None,
    recipe: str = "default",
    plugins: Iterable[str | Path] = (),
    progress: Progress | None = None,
    **tables: Any,
) -> Audit:
    """`pvd audit` for programs: a teacher is a name, a table with `use`, or a component; other
    keywords are what a TOML file holds."""
    registry.load_files(plugins)
    settings = resolve(read_recipe(recipe), tables)
    found = members(teachers, {}, prompts, settings.teacher)
    design = Design(slates, orders, settings.train.size, pairs)
    folder = Path(out) if out is not None else None
    return execute(task(settings, found, design, folder), progress or Silent())
