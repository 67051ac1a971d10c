"""The one guarded decoder: whatever bytes come in, an upright RGB picture or BadInput comes out."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pvd.errors import BadInput, PluginError, PvdError
from pvd.isolation.origin import error_line, maker

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # Pillow knows many more, some of which run programs
MAX_PIXELS = 40_000_000
MAX_BYTES = 64 * 2**20


def no_image(image: object) -> tuple[str, str] | None:
    """Why an item cannot have this as its image, and what it must be; nothing if it can."""
    if isinstance(image, Path) or callable(image):
        return None
    what = "text" if isinstance(image, str) else f"of the type {type(image).__name__}"
    return f"is {what}", "give a pathlib.Path, or a function that returns bytes"


def read(image: Path | Callable[[], bytes], where: str) -> bytes:
    """A file's bytes, or what a source's function returns, called long after the source was."""
    if isinstance(image, Path):
        return image.read_bytes()
    if why := no_image(image):
        raise PluginError(f"The image of {where} {'; '.join(why)}.")
    try:
        data = image()
    except (PvdError, FileNotFoundError):
        raise
    except OSError as error:  # of what the function reads: a disk, an archive, another machine
        raise PluginError(
            f"The image of {where} cannot be read ({error_line(error)}); look where "
            f"{maker(image)} takes it from."
        ) from error
    except Exception as error:  # a stranger's code
        raise PluginError(
            f"The image of {where} cannot be made ({error_line(error)}); mend {maker(image)}."
        ) from error
    if not isinstance(data, bytes):
        what = type(data).__name__
        raise PluginError(f"The image of {where} is {what} and not bytes; mend {maker(image)}.")
    return data


def decode(data: bytes, where: str) -> Image:
    """The first frame, turned upright, on white, 8-bit RGB. `where` names the picture in errors."""
    from PIL import ImageOps

    with _guarded(data, where) as image:
        image.load()
        found = _rgb(ImageOps.exif_transpose(image))
    return found


def scaled_size(data: bytes, side: int, where: str) -> tuple[int, int]:
    """Width and height that `jpeg(decode(data, where), side)` has, read from the header alone."""
    with _guarded(data, where) as image:
        wide, high = image.size
        if _orientation(image, data) in TURNED:
            wide, high = high, wide
    if max(wide, high) <= side:
        return wide, high
    # As Pillow's thumbnail: the longer side fits, the shorter one is nearest to the same shape.
    shape = wide / high
    if shape <= 1:
        return _nearest(side * shape, lambda n: abs(shape - n / side)), side
    return side, _nearest(side / shape, lambda n: abs(shape - side / n) if n else 0.0)


TURNED = (5, 6, 7, 8)  # by 90 or 270 degrees, as EXIF numbers it
TURNING = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")  # what may turn a PNG


def _orientation(image: Image, data: bytes) -> int:
    """Where its top is. A PNG may say it behind its pixels, and is unpacked only if it does."""
    from PIL import ExifTags

    if image.format == "PNG" and not any(mark in data for mark in TURNING):
        return 1
    return int(image.getexif().get(ExifTags.Base.Orientation, 1))


def _nearest(length: float, error: Callable[[int], float]) -> int:
    return max(min(math.floor(length), math.ceil(length), key=error), 1)


@contextmanager
def _guarded(data: bytes, where: str) -> Iterator[Image]:
    """The picture with only its header read; whatever goes wrong with it is BadInput."""
    from PIL import Image, UnidentifiedImageError

    if len(data) > MAX_BYTES:
        raise BadInput(
            f"The image of {where} has {len(data):,} bytes; make it smaller, at most {MAX_BYTES:,}."
        )
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image: Image.Image = Image.open(io.BytesIO(data), formats=FORMATS)
            # The header is enough to refuse a bomb: nothing has been unpacked yet.
            if image.width * image.height > MAX_PIXELS:
                raise BadInput(_too_large(where))
            yield image
    except UnidentifiedImageError:
        raise BadInput(
            f"The image of {where} is no {', '.join(FORMATS[:-1])} or {FORMATS[-1]} file; "
            "convert it or leave it out."
        ) from None
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise BadInput(_too_large(where)) from None
    except BadInput:
        raise
    except Exception:  # damaged EXIF alone brings struct.error, TypeError and others
        raise BadInput(f"The image of {where} is damaged; replace the file.") from None


def _too_large(where: str) -> str:
    most = MAX_PIXELS // 1_000_000
    return f"The image of {where} has more than {most} megapixels; scale it down."


def _rgb(image: Image) -> Image:
    from PIL import Image

    if image.mode.startswith("I") or image.mode == "F":
        # 16 bits a channel: convert() would clip at 255 instead of scaling down.
        image = image.point(lambda value: value / 257).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        # Dropping alpha would show whatever colour hides below it.
        layer = image.convert("RGBA")
        white = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(white, layer)
    return image.convert("RGB")


def jpeg(image: Image, side: int, quality: int = 85) -> bytes:
    """The image as JPEG within side x side pixels: fixed size and cost, no EXIF, nothing hidden."""
    small = image.copy()
    small.thumbnail((side, side))
    buffer = io.BytesIO()
    small.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()
