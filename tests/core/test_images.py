"""The guarded decoder: whatever the bytes are, an upright RGB picture or BadInput."""

from __future__ import annotations

import io
import random
import struct
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from pvd.errors import BadInput
from pvd.images import FORMATS, MAX_BYTES, MAX_PIXELS, decode, jpeg, scaled_size
from pvd.records import Item

RED, BLUE, WHITE, BLACK = (255, 0, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def encoded(image: Image.Image, format: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def near(found: Any, want: tuple[int, int, int], by: int = 6) -> bool:
    return all(abs(a - b) <= by for a, b in zip(found, want, strict=True))


def two_halves(mode: str = "RGB") -> Image.Image:
    """Red on the left, blue on the right; 32 x 16."""
    image = Image.new("RGB", (32, 16), RED)
    ImageDraw.Draw(image).rectangle((16, 0, 32, 16), BLUE)
    return image.convert(mode)


def chunk(name: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(name + data))
    return struct.pack(">I", len(data)) + name + data + check


def png(width: int, height: int, rows: bytes) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + data


# --- what is decoded --------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_becomes_rgb(format: str) -> None:
    options = {"quality": 100} if format in ("JPEG", "WEBP") else {}
    image = decode(encoded(two_halves(), format, **options), "item 'x'")
    assert (image.mode, image.size) == ("RGB", (32, 16))
    assert near(image.getpixel((4, 8)), RED)
    assert near(image.getpixel((28, 8)), BLUE)


@pytest.mark.parametrize("mode", ["L", "P", "1", "LA", "PA", "RGBA"])
def test_every_mode_of_png_becomes_rgb(mode: str) -> None:
    if mode == "PA":
        data = encoded(two_halves("P"), "PNG", transparency=bytes(255 for _ in range(256)))
    else:
        data = encoded(Image.new("RGB", (8, 8), WHITE).convert(mode), "PNG")
    image = decode(data, "x")
    assert image.mode == "RGB"
    assert near(image.getpixel((2, 2)), RED if mode == "PA" else WHITE)


@pytest.mark.parametrize(
    ("ink", "light"), [((0, 255, 255, 0), RED), ((0, 0, 0, 0), WHITE), ((0, 0, 0, 255), BLACK)]
)
def test_cmyk_has_the_right_colours(ink: tuple[int, ...], light: tuple[int, int, int]) -> None:
    image = Image.new("CMYK", (16, 16), ink)  # type: ignore[arg-type]
    assert near(decode(encoded(image, "JPEG", quality=100), "x").getpixel((8, 8)), light)


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    image = Image.new("I;16", (3, 1))
    for x, value in enumerate((0, 32_768, 65_535)):
        image.putpixel((x, 0), value)
    found = decode(encoded(image, "PNG"), "x")
    assert [found.getpixel((x, 0)) for x in range(3)] == [(0,) * 3, (127,) * 3, (255,) * 3]


@pytest.mark.parametrize("format", ["PNG", "WEBP"])
def test_what_is_transparent_is_white_and_not_what_hides_below(format: str) -> None:
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((8, 0, 16, 16), (0, 0, 255, 255))
    options = {"lossless": True, "exact": True} if format == "WEBP" else {}
    found = decode(encoded(image, format, **options), "x")
    assert found.getpixel((2, 8)) == WHITE
    assert found.getpixel((12, 8)) == BLUE


def test_half_transparent_is_half_white() -> None:
    found = decode(encoded(Image.new("RGBA", (4, 4), (0, 0, 0, 128)), "PNG"), "x")
    assert near(found.getpixel((1, 1)), (127, 127, 127))


@pytest.mark.parametrize(
    ("mode", "options"),
    [("L", {"transparency": 0}), ("RGB", {"transparency": BLACK}), ("P", {"transparency": 0})],
)
def test_a_transparent_colour_is_white(mode: str, options: dict[str, Any]) -> None:
    image = Image.new(mode, (4, 4), 0)
    assert decode(encoded(image, "PNG", **options), "x").getpixel((1, 1)) == WHITE


def test_a_transparent_gif_is_white() -> None:
    image = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert decode(encoded(image, "GIF"), "x").getpixel((1, 1)) == WHITE


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["JPEG", "PNG", "WEBP"])
def test_a_picture_is_turned_upright(format: str, orientation: int) -> None:
    """The corner that the camera calls top left must end there, as every viewer shows it."""
    upright = Image.new("RGB", (32, 16), WHITE)
    ImageDraw.Draw(upright).rectangle((0, 0, 7, 7), BLUE)
    undo = {
        1: [],
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    stored = upright
    for step in undo[orientation]:
        stored = stored.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    found = decode(encoded(stored, format, exif=exif, quality=100), "x")
    assert found.size == (32, 16)
    assert near(found.getpixel((3, 3)), BLUE, by=12)
    assert near(found.getpixel((28, 12)), WHITE, by=12)
    assert found.getexif().get(0x0112) in (None, 1), "nobody turns it a second time"


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_counts(format: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, BLUE, WHITE)]
    options = {"lossless": True} if format == "WEBP" else {}
    data = encoded(frames[0], format, save_all=True, append_images=frames[1:], **options)
    assert decode(data, "x").getpixel((4, 4)) == RED


# --- what is refused --------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["JPEG", "PNG", "GIF", "WEBP"])
def test_a_truncated_picture_is_refused(format: str) -> None:
    noise = Image.effect_noise((64, 64), 80).convert("RGB")
    data = encoded(noise, format)
    with pytest.raises(BadInput, match=r"^The image of item 'x' .*\.$"):
        decode(data[: len(data) // 2], "item 'x'")


@pytest.mark.parametrize("data", [b"", b"\0" * 99, b"<html>404</html>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match=r"^The image of item 'x' .*; (convert|replace)"):
        decode(data, "item 'x'")


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 9 9
%%EndComments
(/tmp/pwned) (w) file closefile
showpage
%%EOF
"""


def test_eps_is_refused_and_nothing_is_run() -> None:
    with pytest.raises(BadInput, match="is no JPEG, PNG, WEBP or GIF file"):
        decode(EPS, "x")


@pytest.mark.parametrize("format", ["TIFF", "BMP", "ICO", "PPM"])
def test_other_formats_that_pillow_knows_are_refused(format: str) -> None:
    with pytest.raises(BadInput, match="is no JPEG, PNG, WEBP or GIF file"):
        decode(encoded(two_halves(), format), "x")


def test_a_bomb_is_refused_by_its_header_alone() -> None:
    """A few kilobytes that would unpack to more pixels than we take."""
    side = int(MAX_PIXELS**0.5) + 1
    bomb = png(side, side, b"\0" * (side + 1) * 9)
    assert len(bomb) < 10_000
    with pytest.raises(BadInput, match=r"has more than 40 megapixels; scale it down\.$"):
        decode(bomb, "item 'x'")


@pytest.mark.parametrize("side", [9_600, 30_000, 2**31 - 1])
def test_what_pillow_itself_calls_a_bomb_is_refused_too(side: int) -> None:
    with pytest.raises(BadInput, match=r"^The image of item 'x' has more than 40 megapixels"):
        decode(png(side, side, b"\0" * 99), "item 'x'")


def test_a_picture_at_the_limit_is_taken() -> None:
    assert decode(png(MAX_PIXELS // 40, 40, b"\0" * (MAX_PIXELS // 40 + 1) * 40), "x").height == 40


def test_enormous_bytes_are_refused_before_they_are_looked_at() -> None:
    data = encoded(two_halves(), "PNG")
    with pytest.raises(BadInput, match=r"has 67,108,865 bytes; .* at most 67,108,864\.$"):
        decode(data + b"\0" * (MAX_BYTES + 1 - len(data)), "item 'x'")


def test_an_item_says_which_file_it_was(tmp_path: Path) -> None:
    file = tmp_path / "torn.png"
    file.write_bytes(encoded(two_halves(), "PNG")[:40])
    with pytest.raises(BadInput) as caught:
        Item("sku-1", file).open()
    assert "item 'sku-1'" in str(caught.value)
    assert str(file) in str(caught.value)


def _with_exif(format: str) -> bytes:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x011A] = 6, "a description", 72.0
    exif[0x8769] = {0x9003: "2020:01:01 00:00:00"}
    return encoded(two_halves(), format, exif=exif)


SEEDS = [_with_exif("JPEG"), _with_exif("PNG"), _with_exif("WEBP"), encoded(two_halves(), "GIF")]


def crcs_mended(data: bytes) -> bytes:
    """A damaged PNG with right checksums, so that the damage is looked at."""
    done, place = data[:8], 8
    while place + 12 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        if size > len(data):
            break
        done += chunk(data[place + 4 : place + 8], data[place + 8 : place + 8 + size])
        place += 12 + size
    return done


@pytest.mark.filterwarnings("ignore")  # Pillow warns of damaged EXIF; that is its job
@settings(deadline=None, max_examples=300)
@given(st.sampled_from(SEEDS), st.randoms(use_true_random=False), st.integers(1, 8))
def test_damaged_pictures_are_decoded_or_refused(
    seed: bytes, rng: random.Random, count: int
) -> None:
    data = bytearray(seed)
    for _ in range(count):
        data[rng.randrange(len(data))] = rng.randrange(256)
    damaged = bytes(data) if rng.random() < 0.3 else crcs_mended(bytes(data))
    with suppress(BadInput):
        assert decode(damaged, "x").mode == "RGB"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", range(14))
def test_damaged_exif_does_not_escape_as_another_error(kind: int) -> None:
    """A tag of the wrong type: Pillow raises TypeError when it writes it back after turning."""
    exif = Image.Exif()
    exif[0x0112], exif[0x011A] = 6, 72.0
    data = bytearray(encoded(two_halves(), "JPEG", exif=exif))
    place = data.index(b"\x01\x1a")
    data[place + 3] = kind
    with suppress(BadInput):
        assert decode(bytes(data), "x").mode == "RGB"


# --- what is sent -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "small"), [((400, 200), (100, 50)), ((20, 10), (20, 10)), ((1, 5000), (1, 100))]
)
def test_jpeg_fits_into_the_square(size: tuple[int, int], small: tuple[int, int]) -> None:
    image = Image.new("RGB", size, RED)
    again = Image.open(io.BytesIO(jpeg(image, 100)))
    assert (again.format, again.size) == ("JPEG", small)
    assert image.size == size, "the picture itself stays"


def test_jpeg_hides_nothing_and_is_always_the_same() -> None:
    image = decode(_with_exif("JPEG"), "x")
    assert jpeg(image, 16) == jpeg(image, 16)
    assert not Image.open(io.BytesIO(jpeg(image, 16))).getexif()
    assert len(jpeg(image, 16, quality=20)) < len(jpeg(image, 16, quality=95))


# --- the size alone ---------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("turn", [1, 3, 6, 8])
def test_the_size_is_known_before_anything_is_unpacked(format: str, turn: int) -> None:
    rng = random.Random(turn)
    exif = Image.Exif()
    exif[0x0112] = turn
    for _ in range(12):
        shape = (rng.randint(1, 300), rng.choice([1, 2, 7, 150, 299, 300]))
        data = encoded(Image.new("RGB", shape, RED), format, exif=exif)
        for side in (16, 97, 300):
            sent = Image.open(io.BytesIO(jpeg(decode(data, "x"), side)))
            assert scaled_size(data, side, "x") == sent.size


@pytest.mark.parametrize("data", [b"", b"no picture", png(20_000, 20_000, b"")])
def test_who_asks_for_the_size_is_as_well_guarded(data: bytes) -> None:
    with pytest.raises(BadInput) as decoding:
        decode(data, "item 'x'")
    with pytest.raises(BadInput) as measuring:
        scaled_size(data, 100, "item 'x'")
    assert str(measuring.value) == str(decoding.value)


def test_a_png_whose_pixels_are_damaged_has_a_size() -> None:
    assert scaled_size(png(300, 100, b"")[:60], 150, "x") == (150, 50)
