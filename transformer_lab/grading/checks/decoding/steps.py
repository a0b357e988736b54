"""Lesson 12: one step of a beam search as the checks know it, and the wrong ones."""

import torch
from torch import Tensor

INF = float("inf")
Step = tuple[Tensor, Tensor, Tensor, Tensor]  # totals, beams, tokens, ended: (B, K) each


def going_on(ended: Tensor, log_probs: Tensor, eos: int, price=0.0) -> Tensor:
    """log_probs (B, K, V) in which a beam that has ended goes on with eos alone, at this price."""
    only = torch.full_like(log_probs, -INF)
    only[..., eos] = torch.as_tensor(price)
    return torch.where(ended[..., None], only, log_probs)


def best(every: Tensor, eos: int) -> Step:
    """The K best of every (B, K, V)."""
    K, V = every.shape[1:]
    totals, flat = every.flatten(1).topk(K)
    return totals, flat // V, flat % V, flat % V == eos


def right(totals: Tensor, ended: Tensor, log_probs: Tensor, eos: int) -> Step:
    """The specification of beam_step."""
    return best(totals[..., None] + going_on(ended, log_probs, eos), eos)


def turned(totals, ended, log_probs, eos, divide, remain) -> Step:
    """Right, but for how the flat index is taken apart."""
    K, V = log_probs.shape[1:]
    sums, flat = (totals[..., None] + going_on(ended, log_probs, eos)).flatten(1).topk(K)
    beams, tokens = divide(flat, K, V), remain(flat, K, V)
    return sums, beams, tokens, tokens == eos


def own_best(totals, ended, log_probs, eos) -> Step:
    step, tokens = going_on(ended, log_probs, eos).max(dim=-1)
    sums, order = (totals + step).sort(dim=-1, descending=True)
    tokens = tokens.gather(1, order)
    return sums, order, tokens, tokens == eos


def own_best_in_place(totals, ended, log_probs, eos) -> Step:
    step, tokens = going_on(ended, log_probs, eos).max(dim=-1)
    beams = torch.arange(totals.shape[1]).expand_as(tokens)
    return totals + step, beams, tokens, tokens == eos


def whole_batch(totals, ended, log_probs, eos) -> Step:
    B, K, V = log_probs.shape
    sums, flat = (totals[..., None] + going_on(ended, log_probs, eos)).flatten().topk(B * K)
    flat = flat.view(B, K)
    return sums.view(B, K), flat // V, flat % V, flat % V == eos


def one_place_each(sums, beams, tokens, ends, K) -> Step:
    return sums, beams % K, tokens, ends


def by_products(totals, ended, log_probs, eos) -> Step:
    """Right where no probability is too small for a float."""
    sums, *others = best(totals[..., None].exp() * going_on(ended, log_probs, eos).exp(), eos)
    return sums.log(), *others


def ends_at(price, totals, ended, log_probs, eos) -> Step:
    """Right, but for the price of an end for those that go on."""
    step = going_on(ended, log_probs, eos).clone()
    step[..., eos] = step[..., eos].masked_fill(~ended, price)
    return best(totals[..., None] + step, eos)


def worst(totals, ended, log_probs, eos) -> Step:
    every = totals[..., None] + going_on(ended, log_probs, eos)
    _, beams, tokens, ends = best(-every, eos)
    return every.flatten(1).gather(1, beams * log_probs.shape[2] + tokens), beams, tokens, ends


def reversed_(*given) -> Step:
    totals, beams, tokens, ends = (one.flip(1) for one in right(*given))
    return totals, beams, tokens, ends


def but_ended(change):
    """Right, but for what it says of the ends: change(step, ended, eos)."""

    def way(totals, ended, log_probs, eos) -> Step:
        step = right(totals, ended, log_probs, eos)
        return *step[:3], change(step, ended, eos)

    return way


def but_totals(change):
    def way(totals, ended, log_probs, eos) -> Step:
        step = right(totals, ended, log_probs, eos)
        return change(step[0], totals.gather(1, step[1])), *step[1:]

    return way


def kept_ends(every, ended: Tensor, eos: int) -> Step:
    """The K best, where a beam that had ended still counts as ended whatever it goes on with."""
    totals, beams, tokens, ends = best(every, eos)
    return totals, beams, tokens, ends | ended.gather(1, beams)


def thrown_away(totals, ended, log_probs, eos) -> Step:
    return best((totals[..., None] + log_probs).masked_fill(ended[..., None], -INF), eos)


def paying(totals, ended, log_probs, eos) -> Step:
    return best(totals[..., None] + going_on(ended, log_probs, eos, log_probs[..., eos]), eos)


def means(of_ended_too: bool, totals, ended, log_probs, eos) -> Step:
    """The mean of the old total and the new token, in place of their sum."""
    every = totals[..., None] + going_on(ended, log_probs, eos)
    halved = torch.ones_like(ended) if of_ended_too else ~ended
    return best(torch.where(halved[..., None], every / 2, every), eos)


def log_softmax_of_all(every: Tensor) -> Tensor:
    return every.flatten(1).log_softmax(dim=-1).view_as(every)


MEANS = (
    "A mean is taken of the total so far and the new token. Totals stay sums: a length penalty divides them in the "
    "end, when whole texts are compared."
)
ON = (
    "A beam that has ended goes on like the others. It has one continuation, eos, and its total stays what it was: a "
    "text that is complete costs nothing more."
)
FREE = "An ended beam goes on with *every* token for nothing, so the same text fills several places: with eos only."
FAULTS = (  # (what is computed, words)
    (lambda t, e, lp, eos: best(t[..., None] + lp, eos), ON),
    (lambda t, e, lp, eos: kept_ends(t[..., None] + lp, e, eos), ON),
    (
        thrown_away,
        "Beams that have ended are thrown away. A complete text stays in the running, with its total, until better "
        "ones take its place.",
    ),
    (lambda t, e, lp, eos: best(t[..., None] + lp.masked_fill(e[..., None], 0.0), eos), FREE),
    (lambda t, e, lp, eos: kept_ends(t[..., None] + lp.masked_fill(e[..., None], 0.0), e, eos), FREE),
    (
        paying,
        "An ended beam goes on with eos, but pays for it: its total must stay what it was.",
    ),
    (
        lambda t, e, lp, eos: kept_ends(t[..., None] + going_on(e, lp, 0), e, eos),
        "An ended beam goes on with token 0; wanted eos.",
    ),
    (
        lambda *given: ends_at(0.0, *given),
        "eos costs nothing, whichever beam it continues: it is free for those that have ended, and for no other.",
    ),
    (
        lambda *given: ends_at(-INF, *given),
        "No beam can end any more: only the log-probabilities of those that *have* ended are to change.",
    ),
    (
        by_products,
        "Right while texts are short. Those of long ones are too improbable: exp(-200) is 0. Add the logarithms.",
    ),
    (
        lambda t, e, lp, eos: tuple(right(t, e, lp, eos)[i] for i in (0, 2, 1, 3)),
        "Right, but in another order: second come the beams, third the tokens.",
    ),
    (
        lambda t, e, lp, eos: best(going_on(e, lp, eos), eos),
        "Only the new token counts: add the total of the beam, (B, K, 1), to its log-probabilities (B, K, V).",
    ),
    (
        lambda t, e, lp, eos: best(t[..., None] * going_on(e, lp, eos), eos),
        "Totals and log-probabilities are multiplied. Probabilities multiply, their logarithms add.",
    ),
    (
        lambda t, e, lp, eos: best(t[..., None] * lp, eos),
        "Totals and log-probabilities are multiplied. Probabilities multiply, their logarithms add.",
    ),
    (
        lambda t, e, lp, eos: best(t.exp()[..., None] * going_on(e, lp, eos).exp(), eos),
        "The right beams, but the totals are probabilities: they stay logarithms, which do not underflow.",
    ),
    (
        lambda t, e, lp, eos: best(t[..., None] + going_on(e, lp, eos).exp(), eos),
        "Probabilities are added to a sum of logarithms: add the log-probabilities themselves.",
    ),
    (
        lambda t, e, lp, eos: best(t[..., None] + going_on(e, lp.exp(), eos), eos),
        "Probabilities are added to a sum of logarithms: add the log-probabilities themselves.",
    ),
    (  # not the same as exp() where a token is impossible
        lambda t, e, lp, eos: best(t[..., None] + going_on(e, lp.softmax(-1), eos), eos),
        "Probabilities are added to a sum of logarithms: add the log-probabilities themselves.",
    ),
    (lambda *given: means(True, *given), MEANS),
    (lambda *given: means(False, *given), MEANS),
    (
        lambda t, e, lp, eos: best(log_softmax_of_all(t[..., None] + going_on(e, lp, eos)), eos),
        "The right beams, but the totals have gone through one more softmax: they stay sums.",
    ),
    (own_best, "Each beam goes on with its own best token. The K best are chosen among *all* K times V continuations."),
    (
        own_best_in_place,
        "Each beam goes on with its own best token. The K best are chosen among *all* K times V continuations.",
    ),
    (
        lambda t, e, lp, eos: turned(t, e, lp, eos, lambda i, K, V: i % V, lambda i, K, V: i // V),
        "Beam and token have changed places: of the flat index i, i // V is the beam and i % V the token.",
    ),
    (
        lambda t, e, lp, eos: turned(t, e, lp, eos, lambda i, K, V: i // K, lambda i, K, V: i % K),
        "The flat index is divided by K; a beam's row has V entries.",
    ),
    (
        lambda t, e, lp, eos: turned(t, e, lp, eos, lambda i, K, V: i % K, lambda i, K, V: i // K),
        "The flat index is divided by K; a beam's row has V entries.",
    ),
    (
        lambda t, e, lp, eos: turned(t, e, lp, eos, lambda i, K, V: i // V, lambda i, K, V: i),
        "The tokens are flat indices still, beam * V + token: take the remainder.",
    ),
    (
        lambda t, e, lp, eos: turned(
            t, e, lp, eos, lambda i, K, V: i // V + K * torch.arange(len(i))[:, None], lambda i, K, V: i % V
        ),
        "The beams are counted over the whole batch; wanted is the place within its own text, 0 to K - 1.",
    ),
    (
        lambda *given: one_place_each(*whole_batch(*given), given[0].shape[1]),
        "The best of the *whole batch* were chosen: each text has K places of its own, flatten(1).",
    ),
    (whole_batch, "The best of the *whole batch* were chosen: each text has K places of its own, flatten(1)."),
    (worst, "These are the *worst* continuations: the best have the largest totals, nearest to 0."),
    (reversed_, "The right continuations, worst first: wanted is the best first."),
    (
        lambda t, e, lp, eos: right(t, e, lp, 0),
        "eos is taken for the id 0, as it may be in another vocabulary: it is given.",
    ),
    (
        but_ended(lambda step, ended, eos: torch.zeros_like(ended)),
        "No beam is marked as ended. One that goes on with eos has ended now, and one that had ended stays so.",
    ),
    (
        but_ended(lambda step, ended, eos: ended),
        "The ends are those of the beams before this step. A beam that goes on with eos has ended now, and each beam "
        "stands in a new place.",
    ),
    (
        but_ended(lambda step, ended, eos: ended | (step[2] == eos)),
        "Whether a beam had ended is read from the place where it stood *before*: its place is now another one, "
        "ended.gather(1, beams).",
    ),
    (
        but_ended(lambda step, ended, eos: ended.gather(1, step[1])),
        "The ends follow their beams, but a beam that goes on with eos has ended in this step.",
    ),
    (
        but_ended(lambda step, ended, eos: step[2] != eos),
        "The ends are upside down: True where the text is complete.",
    ),
    (
        but_ended(lambda step, ended, eos: (step[2] == eos) & ~ended.gather(1, step[1])),
        "A beam that had ended before this step is not ended any more: it stays so.",
    ),
    (
        but_totals(lambda now, before: now - before),
        "The totals are those of the new token alone: wanted is the whole text's sum.",
    ),
    (but_totals(lambda now, before: before), "The totals do not include the new token."),
    (but_totals(lambda now, before: -now), "The sign of the totals is turned: a log-probability is not above 0."),
    (
        but_totals(lambda now, before: now.exp()),
        "The right beams, but the totals are probabilities: they stay logarithms, which do not underflow.",
    ),
)
