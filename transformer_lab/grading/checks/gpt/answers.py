"""Lesson 14: the checks of what a model thinks of several answers to one prompt."""

import math

import torch
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import close, difference, expect_tensor, settled

D = 9


class answers:
    answers = ("answers(model, prompt, choices, pad)",)

    @check("answers of a single token", 1.5)
    def single(answers):
        singles(answers)

    @check("longer answers, all of one length", 1.5)
    def longer(answers):
        longer_ones(answers)

    @check("answers of unequal lengths", 2)
    def unequal(answers):
        settled(lambda: longer_ones(answers), "Answers of one length are")
        judge(answers, Case((3, 1, 5)), Case((1, 4, 2, 2), 3), Case((6, 2)))
        improbable_ones(answers)

    @check("the model is asked once, and the lists stay as they are", 1)
    def once(answers):
        settled(lambda: longer_ones(answers), "Answers of one length are")
        case = Case((2, 4, 1))
        prompt, choices = list(case.prompt), [list(choice) for choice in case.choices]
        answers(case.model, prompt, choices, case.pad)
        if case.n_calls != 1:
            raise Wrong(f"For 3 answers the model was asked {case.n_calls} times; wanted: once, with a row for each.")
        if prompt != case.prompt or choices != case.choices:
            raise Wrong("answers() changed the lists it was given: build new ones.")


class Case:
    """A causal model, a prompt, and answers of these lengths; the padding's id stands in prompt and answers too."""

    def __init__(self, lengths: tuple[int, ...], n_prompt: int = 0, loud: float = 1.0, dtype=torch.float64):
        self.V, self.lengths = draw.one_of(13, 17), lengths
        self.pad = draw.one_of(0, 3, 5)
        self.embedding = draw.standard(self.V, D, dtype=torch.float64)
        self.inner = 0.8 * draw.standard(D, D, dtype=torch.float64)
        self.outer = loud * draw.standard(D, self.V, dtype=torch.float64)
        self.dtype = dtype
        n = n_prompt or draw.one_of(4, 5)
        self.prompt = [self.pad, *self.drawn(n - 1)]
        self.choices = [self.drawn(length) for length in lengths]
        self.choices[0][-1] = self.pad  # a real token of its answer
        self.n_calls = 0

    def drawn(self, n: int) -> list[int]:
        return draw.integers(self.V, n).tolist()

    def model(self, ids) -> Tensor:
        """Logits (B, T, V); each row has read what stands up to there."""
        if not isinstance(ids, Tensor) or ids.ndim != 2 or ids.dtype != torch.int64:
            what = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"{kind_of(ids)}"
            raise Wrong(f"The model was given {what}; wanted ids (B, T), a tensor of torch.int64.")
        if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < self.V):
            raise Wrong(f"The model was given the id {int(ids.min())}, or one above its vocabulary: pad with `pad`.")
        self.n_calls += 1
        return self.logits(ids).to(self.dtype)

    def logits(self, ids: Tensor) -> Tensor:
        state, found = torch.zeros(len(ids), D, dtype=torch.float64), []
        for column in ids.unbind(1):
            state = torch.tanh(state @ self.inner + self.embedding[column])
            found.append(state @ self.outer)
        return torch.stack(found, 1)

    def of_tokens(self, row: int, softmax=torch.log_softmax, tokens=None) -> Tensor:
        """Of every token of a row but the first, its log-probability after those before it."""
        ids = torch.tensor([self.prompt + (self.choices[row] if tokens is None else tokens)])
        return softmax(self.logits(ids)[0, :-1], -1).gather(1, ids[0, 1:, None])[:, 0]

    def each(self, of) -> Tensor:
        return torch.stack([torch.as_tensor(of(row), dtype=torch.float64) for row in range(len(self.choices))])

    def own(self, row: int) -> Tensor:
        """The log-probabilities of an answer's own tokens."""
        return self.of_tokens(row)[len(self.prompt) - 1 :]

    def padded(self, row: int) -> list[int]:
        return self.choices[row] + [self.pad] * (max(self.lengths) - len(self.choices[row]))

    def shifted(self, row: int) -> Tensor:
        """Each token's logit in the row that has read it, which says what comes after it."""
        ids = torch.tensor([self.prompt + self.choices[row]])
        found = self.logits(ids)[0].log_softmax(-1).gather(1, ids[0, :, None])[:, 0]
        return found[len(self.prompt) :].sum()

    def one_early(self, row: int) -> Tensor:
        ids = torch.tensor([self.prompt + self.choices[row]])
        n = len(self.prompt)
        return self.logits(ids)[0, n - 2 : -2].log_softmax(-1).gather(1, ids[0, n:, None]).sum()

    def left(self, row: int) -> Tensor:
        """With padding in front of the prompt, which this model reads."""
        n = max(self.lengths) - len(self.choices[row])
        ids = torch.tensor([[self.pad] * n + self.prompt + self.choices[row]])
        found = self.logits(ids)[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        return found[n + len(self.prompt) - 1 :].sum()

    def last_rows(self, row: int) -> Tensor:
        """The last rows of the padded batch, as if all answers were as long as this one."""
        ids = torch.tensor([self.prompt + self.padded(row)])
        n = len(self.choices[row])
        return self.logits(ids)[0, -n - 1 : -1].log_softmax(-1).gather(1, ids[0, -n:, None]).sum()

    def between(self, row: int) -> Tensor:
        """With padding between the prompt and its answer."""
        n = max(self.lengths) - len(self.choices[row])
        ids = torch.tensor([self.prompt + [self.pad] * n + self.choices[row]])
        found = self.logits(ids)[0, :-1].log_softmax(-1).gather(1, ids[0, 1:, None])[:, 0]
        return found[n + len(self.prompt) - 1 :].sum()

    def without_last_pads(self, row: int) -> Tensor:
        own = [i for i, token in enumerate(self.choices[row]) if token != self.pad]
        return self.own(row)[: max(own, default=-1) + 1].sum()

    def without_pad(self, row: int) -> Tensor:
        kept = torch.tensor(self.choices[row]) != self.pad
        return self.own(row)[kept].sum()


def raw(logits: Tensor, dim: int) -> Tensor:
    return logits


def along_the_text(logits: Tensor, dim: int) -> Tensor:
    return logits.log_softmax(0)


ROWS = "The row that has read the token *before* it says how probable a token is."
OWN = "Only the answer's own tokens count: all of them are compared after the same prompt."
LENGTHS = "A token of an answer may have the padding's id, and counts all the same: go by the answers' lengths."
# (formula of a case, words)
FAULTS = (
    (
        lambda c: c.each(lambda b: -c.own(b).sum()),
        "The sign is turned: these are nats; a log-probability is at most 0.",
    ),
    (lambda c: c.each(lambda b: c.own(b).sum()).exp(), "These are probabilities; wanted: their logarithms."),
    (
        lambda c: c.each(lambda b: c.own(b).sum()).softmax(0),
        "These add up to 1 over the answers; wanted: log-probabilities.",
    ),
    (
        lambda c: c.each(lambda b: c.own(b).sum()).log_softmax(0),
        "The answers share all probability among themselves; wanted: what the model says, of *all* that could follow.",
    ),
    (
        lambda c: c.each(lambda b: c.own(b).mean()),
        "This is the mean per token; wanted: the sum over the answer's tokens.",
    ),
    (
        lambda c: c.each(lambda b: c.own(b).sum()) / math.log(2),
        "These are bits, logarithms to the base 2; wanted: nats.",
    ),
    (lambda c: c.each(lambda b: c.own(b).exp().sum()), "Probabilities are added; add their logarithms."),
    (
        lambda c: c.each(lambda b: c.of_tokens(b).sum()),
        "The prompt's own tokens are counted as well. " + OWN,
    ),
    (
        lambda c: c.each(lambda b: c.of_tokens(b)[len(c.prompt) - 2 :].sum()),
        "The prompt's last token is counted as well. " + OWN,
    ),
    (lambda c: c.each(lambda b: c.of_tokens(b).mean()), "This is the mean over prompt and answer. " + OWN),
    (
        lambda c: c.each(lambda b: c.of_tokens(b, raw)[len(c.prompt) - 1 :].sum()),
        "These are sums of logits. They become log-probabilities by log_softmax over the vocabulary.",
    ),
    (
        lambda c: c.each(lambda b: c.of_tokens(b, torch.softmax)[len(c.prompt) - 1 :].sum()),
        "Probabilities are added; add their logarithms.",
    ),
    (
        lambda c: c.each(lambda b: c.of_tokens(b, along_the_text)[len(c.prompt) - 1 :].sum()),
        "The softmax runs along the text; wanted: over the vocabulary, the last axis.",
    ),
    (lambda c: c.each(c.shifted), "Each token is looked up in the row that has read *it*. " + ROWS),
    (lambda c: c.each(c.one_early), "Each token is looked up one row too early. " + ROWS),
    (
        lambda c: c.each(lambda b: c.own(b)[1:].sum()),
        "The first token of each answer is missing: the row that says how probable it is belongs to the prompt's last "
        "token.",
    ),
    (lambda c: c.each(lambda b: c.own(b)[:-1].sum()), "The last token of each answer is missing."),
    (lambda c: c.each(lambda b: c.own(b)[0]), "Only the first token of each answer counts; wanted: all of them."),
    (lambda c: c.each(lambda b: c.own(b)[-1]), "Only the last token of each answer counts; wanted: all of them."),
    (
        lambda c: c.each(lambda b: c.own(b)[: min(c.lengths)].sum()),
        "Answers were cut to the length of the shortest: pad the others instead.",
    ),
    (
        lambda c: c.each(lambda b: c.of_tokens(b, tokens=c.padded(b))[len(c.prompt) - 1 :].sum()),
        "Padding is counted as if it belonged to the answer.",
    ),
    (lambda c: c.each(c.without_pad), LENGTHS),
    (lambda c: c.each(c.without_last_pads), LENGTHS),
    (
        lambda c: c.each(c.between),
        "Padding stands between the prompt and a shorter answer, and is read before it. Put it after the answers.",
    ),
    (
        lambda c: c.each(c.left),
        "Padding stands in front of the prompt, and nobody tells this model to overlook it. Put it after the "
        "answers: what has been read before is not moved by it.",
    ),
    (
        lambda c: c.each(c.last_rows),
        "The last rows of the batch are taken for every answer; where an answer is shorter, they belong to its "
        "padding.",
    ),
)
LOOK = "Wanted: of each answer, the sum of log P(token | prompt, the answer's tokens before it)."


def singles(answers) -> None:
    judge(answers, Case((1, 1, 1)), Case((1, 1, 1, 1), 3))


def longer_ones(answers) -> None:
    judge(answers, Case((3, 3, 3)), Case((4, 4), 3), Case((2,) * 5))


def improbable_ones(answers) -> None:
    """Of a model that is sure of other tokens, in 32 bits: each token's probability is too small for them."""
    case = Case((3, 1, 5), loud=40.0, dtype=torch.float32)
    got = answers(case.model, list(case.prompt), [list(choice) for choice in case.choices], case.pad)
    got = expect_tensor(got, "answers(...)", (len(case.lengths),))
    wanted = case.each(lambda b: case.own(b).sum())
    if (got < 2 * wanted.min()).any():  # -inf, or the logarithm of a tiny number that was put in place of 0
        row = int(got.argmin())
        raise Wrong(
            f"Of an answer whose log-probability is {float(wanted[row]):.4g} the function makes {float(got[row]):.4g}. "
            "So small a probability is 0 in 32 bits. Take logarithms at once (log_softmax), and add them up."
        )
    if not close(got, wanted, 1e-3):
        raise Wrong(f"Of answers that are very improbable: {difference(got, wanted, 'the result')} {LOOK}")


def judge(answers, *cases: Case) -> None:
    given = []
    for case in cases:
        got = answers(case.model, list(case.prompt), [list(choice) for choice in case.choices], case.pad)
        if isinstance(got, (list, tuple)) and all(isinstance(one, (int, float)) for one in got):
            raise Wrong(f"answers() gives {kind_of(got)}; wanted a tensor, ({len(case.lengths)},).")
        given.append(expect_tensor(got, "answers(...)", (len(case.lengths),)))
        if not case.n_calls:
            raise Wrong("The model was never asked.")
    if not any(got.any() for got in given):
        raise Wrong(f"All are 0, as if every answer were certain: no token of the answers is counted. {ROWS}")
    for case, got in zip(cases, given, strict=True):
        wanted = case.each(lambda b, case=case: case.own(b).sum())
        if close(got, wanted):
            continue
        for formula, words in FAULTS:
            if all(close(one, formula(other)) for one, other in zip(given, cases, strict=True)):
                raise Wrong(words)
        lengths = ", ".join(map(str, case.lengths))
        raise Wrong(
            f"A prompt of {len(case.prompt)} ids, answers of {lengths}: {difference(got, wanted, 'the result')} {LOOK}"
        )
