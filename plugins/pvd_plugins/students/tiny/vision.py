"""What the image tower sees before anything learns: outlines, colours and textures as numbers.

A few thousand pictures are too few to learn to see from, so seeing is fixed: histograms of
oriented gradients on a grid (Dalal & Triggs 2005), soft colour histograms in CIELAB, the middle of
the picture counting most, and the energy of fine, medium and coarse texture. Each number depends
on its own picture alone, is computed once, and is kept in place of the pixels.

Computed in double precision and rounded to half: sums whose order depends on the number of pictures
and of threads then end in the same bits, so that a run does not depend on what was kept before it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch
from PIL.Image import Image, Resampling
from torch import Tensor
from torch.nn import functional

SIDE = 64  # pixels; the whole picture is squeezed into a square, so nothing is cut off
CELL = 8  # pixels a cell of the grid of outlines
BINS = 9  # directions of an outline, without sign
GRID = SIDE // CELL
LIGHTS, HUES = 5, 7  # steps of lightness, and of each of the two colour axes
WINDOWS = (0.04, 0.16)  # squared widths of the colour windows, half the side is 1
TEXTURES = (0.06, 0.2, 0.6)  # the same for the texture windows
OUTLINE = BINS * GRID * GRID
COLOUR = (len(WINDOWS) + 1) * LIGHTS * HUES**2
TEXTURE = len(TEXTURES) * (3 * 9 + 6)
WIDTH = OUTLINE + COLOUR + TEXTURE
BLOCK = 64  # pictures at once: the soft histograms are large before they are summed


def describe(images: Sequence[Image]) -> Tensor:
    """[n, WIDTH], half precision, each block scaled to a spread of about 1."""
    pixels = np.stack(
        [np.asarray(i.convert("RGB").resize((SIDE, SIDE), Resampling.BOX)) for i in images]
    )
    with torch.no_grad():
        whole = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        blocks = [whole[i : i + BLOCK] for i in range(0, len(whole), BLOCK)]
        return torch.cat([_describe(block.double() / 255) for block in blocks]).half()


def mirrored(described: Tensor) -> Tensor:
    """What `describe` would say of the pictures seen in a mirror."""
    return described[:, _mirror().to(described.device)]


@lru_cache(maxsize=1)
def _mirror() -> Tensor:
    outline = torch.arange(OUTLINE).view(BINS, GRID, GRID).flip(2)
    turned = outline[[-k % BINS for k in range(BINS)]]  # an angle becomes half a turn minus itself
    return torch.cat([turned.flatten(), torch.arange(OUTLINE, WIDTH)])


def _describe(pictures: Tensor) -> Tensor:
    small = _lab(functional.avg_pool2d(pictures, 2))
    return torch.cat(
        [_outlines(pictures) / 0.06, _colours(small) / 0.055, _textures(pictures) / 0.58], 1
    )


def _outlines(x: Tensor) -> Tensor:
    """Gradients by direction in overlapping cells, each set against the strength around it."""
    padded = functional.pad(x, (1, 1, 1, 1), mode="replicate")
    across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
    down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
    strongest = (across**2 + down**2).argmax(1, keepdim=True)  # of the three colour channels
    across, down = across.gather(1, strongest), down.gather(1, strongest)
    strength = (across**2 + down**2 + 1e-8).sqrt()
    angle = torch.atan2(down, across) % math.pi / math.pi * BINS
    centres = torch.arange(BINS, dtype=x.dtype).view(1, -1, 1, 1)
    apart = (angle - centres).abs()
    share = (1 - torch.minimum(apart, BINS - apart)).clamp(min=0)
    ramp = torch.arange(CELL, dtype=x.dtype) + 0.5
    tent = torch.cat([ramp, ramp.flip(0)]) / ramp.sum() / 2
    cells = functional.conv2d(
        functional.pad(share * strength, (CELL // 2,) * 4),
        (tent[:, None] * tent).expand(BINS, 1, -1, -1),
        stride=CELL,
        groups=BINS,
    )
    # Four neighbourhoods of two by two cells share each cell; it is set against each of them.
    power = functional.avg_pool2d((cells**2).sum(1, keepdim=True), 2, 1) * 4
    scale = functional.pad((power + 0.02).rsqrt(), (1, 1, 1, 1), mode="replicate")
    corners = [scale[:, :, i : i + GRID, j : j + GRID] for i in (0, 1) for j in (0, 1)]
    return torch.stack([(cells * corner).clamp(max=0.3) for corner in corners]).mean(0).flatten(1)


def _colours(lab: Tensor) -> Tensor:
    """How much of each colour there is: in the middle, around it, and in what stands out."""
    side = lab.shape[-1]
    light = _tents(lab[:, 0] / 100 * (LIGHTS - 1), LIGHTS)
    # Greys are told apart more finely than saturated colours.
    hue = lab[:, 1:].sign() * (lab[:, 1:].abs() / 64).clamp(max=1).sqrt()
    red, yellow = _tents((hue + 1) / 2 * (HUES - 1), HUES).unbind(1)
    hues = (red.unsqueeze(3) * yellow.unsqueeze(2)).flatten(2)  # [n, pixels, HUES**2]
    fixed = torch.stack([_window(side, width) for width in WINDOWS])
    weights = torch.cat([fixed.expand(len(lab), -1, -1), _standing_out(lab).unsqueeze(1)], 1)
    lit = weights.unsqueeze(2) * light.transpose(1, 2).unsqueeze(1)
    return torch.bmm(lit.flatten(1, 2), hues).flatten(1).sqrt()


def _standing_out(lab: Tensor) -> Tensor:
    """[n, pixels], sum 1: how unlike the picture's frame each pixel is, less towards the edge."""
    scale = lab.new_tensor((14, 7, 7))
    pixels = lab.flatten(2).transpose(1, 2) / scale
    coarse = functional.avg_pool2d(lab, 2)
    edge = torch.ones(coarse.shape[2:], dtype=torch.bool)
    edge[1:-1, 1:-1] = False
    frame = coarse[:, :, edge].transpose(1, 2) / scale
    alike = torch.exp(-(torch.cdist(pixels, frame) ** 2) / 2).mean(2)
    weights = -(alike + 1e-3).clamp(max=1).log() * _window(lab.shape[-1], 1.0) + 1e-6
    return weights / weights.sum(1, keepdim=True)


def _textures(x: Tensor) -> Tensor:
    """Energy of edges and specks at three scales, and the mean and spread of the colour."""
    energies = []
    for halvings in range(3):
        lab = _lab(functional.avg_pool2d(x, 2**halvings)) / 50
        padded = functional.pad(lab, (1, 1, 1, 1), mode="replicate")
        across = padded[:, :, 1:-1, 2:] - padded[:, :, 1:-1, :-2]
        down = padded[:, :, 2:, 1:-1] - padded[:, :, :-2, 1:-1]
        speck = functional.avg_pool2d(padded, 3, 1) - lab
        energy = torch.cat([across, down, speck], 1).abs().flatten(2)
        windows = torch.stack([_window(lab.shape[-1], width) for width in TEXTURES])
        energies.append((energy @ windows.T).flatten(1))
        if halvings == 1:
            flat = lab.flatten(2)
            mean = flat @ windows.T
            spread = (flat**2 @ windows.T - mean**2).clamp(min=1e-6).sqrt()
    rough = torch.cat(energies, 1)
    grey = mean.new_tensor((1, 0, 0)).view(1, 3, 1)
    return torch.cat(
        [(rough + 0.01).log() + 3, (spread.flatten(1) + 0.02).log() + 2, (mean - grey).flatten(1)],
        1,
    )


def _tents(position: Tensor, count: int) -> Tensor:
    """[..., pixels, count]: each value shared between the two nearest of `count` steps."""
    steps = torch.arange(count, dtype=position.dtype)
    flat = position.flatten(-2).clamp(0, count - 1)
    return (1 - (flat.unsqueeze(-1) - steps).abs()).clamp(min=0)


@lru_cache(maxsize=16)
def _window(side: int, width: float) -> Tensor:
    """[pixels], sum 1: a bell around the middle."""
    line = torch.linspace(-1, 1, side, dtype=torch.float64)
    bell = torch.exp(-(line[:, None] ** 2 + line**2) / width).flatten()
    return bell / bell.sum()


def _lab(x: Tensor) -> Tensor:
    """sRGB to CIELAB (D65)."""
    linear = torch.where(x > 0.04045, ((x + 0.055) / 1.055) ** 2.4, x / 12.92)
    to_xyz = x.new_tensor(
        ((0.4339, 0.3762, 0.1899), (0.2126, 0.7152, 0.0722), (0.0177, 0.1095, 0.8728))
    )
    xyz = torch.einsum("ij,njhw->nihw", to_xyz, linear)
    f = torch.where(xyz > 0.008856, xyz.clamp(min=1e-6) ** (1 / 3), 7.787 * xyz + 16 / 116)
    return torch.stack(
        [116 * f[:, 1] - 16, 500 * (f[:, 0] - f[:, 1]), 200 * (f[:, 1] - f[:, 2])], 1
    )
