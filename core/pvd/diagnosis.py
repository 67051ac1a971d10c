"""What `pvd doctor` looks at: packages, device, store, plug-ins, keys."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, requires, version

from pvd.discovery import registry
from pvd.errors import BadInput
from pvd.hub import torchvision_fits
from pvd.store import Store, default_path

BUNDLES = ("all", "dev", "docs", "test")  # extras for those who work on pvd
KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "GOOGLE_API_KEY", "GEMINI_API_KEY")


@dataclass(frozen=True)
class Finding:
    """One line: what was looked at, whether it is in order, and what was seen. What only some
    plug-ins need is noted, and no fault."""

    what: str
    good: bool
    detail: str
    noted: bool = False


def examine() -> list[Finding]:
    """Everything that a run relies on."""
    return [
        Finding("python", sys.version_info >= (3, 11), sys.version.split()[0]),
        *_packages(),
        *_torchvision(),
        _device(),
        _store(),
        _prepared(),
        *_plugins(),
        *map(_key, KEYS),
    ]


def _key(name: str) -> Finding:
    there = bool(os.environ.get(name))
    return Finding(name, True, "set" if there else "not set", noted=not there)


def _packages() -> list[Finding]:
    """What must be there; and what an extra would bring, which may be missing."""
    found: dict[str, Finding] = {}  # several extras bring the same
    for line in requires("pvd-distill") or []:
        name = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0]
        extra = re.search(r"extra == ['\"]([^'\"]+)", line)
        if extra and (extra[1] in BUNDLES or name == "pvd-distill"):
            continue
        try:
            found.setdefault(name, Finding(name, True, version(name)))
        except PackageNotFoundError:
            what = f"pip install 'pvd-distill[{extra[1]}]'" if extra else "pip install pvd-distill"
            missing = f"not installed; type: {what}"
            found.setdefault(name, Finding(name, bool(extra), missing, noted=True))
    return list(found.values())


def _torchvision() -> list[Finding]:
    """It comes with open_clip, and often without fitting torch."""
    try:
        there = version("torchvision")
    except PackageNotFoundError:
        return []
    if not (why := torchvision_fits()):
        return [Finding("torchvision", True, there)]
    detail = f"{there}, does not fit torch ({why}); only open_clip needs it"
    return [Finding("torchvision", True, detail, noted=True)]


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


def _prepared() -> Finding:
    folder = default_path().parent / "prepared"
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    return Finding("prepared pictures", True, f"{size / 1e9:.1f} GB in {folder}")


def _plugins() -> list[Finding]:
    rows = registry.listing()
    broken = [row for row in rows if row.status not in ("loaded", "installed")]
    return [
        Finding(
            "plug-ins", True, f"{len(rows) - len(broken)} declared; pvd plugins --load tries each"
        ),
        *(Finding(row.name, False, row.status) for row in broken),
    ]
