"""experiments/mean_left_out.py: what the lesson says of the record, and a slice run again."""

import pytest

import mean_left_out
from transformer_lab.experiments import recorded
from transformer_lab.layers import LayerNorm, RMSNorm

kept = recorded("mean_left_out")["result"]


def test_only_the_norm_differs_between_twins():
    """A layer norm has a shift more, and nothing else of the two models is different at the start."""
    ours, twin = (mean_left_out.new_task(norm, "pre", 0).model for norm in ("rms", "layer"))
    kinds = [{type(part) for part in model.modules()} for model in (ours, twin)]
    assert RMSNorm in kinds[0] and LayerNorm not in kinds[0] and RMSNorm not in kinds[1]
    theirs = dict(twin.named_parameters())
    assert {name for name in theirs} - {name for name, _ in ours.named_parameters()} == {
        name for name in theirs if name.endswith("beta")
    }
    assert all((theirs[name] == value).all() for name, value in ours.named_parameters())


def test_the_record_says_what_the_lesson_says():
    """RMSNorm is behind both others after 100 steps, in all ten pairs; at the end there is hardly any difference."""
    assert kept["looks"] == [100, 200, 400]
    for place in mean_left_out.PLACES:
        for other in mean_left_out.NORMS[:2]:
            pairs = list(zip(*(kept["losses"][place][norm] for norm in ("rms", other)), strict=True))
            assert len(pairs) == 5 and all(rms[0] > twin[0] for rms, twin in pairs)
            assert all(abs(rms[2] - twin[2]) < 0.0005 for rms, twin in pairs)
        assert all(min(kept["right"][place][norm]) > 0.996 for norm in mean_left_out.NORMS)


def test_a_shift_that_is_kept_at_0_stays_there():
    task, _ = mean_left_out.trained("layer without shift", "post", 0, steps=2, looks=())
    shifts = [value for name, value in task.model.named_parameters() if name.endswith("beta")]
    assert len(shifts) == 10 and not any(shift.any() for shift in shifts)


def test_a_slice_run_again():
    _, losses = mean_left_out.trained("rms", "post", 0, steps=100)
    assert losses == pytest.approx([kept["losses"]["post"]["rms"][0][0]], abs=0.05)
