"""Lesson 15: the checks of one vector for each text, however long: the mean over its own tokens."""

from torch import Tensor

from ...checking import Wrong, check
from ..common import close, difference, expect_tensor, settled
from .vector_faults import FAULTS
from .vector_faults import Texts as Case


class text_vectors:
    answers = ("text_vectors(model, texts, window, pad)",)

    @check("texts of one length, which fit", 1)
    def fitting(text_vectors):
        alike(text_vectors)

    @check("a short text alone, beside one 3 longer, beside one 17 longer", 2)
    def padded(text_vectors):
        settled(lambda: alike(text_vectors), "Texts of one length are")
        beside_longer_ones(text_vectors)

    @check("texts longer than the window", 1.5)
    def long(text_vectors):
        settled(lambda: alike(text_vectors), "Texts of one length are")
        settled(lambda: beside_longer_ones(text_vectors), "Texts of unequal lengths that fit are")
        judge(text_vectors, Case((7 * 2 + 3, 4, 9), 7), Case((6 + 1, 6, 5 * 6 + 2, 3), 6), Case((3 * 9, 9, 11), 9))

    @check("the model is asked once, and the lists stay as they are", 0.5)
    def once(text_vectors):
        settled(lambda: alike(text_vectors), "Texts of one length are")
        for case in (Case((5, 8), 23), Case((7 * 2 + 3, 4, 9), 7)):
            given = [list(text) for text in case.texts]
            text_vectors(case.model, given, case.window, case.pad)
            if given != case.texts:
                raise Wrong("text_vectors() changed the lists it was given: build new ones.")
        if len(case.calls) != 1:
            raise Wrong(
                f"For texts of {case.lengths} ids and a window of {case.window} the model was asked {len(case.calls)} "
                "times; wanted: once, with a row for each piece of each text."
            )
        if len(case.calls[0][0]) != 6:
            raise Wrong(
                f"For texts of {case.lengths} ids and a window of {case.window} the model got a batch of "
                f"{len(case.calls[0][0])} rows; wanted 6, one for each piece."
            )
        ids, is_real = case.calls[0]
        if (other := ids[~is_real & (ids != case.pad)]).numel():
            raise Wrong(f"A row is filled up with the id {int(other[0])}; wanted: `pad`, which is {case.pad} here.")


def alike(text_vectors) -> None:
    judge(text_vectors, Case((7, 7, 7), 13), Case((8,), 8), Case((1, 1), 4))


def beside_longer_ones(text_vectors) -> None:
    judge(text_vectors, Case((5,), 23), Case((5, 8), 23), Case((4, 21, 9), 23), Case((11, 1, 6), 12))


def judge(text_vectors, *cases: Case) -> None:
    answers = [asked(text_vectors, case) for case in cases]
    for case, got in zip(cases, answers, strict=True):
        wanted = case.wanted()
        if close(got, wanted):
            continue
        told = [words for formula, *words in FAULTS if all(map(fits(formula), answers, cases))]
        if told:
            raise Wrong(called(case) + told[0][0], *told[0][1:])
        if seen := case.misread():
            raise Wrong(called(case) + seen)
        raise Wrong(called(case) + difference(got, wanted, "the result") + LOOK)


LOOK = (
    " A text's vector is made of the vectors that the model gives for its own tokens: their sum, divided by how many "
    "there are."
)


def called(case: Case) -> str:
    return f"For texts of {case.lengths} ids and a window of {case.window}: "


def fits(formula):
    def fit(got: Tensor, case: Case) -> bool:
        return close(got, formula(case))

    return fit


def asked(text_vectors, case: Case) -> Tensor:
    try:
        got = text_vectors(case.model, [list(text) for text in case.texts], case.window, case.pad)
    except Exception as error:
        if not isinstance(error, Wrong) and case.calls and (seen := case.misread()):  # what came before the error
            raise Wrong(called(case) + seen) from error
        raise
    if not case.calls:
        raise Wrong("The model was never asked: the vectors come from it.")
    if isinstance(got, Tensor) and got.ndim == 2 and len(got) == len(case.pieces()) != len(case.texts):
        raise Wrong(
            f"{len(case.texts)} texts of {case.lengths} ids and a window of {case.window}: {len(got)} vectors came "
            "back, as many as there are pieces; wanted one for each text."
        )
    return expect_tensor(got, "the result", (len(case.texts), case.D))
