"""The recorded experiment of lesson 06: a slice of it again, and what the lesson says of the rest."""

from statistics import median

import pytest
import torch

from residual_depth import ARRANGEMENTS, CONTROLS, DEPTHS, SEEDS, fitted, gradient_left, share_right, task, train
from residual_rotations import MATRICES, STACKS, directions
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
    assert all(len(run["accuracy"]) == len(SEEDS) for kept in result["accuracy"].values() for run in kept.values())
    guess = result["commonest class"]
    assert accuracy["no skip"]["32"] < guess + 0.05 and accuracy["norm only"]["32"] < guess + 0.05
    for name in ("skip", "pre-norm", "post-norm"):
        assert accuracy[name]["32"] > accuracy[name]["2"] - 0.03
    assert guess + 0.1 < accuracy["no skip, unit gain"]["32"] < accuracy["skip"]["32"] - 0.2


def test_with_branches_of_gain_1_a_deep_stack_needs_the_norm():
    """Every seed of pre-norm is ahead of every seed of the skip alone; post-norm, without warm-up, is between."""
    runs = {name: kept["32"]["accuracy"] for name, kept in recorded("residual_depth")["result"]["accuracy"].items()}
    skip, pre, post = (runs[f"{name}, unit gain"] for name in ("skip", "pre-norm", "post-norm"))
    assert max(skip) < 0.3 < min(post) and max(post) < 0.55 < min(pre)
    assert max(runs["norm only, unit gain, tanh"]) < 0.4


def test_the_controls_say_what_the_lesson_says():
    """The right size is not enough; inputs that do not all lean one way help, and so do a skip and a last norm."""
    depth, controls = recorded("residual_depth")["result"], recorded("residual_controls")["result"]
    plain = {name: kept["32"]["accuracy"] for name, kept in depth["accuracy"].items()}
    kept = {name: run["accuracy"] for name, run in controls["accuracy"].items()}
    assert list(kept) == list(CONTROLS) and all(len(runs) == len(SEEDS) for runs in kept.values())
    right_size = [gradient_left("norm only, no biases", 32, seed) for seed in SEEDS]
    assert (
        median(gradient_left("norm only", 32, seed) for seed in SEEDS) < 0.1
        and 0.5 < min(right_size) < max(right_size) < 6
    )
    guess = depth["commonest class"]
    assert sum(share < guess + 0.01 for share in kept["norm only, no biases"]) == 4
    small, as_it_is = kept["norm only, unit gain, small tanh"], plain["norm only, unit gain, tanh"]
    assert sum(a > b + 0.05 for a, b in zip(small, as_it_is, strict=True)) == 4
    assert all(a > b for a, b in zip(kept["post-norm, unit gain, small tanh"], small, strict=True))
    assert all(a > b + 0.15 for a, b in zip(kept["skip, unit gain, last norm"], plain["skip, unit gain"], strict=True))
    assert max(controls["long"]) < guess + 0.03 and max(controls["sgd"]["no skip"]) < guess + 0.03


def test_a_slice_of_the_controls_run_again():
    """Two layers, few steps: each control trains, and differs from what it controls."""
    for name in CONTROLS:
        assert 0 <= train(name, 2, 1e-3, SEEDS[0], steps=2) <= 1


def test_rotations_do_without_a_skip_what_random_matrices_do_not():
    """A skip or matrices that crush nothing: either is enough, and only the stack with neither lags behind."""
    kept = recorded("residual_rotations")["result"]["accuracy"]
    assert list(kept) == list(MATRICES) and all(list(stacks) == list(STACKS) for stacks in kept.values())
    best = {(kind, name): max(map(median, kept[kind][name].values())) for kind in MATRICES for name in STACKS}
    neither = best.pop(("random", STACKS[0]))
    assert neither < 0.5 and min(best.values()) > 0.6
    for seed in SEEDS[:2]:
        through = {(kind, name): directions(name, MATRICES[kind], seed) for kind in MATRICES for name in STACKS}
        assert through.pop(("random", STACKS[0])) < 2 < 2.5 < min(through.values())


def test_a_slice_of_the_rotations_run_again():
    """32 sub-layers without skips, one seed: what rotations gain is far more than another CPU moves."""
    kept = recorded("residual_rotations")["result"]["accuracy"]["rotations"][STACKS[0]]["0.0003"]
    model = fitted(STACKS[0], 32, 3e-4, SEEDS[0], stack=MATRICES["rotations"])
    assert share_right(model, *task()[1]) == pytest.approx(kept[0], abs=0.06)
