"""Lesson 13's graded patients: what the checks say of them is what their probes show, and the notebook agrees."""

import re
from pathlib import Path
from statistics import median

import pytest

from transformer_lab.experiments import recorded
from transformer_lab.grading import grade
from transformer_lab.grading.checks.training import more_patients, patients
from transformer_lab.grading.checks.training.patients import CASES, FAULTS, PROBES

SOURCE = Path(__file__).resolve().parents[1] / "source" / "exercises" / "13_training.py"
WARD_ROUND = recorded("patients")["result"]
SEEN = {name: case["probes"] for name, case in WARD_ROUND["patients"].items()}
TWINS = {name: case["probes"] for name, case in WARD_ROUND["controls"].items()}


def written(name):
    return {text["written"] for text in SEEN[name]["text"]}


def encoder_moves(name):
    return max(ratio for matrix, ratio in SEEN[name]["ratio"].items() if "encoder." in matrix) > 1e-4


def frozen(name):
    return min(SEEN[name]["ratio"].values()) == 0


def tenth_step(name):
    return SEEN[name]["one batch"][1]


def tenth_twin(kind):
    return TWINS[f"healthy {kind}"]["one batch"][1]


# Of each (patient, probe): does it show what the suspicion would not?
RULES_OUT = {
    ("Emil", "overlap"): lambda: SEEN["Emil"]["overlap"] == 1,
    ("Fumi", "ratio"): lambda: not frozen("Fumi") and frozen("Chen"),
    ("Fumi", "one batch"): lambda: SEEN["Fumi"]["one batch"][-1] > 2 * SEEN["Chen"]["one batch"][-1],
    ("Gita", "text"): lambda: len(written("Gita")) == 3 and len(written("Jona")) == 1,
    ("Gita", "one batch"): lambda: SEEN["Gita"]["one batch"][-1] < 0.1 and SEEN["Jona"]["one batch"][-1] > 0.3,
    ("Gita", "ratio"): lambda: encoder_moves("Gita") and not encoder_moves("Jona"),
    ("Hugo", "gradient"): lambda: (
        SEEN["Hugo"]["gradient"][-1] > 5 * SEEN["Hugo"]["gradient"][0]
        and SEEN["Kofi"]["gradient"][-1] < SEEN["Kofi"]["gradient"][0]
    ),
    ("Ines", "overlap"): lambda: SEEN["Ines"]["overlap"] == 0,
    ("Jona", "ratio"): lambda: not frozen("Jona") and frozen("Chen"),
    ("Jona", "one batch"): lambda: SEEN["Chen"]["one batch"][-1] > 2 * SEEN["Jona"]["one batch"][-1],
    ("Jona", "text"): lambda: len(written("Jona")) == 1 and len(written("Chen")) == 3,
    ("Kofi", "ratio"): lambda: (
        median(SEEN["Kofi"]["ratio"].values()) > 1.5 * median(TWINS["healthy writer"]["ratio"].values())
    ),
    ("Kofi", "one batch"): lambda: (
        tenth_step("Kofi") < tenth_twin("writer") and tenth_step("Fumi") > 5 > tenth_twin("translator")
    ),
    ("Lila", "one batch"): lambda: SEEN["Lila"]["one batch"][0] > 5 * SEEN["Kofi"]["one batch"][0],  # before a step
    ("Lila", "start"): lambda: SEEN["Lila"]["start"]["loss"] > 5 * SEEN["Kofi"]["start"]["loss"],
}


def test_every_probe_that_counts_rules_the_suspicion_out():
    assert set(RULES_OUT) == {(name, probe) for name, case in CASES.items() for probe in case.probes}
    assert all(rules_out() for rules_out in RULES_OUT.values())


def test_each_patient_has_the_fault_that_the_checks_name_and_not_the_suspicion():
    for name, case in CASES.items():
        truth = WARD_ROUND["patients"][name]["truth"]["fault"]
        assert truth == case.fault != case.suspicion and {case.fault, case.suspicion} <= FAULTS.keys()
    assert len({case.fault for case in CASES.values()}) == len(CASES) <= len(FAULTS) - 2
    assert set(PROBES) == set(SEEN["Emil"])


def test_the_notebook_prints_the_lists_and_the_suspicions():
    table = dict(re.findall(r'^# \| ([`"\w ,-]+?) \| `?(.*?) \|$', SOURCE.read_text(encoding="utf-8"), re.MULTILINE))
    for name, case in CASES.items():
        assert table[name].startswith(f'"{case.suspicion}"`: ')
    words = [key.strip('`"') for key in table]
    assert [word for word in words if word in FAULTS] == list(FAULTS)
    assert [word for word in words if word in PROBES] == list(PROBES)


QUESTIONS = {
    name: (f"13_training.{question.__name__}", question.answers[0])
    for question in (patients, more_patients)
    for name in question.answers[0].snippets
}


def test_each_patient_is_asked_for_once():
    assert sorted(QUESTIONS) == sorted(CASES)


@pytest.mark.parametrize("name", CASES)
def test_a_diagnosis_counts_for_its_patient_and_pasted_everywhere_no_more(name):
    question, ward = QUESTIONS[name]
    right = ward.snippets[name][:2]
    pasted = grade(question, dict.fromkeys(ward.snippets, right))
    assert [record.check for record in pasted.feedback if record.passed] == [name]
    for half in ((right[0], None), (None, right[1]), (right[0], "")):
        assert grade(question, {name: half}) == 0
