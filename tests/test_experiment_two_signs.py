"""experiments/two_signs.py: what the lesson plots is what the code gives."""

import pytest
import torch

from transformer_lab.experiments import recorded
from two_signs import (
    HEADS,
    SEEDS,
    WIDTH,
    WIDTHS,
    Heads,
    T,
    ViewedHeads,
    examples,
    looks,
    on_left,
    summary,
    train,
)


def test_the_target_is_the_left_neighbour_minus_the_first():
    x, target = examples(3, torch.Generator().manual_seed(0))
    for t in range(2, T):
        assert torch.equal(target[:, t - 2], x[:, t - 1, :8] - x[:, 0, :8])


@pytest.mark.parametrize("n_heads", [1, 2])
def test_a_slice_of_the_run_gives_what_is_recorded(n_heads):
    kept = recorded("two_signs")["result"]["loss"]
    assert set(kept) == set(map(str, HEADS)) and all(len(losses) == SEEDS for losses in kept.values())
    # 200 of the 400 steps: by then the loss stands where it stays.
    assert train(n_heads, seed=0, steps=200)[1] == pytest.approx(kept[str(n_heads)][0], abs=0.04)


def row_of(*widths):
    kept = recorded("two_signs")["result"]["widths"]
    assert [(row["heads"], row["key"], row["value"]) for row in kept] == list(WIDTHS)
    return kept[WIDTHS.index(widths)]


@pytest.mark.parametrize("widths", [(16, 1, 8), (16, 8, 1)])
def test_widened_heads_give_what_is_recorded(widths):
    row, (layer, loss) = row_of(*widths), train(widths[0], 0, *widths[1:])
    assert loss == pytest.approx(row["loss"][0], abs=0.02)
    for name, number in summary(layer).items():
        assert number == pytest.approx(row[name][0], abs=0.15), name


def test_a_split_without_transpose_gives_what_is_recorded():
    kept = recorded("two_signs")["result"]["two heads, split without a transpose"]
    assert train(2, 0, steps=200, kind=ViewedHeads)[1] == pytest.approx(kept[0], abs=0.06)


def test_what_is_said_of_a_layer_written_by_hand():
    """Two heads that read the left neighbour with +1 and the first position with -1."""
    layer, numbers, marker = Heads(2, 8, 8), slice(0, WIDTH), slice(WIDTH, WIDTH + T)
    to_left, to_first = torch.diag(torch.ones(T - 1), 1), torch.zeros(T, T)
    to_first[0] = 1
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        for own, query, sign in ((slice(0, 8), to_left, 1), (slice(8, 16), to_first, -1)):
            layer.w_q.weight[own, marker] = 10 * query
            layer.w_k.weight[own, marker] = torch.eye(T)
            layer.w_v.weight[own, numbers] = torch.eye(WIDTH)
            layer.w_o.weight[numbers, own] = sign * torch.eye(WIDTH)
    weights, factors = looks(layer)
    assert on_left(weights).tolist() == pytest.approx([1, 0], abs=0.01)
    assert factors.tolist() == [[1] * WIDTH, [-1] * WIDTH]
    assert summary(layer) == pytest.approx({"most of one head": 1, "left": 1, "first": -1}, abs=0.01)
