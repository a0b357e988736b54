"""SplitExplorer: the two ways against loops and against torch, and what the browser shows against Python."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab import MultiHeadAttention
from transformer_lab.viz import SplitExplorer, split_both_ways

sizes = st.tuples(st.integers(1, 7), st.integers(1, 5), st.integers(1, 4))
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"


def slow(T, H, d_head):
    """Number by number: count along the tensor, position by position, and hand each number to its place."""
    split, viewed = np.zeros((H, T, d_head), int), np.zeros((H, T, d_head), int)
    for t in range(T):
        for feature in range(H * d_head):
            split[feature // d_head, t, feature % d_head] = t * H * d_head + feature
    number = 0
    for h in range(H):
        for t in range(T):
            for f in range(d_head):
                viewed[h, t, f] = number
                number += 1
    return split, viewed


@given(sizes)
def test_equals_handing_out_the_numbers_one_by_one(case):
    for ours, theirs in zip(split_both_ways(*case), slow(*case), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@given(sizes)
def test_the_first_way_is_what_the_package_does(case):
    T, H, d_head = case
    x = torch.arange(T * H * d_head, dtype=torch.float32).view(1, T, H * d_head)
    right, viewed = split_both_ways(*case)
    np.testing.assert_array_equal(MultiHeadAttention(H * d_head, H).split(x)[0], right)
    np.testing.assert_array_equal(x.view(1, H, T, d_head)[0], viewed)


@given(sizes)
def test_how_many_pieces_agree_follows_from_the_greatest_common_divisor(case):
    T, H, d_head = case
    right, viewed = split_both_ways(*case)
    assert (right == viewed).sum() == d_head * (math.gcd(T - 1, H - 1) + 1)
    assert (right == viewed).all() == (T == 1 or H == 1)


def test_the_explorer_holds_what_the_function_gives():
    explorer = SplitExplorer(n_positions=3, n_heads=2, d_head=4)
    np.testing.assert_array_equal(explorer.split, slow(3, 2, 4)[0])
    np.testing.assert_array_equal(explorer.viewed, slow(3, 2, 4)[1])
    assert explorer.agree.sum() == 8


def test_a_bad_size_is_refused_in_one_sentence():
    with pytest.raises(ValueError, match="n_heads must be between 1 and 4; got 5"):
        SplitExplorer(n_heads=5)
    with pytest.raises(ValueError, match="chosen must be between 0 and 23; got 24"):
        SplitExplorer().chosen = 24
    with pytest.raises(ValueError, match="at least 1"):
        split_both_ways(0, 2, 2)


def test_the_chosen_number_stays_inside_when_the_tensor_shrinks():
    explorer = SplitExplorer(chosen=23)
    explorer.n_positions = 1
    assert explorer.chosen == 5


def shown(page, way):
    """The numbers of a panel as a reader sees them: the cell's text, in the order of drawing, and which are framed."""
    cells = page.locator(f".tl-split .{way} .cell")
    numbers = cells.evaluate_all("(cells) => cells.map((cell) => Number(cell.textContent))")
    return numbers, cells.evaluate_all("(cells) => cells.map((cell) => cell.classList.contains('stays'))")


@pytest.mark.browser
def test_the_page_shows_what_python_computes(page, tmp_path):
    page.goto(SplitExplorer().save(tmp_path / "split.html").as_uri())
    page.wait_for_selector(".tl-split .cell")
    sliders = page.locator(".tl-split input[type=range]")
    for size in ((4, 3, 2), (1, 4, 2), (6, 4, 4), (5, 1, 3), (3, 3, 1)):
        for i, value in enumerate(size):
            sliders.nth(i).evaluate(SET, str(value))
        agree = np.equal(*split_both_ways(*size))
        for way, wanted in zip(("right", "viewed"), split_both_ways(*size), strict=True):
            numbers, framed = shown(page, way)
            assert numbers == wanted.flatten().tolist()
            assert framed == agree.flatten().tolist()
        verdict = page.inner_text(".tl-split .verdict")
        assert f"{agree.sum()} of {agree.size} numbers" in verdict
        assert ("everywhere" in verdict) == bool(agree.all())


@pytest.mark.browser
def test_a_number_is_followed_by_mouse_and_keyboard(page, tmp_path):
    page.goto(SplitExplorer().save(tmp_path / "split.html").as_uri())
    page.click(".tl-split .viewed [data-number='13']")
    assert page.inner_text(".tl-split .follows") == (
        "13 stands at position 2, feature 1. view + transpose: head 0, position 2, feature 1. "
        "view alone: head 1, position 2, feature 1."
    )
    page.focus(".tl-split .whole svg")
    for key in ("ArrowDown", "ArrowRight", "ArrowDown", "ArrowUp", "ArrowLeft", "ArrowLeft"):
        page.keyboard.press(key)
    # 13 + 6 = 19, 20, (no row below), 14, 13, 12
    assert page.locator(".tl-split .cell.chosen").all_text_contents() == ["12"] * 3
