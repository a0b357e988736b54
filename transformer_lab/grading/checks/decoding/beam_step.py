"""Lesson 12: the checks of one step of a beam search."""

import torch
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, close, leaves_alone
from .steps import FAULTS, INF, Step, paying, right, thrown_away

SIZES = (3, 7), (4, 9), (3, 8)  # beams, tokens
FEW_TOKENS = (5, 4)
NAMES = "totals", "beams", "tokens", "ended"


class beam_step:
    answers = ("beam_step(totals, ended, log_probs, eos)",)

    @check("one text, no beam has ended yet", 2)
    def open(beam_step):
        judge(beam_step, [case(1, 0) for _ in range(3)])

    @check("one text, a beam has ended", 2)
    def ended(beam_step):
        cases = [case(1, 1)]
        while len(cases) < 4 or all(map(same, *([way(*one) for one in cases] for way in (paying, thrown_away)))):
            cases.append(case(1, 1))  # until a beam that pays for eos is not as good as thrown away in each
        judge(beam_step, cases)

    @check("several texts, and a first step", 1.5)
    def batch(beam_step):
        judge(beam_step, [case(2, 1), case(5, 1), first_step(), case(3, 1, FEW_TOKENS), long_and_silent()])

    @check("what it was given stays as it was", 0.5)
    def alone(beam_step):
        totals, ended, log_probs, eos = case(2, 1)
        leaves_alone(
            lambda totals, ended, log_probs: beam_step(totals, ended, log_probs, eos),
            totals=totals,
            ended=ended,
            log_probs=log_probs,
        )


def case(B: int, n_ended: int, *sizes: tuple[int, int]) -> tuple:
    """Totals, ends, log-probabilities and eos: an ended beam of each text stays, in another place than before."""
    while True:
        K, V = draw.one_of(*(sizes or SIZES))
        log_probs = (2 * draw.standard(B, K, V)).log_softmax(dim=-1)
        log_probs[:, :, int(draw.integers(V))] = -INF  # impossible
        totals = -3 - 2 * draw.uniform(B, K)
        eos = 1 + int(draw.integers(V - 1))
        ended = torch.zeros(B, K, dtype=torch.bool)
        ended[:, :n_ended] = True
        ended = ended[:, draw.permutation(K)]
        given = totals, ended, log_probs, eos
        sums, beams, _, ends = right(*given)
        clear = sums.isfinite().all() and (sums.diff().abs() > 1e-3).all()
        moved = ended.gather(1, beams) != ended
        if clear and ends.sum() > n_ended * B and (n_ended == 0 or moved.any(dim=1).all()):
            return given


def first_step() -> tuple:
    """One beam of each text is in use; the others have a total of -inf."""
    log_probs = (2 * draw.standard(2, 3, 8)).log_softmax(dim=-1)
    totals = torch.full((2, 3), -INF)
    totals[:, 0] = 0.0
    return totals, torch.zeros(2, 3, dtype=torch.bool), log_probs, 1 + int(draw.integers(7))


def long_and_silent() -> tuple:
    """Long texts, whose probability is 0 in float32; to the ended ones the model gives no eos, and no one asks it."""
    totals, ended, log_probs, eos = case(2, 1)
    log_probs[..., eos] = log_probs[..., eos].masked_fill(ended, -INF)
    return totals - 200, ended, log_probs, eos


def judge(answer, cases: list[tuple]) -> None:
    answers = [parts_of(answer(*(one.clone() for one in given[:3]), given[3]), given[0]) for given in cases]
    for given, got in zip(cases, answers, strict=True):
        wanted = right(*given)
        if same(got, wanted):
            continue
        told = (words for way, words in FAULTS if all(map(same, answers, (way(*one) for one in cases))))
        raise Wrong(next(told, None) or seen(got, wanted))


def same(got: Step, wanted: Step) -> bool:
    return close(got[0], wanted[0]) and all(map(torch.equal, got[1:], wanted[1:]))


def seen(got: Step, wanted: Step) -> str:
    """What is wrong with the first beam that is, whatever made it."""
    if not close(got[0], wanted[0]) and close(got[0].sort(dim=1, descending=True).values, wanted[0]):
        return "The right totals in another order: wanted is the best first."
    if all(map(torch.equal, got[1:], wanted[1:])):
        yours, right_total = apart(*furthest(got[0], wanted[0]))
        return (
            "The right beams, tokens and ends, but other totals. A total is the old one and the new log-probability, "
            f"added up and nothing more: {yours} should be {right_total}."
        )
    good = [(a - b).abs() < 1e-5 if a.is_floating_point() else a == b for a, b in zip(got, wanted, strict=True)]
    b, place = torch.stack(good).all(dim=0).logical_not().nonzero()[0].tolist()
    total, right_total = apart(got[0][b, place], wanted[0][b, place])
    yours, fine = ([int(one[b, place]) for one in step[1:3]] for step in (got, wanted))
    return (
        f"Of text {b}, place {place} goes on from beam {yours[0]} with token {yours[1]}, total {total}, ended: "
        f"{bool(got[3][b, place])}; wanted beam {fine[0]}, token {fine[1]}, total {right_total}, ended: "
        f"{bool(wanted[3][b, place])}."
    )


def furthest(got: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """The number that is furthest from what is wanted, and what is wanted."""
    place = (got - wanted).abs().nan_to_num(0.0).argmax()
    return got.flatten()[place], wanted.flatten()[place]


def parts_of(got, totals: Tensor) -> Step:
    """The answer's four tensors, if they are (B, K) each and of their kinds."""
    shape = tuple(totals.shape)
    if not isinstance(got, (tuple, list)) or len(got) != 4:
        what = f"{len(got)} things" if isinstance(got, (tuple, list)) else f"{kind_of(got)}"
        raise Wrong(f"beam_step() gives {what}; wanted four tensors of shape (B, K): {', '.join(NAMES)}.")
    for name, one in zip(NAMES, got, strict=True):
        if not isinstance(one, Tensor) or tuple(one.shape) != shape:
            what = f"has shape {tuple(one.shape)}" if isinstance(one, Tensor) else f"is {kind_of(one)}"
            raise Wrong(f"{name} {what}; wanted a tensor of shape {shape}: a place for each beam of each text.")
    if got[0].isnan().any():
        raise Wrong(
            "The totals hold NaN: a log-probability may be -inf, and neither 0 * -inf nor -inf + inf is a number. "
            "Choose, do not compute."
        )
    for name, one in zip(NAMES[1:3], got[1:3], strict=True):
        if one.is_floating_point() or one.dtype == torch.bool:
            raise Wrong(f"{name} are {one.dtype}; wanted whole numbers: // divides and drops the rest.")
    if got[3].dtype != torch.bool:
        raise Wrong(f"ended is {got[3].dtype}; wanted booleans.")
    return got[0], got[1].long(), got[2].long(), got[3]
