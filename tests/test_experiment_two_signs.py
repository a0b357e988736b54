"""experiments/two_signs.py: what the lesson plots is what the code gives."""

import pytest

from transformer_lab.experiments import recorded
from two_signs import HEADS, SEEDS, T, examples, train


def test_the_target_is_the_left_neighbour_minus_the_first():
    import torch

    x, target = examples(3, torch.Generator().manual_seed(0))
    for t in range(2, T):
        assert torch.equal(target[:, t - 2], x[:, t - 1, :8] - x[:, 0, :8])


@pytest.mark.parametrize("n_heads", [1, 2])
def test_a_slice_of_the_run_gives_what_is_recorded(n_heads):
    kept = recorded("two_signs")["result"]["loss"]
    assert set(kept) == set(map(str, HEADS)) and all(len(losses) == SEEDS for losses in kept.values())
    # 200 of the 400 steps: by then the loss stands where it stays.
    assert train(n_heads, seed=0, steps=200)[1] == pytest.approx(kept[str(n_heads)][0], abs=0.04)
