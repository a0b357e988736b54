"""The course's pictures: each draws on the axes it is given, in one style, in letters that a font here has."""

import warnings

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

from transformer_lab.viz import attention_picture, plots


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    plt.close(figure)


def test_shares_draws_each_share_in_per_cent_on_the_axes_it_is_given(axes):
    assert plots.shares(axes, {"whole": 1.0, "no mask": 0.034}, "title") is axes
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([100, 3.4])
    assert [text.get_text() for text in axes.texts] == ["100 %", "3 %"]
    assert axes.get_ylim()[0] > axes.get_ylim()[1] and axes.get_title(loc="left") + axes.get_title() == "title"


def test_matrix_writes_every_number_where_it_stands(axes):
    values = np.random.default_rng(0).random((3, 5))
    assert plots.matrix(axes, values, rows=list("abc")) is axes
    written = {tuple(map(int, text.get_position())): float(text.get_text()) for text in axes.texts}
    assert written == {(j, i): round(values[i, j], 2) for i, j in np.ndindex(3, 5)}
    assert [t.get_text() for t in axes.get_yticklabels()] == list("abc")
    assert [t.get_text() for t in axes.get_xticklabels()] == list("01234")
    np.testing.assert_array_equal(axes.images[0].get_array(), values)


def test_names_are_romanised_only_where_no_font_has_them(axes, monkeypatch):
    monkeypatch.setattr(attention_picture, "font_for", lambda char: "any" if ord(char) < 0x3000 else None)
    plots.matrix(axes, np.eye(2), rows=["年", "May"])
    assert [t.get_text() for t in axes.get_yticklabels()] == ["nian", "May"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns of a missing glyph
        axes.figure.canvas.draw()


def test_the_style_is_one_palette_for_everybody():
    with matplotlib.rc_context():
        plots.use_style()
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert colours == plots.COLORS and len(set(colours)) == 8
