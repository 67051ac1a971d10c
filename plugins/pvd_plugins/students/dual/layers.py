"""The blocks of the libraries that are known well enough to be computed plainly."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from pvd_plugins.students.dual.block import Affine, Block, Map, quick_gelu

if TYPE_CHECKING:
    from torch import Tensor


def through(layer: Any, theirs: Map, *, first: bool = False) -> Map:
    """What runs a layer: plainly if it is known, by its library's `theirs` if not. With `first`,
    the result may lack all tokens but the first."""

    def run(hidden: Tensor) -> Tensor:
        # Asked each time: LoRA puts modules of its own into a layer after the stages were made.
        block = known(layer)
        if block is None:
            return theirs(hidden)
        return block.first(hidden) if first else block(hidden)

    return run


def known(layer: Any) -> Block | None:
    """The layer as a block, or None if it is made otherwise, or trains with dropout, or somebody
    listens to its modules."""
    read = READERS.get(_kind(layer))
    if read is None or layer.training or any(_listened(module) for module in layer.modules()):
        return None
    return read(layer)


def _kind(module: Any) -> str:
    """The class and nothing derived from it, without importing its library."""
    return f"{type(module).__module__}.{type(module).__qualname__}"


def _listened(module: Any) -> bool:
    return bool(module._forward_hooks or module._forward_pre_hooks or module._backward_hooks)


def _transformers(layer: Any) -> Block | None:
    attention = layer.self_attn
    if _kind(attention).rpartition(".")[2] not in ("CLIPAttention", "SiglipAttention"):
        return None
    return Block(
        heads=attention.num_heads,
        norm_1=layer.layer_norm1,
        query=_affine(attention.q_proj),
        key=_affine(attention.k_proj),
        value=_affine(attention.v_proj),
        out=attention.out_proj,
        norm_2=layer.layer_norm2,
        mlp=_mlp(layer.mlp.fc1, layer.mlp.activation_fn, layer.mlp.fc2),
    )


def _open_clip(layer: Any) -> Block | None:
    attention = layer.attn
    if _kind(attention) != "torch.nn.modules.activation.MultiheadAttention":  # peft's, say
        return None
    more = attention.bias_k is not None or attention.add_zero_attn or not attention.batch_first
    if more or attention.in_proj_weight is None or hasattr(layer, "ln_1_kv"):
        return None
    return Block(
        heads=attention.num_heads,
        norm_1=layer.ln_1,
        **_thirds(attention.in_proj_weight, attention.in_proj_bias),
        out=lambda mixed: layer.ls_1(attention.out_proj(mixed)),
        norm_2=layer.ln_2,
        mlp=_mlp(layer.mlp.c_fc, layer.mlp.gelu, layer.mlp.c_proj, layer.ls_2),
    )


def _timm(layer: Any) -> Block | None:
    from torch.nn import Identity, Linear

    attention = layer.attn
    if _kind(attention) != "timm.layers.attention.Attention":
        return None
    between = [getattr(attention, name, None) for name in ("q_norm", "k_norm", "norm", "gate")]
    if not all(one is None or type(one) is Identity for one in between):
        return None
    if type(attention.qkv) is not Linear:
        return None
    return Block(
        heads=attention.num_heads,
        norm_1=layer.norm1,
        **_thirds(attention.qkv.weight, attention.qkv.bias),
        out=lambda mixed: layer.drop_path1(layer.ls1(attention.proj_drop(attention.proj(mixed)))),
        norm_2=layer.norm2,
        mlp=lambda hidden: layer.drop_path2(layer.ls2(layer.mlp(hidden))),
    )


READERS: dict[str, Callable[[Any], Block | None]] = {
    "transformers.models.clip.modeling_clip.CLIPEncoderLayer": _transformers,
    "transformers.models.siglip.modeling_siglip.SiglipEncoderLayer": _transformers,
    "open_clip.transformer.ResidualAttentionBlock": _open_clip,
    "timm.models.vision_transformer.Block": _timm,
}

QUICK = ("transformers.activations.QuickGELUActivation", "open_clip.transformer.QuickGELU")


def _affine(module: Any) -> Map:
    """The map of a plain linear layer; another module as it is."""
    from torch.nn import Linear

    return Affine(module.weight, module.bias) if type(module) is Linear else module


def _mlp(*maps: Any) -> Map:
    """One map after the other."""
    fast = [quick_gelu if _kind(one) in QUICK else one for one in maps]

    def run(hidden: Tensor) -> Tensor:
        for one in fast:
            hidden = one(hidden)
        return hidden

    return run


def _thirds(weight: Tensor, bias: Tensor | None) -> dict[str, Map]:
    """Query, key and value that are kept as one map."""
    biases = (None,) * 3 if bias is None else bias.chunk(3)
    maps = [Affine(w, b) for w, b in zip(weight.chunk(3), biases, strict=True)]
    return dict(zip(("query", "key", "value"), maps, strict=True))
