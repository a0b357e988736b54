"""Lesson 11's third experiment: its parts on examples that can be checked by hand, and what the lesson says of it."""

import pytest
import torch

from date_alignment import WEEKDAYS, accuracies, exchange, new_task, only, weekday, with_the_next_weekday
from transformer_lab.data.pairs import TOKEN
from transformer_lab.experiments import recorded

RESULT = recorded("date_alignment")["result"]


def test_only_one_field_keeps_its_alignment():
    weekdays, years = only("E"), only("y")
    assert len(years) == 500 and len(weekdays) == 167  # a third of the dates is written with its weekday
    pair = weekdays[0]
    assert pair.source.split(",")[0] in WEEKDAYS and pair.alignment[-1] == 0 and set(pair.alignment[:-1]) == {None}
    for pair in years:
        english = TOKEN.findall(pair.source)
        assert "".join(english[place] for place in pair.alignment if place is not None) == pair.target[:4]


def test_only_the_weekday_is_another():
    assert with_the_next_weekday("Sunday, November 22, 2026") == "Monday, November 22, 2026"
    assert with_the_next_weekday("Friday, May 1, 1998") == "Saturday, May 1, 1998"


def test_an_untrained_model_is_as_recorded():
    assert accuracies(new_task(0)) == pytest.approx(RESULT["models"][0]["untrained"], abs=0.01)


@pytest.mark.parametrize("place, name", [(0, "name"), (1, "comma"), (4, "others")])
def test_rows_that_read_one_place_follow_the_exchange_of_that_place(place, name):
    here, there = torch.zeros(3, 6, 2), torch.ones(3, 6, 2)
    shares = exchange(here, there, says=lambda memory: memory[:, place].sum(dim=-1).long())
    assert shares == {one: float(one == name) for one in ("name", "comma", "others")}


def test_rows_that_need_two_places_follow_no_single_exchange():
    here, there = torch.zeros(3, 6, 2), torch.ones(3, 6, 2)
    shares = exchange(here, there, says=lambda memory: memory[:, :2].amin(dim=(1, 2)).long())
    assert shares == {"name": 0, "comma": 0, "others": 0}


def test_where_the_weekday_is_looked_for_sums_to_one():
    found = weekday(new_task(0))  # untrained
    assert found["texts"] == 167 and found["right"] < 0.3
    for kind in ("favourite", "weight"):
        assert sum(found[kind].values()) == pytest.approx(1, abs=0.001)


def test_each_recorded_model_writes_the_weekdays_and_each_reads_them_in_a_place_of_its_own():
    models = [found["weekday"] for found in RESULT["models"]]
    assert all(found["right"] == 1 and found["says another"] == 1 for found in models)
    assert models[0]["exchanged"] == {"name": 0, "comma": 1, "others": 0} and models[0]["favourite"]["comma"] == 1
    assert models[4]["exchanged"] == {"name": 1, "comma": 0, "others": 0} and models[4]["favourite"]["name"] == 1
