"""experiments/widths, likeliest, draws, interface_texts: every case once, a slice gives what was recorded."""

import math
from itertools import product
from statistics import median

import pytest
import torch

import draws
import interface_texts
import likeliest
import widths
from transformer_lab import load
from transformer_lab.data.pairs import Pair
from transformer_lab.experiments import recorded
from transformer_lab.metrics import chrf
from transformer_lab.optional import installed

WIDTHS, LIKELIEST, DRAWS = (recorded(name)["result"] for name in ("widths", "likeliest", "draws"))
MENUS = recorded("interface_texts")["result"]


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


def test_what_the_lesson_says_of_loops():
    """Every search is likelier than the manual on each passage; from greedy to eight beams fewer texts repeat."""
    texts = LIKELIEST["texts"]
    searches = ("greedy", "2 beams", "4 beams", "8 beams")
    for name in searches:
        both = zip(texts[name]["log_prob"], texts["the manual"]["log_prob"], strict=True)
        assert all(own > other for own, other in both)
    middles = [median(texts[name]["repeated"]) for name in searches]
    assert middles == sorted(middles, reverse=True) and middles[-1] > median(texts["the manual"]["repeated"])
    scores = [median(texts[name]["log_prob"]) for name in searches]
    assert scores == sorted(scores)
    # The passage that the lesson shows is the middle one of the fifteen under greedy decoding.
    assert texts["greedy"]["repeated"][2] == median(texts["greedy"]["repeated"])


def test_longer_search_writes_a_little_less_with_each_seed():
    narrow, wide = (WIDTHS["search"]["0.0"][n] for n in ("1", "64"))
    less = [one["tokens"] - other["tokens"] for one, other in zip(narrow, wide, strict=True)]
    assert min(less) > 0.02 and max(less) < 0.12


def test_draws_have_every_case_once():
    assert [*map(int, DRAWS["right"])] == [*draws.STEPS]
    assert all(len(runs) == len(draws.SEEDS) for runs in [*DRAWS["right"].values(), DRAWS["missed"]])


def test_what_the_lesson_says_of_draws():
    """Eight beams miss nothing; one draw loses most where least is right; a vote is nearly as good as greedy."""
    assert DRAWS["missed"] == [0] * len(draws.SEEDS)
    kept = []
    for runs in DRAWS["right"].values():
        mean = {name: sum(run[name] for run in runs) / len(runs) for name in runs[0]}
        assert mean["a draw"] < mean["vote"] < mean["greedy"] + 0.01 and mean["greedy"] - mean["vote"] < 0.06
        assert abs(mean["8 beams"] - mean["greedy"]) < 0.05
        kept.append(mean["a draw"] / mean["greedy"])
    assert kept == sorted(kept)


def test_draws_measured_again_give_about_what_was_recorded(trained):
    again, kept = draws.measured(trained, n_draws=4), DRAWS["right"]["120"][0]
    assert again["greedy"] == pytest.approx(kept["greedy"], abs=0.15)
    assert again["a draw"] == pytest.approx(kept["a draw"], abs=0.08)


class Table(torch.nn.Module):
    """A "translator" with three tokens beside [BOS] and [EOS], whose next token depends on the last one only."""

    def __init__(self, n_tokens: int, eos: int):
        super().__init__()
        self.rows = torch.randn(n_tokens, n_tokens, generator=torch.Generator().manual_seed(3)) * 2
        self.rows[:, eos] += 1

    def forward(self, source, ids, mask):
        return self.rows[ids]


def test_an_exact_search_counts_what_trying_everything_finds(trained, monkeypatch):
    class Tokens:
        bos_id, eos_id = 0, 1

        def batch(self, texts):
            return torch.zeros(1, 2, dtype=torch.long), torch.ones(1, 2, dtype=torch.bool)

    class Task:
        model, tokenizer = Table(5, 1), Tokens()

    monkeypatch.setattr(draws, "LONGEST", 5)
    log_p = Task.model.rows.log_softmax(dim=-1)
    every = []
    for n in range(5):
        for middle in product((0, 2, 3, 4), repeat=n):
            way = (0, *middle, 1)
            every.append(sum(log_p[a, b].item() for a, b in zip(way, way[1:], strict=False)))
    for bound in (math.log(0.2), math.log(0.03), math.log(0.004)):
        assert draws.likelier(Task, "", bound) == sum(total > bound + 1e-4 for total in every)


def test_interface_texts_have_every_case_once():
    assert [*map(float, MENUS["search"])] == [*interface_texts.PENALTIES]
    assert all([*map(int, runs)] == [*interface_texts.BEAMS] for runs in MENUS["search"].values())
    parts = [run for runs in MENUS["search"].values() for run in runs.values()]
    assert all(len(runs) == len(interface_texts.SEEDS) for runs in [*parts, MENUS["right"], MENUS["pairs"]])
    assert [*MENUS["texts"]] == ["source", "wanted", *interface_texts.KEPT]
    assert all(len(texts) == MENUS["pairs"][0][1] for texts in MENUS["texts"].values())


def test_what_the_lesson_says_of_interface_texts():
    """By the sum, more beams find better scores and shorter, worse texts; by the mean better ones; in every seed."""
    for narrow, wide in zip(*(MENUS["search"]["0.0"][n] for n in ("1", "32")), strict=True):
        assert wide["log_prob"] > narrow["log_prob"] + 3 and wide["tokens"] < narrow["tokens"] - 3
        assert wide["chrf"] < narrow["chrf"] - 1.5
    for runs in zip(*MENUS["search"]["0.0"].values(), strict=True):
        scores, lengths = ([run[key] for run in runs] for key in ("log_prob", "tokens"))
        assert scores == sorted(scores) and lengths == sorted(lengths, reverse=True)
    for narrow, wide in zip(*(MENUS["search"]["1.0"][n] for n in ("1", "32")), strict=True):
        assert wide["chrf"] > narrow["chrf"] and wide["bleu"] > narrow["bleu"]
    said = MENUS["texts"]
    for name, (penalty, beams) in interface_texts.KEPT.items():
        kept = MENUS["search"][str(penalty)][str(beams)][0]["chrf"]
        assert chrf(said[name], said["wanted"]) == pytest.approx(kept, abs=0.01)


class Catalogues:
    """A package with one file of menus, as importlib.metadata shows it."""

    suffix = ".mo"

    def locate(self):
        return "menus.mo"

    def __lt__(self, other):
        return False


def test_which_menus_are_learnt_from(monkeypatch):
    """Two to twelve words, no placeholders, no markup, nothing untranslated, each text once."""
    texts = {"Open file": "Ouvrir", "open file.": "Ouvrir.", "Open": "Ouvrir", "Open %1 now": "Ouvrir %1",
             "Git Repository": "Git Repository", "one " * 13: "un", "<b>Open</b> it": "Ouvrir"}  # fmt: skip
    monkeypatch.setattr(interface_texts, "files", lambda package: [Catalogues()])
    monkeypatch.setattr(interface_texts, "read_pairs", lambda path: [Pair(*pair) for pair in texts.items()])
    assert interface_texts.catalog() == [Pair("Open file", "Ouvrir")]


@pytest.mark.skipif(not installed(interface_texts.PACKAGE), reason="the catalogues are an optional package")
def test_menus_translated_again_give_about_what_was_recorded():
    task = interface_texts.translator(0)
    kept = MENUS["search"]["0.0"]["1"][0]
    again = interface_texts.translated(task, 0.0, 1)[1]
    assert again["chrf"] == pytest.approx(kept["chrf"], abs=4) and again["tokens"] == pytest.approx(
        kept["tokens"], abs=2
    )
