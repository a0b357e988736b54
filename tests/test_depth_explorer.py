import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab.viz import DepthExplorer, through_layers
from transformer_lab.viz.depth_explorer import DEEPEST, NORMS, STRONGEST, WEAKEST

depths, norms = st.integers(1, DEEPEST), st.sampled_from(list(NORMS))
skips, branches = st.floats(0, STRONGEST), st.floats(WEAKEST, STRONGEST)


def closed_forms(depth, skip, branch, norm):
    """Variance and gradient at each layer, each from its own formula, one number at a time."""
    variance = [1.0]
    for layer in range(1, depth + 1):
        if norm == "none":
            variance.append((skip**2 + branch**2) ** layer)
        elif norm == "pre":  # each layer's branch^2, shrunk by the skips after it
            variance.append(
                skip ** (2 * layer) + sum(branch**2 * skip ** (2 * (layer - k)) for k in range(1, layer + 1))
            )
        else:
            variance.append(1.0)
    gradient = []
    for layer in range(depth + 1):
        square = 1.0
        for k in range(layer, depth):
            if norm == "none":
                square *= skip**2 + branch**2
            elif norm == "pre":
                square *= skip**2 + branch**2 / variance[k]
        gradient.append(math.sqrt(square))
    return variance, gradient


@given(depths, skips, branches, norms)
def test_equals_the_closed_forms(depth, skip, branch, norm):
    variance, gradient, _ = through_layers(depth, skip, branch, norm)
    wanted = closed_forms(depth, skip, branch, norm)
    np.testing.assert_allclose(variance, wanted[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, wanted[1], rtol=1e-6)


@pytest.mark.parametrize("norm", list(NORMS))
def test_equals_what_random_matrices_do_on_average(norm):
    """Wide linear branches: the mean squares of signal and gradient, over inputs, are the derived ones."""
    depth, skip, branch, D = 6, 0.9, 0.7, 400
    torch.manual_seed(0)

    def normalise(x):
        return torch.nn.functional.layer_norm(x, (D,), eps=0.0)

    states = [normalise(torch.randn(64, D)).requires_grad_()]
    for _ in range(depth):
        x, w = states[-1], torch.randn(D, D) / math.sqrt(D)
        branched = branch * ((normalise(x) if norm == "pre" else x) @ w)
        states.append(normalise(skip * x + branched) if norm == "post" else skip * x + branched)
    gradients = torch.autograd.grad((states[-1] * torch.randn(64, D)).sum(), states)
    sizes = [(g.norm() / gradients[-1].norm()).item() for g in gradients]
    variance, gradient, _ = through_layers(depth, skip, branch, norm)
    np.testing.assert_allclose([x.var().item() for x in states], variance, rtol=0.1)
    np.testing.assert_allclose(sizes, gradient, rtol=0.1)


def test_what_the_lesson_says():
    variance, gradient, around = through_layers(64, 1, 1, "pre")
    np.testing.assert_allclose(variance, 1 + np.arange(65.0))
    assert gradient[0] == pytest.approx(math.sqrt(65)) and around == 1
    assert through_layers(20, 1, 1)[0][-1] == pytest.approx(2**20)
    assert through_layers(32, 0, 0.5, "post")[1][0] == pytest.approx(1)
    assert through_layers(32, 0, 0.5, "post")[2] == 0
    smallest = next(gain for gain in range(121) if through_layers(32, gain / 100, 0.5)[1][0] >= 0.01)
    assert smallest == 71
    assert through_layers(32, 0.9, 0.05)[1][0] > 0.01 > through_layers(64, 0.9, 0.05)[1][0]


@given(depths, skips, branches, norms)
def test_nothing_is_ever_nan_and_the_skips_alone_carry_no_more_than_all_paths(depth, skip, branch, norm):
    variance, gradient, around = through_layers(depth, skip, branch, norm)
    assert np.isfinite(variance).all() and np.isfinite(gradient).all() and gradient[-1] == 1
    assert 0 <= around <= gradient[0] * (1 + 1e-9)


def test_what_python_reads():
    explorer = DepthExplorer()
    assert (explorer.depth, explorer.skip, explorer.branch, explorer.norm) == (32, 1.0, 0.5, "none")
    explorer.depth, explorer.skip, explorer.branch, explorer.norm = 8, 0.5, 0.2, "pre"
    variance, gradient, around = through_layers(8, 0.5, 0.2, "pre")
    assert (explorer.variance == variance).all() and (explorer.gradient == gradient).all()
    assert explorer.around == around
    assert repr(DepthExplorer(skip=0.71)).endswith("norm='none'): gradient at layer 1: 1.09 %")


def test_the_picture_can_be_drawn_over_the_whole_range():
    for norm in NORMS:
        for depth, skip, branch in ((1, 0, WEAKEST), (64, 0, WEAKEST), (64, STRONGEST, STRONGEST), (3, 1, 0.5)):
            explorer = DepthExplorer(depth=depth, skip=skip, branch=branch, norm=norm)
            assert explorer.static_twin()[:4] == b"\x89PNG"


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: through_layers(0, 1, 1), "depth must be a whole number, at least 1; got 0"),
        (lambda: through_layers(3, -1, 1), "skip must be at least 0 and branch above 0; got skip=-1, branch=1"),
        (lambda: through_layers(3, 1, 0), "got skip=1, branch=0"),
        (lambda: through_layers(3, 1, math.nan), "got skip=1, branch=nan"),
        (lambda: through_layers(3, 1, 1, "layer"), "norm must be one of none, pre, post; got 'layer'"),
        (lambda: DepthExplorer(depth=65), "depth must be between 1 and 64; got 65"),
        (lambda: DepthExplorer(skip=1.5), "skip must be between 0 and 1.2; got 1.5"),
        (lambda: DepthExplorer(branch=0.0), "branch must be between 0.05 and 1.2; got 0.0"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=re.escape(says)) as error:
        wrong()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


SUPERSCRIPT = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


def as_number(text):
    """What the page shows, "1.2·10⁻⁴ %", as a number."""
    number, _, unit = text.partition("  ")[0].partition(" ")
    digits, _, power = number.partition("·10")
    return float(digits) * 10.0 ** int(power.translate(SUPERSCRIPT) or 0) / (100 if unit == "%" else 1)


@pytest.mark.browser
def test_the_page_shows_what_python_computes(page, tmp_path):
    page.goto(DepthExplorer().save(tmp_path / "depth.html").as_uri())
    page.wait_for_selector(".tl-depth dd")
    move = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input')); }"
    cases = [(32, 0.71, 0.5), (64, 1.2, 1.2), (64, 0.0, 0.05), (1, 0.3, 0.4), (20, 1.0, 1.0)]
    for norm in NORMS:
        page.locator(".tl-depth select").select_option(norm)
        for case in cases:
            for slider, value in zip(page.locator(".tl-depth input[type=range]").all(), case, strict=True):
                slider.evaluate(move, str(value))
            variance, gradient, around = through_layers(*case, norm)
            for name, wanted in (("variance", variance[-1]), ("gradient", gradient[0]), ("around", around)):
                shown = as_number(page.inner_text(f".tl-depth dd.{name}"))
                assert shown == pytest.approx(wanted, rel=0.05, abs=1e-300), (norm, case, name)
            dots = page.locator(".tl-depth .gradient circle:not(.end)").evaluate_all("(all) => all.length")
            assert dots == case[0] + 1
            assert ("✓" in page.inner_text(".tl-depth dd.gradient")) == (gradient[0] >= 0.01)
