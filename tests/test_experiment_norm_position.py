"""experiments/norm_position.py: what is kept follows from its own rows, and a slice run again gives the same."""

import pytest
import torch

import norm_position
import norm_position_gradients as gradients
from transformer_lab.experiments import recorded

kept = recorded("norm_position")["result"]


def row(place, warm_up, rate):
    return next(r for r in kept["rows"] if (r["norm_position"], r["warm_up"], r["rate"]) == (place, warm_up, rate))


def test_every_setting_is_there_once():
    seen = [(r["norm_position"], r["warm_up"], r["rate"]) for r in kept["rows"]]
    assert len(seen) == len(set(seen)) == 2 * 2 * len(norm_position.RATES) and kept["rates"] == list(
        norm_position.RATES
    )
    for r in kept["rows"]:
        assert len(r["first_seed"]) == norm_position.STEPS and len(r["last_losses"]) == len(norm_position.SEEDS)
        last = r["first_seed"][-norm_position.LAST :]
        assert sum(last) / len(last) == pytest.approx(r["last_losses"][0], abs=1e-3)


@pytest.mark.parametrize("place", ["pre", "post"])
def test_a_slice_run_again_gives_the_recorded_losses(place):
    """The first 8 steps of a warm-up: within 0.02 nats, which leaves room for another CPU's rounding."""
    live = norm_position.losses(place, norm_position.WARM_UP, 3e-3, seed=0, steps=8)
    assert live == pytest.approx(row(place, norm_position.WARM_UP, 3e-3)["first_seed"][:8], abs=0.02)


def test_what_the_lesson_says_of_the_rates():
    half = kept["chance"] / 2
    trained = {
        (place, warm_up): [
            all(loss < half for loss in row(place, warm_up, rate)["last_losses"]) for rate in kept["rates"]
        ]
        for place in ("pre", "post")
        for warm_up in (0, norm_position.WARM_UP)
    }
    assert trained["pre", 0] == [True] * 5 and trained["pre", 100] == [True] * 4 + [False]
    assert trained["post", 0] == [True] * 3 + [False] * 2 and trained["post", 100] == [True] * 4 + [False]


def test_what_the_lesson_says_of_the_controls():
    """The small rates help at the beginning only, and more steps do not take their place."""
    controls = recorded("norm_position_controls")["result"]
    stuck = controls["small rates at the end"] + controls["without warm-up, more steps"]
    assert max(row("post", norm_position.WARM_UP, 1e-2)["last_losses"]) < kept["chance"] / 2 < min(stuck)


def test_backwards_the_first_step_has_the_full_rate():
    """And so the second loss is that of a run without warm-up."""
    backwards = norm_position.losses("post", 2, 1e-2, seed=0, steps=4, backwards=True)
    assert backwards[:2] == norm_position.losses("post", 0, 1e-2, seed=0, steps=2)


def test_the_gradient_is_lost_where_the_first_steps_are_full_ones():
    line = recorded("norm_position_gradients")["result"]
    assert {*line} == {*gradients.WAYS} and all(len(runs) == len(norm_position.SEEDS) for runs in line.values())
    live = gradients.measured("post", 0, same_off=False, seed=0, at=(0, 2), steps=3)
    assert live["gradient"][0] == pytest.approx(line["post-norm"][0]["gradient"][0], rel=0.02)
    assert live["branch"] == pytest.approx(line["post-norm"][0]["branch"][:2], rel=0.1)
    assert live["gradient"][1] < 0.3 * live["gradient"][0]
    kept_losses = row("post", 0, 1e-2)["last_losses"]  # of the same runs
    assert [run["loss"] for run in line["post-norm"]] == pytest.approx(kept_losses, abs=0.1)


def test_with_the_same_part_off_the_gradient_stays_and_nothing_is_learnt():
    off = recorded("norm_position_gradients")["result"]["post-norm, same part off"]
    assert max(max(row["same for all tokens"]) for row in off) < 1e-6 and min(row["gradient"][2] for row in off) > 0.5
    assert min(row["loss"] for row in off) > 1.8


@pytest.mark.parametrize("place", ["pre", "post"])
def test_branches_are_measured_on_the_way(place):
    """Whatever the branches' last matrices are multiplied by, their sizes in the first sub-layer are, too."""
    gpt, ids = norm_position.model(place, 0), torch.randint(8, (4, 8))
    _, line, _, before = gradients.loss_and_line(gpt, ids)
    assert len(before) == 12 and all(one.shape == (4, 8, norm_position.WIDTH) for one in line)
    with torch.no_grad():
        for weight in gpt.decoder.blocks[0].attention.w_o.parameters():
            weight.mul_(3)
    torch.testing.assert_close(gradients.loss_and_line(gpt, ids)[3][0], 3 * before[0], rtol=1e-4, atol=1e-6)
    assert gradients.same_for_all(torch.ones(4, 8, 3)) == 1 and 0 < gradients.same_for_all(before[0]) < 1
    assert gradients.same_for_all(torch.tensor([[[1.0], [-1.0]]])) == 0
