"""The recorded experiment of lesson 06: a slice of it again, and what the lesson says of the rest."""

from statistics import median

import pytest
import torch

from residual_depth import ARRANGEMENTS, DEPTHS, SEEDS, train
from transformer_lab.experiments import recorded


def test_a_slice_gives_what_was_recorded():
    """Two layers, the first seed: another CPU may round otherwise, which moves accuracy by a few points."""
    kept = recorded("residual_depth")["result"]["accuracy"]
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name in ("no skip", "skip"):
            run = kept[name]["2"]
            assert train(name, 2, run["learning rate"], SEEDS[0]) == pytest.approx(run["accuracy"][0], abs=0.05)
    finally:
        torch.set_num_threads(threads)


def test_the_record_is_whole_and_says_what_the_lesson_says():
    result = recorded("residual_depth")["result"]
    accuracy = {
        name: {L: median(run["accuracy"]) for L, run in kept.items()} for name, kept in result["accuracy"].items()
    }
    assert list(accuracy) == list(ARRANGEMENTS) and all(
        list(kept) == [str(L) for L in DEPTHS] for kept in accuracy.values()
    )
    guess = result["commonest class"]
    assert accuracy["no skip"]["32"] < guess + 0.05 and accuracy["norm only"]["32"] < guess + 0.05
    assert accuracy["skip"]["32"] > accuracy["skip"]["2"] - 0.03
    assert accuracy["skip + norm"]["32"] > accuracy["skip + norm"]["2"] - 0.03
    assert guess + 0.1 < accuracy["no skip, unit gain"]["32"] < accuracy["skip"]["32"] - 0.2
