"""SearchExplorer: type a question, and see at once what a search by meaning finds, and beside it one by words.

`marked` is all that the explorer adds to a search: which words of the question stand in what was found.
"""

import re
import threading
from functools import cache

import traitlets

from ..arguments import check_at_least, check_between, check_text, check_texts
from ..optional import MissingPackageError
from ..search import Hit, Search, SearchEngine, WordSearch
from ..sentences import short_repr
from . import saved_page
from .browser_files import module, sheet
from .explorer import Explorer
from .search_picture import draw_search

MOST_SEARCHES, MOST_HITS, MOST_CHARACTERS = 3, 10, 500
MOST_RECORDS = 8  # questions with their answers
WORD = re.compile(r"\w{4,}")  # shorter words stand in every text
MEANING, WORDS = "by meaning", "by words"
QUESTIONS = (
    "How can I leave a loop before it is over?",
    "Where does Python look for a name that a function does not define?",
    "What happens if nobody catches an error?",
    "lambda",
)


def marked(text: str, question: str) -> list[str]:
    """The text in pieces, of which every second one is a word of the question: four letters or more, in any case."""
    words = {re.escape(word) for word in WORD.findall(question)}
    return re.split(rf"\b({'|'.join(sorted(words))})\b", text, flags=re.IGNORECASE) if words else [text]


class SearchExplorer(Explorer):
    """Ask a search: `SearchExplorer(SearchEngine.of(passages, model, tokenizer))`, or up to three as {name: search}.

    Without a search it is the one over Python's documentation. A single one has beside it the search by words over the
    same passages, where scikit-learn is installed. The `questions` are asked at once, the last one is shown, and a
    saved page can show all of them; further ones are asked by typing, or by setting `text`. `hits` is what is shown: by
    name the hits, at most k, those with a score of 0 or less left out. Raises ValueError for what is no search, and for
    a question that is empty or too long.
    """

    _module = module("search_explorer")
    _sheet = sheet("search_explorer")
    title = "a question, and the passages that a search finds"
    searches = traitlets.List().tag(sync=True)  # [name, a line about it]
    answers = traitlets.Dict().tag(sync=True)  # by name the hits, each as `wire` makes it
    records = traitlets.List().tag(sync=True)  # [question, answers], the latest last
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the question that was answered last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be answered

    def __init__(self, searches=None, questions=QUESTIONS, k: int = 4):
        self._searches = checked_searches(default_searches() if searches is None else searches)
        check_at_least("k", k, 1)
        check_between("k", k, 1, MOST_HITS)
        check_texts("questions", questions)
        questions = list(questions)
        if not 1 <= len(questions) <= MOST_RECORDS:
            raise ValueError(f"questions must be 1 to {MOST_RECORDS} texts; got {len(questions)}.")
        self.k = k
        # JupyterLab may deliver changes on several threads: answer one question at a time, the latest.
        self._one_at_a_time = threading.Lock()
        records = [[question, self._ask(question)] for question in questions]
        question, answers = records[-1]
        told = [[name, about(one)] for name, one in self._searches.items()]
        super().__init__(searches=told, records=records, answers=answers, text=question, heard=question)
        self.observe(self._answer, names="text")

    def _ask(self, question: str) -> dict[str, list[dict]]:
        """Each search's hits for a question, as the browser shows them."""
        check_question(question)
        self._hits = {
            name: [hit for hit in one.search(question, self.k) if hit.score > 0] for name, one in self._searches.items()
        }
        return {name: [wire(hit, question) for hit in hits] for name, hits in self._hits.items()}

    def _answer(self, _change) -> None:
        with self._one_at_a_time:
            question = self.text
            if question == self.heard:  # an earlier call has answered it
                self.message = ""
                return
            try:
                answers = self._ask(question)
            except Exception as error:  # a learner's search may raise anything; what was shown stays
                known = isinstance(error, ValueError)
                self.message = str(error) if known else f"{type(error).__name__}: {error}"
                return
            others = [record for record in self.records if record[0] != question]
            with self.hold_sync():  # one message: the browser never sees new hits with an old question
                self.records = [*others, [question, answers]][-MOST_RECORDS:]
                self.answers, self.heard, self.message = answers, question, ""

    @traitlets.validate("text")
    def _check_text(self, proposal) -> str:
        check_text(proposal.value)
        return proposal.value

    @property
    def hits(self) -> dict[str, list[Hit]]:
        """By name the hits of each search that are shown, the best first."""
        return self._hits

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()} | {"text": self.heard, "message": ""}
        return saved_page.page(self.title, self._module, self._sheet, state)

    def draw(self, figure):
        """The question, and of each search the titles, scores and beginnings of what it found."""
        draw_search(figure, self)

    def __repr__(self):
        best = [
            f"{name} {short_repr(hits[0].passage.title) if hits else 'nothing'}" for name, hits in self.hits.items()
        ]
        return f"SearchExplorer({short_repr(self.heard)}: {'; '.join(best)})"


def wire(hit: Hit, question: str) -> dict:
    """What the browser shows of a hit: its title and text, with the question's words marked, its source and score."""
    title, text = (marked(part, question) for part in (hit.passage.title, hit.passage.text))
    return {"title": title, "text": text, "source": hit.passage.source, "score": round(float(hit.score), 4)}


def check_question(question: str) -> None:
    """Raise ValueError for a question that is empty or too long."""
    check_text(question)
    if not question.strip():
        raise ValueError("There is nothing to look for: the question is empty.")
    if len(question) > MOST_CHARACTERS:
        raise ValueError(
            f"There is room for {MOST_CHARACTERS} characters; got {len(question):,}: shorten the question."
        )


def checked_searches(given) -> dict[str, Search]:
    """One to three searches by name; ValueError for anything else."""
    if isinstance(given, Search):
        return beside_words(given)
    if not isinstance(given, dict) or not 1 <= len(given) <= MOST_SEARCHES:
        raise ValueError(f"searches must be a search, or a dict of one to three by name; got {short_repr(given)}.")
    for name, one in given.items():
        if not isinstance(one, Search):
            raise ValueError(f"A search must be a SearchEngine or a WordSearch; got {short_repr(one)} for {name!r}.")
    return {str(name): one for name, one in given.items()}


def beside_words(search: Search) -> dict[str, Search]:
    """The search and, if it is not that itself and scikit-learn is installed, the one by words in the same passages."""
    if isinstance(search, WordSearch):
        return {WORDS: search}
    try:
        return {MEANING: search, WORDS: WordSearch(search.passages)}
    except MissingPackageError:
        return {MEANING: search}


def about(search: Search) -> str:
    """A line on how a search compares, and on how much it looks through."""
    n = len(search.passages)
    how = {SearchEngine: "the nearest vectors", WordSearch: "the words they share (TF-IDF)"}.get(type(search))
    among = f"among {n:,} passage{'' if n == 1 else 's'}"
    return f"{how}, {among}" if how else among


@cache
def default_searches() -> dict[str, Search]:
    """The documentation by meaning and by words."""
    return beside_words(SearchEngine.of_python_docs())
