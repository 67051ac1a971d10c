"""What `pvd doctor` looks at: packages, device, store, plug-ins, keys."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from pvd.discovery import registry
from pvd.errors import BadInput
from pvd.store import Store, default_path

BUNDLES = ("all", "dev", "test")  # extras for those who work on pvd
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY")


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is in order, and what was seen."""

    what: str
    good: bool
    detail: str


def examine() -> list[Finding]:
    """Everything that a run relies on."""
    return [
        Finding("python", sys.version_info >= (3, 11), sys.version.split()[0]),
        *_packages(),
        _device(),
        _store(),
        *_plugins(),
        *(Finding(name, True, "set" if os.environ.get(name) else "not set") for name in KEYS),
    ]


def _packages() -> list[Finding]:
    """What must be there; and what an extra would bring, which may be missing."""
    found = []
    for line in requires("pvd-distill") or []:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([^'\"]+)", line)
        if extra and (extra[1] in BUNDLES or name == "pvd-distill"):
            continue
        try:
            found.append(Finding(name, True, version(name)))
        except PackageNotFoundError:
            what = f"pip install 'pvd-distill[{extra[1]}]'" if extra else "pip install pvd-distill"
            found.append(Finding(name, extra is not None, f"not installed; type: {what}"))
    return found


def _device() -> Finding:
    import torch

    seen = ["cpu"]
    if torch.cuda.is_available():
        seen.append(f"cuda ({torch.cuda.get_device_name()})")
    if torch.backends.mps.is_available():
        seen.append("mps")
    return Finding("devices", True, f"{', '.join(seen)}; {torch.get_num_threads()} threads")


def _store() -> Finding:
    path = default_path()
    try:
        with Store(path):
            return Finding("store", True, str(path))
    except BadInput as error:
        return Finding("store", False, str(error))


def _plugins() -> list[Finding]:
    rows = registry.listing()
    broken = [row for row in rows if row.status not in ("loaded", "not loaded")]
    return [
        Finding("plug-ins", True, f"{len(rows) - len(broken)} declared"),
        *(Finding(row.name, False, row.status) for row in broken),
    ]
