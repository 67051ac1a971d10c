"""What may go on where a comparison lies already: the same arms and further ones, as many seeds or
more, other judges. Anything else is another comparison, and would be laid over this one.
"""

from __future__ import annotations

from pathlib import Path

from pvd.comparing import cells
from pvd.comparing.design import Cell, Design
from pvd.errors import BadInput
from pvd.folder import read_json
from pvd.identity import changed, difference, is_other_version
from pvd.money.amounts import count
from pvd.prose import listed

# Whose exam it is: one by somebody who judges no more may stay there.
ASKED = ("teacher.", "judge.", "streams.teacher", "streams.judge", "plugins.")
NAMED = 4  # arms in a sentence


def check(design: Design, out: Path, result: Path) -> None:
    """Raise BadInput if the folder holds another comparison, begun or finished."""
    cells.check(design, out)
    _check_arms(design, out, result)
    _check_exams(design, out)


def _check_arms(design: Design, out: Path, result: Path) -> None:
    found = read_json(result) if result.exists() else {}
    labels = [arm["label"] for arm in found.get("arms", ())]
    others = [label for label in labels if label not in {arm.label for arm in design.arms}]
    if not others:
        ours = {design.folder(out, Cell(number, 0)).parent for number in range(len(design.arms))}
        lying = (out / "cells").glob("*/seed-*/run.toml")
        others = sorted({path.parts[-3] for path in lying if path.parents[1] not in ours})
    if others:
        more = [f"{len(others) - NAMED} more"] * (len(others) > NAMED)
        raise BadInput(
            f"{out} holds a comparison with other arms ({listed([*others[:NAMED], *more])}); give "
            "all of its arms again, or name another --out."
        )
    if found.get("seeds", 0) > design.seeds:
        raise BadInput(
            f"{out} holds a comparison over {count(found['seeds'], 'seed')}; give --seeds "
            f"{found['seeds']} or more, or name another --out."
        )


def _check_exams(design: Design, out: Path) -> None:
    ours = {design.exam_folder(out, judge): judge for judge in design.judges}
    for path in sorted((out / "exams").glob("*/run.toml")):
        judge = ours.get(path.parent)
        settings = design.examining(judge or design.judges[0])
        free = () if judge else ASKED
        what = difference(settings, path.parent, free) or changed(settings, path.parent, free)
        if what and not is_other_version(settings, path.parent, free):
            raise BadInput(
                f"{path.parent} {what}; give the same again, further values of --vary last, or "
                "name another --out."
            )
