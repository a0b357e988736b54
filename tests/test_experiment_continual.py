"""Lesson 16's two texts, one learnt after the other: the ways differ as they say, and a slice comes out again."""

import pytest

import continual
from transformer_lab.experiments import recorded

FOUND = recorded("continual")["result"]


def mean(runs, text):
    return sum(run[text] for run in runs) / len(runs)


def test_every_way_was_run_once_with_each_seed():
    assert [*FOUND] == ["A first", *continual.WAYS]
    runs = [*FOUND["A first"].values(), *(FOUND[way] for way in continual.WAYS)]
    assert all(len(one) == len(continual.SEEDS) for one in runs)
    assert all(0 <= run[text] <= 1 for one in runs for run in one for text in "AB")


def test_persons_are_in_a_and_not_in_b_and_the_two_are_all_templates():
    a, b = (continual.TEMPLATES[text] for text in "AB")
    assert {*a, *b} == {*continual.entities.TEMPLATES} and (len(a), len(b)) == (10, 8)
    for text, has_persons in (("A", True), ("B", False)):
        sentences = continual.sentences(text, 0, 50)
        assert all(any(tag.endswith("PER") for tag in one.tags) == has_persons for one in sentences)


def test_rehearsed_sentences_are_of_those_that_a_was_learnt_from_and_the_tests_have_other_names():
    learnt, task = continual.sentences("A", 1), continual.fresh("head", 1)
    assert continual.sentences("A", 1, continual.KEPT) == learnt[: continual.KEPT]
    assert not {one.words for one in learnt} & {one.words for one in task.tests["A"]}


def test_a_lora_that_is_put_back_finds_just_what_it_found():
    assert [run["A"] for run in FOUND["a LoRA each"]] == [run["A"] for run in FOUND["A first"]["lora"]]


def test_learning_a_with_a_lora_comes_out_again():
    task = continual.first_a("lora", 0)
    assert continual.measured(task) == pytest.approx(FOUND["A first"]["lora"][0], abs=0.05)


def test_what_the_lesson_says():
    first = FOUND["A first"]
    means = {way: [round(mean(FOUND[way], text), 2) for text in "AB"] for way in continual.WAYS}
    assert [round(mean(first[method], "A"), 2) for method in ("everything", "lora")] == [0.94, 0.95]
    assert (means["everything"][0], means["everything, rehearsal"][0], means["rehearsal alone"][0]) == (
        0.49,
        0.99,
        0.45,
    )
    assert means["rehearsal alone, longer"][0] == 0.98
    assert (means["one LoRA"], means["a LoRA each"][1]) == ([0.46, 0.97], 0.88)
    for kept, *lost in zip(
        *(FOUND[way] for way in ("everything, rehearsal", "everything", "rehearsal alone")), strict=True
    ):
        assert all(one["A"] < kept["A"] - 0.4 for one in lost)  # with each seed
    assert all(one["B"] > each["B"] for one, each in zip(FOUND["one LoRA"], FOUND["a LoRA each"], strict=True))
