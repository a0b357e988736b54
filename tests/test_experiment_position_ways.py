"""The experiment that adds places in many ways: what is added, and one of its runs once more."""

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "experiments"))

import position_lengths  # noqa: E402
import position_ways  # noqa: E402
from transformer_lab.experiments import recorded  # noqa: E402

T, WIDTH = position_lengths.TRAINED, position_ways.WIDTH
ROWS = {way: rows(T) for way, rows in position_ways.WAYS.items()}


def test_every_way_tells_all_places_apart_but_nothing():
    for way, rows in ROWS.items():
        assert rows.shape == (T, WIDTH) and len(rows.unique(dim=0)) == (1 if way == "nothing" else T)


def test_the_digits_are_the_places_and_only_t_over_T_asks_for_the_length():
    once = ROWS["binary digits, once"]
    assert [sum(int(once[t, i]) << i for i in range(8)) for t in range(T)] == list(range(T))
    assert torch.equal(ROWS["binary digits, 8 times"].view(T, 8, 8), once[:, None, :8].expand(T, 8, 8))
    for way, rows in position_ways.WAYS.items():
        assert torch.equal(rows(T // 2), ROWS[way][: T // 2]) != (way == "t/T, to one number")
    spread = ROWS["t/32, to all, with signs"]
    assert torch.equal(spread.abs(), ROWS["t/32, to one number"][:, :1].expand(T, WIDTH))
    assert spread[-1].mean().abs() < 0.5


def test_the_norm_takes_off_what_every_number_shares():
    ids = torch.randint(position_lengths.VOCAB, (2, T), generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = position_lengths.new_model("none").eval()
    logits = {}
    for way in ("nothing", "t, to every number", "t, to one number"):
        model.embedding.positions = position_ways.Added(position_ways.WAYS[way])
        with torch.no_grad():
            logits[way] = model(ids)
    assert torch.allclose(logits["nothing"], logits["t, to every number"], atol=1e-3)
    assert not torch.allclose(logits["nothing"], logits["t, to one number"], atol=0.1)


def test_what_is_recorded_is_whole_and_one_run_of_it_comes_out_again():
    result = recorded("position_ways")["result"]
    assert list(result["accuracy"]) == list(position_ways.WAYS) and result["steps"] == position_ways.STEPS
    assert all(len(seeds) == len(position_ways.SEEDS) for seeds in result["accuracy"].values())
    model = position_ways.train("binary digits, 8 times", 0, position_ways.STEPS)
    found = [position_lengths.accuracy(model, "local", length) for length in position_ways.LENGTHS]
    assert found == pytest.approx(result["accuracy"]["binary digits, 8 times"][0], abs=0.05)
