import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from transformer_lab import GPT, TransformerConfig, replace_attention, scaled_dot_product_attention
from transformer_lab.viz import CostExplorer, model_cost
from transformer_lab.viz.cost_explorer import HEADS, LENGTHS, PARTS, VOCABULARIES, WIDTHS, short

sizes = st.tuples(st.integers(1, 40), st.integers(1, 90), st.integers(1, 30), st.integers(1, 4), st.booleans())


def slow(d_model, d_ff, T, n_layers, gated, vocab_size):
    """Every matrix of the model written down, and every multiplication of the forward pass counted."""
    made = {part: [] for part in PARTS}  # (rows, columns) of weights
    worked = {part: [] for part in PARTS}  # (rows, inner, columns) of a product
    for _ in range(n_layers):
        made["projections"] += [(d_model, d_model)] * 4
        made["feed-forward"] += [(d_ff, d_model)] * (2 if gated else 1) + [(d_model, d_ff)]
        worked["scores and mix"] += [(T, d_model, T), (T, T, d_model)]
    made["embedding and logits"] += [(vocab_size, d_model)]
    for part, shapes in made.items():
        worked[part] += [(T, columns, rows) for rows, columns in shapes]
    parameters = {part: sum(a * b for a, b in shapes) for part, shapes in made.items()}
    return {"parameters": parameters, "flops": {p: sum(2 * a * b * c for a, b, c in s) for p, s in worked.items()}}


@given(sizes, st.integers(0, 50))
def test_equals_every_matrix_written_down(size, vocab_size):
    d_model, d_ff, T, n_layers, gated = size
    assert model_cost(d_model, d_ff, T, n_layers, gated, vocab_size) == slow(*size, vocab_size)


@pytest.mark.parametrize(("activation", "n_heads"), [("gelu", 4), ("swiglu", 2)])
def test_equals_the_package_s_model_and_torch_s_counter(activation, n_heads):
    T, size = 24, dict(d_model=48, d_ff=80, n_layers=3)
    config = TransformerConfig(vocab_size=30, n_heads=n_heads, activation=activation, bias=False, **size)
    model = GPT(config)
    counted = {"projections": 0, "feed-forward": 0, "embedding and logits": 0, "scores and mix": 0}
    for name, weight in model.named_parameters():
        part = {"attention.": "projections", "feed_forward.": "feed-forward", "tokens.": "embedding and logits"}
        part = [value for key, value in part.items() if key in name]
        if part:
            counted[part[0]] += weight.numel()
    ours = model_cost(T=T, gated=activation == "swiglu", vocab_size=30, **size)
    assert ours["parameters"] == counted
    # The fused kernel of the CPU is not in torch's list: computed explicitly, its two products are.
    with replace_attention(model, scaled_dot_product_attention), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, T, dtype=torch.int64))
    assert counter.get_total_flops() == sum(ours["flops"].values())


def test_the_quadratic_part_overtakes_the_layer_at_d_ff_and_at_one_and_a_half_d_ff_when_gated():
    for d_model, d_ff in ((64, 256), (96, 100)):
        for gated, crossing in ((False, d_ff), (True, 3 * d_ff // 2)):
            at, before = (model_cost(d_model, d_ff, T, 5, gated)["flops"] for T in (crossing, crossing - 1))
            assert at["scores and mix"] == at["feed-forward"]
            assert before["scores and mix"] < before["feed-forward"]


def test_what_python_reads():
    explorer = CostExplorer()
    assert explorer.cost == model_cost(768, 3072, 1024, 12, False, 50_257)
    assert explorer.ratio == pytest.approx(1 / 3)
    explorer.d_model, explorer.d_ff_ratio, explorer.gated, explorer.T = 1024, 8 / 3, True, 4096
    assert explorer.d_ff == 2731 and explorer.ratio == pytest.approx(1, abs=1e-3)
    assert repr(explorer) == "CostExplorer(d_model=1024, d_ff=2731, gated, T=4096, 12 layers)"


def test_the_numbers_are_short():
    assert [short(n) for n in (0, 55, 999, 1000, 12_345, 123_456_789, 9.996e9, 8e16)] == [
        "0", "55", "999", "1.00 K", "12.3 K", "123 M", "10.0 G", "80.0 P"]  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (lambda: model_cost(0, 4, 4), "d_model must be at least 1; got 0"),
        (lambda: model_cost(4, 4, 4, vocab_size=-1), "vocab_size must be at least 0; got -1"),
        (lambda: CostExplorer(T=0), "T must be between 1 and 200000; got 0"),
        (lambda: CostExplorer(d_ff_ratio=0), "d_ff_ratio must be between 0.1 and 20; got 0"),
        (lambda: CostExplorer(vocab_size=7), "vocab_size must be one of 0, 55, .*; got 7"),
    ],
)
def test_errors_are_one_sentence_that_names_the_argument(wrong, says):
    with pytest.raises(ValueError, match=says) as error:
        wrong()
    assert "\n" not in str(error.value) and str(error.value).endswith(".")


def test_the_picture_can_be_drawn_at_every_end():
    pictures = set()
    for d_model, T, vocab_size in ((WIDTHS[0], LENGTHS[0], 0), (WIDTHS[-1], LENGTHS[-1], VOCABULARIES[-1])):
        explorer = CostExplorer(d_model=d_model, T=T, vocab_size=vocab_size, n_heads=HEADS[-1], gated=T > 100)
        pictures.add(explorer.static_twin())
    assert len(pictures) == 2


def read(text):
    """116 G -> 1.16e11."""
    number, _, letter = text.partition(" ")
    return 0.0 if number == "none" else float(number) * 1000 ** " KMGTP".index(letter or " ")


@pytest.mark.browser
def test_the_page_shows_what_python_computes(page, tmp_path):
    set_to = "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', { bubbles: true })); }"
    explorer = CostExplorer()
    page.goto(explorer.save(tmp_path / "cost.html").as_uri())
    page.wait_for_selector(".tl-cost .read-out strong")
    sliders = page.locator(".tl-cost input[type=range]")
    for step in range(4):
        if step:
            width, ratio, T, layers, heads = (3 * step, 7 * step - 4, 13 * step, 20 * step, step)
            for i, value in enumerate((width, ratio, T, layers, heads)):
                sliders.nth(i).evaluate(set_to, str(value))
            page.locator(".tl-cost input[type=checkbox]").click()
            page.locator(".tl-cost select").select_option(str(VOCABULARIES[step]))
            explorer.d_model, explorer.d_ff_ratio, explorer.T = WIDTHS[width], (ratio + 3) / 3, LENGTHS[T]
            explorer.n_layers, explorer.n_heads = layers, HEADS[heads]
            explorer.gated, explorer.vocab_size = step % 2 == 1, VOCABULARIES[step]
        for kind, parts in explorer.cost.items():
            shown = [read(text) for text in page.locator(f".tl-cost td.{kind}").all_inner_texts()]
            np.testing.assert_allclose(shown, list(parts.values()), rtol=0.006)
        ratio = float(page.inner_text(".tl-cost strong.ratio").removesuffix(" ×"))
        assert math.isclose(ratio, explorer.ratio, rel_tol=0.05, abs_tol=0.005)
        text = page.inner_text(".tl-cost .read-out")
        assert f"d_ff = {explorer.d_ff:,}" in text
        assert short(explorer.n_layers * explorer.n_heads * explorer.T**2) in text
