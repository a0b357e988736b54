"""The dials against complex numbers and the package, and the page against Python."""

import cmath
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from transformer_lab.positions import RotaryPositions, rotate
from transformer_lab.viz import RotaryExplorer, turn_pairs
from transformer_lab.viz.rotary_explorer import LAST

positions = st.integers(0, LAST)


@st.composite
def cases(draw):
    """q, k, their positions and theta."""
    half = draw(st.integers(1, 5))
    q, k = (draw(arrays(np.float64, 2 * half, elements=st.floats(-3, 3, width=32))) for _ in range(2))
    return q, k, draw(positions), draw(positions), draw(st.sampled_from([100.0, 10_000.0, 500_000.0]))


def slow(q, k, m, n, theta):
    """One complex number at a time."""
    half = len(q) // 2
    queries, keys, score = [], [], 0.0
    for i in range(half):
        frequency = theta ** (-2 * i / len(q))
        queries.append(complex(q[i], q[i + half]) * cmath.exp(1j * m * frequency))
        keys.append(complex(k[i], k[i + half]) * cmath.exp(1j * n * frequency))
        score += (queries[i] * keys[i].conjugate()).real / math.sqrt(len(q))
    return [[z.real, z.imag] for z in queries], [[z.real, z.imag] for z in keys], score


@given(cases())
def test_equals_complex_numbers_one_at_a_time(case):
    for got, wanted in zip(turn_pairs(*case), slow(*case), strict=True):
        np.testing.assert_allclose(got, wanted, atol=1e-9)


@given(cases())
def test_equals_the_package(case):
    q, k, m, n, theta = case
    scheme = RotaryPositions(len(q), theta)
    turned = [rotate(torch.tensor(x).view(1, 1, 1, -1), *scheme.rotation(torch.tensor([[p]]), torch.float64)).flatten()
              for x, p in ((q, m), (k, n))]  # fmt: skip
    queries, keys, score = turn_pairs(*case)
    np.testing.assert_allclose(queries.T.ravel(), turned[0], atol=1e-9)
    np.testing.assert_allclose(keys.T.ravel(), turned[1], atol=1e-9)
    assert score == pytest.approx(float(turned[0] @ turned[1]) / math.sqrt(len(q)), abs=1e-9)


@given(cases(), positions)
def test_only_the_offset_counts_and_lengths_stay(case, shift):
    q, k, m, n, theta = case
    queries, keys, score = turn_pairs(*case)
    assert turn_pairs(q, k, m + shift, n + shift, theta)[2] == pytest.approx(score, abs=1e-9)
    np.testing.assert_allclose(np.hypot(*queries.T), np.hypot(*q.reshape(2, -1)), atol=1e-9)


def test_what_python_reads():
    explorer = RotaryExplorer(query_position=101, key_position=1)
    assert explorer.offset == 100
    apart = explorer.angles[:, 0] - explorer.angles[:, 1]
    np.testing.assert_allclose(apart, [100 * 10_000 ** (-2 * i / 16) for i in range(8)])
    assert explorer.score == pytest.approx(sum(np.cos(apart)) / 4)
    offsets, scores = explorer.scores_by_offset()
    assert scores[offsets == 100] == pytest.approx(explorer.score)
    explorer.query_position = 5
    assert explorer.offset == 4 and repr(explorer).startswith("RotaryExplorer(8 pairs, query at 5, key at 1, ")


def test_pictures_of_other_contents():
    rng = np.random.default_rng(0)
    for d_head in (2, 4, 24):
        q, k = torch.tensor(rng.normal(size=(2, d_head)))
        assert RotaryExplorer(q, k, theta=100.0, query_position=LAST).static_twin()[:4] == b"\x89PNG"
    assert RotaryExplorer(np.zeros(4)).static_twin()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: RotaryExplorer(np.ones(5)), r"q and k must both be \(d_head,\), d_head even; got \(5,\) and \(5,\)"),
        (lambda: RotaryExplorer(np.ones(4), np.ones(6)), r"got \(4,\) and \(6,\)"),
        (lambda: RotaryExplorer([1.0, math.nan]), "q must be finite"),
        (lambda: RotaryExplorer(theta=1), "theta must be more than 1; got 1"),
        (lambda: RotaryExplorer(query_position=LAST + 1), "query_position must be between 0 and 127; got 128"),
        (lambda: turn_pairs([], [], 0, 0), "d_head even"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=says) as error:
        wrong()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"


def minus(text):
    return text.replace("−", "-")


@pytest.mark.browser
def test_the_page_shows_the_formulas_numbers_and_locks_the_offset(page, tmp_path):
    rng = np.random.default_rng(0)
    q, k = rng.normal(size=(2, 12))
    page.goto(RotaryExplorer(q, k, theta=500.0).save(tmp_path / "rotary.html").as_uri())
    sliders = page.locator(".tl-rotary input[type=range]")
    shown = lambda: page.locator(".tl-rotary .control output").all_inner_texts()  # noqa: E731

    def holds(m, n):
        queries, keys, score = turn_pairs(q, k, m, n, 500.0)
        assert shown() == [str(m), str(n)]
        parts = [float(minus(text)) for text in page.locator(".tl-rotary .part").all_inner_texts()]
        np.testing.assert_allclose(parts, (queries * keys).sum(-1) / math.sqrt(12), atol=6e-3)
        assert float(minus(page.inner_text(".tl-rotary strong")).split("= ")[1]) == pytest.approx(score, abs=6e-4)
        assert f"offset {m - n}." in minus(page.inner_text(".tl-rotary .read-out"))

    holds(9, 3)
    for m, n in ((0, 0), (101, 1), (0, LAST), (LAST, 64)):
        sliders.nth(0).evaluate(SET, str(m))
        sliders.nth(1).evaluate(SET, str(n))
        holds(m, n)
    page.click(".tl-rotary button")
    holds(9, 3)
    score = page.inner_text(".tl-rotary strong")
    page.check(".tl-rotary input[type=checkbox]")
    sliders.nth(0).evaluate(SET, "50")
    holds(50, 44)
    sliders.nth(0).evaluate(SET, "0")  # k can go no lower than 0
    holds(6, 0)
    sliders.nth(1).evaluate(SET, str(LAST))  # nor q higher than the last
    holds(LAST, LAST - 6)
    assert page.inner_text(".tl-rotary strong") == score
    sliders.nth(1).focus()
    page.keyboard.press("ArrowLeft")
    holds(LAST - 1, LAST - 7)


@pytest.mark.browser
def test_the_dot_is_dragged_and_moved_with_keys(page, tmp_path):
    page.goto(RotaryExplorer().save(tmp_path / "rotary.html").as_uri())
    dot = page.locator(".tl-rotary .dot")
    positions = lambda: [int(text) for text in page.locator(".tl-rotary .control output").all_inner_texts()]  # noqa: E731
    centre = lambda: dot.locator("circle:not(.ring)").evaluate(  # noqa: E731
        "(e) => { const box = e.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; }"
    )
    assert positions() == [9, 3]
    page.mouse.move(*centre())
    page.mouse.down()
    x, y = centre()
    page.mouse.move(x + 100, y)
    page.mouse.move(x + 200, y)
    page.mouse.up()
    m, n = positions()
    assert n == 3 and m > 30 and centre()[0] == pytest.approx(x + 200, abs=4)  # it stays under the pointer
    page.mouse.move(x - 100, y)
    assert positions() == [m, n]  # and is let go
    dot.focus()
    page.keyboard.press("ArrowRight")
    assert positions() == [m + 1, 3]
    page.keyboard.press("Home")  # q cannot go below 0: k moves too
    assert positions() == [0, LAST] and dot.get_attribute("aria-valuenow") == str(-LAST)
    page.keyboard.press("ArrowLeft")
    assert positions() == [0, LAST]
    page.keyboard.press("End")
    assert positions() == [LAST, 0] and "score" in dot.get_attribute("aria-valuetext")
