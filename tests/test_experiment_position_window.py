"""The experiment that takes rotary's failure at 128 tokens apart: which keys are read, and what is recorded."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "experiments"))

import position_lengths  # noqa: E402
import position_window  # noqa: E402
from transformer_lab.experiments import recorded  # noqa: E402

T, N = max(position_lengths.LENGTHS), position_lengths.TRAINED


def test_the_last_queries_read_as_many_keys_as_in_training_near_ones_or_far_ones():
    near, far = position_window.near(T), position_window.far(T)
    for i in range(T - position_lengths.ASKED, T):
        assert near[i].nonzero().flatten().tolist() == list(range(i - N + 1, i + 1))
        keys = far[i].nonzero().flatten().tolist()
        assert len(keys) == N and keys[-2:] == [i - 1, i] and max(keys[:-2]) <= i - N
    assert not torch.equal(far[-1], far[-2].roll(1)), "each query draws its own"


def test_the_controls_have_no_far_key():
    two, some_near = position_window.two(T), position_window.some_near(T)
    for i in range(T - position_lengths.ASKED, T):
        assert two[i].nonzero().flatten().tolist() == [i - 1, i]
        keys = some_near[i].nonzero().flatten().tolist()
        assert len(keys) == 12 and keys[-2:] == [i - 1, i] and min(keys) > i - N


def test_the_window_is_what_attention_sees():
    """A token out of every query's sight can be anything; with all keys it cannot."""
    torch.manual_seed(0)
    model = position_lengths.new_model("rotary", n_layers=1).eval()
    ids = torch.randint(position_lengths.VOCAB, (1, T))
    other = ids.clone()
    other[0, 5] = (ids[0, 5] + 1) % position_lengths.VOCAB
    with torch.no_grad():
        assert not torch.equal(model(ids)[0, -1], model(other)[0, -1])
        with position_window.reading(model, position_window.near(T)):
            assert torch.equal(model(ids)[0, -1], model(other)[0, -1])


def test_what_is_recorded_is_whole_and_agrees_with_the_longer_record():
    """They are models of position_lengths, trained again."""
    result, lengths = recorded("position_window")["result"], recorded("position_lengths")["result"]["accuracy"]["local"]
    assert list(result) == list(position_window.SCHEMES)
    for scheme, rows in result.items():
        assert len(rows) == len(position_window.SEEDS) == 5
        for row, (trained, _, longest) in zip(rows, lengths[scheme], strict=True):
            assert (row["trained length"], row["all keys"]) == pytest.approx((trained, longest), abs=0.005)
