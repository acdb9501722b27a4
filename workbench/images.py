"""PNG files: made small, and compared."""

from __future__ import annotations

from pathlib import Path

#: By how much a colour has to differ, of 255, before a pixel counts as another.
SAME_COLOUR = 24


def shrink(origin: Path, target: Path) -> int:
    """Write a picture with 256 colours at most; return the file's size in bytes."""
    from PIL import Image

    with Image.open(origin) as picture:
        small = picture.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(target, optimize=True)
    return target.stat().st_size


def difference(one: Path, other: Path) -> float:
    """Return the share of pixels, from 0 to 1, in which two pictures differ.

    Pictures of different sizes differ in all of them.
    """
    from PIL import Image, ImageChops

    with Image.open(one) as first, Image.open(other) as second:
        if first.size != second.size:
            return 1.0
        apart = ImageChops.difference(first.convert("RGB"), second.convert("RGB"))
    strongest = ImageChops.lighter(
        ImageChops.lighter(apart.getchannel("R"), apart.getchannel("G")),
        apart.getchannel("B"),
    )
    histogram = strongest.histogram()
    return sum(histogram[SAME_COLOUR:]) / sum(histogram)
