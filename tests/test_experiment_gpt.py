"""What lesson 14 reads from experiments: every case is there once, controls are controls, a slice comes out again."""

import math

import pytest
import torch

import exchanged_names
import foreign_questions
import in_context
import in_context_controls as controls
import ladder
import small
from transformer_lab import GPT, TransformerConfig, load
from transformer_lab.baselines import ngram_bits
from transformer_lab.data.tokenizers import BPETokenizer
from transformer_lab.experiments import recorded
from transformer_lab.scoring import token_nats
from transformer_lab.tasks.language import docs

GRID, FOREIGN, LADDER = (recorded(name)["result"] for name in ("in_context", "foreign_questions", "ladder"))
CONTROLS, EXCHANGED, YOUNGER = (
    recorded(name)["result"] for name in ("in_context_controls", "exchanged_names", "younger_probes")
)
N = len(in_context.SEEDS)
TASKS = pytest.mark.parametrize("task", in_context.TASKS)


@TASKS
def test_the_grid_has_every_case_once(task):
    row = GRID[task]
    assert {*row["counts"]} == {*in_context.cases(task, 0), "in words"}
    for name, runs in row["counts"].items():
        assert len(runs) == (1 if name in ("in words", "0 examples") else N)
    assert len(FOREIGN[task]) == N and [*GRID] == [*FOREIGN] == [*in_context.TASKS]


@TASKS
def test_what_is_counted_is_what_was_said(task):
    row, asked = GRID[task], in_context.drawn(task, 0)[1]
    assert row["asked"] == [question for question, _ in asked]
    for name, shown in in_context.cases(task, 0).items():
        assert row["counts"][name][0] == in_context.count(row["said"][name], shown, asked)


@TASKS
def test_no_word_is_shown_and_asked_for(task):
    words = [question for question, _ in in_context.pairs(task)]
    assert len(words) == len(set(words)) >= in_context.N_ASKED + in_context.N_SHOWN
    for seed in in_context.SEEDS:
        shown, asked = in_context.drawn(task, seed)
        assert not {question for question, _ in shown} & {question for question, _ in asked}
        assert asked == in_context.drawn(task, 0)[1] and len(shown) == in_context.N_SHOWN


@TASKS
def test_the_controls_hold_the_same_answers_and_none_is_right(task):
    known = set(in_context.pairs(task))
    for seed in in_context.SEEDS:
        shown, _ = in_context.drawn(task, seed)
        mixed, foreign = in_context.shuffled(shown, seed), foreign_questions.foreign(task, seed)
        for control in (mixed, foreign):
            assert sorted(answer for _, answer in control) == sorted(answer for _, answer in shown)
            assert not known & set(control) - {("dog", "dogs")}  # these two meet once, see foreign_questions.py
        assert [question for question, _ in mixed] == [question for question, _ in shown]


def test_what_the_lesson_says_of_the_ladder():
    rungs = LADDER["rungs"]
    nanos = [rungs[f"nano, seed {seed}"] for seed in ladder.SEEDS]
    assert all(nano["all held-out"] > rungs["n-grams"]["all held-out"] for nano in nanos)
    for name in ("younger docstrings", "younger lessons"):
        assert sum(rungs["SmolLM2"][name]) + 10 < min(sum(nano[name]) for nano in nanos) < sum(rungs["n-grams"][name])
    assert all(opened > 10 * control for opened, control in rungs["SmolLM2"]["closing bracket"])
    assert all(met < control for met, control in rungs["SmolLM2"]["name"])


def test_what_the_lesson_says_of_the_grid():
    mean = {(task, name): sum(run["right"] for run in runs) / len(runs) for task, row in GRID.items()
            for name, runs in row["counts"].items()}  # fmt: skip
    assert mean["opposites", "0 examples"] == 0 and mean["opposites", "answers shuffled"] == pytest.approx(1.0)
    assert mean["capitals", "8 examples"] == pytest.approx(18.8)
    assert mean["capitals", "answers shuffled"] == pytest.approx(17.6)
    assert all(mean[task, "another task"] == 0 for task in GRID)
    alone = {task: sum(run["right"] for run in runs) / N for task, runs in FOREIGN.items()}
    assert alone["opposites"] == pytest.approx(0.2) and alone["capitals"] == pytest.approx(13.2)


@pytest.mark.parametrize("name", ["8 examples", "answers shuffled"])
def test_opposites_asked_for_again_get_the_recorded_answers(name):
    shown, asked = in_context.cases("opposites", 0)[name], in_context.drawn("opposites", 0)[1][:8]
    again = in_context.answers(*load("smollm2"), in_context.page(shown), asked)
    kept = GRID["opposites"]["said"][name][:8]
    assert sum(one == other for one, other in zip(again, kept, strict=True)) >= 7  # another CPU may break a near tie


def test_the_ladder_has_every_case_once():
    assert [*LADDER["rungs"]] == ["pairs", "n-grams", *(f"nano, seed {seed}" for seed in ladder.SEEDS), "SmolLM2"]
    assert LADDER["n"] == int(min(LADDER["tuning"], key=LADDER["tuning"].get))
    for rung in LADDER["rungs"].values():
        assert all(len(rung[name]) == ladder.N_PASSAGES for name in [*ladder.texts()][1:])
        assert len(rung["closing bracket"]) == len(rung["name"]) == ladder.N_CASES
    for name in ("pairs", "n-grams"):  # what stood farther away than their context makes no difference to tables
        for kind in ("closing bracket", "name"):
            assert all(one == other for one, other in LADDER["rungs"][name][kind])


def test_pairs_counted_again_give_about_what_was_recorded():
    """About, because each Python has a manual of its own."""
    rung = ladder.Table(ladder.texts()["training"], 2)
    again = [ladder.judged(rung, passage) for passage in ladder.passages("documentation")]
    kept = LADDER["rungs"]["pairs"]["documentation"]
    assert sum(again) / len(again) == pytest.approx(sum(kept) / len(kept), abs=0.3)


def test_brackets_and_names_are_what_they_should_be():
    for context, control in ladder.brackets():
        before, inside = context[:100], context[101:]
        assert context[100] == "(" and control == before + inside and not set("()[]{}") & set(inside)
    training = ladder.texts()["training"]
    for context, control, name in ladder.names():
        assert context.count(name) == 1 and name not in control and name not in training


def test_nano_sees_the_bracket_and_the_name_in_nearly_all_cases():
    task = docs(seed=0)
    brackets = [context[context.rindex("(") :] for context, _ in ladder.brackets()]
    names = [f"{context[context.index(name) :]} {name}" for context, _, name in ladder.names()]
    unseen = [text for text in brackets + names if len(task.tokenizer.encode(text)) > task.model.config.max_len]
    assert len(unseen) <= 2  # 1 in Python 3.11's documentation


def test_a_table_reads_as_ngram_bits_does():
    training, text = "abracadabra, abrakadabra! " * 5, "a cadaver, abra"
    bits = ladder.judged(ladder.Table(training, 4), text, begin=0)
    assert bits == pytest.approx(ngram_bits(training, text, 4))


@pytest.fixture(scope="module")
def network():
    tokenizer = BPETokenizer.train(["the cat (a black one) sat on the mat, and the dog sat on the cat. " * 3], 300)
    torch.manual_seed(0)
    return ladder.Network(GPT(TransformerConfig.preset("nano", vocab_size=len(tokenizer), max_len=16)), tokenizer)


def test_a_network_judges_each_token_once_with_most_of_its_window(network):
    text = "the black cat (and the mat) sat on a dog. " * 4
    pieces = network.bits(text)
    ids = torch.tensor([network.tokenizer.id_of("bos"), *network.tokenizer.encode(text)])
    nats = token_nats(network.model, ids, window=16, stride=4)
    assert [end for end, _ in pieces] == sorted(end for end, _ in pieces) and pieces[-1][0] == len(text)
    assert len(pieces) == len(nats)
    assert sum(cost for _, cost in pieces) == pytest.approx(nats.sum().item() / math.log(2), rel=1e-3)


def test_the_chances_of_all_beginnings_add_up_to_at_most_1(network):
    total = sum(network.beginning("the cat (a", one) for one in {*network.firsts} - {""})
    assert 0.9 < total <= 1.0001


def rights(runs: list[dict]) -> list[int]:
    return [run["right"] for run in runs]


def test_what_the_lesson_says_of_the_controls():
    runs = {name: rights(one["counts"]) for name, one in CONTROLS.items() if "counts" in one}
    assert set(runs["ordinary words"]) == {12} and set(runs["invented words"]) == {1}
    assert min(runs["invented words, twice"]) == 9
    assert (min(runs["kinds, true names"]), max(runs["kinds, true names"])) == (22, 23)
    assert (min(runs["kinds, names exchanged"]), max(runs["kinds, names exchanged"])) == (14, 20)
    assert sorted(rights(EXCHANGED["8 as drawn"])) == [3, 3, 5, 6, 15]
    assert (min(rights(EXCHANGED["all 16"])), max(rights(EXCHANGED["all 16"]))) == (7, 14)
    shuffled = rights(EXCHANGED["two of each, shuffled"])
    assert (min(shuffled), max(shuffled)) == (2, 6)  # with the examples in order at least 14
    assert {min(21, *rights(GRID["kinds"]["counts"]["8 examples"]))} == {21}
    assert max(max(runs[f"{task} after unrelated pairs"]) for task in GRID) == 3
    assert [CONTROLS[f"{task} in the template"]["named"] for task in GRID] == [17, 17, 12, 22, 4]


def test_the_pages_of_the_controls_are_what_they_should_be():
    kinds_asked = [kind for _, kind in in_context.drawn("kinds", 0)[1]]
    assert max(kinds_asked.count(kind) for kind in controls.RENAMED) == 8
    for seed in in_context.SEEDS:
        (true, asked), (other, renamed) = controls.kinds(seed), controls.kinds(seed, controls.RENAMED)
        assert [(word, controls.RENAMED[kind]) for word, kind in true + asked] == other + renamed
        assert sorted(kind for _, kind in true) == sorted(2 * [*controls.RENAMED]) and not set(true) & set(asked)
        assert not {city for _, city in controls.cities(seed, "capitals")} & {
            city for _, city in in_context.pairs("capitals")
        }
        shown = {word for word, _ in controls.word_pages(seed)["ordinary words"][0]}
        assert not shown & {*controls.ORDINARY.split(), *controls.INVENTED.split()}
        mixed = exchanged_names.PAGES["two of each, shuffled"](seed)
        assert sorted(kind for _, kind in mixed) == sorted(kind for _, kind in other) and not set(mixed) & set(other)
        assert [word for word, _ in mixed] == [word for word, _ in other]
        assert len({*exchanged_names.all_shown(seed)} | {*in_context.drawn("kinds", 0)[1]}) == 40
    assert [controls.plural(word) for word in ("dax", "plimby", "gruss", "wug")] == [
        "daxes",
        "plimbies",
        "grusses",
        "wugs",
    ]


def test_what_was_said_is_counted_again():
    for one in CONTROLS.values():
        assert len(one["said"]) == len(one["asked"])
    for task in GRID:
        asked, one = in_context.drawn(task, 0)[1], CONTROLS[f"{task} in the template"]
        assert one["named"] == controls.named(one["said"], asked)


def test_a_question_in_the_template_gets_the_recorded_answer():
    asked = in_context.drawn("capitals", 0)[1][:2]
    said = controls.in_template(*load("smollm2"), "capitals", asked)
    kept = CONTROLS["capitals in the template"]["said"]
    assert any(one == other for one, other in zip(said, kept, strict=False))


@pytest.mark.parametrize(
    ("source", "bracket", "bits"), [("younger docstrings", 0.33, 8.9), ("younger lessons", 0.52, 8.2)]
)
def test_what_the_lesson_says_of_the_younger_texts(source, bracket, bits):
    chances, prices = YOUNGER[source]["closing bracket"], YOUNGER[source]["name"]
    opened, control = (sum(side) / len(chances) for side in zip(*chances, strict=True))
    assert opened == pytest.approx(bracket, abs=0.005) and control == pytest.approx(0.001, abs=0.0005)
    assert sum(control - met for met, control in prices) / len(prices) == pytest.approx(bits, abs=0.05)


def test_what_the_lesson_says_of_small():
    kept, rungs = recorded("small")["result"], LADDER["rungs"]
    assert [step for step, _ in kept["curve"]] == list(range(small.EVERY, small.STEPS + 1, small.EVERY))
    assert kept["curve"][-1][1] == kept["all held-out"] < rungs["n-grams"]["all held-out"] - 0.4
    assert {*kept["writes at"]} == {str(step) for step in small.WRITING}
    for name in [*ladder.texts()][1:]:
        assert len(kept[name]) == ladder.N_PASSAGES
        assert all(sum(kept[name]) < sum(rungs[other][name]) for other in ("n-grams", "nano, seed 0"))
    assert len(kept["closing bracket"]) == len(kept["name"]) == ladder.N_CASES
    for probes in (kept, *kept["younger probes"].values()):
        opened, control = (sum(side) / len(side) for side in zip(*probes["closing bracket"], strict=True))
        assert opened > 0.1 > 10 * control
        assert sum(met < control for met, control in probes["name"]) > 0.8 * len(probes["name"])


def test_a_run_of_small_is_kept_and_goes_on(tmp_path, monkeypatch):
    """With "nano" in its place, for four steps."""
    monkeypatch.setattr(small, "FOLDER", tmp_path / "small")
    monkeypatch.setattr(small, "WRITING", (2, 4))
    _, kept = small.trained(steps=4, every=2, preset="nano")
    assert [step for step, _ in kept["curve"]] == [2, 4] and {*kept["writes at"]} == {"2", "4"}
    assert all(text.startswith(ladder.PROMPT) for text in kept["writes at"].values())
    assert small.trained(steps=4, every=2, preset="nano")[1]["curve"] == kept["curve"]
