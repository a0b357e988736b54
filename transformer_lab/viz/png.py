"""A figure as a PNG small enough for a notebook to store one with every view."""

import io

from matplotlib.figure import Figure
from PIL import Image

TRANSPARENT = 255  # the last entry of the palette


def small_png(figure: Figure, dpi: int) -> bytes:
    """The figure in 256 colours at most, which the eye does not tell apart; equal bytes for equal figures."""
    drawn, small = io.BytesIO(), io.BytesIO()
    figure.savefig(drawn, format="png", dpi=dpi, metadata={"Software": None})
    drawn = Image.open(drawn)
    white = Image.new("RGBA", drawn.size, "white")
    colours = Image.alpha_composite(white, drawn).convert("RGB")
    image = colours.quantize(TRANSPARENT, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    image.putpalette((image.getpalette() + 768 * [255])[:768])  # as many entries as it may have: the last one, too
    image.paste(TRANSPARENT, mask=drawn.getchannel("A").point(lambda alpha: 255 if alpha < 128 else 0))
    image.save(small, format="png", optimize=True, transparency=TRANSPARENT)
    return small.getvalue()
