"""The statistics, on pictures whose numbers can be worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pvd_example import statistics
from pvd_example.statistics import measure


def plain(colour: str) -> Image.Image:
    return Image.new("RGB", (64, 48), colour)


def halves(left: str, right: str) -> Image.Image:
    picture = Image.new("RGB", (64, 48), left)
    picture.paste(right, (32, 0, 64, 48))
    return picture


def noise(seed: int = 0) -> Image.Image:
    values = np.random.default_rng(seed).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    return Image.fromarray(values)


def test_grey_has_no_colour() -> None:
    assert measure(plain("grey")).colourfulness == 0.0
    assert measure(halves("black", "white")).colourfulness == 0.0


def test_colourfulness_is_the_papers_formula() -> None:
    # Pure red everywhere: rg = 255, yb = 127.5, no spread.
    red = 0.3 * math.hypot(255, 127.5) / 109
    assert measure(plain("red")).colourfulness == pytest.approx(red)
    # Half red, half grey of value 128: rg and yb have mean and deviation 127.5 and 63.75.
    both = (math.hypot(127.5, 63.75) * 1.3) / 109
    found = statistics.colourfulness(np.array([[[255.0, 0, 0], [128, 128, 128]]]))
    assert found == pytest.approx(min(both, 1.0))


def test_colourfulness_orders_pictures_as_people_do() -> None:
    found = [measure(picture).colourfulness for picture in
             (plain("grey"), plain("rosybrown"), plain("red"), halves("red", "blue"))]  # fmt: skip
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_contrast_is_whole_between_black_and_white() -> None:
    assert measure(halves("black", "white")).contrast == pytest.approx(1.0)
    assert measure(plain("red")).contrast == pytest.approx(0.0, abs=1e-9)


def test_a_blurred_picture_is_less_sharp() -> None:
    sharp, blurred = noise(), noise().filter(ImageFilter.GaussianBlur(2))
    assert measure(plain("red")).sharpness == pytest.approx(0.0, abs=1e-9)
    assert measure(blurred).sharpness < measure(sharp).sharpness / 1.5


def test_symmetry_from_mirror_to_negative() -> None:
    picture = noise()
    mirrored = picture.copy()
    mirrored.paste(picture.crop((0, 0, 32, 48)).transpose(Image.Transpose.FLIP_LEFT_RIGHT), (32, 0))
    assert measure(mirrored).symmetry == pytest.approx(1.0)
    assert measure(plain("red")).symmetry == 1.0
    assert measure(halves("black", "white")).symmetry == pytest.approx(0.0)


@pytest.mark.parametrize("size", [(1, 1), (2, 200), (500, 1), (3, 3)])
def test_any_size_has_numbers_from_0_to_1(size: tuple[int, int]) -> None:
    found = measure(noise().resize(size))
    assert all(-1e-9 <= value <= 1 + 1e-9 for value in vars(found).values())
