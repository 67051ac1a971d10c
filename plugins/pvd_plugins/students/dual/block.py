"""A transformer block with the norm in front, computed plainly from its library's own modules.

The same numbers as the library's forward, faster on a processor: attention as two products where
those are, the sum over the blocks in fp32, and of the last block only what is read of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from torch import Tensor

VERSION = 1  # of these computations; other ones round otherwise, so what was kept is of no use
LONG = 512  # tokens

Map: TypeAlias = "Callable[[Tensor], Tensor]"


@dataclass(frozen=True)
class Affine:
    """A linear map whose weights can be read, and not only applied."""

    weight: Tensor  # [out, in]
    bias: Tensor | None

    def __call__(self, hidden: Tensor) -> Tensor:
        from torch.nn.functional import linear

        return linear(hidden, self.weight, self.bias)


@dataclass(frozen=True)
class Block:
    """What a block consists of. Everything else that its library does there (scales, dropout that
    is off) is inside `out` and `mlp`."""

    heads: int
    norm_1: Map
    query: Map
    key: Map
    value: Map
    out: Map
    norm_2: Map
    mlp: Map

    def __call__(self, hidden: Tensor) -> Tensor:
        """[n, T, D], all tokens."""
        seen = rounded(self.norm_1(hidden))
        q, k, v = (self._split(one(seen)) for one in (self.query, self.key, self.value))
        return self._rest(hidden, attend(q, k, v).transpose(1, 2).flatten(2))

    def first(self, hidden: Tensor) -> Tensor:
        """[n, 1, D], the first token alone: for a tower that reads nothing else of its last block.

        One query needs no key and no value of each token: instead of W x for every token x, its
        product with q is (q W) x, and the mixture of all W x is W times the mixture of the x.
        That leaves a fiftieth of the products of the block.
        """
        seen = rounded(self.norm_1(hidden))
        q = self._split(self.query(seen[:, 0]).unsqueeze(1))
        if isinstance(self.key, Affine) and isinstance(self.value, Affine):
            mixed = _absorbed(q, self.key, self.value, seen)
        else:  # LoRA's maps can only be applied
            k, v = self._split(self.key(seen)), self._split(self.value(seen))
            mixed = attend(q, k, v).transpose(1, 2).flatten(2)
        return self._rest(hidden[:, :1], mixed)

    def _rest(self, hidden: Tensor, mixed: Tensor) -> Tensor:
        hidden = hidden + self.out(mixed)
        return hidden + self.mlp(rounded(self.norm_2(hidden)))

    def _split(self, hidden: Tensor) -> Tensor:
        """[n, T, D] as [n, heads, T, D / heads]."""
        return hidden.view(*hidden.shape[:2], self.heads, -1).transpose(1, 2)


def rounded(hidden: Tensor) -> Tensor:
    """In the precision of the products to come: autocast would round for each of them again."""
    import torch

    kind = hidden.device.type
    return hidden.to(torch.get_autocast_dtype(kind)) if torch.is_autocast_enabled(kind) else hidden


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attention without a mask, [n, heads, T, D / heads] each."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention

    # torch's fused attention is made for GPUs and long sequences. On an EPYC with AVX512-BF16
    # (torch 2.13, one thread, twelve heads of 64) its forward and backward in bf16 take 2.0 ms a
    # picture of 50 tokens, two plain products 0.5; at 197 tokens 10.1 and 4.4; at 577 as long as
    # each other, and the products hold T x T numbers a head. In fp32 it is the faster one at any
    # length: 0.9 against 1.0 at 50, 8.8 against 11.9 at 197.
    if q.device.type == "cpu" and q.dtype == torch.bfloat16 and k.shape[2] < LONG:
        scores = (q * q.shape[3] ** -0.5) @ k.transpose(2, 3)
        mixed: Tensor = scores.softmax(3) @ v
        return mixed
    return scaled_dot_product_attention(q, k, v)


def quick_gelu(hidden: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), by a function of torch that does it at once, backwards too."""
    from torch.nn.functional import silu

    return silu(hidden * 1.702).mul_(1 / 1.702)


def _absorbed(q: Tensor, key: Affine, value: Affine, seen: Tensor) -> Tensor:
    """[n, 1, D], what one query [n, heads, 1, d] a picture makes of all its tokens [n, T, D]."""
    heads, wide = q.shape[1], q.shape[3]
    by_head = q[:, :, 0].transpose(0, 1) * wide**-0.5  # [heads, n, d]
    asked = by_head @ key.weight.view(heads, wide, -1)  # [heads, n, D]
    # The key's bias adds the same to the scores of all tokens: the softmax does not see it.
    shares = (asked.transpose(0, 1) @ seen.transpose(1, 2)).softmax(2)  # [n, heads, T]
    mixture = (shares @ seen).transpose(0, 1)  # [heads, n, D]
    mixed: Tensor = mixture @ value.weight.view(heads, wide, -1).transpose(1, 2)  # [heads, n, d]
    mixed = mixed.transpose(0, 1).flatten(1)
    return (mixed if value.bias is None else mixed + value.bias).unsqueeze(1)
