"""Whether a model that somebody brings is embedded here as its library embeds it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pvd import kit
from pvd_plugins.students.dual.network import Network
from pvd_plugins.students.dual.precision import casting

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor

APART = 1e-3  # at unit length; sums in another order make 1e-6
ROUNDED = 1e-2  # 1 - cosine in bf16; rounding makes 1e-5, and more where a few numbers are large


def check(network: Network, name: str, *, bf16: bool = False) -> None:
    """BadInput where two small pictures or a text show that the stages, the preprocessing and the
    tokenizer are not those of the model: before a run is spent on it. With `bf16`, the stages are
    tried in that too, where some of them compute otherwise."""
    import torch
    from torch.nn.functional import normalize

    network.model.eval()
    pictures = _pictures()
    try:
        with torch.no_grad():
            theirs = network.theirs(pictures)
            ours = normalize(_through(network, pictures), dim=1)
            with casting("cpu"):
                rounded = normalize(_through(network, pictures).float(), dim=1) if bf16 else ours
            text = network.read(["A gift: 2 \u00e9clairs \u6771\u4eac"])
    except Exception as error:  # of whatever kind the library has for it
        raise kit.BadInput(
            f"{name} cannot be used as it is published ({kit.one_line(error)}); its preprocessing "
            "or its tokenizer does not fit its towers, or this student does not know such towers."
        ) from None
    if not (theirs.ndim == 2 and theirs.shape[1:] == text.shape[1:]):
        raise kit.BadInput(
            f"{name} makes no vector of a picture that could be compared with that of a text "
            f"({list(theirs.shape[1:])}, {list(text.shape[1:])}); choose another model."
        )
    if not (theirs.isfinite().all() and text.isfinite().all()):
        raise kit.BadInput(f"{name} makes vectors that are not finite; fetch or save it again.")
    apart = float((ours - normalize(theirs, dim=1)).abs().max())
    if not apart < APART:
        raise kit.BadInput(
            f"{name} would be embedded otherwise than its library does it (by {apart:.2g}): it has "
            "a tower or a preprocessing that this student does not know, such as pictures without "
            "normalisation."
        )
    far = float((1 - (rounded * ours).sum(1)).max())
    if not far < ROUNDED:
        raise kit.BadInput(
            f"{name} embeds pictures otherwise in bf16 than in fp32 (1 - cosine is {far:.2g}); set "
            "student.precision=fp32."
        )


def _through(network: Network, pictures: Sequence[Image]) -> Tensor:
    hidden = network.look(network.scaled(pictures))
    for stage in network.stages():
        hidden = stage.run(hidden)
    return hidden


def _pictures() -> list[Image]:
    """One high and one wide, in colours."""
    from PIL import Image

    ramp = Image.linear_gradient("L")
    bands = (ramp, ramp.rotate(90), ramp.rotate(180))
    return [Image.merge("RGB", bands).resize(size) for size in ((60, 90), (90, 60))]
