"""Blocks that are computed plainly: the same numbers and gradients as their libraries' own forward,
and the library's own forward wherever a block is made otherwise.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

hf = pytest.importorskip("transformers", reason="pip install 'pvd-distill[hf]'")
open_clip = pytest.importorskip("open_clip", reason="pip install 'pvd-distill[open-clip]'")
torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from timm.models.vision_transformer import Block as TimmBlock  # noqa: E402
from torch import Tensor, nn  # noqa: E402

import pvd  # noqa: E402
from pvd import kit  # noqa: E402
from pvd.testing import items  # noqa: E402
from pvd_plugins.students.dual import block, layers  # noqa: E402

Made = Callable[..., pvd.Student]
Maker = Callable[[], nn.Module]
WIDTH, HEADS, TOKENS, PICTURES = 96, 3, 17, 5


def vision(kind: str, **more: Any) -> Any:
    sizes = {"hidden_size": WIDTH, "intermediate_size": 192, "num_attention_heads": HEADS}
    return getattr(hf, f"{kind}VisionConfig")(**sizes, **more, attn_implementation="sdpa")


def clip_layer(**more: Any) -> nn.Module:
    return hf.models.clip.modeling_clip.CLIPEncoderLayer(vision("CLIP", **more)).eval()


def siglip_layer() -> nn.Module:
    return hf.models.siglip.modeling_siglip.SiglipEncoderLayer(vision("Siglip")).eval()


def open_layer(**more: Any) -> nn.Module:
    return open_clip.transformer.ResidualAttentionBlock(WIDTH, HEADS, **more).eval()


def timm_layer(**more: Any) -> nn.Module:
    return TimmBlock(WIDTH, HEADS, **{"qkv_bias": True, **more}).eval()


LAYERS: dict[str, Maker] = {
    "clip": clip_layer,  # with quick_gelu, as OpenAI's
    "clip, gelu": lambda: clip_layer(hidden_act="gelu"),
    "siglip": siglip_layer,
    "open_clip": open_layer,
    "open_clip, quick_gelu": lambda: open_layer(act_layer=open_clip.transformer.QuickGELU),
    "open_clip, layer scale": lambda: open_layer(ls_init_value=0.3),
    "timm": timm_layer,
    "timm, layer scale": lambda: timm_layer(init_values=0.3),
    "timm, no bias": lambda: timm_layer(qkv_bias=False),
    "timm, drop path, which is off": lambda: timm_layer(drop_path=0.5, proj_drop=0.5),
}
OTHERS: dict[str, Maker] = {
    "norm behind": lambda: timm.models.vision_transformer.ResPostBlock(WIDTH, HEADS).eval(),
    "norms of q and k": lambda: timm_layer(qk_norm=True),
    "a norm after the attention": lambda: timm_layer(scale_attn_norm=True),
    "a gate": lambda: gated(timm_layer()),
    "keys of its own": lambda: open_layer(is_cross_attention=True),
    "another attention": lambda: replaced(open_layer()),
    "a class derived from a known one": lambda: Derived(WIDTH, HEADS).eval(),
    "drop path while training": lambda: timm_layer(drop_path=0.5).train(),
    "somebody listens": lambda: listened(clip_layer()),
}


class Derived(TimmBlock):
    """Who knows what it does."""

    def forward(self, x: Tensor, *more: Any, **most: Any) -> Tensor:
        return 2 * super().forward(x, *more, **most)


def gated(layer: Any) -> nn.Module:
    layer.attn.gate = nn.Linear(WIDTH, WIDTH)
    return layer


def replaced(layer: Any) -> nn.Module:
    layer.attn = nn.MultiheadAttention(WIDTH, HEADS, batch_first=True, add_zero_attn=True)
    return layer


def listened(layer: Any) -> nn.Module:
    layer.mlp.register_forward_hook(lambda module, given, made: 2 * made)
    return layer


def made(maker: Maker) -> nn.Module:
    """With weights by which all that a block does can be seen."""
    torch.manual_seed(0)
    layer = maker()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    return layer


def theirs(layer: Any, hidden: Tensor) -> Tensor:
    out = layer(hidden, None) if hasattr(layer, "self_attn") else layer(hidden)
    return out[0] if isinstance(out, tuple) else out


def tokens() -> Tensor:
    drawn = torch.randn(PICTURES, TOKENS, WIDTH, generator=torch.Generator().manual_seed(1))
    return drawn.requires_grad_()


def gradients(layer: nn.Module, run: Callable[[Tensor], Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Of what stands in the first token, by each parameter and by what goes in."""
    given = tokens()
    layer.zero_grad()
    first = run(given)[:, 0]
    (first * torch.linspace(-1, 1, first.numel()).view_as(first)).sum().backward()
    assert given.grad is not None
    yield "what goes in", given.grad
    for name, parameter in layer.named_parameters():
        grad = parameter.grad
        yield name, torch.zeros_like(parameter) if grad is None else grad.clone()


@pytest.mark.parametrize("first", [False, True], ids=["whole", "first token"])
@pytest.mark.parametrize("name", LAYERS)
class TestABlockThatIsKnown:
    def test_it_gives_what_its_library_gives(self, name: str, first: bool) -> None:
        layer = made(LAYERS[name])
        found = layers.known(layer)
        assert found is not None
        ours = found.first(tokens()) if first else found(tokens())
        want = theirs(layer, tokens())[:, : 1 if first else None]
        torch.testing.assert_close(ours, want, atol=1e-5, rtol=1e-5)

    def test_it_learns_what_its_library_would_learn(self, name: str, first: bool) -> None:
        layer = made(LAYERS[name])
        found = layers.known(layer)
        assert found is not None
        ours = dict(gradients(layer, found.first if first else found))
        want = dict(gradients(layer, lambda hidden: theirs(layer, hidden)))
        assert ours.keys() == want.keys()
        for what, grad in want.items():
            if what.endswith("k_proj.bias"):  # moves all scores alike: nothing but rounding
                assert max(grad.abs().max(), ours[what].abs().max()) < 1e-5
                continue
            far = float((ours[what] - grad).norm() / grad.norm())
            assert far < 1e-4, f"{what}: {far:.1g}"

    def test_bf16_is_as_close_as_the_librarys(self, name: str, first: bool) -> None:
        layer = made(LAYERS[name])
        found = layers.known(layer)
        assert found is not None
        exact = theirs(layer, tokens())[:, : 1 if first else None]
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            ours = found.first(tokens()) if first else found(tokens())
            want = theirs(layer, tokens())[:, : 1 if first else None]
        assert ours.dtype == torch.float32, "the sum over the blocks is kept in fp32"
        off, allowed = ((one.float() - exact).norm() / exact.norm() for one in (ours, want))
        assert 0 < off < max(1.5 * allowed, 5e-3)


@pytest.mark.parametrize("name", OTHERS)
def test_a_block_that_is_made_otherwise_is_its_librarys(name: str) -> None:
    layer = made(OTHERS[name])
    assert layers.known(layer) is None
    asked: list[Tensor] = []

    def library(hidden: Tensor) -> Tensor:
        asked.append(hidden)
        return hidden + 1

    given = tokens()
    for first in (False, True):
        run = layers.through(layer, library, first=first)
        assert torch.equal(run(given), given + 1)
    assert len(asked) == 2


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("count", [50, block.LONG])
def test_attention_is_torchs(dtype: torch.dtype, count: int) -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, count, 32).to(dtype)
    want = nn.functional.scaled_dot_product_attention(q.double(), k.double(), v.double())
    found = block.attend(q, k, v)
    assert found.dtype == dtype
    bound = 1e-5 if dtype == torch.float32 else 2e-2
    torch.testing.assert_close(found.double(), want, atol=bound, rtol=bound)


# --- in the towers of published models ------------------------------------------------------------


@pytest.fixture
def librarys(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on no block is known."""
    return lambda: monkeypatch.setattr(layers, "READERS", {})


def learned(student: pvd.Student, prepared: pvd.Prepared) -> dict[str, Tensor]:
    """The gradients of every parameter that learns, in their order."""
    rows = student.embed_prepared(prepared, train=True)
    (rows * torch.linspace(-1, 1, rows.numel()).view_as(rows)).sum().backward()
    found = {}
    for group in student.parameter_groups():
        for parameter in group["params"]:
            grad, parameter.grad = parameter.grad, None
            found[len(found)] = torch.zeros_like(parameter) if grad is None else grad
    return {str(number): grad for number, grad in found.items()}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["clip", "siglip", "siglip2", "open_clip", "open_siglip"])
@pytest.mark.parametrize("part", ["all", "last-2", "projection", "lora", "lora-1"])
@pytest.mark.filterwarnings("ignore:student.part=lora changes every block")
def test_every_parameter_learns_as_in_its_library(
    loaded: Made, librarys: Callable[[], None], kind: str, part: str
) -> None:
    student = loaded(kind, part=part)
    side = 160 if kind == "open_siglip" else 32
    images = [item.open().resize((side, side)) for item in items(4)]
    prepared = student.prepare(images)
    perturb(student)  # LoRA begins with zeros, which hide the gradients of their partners
    ours = learned(student, prepared)
    librarys()
    want = learned(student, prepared)
    largest = max(float(grad.norm()) for grad in want.values())
    assert largest > 0
    for name, grad in want.items():
        apart = float((ours[name] - grad).norm())
        assert apart <= 1e-4 * float(grad.norm()) + 1e-6 * largest, name


def perturb(student: pvd.Student) -> None:
    rng = torch.Generator().manual_seed(2)
    state = student.state()
    student.load_state(
        {name: w + 0.02 * torch.randn(w.shape, generator=rng) for name, w in state.items()}
    )


def test_what_another_way_of_computing_prepared_is_not_mixed_in(
    loaded: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = [loaded("clip", part=part).prepare_key() for part in ("all", "last-1")]
    monkeypatch.setattr(block, "VERSION", block.VERSION + 1)
    later = [loaded("clip", part=part).prepare_key() for part in ("all", "last-1")]
    assert later[0] == keys[0], "pixels"
    assert later[1] != keys[1], "activations"


@pytest.mark.parametrize("kind", ["clip", "open_clip", "open_siglip"])
def test_a_wrong_number_in_a_block_is_found_when_a_model_is_loaded(
    student: Made, monkeypatch: pytest.MonkeyPatch, layouts: Callable[[str], Path], kind: str
) -> None:
    attend = block.attend
    monkeypatch.setattr(block, "attend", lambda q, k, v: attend(q, k, v) * 1.5)
    with pytest.raises(kit.BadInput, match="embedded otherwise than its library"):
        student(kind).load("cpu")


def test_one_in_bf16_alone_too(student: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    attend = block.attend

    def wrong(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        return attend(q, k, v) * (1.0 if q.dtype == torch.float32 else -20.0)

    monkeypatch.setattr(block, "attend", wrong)
    student("clip").load("cpu")
    with pytest.raises(kit.BadInput, match=r"in bf16 than in fp32 .* student.precision=fp32"):
        student("clip", precision="bf16").load("cpu")


@pytest.mark.parametrize("kind", ["clip", "siglip", "open_clip", "open_siglip"])
def test_embedding_does_under_inference_mode_what_it_does_under_no_grad(
    loaded: Made, kind: str
) -> None:
    """Core embeds under inference_mode. There a linear map of tokens that do not lie in a row, as
    in open_clip's attention, becomes one product a picture, each with a copy of the weights: three
    times as long. The operations are counted, since times vary."""
    student = loaded(kind, precision="bf16")
    prepared = student.prepare([item.open() for item in items(4)])

    def operations() -> Counter[str]:
        with torch.autograd.profiler.profile() as seen:
            student.embed_prepared(prepared)
        products = ("aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::copy_")
        return Counter(event.name for event in seen.function_events if event.name in products)

    with torch.no_grad():
        want = operations()
    with torch.inference_mode():
        assert operations() == want
