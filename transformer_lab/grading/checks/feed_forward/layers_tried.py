"""Lesson 05: what an answer tried on a layer, and why that did or did not show whether it mixes positions."""

import contextlib

import torch
from torch import Tensor

from ....sentences import kind_of
from ..common import number

ROUNDING = 1e-6


class Watched:
    """The layer that an answer is handed: it keeps what it was called with, so that the card can say what was tried."""

    def __init__(self, layer, T: int, D: int):
        self.layer, self.T, self.D, self.inputs, self.gradients = layer, T, D, [], False

    def __call__(self, x):
        if not isinstance(x, Tensor) or x.ndim != 3 or x.shape[1:] != (self.T, self.D):
            what = tuple(x.shape) if isinstance(x, Tensor) else f"{kind_of(x)}"
            raise ValueError(
                f"layer(x) takes x of shape (B, {self.T}, {self.D}) here; it was called with {what}. "
                "Keep the shape, and change the numbers at one position."
            )
        self.gradients |= x.requires_grad
        with contextlib.suppress(RuntimeError):  # inside torch.func a tensor has no numbers to show
            self.inputs.append(torch.tensor(x.tolist()))
        return self.layer(x)


def probes(watched: Watched, x: Tensor) -> list[tuple[Tensor, Tensor]]:
    """The sequences that the layer was tried on and that differ from x: each with the x that it was made from."""
    pairs = []
    for inputs in watched.inputs:
        whole = x if inputs.shape == x.shape else x[:1].expand(inputs.shape)
        pairs += [(probe, given) for probe, given in zip(inputs, whole, strict=True) if not torch.equal(probe, given)]
    return pairs


def places(probe: Tensor, given: Tensor) -> tuple[int, ...]:
    return tuple((probe != given).any(-1).nonzero().flatten().tolist())


def false_alarm(watched: Watched, x: Tensor) -> str:
    """What the answer tried on a layer that does not mix, where it shows why it said that it does."""
    found = probes(watched, x)
    if any(probe.isnan().any() for probe, _ in found):
        return "(NaN is a bad probe: 0 times NaN is NaN.)"
    if found and 0 < max(seen_elsewhere(watched.layer, *pair) for pair in found) <= ROUNDING:
        return f"In what you tried, no output elsewhere moved by more than {ROUNDING:g}: count only what is above that."
    if together := most_at_once(found):
        return f"{together} Begin each time with a new copy of x, and change one position alone."
    return ""


def missed(watched: Watched, x: Tensor) -> str:
    """What the answer tried on a layer that mixes, and why that did not show it."""
    found = probes(watched, x)
    if watched.gradients:
        return (
            "With gradients: take each number of each output in turn, because a wire may cancel in their "
            "sum, and look at "
            "what reaches all other positions."
        )
    if not all(probe.isfinite().all() for probe, _ in found):
        return "inf and NaN are bad probes: inf - inf is NaN, and NaN is not larger than anything."
    if not found:
        return "You never called the layer with a changed x." if watched.inputs else ""
    moved = max((seen_elsewhere(watched.layer, *pair) for pair in found), default=0.0)
    if moved > ROUNDING:
        return (
            f"In what you tried, an output moved by up to {number(moved)} at a position whose input you left alone: do "
            "you look at all other positions, and how large must a difference be for you to count?"
        )
    if together := most_at_once(found):
        return f"{together} Change each position alone."
    never = sorted(set(range(x.shape[1])) - {place for pair in found for place in places(*pair)})
    if never:
        return f"You never changed position{'s' * (len(never) > 1)} {listed(never)}: change each in turn."
    return what_kind(found)


def most_at_once(found) -> str:
    most = max((places(*pair) for pair in found), key=len, default=())
    if found and len(most) == len(found[0][0]):
        return "You changed a whole sequence at once, all its positions (they are axis 1, x[:, t])."
    return f"You changed positions {listed(most)} at once." if len(most) > 1 else ""


def what_kind(found) -> str:
    """What was done to the numbers of a position, if it is a kind of change that a layer may not notice."""
    pairs = [(probe[place], given[place]) for probe, given in found for place in places(probe, given)]
    changes = [probe - given for probe, given in pairs]
    if all((change == 0).any() for change in changes):
        same = sorted({i for change in changes for i in change.nonzero().flatten().tolist()})
        return f"You changed number {listed(same)} of a position only: change all D."
    largest = max(change.abs().max() for change in changes)
    if largest < 1e-4:
        return f"You changed the numbers by {number(largest)} at most: too little to show."
    if all(change.max() - change.min() < 1e-5 for change in changes):
        return "You added the same to all numbers of a position: put other random numbers there."
    if all(torch.allclose(probe.abs().sort()[0], given.abs().sort()[0], atol=1e-5) for probe, given in pairs):
        return "You changed the signs or the places of a position's numbers only: put other random numbers there."
    if all(torch.allclose(probe, probe.norm() / given.norm() * given, atol=1e-5) for probe, given in pairs):
        return "You multiplied all numbers of a position by one factor: put other random numbers there."
    return ""


def seen_elsewhere(layer, probe: Tensor, given: Tensor) -> float:
    """How far an output moves at the positions that the probe left alone."""
    left = [t for t in range(len(probe)) if t not in places(probe, given)]
    moved = (layer(probe[None]) - layer(given[None])).abs()[0, left]
    return float(moved.max()) if left else 0.0


def listed(places) -> str:
    *most, last = map(str, places)
    return f"{', '.join(most)} and {last}" if most else last
