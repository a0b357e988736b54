"""Lesson 07: the check of a diagnosis: over which axes did this layer take its statistics?"""

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import chosen, close, number

KINDS = {"features": (2,), "time": (1,), "batch": (0,), "batch and time": (0, 1), "time and features": (1, 2)}
ROUNDS = 3


class BlackBox:
    """A norm with a scale and a shift of its own; it remembers what it was asked and what it said."""

    def __init__(self, kind: str, D: int, dtype=torch.float32):
        self.kind, self.D, self.eps, self.asked = kind, D, 1e-5, []
        self.gamma, self.beta = (0.5 + draw.uniform(D)).to(dtype), draw.normal(D, dtype=dtype)
        self.gamma[::2] *= -1

    def __call__(self, x: Tensor) -> Tensor:
        if not isinstance(x, Tensor) or x.ndim != 3 or x.shape[-1] != self.D or not x.is_floating_point():
            came = f"a tensor of shape {tuple(x.shape)}, {x.dtype}" if isinstance(x, Tensor) else type(x).__name__
            raise ValueError(f"The layer takes a float tensor of shape (B, T, {self.D}), any B and T; got {came}.")
        axes = KINDS[self.kind]
        deviation = x - x.mean(axes, keepdim=True)
        spread = (deviation.square().mean(axes, keepdim=True) + self.eps).sqrt()
        said = self.gamma.to(x.dtype) * deviation / spread + self.beta.to(x.dtype)
        self.asked.append((x, x.detach().clone(), said.detach().clone()))
        return said


class which_axis:
    answers = ("which_axis(layer, D)",)

    @check("an answer for every layer, in the right words", 0.5)
    def words(which_axis):
        for kind in KINDS:
            said(which_axis, BlackBox(kind, draw.one_of(6, 7, 8)))

    @check("layer norm is told from the rest", 1)
    def features(which_axis):
        diagnose(which_axis, ("features", "time", "batch"))

    @check("statistics that mix samples, or several axes at once", 2)
    def mixed(which_axis):
        diagnose(which_axis, ("batch and time", "batch", "time and features", "time"))

    @check("the same for other widths, scales and shifts", 0.5)
    def again(which_axis):
        diagnose(which_axis, tuple(KINDS), draw.one_of((3, 9), (10, 3), (3, 12)))


def said(which_axis, box: BlackBox) -> str:
    """The answer's word for a layer, of which it is given a function alone: the kind is not to be read off."""
    return chosen(which_axis(lambda x: box(x), box.D), tuple(KINDS), "which_axis(layer, D)")


def diagnose(which_axis, kinds, widths=()) -> None:
    widths = widths or (draw.one_of(6, 7, 8),)
    boxes = [BlackBox(kind, D) for kind in kinds for D in widths for _ in range(ROUNDS)]
    verdicts = [(box, said(which_axis, box)) for box in boxes]
    wrong = [(box, word) for box, word in verdicts if word != box.kind]
    if not wrong:
        return
    box, word = wrong[0]
    told = f"For a layer over {box.kind} your function says {word!r}."
    asked = [tuple(x.shape) for box in boxes for x, *_ in box.asked]
    if not asked:
        raise Wrong(f"{told} It never calls the layer: change one number of x, and look at which outputs move.")
    if why := unseen(box, verdicts):
        raise Wrong(f"{told} {why}")
    samples, positions = (max(shape[axis] for shape in asked) for axis in (0, 1))
    if samples == 1 and "batch" in box.kind + word:
        why = "Every x had a batch of one: then statistics over the batch cannot be seen. Give it several samples."
        raise Wrong(f"{told} {why}", "M20")
    if positions == 1 and "time" in box.kind + word:
        why = "Every x had one position: then statistics over time cannot be seen. Give it several positions."
        raise Wrong(f"{told} {why}", "M20")
    if min(samples, positions) == 2 and box.kind in ("batch", "time"):
        why = "Two numbers normalise to -1 and 1 whatever they are: give each axis three places or more."
        raise Wrong(f"{told} {why}")
    if len({word for _, word in verdicts}) == 1:
        raise Wrong(
            f"{told} It says so for every layer here. See which outputs move when one input does: "
            "means of the output mislead, for each layer has a scale and a shift."
        )
    if len({other for like, other in verdicts if like.kind == box.kind}) > 1:
        why = (
            "For another such layer it says something else. Is the threshold for `moved` too large, or is "
            "only one place looked at?"
        )
        why += " Or are means of the output compared? They mislead: each layer has a scale and a shift."
        raise Wrong(f"{told} {why} See which outputs move when one input does.")
    why = WHERE.get((box.kind, word), ELSE)
    if why.endswith("do not move.") and (several := at_once(box)) > 1:
        why += f" But between the x that your function compares, {several} numbers differ at once: change one alone."
    raise Wrong(f"{told} {why}", "M20")


def at_once(box: BlackBox) -> int:
    """In how many numbers the first x and the one most like it differ; 0 if there are no two to compare."""
    (_, first, _), *others = box.asked
    apart = [int((x != first).sum()) for _, x, _ in others if x.shape == first.shape]
    return min(filter(None, apart), default=0)


def unseen(box: BlackBox, verdicts: list) -> str:
    """Why an answer that compares two inputs sees nothing move, or nothing of a layer over the features."""
    (first, x, said), *others = box.asked
    pairs = [(other - x, heard - said) for _, other, heard in others if other.shape == x.shape]
    if not pairs:
        return ""
    changes = [step for step, _ in pairs if step.any()]
    if not changes and all(other is first for other, *_ in others):
        return (
            "Every x that your function gave the layer was one and the same tensor: `other = x` is a second name for "
            "it, so what changes the one changes the other. Take a copy, other = x.clone()."
        )
    if not changes:
        return "Every x that your function gave the layer was the same, to the last digit. Change one number by 1."
    step, moved = (max(float(change.abs().max()) for change in those) for those in zip(*pairs, strict=True))
    if step < TOO_SMALL * float(x.abs().max()):
        return f"The x it compares differ by {number(step)} at most: rounding hides so small a step. Change one by 1."
    if box.kind == "features" and all(close(step, step[..., :1].expand_as(step)) for step in changes):
        return (
            "What your function adds is the same for every feature of a position: a norm over the features takes it "
            "out with the mean. Change one feature alone."
        )
    if len({word for _, word in verdicts}) == 1:
        return (
            f"It says so for every layer here, though the outputs moved by up to {number(moved)} when the inputs moved "
            f"by {number(step)}. Is the threshold for `moved` too large, or is only one place looked at? Or "
            "are means of "
            "the output compared? They mislead: each layer has a scale and a shift."
        )
    return ""


TOO_SMALL = 1e-5  # of the size of x: float32 holds about seven digits
ELSE = (
    "Change one number of x and look at three places: the same position, another position of the same sample, "
    "another sample. Which of them move? (Means of the output mislead: each layer has a scale and a shift.)"
)
WHERE = {
    ("batch and time", "batch"): "Other positions move too: look at them, also in other samples.",
    ("batch and time", "time"): "Other samples move too: look at them.",
    ("time and features", "time"): "Other features move too, at every position of the sample.",
    ("time and features", "features"): "Other positions of the sample move too: perturb another position and look.",
    ("batch", "batch and time"): "Other positions do not move.",
    ("time", "batch and time"): "Other samples do not move.",
    ("time", "time and features"): "Other features do not move.",
    ("features", "time and features"): "Other positions do not move.",
}
