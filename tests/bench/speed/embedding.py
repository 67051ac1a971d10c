"""Embedding a catalogue: after a round, and from its files."""

from __future__ import annotations

import statistics

from baselines import encoding, encoding_files
from material import Material
from measuring import Row, Work, interleaved, product
from products import forward

C, D = "(c) open_clip, bf16", "(d) open_clip, fp32"
AGAIN = "embedding after a round, whole tower"
TOP = "embedding after a round, last two blocks"


def rows(material: Material, repetitions: int) -> list[Row]:
    """The table's lines on embedding; seconds a picture."""
    from pvd.pictures import prepare
    from pvd.scoring import embed

    whole, top = material.student("all"), material.student("last-2")
    pictures, kept = prepare(whole, material.items)[0], prepare(top, material.items)[0]
    count = len(material.photographs)
    works = {
        "again": Work(lambda: embed(whole, pictures), count),
        "top": Work(lambda: embed(top, kept), count),
        "bf16": Work(encoding(material, bf16=True), count),
        "fp32": Work(encoding(material, bf16=False), count),
        "files": Work(lambda: embed(whole, prepare(whole, material.items)[0]), count),
        "files, bf16": Work(encoding_files(material, bf16=True), count),
        "files, fp32": Work(encoding_files(material, bf16=False), count),
        "product": product(material.dtype),
    }
    times = interleaved(works, repetitions)
    gflop = statistics.median(times["product"])
    need = gflop * forward(material.config)

    def row(work: str, ours: str, peer: str, against: str, goal: float, floor: float) -> Row:
        seen = {"ours": times[ours], "peer": times[peer], "floor": floor}
        return Row(work=work, against=against, unit="picture", goal=goal, **seen)

    files = "embedding from 512 px JPEG files"
    last = gflop * forward(material.config, 2)
    return [
        row(TOP, "top", "bf16", C, 5, last),
        row(AGAIN, "again", "bf16", C, 1.2, need),
        row(AGAIN, "again", "fp32", D, 3, need),
        row(files, "files", "files, bf16", C, 1.2, need),
        row(files, "files", "files, fp32", D, 3, need),
    ]
