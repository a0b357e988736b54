"""Lesson 16: labels that wrong ways to make them give: which tokens count, which way they move, what marks the rest."""

from collections.abc import Callable
from itertools import product

import torch
from torch import Tensor

from .dialogues import IGNORED, Case, Token


def answers(case: Case, b: int) -> list[int]:
    """The numbers of the messages that are answers."""
    return [n for n, message in enumerate(case.messages[b]) if message.role == "assistant"]


def is_text(token: Token) -> bool:
    return token.kind in ("text", "end")


def learnt(extra=lambda token: False, less=lambda token: False):
    """What is right, and more, or less."""
    return lambda case, b, token: (token.is_learnt and not less(token)) or extra(token)


def by_number(chosen: Callable):
    """Only those answers that chosen(numbers of all answers) names."""
    return lambda case, b, token: token.is_learnt and token.message in chosen(answers(case, b))


def from_answer(which: int, padding: bool):
    """Everything from an answer's own ids on, whoever's it is."""

    def keep(case: Case, b: int, token: Token) -> bool:
        numbers = answers(case, b)
        if not numbers or token.kind == "pad":
            return padding and token.kind == "pad" and bool(numbers)
        n = numbers[which]
        return token.message > n or (token.message == n and token.kind != "start")

    return keep


def behind_a_question(case: Case, b: int, token: Token) -> bool:
    """Learnt from, and the message before it is a user's."""
    return token.is_learnt and token.message > 0 and case.messages[b][token.message - 1].role == "user"


def but_for_the_last_end(case: Case, b: int, token: Token) -> bool:
    return token.is_learnt and (token.kind == "text" or token.message < len(case.messages[b]) - 1)


def end_hidden(token: Token) -> bool:
    return token.kind == "end"


PADDED = "Padding is learnt from as well"
SILENT = "a model that is never shown the end of an answer never stops"
# (case, b, token) -> does it count, words, misconception
KEEP = (
    (learnt(), "", None),
    (lambda case, b, token: False, "Nothing is learnt from at all: every label is ignored", None),
    (lambda case, b, token: token.kind != "pad", "Everything is learnt from: the questions too", None),
    (
        lambda case, b, token: is_text(token),
        "All messages are learnt from, the questions too; only the answers are to be",
        None,
    ),
    (
        lambda case, b, token: token.kind == "text",
        "The ids of all messages are learnt from, the questions too, and no end; wanted: the answers and their ends",
        None,
    ),
    (
        learnt(lambda token: token.role == "assistant" and token.kind == "start"),
        "The start of an answer is learnt from as well: whoever asks the model writes that",
        None,
    ),
    (
        learnt(lambda token: token.kind == "start"),
        "The start of every message is learnt from as well: whoever asks the model writes those",
        None,
    ),
    (learnt(less=end_hidden), f"The end behind an answer is not learnt from; {SILENT}", None),
    (
        lambda case, b, token: token.is_learnt and (token.kind == "text" or token.message == len(case.messages[b]) - 1),
        f"Only the end of the whole dialogue is learnt, not the end of each answer; {SILENT}",
        None,
    ),
    (
        lambda case, b, token: token.role == "assistant" and token.kind in ("start", "text"),
        f"The start of an answer is learnt from, and its end is not; {SILENT}",
        None,
    ),
    (
        lambda case, b, token: token.is_learnt and not (token.kind == "end" and token.id == case.pad),
        f"Where pad and end are the same id, the end behind an answer is taken for padding; {SILENT}. Go by the "
        "places, not by the id",
        None,
    ),
    (
        lambda case, b, token: token.role == "user" and is_text(token),
        "The questions are learnt from, and the answers are not",
        None,
    ),
    (
        lambda case, b, token: token.role not in ("assistant", "") and is_text(token),
        "All messages but the answers are learnt from; wanted: the answers",
        None,
    ),
    (
        lambda case, b, token: token.role in ("assistant", "system") and is_text(token),
        "The system's message is learnt from as well; wanted: the assistant's alone",
        None,
    ),
    (
        lambda case, b, token: token.role in ("assistant", "user") and is_text(token),
        "The questions are learnt from as well; wanted: the answers alone",
        None,
    ),
    (
        learnt(lambda token: token.kind == "end"),
        "The end of every message is learnt from; wanted: that of the answers alone",
        None,
    ),
    (by_number(lambda numbers: numbers[-1:]), "Only the last answer is learnt from; wanted: all of them", None),
    (by_number(lambda numbers: numbers[:1]), "Only the first answer is learnt from; wanted: all of them", None),
    (by_number(lambda numbers: numbers[1:]), "The first answer is not learnt from; wanted: all of them", None),
    (
        by_number(lambda numbers: [n for n in numbers if n]),
        "An answer that begins the dialogue is not learnt from; wanted: all of them",
        None,
    ),
    (
        behind_a_question,
        "Only an answer right behind a question is learnt from; wanted: all of them",
        None,
    ),
    (
        lambda case, b, token: is_text(token) and token.message == len(case.messages[b]) - 1,
        "The last message is taken for the answer, whoever's it is. Ask for its role",
        None,
    ),
    (
        lambda case, b, token: is_text(token) and token.message % 2 == 1,
        "Every second message is taken for an answer. Roles come in any order: ask for the role",
        None,
    ),
    (
        but_for_the_last_end,
        f"The end of an answer that ends the dialogue is not learnt from; {SILENT}",
        None,
    ),
    (from_answer(0, False), "All that follows the first answer is learnt from, later questions too", None),
    (from_answer(0, True), "All that follows the first answer is learnt from, later questions and padding too", "M42"),
    (from_answer(-1, False), "From the last answer on, everything is learnt from, and the other answers are not", None),
    (from_answer(-1, True), f"From the last answer on, everything is learnt from. {PADDED}", "M42"),
    (lambda case, b, token: True, "Everything is learnt from, the questions and the padding too", "M42"),
    (learnt(lambda token: token.kind == "pad"), PADDED, "M42"),
    (learnt(less=lambda token: token.first), "The first id of each answer is not learnt from", None),
    (learnt(less=lambda token: token.last), "The last id of each answer is not learnt from", None),
    (
        learnt(less=lambda token: token.last or token.kind == "end"),
        f"The last id of each answer and its end are not learnt from; {SILENT}",
        None,
    ),
    (learnt(less=lambda token: token.kind == "text"), "Only the ends are learnt from, not the answers", None),
)
READ = "At place t stands the id that the model has just read there, not the one that comes next"
# where the label at t comes from, which token decides whether it counts, both counted from t, and words
MOVE = (
    (1, 1, ""),
    (0, 0, f"{READ}. (Some libraries move the labels themselves; nobody does so here.)"),
    (-1, -1, "The labels are moved the wrong way: at place t stands the id of place t - 1"),
    (2, 2, "The labels are moved twice: at place t stands the id of place t + 2"),
    (
        1,
        0,
        "Whether a label counts is looked up at place t, and the id at place t + 1: an answer's first id is lost, and "
        "what follows its end is learnt",
    ),
    (0, 1, f"{READ}. Whether a label counts is looked up at place t + 1"),
)
FILL = (
    (lambda case: IGNORED, ""),
    (lambda case: 0, "What is not learnt from is marked with 0, which is an id; wanted: -100"),
    (lambda case: case.pad, "What is not learnt from is marked with `pad`, which is an id; wanted: -100"),
    (lambda case: case.end, "What is not learnt from is marked with `end`, which is an id; wanted: -100"),
    (lambda case: -1, "What is not learnt from is marked with -1; wanted: -100, which F.cross_entropy leaves out"),
    (lambda case: 100, "What is not learnt from is marked with 100; wanted: -100, with its sign"),
)
# As they are made with one fault, then with two.
WAYS = sorted(
    product(KEEP, MOVE, FILL, (False, True)),
    key=lambda way: sum(map(bool, (way[0][1], way[1][2], way[2][1], way[3]))),
)
ROUND = "torch.roll brings the first id of a row round to its end, where nothing follows"


def fits(got: Tensor, case: Case, keep, id_from: int, counts_from: int, fill: int, wraps: bool) -> bool:
    """Whether these labels are what a way makes; wraps: the last ones come from the beginning of the row."""
    for b, row in enumerate(got.tolist()):
        tokens = case.tokens(b)
        for t, label in enumerate(row):
            at, judged = t + id_from, t + counts_from
            inside = 0 <= at < case.T and 0 <= judged < case.T
            counts = (inside or wraps) and keep(case, b, tokens[judged % case.T])
            if label != (tokens[at % case.T].id if counts else fill):
                return False
    return True


def told(given: list[Tensor], cases: list[Case]) -> tuple[str, str | None]:
    """The words of the first way that gives these labels in all cases, and its misconception."""
    for (keep, which, misconception), (id_from, counts_from, way), (fill, mark), wraps in WAYS:
        if all(
            fits(got, case, keep, id_from, counts_from, fill(case), wraps)
            for got, case in zip(given, cases, strict=True)
        ):
            said = [words for words in (way, which, mark, ROUND * wraps) if words]
            return " ".join(
                words.removesuffix(".") + "." if words[-1] != ")" else words for words in said
            ), misconception
    if all(
        torch.equal(*(one[case.is_text(1)] for one in (got, case.labels())))
        and torch.equal(*(one[~case.is_text()] for one in (got, case.labels())))
        for got, case in zip(given, cases, strict=True)
    ):
        return "Behind the last id of a text nothing is to be learnt: its label is -100.", None
    if all(
        torch.equal(*(one[case.is_text()] for one in (got, case.labels())))
        for got, case in zip(given, cases, strict=True)
    ):
        return (
            "Where there is nothing but padding, all labels are -100: fill up the rows of the labels with that.",
            None,
        )
    return "", None
