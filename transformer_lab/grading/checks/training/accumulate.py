"""Lesson 13: the checks of a batch that is computed in parts."""

import copy

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, close, close_by_size, one_number, settled
from .accumulate_faults import CLIPPINGS, LOOK, SHORTEN, WEIGHINGS, Sizes

FREE, IGNORED, D = 1e6, -100, 5  # FREE: longer than any gradient here


TWO_GRAPHS = (
    "A part is computed before an earlier one has gone back. So the graphs of two parts or more are in memory at once, "
    "and that is what does not fit. Call backward in the loop, for each part, before you take the next."
)
JOINED = (
    "Several parts are joined to one batch again, and computed together: that is what does not fit into the memory. "
    "Call the model and backward in the loop, for one part at a time."
)
EARLIER = "What the model held in p.grad before is still in the gradients: backward adds to it. Begin without it."


class accumulate:
    answers = ("accumulate(model, parts, largest)",)

    @check("parts with equally many labels", 1)
    def equal(accumulate):
        model, parts = drawn_model(), drawn_parts((6, 6, 6))
        judge(accumulate, model, parts)
        watched, lent = copy.deepcopy(model), copied(parts)
        accumulate(watched, one_at_a_time(watched, lent), FREE)
        if not watched.training:
            raise Wrong("The model was put into eval(), and left so: dropout would be off from now on.")
        for part, own in zip(lent, parts, strict=True):
            if not all(map(torch.equal, part, own)):
                raise Wrong("A part has changed in place: whoever calls accumulate() loses its labels, or its x.")

    @check("parts with unequally many labels", 2)
    def unequal(accumulate):
        ordinary(accumulate)

    @check("a part that is all padding", 0.5)
    def padding(accumulate):
        settled(lambda: ordinary(accumulate), "Ordinary parts are")
        model, parts = drawn_model(), drawn_parts((7, 0, 12))
        judge(accumulate, model, parts)
        if torch.as_tensor(accumulate(copy.deepcopy(model), iter(copied(parts)), FREE)).isnan().any():
            raise Wrong("The loss is NaN: the mean over a part without any label is 0 / 0.", "M42")

    @check("gradients of an earlier step", 0.5)
    def earlier(accumulate):
        settled(lambda: ordinary(accumulate), "Ordinary parts are")
        model, parts = drawn_model(), drawn_parts((9, 4))
        old = [draw.standard(*p.shape, dtype=p.dtype) for p in model.parameters()]
        got, wanted = flat(gradients_after(accumulate, model, parts, FREE, old)), whole(model, parts)[1]
        if not close_by_size(got, wanted):
            raise Wrong(EARLIER, "M43")

    @check("a gradient that is too long", 1)
    def clipped(accumulate):
        settled(lambda: ordinary(accumulate), "Gradients that are short enough are")
        model, parts = drawn_model(), drawn_parts(draw.shuffled((3, 8, 12)))
        length = whole(model, parts)[1].norm().item()
        judge(accumulate, model, parts, round(0.3 * length, 4))
        judge(accumulate, model, parts, round(1.2 * length, 4))

    @check("the loss", 1)
    def loss(accumulate):
        for labels in ((6, 6), draw.shuffled((2, 5, 11, 14))):
            model, parts = drawn_model(), drawn_parts(labels)
            got = accumulate(copy.deepcopy(model), iter(copied(parts)), FREE)
            got = one_number(got.detach() if isinstance(got, Tensor) else got, "accumulate(...)")
            wanted = whole(model, parts)[0].item()
            if abs(got - wanted) > 1e-5 * max(1, wanted):
                sums, sizes = [summed(model, part).item() for part in parts], Sizes.of(parts)
                for weigh, *words in WEIGHINGS:
                    if abs(got - sum(a * one for a, one in zip(weigh(sizes), sums, strict=True))) < 1e-6 * wanted:
                        raise Wrong(f"The loss: {words[0]}", *words[1:])
                yours, right = apart(got, wanted)
                raise Wrong(f"The loss is {yours}; wanted {right}. {LOOK}")


def ordinary(accumulate) -> None:
    judge(accumulate, drawn_model(), drawn_parts(draw.shuffled((2, 5, 11, 14))))


def drawn_model() -> nn.Module:
    """A small network whose tensors are of different sizes."""
    d_ff, V = draw.one_of((6, 3), (8, 4), (7, 4))
    return nn.Sequential(draw.made(nn.Linear, D, d_ff), nn.Tanh(), draw.made(nn.Linear, d_ff, V)).double()


def drawn_parts(n_labels) -> list[tuple[Tensor, Tensor]]:
    """Parts with so many labels each: inputs (B, T, D), and labels (B, T) some of which are padding."""
    while True:
        parts = [drawn_part(n) for n in n_labels]
        # Or a division by all places would look like one by the labels and by the number of parts.
        if sum(labels.numel() for _, labels in parts) != len(parts) * sum(n_labels):
            return parts


def drawn_part(n_labels: int) -> tuple[Tensor, Tensor]:
    B = draw.one_of(1, 2, 3)
    T = -(-n_labels // B) + draw.one_of(1, 2, 4)
    labels = torch.full((B * T,), IGNORED)
    labels[draw.permutation(B * T)[:n_labels]] = draw.integers(3, n_labels)
    return 2 * draw.normal(B, T, D, dtype=torch.float64), labels.view(B, T)


def copied(parts: list) -> list:
    return [(x.clone(), labels.clone()) for x, labels in parts]


def one_at_a_time(model: nn.Module, parts: list):
    """The parts; whoever computes one while another one waits for its backward is told, and whoever joins them.

    A part is known by its numbers, for a copy of it, its rows or a batch of several are that part too.
    """
    known = [x.clone() for x, _ in parts]
    waiting: set[int] = set()
    taken = 0

    def watch(_, inputs, logits: Tensor) -> None:
        if logits.requires_grad:
            here = {i for i, x in enumerate(known) if torch.isin(inputs[0].detach().to(x.dtype), x).any()} or {taken}
            if len(here) > 1:
                raise Wrong(JOINED)
            if waiting - here:
                raise Wrong(TWO_GRAPHS)
            waiting.update(here)
            logits.register_hook(lambda gradient: waiting.clear())

    model.register_forward_hook(watch)
    for taken, part in enumerate(parts):  # noqa: B007 (watch reads it)
        yield part


def summed(model: nn.Module, part: tuple) -> Tensor:
    x, labels = part
    return F.cross_entropy(model(x).flatten(end_dim=1), labels.flatten(), ignore_index=IGNORED, reduction="sum")


def flat(gradients) -> Tensor:
    return torch.cat([gradient.flatten() for gradient in gradients])


def by_part(model: nn.Module, parts: list) -> list[list[Tensor]]:
    """The gradients of each part's summed loss."""
    return [list(torch.autograd.grad(summed(model, part), list(model.parameters()))) for part in parts]


def whole(model: nn.Module, parts: list) -> tuple[Tensor, Tensor]:
    """The specification: the mean loss over all labels of all parts, and its gradient."""
    loss = sum(summed(model, part) for part in parts) / sum(Sizes.of(parts).labels)
    return loss.detach(), flat(torch.autograd.grad(loss, list(model.parameters())))


def gradients_after(accumulate, model: nn.Module, parts: list, largest: float, old=()) -> list[Tensor]:
    """The gradients that the answer leaves in the model, which before holds the old ones."""
    model = copy.deepcopy(model)
    for p, gradient in zip(model.parameters(), old, strict=False):
        p.grad = gradient.clone()
    before = flat([p.detach().clone() for p in model.parameters()])
    accumulate(model, iter(copied(parts)), largest)
    if not close(flat(list(model.parameters())), before, 0.0):
        raise Wrong("The model's weights have changed: no step was asked for, only the gradients in p.grad.")
    missing = [name for name, p in model.named_parameters() if p.grad is None]
    if missing:
        raise Wrong(
            f"After the call {', '.join(missing)} have no gradient. Is backward missing, or zero_grad behind it? Or "
            "were the parts used up before the loop? They can be gone through once only."
        )
    return [p.grad for p in model.parameters()]


def judge(accumulate, model: nn.Module, parts: list, largest: float = FREE) -> None:
    got = flat(gradients_after(accumulate, model, parts, largest))
    wanted = whole(model, parts)[1]
    wanted = wanted * min(1.0, largest / wanted.norm().item())
    if got.isnan().any():
        raise Wrong("The gradients hold NaN: the mean over a part without any label is 0 / 0.", "M42")
    if close_by_size(got, wanted, 1e-4):
        return
    sizes, sums = Sizes.of(parts), by_part(model, parts)
    for make, words, *misconception in CLIPPINGS:
        if close_by_size(got, make(sums, sum(sizes.labels), largest), 1e-4):
            raise Wrong(words, *misconception)
    for weigh, words, *misconception in WEIGHINGS:
        mixed = sum(a * flat(one) for a, one in zip(weigh(sizes), sums, strict=True))
        if close_by_size(got, mixed, 1e-4):
            raise Wrong(f"The gradients: {words}", *misconception)
    off = (got - wanted).norm() / wanted.norm()
    raise Wrong(
        f"Parts with {sizes.labels} labels: the gradient is {got.norm():.4g} long and off by {off:.0%} of the "
        f"right one, which is {wanted.norm():.4g} long. {LOOK if largest == FREE else SHORTEN}"
    )
