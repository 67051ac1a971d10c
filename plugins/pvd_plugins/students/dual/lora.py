"""Low-rank changes of blocks (Hu et al. 2021), through peft."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pvd import kit

if TYPE_CHECKING:
    from torch import Tensor, nn


def adapt(tower: nn.Module, blocks: Sequence[nn.Module], rank: int) -> Any:
    """Give every linear map and attention of the blocks a change of this rank, zero at first; the
    tower is changed in place. Returns peft's wrapper of it."""
    import torch

    peft = kit.need("peft", "lora")
    config = peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=_targets(tower, blocks))
    with torch.random.fork_rng(devices=[]):  # one of the two factors is random
        torch.manual_seed(0)
        return peft.LoraModel(tower, config, "default")


def merged(adapted: Any) -> dict[str, Tensor]:
    """The tower's weights with the changes added to them, under their published names."""
    weights: dict[str, Tensor] = copy.deepcopy(adapted).merge_and_unload().state_dict()
    return weights


def _targets(tower: nn.Module, blocks: Sequence[nn.Module]) -> list[str]:
    from torch.nn import Linear, MultiheadAttention

    inside = {id(module) for block in blocks for module in block.modules()}
    found: list[str] = []
    for name, module in tower.named_modules():
        # peft adapts an attention of torch as a whole, its inner projection included.
        within = any(name.startswith(f"{other}.") for other in found)
        if id(module) in inside and isinstance(module, Linear | MultiheadAttention) and not within:
            found.append(name)
    return found
