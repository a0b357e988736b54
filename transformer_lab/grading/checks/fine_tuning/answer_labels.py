"""Lesson 16: the checks of what a model that is to answer learns from: the answers, and where they end."""

import copy

import torch
from torch import Tensor

from ...checking import Wrong, check
from ..common import settled
from .dialogues import Case
from .label_faults import told

ONE = (("user", "assistant"),), (("system", "user", "assistant"),), (("user", "assistant", "user"),)
SEVERAL = (
    (("system", "user", "assistant", "user", "assistant"),),
    (("user", "assistant", "user", "assistant", "user"),),
    (("assistant", "user", "assistant"),),
    (("user", "assistant", "assistant"),),
)
BATCH = (("user", "assistant"), ("system", "user", "assistant", "user", "assistant"), ("user",), ("assistant", "user"))


class answer_labels:
    answers = ("answer_labels(dialogues, start, end, pad)",)

    @check("the ids", 1)
    def texts(answer_labels):
        ids_of(answer_labels)

    @check("the labels of one answer", 2)
    def one(answer_labels):
        first_labels(answer_labels)

    @check("the labels of several answers", 1.5)
    def several(answer_labels):
        settled(lambda: first_labels(answer_labels), "The labels of one answer are")
        all_labels(answer_labels)

    @check("the labels of a batch", 1.5)
    def batch(answer_labels):
        settled(lambda: all_labels(answer_labels), "The labels of several answers are")
        cases = [Case(BATCH, pad_is_end=True), Case(BATCH), Case(BATCH[::-1], pad_is_end=True), Case((("user",),))]
        for case in cases:
            before = copy.deepcopy(case.given())
            given = case.given()
            answer_labels(*given)
            if given != before:
                raise Wrong("answer_labels() changed what it was given: build new lists, and write into those.")
        judge(answer_labels, cases)


def first_labels(answer_labels) -> None:
    settled(lambda: ids_of(answer_labels), "The ids are")
    judge(answer_labels, [Case(roles) for roles in ONE])


def all_labels(answer_labels) -> None:
    judge(answer_labels, [Case(roles) for roles in SEVERAL])


def pair(answer_labels, case: Case) -> tuple[Tensor, Tensor]:
    """The answer's ids and labels, if they are two tensors of that size."""
    got = answer_labels(*case.given())
    if not isinstance(got, (tuple, list)) or len(got) != 2:
        seen = f"{len(got)} things" if isinstance(got, (tuple, list)) else f"one thing, of type {type(got).__name__}"
        raise Wrong(f"answer_labels() gives {seen}; wanted two tensors, ids and labels.")
    for name, one in zip(("ids", "labels"), got, strict=True):
        if not isinstance(one, Tensor):
            raise Wrong(f"The {name} are of type {type(one).__name__}; wanted a tensor.")
        wanted = (len(case.dialogues), case.T)
        if tuple(one.shape) != wanted:
            raise Wrong(f"The {name} have shape {tuple(one.shape)}; wanted {wanted}.{size_hint(name, one, case)}")
        if one.dtype != torch.int64:
            raise Wrong(
                f"The {name} are {one.dtype}; wanted torch.int64, as F.cross_entropy and nn.Embedding want them."
            )
    return tuple(got)


def size_hint(name: str, got: Tensor, case: Case) -> str:
    n, T, messages = len(case.dialogues), case.T, [len(dialogue) for dialogue in case.dialogues]
    if got.ndim == 1 and n == 1 and len(got) == T:
        return " A single dialogue is a batch of one."
    if name == "labels" and tuple(got.shape) == (n, T - 1):
        return " The last column stays: nothing follows it, so it is -100."
    if got.ndim == 2 and n > 1 and got.shape[1] == min(map(len, case.rows)) < T:
        return " The rows are cut to the shortest; wanted: all of them filled up to the longest."
    if n > 1 or got.ndim != 2:
        return ""
    missing = T - got.shape[1]
    if missing == -1:
        return " That is one too many: nothing stands before the first message, and one end behind the last."
    if missing == 2 * messages[0]:
        return " The template is missing: a start before each message, and an end behind it."
    if missing == messages[0]:
        return " Each message has its start before it and its end behind it: one of them is missing."
    if missing > 0 and missing == sum(len(one.ids) + 2 for one in case.messages[0] if one.role == "system"):
        return " The system's message is missing: it is written by the template like the others."
    if missing > 0 and missing == sum(message.role != "assistant" for message in case.messages[0]):
        return " The end stands behind every message, not only behind the answers."
    return ""


def ids_of(answer_labels) -> None:
    """The ids alone: of single dialogues, and of a batch."""
    for case in (Case(ONE[1]), Case(SEVERAL[1]), Case(BATCH), Case(BATCH, pad_is_end=True)):
        got, labels = pair(answer_labels, case)
        wanted = case.ids()
        if torch.equal(got, wanted):
            continue
        if torch.equal(labels, wanted):
            raise Wrong("The ids stand where the labels belong: the ids come first.")
        b = int((got != wanted).any(1).nonzero()[0])
        t = int((got[b] != wanted[b]).nonzero()[0])
        one, right = got[b].tolist(), wanted[b].tolist()
        raise Wrong(f"{case.said(b)} the id at place {t} is {one[t]}; wanted {right[t]}.{id_hint(one, right, t, case)}")


def id_hint(one: list[int], right: list[int], t: int, case: Case) -> str:
    n = len(right) - right[::-1].index(case.end) if not case.pad_is_end else 0
    if n and one == right[n:] + right[:n]:
        return " The padding stands in front; wanted: behind."
    if case.pad not in (one[t],) and right[t] == case.pad:
        return f" That is padding, which has the id {case.pad} here (`pad`)."
    if one[t] == -100:
        return " -100 belongs into the labels; the ids stay as they are."
    if right[t] == case.end:
        return " There stands the end of a message."
    if right[t] in case.start.values():
        return " There stands the start of a message, which says whose it is: start[role]."
    return ""


def judge(answer_labels, cases: list[Case]) -> None:
    given = [pair(answer_labels, case)[1] for case in cases]
    for case, got in zip(cases, given, strict=True):
        wanted = case.labels()
        if torch.equal(got, wanted):
            continue
        words, misconception = told(given, cases)
        b, t = (got != wanted).nonzero()[0].tolist()
        place = f"{case.said(b)} at place {t}, where {case.described(b, t)} stands, the label is {int(got[b, t])}; "
        raise Wrong(f"{place}wanted {case.why(b, t)}. {words}".strip(), misconception)
