"""Memory while a million items are scored for a thousand personas, as a round does it: vectors in a
mapped file, four-bin by range, which looks at every score."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

ITEMS, PERSONAS, WIDTH, BLOCK = 1_000_000, 1000, 512, 10_000


def peaks(items: int = ITEMS, personas: int = PERSONAS) -> dict[str, float]:
    """GB at most: of the process's own, and with the pages of the file that it has looked at."""
    command = [sys.executable, __file__, str(items), str(personas)]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    return {name: float(value) for name, value in json.loads(ran.stdout).items()}


def status(name: str) -> float:
    lines = Path("/proc/self/status").read_text().split("\n")
    return next(int(line.split()[1]) * 1024 / 1e9 for line in lines if line.startswith(name))


class Watch(threading.Thread):
    """The largest amount of the process's own memory, looked at every few milliseconds."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.most = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.005):
            self.most = max(self.most, status("RssAnon"))

    def end(self) -> float:
        self._over.set()
        self.join()
        return self.most


def main() -> None:
    import torch
    from torch.nn.functional import normalize

    import pvd
    from pvd.drawing import Shop, draw_round
    from pvd.folder import new_array, read_array
    from pvd_plugins.samplers.four_bin import FourBin

    count, people = int(sys.argv[1]), int(sys.argv[2])
    watch = Watch()
    watch.start()
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "items.npy"
        with new_array(file, (count, WIDTH)) as rows:
            for start in range(0, count, BLOCK):
                some = rows[start : start + BLOCK]
                rng = torch.Generator().manual_seed(start)
                some.copy_(normalize(torch.randn(some.shape, generator=rng), dim=1))
        del rows, some
        vectors = read_array(file)
        shop = Shop(
            personas=[pvd.Persona(f"p{n}", f"Person {n}") for n in range(people)],
            items=[
                pvd.Item(f"{n:08d}", Path(f"images/{n:08d}.jpg"), f"Thing {n}", {"kind": "thing"})
                for n in range(count)
            ],
            texts=normalize(torch.randn(people, WIDTH), dim=1),
            embeddings=vectors,
            base=vectors,
        )
        draw_round(FourBin(), shop, round=1, slots=people, size=5, seed=0)
        print(json.dumps({"own": watch.end(), "with the file": status("VmHWM")}))


if __name__ == "__main__":
    main()
