"""Lesson 13: AdamW with its parts exchanged, as people write it, and what to tell them."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from itertools import product

import torch
from torch import Tensor

# Of each part of AdamW: the ways in which it is written, the right one first, and what to tell those who write another.
PARTS = {
    "correction": {
        "both": "",
        "none": "Neither mean is corrected: both begin at 0, so they are too small at first.",
        "first": "Only the mean of the gradients is corrected; that of their squares began at 0 too.",
        "second": "Only the mean of the squares is corrected; that of the gradients began at 0 too.",
        "late": "The correction of the first step is already that of the second: t begins at 1.",
        "no power": "The correction is 1 - beta in every step; it must fade: 1 - beta to the power of t.",
    },
    "eps": {
        "added to the root": "",
        "under the root": "eps stands under the root; it is added to the root.",
        "before correction": "eps is added before the correction of the mean square; it belongs to the corrected root.",
        "left out": "eps is left out, or far too small: use the one that is passed in.",
        "1e-8": "eps is left out, or far too small: use the one that is passed in.",
    },
    "decay": {
        "past the division": "",
        "in the gradient": "The decay is added to the gradient, and so divided like it: that is Adam with L2. In "
        "AdamW it goes past the division.",
        "without the rate": "The decay is not multiplied by the step's rate.",
        "after the step": "The decay takes the weight as it is after the step; wanted: as it was before.",
        "left out": "There is no decay.",
        "growing": "The decay makes the weight larger: its sign is wrong.",
        "of the update": "It is the update that shrinks, not the weight.",
        "of the first weight": "It is the weight of the beginning that decays; wanted: the weight as it stands.",
        "to the square": "The decay is multiplied by the rate twice.",
    },
    "vectors": {
        "not decayed": "",
        "decayed": "Weights with fewer than two axes are decayed like matrices.",
    },
    "missing": {
        "left out": "",
        "counted": "A step without a gradient counts in the correction: t must count the gradients of this weight.",
        "zero": "A missing gradient is treated as one of 0: both means shrink, and the weight moves.",
        "decayed": "In a step without a gradient the weight is decayed; it should stay.",
        "fading": "In a step without a gradient both means shrink; they should stay.",
        "moving": "In a step without a gradient the weight moves on, by the means that it had; it should stay.",
        "zeros too": "A gradient of 0 was taken for a missing one: the weight was used, and so the step counts.",
        "stop": "It stops at the first step without a gradient.",
        "rates move up": "The rates are not those of their steps: a step without a gradient uses up its rate too.",
    },
    "squares": {
        "of the gradients": "",
        "of the mean": "The mean of the squares is made of squares of the *mean*; wanted: of each gradient.",
        "not squared": "The mean of the squares is one of absolute values, or of bare gradients.",
        "no root": "The division is by the mean of the squares, without its root.",
        "last only": "The division is by the last gradient's size, not by a running mean.",
    },
    "means": {
        "kept": "",
        "betas exchanged": "beta1 and beta2 have changed places: beta1 is for the gradients.",
        "shares exchanged": "beta is the share of the *old* mean, 1 - beta that of what is new.",
        "summed": "What is new is added whole; it is multiplied by 1 - beta.",
        "summed first": "What is new is added whole to the mean of the gradients; it is multiplied by 1 - beta1.",
        "corrected": "The corrected means are kept for the next step: keep the bare ones, and correct a copy.",
        "no mean": "The last gradient is taken in place of the running mean.",
        "forgotten": "Both means begin at 0 again in each step: keep them outside the loop.",
        "forgotten, with t": "Each step is made as if it were the first: means and t belong outside the loop.",
    },
    "rate": {
        "of the step": "",
        "first": "Every step takes the first rate.",
        "last": "Every step takes the last rate.",
        "uphill": "The weight goes uphill: subtract the update.",
        "left out": "The update is not multiplied by the rate.",
    },
}


@dataclass(frozen=True)
class Way:
    """How AdamW is written."""

    correction: str = "both"
    eps: str = "added to the root"
    decay: str = "past the division"
    vectors: str = "not decayed"
    missing: str = "left out"
    squares: str = "of the gradients"
    means: str = "kept"
    rate: str = "of the step"


RIGHT = Way()


def ways() -> Iterator[Way]:
    """One fault each, and two where they are common together."""
    for part, options in PARTS.items():
        for option in list(options)[1:]:
            yield replace(RIGHT, **{part: option})
    three = [list(PARTS[part]) for part in ("correction", "eps", "decay")]
    for correction, eps, decay in product(*three):
        yield Way(correction, eps, decay)
    for decay, missing in product(PARTS["decay"], PARTS["missing"]):
        yield Way(decay=decay, missing=missing)


def described(way: Way) -> str:
    return " ".join(filter(None, (PARTS[part.name][getattr(way, part.name)] for part in fields(way))))


def moved(way: Way, weight: Tensor, gradients, rates, decay, beta1, beta2, eps) -> Tensor:
    """The weight after these steps. RIGHT is the specification."""
    w, m, v, t = weight.clone(), torch.zeros_like(weight), torch.zeros_like(weight), 0
    if way.missing == "rates move up":
        gradients = [gradient for gradient in gradients if gradient is not None]
    if way.means == "betas exchanged":
        beta1, beta2 = beta2, beta1
    if w.ndim < 2 and way.vectors == "not decayed":
        decay = 0.0
    for gradient, own in zip(gradients, rates, strict=False):
        rate = {"first": rates[0], "last": rates[-1], "uphill": -own, "left out": 1.0}.get(way.rate, own)
        if gradient is None:
            if way.missing == "stop":
                break
            t += way.missing == "counted"
            w = w * (1 - rate * decay) if way.missing == "decayed" else w
            m, v = (beta1 * m, beta2 * v) if way.missing == "fading" else (m, v)
            if way.missing == "moving" and t:
                w = w * (1 - rate * decay) - rate * direction(way, m, v, m, t, beta1, beta2, eps)
            if way.missing != "zero":
                continue
            gradient = torch.zeros_like(w)
        elif way.missing == "zeros too" and not gradient.any():
            continue
        t = 1 if way.means == "forgotten, with t" else t + 1
        g = gradient + decay * w if way.decay == "in the gradient" else gradient
        if way.means.startswith("forgotten"):
            m, v = torch.zeros_like(w), torch.zeros_like(w)
        m = g if way.means == "no mean" else kept(way, m, g, beta1)
        v = kept(replace(way, means="kept") if way.means == "summed first" else way, v, squared(way, g, m), beta2)
        if way.means == "corrected":
            m, v = m / (1 - beta1**t), v / (1 - beta2**t)
        update = direction(way, m, v, g, t, beta1, beta2, eps)
        w = decayed(way, w, update, abs(rate), decay, weight) - rate * update
        if way.decay == "after the step":
            w = w * (1 - rate * decay)
    return w


def kept(way: Way, mean: Tensor, new: Tensor, beta: float) -> Tensor:
    old, fresh = {"shares exchanged": (1 - beta, beta), "summed": (beta, 1), "summed first": (beta, 1)}.get(
        way.means, (beta, 1 - beta)
    )
    return old * mean + fresh * new


def squared(way: Way, g: Tensor, m: Tensor) -> Tensor:
    return {"of the mean": m**2, "not squared": g.abs()}.get(way.squares, g**2)


def direction(way: Way, m, v, g, t, beta1, beta2, eps) -> Tensor:
    """What is subtracted for each unit of the rate."""
    t = {"late": t + 1, "no power": 1}.get(way.correction, t)
    there = way.means == "corrected"
    one = 1.0 if there or way.correction in ("none", "second") or way.means == "no mean" else 1 - beta1**t
    two = 1.0 if there or way.correction in ("none", "first") else 1 - beta2**t
    eps = {"left out": 0.0, "1e-8": 1e-8}.get(way.eps, eps)
    v = g**2 if way.squares == "last only" else v / two
    if way.eps == "under the root":
        return m / one / (v + eps).sqrt()
    if way.eps == "before correction":
        return m / one / (((v * two).sqrt() + eps) / two**0.5)
    return m / one / ((v if way.squares == "no root" else v.sqrt()) + eps)


def decayed(way: Way, w: Tensor, update: Tensor, rate: float, decay: float, first: Tensor) -> Tensor:
    """The weight with its decay, before the update is subtracted."""
    if way.decay == "of the update":
        return w + rate * decay * update
    if way.decay == "of the first weight":
        return w - rate * decay * first
    shrink = {"past the division": rate, "without the rate": 1.0, "growing": -rate, "to the square": rate**2}
    return w - shrink.get(way.decay, 0.0) * decay * w
