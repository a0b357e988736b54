"""Lesson 15: the checks of question 4, five search engines that go wrong: what is wrong with each, one mended."""

from itertools import combinations

import torch
import torch.nn.functional as F
from torch import Tensor

from ....config import TransformerConfig
from ....models import BERT
from ...checking import Wrong, check
from ...draw import draw
from ..common import close, difference, expect_tensor, settled
from ..diagnosis import Diagnosis, snippets

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "only the first tokens of a text are read": "Then what stands at the end of a long passage cannot be found.",
        "the mask is turned round": "Then no vector would depend on the text itself.",
        "padding is counted in the mean": "Then all is well as long as no row has to be filled up.",
        "the question's vector is that of its first token": "Then not even a passage's own words would find it for "
        "sure.",
        "vectors are not scaled to one length": "Then a score has no bound, and long vectors win.",
        "dropout is left on": "Then the same question would get other scores each time.",
        "the scores are put back in a wrong order": "Then the right scores come back, at other passages.",
        "all passages are read as one text": "Then a passage could not be asked for without the others.",
    },
    observations={
        "two passages that are alike score alike": "a right search does that too.",
        "some scores are above 1": "that is so where a score is no cosine.",
        "a passage scores otherwise when a longer one stands beside it": "that is so where a row is filled up.",
        "a passage of 5 ids, alone and asked for with its own text, scores below 0.99": "that is so where passage and "
        "question are treated unlike.",
        "right for passages from the shortest to the longest, wrong for some other orders": "that is so where passages "
        "change places.",
        "the question's tokens in another order change no score": "none of the five does: a BERT has positions.",
        "another last id of a passage of 12 changes no score": "that is so where the end is never read.",
    },
    snippets={
        "a": (
            "padding is counted in the mean",
            "a passage scores otherwise when a longer one stands beside it",
            "Over which columns of a short passage's row is its mean taken?",
        ),
        "b": (
            "the scores are put back in a wrong order",
            "right for passages from the shortest to the longest, wrong for some other orders",
            "Say the order is [2, 0, 1]: whose score stands first after the sorting, and where does it end up?",
        ),
        "c": (
            "vectors are not scaled to one length",
            "some scores are above 1",
            "What does it compute from two vectors, and what is that for a vector and itself?",
        ),
        "d": (
            "only the first tokens of a text are read",
            "another last id of a passage of 12 changes no score",
            "Which of a passage's tokens reach the model?",
        ),
        "e": (
            "the question's vector is that of its first token",
            "a passage of 5 ids, alone and asked for with its own text, scores below 0.99",
            "How does it make a vector of a passage, and how of the question?",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 4)):
    answers = (DIAGNOSIS, "repaired(model, passages, question)")

    @check("b, mended", 0.75)
    def mended(diagnoses, repaired):
        any_order(repaired)

    @check("b, mended: passages of one length, a single one, and lists that stay as they are", 0.25)
    def others(diagnoses, repaired):
        settled(lambda: any_order(repaired), "For passages of unequal lengths the repair is")
        for lengths in ((6, 6, 6), (7,), (5, 9, 5, 9, 3)):
            case = Search(fresh(), lengths)
            given = [list(passage) for passage in case.passages], list(case.question)
            is_right(repaired, case, given)
            unchanged(case, given)


def fresh() -> BERT:
    """A model that was never trained."""
    sizes = dict(vocab_size=23, d_model=24, n_heads=3, n_layers=1, d_ff=40, max_len=16)
    return draw.made(BERT, TransformerConfig(**sizes)).eval()


class Search:
    """Passages of these lengths, a question, and their vectors."""

    def __init__(self, model: BERT, lengths):
        self.model, self.lengths = model, list(lengths)
        self.passages = [draw.integers(23, length).tolist() for length in lengths]
        self.question = draw.integers(23, 4).tolist()
        self.order = torch.tensor(sorted(range(len(self.lengths)), key=lambda n: self.lengths[n]))
        texts = [self.question, *self.passages]
        T = max(map(len, texts))
        is_real = torch.arange(T) < torch.tensor([[len(text)] for text in texts])
        with torch.no_grad():
            hidden = model(torch.tensor([text + [0] * (T - len(text)) for text in texts]), is_real)
        self.padded = hidden.mean(1)
        self.vectors = (hidden * is_real[..., None]).sum(1) / is_real.sum(1, keepdim=True)

    def scores(self, vectors: Tensor | None = None) -> Tensor:
        """The specification: the cosine of each passage with the question."""
        vectors = self.vectors if vectors is None else vectors
        return F.cosine_similarity(vectors[1:], vectors[:1], dim=-1)


WAYS = (
    (
        lambda x: x.scores()[x.order][x.order],
        "The scores are still put back in a wrong order. The score at place n belongs to the passage order[n]: so that "
        "is where it goes, and not where it is taken from.",
    ),
    (
        lambda x: x.scores()[x.order],
        "The scores stand in the order from the shortest passage to the longest; wanted: as given.",
    ),
    (
        lambda x: x.scores()[x.order].flip(0),
        "The scores stand in the order from the longest passage to the shortest; wanted: as given.",
    ),
    (lambda x: x.scores().sort().values, "The scores are sorted; wanted: in the order of the passages."),
    (lambda x: x.scores().sort().values.flip(0), "The scores are sorted; wanted: in the order of the passages."),
    (lambda x: x.scores().flip(0), "The scores stand in the opposite order."),
    (lambda x: x.scores(x.padded), "The order is right, but now padding is counted in the mean."),
    (lambda x: x.vectors[1:] @ x.vectors[0], "The order is right, but these are products now, not cosines."),
)


def any_order(repaired) -> None:
    for lengths in ((11, 3, 6, 9), (5, 12, 8, 3, 10)):
        model = fresh()
        while True:
            case = Search(model, draw.shuffled(lengths))
            made = [case.scores(), *(way(case) for way, _ in WAYS)]
            if not any(close(*pair, 1e-4) for pair in combinations(made, 2)):
                break
        is_right(repaired, case, ([list(passage) for passage in case.passages], list(case.question)))


def is_right(repaired, case: Search, given: tuple) -> None:
    got = expect_tensor(repaired(case.model, *given), "what repaired() gives", (len(case.passages),))
    if close(got, case.scores(), 1e-4):
        return
    unchanged(case, given)  # lists in another order explain what came back
    told = next((words for way, words in WAYS if close(got, way(case), 1e-4)), "")
    if not told:
        told = difference(got, case.scores(), "the scores") + " Change nothing but how the scores come back into order."
    raise Wrong(f"With passages of {case.lengths} ids: {told}")


def unchanged(case: Search, given: tuple) -> None:
    if given != (case.passages, case.question):
        raise Wrong("repaired() changed the lists it was given, or their order: build new ones.")
