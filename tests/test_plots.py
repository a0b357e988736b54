"""The course's pictures: each draws on the axes it is given, in one style, in letters that a font here has."""

import io
import warnings
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib import pyplot as plt

from transformer_lab.viz import (
    attention_picture,
    cost_explorer,
    family_explorer,
    plots,
    query_explorer,
    split_explorer,
)
from transformer_lab.viz.alternative_text import in_words


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


def test_shares_marks_the_bar_that_was_guessed(axes):
    for guess, names in (("no mask", ["whole", "your guess: no mask"]), ("no None", ["whole", "no mask"])):
        plots.shares(axes, {"whole": 1.0, "no mask": 0.034}, "title", guess)
        assert [label.get_text() for label in axes.get_yticklabels()] == names


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


HOSTILE = ["$$", "US$", "$x^$", "$\\foo$", "\\frac{", "_hidden", "^", "%s", "<b>&amp;", "[bold]", "a\nb", "\u200d", " "]


@pytest.mark.parametrize("name", HOSTILE, ids=ascii)
def test_names_are_drawn_as_they_stand_never_as_mathematics(axes, name):
    plots.matrix(axes, np.eye(2), [name, "b"], ["a", name], title=name, row_name=name, column_name=name)
    axes.figure.savefig(io.BytesIO(), format="png")
    drawn = [label.get_text() for label in axes.get_yticklabels()]
    assert drawn[0].strip() and (drawn[0] == name or name in ("a\nb", "\u200d", " "))
    axes.clear()
    plots.shares(axes, {name: 1.0, "b": 0.5}, name)
    axes.figure.savefig(io.BytesIO(), format="svg")


def test_names_are_no_tex_either(axes):
    with matplotlib.rc_context({"text.usetex": True}):
        plots.matrix(axes, np.eye(2), ["$$", "b"], ["a_", "&"], title="#", row_name="%", column_name="_")
    names = [*axes.get_xticklabels(), *axes.get_yticklabels(), axes.title, axes.xaxis.label, axes.yaxis.label]
    assert not any(text.get_usetex() or text.get_parse_math() for text in names)


@pytest.mark.parametrize(
    "draw, sentence",
    [
        (lambda ax: plots.matrix(ax, np.ones(3)), r"^values must be finite numbers .*; got shape \(3,\)"),
        (lambda ax: plots.matrix(ax, [[np.float64("nan")]]), r"got shape \(1, 1\): \[\[nan\]\]\.$"),
        (lambda ax: plots.matrix(ax, np.ones((0, 3))), "^values must be"),
        (lambda ax: plots.matrix(ax, np.eye(2), rows="ab"), r"^rows must be a list of 2 names; got 'ab'\.$"),
        (lambda ax: plots.matrix(ax, np.eye(2), columns=["a"]), r"^columns must be a list of 2 names; got \['a'\]\.$"),
        (lambda ax: plots.shares(ax, {}, "title"), "^values must hold shares"),
        (lambda ax: plots.shares(ax, {"a": np.float64("nan")}, ""), r"^values must hold .*; got \{'a': nan\}\.$"),
        (lambda ax: plots.shares(ax, {"a": 34.0}, ""), r"between 0 and 1, at least one; got \{'a': 34\.0\}"),
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_gets_a_sentence(axes, draw, sentence):
    with pytest.raises(ValueError, match=sentence):
        draw(axes)


# How the three kinds of colour-blind readers see a colour, in linear RGB (Machado et al. 2009, severity 1).
COLOUR_BLIND = {
    "nobody": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}


def nearest(colours, seen_as) -> float:
    """How far apart the two most similar colours are, in CIELAB (1 can just be told apart by looking closely)."""
    rgb = np.array([matplotlib.colors.to_rgb(colour) for colour in colours])
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.transpose(seen_as), 0, 1)
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    x, y, z = (linear @ np.transpose(to_xyz) / [0.95047, 1, 1.08883]).T
    f = [np.where(one > 216 / 24389, np.cbrt(one), (24389 / 27 * one + 16) / 116) for one in (x, y, z)]
    lab = np.stack([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])], axis=1)
    apart = np.linalg.norm(lab[:, None] - lab, axis=-1)
    return apart[np.triu_indices(len(lab), 1)].min()


def test_the_style_is_one_palette_that_colour_blind_readers_tell_apart():
    with matplotlib.rc_context():
        plots.use_style()
        colours = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert len(colours) == 8
    for name, seen_as in COLOUR_BLIND.items():
        assert nearest(colours, seen_as) > 15, name
    # matplotlib's own colours would not do, and the explorers take theirs from the same palette.
    assert min(nearest(matplotlib.colormaps["tab10"].colors[:8], seen_as) for seen_as in COLOUR_BLIND.values()) < 8
    others = {
        *query_explorer.COLOURS,
        *split_explorer.COLOURS,
        *family_explorer.COLOURS,
        *cost_explorer.COLOURS.values(),
    }
    assert others <= set(colours)


def luminance(colour) -> float:
    rgb = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def contrast(one, other) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.fixture
def in_style():
    with matplotlib.rc_context():
        plots.use_style()
        yield
        plt.close("all")


def picture(figure, **how):
    """The figure as the notebook stores it: cut to what is drawn, red, green, blue and opacity."""
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight", **how)
    file.seek(0)
    return plt.imread(file)


def test_words_and_lines_have_contrast_on_their_card_whatever_the_theme(in_style):
    for name in ("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.edgecolor"):
        assert contrast(matplotlib.rcParams[name], plots.CARD) > 7, name
    for theme in ("#ffffff", "#111111"):  # JupyterLab's, light and dark: the card or its edge stands out
        assert max(contrast(plots.CARD, theme), contrast(plots.EDGE, theme)) > 1.3


@pytest.mark.parametrize("size", [(7, 3), (4, 4), (9, 1.5)])
def test_a_figure_is_a_card_with_round_corners_as_large_as_itself(in_style, size):
    figure, axes = plt.subplots()
    axes.set(title="a title", xlabel="x", ylabel="y")
    figure.set_size_inches(size)  # after the card was laid
    for dpi in (110, 55):
        seen = picture(figure, dpi=dpi)
        assert np.abs(np.array(seen.shape[1::-1]) / dpi - size).max() < 0.1
        corners = seen[[0, 0, -1, -1], [0, -1, 0, -1], 3]
        assert not corners.any()  # the page shows through
        inside = seen[6:-6, 6:-6]
        assert (inside[..., 3] == 1).all()
        np.testing.assert_allclose(inside[0, 0, :3], matplotlib.colors.to_rgb(plots.CARD))
    assert matplotlib.colors.to_rgba(figure.get_facecolor())[3] == 1  # else JupyterLab lays a white block behind it


def test_drawings_and_figures_stand_on_the_same_card(monkeypatch):
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[1] / "source" / "figures")
    import kit

    assert (kit.INK, kit.CARD) == (plots.INK, plots.CARD)


def test_a_figures_words_say_what_its_panels_show():
    figure, (left, right) = plt.subplots(1, 2)
    left.set(title="Loss falls", xlabel="step", ylabel="nats")
    left.plot([1, 2], label="warm-up")
    right.set_title("on\nthe right", loc="left")
    assert in_words(figure) == "Figure: Loss falls, across: step, up: nats, lines: warm-up; on the right"
    figure.suptitle("Both")
    assert in_words(figure).startswith("Figure: Both; Loss")
    plt.close(figure)
