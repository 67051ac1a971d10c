"""The one guarded decoder: whatever bytes come in, an upright RGB picture or BadInput comes out."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING

from pvd.errors import BadInput

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("JPEG", "PNG", "WEBP", "GIF")  # Pillow knows many more, some of which run programs
MAX_PIXELS = 40_000_000
MAX_BYTES = 64 * 2**20


def decode(data: bytes, where: str) -> Image:
    """The first frame, turned upright, on white, 8-bit RGB. `where` names the picture in errors."""
    from PIL import Image, ImageOps, UnidentifiedImageError

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
            image.load()
            return _rgb(ImageOps.exif_transpose(image))
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
