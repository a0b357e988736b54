"""Lesson 03: the models on which a function that finds leaks is tried: some without a leak, some with one."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from ...draw import draw

INF = float("inf")
SIZES = (6, 4), (7, 4), (7, 5), (8, 6)  # positions, features
WIDE = 64  # features of the models that begin with a norm
SMALL = 1e-3  # the share of the smallest leak in the output


def called(words: str):
    """How a card names the model."""

    def name(model):
        model.words = words
        return model

    return name


def attend(x: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
    weights = (x @ x.T / math.sqrt(x.shape[1])).masked_fill(~allowed, -INF).softmax(-1)
    return weights @ x, weights


def lower(x: Tensor, diagonal: int = 0) -> Tensor:
    return torch.ones(len(x), len(x)).tril(diagonal).bool()


@called("a causal attention")
def causal(x):
    return attend(x, lower(x))


@called("an average of everything so far")
def running_mean(x):
    weights = lower(x) / lower(x).sum(-1, keepdim=True)
    return weights.to(x.dtype) @ x, weights


@called("a copy of the position before, and nothing for the first")
def shifted_copy(x):
    weights = torch.zeros(len(x), len(x)).diagonal_scatter(torch.ones(len(x) - 1), -1)
    return weights.to(x.dtype) @ x, weights


@called("an attention in which no position reads anything but itself")
def reads_little(x):
    return attend(x, torch.eye(len(x)).bool())


@called("an attention without any mask")
def open_wide(x):
    return attend(x, lower(x, len(x)))


@called("a causal attention whose diagonal is one too high")
def one_too_wide(x):
    return attend(x, lower(x, 1))


@called("a causal attention with one hole: query 1 sees key 3")
def one_hole(x):
    return attend(x, lower(x) | hole(x, 1, 3))


@called("a causal attention in which the last query but one sees the last key")
def last_only(x):
    return attend(x, lower(x) | hole(x, len(x) - 2, len(x) - 1))


def hole(x, i, j):
    rows, columns = torch.arange(len(x))[:, None], torch.arange(len(x))
    return (rows == i) & (columns == j)


@called("a causal attention; only the last feature of position 4 reaches back, to position 2")
def one_feature(x):
    output, weights = attend(x, lower(x))
    return output + (torch.arange(len(x)) == 2)[:, None] * x[4:5, -1].sum(), weights


@called("a causal attention in which the length of position 4 reaches back, to one feature of position 1")
def length(x):
    output, weights = attend(x, lower(x))
    return output + spot(x, 1, 2) * x[4:5].square().sum(), weights


@called("a causal attention in which position 3 adds to one feature of position 1 what it subtracts from another")
def cancels(x):
    output, weights = attend(x, lower(x))
    return output + (spot(x, 1, 0) - spot(x, 1, 2)) * x[3:4, 0].sum(), weights


def spot(x: Tensor, row: int, feature: int) -> Tensor:
    """1 at one number of a position, else 0, in the shape of x."""
    return ((torch.arange(len(x)) == row)[:, None] & (torch.arange(x.shape[1]) == feature)).to(x.dtype)


@called("a causal attention with a faint leak from position 2 to the one before")
def faint(x):
    output, weights = attend(x, lower(x))
    return output + SMALL * hole(x, 1, 2).to(x.dtype) @ x, weights


@called("an attention multiplied by the mask *after* the softmax: the map is clean, the sum in the denominator is not")
def masked_after(x):
    weights = (x @ x.T / math.sqrt(x.shape[1])).softmax(-1) * lower(x)
    return weights @ x, weights


@called("a causal attention behind a norm whose mean and variance run over the positions")
def norm_over_time(x):
    return attend((x - x.mean(0)) / (x.var(0, unbiased=False) + 1e-5).sqrt(), lower(x))


@called("a causal attention in parallel with a convolution that looks one position ahead")
def other_path(x):
    output, weights = attend(x, lower(x))
    ahead = torch.cat((x[1:], torch.zeros_like(x[:1])))
    return output + 0.5 * ahead, weights


@called("a causal attention plus the sum of the positions from 3 on, given to position 2")
def gathers(x):
    output, weights = attend(x, lower(x))
    later = (torch.arange(len(x)) >= 3).to(x.dtype) @ x
    return output + (torch.arange(len(x)) == 2).to(x.dtype)[:, None] * later, weights


def standardised(x: Tensor) -> Tensor:
    """Layer norm, written out: of numbers like those of inputs() it takes a sum away exactly, and a factor of 2."""
    centred = x - x.mean(-1, keepdim=True)
    return centred / centred.square().mean(-1, keepdim=True).clamp_min(1e-5).sqrt()


@called("a causal attention behind a layer norm")
def behind_a_norm(x):
    return attend(standardised(x), lower(x))


@called("an average of all positions, behind a layer norm")
def average_behind_a_norm(x):
    weights = torch.full((len(x), len(x)), 1 / len(x), dtype=x.dtype)
    gain = torch.linspace(0.5, 2.0, x.shape[-1], dtype=x.dtype)  # without it the features would sum to 0
    return weights @ (standardised(x) * gain), weights


@called("an attention without any mask on rows that are divided by their length first")
def open_on_directions(x):
    return attend(F.normalize(x, dim=-1), lower(x, len(x)))


NORMED = behind_a_norm, average_behind_a_norm, open_on_directions
CLEAN = causal, running_mean, shifted_copy, reads_little, behind_a_norm
HOLES = faint, open_wide, one_too_wide, one_hole, last_only, one_feature, length, cancels
HIDDEN = masked_after, norm_over_time, other_path, gathers, average_behind_a_norm, open_on_directions
MODELS = *CLEAN, *HOLES, *HIDDEN


def inputs(model) -> Tensor:
    """Fresh hidden states, multiples of 1/64: their sums and means are exact, so that rounding shows nobody a leak.

    None is 0, and no two features of a row are alike (of the first seven): there a change could change nothing.
    All are between -1 and 2: no position gets so little weight that a change of it goes unseen.
    """
    T, D = draw.one_of(*SIZES)
    D = WIDE if model in NORMED else D
    return (draw.integers(23, T, D) - 8) / 8 + (torch.arange(D) % 7 + 1) / 64
