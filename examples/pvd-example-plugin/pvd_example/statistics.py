"""What can be said of a picture's looks by arithmetic alone, each number between 0 and 1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    Pixels = NDArray[np.float64]

SIDE = 128  # pixels of the longer side: sharpness depends on the size
VERSION = 1  # raised when a formula changes, so that answers of the old one are not reused
EXTREME = 109.0  # where Hasler and Suesstrunk's observers began to say "extremely colourful"
CRISP = 0.1  # standard deviation of the Laplacian that gives a sharpness of one half


@dataclass(frozen=True)
class Statistics:
    """Four numbers between 0 and 1."""

    colourfulness: float
    contrast: float
    sharpness: float
    symmetry: float


def measure(image: Image) -> Statistics:
    """The statistics of an RGB picture of any size."""
    import numpy as np

    small = image.copy()
    small.thumbnail((SIDE, SIDE))
    pixels = np.asarray(small, dtype=np.float64)  # [height, width, 3], 0 to 255
    light = luminance(pixels)
    return Statistics(colourfulness(pixels), contrast(light), sharpness(light), symmetry(light))


def luminance(pixels: Pixels) -> Pixels:
    """[height, width], 0 to 1: the luma of ITU-R BT.601."""
    return pixels @ (0.299, 0.587, 0.114) / 255


def colourfulness(pixels: Pixels) -> float:
    """`M = sigma_rgyb + 0.3 mu_rgyb` of Hasler & Suesstrunk 2003, "Measuring colourfulness in
    natural images", as a share of what people called extreme (109), at most 1.

    rg = R - G and yb = (R + G) / 2 - B over all pixels; sigma and mu are the root sum of squares of
    their standard deviations and of their means. A grey picture has 0.
    """
    import numpy as np

    red, green, blue = np.moveaxis(pixels, -1, 0)
    rg, yb = red - green, (red + green) / 2 - blue
    sigma = np.hypot(rg.std(), yb.std())
    mu = np.hypot(rg.mean(), yb.mean())
    return float(min((sigma + 0.3 * mu) / EXTREME, 1.0))


def contrast(light: Pixels) -> float:
    """Twice the standard deviation of the luminance (root mean square contrast, Peli 1990): 1 is
    half black, half white."""
    return float(2 * light.std())


def sharpness(light: Pixels) -> float:
    """`s / (s + 0.1)`, where s is the standard deviation of the Laplacian (after Pech-Pacheco et
    al. 2000, who take its variance to find the focus). A flat picture has 0."""
    if min(light.shape) < 3:
        return 0.0  # no pixel has four neighbours
    inner = light[1:-1, 1:-1]
    around = light[:-2, 1:-1] + light[2:, 1:-1] + light[1:-1, :-2] + light[1:-1, 2:]
    spread = float((around - 4 * inner).std())
    return spread / (spread + CRISP)


def symmetry(light: Pixels) -> float:
    """`(1 + r) / 2`, where r is the correlation of the luminance with its mirror image: 1 is the
    same from left and right, 0 its negative. A flat picture has 1."""
    centred = light - light.mean()
    squares = float((centred**2).sum())
    if squares < 1e-9 * light.size:  # flat, but for rounding
        return 1.0
    return (1 + float((centred * centred[:, ::-1]).sum()) / squares) / 2
