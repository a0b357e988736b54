"""The patients of lesson 13: their first steps again, and what the lesson and its exercises say of the record."""

import math

import pytest
import torch

import patients
from transformer_lab.experiments import recorded

RESULT = recorded("patients")["result"]
CASES = RESULT["controls"] | RESULT["patients"]
TRANSLATORS = [name for name, case in CASES.items() if case["model"] == patients.TRANSLATOR]


@pytest.mark.parametrize("name", ["healthy translator", "Ada", "Gita"])
def test_training_begins_as_recorded(name):
    """Ten steps: rounding, which differs between processors, has not grown by then."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        curve, probes = patients.course(patients.Patient(name), 10)
    finally:
        torch.set_num_threads(threads)
    kept = CASES[name]
    assert curve["train"] == pytest.approx(kept["curve"]["train"][:2], rel=0.02)
    assert curve["held out"] == pytest.approx(kept["curve"]["held out"][:2], rel=0.02)
    assert probes["start"] == pytest.approx(kept["probes"]["start"], rel=0.02)


@pytest.mark.parametrize("name", CASES)
def test_a_record_is_whole(name):
    case = CASES[name]
    assert case["truth"]["fault"] == (patients.PATIENTS | patients.CONTROLS)[name][0]
    assert tuple(case["probes"]) == patients.PROBES and len(case["probes"]["text"]) == 3
    steps = patients.STEPS[case["model"]]
    assert case["curve"]["step"] == list(range(0, steps + 1, patients.EVERY))
    assert len(case["curve"]["train"]) == len(case["curve"]["held out"]) == len(case["curve"]["step"])
    assert len(case["probes"]["gradient"]) == steps // patients.EVERY and len(case["probes"]["one batch"]) == 16


def test_two_patients_are_healthy_and_no_other_translator_translates():
    healthy = [name for name, (fault, _) in patients.PATIENTS.items() if fault == patients.HEALTHY]
    assert healthy == ["Dora", "Ines"]
    assert min(CASES[name]["truth"]["right"] for name in ("healthy translator", *healthy)) >= 0.95
    ill = set(TRANSLATORS) - {"healthy translator", *healthy}
    assert max(CASES[name]["truth"]["right"] for name in ill - {"Emil"}) == 0
    assert CASES["Emil"]["truth"]["right"] < 0.7  # and all of its own held-out pairs, which it has learnt
    assert all(text["wanted"] == text["written"] for text in CASES["Emil"]["probes"]["text"])


def probe(name, which):
    return CASES[name]["probes"][which]


def test_the_probes_that_decide():
    for name, kind in patients.CONTROLS.items():
        assert min(probe(name, "ratio").values()) > 0.005 and probe(name, "overlap") == 0, kind
    assert probe("Ada", "start")["loss"] == pytest.approx(math.log(55), abs=0.01)
    assert probe("Chen", "start")["loss"] > math.log(55) + 1
    assert probe("Bela", "start")["loss"] < probe("Bela", "start")["ln V"] - 0.5
    blocks = {name: ratio for name, ratio in probe("Chen", "ratio").items() if ".blocks." in name}
    assert set(blocks.values()) == {0.0} and len(blocks) == 16
    assert probe("Chen", "ratio")["embedding.tokens.weight"] > 0.01
    assert min(probe("Fumi", "ratio").values()) > 0 and max(probe("Fumi", "ratio").values()) < 0.0005
    assert probe("Gita", "one batch")[-1] < 0.05 and probe("Jona", "one batch")[-1] > 0.3
    decay_alone = [ratio for name, ratio in probe("Jona", "ratio").items() if name.startswith("encoder")]
    assert decay_alone == pytest.approx([2e-5] * 6, rel=0.05)
    assert probe("Emil", "overlap") == 1
    assert probe("Hugo", "gradient")[-1] > 5 * probe("Hugo", "gradient")[0] and probe("Kofi", "gradient")[-1] < 1
    assert min(probe("Kofi", "ratio").values()) > 0.05
    assert probe("Lila", "start")["loss"] > 50 and probe("Kofi", "start")["loss"] == pytest.approx(6.24, abs=0.02)
    modes = probe("Ines", "modes")
    assert modes["train()"] > 1.5 * modes["eval()"]
