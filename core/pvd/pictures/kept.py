"""Prepared pictures on disk, so that no command decodes a picture that another one did.

A folder for each key of a student; in it parts of some hundred pictures, each a file that is whole
or not there, mapped and not read. A picture is found by the digest of its bytes.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import accumulate, count
from pathlib import Path
from typing import TYPE_CHECKING

from pvd.errors import BadInput
from pvd.folder import write_bytes
from pvd.store import default_path

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from pvd.protocols import Prepared, Student

SUFFIX = ".safetensors"
ONLY = "prepared"  # the tensor's name, where `prepare` returns just one
DIGESTS = "digests"  # [n, 32] of the pictures, beside what was prepared of them
SPARED = 2 * 10**9  # bytes that stay free on the disk
STALE = 3600.0  # seconds after which what a process had begun to write is nobody's


class Kept:
    """What one student prepared, by the pictures' digests."""

    @classmethod
    def by(cls, student: Student, limit: int = 0) -> Kept:
        """What this student prepared, in the user's cache folder; more is kept up to so many
        bytes of all students together."""
        root = default_path().parent / "prepared"
        return cls(root, f"{student.name} {student.prepare_key()}", limit)

    def __init__(self, root: Path, key: str, limit: int) -> None:
        self.folder: Path = root / hashlib.sha256(key.encode()).hexdigest()[:32]
        self._root, self._limit = root, limit
        self._names = count()
        self.closed: str = ""  # why nothing more is kept
        self._open()

    def _open(self) -> None:
        if self.folder.is_dir():
            with suppress(OSError):  # what can be read is enough
                (self.folder / "used").touch()  # the least recently used folder goes first
                _sweep(self.folder)
        self._bytes = 0
        self._parts: list[_Part] = []
        for path in sorted(self.folder.glob(f"[0-9]*{SUFFIX}")):
            try:
                self._parts.append(_Part(path))
                self._bytes += path.stat().st_size
            except (OSError, ValueError, KeyError):
                path.unlink(missing_ok=True)  # its pictures are prepared again
        others = self._root.iterdir() if self._root.is_dir() else ()
        self._others = {f: _size(f) for f in others if f.is_dir() and f != self.folder}
        self._sort()

    def _sort(self) -> None:
        import numpy as np

        self._ends = list(accumulate(len(part) for part in self._parts))
        seen = [part.digests for part in self._parts]
        self._digests = np.concatenate(seen) if seen else np.empty((0, 32), np.uint8)
        self._order = np.argsort(_heads(self._digests), kind="stable")
        self._sorted = _heads(self._digests)[self._order]

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __contains__(self, digest: str) -> bool:
        return bool(self.find([digest])[0] >= 0)

    def find(self, digests: Sequence[str]) -> Tensor:
        """[n], the place of each picture, or -1 where it is not kept."""
        import numpy as np
        import torch

        if not len(self) or not digests:
            return torch.full((len(digests),), -1)
        wanted = np.frombuffer(bytes.fromhex("".join(digests)), np.uint8).reshape(-1, 32)
        at = np.searchsorted(self._sorted, _heads(wanted)).clip(max=len(self) - 1)
        places = self._order[at]
        # Two digests with the same first 64 bits would hide each other: they cost time, no more.
        same = (self._digests[places] == wanted).all(1)
        return torch.from_numpy(np.where(same, places, -1))

    def take(self, places: Tensor) -> Prepared:
        """What was prepared of the pictures in these places, in their order."""
        import torch

        ends = torch.tensor(self._ends)
        numbers = torch.searchsorted(ends, places, right=True)
        first = self._parts[int(numbers[0])].tensors
        taken = {n: t.new_empty((len(places), *t.shape[1:])) for n, t in first.items()}
        for number in sorted(set(numbers.tolist())):
            part, here = self._parts[number], (numbers == number).nonzero()[:, 0]
            rows = places[here] - self._ends[number] + len(part)
            for name, tensor in part.tensors.items():
                taken[name][here] = tensor[rows]
        return taken[ONLY] if list(taken) == [ONLY] else taken

    def add(self, digests: Sequence[str], prepared: Prepared) -> bool:
        """Keep these too, unless there is no room; whether they are kept now."""
        import torch
        from safetensors.torch import save

        if self.closed:
            return False
        fields = prepared if isinstance(prepared, Mapping) else {ONLY: prepared}
        names = torch.frombuffer(bytearray.fromhex("".join(digests)), dtype=torch.uint8)
        tensors = {name: tensor.contiguous() for name, tensor in fields.items()}
        data = save({DIGESTS: names.view(-1, 32), **tensors})
        if not self._leaves_room(len(data)):
            self.closed = f"the disk of {self._root} would have less than {SPARED / 1e9:g} GB left"
            return False
        if not self._makes_room(len(data)):
            self.closed = f"{self._root} would have more than {self._limit / 1e9:g} GB"
            return False
        # Processes that prepare at once write parts of their own; nothing is lost if both do.
        path = self.folder / f"{time.time_ns()}-{os.getpid()}-{next(self._names)}{SUFFIX}"
        try:
            write_bytes(path, data)
            (self.folder / "used").touch()
            self._parts.append(_Part(path))
        except (BadInput, OSError) as error:
            self.closed = str(error)
            return False
        return True

    def settle(self) -> None:
        """After adding: what was added can be found and taken."""
        self._sort()

    def _makes_room(self, size: int) -> bool:
        """Whether so many bytes fit, if need be without what other keys keep."""
        for folder in sorted(self._others, key=_used):
            if self._bytes + size + sum(self._others.values()) <= self._limit:
                break
            shutil.rmtree(folder, ignore_errors=True)  # who has mapped it keeps what it mapped
            del self._others[folder]
        self._bytes += size
        return self._bytes + sum(self._others.values()) <= self._limit

    def _leaves_room(self, size: int) -> bool:
        """Whether the disk has plenty left for what matters more."""
        there = next(folder for folder in (self._root, *self._root.parents) if folder.exists())
        return shutil.disk_usage(there).free - size >= SPARED


class _Part:
    """One file: the digests in memory, the tensors mapped."""

    def __init__(self, path: Path) -> None:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, "pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except SafetensorError as error:
            raise ValueError(str(error)) from None
        self.digests: np.ndarray = tensors.pop(DIGESTS).numpy().copy()
        self.tensors = tensors
        if not tensors or any(len(t) != len(self.digests) for t in tensors.values()):
            raise ValueError(f"{path} lacks something")

    def __len__(self) -> int:
        return len(self.digests)


def _heads(digests: np.ndarray) -> np.ndarray:
    """The first 64 bits of each."""
    import numpy as np

    return np.ascontiguousarray(digests[:, :8]).view(np.uint64)[:, 0]


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.glob(f"*{SUFFIX}"))


def _used(folder: Path) -> float:
    mark = folder / "used"
    return mark.stat().st_mtime if mark.exists() else 0.0


def _sweep(folder: Path) -> None:
    for path in folder.glob(".*.tmp"):
        if time.time() - path.stat().st_mtime > STALE:
            path.unlink(missing_ok=True)
