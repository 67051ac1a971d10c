"""Numbers of 16 bits, where the device multiplies them in units of its own."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any


def likes_bf16(device: str) -> bool:
    """Whether bf16 is faster there than fp32, by what the device says of itself."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    if device != "cpu" or not hasattr(torch.cpu, "get_capabilities"):  # which torch 2.13 brought
        return False
    known = torch.cpu.get_capabilities()
    return bool(known.get("amx_bf16") or known.get("avx512_bf16"))


def casting(device: str) -> AbstractContextManager[Any]:
    """Products in bf16, weights and sums that need more in fp32."""
    import torch

    return torch.autocast(torch.device(device).type, torch.bfloat16)
