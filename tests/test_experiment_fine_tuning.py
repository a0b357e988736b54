"""What lesson 16 reads from experiments: every case is there once, controls are controls, a slice comes out again."""

import re
from itertools import product

import pytest
import torch

import answering
import distilling
import fine_tuning_methods as methods
import invented_names
import recording
import search_passages
from transformer_lab import load
from transformer_lab.classifiers import Tagger
from transformer_lab.data import entities
from transformer_lab.experiments import recorded
from transformer_lab.files import read_json
from transformer_lab.fine_tuning import prepare

TABLE, ANSWERS, STUDENTS = (recorded(name)["result"] for name in ("fine_tuning_methods", "answering", "distilling"))
TESTS = ("new templates", "same templates", "other templates")


def mean(runs, kind):
    return sum(run[kind] for run in runs) / len(runs)


@pytest.mark.parametrize("method", methods.RATES)
def test_each_method_was_run_once_with_each_seed_at_the_best_rate(method):
    row = TABLE[method]
    assert sorted(float(rate) for rate in row["tuning"]) == [*methods.RATES[method]]
    assert row["tuning"][str(row["rate"])] == max(row["tuning"].values())
    assert [run["seed"] for run in row["runs"]] == [*methods.SEEDS[: methods.N_SEEDS.get(method)]]
    assert all(0 <= run[kind] <= 1 for run in row["runs"] for kind in TESTS)


@pytest.mark.parametrize("method", [method for method in methods.RATES if method != "from scratch"])
def test_the_numbers_that_were_learnt_are_those_that_the_method_leaves_to_learn(method):
    model = Tagger.on(load("minilm")[0], entities.TAGS)
    learnt = prepare(model, method, **methods.OPTIONS.get(method, {}))
    assert {run["parameters"] for run in TABLE[method]["runs"]} == {sum(one.numel() for one in learnt.values())}


def test_other_ranks_were_run_with_three_seeds_each_and_learn_as_many_numbers_as_they_should():
    assert [int(rank) for rank in TABLE["ranks"]] == [*methods.OTHER_RANKS]
    head, at_8 = TABLE["head"]["runs"][0]["parameters"], TABLE["lora"]["runs"][0]["parameters"]
    for rank, runs in TABLE["ranks"].items():
        assert [run["seed"] for run in runs] == [*methods.FEWER_SEEDS]
        assert all(8 * (run["parameters"] - head) == int(rank) * (at_8 - head) for run in runs)


def test_rank_1_is_behind_on_the_old_templates_only_at_the_rate_of_rank_8():
    at_that_rate, again = TABLE["ranks"]["1"][0], TABLE["rank 1 again"]
    assert {run["parameters"] for run in again.values()} == {at_that_rate["parameters"]}
    assert all(run["same templates"] > at_that_rate["same templates"] + 0.1 for run in again.values())


def test_a_run_that_was_stopped_goes_on_with_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "set_num_threads", lambda n: None)
    file, computed, broken = tmp_path / "tried.py", [], ["b"]

    def run(found, keep):
        for part in [part for part in "abc" if part not in found]:
            if part in broken:
                raise KeyboardInterrupt
            found[part] = len(computed)
            computed.append(part)
            keep()

    with pytest.raises(KeyboardInterrupt):
        recording.go_on(str(file), run)
    broken.clear()
    recording.go_on(str(file), run)
    kept = read_json(tmp_path / "tried.json")
    assert computed == ["a", "b", "c"] and kept["result"] == {"a": 0, "b": 1, "c": 2}
    assert kept["command"] == "python experiments/tried.py"


def test_another_best_rate_makes_earlier_runs_void():
    row = {"tuning": {str(rate): 0.1 * rate for rate in methods.RATES["head"]}, "rate": 0.02, "runs": [{"seed": 0}]}
    methods.add_rates("head", row, keep=None)
    assert (row["rate"], row["runs"]) == (max(methods.RATES["head"]), [])


def words(template):
    return re.findall(r"\w+|\{\w+\}", template.lower())


def test_the_lists_of_templates_share_no_four_words_in_a_row():
    learnt, asked, others = (
        {tuple(words(one)[i : i + 4]) for one in listed for i in range(len(words(one)) - 3)}
        for listed in (entities.TEMPLATES, entities.TEST_TEMPLATES, methods.OTHER_TEMPLATES)
    )
    assert not learnt & others and not asked & others and not learnt & asked


def test_rates_are_tuned_on_training_templates_that_the_model_does_not_learn_from():
    learnt, held_out = methods.tuning_sentences(2)
    assert len(learnt) == 2 * methods.BATCH and len(held_out["held-out templates"]) == methods.N_TESTED
    starts = [{one.words[:2] for one in part} for part in (learnt, held_out["held-out templates"])]
    assert not {("On", "Monday")} & starts[1]


def test_the_head_alone_comes_out_again():
    task, run = methods.trained("head", 0)
    kept = TABLE["head"]["runs"][0]
    assert all(run[kind] == pytest.approx(kept[kind], abs=0.05) for kind in TESTS)


def test_the_search_before_comes_out_again():
    found, asked = search_passages.cases()
    assert len(found) == search_passages.N_PASSAGES and len(asked) >= 45
    again = search_passages.recall(*load("minilm"))
    assert again == pytest.approx(TABLE["search before"], abs=0.06)  # another Python has another manual


def test_a_change_of_full_rank_is_the_whole_change_and_a_share_of_it_grows_with_the_rank():
    assert len(TABLE["changes"]) == len(TABLE["nonsense"]) == len(methods.FEWER_SEEDS)
    for energy in (change["energy"] for change in TABLE["changes"]):
        for shares in energy.values():
            assert len(shares) == len(methods.RANKS) and shares == sorted(shares) and shares[-1] <= 1
        assert all(one > other for one, other in zip(energy["change"], energy["random matrix"], strict=True))


def test_invented_names_are_new_words_in_the_same_places_under_the_same_tags():
    (old,) = entities.make_sentences(1, ("Letters to {person} go to {company}, {city}.",), ("en_US",), True, "test")
    (new,) = invented_names.invented([old])
    assert new.tags == old.tags and len(new.words) == len(old.words)
    for word, other, tag in zip(old.words, new.words, old.tags, strict=True):
        assert (other == word) == (tag == "O" or word[0].islower() or not word.isalpha())


def test_what_the_lesson_says_of_invented_names():
    found = recorded("invented_names")["result"]
    assert all(len(runs) == len(methods.FEWER_SEEDS) for runs in found.values())
    for method, runs in found.items():
        for run, recorded_run in zip(runs, TABLE[method]["runs"], strict=False):
            assert all(run["its own names"][kind] == pytest.approx(recorded_run[kind], abs=0.05) for kind in TESTS)
    means = {kind: mean([run["invented"] for run in found["everything"]], kind) for kind in TESTS[::2]}
    assert means == pytest.approx({"new templates": 0.57, "other templates": 0.45}, abs=0.006)
    assert all(run["invented"][kind] < 0.2 for run in found["from scratch"] for kind in means)


def test_a_loss_stands_at_the_answer_and_its_end_only():
    _, tokenizer = load("smollm2")
    for form in answering.FORMS:
        ids, labels = answering.labelled(tokenizer, ("heapq.heappop", "Pop the smallest item."), form, True)
        first = labels.index(next(one for one in labels if one != answering.IGNORED))
        assert len(ids) == len(labels) and labels[first:] == ids[first:] and ids[-1] == tokenizer.eos_id
        assert tokenizer.decode(ids[first:-1]) == "Pop the smallest item."
        assert answering.labelled(tokenizer, ("heapq.heappop", "Pop the smallest item."), form, False)[1] == ids


def test_padding_changes_no_loss():
    model, tokenizer = load("smollm2")
    rows = [answering.labelled(tokenizer, pair, "plain", True) for pair in ANSWERS["asked"][:2]]
    with torch.no_grad():
        together = answering.losses(model, rows)
        alone = torch.cat([answering.losses(model, [row]) for row in rows])
        assert together == pytest.approx(alone, abs=1e-3)


def test_no_module_is_learnt_from_and_asked_about():
    learnt, asked = answering.drawn()
    assert len(learnt) == answering.N_PAIRS and len(asked) == answering.N_ASKED
    assert not {name.split(".")[0] for name, _ in learnt} & {name.split(".")[0] for name, _ in asked}
    assert not {answer for _, answer in learnt} & {answer for _, answer in asked}


@pytest.mark.parametrize("arm", distilling.ARMS)
def test_each_student_was_trained_with_each_seed(arm):
    assert len(STUDENTS[arm]) == len(distilling.SEEDS) and len(STUDENTS["teacher"]) == 1


def test_the_students_new_sentences_are_of_other_templates_and_have_training_names():
    old, new = distilling.sentences(0)
    assert not {one.words for one in old} & {one.words for one in new}
    names = {word for one in new for word, tag in zip(one.words, one.tags, strict=True) if tag.endswith("PER")}
    assert not any(entities.is_test_word(word) for word in names if word[0].isupper() and word.isalpha())


def test_what_the_lesson_says_of_the_change():
    def kept(part, rank):  # of each seed: (share of the energy, F1)
        held = [one["energy"]["change"][methods.RANKS.index(rank)] for one in TABLE["changes"]]
        scores = [one[f"F1, {part}"][str(rank)]["new templates"] for one in TABLE["changes"]]
        return [(share if part == "largest" else 1 - share, score) for share, score in zip(held, scores, strict=True)]

    def means(rows):
        return tuple(round(sum(column) / len(rows), 2) for column in zip(*rows, strict=True))

    def f1(part, rank):
        return [one[f"F1, {part}"][str(rank)]["new templates"] for one in TABLE["changes"]]

    assert [round(sum(f1("largest", rank)) / 3, 2) for rank in (0, 4, 8)] == [0.07, 0.48, 0.67]
    assert round(sum(f1("all but the largest", 0)) / 3, 2) == 0.67  # the whole change of the matrices
    rest = "all but the largest"
    assert (means(kept("largest", 8)), means(kept(rest, 1))) == ((0.70, 0.67), (0.72, 0.46))
    assert (means(kept("largest", 1)), means(kept(rest, 8))) == ((0.28, 0.06), (0.30, 0.15))
    for (_, large), (_, small) in zip(kept("largest", 8), kept(rest, 1), strict=True):
        assert large > small + 0.1  # with each seed
    for seed, score in enumerate(f1("largest", 8)):
        assert score > TABLE["everything"]["runs"][seed]["new templates"] - 0.02
    eight = methods.RANKS.index(8)
    shares = [one["energy"]["change"][eight] for one in TABLE["changes"]]
    assert sum(shares) / 3 == pytest.approx(0.70, abs=0.005)
    assert sum(one[eight] for one in TABLE["nonsense"]) / 3 == pytest.approx(0.71, abs=0.005)
    assert all(one["size of the change"]["mean"] == pytest.approx(0.02, abs=0.002) for one in TABLE["changes"])


def test_what_the_lesson_says_of_the_table():
    level = {kind: mean(TABLE["lora"]["runs"], kind) - mean(TABLE["everything"]["runs"], kind) for kind in TESTS}
    assert level["new templates"] == pytest.approx(0.04, abs=0.005)
    assert level["other templates"] == pytest.approx(-0.01, abs=0.005)
    for kind in ("new templates", "other templates"):
        pairs = zip(TABLE["lora"]["runs"], TABLE["last block"]["runs"], strict=True)
        assert all(one[kind] > other[kind] for one, other in pairs)
    runs = {method: TABLE[method]["runs"] for method in methods.RATES}
    for one, other in zip(runs["biases"], runs["everything"], strict=True):
        assert one["new templates"] > other["new templates"] and one["other templates"] < other["other templates"]
    ahead = [
        mean(runs["biases"], kind) - mean(runs["everything"], kind) for kind in ("new templates", "other templates")
    ]
    assert ahead == pytest.approx([0.09, -0.03], abs=0.005)
    for front, within in product(("prefix", "prompt"), ("lora", "adapters", "biases")):
        for one, other in zip(runs[front], runs[within], strict=True):
            assert all(one[kind] < other[kind] for kind in ("new templates", "other templates"))
    prompt = TABLE["prompt"]
    assert prompt["rate"] == 1000 * TABLE["everything"]["rate"] and prompt["tuning"]["0.3"] < prompt["tuning"]["0.03"]
    assert [round(prompt["runs"][0][kind], 2) for kind in ("new templates", "other templates")] == [0.55, 0.52]
    found = {
        method: [round(50 * run["search"]["recall@5"]) for run in TABLE[method]["runs"][:3]]
        for method in ("everything", "last block", "biases", "lora")
    }
    assert {method: round(sum(counts) / 3) for method, counts in found.items()} == {
        "everything": 21,
        "last block": 12,
        "biases": 22,
        "lora": 25,
    }
    rates = [TABLE[method]["rate"] / TABLE["everything"]["rate"] for method in ("last block", "biases")]
    assert rates == pytest.approx([20, 30])
    count = {method: TABLE[method]["runs"][0]["parameters"] for method in found}
    stayed = [1 - count[method] / count["everything"] for method in ("last block", "biases")]
    assert stayed == pytest.approx([0.92, 0.999], abs=0.005)
    assert (min(found["everything"]), max(found["everything"])) == (17, 25)
    assert (min(found["lora"]), max(found["lora"])) == (21, 28)


def test_what_the_lesson_says_of_answers_and_students():
    nats = {run: ANSWERS[run]["plain"] for run in ("before", "answer only", "all tokens")}
    assert [round(one["right answers"], 2) for one in nats.values()] == [3.69, 2.89, 2.94]
    assert [round(one["others' answers"], 2) for one in nats.values()] == [4.55, 4.12, 4.16]
    assert not any(one["ended"] for one in nats["before"]["said"].values())
    asked, said = [name for name, _ in ANSWERS["asked"]], [*nats["answer only"]["said"]]
    assert (len(asked), said) == (30, asked[:8] + [*answering.INVENTED])
    assert all(one["ended"] for form in answering.FORMS for one in ANSWERS["answer only"][form]["said"].values())
    reached = {arm: round(mean(STUDENTS[arm], "other templates"), 2) for arm in distilling.ARMS}
    unseen = {arm: round(mean(STUDENTS[arm], "new templates"), 2) for arm in ("old text only", "new text, soft labels")}
    assert unseen == {"old text only": 0.12, "new text, soft labels": 0.13}
    assert round(mean(STUDENTS["new text, hard labels"], "new templates"), 2) == 0.13
    assert round(STUDENTS["teacher"][0]["new templates"], 2) == 0.73
    assert [*reached.values()] == [0.17, 0.44, 0.47, 0.68]
