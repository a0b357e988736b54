"""experiments/head_widths.py: what the lesson plots is what the code gives, and its summary says what a layer does."""

import pytest
import torch

from head_widths import (
    FEWER,
    MORE,
    SEEDS,
    WIDTHS,
    Heads,
    ViewedHeads,
    by_position,
    looks,
    narrow,
    on_left,
    summary,
    train,
    viewed_by_hand,
)
from transformer_lab.experiments import recorded
from two_signs import WIDTH, T


@pytest.mark.parametrize("widths", [(1, 8), (8, 1)])
def test_a_slice_of_the_run_gives_what_is_recorded(widths):
    kept = recorded("head_widths")["result"]["widths"]
    assert [(row["key"], row["value"]) for row in kept] == list(WIDTHS)
    row, (layer, loss) = kept[WIDTHS.index(widths)], train(Heads, (16, *widths), seed=0)
    assert len(row["loss"]) == SEEDS and loss == pytest.approx(row["loss"][0], abs=0.02)
    for name, number in summary(layer).items():
        assert number == pytest.approx(row[name][0], abs=0.15), name


def test_a_split_without_transpose_gives_what_is_recorded():
    kept = recorded("head_widths")["result"]["without transpose"]
    # 200 of the 400 steps: by then the loss stands nearly where it stays.
    assert train(ViewedHeads, (2, 8, 8), seed=0, steps=200)[1] == pytest.approx(kept[0], abs=0.06)


def test_without_transpose_more_is_possible_than_training_finds():
    kept = recorded("head_widths")["result"]
    # Behind the fourth position nobody sees the first, and the fifth does not see its left neighbour either.
    assert by_position(viewed_by_hand()) == pytest.approx([0, 0, 1, 0.5, 0.5, 0.5], abs=0.03)
    for row in kept["without transpose, by position"]:
        assert row == pytest.approx([0.5, 0.5, 1, 0.5, 0.5, 0.5], abs=0.05)
    assert max(kept["without transpose, from hand"]) < 0.43 and min(kept["without transpose"]) > 0.57


def test_more_heads_as_narrow_do_better():
    kept = recorded("head_widths")["result"]
    of = {16: kept["widths"][0]["loss"]} | {int(n): losses for n, losses in kept["more heads"].items()}
    assert list(of) == [16, *MORE] and all(len(losses) == SEEDS for losses in of.values())
    assert min(of[16]) > 0.2 > max(of[32]) > min(of[32]) > 0.05 > max(of[64])
    # Half of the steps: by then 32 heads are better than 16 ever get.
    assert train(Heads, (32, 1, 1), seed=0, steps=200)[1] < 0.2


def test_the_same_layer_does_better_if_fewer_numbers_are_wanted():
    """As well as more heads do: what counts is how many looks there are for each number, not the parameters."""
    kept = recorded("head_widths")["result"]
    of = {int(n): losses for n, losses in kept["fewer numbers"].items()}
    assert tuple(of) == FEWER and all(len(losses) == SEEDS for losses in of.values())
    for wanted, heads in zip(FEWER, MORE, strict=True):
        assert wanted * heads == 16 * WIDTH  # as many looks for each number
        mean, other = (sum(losses) / SEEDS for losses in (of[wanted], kept["more heads"][str(heads)]))
        assert 0.7 < mean / other < 1.5
    # Half of the steps: by then it is better than with eight numbers it ever gets.
    assert narrow(0, 2, steps=200) < 0.1 < min(kept["widths"][0]["loss"])


def test_heads_of_one_width_are_those_of_the_package():
    from two_signs import train as of_one_width

    assert train(Heads, (16, 1, 1), seed=0, steps=3)[1] == of_one_width(16, seed=0, steps=3)[1]


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
