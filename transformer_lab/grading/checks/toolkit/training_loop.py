"""Lesson 01: a training loop is judged against stochastic gradient descent by hand."""

import copy
import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ....sentences import kind_of
from ...checking import Wrong
from ...draw import draw
from ..common import close, number
from .loss_faults import TWICE

TOLERANCE = 1e-4
RATES = (0.3, 0.11)


def judge(train) -> None:
    """The parameters after training, and the losses, must be those of the loop by hand."""
    for lr in RATES:
        model, batches = case()
        trained = copy.deepcopy(model)
        handed = [(x.clone(), targets.clone()) for x, targets in batches]
        try:
            got = train(trained, handed, lr)
        except RuntimeError as error:  # NotDone is one too
            if "modified by an inplace operation" not in str(error):
                raise
            raise Wrong(
                "The step stands between the loss and its backward: it changes the parameters that backward "
                "needs as they were. Backward first, then the step."
            ) from error
        wanted, losses = descend(model, batches, lr)
        after = flat(trained)
        if not after.isfinite().all():
            raise Wrong("After training some parameters are NaN or inf.")
        if not close(after, wanted, TOLERANCE):
            for faulty, message, misconception in mistaken(model, batches, lr):
                if close(after, faulty, TOLERANCE) and not close(faulty, wanted, TOLERANCE):
                    raise Wrong(message, misconception)
            if still := unmoved(model, trained):
                raise Wrong(
                    f"{' and '.join(still)} never change, the others do: the optimiser must hold all of "
                    "model.parameters()."
                )
            gap, step = (after - wanted).abs().max(), (wanted - flat(model)).abs().max()
            raise Wrong(
                f"After {len(batches)} batches a parameter is off by {number(gap)}; right training moves none by more "
                f"than {number(step)}. For each batch, in this order: gradients to 0, loss, backward, one step of "
                "plain SGD with rate lr."
            )
        compare_losses(got, losses)
        if len(handed) != len(batches) or not all(map(same_batch, handed, batches)):
            raise Wrong("The list of batches, or a batch in it, is not as it was: whoever calls the loop loses them.")


def unmoved(model: nn.Module, trained: nn.Module) -> list[str]:
    """The names of the parameters that training left as they were, if it moved others."""
    pairs = zip(model.named_parameters(), trained.parameters(), strict=True)
    still = [name for (name, before), after in pairs if torch.equal(before, after)]
    return still if len(still) < len([*model.parameters()]) else []


def same_batch(one, other) -> bool:
    return all(map(torch.equal, one, other))


def compare_losses(got, losses: list[float]) -> None:
    """What train returns: the loss of each batch, before its step."""
    if isinstance(got, (Tensor, np.ndarray)):
        got = got.flatten().tolist()
    if not isinstance(got, (list, tuple)):
        raise Wrong(f"The model is trained right; what came back is {kind_of(got)}. Wanted the list of losses.")
    if len(got) != len(losses):
        raise Wrong(
            f"{len(got)} losses came back for {len(losses)} batches; wanted one per batch, from before its step."
        )
    try:
        got = [float(loss) for loss in got]
    except (TypeError, ValueError, RuntimeError):
        raise Wrong("The losses are not numbers: append loss.item().") from None
    for n, (yours, right) in enumerate(zip(got, losses, strict=True)):
        if not math.isclose(yours, right, rel_tol=1e-3, abs_tol=1e-4):
            raise Wrong(
                f"The model is trained right, but the loss of batch {n} is {number(yours)}; wanted {number(right)}, "
                "the mean cross-entropy in nats, before the step."
            )


def case():
    """A small network and batches of unequal sizes."""
    D, d_ff, V = draw.one_of((4, 6, 3), (5, 8, 4), (3, 7, 5))
    model = nn.Sequential(draw.made(nn.Linear, D, d_ff), nn.Tanh(), draw.made(nn.Linear, d_ff, V))
    batches = [(draw.normal(size, D), draw.integers(V, size)) for size in draw.shuffled((5, 3, 6, 4, 2))]
    return model, batches


def flat(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()]).double()


def descend(model, batches, lr, loss_of=F.cross_entropy, update=None):
    """The specification: parameters -= lr x gradient of this batch's loss. Returns parameters and losses.

    update(gradients so far) -> what is subtracted, for the faults.
    """
    model = copy.deepcopy(model)
    parameters, losses, history = list(model.parameters()), [], []
    for x, targets in batches:
        loss = loss_of(model(x), targets)
        history.append([g.detach() for g in torch.autograd.grad(loss, parameters)])
        losses.append(loss.item())
        taken = update(history) if update else history[-1]
        with torch.no_grad():
            for p, g in zip(parameters, taken, strict=True):
                p -= lr * g
    return flat(model), losses


def summed(history):
    return [sum(gradients) for gradients in zip(*history, strict=True)]


def nothing(history):
    return [torch.zeros_like(g) for g in history[-1]]


def momentum(history, beta):
    total = [torch.zeros_like(g) for g in history[-1]]
    for gradients in history:
        total = [beta * t + g for t, g in zip(total, gradients, strict=True)]
    return total


def mistaken(model, batches, lr):
    """(parameters, message, misconception) of the loops that people write: other losses, other steps, and both."""
    first, early = batches[:1], batches[:-1]

    def after(loss_of=F.cross_entropy, update=None, batches=batches, lr=lr):
        return descend(model, batches, lr, loss_of, update)[0]

    yield flat(model), FROZEN, None
    for loss_of, about_loss, its in ((F.cross_entropy, "", None), *LOSSES):
        for update, used, about_step, other in STEPS:
            if about_loss or about_step:
                words = " ".join(filter(None, (about_loss, about_step)))
                yield after(loss_of, update, early if used == "early" else batches), words, its or other
    yield after(lr=-lr), "The loss rises: the gradient is added; subtract it.", None
    yield after(batches=first), "Only the first batch is used: is a `return` inside the loop?", None
    yield after(batches=batches[-1:]), "Only the last batch is used.", None
    yield after(batches=batches[::-1]), "The batches are taken in the opposite order.", None
    yield (
        after(update=lambda h: nothing(h) if len(h) < len(batches) else summed(h)),
        "There is one step for all batches together: the step belongs inside the loop.",
        None,
    )
    for rate in (1e-3, 1e-2, 0.1, 1.0):
        yield after(lr=rate), f"The rate is {rate:g}, whatever lr says: pass lr to the optimiser.", None
    yield after(batches=batches + batches), "The batches are gone through twice; once was asked for.", None
    kinds = [(torch.optim.Adam, "Adam", {}), (torch.optim.AdamW, "AdamW", {})]
    kinds += [(torch.optim.SGD, "SGD with weight decay", {"weight_decay": d}) for d in (1e-4, 1e-3, 0.01, 0.1)]
    for kind, name, how in kinds:
        other = copy.deepcopy(model)
        optimiser = kind(other.parameters(), lr=lr, **how)
        for x, targets in batches:
            optimiser.zero_grad()
            F.cross_entropy(other(x), targets).backward()
            optimiser.step()
        yield flat(other), f"This is {name}; wanted plain SGD, as it was.", None


FROZEN = (
    "Nothing is learnt: the parameters are as they were. When step() looks for gradients it finds none: not yet, or no "
    "longer. Or it is never called, or the optimiser holds the parameters of another model (a copy?)."
)
GATHERS = (
    "The gradients of all earlier batches are still in the step: backward adds to p.grad. "
    "Set them to 0 once for each batch, before backward."
)
EARLY = (
    "The last batch is never learned from: either the step comes before backward, and uses the batch before, or the "
    "last batch is left out."
)
NLL = "nll_loss wants logarithms: this is minus the mean probability. Give the scores to F.cross_entropy."
# (loss of scores and targets, message, misconception)
LOSSES = (
    (lambda s, t: F.cross_entropy(s.softmax(-1), t), TWICE, "M38"),
    (lambda s, t: F.nll_loss(s.softmax(-1), t), NLL, None),
    (lambda s, t: -F.nll_loss(s.softmax(-1), t), NLL + " And its sign is flipped.", None),
    (
        lambda s, t: F.nll_loss(s, t),
        "nll_loss got bare scores: the softmax is gone altogether. F.cross_entropy has it inside.",
        None,
    ),
    (lambda s, t: F.cross_entropy(s.softmax(0), t), TWICE + " And the axis is 0.", "M38"),
    (
        lambda s, t: F.cross_entropy(s.sigmoid(), t),
        "A sigmoid stands before cross_entropy: it wants the scores as they are.",
        "M38",
    ),
    (
        lambda s, t: F.cross_entropy(s.log_softmax(0), t),
        "A log_softmax along axis 0 stands before cross_entropy: it wants the scores as they are.",
        None,
    ),
    (
        lambda s, t: F.cross_entropy(s.relu(), t),
        "A ReLU stands before cross_entropy: scores may be negative, it wants them as they are.",
        None,
    ),
    (
        lambda s, t: F.cross_entropy(s, t, reduction="sum"),
        "The losses of a batch are summed; wanted their mean.",
        None,
    ),
    (
        lambda s, t: ((s.softmax(-1) - F.one_hot(t, s.shape[-1])) ** 2).mean(),
        "This is a squared error; wanted cross-entropy.",
        None,
    ),
    (
        lambda s, t: F.binary_cross_entropy_with_logits(s, F.one_hot(t, s.shape[-1]).to(s)),
        "This is a binary cross-entropy for each class; wanted F.cross_entropy.",
        None,
    ),
)
# (update, "early" if the last batch is not used, message, misconception)
STEPS = (
    (None, "", "", None),
    (summed, "", GATHERS, "M43"),
    (None, "early", EARLY, None),
    (summed, "early", EARLY + " And no gradient is set to 0.", "M43"),
    (lambda h: [2 * g for g in h[-1]], "", "Each gradient counts twice: two steps per batch, or two backwards?", None),
    (
        lambda h: [g / len(h) for g in summed(h)],
        "",
        "Each step takes the mean of the gradients so far; wanted this batch's own.",
        None,
    ),
    (lambda h: momentum(h, 0.9), "", "This is SGD with momentum; wanted plain SGD, as it was.", None),
)
