"""The student over a network of two towers: what learns, what is prepared, how it is kept."""

from __future__ import annotations

import hashlib
import json
import warnings
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pvd
from pvd import kit
from pvd_plugins.students.dual import block, lora
from pvd_plugins.students.dual.agreement import check
from pvd_plugins.students.dual.network import Network
from pvd_plugins.students.dual.parts import RATES, Part, first_stage, part_of
from pvd_plugins.students.dual.precision import casting, likes_bf16
from pvd_plugins.students.dual.saving import write
from pvd_plugins.students.dual.texts import pieces

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn

TEXTS = 64  # embedded at once
FEW = 32  # pictures embedded at once on a processor


@dataclass(kw_only=True)
class DualEncoder(pvd.Student):
    """Options and behaviour of every student with two towers; a subclass finds the network."""

    model: Annotated[str, "an id on the hub, or a folder"]
    revision: Annotated[str | None, "branch, tag or commit of the id"] = None
    part: Annotated[
        str,
        "what learns: all; projection; last-N, the last N blocks and what is above; lora or lora-N,"
        " low-rank changes of all or the last N blocks",
    ] = "all"
    rank: Annotated[int, kit.AtLeast(1), "of lora's changes"] = 16
    precision: Annotated[
        Literal["auto", "fp32", "bf16"], "of the image tower; auto is bf16 where it is fast"
    ] = "auto"
    long: Annotated[
        Literal["truncate", "error", "chunk"],
        "texts beyond the text tower's window: cut off with a warning, refused, or read in parts",
    ] = "truncate"

    def __post_init__(self) -> None:
        part_of(self.part)
        # Seen from another folder, the same words would mean a model on the hub.
        if "/" in self.model and Path(self.model).is_dir():
            self.model = str(Path(self.model).resolve())

    @abstractmethod
    def published(self) -> Network:
        """The network with its published weights."""

    @abstractmethod
    def saved(self, folder: Path) -> Network:
        """The network that `save` wrote."""

    def load(self, device: str) -> None:
        network = self.published()
        check(network, self.model, bf16=self._rounds(device))
        self._use(network, device)

    def open(self, folder: Path, device: str) -> None:
        if not folder.is_dir():
            raise kit.MissingFile(f"There is no student in {folder}; check the path.")
        self._use(self.saved(folder), device)

    def _use(self, network: Network, device: str) -> None:
        network.model.eval().requires_grad_(False).to(device)
        self.__dict__.pop("_key", None)
        self._net, self._device = network, device
        self._bf16 = self._rounds(device)
        stages = network.stages()
        part = part_of(self.part)
        self._first = first_stage(part, stages, self.model)
        self._below, self._above = stages[: self._first], stages[self._first :]
        self._adapted: Any = None
        if part.kind == "lora":
            self._adapt(part)
        else:
            for stage in self._above:
                for parameter in stage.parameters():
                    parameter.requires_grad_()

    def _rounds(self, device: str) -> bool:
        """Whether products are made in bf16."""
        return self.precision == "bf16" or (self.precision == "auto" and likes_bf16(device))

    def _adapt(self, part: Part) -> None:
        blocks = [one for stage in self._above if stage.block for one in stage.owns]
        self._adapted = lora.adapt(self._tower, blocks, self.rank)
        if part.blocks is None:
            warnings.warn(
                "student.part=lora changes every block, so nothing below can be kept from step to "
                f"step; lora-N changes the last N of {len(blocks)} and keeps what is below them.",
                stacklevel=3,
            )

    @property
    def _tower(self) -> nn.Module:
        tower: nn.Module = self._net.model.get_submodule(self._net.tower)
        return tower

    # --- embedding --------------------------------------------------------------------------

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        import torch
        from torch.nn.functional import normalize

        parts = pieces(texts, self._net.lengths, self._net.window, self.long)
        flat = [piece for part in parts for piece in part]
        with torch.no_grad():
            rows = torch.cat(
                [
                    normalize(self._net.read(flat[start : start + TEXTS]).float(), dim=1)
                    for start in range(0, len(flat), TEXTS)
                ]
            )
        if len(flat) == len(texts):
            return rows
        means = [chunk.mean(0) for chunk in torch.split(rows, [len(part) for part in parts])]
        return normalize(torch.stack(means), dim=1)

    def prepare(self, images: Sequence[Image]) -> Tensor:
        """Pixels, uint8 [n, 3, H, W], or what the stages below the first that learns make of them:
        [n, tokens, width] or [n, width]; on the CPU."""
        import torch

        pixels = self._net.scaled(images)
        if not self._below:
            return pixels
        with torch.no_grad(), self._cast():
            hidden = self._net.look(pixels.to(self._device))
            for stage in self._below:
                hidden = stage.run(hidden)
        return hidden.to(torch.bfloat16 if self._bf16 else torch.float32).cpu()

    def embed_prepared(self, prepared: pvd.Prepared, *, train: bool = False) -> Tensor:
        import torch
        from torch.nn.functional import normalize

        assert isinstance(prepared, torch.Tensor), "prepared by another student"
        # On a processor the memory of a few pictures is used again and again; that of many is given
        # back and asked for anew in each block, which costs a tenth of the time.
        few = not train and self._device == "cpu"
        with nullcontext() if train else torch.no_grad(), self._cast():
            seen = [
                self._seen(part) for part in (torch.split(prepared, FEW) if few else [prepared])
            ]
        return normalize(torch.cat(seen).float(), dim=1)

    def _seen(self, prepared: Tensor) -> Tensor:
        """[n, D], not of unit length."""
        import torch

        hidden = prepared.to(self._device)
        hidden = hidden.to(torch.float32) if self._below else self._net.look(hidden)
        for stage in self._above:
            hidden = stage.run(hidden)
        return hidden

    def _cast(self) -> AbstractContextManager[Any]:
        return casting(self._device) if self._bf16 else nullcontext()

    def prepare_key(self) -> str:
        return self._key

    @cached_property
    def _key(self) -> str:
        """All that decides what `prepare` returns but the image."""
        import torch

        net = self._net
        told: list[Any] = [type(net).__name__, net.scaling()]
        if self._below:
            told += [list(net.mean), list(net.std), self._first, self._bf16, net.architecture()]
            told.append(block.VERSION)
        key = hashlib.sha256(json.dumps(told, sort_keys=True).encode())
        for stage in self._below:
            for parameter in stage.parameters():
                data = parameter.detach().cpu().contiguous().view(torch.uint8)
                key.update(data.numpy().tobytes())
        return f"{self.label} {key.hexdigest()}"

    # --- learning ---------------------------------------------------------------------------

    def learning_rate(self) -> float:
        return RATES[part_of(self.part).kind]

    def _learning(self) -> dict[str, nn.Parameter]:
        return {n: p for n, p in self._net.model.named_parameters() if p.requires_grad}

    def parameter_groups(self) -> list[dict[str, Any]]:
        learning = self._learning().values()
        matrices = [p for p in learning if p.ndim > 1]
        others = [p for p in learning if p.ndim <= 1]
        groups: list[dict[str, Any]] = [
            {"params": matrices},
            {"params": others, "weight_decay": 0.0},
        ]
        return [group for group in groups if group["params"]]

    def state(self) -> pvd.State:
        return {name: value.detach().clone() for name, value in self._learning().items()}

    def load_state(self, state: pvd.State) -> None:
        import torch

        learning = self._learning()
        if state.keys() != learning.keys():
            raise kit.BadInput(
                f"These weights are those of another student, or of another student.part than "
                f"{self.part}; use what this run saved."
            )
        with torch.no_grad():
            for name, value in state.items():
                learning[name].copy_(value)

    def save(self, folder: Path) -> None:
        """The published layout: its own small files, and all weights in one safetensors file."""
        changed = {}
        if self._adapted is not None:
            weights = lora.merged(self._adapted)
            changed = {f"{self._net.tower}.{name}": value for name, value in weights.items()}
        write(self._net, folder, changed)
