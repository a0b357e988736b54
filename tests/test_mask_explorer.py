"""The mask explorer: its mask against the definition cell by cell, what it says changes against real attention."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab import scaled_dot_product_attention
from transformer_lab.attention import causal_mask
from transformer_lab.viz import MaskExplorer, make_mask
from transformer_lab.viz.mask_explorer import KINDS, LARGEST, SIDES

sizes = st.integers(1, LARGEST)
masks = st.tuples(st.sampled_from(list(KINDS)), sizes, sizes, st.integers(0, LARGEST), st.sampled_from(SIDES))


def slow(kind, T, S, n_padded, side):
    """One cell at a time, in words."""
    table = []
    for i in range(T):
        row = []
        for j in range(S):
            in_the_future = {"causal": j > S - T + i, "causal and padding": j > S - T + i, "top left": j > i}
            is_padding = j >= S - n_padded if side == "right" else j < n_padded
            blocked = in_the_future.get(kind, False) or ("padding" in kind and is_padding)
            row.append(not blocked)
        table.append(row)
    return table


@given(masks)
def test_equals_the_definition_cell_by_cell(case):
    kind, T, S, n_padded, side = case
    n_padded = min(n_padded, S)
    assert make_mask(kind, T, S, n_padded, side).tolist() == slow(kind, T, S, n_padded, side)


@given(sizes, sizes)
def test_equals_the_package(T, S):
    assert make_mask("causal", T, S).tolist() == causal_mask(T, S).tolist()


@given(sizes, sizes)
def test_the_two_alignments_agree_exactly_when_T_is_S(T, S):
    assert (make_mask("causal", T, S) == make_mask("top left", T, S)).all() == (T == S)


@given(masks, st.integers(0, LARGEST - 1))
def test_what_changes_is_what_changes_in_attention(case, key):
    kind, T, S, n_padded, side = case
    explorer = MaskExplorer(kind=kind, T=T, S=S, n_padded=n_padded, side=side, changed_key=key)
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(n, 4, generator=generator) for n in (T, S, S))
    mask, key = torch.from_numpy(explorer.mask), min(key, S - 1)
    before, _ = scaled_dot_product_attention(q, k, v, mask)
    k[key], v[key] = k[key] + 1, v[key] + 1
    after, weights = scaled_dot_product_attention(q, k, v, mask)
    assert (before != after).any(dim=1).nonzero().flatten().tolist() == explorer.changed_rows
    assert (weights.sum(dim=1) == 0).nonzero().flatten().tolist() == explorer.empty_rows


def test_the_picture_can_be_drawn_over_the_whole_range():
    pictures = set()
    for T, S, kind, side in ((1, 1, "none", "left"), (8, 8, "causal", "right"), (8, 1, "causal", "left"),
                             (1, 8, "top left", "right"), (5, 3, "causal and padding", "left")):  # fmt: skip
        pictures.add(MaskExplorer(T=T, S=S, kind=kind, side=side, n_padded=8, changed_key=7).static_twin())
    assert len(pictures) == 5


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: make_mask("future", 2, 2), "kind must be one of none, causal"),
        (lambda: make_mask("padding", 2, 2, 1, "top"), "side must be one of right, left; got 'top'"),
        (lambda: make_mask("padding", 2, 2, 3), "n_padded from 0 to S; got 2, 2 and 3"),
        (lambda: MaskExplorer(T=0), "T must be between 1 and 8; got 0"),
        (lambda: MaskExplorer(changed_key=8), "changed_key must be between 0 and 7; got 8"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=says):
        wrong()


@pytest.mark.browser
def test_the_page_shows_what_python_computes(page, tmp_path):
    explorer = MaskExplorer()
    page.goto(explorer.save(tmp_path / "mask.html").as_uri())
    page.wait_for_selector(".tl-mask svg")
    move = """([selector, value, event]) => { const input = document.querySelector(selector);
      input.value = value; input.dispatchEvent(new Event(event, { bubbles: true })); }"""
    ranges = [f".tl-mask .control:nth-of-type({n}) input" for n in (2, 3, 4)]
    menus = [f".tl-mask .control:nth-of-type({n}) select" for n in (1, 5)]
    for T, S, n_padded, kind, side in (
        *((4, 7, 2, kind, "right") for kind in KINDS), (7, 4, 1, "causal and padding", "left"),
        (2, 8, 8, "padding", "left"), (6, 1, 0, "top left", "right"),
    ):  # fmt: skip
        for selector, value, event in zip([*ranges, *menus], (T, S, n_padded, kind, side),
                                          ["input"] * 3 + ["change"] * 2, strict=True):  # fmt: skip
            page.evaluate(move, [selector, value, event])
        page.focus(".tl-mask .handle")
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        explorer.T, explorer.S, explorer.n_padded, explorer.kind, explorer.side = T, S, n_padded, kind, side
        explorer.changed_key = min(1, S - 1)
        cells = page.eval_on_selector_all(".tl-mask .cell", "(all) => all.map((c) => c.classList.contains('allowed'))")
        assert np.array(cells).reshape(T, S).tolist() == explorer.mask.tolist()
        said = page.eval_on_selector_all(".tl-mask .says", "(all) => all.map((c) => c.textContent)")
        assert [i for i, words in enumerate(said) if words == "changes"] == explorer.changed_rows
        assert [i for i, words in enumerate(said) if words == "no key: 0"] == explorer.empty_rows
        empty = ", ".join(map(str, explorer.empty_rows)) or "none"
        assert page.inner_text(".tl-mask .read-out .empty") == f"Rows without a key: {empty}."


@pytest.mark.browser
def test_a_click_on_a_column_changes_that_key(page, tmp_path):
    page.goto(MaskExplorer().save(tmp_path / "mask.html").as_uri())
    page.locator(".tl-mask .column >> nth=5").click()
    assert page.get_attribute(".tl-mask .handle", "aria-valuetext") == "key 5"
    assert page.inner_text(".tl-mask .read-out .changes") == "Key 5 changes: output 5 changes (1 of 6)."
