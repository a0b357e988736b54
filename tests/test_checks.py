"""The exercises' checks, tested: every wrong answer is rejected in the right words, every right one is accepted."""

import random
import time

import numpy as np
import pytest
import torch

from transformer_lab.grading import grade
from wrong_answers import attention

BANKS = {"attention": attention}
WRONG = [(id, *row) for bank in BANKS.values() for id, rows in bank.WRONG.items() for row in rows]
RIGHT = [(id, *row) for bank in BANKS.values() for id, rows in bank.RIGHT.items() for row in rows]
POINTS = {
    "02_attention.softmax": 4,
    "02_attention.scaled_dot_product_attention": 6,
    "02_attention.entropy": 3,
    "02_attention.mix": 3,
    "02_attention.shift": 2,
    "02_attention.duplicate": 3,
    "02_attention.repair": 3,
}
PARTS = {"02_attention.repair": 3, "02_attention.shift": 1}  # functions an answer consists of, where not 1

passed = {"wrong": 0, "right": 0}


def summary() -> str:
    return (
        f"wrong answers rejected with the right message {passed['wrong']}/{len(WRONG)}, "
        f"right answers accepted {passed['right']}/{len(RIGHT)}"
    )


def graded(id, answer):
    return grade(id, *(answer if isinstance(answer, tuple) else (answer,)))


def names(rows):
    return [f"{row[0].partition('.')[2]}: {row[1]}" for row in rows]


@pytest.mark.parametrize("row", WRONG, ids=names(WRONG))
def test_a_wrong_answer_is_told_why(row):
    id, _, answer, words, *misconception = row
    score = graded(id, answer)
    assert score < score.possible
    told = [record for record in score.feedback if not record.passed and words in record.message]
    assert told, str(score)
    if misconception:
        assert misconception[0] in {record.misconception for record in told}, str(score)
        assert f"misconception {misconception[0]}: " in str(score)
    else:
        assert not [record for record in told if record.misconception], str(score)
    passed["wrong"] += 1


@pytest.mark.parametrize("row", RIGHT, ids=names(RIGHT))
def test_a_right_answer_gets_full_marks(row):
    id, _, answer = row
    score = graded(id, answer)
    assert score == score.possible == POINTS[id], str(score)
    assert all(record.passed and not record.message for record in score.feedback)
    passed["right"] += 1


def test_the_bank_is_large_enough():
    for bank in BANKS.values():
        for id, rows in bank.WRONG.items():
            assert len(rows) >= (4 if id.endswith(("repair", "shift")) else 6), id
            assert len(bank.RIGHT[id]) >= 3, id
            assert len({row[0] for row in rows}) == len(rows), id
        assert {row[3] for rows in bank.WRONG.values() for row in rows if len(row) > 3} >= {
            f"M0{n}" for n in range(1, 7)
        }


def untouched(*args, **kwargs):
    raise NotImplementedError


@pytest.mark.parametrize("id", POINTS)
def test_an_untouched_answer_scores_nothing_and_is_not_done_yet(id):
    answers = [untouched] * PARTS.get(id, 1) + [None] * id.endswith("shift")
    score = grade(id, *answers)
    assert score == 0 and score.possible == POINTS[id]
    assert all(record.state == "to do" and record.message.startswith("Not done yet: ") for record in score.feedback)


def test_a_broken_repair_earns_nothing_and_spoils_no_other():
    id, right = "02_attention.repair", attention.attention_right
    for place, broken in enumerate((attention.model_width, attention.outside, attention.over_queries)):
        answers = [right] * 3
        answers[place] = broken
        earned = [record.points if record.passed else 0 for record in grade(id, *answers).feedback]
        assert earned == [0 if n == place else 1 for n in range(3)]


def test_each_part_of_shift_is_marked_alone():
    id, right, wrong = "02_attention.shift", attention.shift_right, attention.WRONG["02_attention.shift"][0][1][0]
    assert grade(id, right, "sharper") == grade(id, wrong, "unchanged") == grade(id, right, None) == 1


def test_verdicts_do_not_depend_on_the_global_seeds():
    def verdicts(seed):
        random.seed(seed), np.random.seed(seed), torch.manual_seed(seed)
        rows = [row for row in WRONG + RIGHT if "descent" not in row[1]]
        return [[(r.check, r.state, r.misconception) for r in graded(row[0], row[2]).feedback] for row in rows]

    assert verdicts(1) == verdicts(2)


def test_a_check_takes_less_than_two_seconds():
    for id, name, answer, *_ in WRONG + RIGHT:
        start = time.perf_counter()
        checks = len(graded(id, answer).feedback)
        assert time.perf_counter() - start < 2 * checks, (id, name)


def test_memorising_one_answer_does_not_help():
    seen = {}

    def first_query_for_ever(keys, values):
        return seen.setdefault(keys.shape, attention.mix_pinv(keys, values))

    assert grade("02_attention.mix", first_query_for_ever) < 3
