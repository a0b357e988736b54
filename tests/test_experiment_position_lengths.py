"""The experiment of lesson 08: its tasks, by loops, and one of its runs once more."""

import sys
from pathlib import Path

import pytest
import torch

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
sys.path.append(str(EXPERIMENTS))

import position_lengths  # noqa: E402
from transformer_lab.experiments import recorded  # noqa: E402


@pytest.mark.parametrize("length", [32, 128])
def test_the_rows_have_one_right_answer_that_can_be_found(length):
    ids, labels, counts = position_lengths.local(20, length, torch.Generator().manual_seed(0))
    for b in range(20):
        for t in range(length):
            assert bool(counts[b, t]) == (t > 0)
            assert t == 0 or labels[b, t] == ids[b, t - 1]
    ids, labels, counts = position_lengths.retrieval(20, length, torch.Generator().manual_seed(0))
    for b in range(20):
        pairs = [int(i) for i in ids[b] if i < position_lengths.QUESTIONS]
        told = dict(divmod(pair, position_lengths.N_VALUES) for pair in pairs)
        assert len(pairs) == len(told) == position_lengths.N_PAIRS
        for t in range(length):
            assert bool(counts[b, t]) == (t >= length - position_lengths.ASKED)
            if counts[b, t]:
                assert labels[b, t] == told[int(ids[b, t]) - position_lengths.QUESTIONS]


def test_what_is_recorded_is_whole():
    result = recorded("position_lengths")["result"]
    assert result["lengths"] == list(position_lengths.LENGTHS)
    for task in position_lengths.TASKS:
        rows = result["accuracy"][task]
        assert list(rows) == list(position_lengths.SCHEMES) and {len(seeds) for seeds in rows.values()} == {5}
        assert all(row[1:] == [None, None] for row in rows["learned"])


def test_the_slice_again():
    """ALiBi on the local task; on another machine a short run may end elsewhere, so within 10 points."""
    assert position_lengths.run_slice() == pytest.approx(recorded("position_lengths")["result"]["slice"], abs=0.1)
