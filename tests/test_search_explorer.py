"""SearchExplorer: what is shown is what the searches find, with the question's words marked; asked by typing."""

import re
import threading
import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from browser import eventually
from test_accessibility_browser import violations
from test_decoding_explorer import WITHOUT_AN_ANSWER
from test_explorers import made
from transformer_lab.data.passages import Passage
from transformer_lab.search import Search, WordSearch
from transformer_lab.viz import SearchExplorer
from transformer_lab.viz.search_explorer import MOST_RECORDS, marked

TEXTS = {
    "Loops": 'A "for" loop visits each item;\n\n   break\n\nleaves the loop.',
    "Errors": "An exception that nobody catches <b>ends</b> the program & prints a traceback.",
    "Names": "A name is looked up in the function, around it, and among the globals.",
    "Files": "Open a file with a context manager: it is closed whatever happens. 文件",
    "Classes": "A class groups data and functions.",
}
PASSAGES = [Passage(title, text, f"source of {title}") for title, text in TEXTS.items()]
QUESTIONS = ["which exception ends a loop?", "who visits a file?"]


class ByLetters(Search):
    """A search whose score is the share of the question's letters that a passage has, less a half."""

    def scores(self, question):
        letters = set(question.lower())
        return torch.tensor([len(letters & set(one.whole.lower())) / len(letters) - 0.5 for one in self.passages])


def both(questions=QUESTIONS, **settings):
    return SearchExplorer({"letters": ByLetters(PASSAGES), "words": WordSearch(PASSAGES)}, questions, **settings)


@given(st.text("abcd .\n(é", max_size=40), st.text("abcd .(é", max_size=20))
def test_marked_pieces_are_the_questions_words_and_nothing_is_lost(text, question):
    pieces = marked(text, question)
    words = {word.lower() for word in re.split(r"\W+", question) if len(word) >= 4}
    assert "".join(pieces) == text
    assert all(piece.lower() in words for piece in pieces[1::2])
    assert sum(word.lower() in words for word in re.split(r"\W+", text)) == len(pieces[1::2])


def test_a_word_is_marked_in_any_case_and_only_whole():
    assert marked("Loop, loops and the LOOP.", "a loop?") == ["", "Loop", ", loops and the ", "LOOP", "."]
    assert marked("__init__ is a name", "what is __init__") == ["", "__init__", " is a name"]
    assert marked("a cat", "a cat") == ["a cat"]  # too short


def test_what_is_shown_is_what_the_searches_find():
    explorer = both(k=3)
    searches = {"letters": ByLetters(PASSAGES), "words": WordSearch(PASSAGES)}
    for explorer.text in ("lookup of names", "exception", "zzz qqq"):
        for name, search in searches.items():
            wanted = [hit for hit in search.search(explorer.text, 3) if hit.score > 0]
            assert explorer.hits[name] == wanted
            shown = explorer.answers[name]
            assert [("".join(one["title"]), "".join(one["text"]), one["source"]) for one in shown] == [
                (hit.passage.title, hit.passage.text, hit.passage.source) for hit in wanted
            ]
            assert [one["score"] for one in shown] == [pytest.approx(hit.score, abs=1e-4) for hit in wanted]
    assert explorer.hits["words"] == []  # none shares a word
    assert "words nothing" in repr(explorer) and explorer.static_twin().startswith(b"\x89PNG")


def test_the_documentation_is_searched_by_meaning_and_by_words():
    explorer = made(SearchExplorer)
    assert [name for name, _ in explorer.searches] == ["by meaning", "by words"]
    explorer.text = "How do I give a function a default argument?"
    titles = [hit.passage.title.lower() for hit in explorer.hits["by meaning"]]
    assert any("function" in title or "parameter" in title for title in titles), titles
    start = time.monotonic()
    explorer.text = "How do I give a function a default value?"
    assert time.monotonic() - start < 5  # at once, also on a busy machine


def test_one_search_has_the_words_beside_it_and_words_stand_alone():
    assert list(SearchExplorer(ByLetters(PASSAGES), ["loop"]).hits) == ["by meaning", "by words"]
    explorer = SearchExplorer(WordSearch(PASSAGES), ["loop"])
    assert explorer.searches == [["by words", "the words they share (TF-IDF), among 5 passages"]]


def test_without_scikit_learn_the_search_is_alone(monkeypatch):
    monkeypatch.setattr("transformer_lab.search.installed", lambda name: None)
    assert list(SearchExplorer(ByLetters(PASSAGES), ["loop"]).hits) == ["by meaning"]


def test_questions_are_kept_each_once_and_the_latest_last():
    explorer = both()
    assert [one[0] for one in explorer.records] == QUESTIONS and explorer.heard == QUESTIONS[-1]
    explorer.text = QUESTIONS[0]
    assert [one[0] for one in explorer.records] == QUESTIONS[::-1] and explorer.answers == explorer.records[-1][1]
    for n in range(12):
        explorer.text = f"question {n}"
    assert len(explorer.records) == MOST_RECORDS and explorer.records[-1][0] == explorer.heard == "question 11"


def test_a_question_that_cannot_be_answered_leaves_what_was_there():
    explorer = both()
    before = explorer.answers
    for text, sentence in ((" ", "the question is empty"), ("a" * 501, "room for 500 characters; got 501")):
        explorer.text = text
        assert sentence in explorer.message and explorer.answers == before and explorer.heard == QUESTIONS[-1]
    explorer.text = QUESTIONS[-1]
    assert explorer.message == ""


def test_a_search_that_fails_is_quoted():
    class Fails(ByLetters):
        def scores(self, question):
            if "break" in question:
                raise KeyError("no such vector")
            return super().scores(question)

    explorer = SearchExplorer({"fails": Fails(PASSAGES)}, ["loop"])
    explorer.text = "break it"
    assert explorer.message == "KeyError: 'no such vector'" and explorer.heard == "loop"
    explorer.text = "mend it"
    assert (explorer.message, explorer.heard) == ("", "mend it")


def test_questions_that_arrive_at_once_end_with_the_last():
    explorer = both()
    threads = [threading.Thread(target=setattr, args=(explorer, "text", f"loop {n}")) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert explorer.heard == explorer.text and explorer.answers == both([explorer.text]).answers


def test_what_makes_no_sense_is_refused_in_a_sentence():
    search, explorer = WordSearch(PASSAGES), both()
    for wrong, sentence in (
        (lambda: SearchExplorer({}), "a search, or a dict of one to three by name; got {}"),
        (lambda: SearchExplorer([search]), "a search, or a dict of one to three by name"),
        (lambda: SearchExplorer({"a": 3}), "A search must be a SearchEngine or a WordSearch; got 3 for 'a'"),
        (lambda: SearchExplorer(search, "loop"), "questions must be a list of texts; got one text: 'loop'"),
        (lambda: SearchExplorer(search, []), "questions must be 1 to 8 texts; got 0"),
        (lambda: SearchExplorer(search, [""]), "the question is empty"),
        (lambda: SearchExplorer(search, ["loop"], k=0), "k must be a whole number, at least 1; got 0"),
        (lambda: SearchExplorer(search, ["loop"], k=11), "k must be a number from 1 to 10; got 11"),
        (lambda: setattr(explorer, "text", "a\ud83d"), "not a character"),
    ):
        with pytest.raises(ValueError, match=re.escape(sentence)) as error:
            wrong()
        assert "\n" not in str(error.value)


COLUMNS = """(sections) => sections.map((section) => [...section.querySelectorAll("li")].map((hit) => [
  hit.querySelector(".name").textContent, hit.querySelector("pre").textContent, hit.querySelector(".score").textContent,
  hit.querySelector(".source").textContent, [...hit.querySelectorAll("mark")].map((mark) => mark.textContent)]))"""


def check_columns(page, explorer):
    columns = page.locator(".tl-search section").evaluate_all(COLUMNS)
    for column, hits, answers in zip(columns, explorer.hits.values(), explorer.answers.values(), strict=True):
        for (title, text, score, source, marks), hit, answer in zip(column, hits, answers, strict=True):
            assert (title, text) == (hit.passage.title, hit.passage.text)
            assert abs(float(score) - hit.score) < 0.0051 and source == f"from {hit.passage.source}"
            assert marks == [*answer["title"][1::2], *answer["text"][1::2]]


def opened(page, tmp_path, explorer):
    page.goto(explorer.save(tmp_path / "search.html").as_uri())
    page.wait_for_selector(".tl-search section")
    return page


@pytest.mark.browser
def test_the_saved_page_shows_every_question_that_was_asked(page, tmp_path):
    explorer = both()
    explorer.text = "zzz <b>qqq</b>"
    opened(page, tmp_path, explorer)
    assert page.locator(".tl-search :is(input, textarea)").count() == 0
    assert "To ask your own question, run the cell" in page.inner_text(".tl-search")
    assert "Nothing found" in page.inner_text(".tl-search section:last-child")
    for n, question in enumerate([*QUESTIONS, "zzz <b>qqq</b>"]):
        page.get_by_label("asked so far").select_option(str(n))
        explorer.text = question
        eventually(lambda: page.locator("blockquote").inner_text() == explorer.heard)
        check_columns(page, explorer)
    page.get_by_label("asked so far").select_option("0")
    explorer.text = QUESTIONS[0]
    second = page.locator(".tl-search details").nth(1)
    second.locator("summary").focus()
    page.keyboard.press("Enter")
    eventually(lambda: second.get_attribute("open") is not None)
    letters, words = (section.locator("summary small").all_inner_texts() for section in page.locator("section").all())
    assert all(line.startswith("in common: “") for line in words)
    places = [int(line.split(" no. ")[1][0]) for line in letters if " no. " in line]
    assert sorted(places) == sorted({n + 1 for n, hit in enumerate(explorer.hits["words"]) if hit.passage in [
        other.passage for other in explorer.hits["letters"]]})  # fmt: skip
    eventually(lambda: page.locator(".tl-search .spoken").text_content().startswith("letters: first "))


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_violation_and_nothing_cut_off(page, tmp_path, scheme):
    page.emulate_media(color_scheme=scheme)
    long = [*PASSAGES, Passage("T" * 90, "m" * 300 + "\n" + "exception loop " * 30, "s" * 200)]
    explorer = SearchExplorer(ByLetters(long), ["exception loop " + "m" * 90], k=6)
    opened(page, tmp_path, explorer)
    page.locator("details").evaluate_all("(all) => all.forEach((one) => (one.open = true))")
    for width in (1366, 900, 360):
        page.set_viewport_size({"width": width, "height": 800})
        assert violations(page, "html") == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.browser
def test_where_no_kernel_answers_the_reader_is_told(page, tmp_path):
    explorer = both()
    page.clock.install()
    opened(page, tmp_path, explorer)
    page.evaluate(WITHOUT_AN_ANSWER, str(explorer._module))
    page.get_by_label("question", exact=True).fill("who?")
    page.clock.fast_forward(200)
    eventually(lambda: page.locator(".tl-search.waiting").count() == 1)
    page.clock.fast_forward(11_000)
    eventually(lambda: "No answer yet. If no other cell is running" in page.inner_text(".tl-search"))


LIVE = """
from test_search_explorer import both
explorer = both()
explorer
"""


@pytest.mark.browser
def test_a_live_explorer_answers_while_one_types(lab):
    page, explorer = lab.page, both()
    lab.open("search.ipynb", [f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})", LIVE])
    lab.run_all()
    page.wait_for_selector(".tl-search section")
    field = page.get_by_label("question", exact=True)
    assert field.input_value() == QUESTIONS[-1]
    # JupyterLab breaks lines of any <pre> in the middle of words
    assert page.locator(".tl-search pre").first.evaluate("(pre) => getComputedStyle(pre).wordBreak") == "normal"
    field.focus()
    page.keyboard.press("Control+A")
    page.keyboard.type("bdd exception")  # in command mode, d d would delete the cell
    explorer.text = "bdd exception"
    eventually(lambda: lab.python("print(explorer.heard)") == "bdd exception")
    eventually(lambda: check_columns(page, explorer))
    assert field.input_value() == "bdd exception" and page.locator(".jp-Notebook .jp-Cell").count() == 2
    field.fill(" ")
    eventually(lambda: "the question is empty" in page.inner_text(".tl-search .message"))
    assert page.locator(".tl-search .body").is_hidden()
    page.get_by_label("asked so far").focus()  # what is being typed is not replaced
    page.get_by_label("asked so far").select_option("0")
    eventually(lambda: lab.python("print(explorer.heard)") == QUESTIONS[0])
    explorer.text = QUESTIONS[0]
    eventually(lambda: check_columns(page, explorer))
    eventually(lambda: page.locator(".tl-search .body").is_visible() and field.input_value() == QUESTIONS[0])
    lab.python("explorer.text = 'set in Python'")
    eventually(lambda: field.input_value() == "set in Python")
