"""Peak memory of a process that trains a ViT-B/32 on 16 slates of five: `memory.py MODEL PART`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from material import Material

PARTS = ("all", "last-2")
BOUND = 5.0  # GB


def peaks(material: Material) -> dict[str, float]:
    """GB at most in memory, by the part that learns; each in a process of its own."""
    found = {}
    told = json.dumps([str(path) for path in material.photographs])
    for part in PARTS:
        command = [sys.executable, __file__, str(material.model), part, str(material.slates)]
        ran = subprocess.run(
            command, input=told, capture_output=True, text=True, check=True, env=dict(os.environ)
        )
        found[part] = float(ran.stdout)
    return found


def main() -> None:
    from material import lesson
    from training import Steps

    from pvd.pictures import prepare

    model, part, slates = sys.argv[1:]
    photographs = [Path(name) for name in json.load(sys.stdin)]
    config = json.loads((Path(model) / "open_clip_config.json").read_text())["model_cfg"]
    material = Material(Path(model), photographs, config, int(slates))
    student = material.student(part)
    pictures, _ = prepare(student, material.items)
    step = Steps(student, lesson(material, pictures, material.slates, len(pictures)), 4)
    for _ in range(3):
        step()
    # Not ru_maxrss, which begins with that of the process that started this one.
    lines = Path("/proc/self/status").read_text().split("\n")
    print(next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith("VmHWM")))


if __name__ == "__main__":
    main()
