"""LadderExplorer: each rung's probabilities and texts are its own model's, at every place, and nobody waits."""

import re
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from browser import eventually
from test_accessibility_browser import violations
from test_decoding_explorer import WITHOUT_AN_ANSWER
from test_model_tour import made
from transformer_lab import BERT, GPT, generate
from transformer_lab.baselines import CharacterNgrams
from transformer_lab.data.tokenizers import BPETokenizer, CharacterTokenizer
from transformer_lab.viz import LadderExplorer
from transformer_lab.viz.inputs import visible
from transformer_lab.viz.ladder_explorer import MOST_RECORDS

TRAINING = "the cat sat on the mat and the cat ate the rat\n" * 5
TOKENIZER = BPETokenizer.train([TRAINING], 300)


def biased(ids):
    """Logits that depend on all ids: a hash of them, the same each time."""
    generator = torch.Generator().manual_seed(sum((i + 1) * (n + 1) for n, i in enumerate(ids)) % 10007)
    return 3 * torch.randn(len(TOKENIZER), generator=generator)


def ladder(text="the cat", **settings):
    rungs = {"pairs": CharacterNgrams(TRAINING, 2), "function": (biased, TOKENIZER), "GPT": made(GPT)}
    return LadderExplorer(rungs, text, **{"length": 12} | settings)


def softmax(logits, temperature):
    return torch.softmax(torch.as_tensor(logits).double() / (temperature or 1.0), dim=-1)


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
def test_the_bars_are_each_rungs_own_distribution_at_every_place(temperature):
    explorer = ladder(temperature=temperature, seed=3)
    table, (model, characters) = CharacterNgrams(TRAINING, 2), made(GPT)
    for name, one in explorer.answers.items():
        before = [{"at": 3, "text": "the"}]
        assert [place["at"] for place in one["places"][: one["n_before"]]] == [3], name
        written = "the cat"
        for n, place in enumerate(one["places"]):
            text = before[n]["text"] if n < one["n_before"] else written
            if name == "pairs":
                shares = {c: table.probability(c, text) for c in table.alphabet}
                numbers = softmax(np.log(list(shares.values())), temperature).tolist()
                wanted = {visible(c): p for c, p in zip(shares, numbers, strict=True)}
            elif name == "function":
                new = ids_of(one, TOKENIZER)[: max(0, n - one["n_before"])]
                p = softmax(biased([*TOKENIZER.encode("the" if n < one["n_before"] else "the cat"), *new]), temperature)
                wanted = {visible(TOKENIZER.tokens([i])[0]): float(p[i]) for i in range(len(p))}
            else:
                with torch.inference_mode():
                    new = ids_of(one, characters)[: max(0, n - one["n_before"])]
                    start = characters.encode("the" if n < one["n_before"] else "the cat")
                    p = softmax(model(torch.tensor([[*start, *new]]))[0, -1], temperature)
                wanted = {visible(characters.tokens([i])[0]): float(p[i]) for i in range(len(p))}
            best = sorted(wanted.values(), reverse=True)[:8]
            np.testing.assert_allclose([share for _, share in place["rows"]], best, rtol=2e-3)
            for label, share in place["rows"]:
                assert share == pytest.approx(wanted[label], rel=2e-3), (name, n, label)
            label, share, rank = place["own"]
            assert share == pytest.approx(wanted[label], rel=2e-3)
            assert rank <= 8 and place["rows"][rank - 1] == [label, share] or rank > 8 and share <= best[-1] * 1.01
            if n >= one["n_before"]:
                assert place["at"] == len(written)
                ends = [later["at"] for later in one["places"][n + 1 :]] or [len("the cat" + one["text"])]
                written = ("the cat" + one["text"])[: ends[0]]
        assert written == "the cat" + one["text"], name


def ids_of(answer, tokenizer):
    """The ids of what was written, found by their labels."""
    number = {visible(tokenizer.tokens([i])[0]): i for i in range(len(tokenizer))}
    return [number[place["own"][0]] for place in answer["places"][answer["n_before"] :]]


@pytest.mark.parametrize("temperature", [0.0, 0.9])
def test_what_a_gpt_writes_is_what_generate_writes(temperature):
    model, tokenizer = made(GPT)
    explorer = LadderExplorer({"GPT": (model, tokenizer)}, "the cat", length=12, temperature=temperature, seed=5)
    start = torch.tensor([tokenizer.encode("the cat")])
    ids = generate(model, start, 12, temperature=temperature, seed=5, stop=tokenizer.eos_id)[0].tolist()
    written = ids_of(explorer.answers["GPT"], tokenizer)
    assert written == ids[start.shape[1] :][: len(written)]
    assert explorer.texts["GPT"] == tokenizer.decode(ids[: start.shape[1] + len(written)])[len("the cat") :]
    assert not model.training


def test_a_place_is_that_of_the_token_which_has_the_character():
    explorer = ladder()
    places = explorer.answers["function"]["places"]
    for place in range(len("the cat") + 12):
        explorer.place = place
        at = max([places[0]["at"], *(one["at"] for one in places if one["at"] <= place)])
        assert explorer.here["function"] == [one for one in places if one["at"] == at][0]
        assert explorer.shown_place == (3 if place < 7 else place)
    explorer.place = 7
    at_the_end = {name: one["places"][one["n_before"]] for name, one in explorer.answers.items()}
    assert explorer.here == at_the_end
    assert explorer.next_tokens["pairs"] == [tuple(row) for row in at_the_end["pairs"]["rows"]]


def test_in_the_text_what_stands_there_is_the_texts_own_token_or_nothing_where_it_is_cut_elsewhere():
    explorer = ladder("the cat sat", length=1)
    own = {name: [place["own"] and place["own"][0] for place in one["places"][:2]]
           for name, one in explorer.answers.items()}  # fmt: skip
    assert own["pairs"] == ["␣", "␣"] and own["GPT"] == ["␣", "␣"]
    ids = TOKENIZER.encode("the cat sat")
    assert own["function"] == [visible(TOKENIZER.tokens([ids[n]])[0]) for n in (1, 2)]
    half = LadderExplorer({"one": (biased, BPETokenizer.train(["ab cd ab cd"], 270))}, "ab cdé x", length=1)
    assert [place["at"] for place in half.answers["one"]["places"][:2]] == [2, 6]


def test_a_table_has_no_character_it_has_not_met_and_reads_on():
    explorer = LadderExplorer({"pairs": CharacterNgrams(TRAINING, 2)}, "the ☃", length=30, temperature=1.5)
    assert set(explorer.texts["pairs"]) <= set(TRAINING)
    assert all(place["n"] == len(set(TRAINING)) for place in explorer.answers["pairs"]["places"])
    assert explorer.rungs == [["pairs", f"counts 2 in a row; {len(set(TRAINING))} characters"]]


def test_half_characters_wait_for_their_other_half():
    tokenizer = BPETokenizer.train(["é"], 260)  # bytes alone
    a, b = tokenizer.encode("é")

    def alternating(ids):
        return torch.nn.functional.one_hot(torch.tensor(b if ids[-1] == a else a), len(tokenizer)).float() * 50

    explorer = LadderExplorer({"é": (alternating, tokenizer)}, "x", length=2, temperature=0.0)
    assert explorer.texts == {"é": "é"}  # two tokens, each of which might have been a character
    assert [(place["piece"], place["at"]) for place in explorer.answers["é"]["places"]] == [("", 1), ("é", 1)]


def test_a_text_ends_at_its_stop():
    tokenizer = CharacterTokenizer.train([TRAINING])
    ends = torch.nn.functional.one_hot(torch.tensor(tokenizer.eos_id), len(tokenizer)).float() * 50
    answer = LadderExplorer({"end": (lambda ids: ends, tokenizer)}, "the").answers["end"]
    assert answer["is_over"] and answer["text"] == "" and len(answer["places"]) == 1


def test_a_rung_with_a_short_window_reads_the_end_of_the_text_and_says_so():
    model, tokenizer = made(GPT, max_len=9)
    explorer = LadderExplorer({"short": (model, tokenizer)}, "the cat sat on the mat", length=20, temperature=0.0)
    answer = explorer.answers["short"]
    n = len(answer["places"]) - answer["n_before"]
    assert n <= 4 and answer["n_unread"] == 22 - 6
    start = torch.tensor([tokenizer.encode("the cat sat on the mat")[-6:]])
    assert ids_of(answer, tokenizer) == generate(model, start, n)[0, 6:].tolist()
    with torch.inference_mode():
        logits = model(torch.tensor([tokenizer.encode("the cat sat on the")[-9:]]))[0, -1]
    assert answer["places"][-n - 1]["rows"][0][1] == pytest.approx(float(softmax(logits, 0).max()), rel=1e-3)


def test_another_text_temperature_and_seed_are_answered_and_what_was_written_is_kept():
    explorer = ladder(temperature=1.0)
    first = explorer.texts
    explorer.seed = 1
    second = explorer.texts
    assert second != first and explorer.answered == ["the cat", 1.0, 1]
    explorer.text = "on the mat"
    assert explorer.texts != second and (explorer.heard, explorer.place, explorer.message) == ("on the mat", 10, "")
    assert explorer.stops == [2, 6, 10]
    explorer.text, explorer.seed = "the cat", 0
    assert explorer.texts == first == ladder(temperature=1.0).texts
    n_kept = {tuple(one[:3]) for one in explorer.records}
    assert {("the cat", 1.0, 0), ("the cat", 1.0, 1), ("on the mat", 1.0, 1)} <= n_kept
    for seed in range(20):
        explorer.seed = seed
        explorer.wait()
    assert len(explorer.records) == MOST_RECORDS and explorer.records[-1][2] == 19


def test_what_is_kept_is_not_written_again():
    calls = []

    def counted(ids):
        calls.append(len(ids))
        return biased(ids)

    explorer = LadderExplorer({"one": (counted, TOKENIZER)}, "the cat", length=5)
    explorer.seed = 1
    explorer.wait()
    n = len(calls)
    explorer.seed = 0
    explorer.wait()
    assert len(calls) == n and explorer.answered[2] == 0


def test_a_slow_rung_keeps_nobody_waiting_gives_signs_of_life_and_stops_for_a_new_choice():
    gate, entered = threading.Event(), threading.Event()
    gate.set()

    def slow(ids):
        entered.set()
        gate.wait(20)
        return biased(ids)

    explorer = LadderExplorer({"quick": (biased, TOKENIZER), "slow": (slow, TOKENIZER)}, "the cat", length=6)
    gate.clear()
    entered.clear()
    before = time.monotonic()
    explorer.seed = 1  # returns at once
    assert entered.wait(20) and time.monotonic() - before < 15
    assert list(explorer.answers) == ["quick"] and explorer.progress == {"name": "slow", "text": "", "n": 0}
    explorer.seed = 2  # and the first is given up
    gate.set()
    explorer.wait()
    assert explorer.answered == ["the cat", 0.8, 2] and list(explorer.answers) == ["quick", "slow"]
    assert [one[2] for one in explorer.records] == [0, 2] and explorer.progress == {}


def test_a_text_that_cannot_be_read_leaves_what_was_there():
    explorer = ladder()
    before = explorer.texts
    for text, sentence in ((" ", "the text is empty"), ("a" * 2001, "room for 2,000 characters; got 2,001")):
        explorer.text = text
        explorer.wait()
        assert sentence in explorer.message and explorer.texts == before and explorer.heard == "the cat"
    explorer.text = "the mat"
    explorer.wait()
    assert (explorer.message, explorer.heard) == ("", "the mat")


def test_a_function_that_fails_later_is_quoted_and_the_explorer_goes_on():
    def fails(ids):
        if len(ids) > 9:
            raise KeyError("no such context")
        return biased(ids)

    explorer = LadderExplorer({"fails": (fails, TOKENIZER)}, "the cat", length=1)
    explorer.text = "the cat sat on the mat and ate the rat and the cat"
    explorer.wait()
    assert explorer.message == "KeyError: 'no such context'" and explorer.progress == {}
    explorer.text = "the cat"
    explorer.wait()
    assert explorer.message == "" and explorer.answers["fails"]["places"]


def test_what_makes_no_sense_is_refused_in_a_sentence():
    explorer, table = ladder(), CharacterNgrams(TRAINING, 2)
    broken = made(GPT)
    with torch.no_grad():
        next(broken[0].parameters()).fill_(torch.nan)
    for wrong, sentence in (
        (lambda: LadderExplorer({}), "a dict of one to six, by name; got {}"),
        (lambda: LadderExplorer([table]), "a dict of one to six, by name"),
        (lambda: LadderExplorer({"a": 3}), "A rung must be a table of characters, .*; got 3 for 'a'"),
        (lambda: LadderExplorer({"a": made(BERT)}), "model must be a GPT"),
        (lambda: LadderExplorer({"a": (made(GPT)[0], None)}), "tokenizer must be"),
        (lambda: LadderExplorer({"a": (lambda ids: [[1.0]], TOKENIZER)}), r"logits \(V,\); got the shape \(1, 1\)"),
        (lambda: LadderExplorer({"a": (lambda ids: [float("nan")], TOKENIZER)}), "logits are NaN"),
        (lambda: LadderExplorer({"a": broken}), "logits are NaN"),
        (lambda: LadderExplorer({"a": table}, ""), "the text is empty"),
        (lambda: LadderExplorer({"a": table}, 3), "A text must be a str"),
        (lambda: LadderExplorer({"a": table}, "a\ud83d"), "not a character"),
        (lambda: LadderExplorer({"a": table}, "the", length=0), "length must be a whole number, at least 1"),
        (lambda: LadderExplorer({"a": table}, "the", length=201), "length must be a number from 1 to 200"),
        (lambda: setattr(explorer, "temperature", 2.1), "temperature must be a number from 0 to 2.0; got 2.1"),
        (lambda: setattr(explorer, "seed", -1), "seed must be a whole number, at least 0"),
        (lambda: setattr(explorer, "place", -1), "place must be a whole number, at least 0; got -1"),
        (lambda: setattr(explorer, "text", "a\ud83d"), "not a character"),
    ):
        with pytest.raises(ValueError, match=sentence):
            wrong()
    assert (explorer.temperature, explorer.seed, explorer.place, explorer.text) == (0.8, 0, 7, "the cat")


def test_choices_that_arrive_at_once_end_with_the_last():
    explorer = ladder()
    changes = [("seed", n) for n in range(5)] + [("temperature", 1.2), ("text", "the mat sat")]
    threads = [threading.Thread(target=setattr, args=(explorer, *change)) for change in changes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    explorer.wait()
    assert explorer.answered == [explorer.text, explorer.temperature, explorer.seed]
    assert explorer.texts == ladder("the mat sat", temperature=1.2, seed=explorer.seed).texts


def test_the_picture_is_the_same_each_time_and_waits_for_the_texts():
    explorer = ladder()
    assert explorer.static_twin() == explorer.static_twin()
    explorer.seed = 4
    bundle, metadata = explorer._repr_mimebundle_()
    assert bundle["text/plain"] == metadata["image/png"]["alt"] == repr(explorer)
    assert repr(explorer).startswith("LadderExplorer('the cat': pairs goes on '")
    assert len(bundle["image/png"]) < 300_000 and explorer.static_twin() == ladder(seed=4).static_twin()
    for place in (3, 12):
        explorer.place = place
        assert explorer.static_twin().startswith(b"\x89PNG")


def opened(page, tmp_path, explorer):
    page.goto(explorer.save(tmp_path / "ladder.html").as_uri())
    page.wait_for_selector(".tl-ladder .row", state="attached")
    return page


CARDS = """(cards) => cards.map((card) => [
  [...card.querySelectorAll(".piece")].map((one) => one.textContent).join(""),
  [...card.querySelectorAll(".row")].map((row) => [".key", ".share"].map((one) => row.querySelector(one).textContent)),
  card.querySelector(".outside")?.textContent ?? "", card.querySelector("[aria-selected=true]")?.textContent ?? ""])"""
SET = "(input, value) => { input.value = value; input.dispatchEvent(new Event('input', { bubbles: true })); }"


def shown(page):
    return page.locator(".tl-ladder .rung").evaluate_all(CARDS)


def percent(share):
    return ">99.9 %" if share > 0.9995 else "<0.1 %" if share < 0.0005 else f"{100 * share:.1f} %"


def check_cards(page, explorer):
    cards = shown(page)
    for (text, rows, far, chosen), (name, place) in zip(cards, explorer.here.items(), strict=True):
        pieces = explorer.answers[name]["places"][explorer.answers[name]["n_before"] :]
        assert text == "".join(one["piece"] or one["own"][0] for one in pieces)
        assert [key.removeprefix("▸ ") for key, _ in rows] == [label for label, _ in place["rows"]]
        for (_, number), (_, share) in zip(rows, place["rows"], strict=True):
            assert number == percent(share) or abs(float(number.split()[0]) - 100 * share) < 0.06
        marked = [i for i, (key, _) in enumerate(rows) if key.startswith("▸ ")]
        rank = place["own"][2]
        assert marked == ([rank - 1] if rank <= 8 else []) and far.startswith("▸") == (rank > 8)
        is_written = explorer.place >= len(explorer.heard)
        assert chosen == ((place["piece"] or place["own"][0]) if is_written else "")


@pytest.mark.browser
def test_the_saved_page_shows_every_place_and_what_was_written_before(page, tmp_path):
    explorer = ladder("the cat sat", temperature=1.3)
    explorer.text = "on the mat"
    explorer.wait()
    explorer.seed = 7
    opened(page, tmp_path, explorer)
    assert page.locator(".tl-ladder :is(button, textarea)").count() == 0
    slider = page.get_by_label("place", exact=True)
    for i in range(int(slider.get_attribute("max")) + 1):
        slider.evaluate(SET, str(i))
        last = max(one["places"][-1]["at"] for one in explorer.answers.values())
        explorer.place = [2, 6, *range(10, last + 1)][i]
        check_cards(page, explorer)
    assert slider.get_attribute("aria-valuetext") == f"{explorer.place - 10} characters on"
    menu = page.get_by_label("written so far")
    assert menu.locator("option").all_inner_texts() == ["temperature 1.3, seed 0: “the cat sat”",
        "temperature 1.3, seed 0: “on the mat”", "temperature 1.3, seed 7: “on the mat”"]  # fmt: skip
    assert menu.input_value() == "2"
    menu.select_option("0")
    explorer.text, explorer.seed = "the cat sat", 0
    explorer.wait()
    eventually(lambda: page.locator(".tl-ladder .prompt").inner_text() == "the cat sat")
    check_cards(page, explorer)


@pytest.mark.browser
def test_places_are_chosen_by_mouse_and_keyboard(page, tmp_path):
    explorer = ladder("the cat sat", temperature=1.3)
    opened(page, tmp_path, explorer)
    page.locator(".tl-ladder .prompt .piece").nth(1).click()
    explorer.place = 7
    check_cards(page, explorer)
    assert page.locator(".tl-ladder .control output").last.inner_text() == "after “the cat”"
    page.keyboard.press("ArrowLeft")
    explorer.place = 5  # within a word: shown is the place before it
    check_cards(page, explorer)
    page.keyboard.press("Tab")  # the slider
    page.keyboard.press("Tab")  # the first rung's text
    page.keyboard.press("Home")
    page.keyboard.press("ArrowRight")
    explorer.place = 12
    check_cards(page, explorer)
    active = "(list) => document.getElementById(list.getAttribute('aria-activedescendant'))?.role"
    assert page.locator(".tl-ladder .line").first.evaluate(active) == "option"
    page.locator(".tl-ladder .line").nth(2).locator(".piece").last.click()
    explorer.place = explorer.answers["GPT"]["places"][-1]["at"]
    check_cards(page, explorer)
    eventually(lambda: page.locator(".tl-ladder .spoken").text_content().startswith("The next token"))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    explorer = ladder("the cat sat on the mat: 日 " + "m" * 90, temperature=1.3, length=60)
    explorer.seed = 3
    explorer.wait()
    for place in (3, len(explorer.heard), len(explorer.heard) + 9):
        explorer.place = place
        opened(page, tmp_path, explorer)
        for width in (1366, 900, 360):
            page.set_viewport_size({"width": width, "height": 800})
            assert violations(page, "html") == []
            assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_where_no_kernel_answers_the_reader_is_told_and_the_places_still_move(page, tmp_path):
    explorer = ladder("the cat sat")
    page.clock.install()
    opened(page, tmp_path, explorer)
    page.evaluate(WITHOUT_AN_ANSWER, str(explorer._module))
    page.get_by_text("another seed").click()
    eventually(lambda: page.locator(".tl-ladder.asking").count() == 1)
    assert "No answer yet" not in page.inner_text(".tl-ladder")
    page.clock.fast_forward(11_000)
    eventually(lambda: "No answer yet. If no other cell is running" in page.inner_text(".tl-ladder"))
    page.locator(".tl-ladder .prompt .piece").first.click()
    explorer.place = 3
    eventually(lambda: check_cards(page, explorer))


LIVE = """
import time
import torch
from test_ladder_explorer import TOKENIZER, biased, ladder
from transformer_lab.baselines import CharacterNgrams
from transformer_lab.viz import LadderExplorer

patience = [0.0]
def slow(ids):
    time.sleep(patience[0])
    return biased(ids)

rungs = {"pairs": CharacterNgrams("the cat sat on the mat", 2), "slow": (slow, TOKENIZER)}
explorer = LadderExplorer(rungs, "the cat", length=40)
explorer
"""


@pytest.mark.browser
def test_a_live_explorer_writes_while_the_notebook_goes_on(lab):
    page = lab.page
    lab.open("ladder.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-ladder .row")
    field, status = page.get_by_label("text", exact=True), page.locator(".tl-ladder .life")
    assert field.input_value() == "the cat"
    lab.python("patience[0] = 0.4")
    page.get_by_text("another seed").click()
    eventually(lambda: re.fullmatch(r"slow is writing: \d+ tokens(, \d+ s)?", status.inner_text()) is not None)
    assert lab.python("print(explorer.progress['name'], list(explorer.answers))") == "slow ['pairs']"  # at once
    assert page.locator(".tl-ladder .rung").first.locator(".row").count() == 8
    assert page.locator(".tl-ladder .rung.unfinished").count() == 1
    lab.python("patience[0] = 0.0")
    eventually(lambda: status.inner_text() == "" and page.locator(".tl-ladder .unfinished").count() == 0)
    assert lab.python("print(explorer.answered)") == "['the cat', 0.8, 1]"
    page.get_by_label("temperature", exact=True).evaluate(SET, "0")
    eventually(lambda: lab.python("print(explorer.answered)") == "['the cat', 0.0, 1]")
    eventually(lambda: page.get_by_text("another seed").is_disabled())
    field.fill("on the mat")
    eventually(lambda: lab.python("print(explorer.heard, explorer.place)") == "on the mat 10")
    eventually(lambda: page.locator(".tl-ladder .prompt").inner_text() == "on the mat")
    page.locator(".tl-ladder .prompt .piece").first.click()
    eventually(lambda: lab.python("print(explorer.place)") == "2")
    field.fill(" ")
    eventually(lambda: "the text is empty" in page.inner_text(".tl-ladder .message"))
    assert page.locator(".tl-ladder .body").is_hidden()
    page.get_by_label("written so far").focus()  # what is being typed is not replaced
    page.get_by_label("written so far").select_option("0")
    eventually(lambda: lab.python("print(explorer.answered)") == "['the cat', 0.8, 0]")
    eventually(lambda: page.locator(".tl-ladder .body").is_visible() and field.input_value() == "the cat")
