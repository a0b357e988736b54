"""How the views look, light and dark, held against pictures that somebody has looked at.

UPDATE_SCREENSHOTS=1 renews the pictures: look at them before you commit them. Blocks of pixels are compared, not
pixels: another machine's fonts move letters, not panels or colours.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from transformer_lab import load
from transformer_lab.viz import AttentionView, QueryExplorer
from transformer_lab.viz import bertviz as views

pytestmark = pytest.mark.browser

FOLDER = Path(__file__).parent / "screenshots"
BLOCK = 24  # pixels
MOST, MEAN = 0.30, 0.02  # how far blocks may be apart, where 1 is from black to white
TEXT = "Sunday, November 22, 2026"


def attention_view():
    view = AttentionView.from_model(*load("dates"), TEXT)
    view.selection = {"layer": 1, "head": 0, "query": 1, "key": 7}
    return view


def head_view():
    view = AttentionView.from_model(*load("dates"), TEXT)
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
    page.goto(MAKE[name]().save(tmp_path / "view.html").as_uri())
    page.wait_for_selector(READY.get(name, "svg line, svg rect"), state="attached")
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
    without = imread(FOLDER / "attention_light.png").copy()
    without[100:500, 350:700, :3] = 1
    assert np.abs(blocks(without) - light).max() > MOST
