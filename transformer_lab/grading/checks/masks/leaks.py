"""Lesson 03: the checks of a function that finds leaks, on models that leak in ways of their own."""

import functools

import torch
from torch import Tensor

from ...checking import Wrong, check
from ...draw import draw
from ..common import leaves_alone
from .leaky_models import CLEAN, HIDDEN, HOLES, MODELS, NORMED, cancels, causal, inputs, one_feature, open_wide


class leaks:
    answers = ("leaks(model, x)",)

    @check("a list of positions", 0.5)
    def shape(leaks):
        for model in (causal, open_wide):
            found(leaks, model, inputs(model))
        leaves_alone(lambda x: leaks(causal, x), x=inputs(causal))

    @check("no false alarm: models without a leak", 1)
    def clean(leaks):
        for model in CLEAN:
            judge(leaks, model)

    @check("a mask that is missing, one too wide, and a single hole in it", 1.5)
    def holes(leaks):
        for model in HOLES:
            judge(leaks, model)

    @check("leaks that the attention map does not show", 1)
    def hidden(leaks):
        for model in HIDDEN:
            judge(leaks, model)


def found(leaks, model, x: Tensor) -> list[int]:
    """The learner's positions, sorted."""
    try:
        value = leaks(model, x)
    except (TypeError, AttributeError) as error:
        if "tuple" in str(error):
            raise Wrong("model(x) returns two tensors in a tuple: `output, weights = model(x)`.") from error
        raise
    if (isinstance(value, Tensor) and value.dtype == torch.bool) or holds_booleans(value):
        raise Wrong(
            f"leaks() returned {len(value)} booleans; wanted the positions themselves, a list such "
            "as [2, 3]: `[j for j in range(T) if ...]`."
        )
    if isinstance(value, (bool, int, float)):
        raise Wrong(f"leaks() returned {value!r}; wanted a list of the positions, empty if there is none.")
    try:
        value = value.tolist() if isinstance(value, Tensor) else list(value)
        positions = sorted({int(j) for j in value})
    except (TypeError, ValueError):
        raise Wrong(f"leaks() returned {value!r:.80}; wanted a list of positions such as [2, 3].") from None
    if len(value) != len(positions):
        raise Wrong(f"leaks() returned {sorted(map(int, value))}: each position once.")
    if positions and (positions[0] < 0 or positions[-1] >= len(x)):
        raise Wrong(f"leaks() returned {positions}; positions run from 0 to {len(x) - 1}.")
    return positions


def holds_booleans(value) -> bool:
    return isinstance(value, (list, tuple)) and len(value) > 0 and all(isinstance(one, bool) for one in value)


def judge(leaks, model) -> None:
    x = inputs(model)
    wanted = from_matrix(reached(model, *x.shape), before)
    got = found(leaks, model, x.clone())
    if got == wanted:
        return
    told = diagnosis(leaks) or guess(model, x, got, wanted)
    raise Wrong(f"{told}\nFor {model.words}, leaks() says {got}; wanted {wanted}.")


def guess(model, x: Tensor, got: list[int], wanted: list[int]) -> str:
    if missed := sorted(set(wanted) - set(got)):
        words, (j, *_) = f"Changing x[{missed[0]}] changes an output before it, and that was not noticed", missed
        if model in NORMED:
            return (
                f"{words}. A norm takes away what is added to a whole row, or multiplies it: give all of x[j] new "
                "numbers that have nothing to do with the old ones, and compare with a small tolerance."
            )
        size = min(reach_of(model, x, j) for _ in range(8))
        if size < 0.05:
            return (
                f"{words}: the change is small, {size:.1g} for instance. Compare exactly, or with a smaller "
                "tolerance; and "
                "give all of x[j] new numbers."
            )
        return f"{words}. Is every position tried, every feature of it changed, and every output before it looked at?"
    return (
        f"Changing x[{min(set(got) - set(wanted))}] alone changes no output before its own: a false alarm. Is x as it "
        "was when the next position is tried? Is the output before the change taken from the same x?"
    )


def reach_of(model, x: Tensor, j: int) -> float:
    """By how much some output before j changes when x[j] is another."""
    other = x.clone()
    other[j] = draw.standard(x.shape[1])
    return float((model(other)[0] - model(x)[0])[:j].abs().max())


def diagnosis(leaks) -> str | None:
    """What to tell a learner whose answers on all models are those of another way of looking."""
    shown = [(model, inputs(model)) for model in MODELS]
    seen = [found(leaks, model, x.clone()) for model, x in shown]
    cases = [(model, x, reached(model, *x.shape)) for model, x in shown]
    right = [from_matrix(changed, before) for *_, changed in cases]
    answers = [[strategy(*case) for case in cases] for strategy, _ in STRATEGIES]
    for skipped in ((), NORMED):  # a norm may hide a change: then the others must tell
        kept = [i for i, model in enumerate(MODELS) if model not in skipped]
        for theirs, (_, words) in zip(answers, STRATEGIES, strict=True):
            if all(theirs[i] == seen[i] for i in kept) and any(theirs[i] != right[i] for i in kept):
                return words
    return None


@functools.cache  # with a seed of its own, so that it makes no difference who asks first
def reached(model, T: int, D: int, part: int = 0) -> Tensor:
    """(T, T): whether output i (of the map, if part is 1, row i) changes when x[j] alone does. The specification."""
    changed = torch.zeros(T, T, dtype=torch.bool)
    with draw.aside(0):
        for _ in range(3):
            x = draw.normal(T, D, dtype=torch.float64)
            whole = model(x)[part]
            for j in range(T):
                other = x.clone()
                other[j] = draw.normal(D, dtype=torch.float64)
                changed[:, j] |= ((model(other)[part] - whole).abs() > 1e-9).any(dim=-1)
    return changed


def before(i: int, j: int) -> bool:
    return i < j


def from_matrix(changed: Tensor, where) -> list[int]:
    """The positions j that change an output i with where(i, j)."""
    T = len(changed)
    return [j for j in range(T) if any(changed[i, j] and where(i, j) for i in range(T))]


def on_the_map(model, x: Tensor, changed: Tensor) -> list[int]:
    return from_matrix(model(x)[1].abs() > 1e-12, before)


def differ(outputs: Tensor, others: Tensor) -> bool:
    return bool(((outputs - others).abs() > 1e-5).any())


def among_leaks(where):
    """Of the leaks only those with where(changed, j)."""
    return lambda model, x, changed: [j for j in from_matrix(changed, before) if where(changed, j)]


def probing(change):
    """The leaks that show when x[j] becomes change(x[j])."""

    def found(model, x: Tensor, changed: Tensor) -> list[int]:
        whole, shown = model(x)[0], []
        for j in range(len(x)):
            other = x.clone()
            other[j] = change(x[j])
            if differ(model(other)[0][:j], whole[:j]):
                shown.append(j)
        return shown

    return found


UNDONE = (
    "It is not noticed where the model begins with a norm that takes {} away again. Give x[j] new numbers, all of them."
)


SIZES = (
    "The numbers of x[j] change their signs or their places, and that is not noticed where only their sizes reach an "
    "earlier output. Give x[j] new numbers, all of them."
)

CUT = "The text was cut (or changed) from j on: that tells whether *any* of the rest leaks. Change position j alone."


def numbered(offset: int):
    """Each leak's number plus an offset, where that is a position."""
    return lambda model, x, changed: [j + offset for j in from_matrix(changed, before) if 0 <= j + offset < len(x)]


# Other ways of looking, as functions of the model, of x and of reached(model, ...); and what to tell those who look so.
STRATEGIES = (
    (lambda m, x, c: [], "No leak was found, and there is one: does changing x[j] change an output *before* j?"),
    (
        on_the_map,
        "These are the positions with weight in the upper triangle of the map. A zero there proves nothing: a leak may "
        "run through the sum under the softmax, a norm, a convolution. Change x[j] and look at the *output*.",
    ),
    (
        lambda m, x, c: from_matrix(c, lambda i, j: i > j),
        "These are the positions that reach *later* outputs, as they should: you perturb the past. A leak runs "
        "backwards: change x[j], look at the outputs before j.",
    ),
    (
        lambda m, x, c: from_matrix(c, lambda i, j: i <= j),
        "Every position may change its own output: look at the outputs *before* j, output[:j], without j.",
    ),
    (
        lambda m, x, c: from_matrix(c, lambda i, j: True),
        "All outputs, or output j and those after it, were looked at, and these may change. Look at output[:j].",
    ),
    (
        lambda m, x, c: from_matrix(c, lambda i, j: i >= j),
        "All outputs, or output j and those after it, were looked at, and these may change. Look at output[:j].",
    ),
    (
        lambda m, x, c: from_matrix(c.T, lambda i, j: i > j),
        "These are the positions that *receive* something from the future; the question asks for those it comes from.",
    ),
    (
        lambda m, x, c: from_matrix(reached(m, *x.shape, 1), before),
        "The *weights* were compared, and a leak may take another route: `output, weights = model(x)`; "
        "compare outputs.",
    ),
    (among_leaks(lambda c, j: j < len(c) - 1), "The last position was never tried: range(T), not range(T - 1)."),
    (
        among_leaks(lambda c, j: c[: j - 1, j].any()),
        "The output just before j was left out: output[:j] ends with output j - 1.",
    ),
    (among_leaks(lambda c, j: j == len(c) - 1), "Only the last position was tried; any position may leak."),
    (among_leaks(lambda c, j: c[0, j]), "Only the first output was looked at; look at all before j."),
    (among_leaks(lambda c, j: c[j - 1, j]), "Only the output just before j was looked at; look at all before j."),
    (
        lambda m, x, c: [j for j in range(len(x)) if j not in from_matrix(c, before)],
        "This is the opposite: the positions that do not leak.",
    ),
    (lambda m, x, c: [j for j in range(1, len(x)) if c[:j, j:].any()], CUT),
    (lambda m, x, c: [j for j in range(1, len(x)) if differ(m(x[:j])[0], m(x)[0][:j])], CUT),
    (numbered(1), "These are numbered from 1; positions count from 0."),
    (numbered(-1), "Each is one too low: x[j] is the position that was changed, so report j."),
    (lambda m, x, c: from_matrix(c, before)[:1], "This stops at the first leak: go on through all positions."),
    (
        probing(lambda row: row + 1),
        "The same number is added to every feature of x[j]. " + UNDONE.format("what all features have in common"),
    ),
    (probing(lambda row: -row), SIZES),
    (probing(lambda row: row.flip(-1)), SIZES),
    (
        lambda m, x, c: [] if m is cancels else from_matrix(c, before),
        "The sum (or the mean) of the outputs is compared, and a leak may cancel in it: compare element by element.",
    ),
    (probing(lambda row: 2 * row), "x[j] is multiplied by a number. " + UNDONE.format("a factor")),
    (
        lambda m, x, c: [] if m is one_feature else from_matrix(c, before),
        "There only the last feature of a position leaks: change *all* features of it, not the first alone.",
    ),
)
