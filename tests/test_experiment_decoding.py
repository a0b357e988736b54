"""experiments/widths.py and likeliest.py: every case is there once, and a slice gives what was recorded."""

import pytest
import torch

import likeliest
import widths
from transformer_lab import load
from transformer_lab.experiments import recorded

WIDTHS, LIKELIEST = (recorded(name)["result"] for name in ("widths", "likeliest"))


def test_widths_have_every_case_once():
    assert [*WIDTHS["search"]] == [str(one) for one in widths.PENALTIES]
    assert all([*map(int, runs)] == [*widths.BEAMS] for runs in WIDTHS["search"].values())
    assert [*map(float, WIDTHS["sampling"])] == [*widths.TEMPERATURES]
    parts = [*WIDTHS["search"]["0.0"].values(), *WIDTHS["search"]["1.0"].values(), *WIDTHS["sampling"].values()]
    assert all(len(runs) == len(widths.SEEDS) for runs in [*parts, WIDTHS["right"]])


def test_what_the_lesson_says_of_widths():
    """More beams never find a worse score; what is wrong in the end is, nearly always, likelier than what is right."""
    for runs in zip(*WIDTHS["search"]["0.0"].values(), strict=True):  # one seed's, from 1 beam to 64
        scores = [run["log_prob"] for run in runs]
        assert scores == sorted(scores)
        assert runs[-1]["likelier_than_right"] >= 0.97 * (1 - runs[-1]["exact_match"])


@pytest.fixture(scope="module")
def trained():
    return widths.undertrained(seed=0)


def test_widths_measured_again_give_about_what_was_recorded(trained):
    """About, because the training of another CPU takes other steps."""
    again, kept = widths.measured(trained, trained.held_out[:200], beams=4, length_penalty=0.0), WIDTHS
    kept = kept["search"]["0.0"]["4"][0]
    assert again["exact_match"] == pytest.approx(kept["exact_match"], abs=0.15)
    assert again["log_prob"] == pytest.approx(kept["log_prob"], abs=0.8)
    assert again["tokens"] == pytest.approx(kept["tokens"], abs=0.3)


def test_a_score_is_the_sum_of_the_logs_up_to_the_stop(trained):
    pairs = trained.held_out[:3]
    rows = widths.right_ids(trained, pairs)
    totals, lengths = widths.log_probs(trained, pairs, rows)
    for pair, row, total, n in zip(pairs, rows, totals, lengths, strict=True):
        source, mask = trained.tokenizer.batch([pair.source])
        alone = 0.0
        for t in range(1, int(n) + 1):
            with torch.no_grad():
                alone += trained.model(source, row[None, :t], mask)[0, -1].log_softmax(dim=-1)[row[t]].item()
        assert n == len(trained.tokenizer.encode(pair.target)) + 1 and row[n] == trained.tokenizer.eos_id
        assert total.item() == pytest.approx(alone, abs=1e-3)


def test_likeliest_has_every_method_once():
    assert [*LIKELIEST["texts"]] == ["the manual", *likeliest.METHODS]
    for row in LIKELIEST["texts"].values():
        assert len(row["log_prob"]) == len(row["repeated"]) == likeliest.GROUPS * likeliest.IN_A_GROUP
        assert all(len(ids) == likeliest.N_NEW for ids in row["ids"])


def test_what_is_repeated():
    assert likeliest.repeated([*range(20)]) == 0
    assert likeliest.repeated([1, 2, 3, 4] * 20) == pytest.approx(1 - 4 / 77)
    assert likeliest.repeated([1, 2, 3, 4, 9, 1, 2, 3, 4]) == pytest.approx(1 / 6)


def test_greedy_decoding_begins_again_as_recorded():
    model, _ = load("smollm2")
    read = torch.tensor(LIKELIEST["read"][:2])
    again = likeliest.write(model, read, "greedy", n_new=6)
    kept = torch.tensor([ids[:6] for ids in LIKELIEST["texts"]["greedy"]["ids"][:2]])
    assert (again == kept).float().mean() > 0.8  # a near tie may fall otherwise on another CPU
    scores = likeliest.own_log_probs(model, read, kept)
    assert scores.shape == kept.shape and (scores < 0).all()
