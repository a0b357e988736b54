"""Lesson 15: the checks of what each word of a text costs when it is hidden."""

from torch import Tensor

from ...checking import Wrong, check
from ..common import close, difference, expect_tensor, settled
from .cost_faults import FAULTS, Hidden


class word_costs:
    answers = ("word_costs(model, ids, words, mask)",)

    @check("words of a single token", 2)
    def single(word_costs):
        singles(word_costs)

    @check("words of several tokens", 2)
    def several(word_costs):
        settled(lambda: singles(word_costs), "Words of a single token are")
        cases = Hidden((1, 3, 2, 1)), Hidden((2, 4, 2)), Hidden((3,)), Hidden((1, 2, 1, 3, 1), (2, 1))
        judge(word_costs, *cases, Hidden((2, 1, 3), (0, 0)))

    @check("a token of hardly any probability", 0.5)
    def improbable(word_costs):
        settled(lambda: singles(word_costs), "Words of a single token are")
        far_off(word_costs)

    @check("the model is asked once, and the lists stay as they are", 0.5)
    def once(word_costs):
        settled(lambda: singles(word_costs), "Words of a single token are")
        case = Hidden((1, 3, 2, 1))
        ids, words = list(case.ids), list(case.words)
        word_costs(case.model, ids, words, case.mask)
        if ids != case.ids or words != case.words:
            raise Wrong("word_costs() changed the lists it was given: build new ones.")
        if len(case.batches) != 1:
            raise Wrong(
                f"For a text of 4 words the model was asked {len(case.batches)} times; wanted: once, with a row for "
                "each word."
            )
        if len(case.batches[0]) != 4:
            raise Wrong(
                f"For a text of 4 words the batch had {len(case.batches[0])} rows; wanted 4, one for each word."
            )


def singles(word_costs) -> None:
    judge(word_costs, Hidden((1, 1, 1, 1)), Hidden((1, 1, 1, 1, 1, 1), (2, 1)), Hidden((1,)))


def far_off(word_costs) -> None:
    while (case := Hidden((1, 1, 1), loud=True)).wanted()[0] < 120:
        pass
    got, wanted = asked(word_costs, case), case.wanted()
    if not got.isfinite().all():
        raise Wrong(
            f"A word whose probability is e^-{float(wanted.max()):.0f} costs {float(got[~got.isfinite()][0]):g} here. "
            "In 32 bits that probability is 0, and its logarithm infinite. Take log_softmax of the logits, and no "
            "logarithm of a probability."
        )
    if not close(got, wanted, 1e-4):
        worst = int((got.double() - wanted).abs().argmax())
        raise Wrong(
            f"A word whose probability is e^-{float(wanted[worst]):.0f} costs {float(got[worst]):.4g} here; wanted "
            f"{float(wanted[worst]):.4g}. Take log_softmax of the logits, and add nothing, clamp nothing."
        )


def judge(word_costs, *cases: Hidden) -> None:
    answers = [asked(word_costs, case) for case in cases]
    for case, got in zip(cases, answers, strict=True):
        wanted = case.wanted()
        if close(got, wanted):
            continue
        told = [words for formula, *words in FAULTS if all(map(fits(formula), answers, cases))]
        called = f"A text whose words have {case.lengths} tokens: "
        if told:
            raise Wrong(called + told[0][0], *told[0][1:])
        raise Wrong(called + (case.misread() or difference(got, wanted, "the result") + LOOK))


LOOK = (
    " A word's cost is made of its own tokens only, each looked up in the row of its own place, while all of them are "
    "hidden."
)


def fits(formula):
    def fit(got: Tensor, case: Hidden) -> bool:
        return close(got, formula(case))

    return fit


def asked(word_costs, case: Hidden) -> Tensor:
    got = word_costs(case.model, list(case.ids), list(case.words), case.mask)
    if not case.batches:
        raise Wrong("The model was never asked: the probabilities come from it.")
    n, T = len(case.lengths), len(case.ids)
    if isinstance(got, Tensor) and got.ndim == 1 and n != len(got) in (T, sum(case.lengths)):
        raise Wrong(
            f"A text whose words have {case.lengths} tokens, {T} ids in all: {len(got)} numbers came back, one for "
            "each token; wanted one for each word."
        )
    if isinstance(got, Tensor) and got.ndim == 1 and len(got) in (n - 1, n + 1):
        raise Wrong(
            f"A text whose words have {case.lengths} tokens, and {sum(case.ends)} tokens of no word: {len(got)} "
            f"numbers came back; wanted {n}, one for each word. Words are numbered from 0, and None is no word."
        )
    return expect_tensor(got, "the result", (n,))
