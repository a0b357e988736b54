"""How the views look, light and dark, held against pictures that somebody has looked at.

UPDATE_SCREENSHOTS=1 renews the pictures: look at them before you commit them. Which fonts a machine has must not
matter: all text is in Latin letters, in the font that matplotlib brings along. Blocks of pixels are compared, not
pixels: another machine smooths letters in another way.
"""

import base64
import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib import font_manager
from matplotlib.image import imread

from transformer_lab import load
from transformer_lab.viz import AttentionView, QueryExplorer
from transformer_lab.viz import bertviz as views
from transformer_lab.viz.inputs import romanised

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parent / "screenshots"
BLOCK = 24  # pixels
MOST, MEAN = 0.15, 0.01  # how far blocks may be apart, where 1 is from black to white; other fonts come to 0.05
TEXT = "Sunday, November 22, 2026"


# Not "DejaVu Sans", which a machine may have in another version.
FONT = base64.b64encode(Path(font_manager.findfont("DejaVu Sans")).read_bytes()).decode()
ONE_FONT = f"""
@font-face {{ font-family: "golden"; src: url("data:font/ttf;base64,{FONT}"); }}
* {{ font-family: "golden" !important; }}
"""
# The view asks a canvas how wide its labels are, before this font is there.
ONE_WIDTH = "CanvasRenderingContext2D.prototype.measureText = (text) => ({ width: 7 * text.length });"


def dates_in_latin():
    shown = AttentionView.from_model(*load("dates"), TEXT)._data
    latin = {}
    for name, (seen,) in shown.records.items():
        tokens = [[romanised(token) for token in side] for side in (seen.query_tokens, seen.key_tokens)]
        latin[name] = seen._replace(query_tokens=tokens[0], key_tokens=tokens[1])
    return AttentionView(latin)


def attention_view():
    view = dates_in_latin()
    view.selection = {"layer": 1, "head": 0, "query": 1, "key": 7}
    return view


def head_view():
    view = dates_in_latin()
    return views.head_view(view.attention, view.query_tokens, view.key_tokens, layer=1)


MAKE = {"attention": attention_view, "query": QueryExplorer, "bertviz_head": head_view}
READY = {"attention": ".tl-attention .map", "query": ".tl-query .handle"}


def blocks(picture):
    height, width = (BLOCK * (n // BLOCK) for n in picture.shape[:2])
    cut = picture[:height, :width, :3].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return cut.mean(axis=(1, 3))


# bertviz draws on a white card of its own, whatever the theme.
CASES = [(name, scheme) for name in MAKE for scheme in ("light", "dark") if (name, scheme) != ("bertviz_head", "dark")]


@pytest.mark.parametrize(("name", "scheme"), CASES)
def test_a_view_looks_as_it_did(page, tmp_path, name, scheme):
    page.set_viewport_size({"width": 1100, "height": 760})
    page.emulate_media(color_scheme=scheme)
    page.add_init_script(ONE_WIDTH)
    page.goto(MAKE[name]().save(tmp_path / "view.html").as_uri())
    page.wait_for_selector(READY.get(name, "svg line, svg rect"), state="attached")
    page.add_style_tag(content=f"{ONE_FONT} time {{ visibility: hidden }}")  # its date changes
    page.evaluate("document.fonts.load('16px golden').then(() => document.fonts.ready)")
    page.wait_for_timeout(300)
    taken, kept = tmp_path / "taken.png", FOLDER / f"{name}_{scheme}.png"
    page.screenshot(path=taken)
    if os.environ.get("UPDATE_SCREENSHOTS"):
        kept.write_bytes(taken.read_bytes())
    seen, wanted = blocks(imread(taken)), blocks(imread(kept))
    apart = np.abs(seen - wanted)
    assert apart.max() < MOST and apart.mean() < MEAN, (apart.max(), apart.mean())


def test_the_comparison_would_see_another_theme_and_a_missing_part():
    light, dark = (blocks(imread(FOLDER / f"attention_{scheme}.png")) for scheme in ("light", "dark"))
    assert np.abs(light - dark).mean() > MEAN
    for part in (
        (slice(160, 560), slice(350, 700)),
        (slice(176, 243), slice(138, 194)),
        (slice(126, 146), slice(680, 848)),
    ):
        without = imread(FOLDER / "attention_light.png").copy()  # its map, one small head, the scale of its colours
        without[(*part, slice(3))] = 1
        assert np.abs(blocks(without) - light).max() > MOST, part
