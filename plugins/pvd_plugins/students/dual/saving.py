"""Writes a network as its library publishes it."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pvd_plugins.students.dual.network import Network

if TYPE_CHECKING:
    from torch import Tensor


def write(network: Network, folder: Path, changed: Mapping[str, Tensor]) -> None:
    """The published small files as they are, and all weights in one safetensors file.

    `changed` has tensors by their published names that stand in `network.model` otherwise: the
    tower that holds them is taken from there whole.
    """
    from safetensors.torch import save

    folder.mkdir(parents=True, exist_ok=True)
    for path in (path for pattern in network.small for path in network.folder.glob(pattern)):
        if not path.name.endswith(".index.json"):  # of weights that came in several files
            shutil.copyfile(path, folder / path.name)
    own = network.model.state_dict()
    if changed:
        own = {k: v for k, v in own.items() if not k.startswith(f"{network.tower}.")}
    weights = {name: value.cpu().contiguous() for name, value in {**own, **changed}.items()}
    (folder / network.weights).write_bytes(save(weights, {"format": "pt"}))
    for name, value in network.companions().items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(json.dumps(value, indent=2) + "\n")
