"""Lesson 02, softmax: the wrong answers people give, as numbers to compare with and words to tell their authors."""

import torch

from ..common import close, number

INF = float("inf")
ROUNDING = 2e-3  # neighbouring float32 numbers near 10000 are 0.001 apart


def values(x, dim, got):
    """Faults of softmax(x, dim), given what the learner got."""
    x = x.double()
    powers, right = x.exp(), x.softmax(dim)
    for other in range(x.ndim):
        fixed = "dim is ignored inside the function, or its default is not -1"
        fixed += ", or `dim or -1` treats 0 as not given" if dim == 0 else ""
        yield x.softmax(other), f"These are the softmax along dim={other}; dim={dim} was asked for: {fixed}.", None
    yield (
        x.flatten().softmax(0).view_as(x),
        "The whole tensor sums to 1; each row along dim should. "
        "The sum in the denominator runs over everything: give it dim=dim, keepdim=True.",
        None,
    )
    for other in range(x.ndim):
        below = f"The sum in the denominator runs along dim={other}; it should run along the dim asked for, {dim}."
        yield powers / powers.sum(other, True), below, None
        lowered = (x - x.amax(dim, True)).exp()
        yield lowered / lowered.sum(other, True), below, None
        lowered = (x - x.amax(other, True)).exp()
        words = f"The maximum is taken along dim={other}: scores of a row lose different ones. Take it along {dim}."
        yield lowered / lowered.sum(dim, True), words, None
    for lowered in (powers, (x - x.amax(dim, True)).exp()):
        yield lowered / lowered.sum(), "The sum in the denominator runs over the whole tensor: give it dim=dim.", None
    missing = "The maximum is subtracted and the rest divided by its sum: exp is missing."
    lowered = x - x.amax(dim, True)
    yield lowered / lowered.sum(dim, True), missing, "M03"
    yield powers, "exp(x) is not divided by anything: the weights along dim must sum to 1.", "M03"
    yield (x - x.amax(dim, True)).exp(), "exp(x - max) is not divided by its sum along dim.", "M03"
    yield x, "The scores came back as they were.", "M03"
    yield x - x.amax(dim, True), "The maximum is subtracted, and that is all: exp and the division are missing.", None
    yield x.log_softmax(dim), "This is the logarithm of softmax: all numbers are negative. Take exp of it.", None
    yield x.sigmoid(), "This is the sigmoid of each score alone: nothing makes a row sum to 1.", "M03"
    one_hot = torch.zeros_like(x).scatter(dim, x.argmax(dim, True), 1.0)
    yield one_hot, "This is a hard maximum, 1 for the largest score. Softmax gives every score its share.", None
    lifted = x - x.amin(dim, True)
    yield lifted / lifted.amax(dim, True), "The scores are stretched to 0 ... 1, without exp or a sum.", "M03"
    yield lifted / lifted.sum(dim, True), "The scores less their smallest are divided by their sum: no exp.", "M03"
    yield x / x.sum(dim, True), "The scores are divided by their sum, without exp: so weights can be negative.", "M03"
    yield x.relu() / x.relu().sum(dim, True), "Negative scores are clipped to 0 and there is no exp.", "M03"
    yield x.abs() / x.abs().sum(dim, True), "The scores' sizes are divided by their sum; exp is missing.", "M03"
    yield right.softmax(dim), "Softmax is applied twice.", None
    yield powers / powers.mean(dim, True), "exp(x) is divided by its mean along dim; divide by its sum.", None
    yield powers / powers.amax(dim, True), "exp(x) is divided by its largest value along dim; divide by its sum.", None
    yield torch.full_like(x, 1 / x.shape[dim]), "All weights are equal, whatever the scores.", None
    for unbiased in (True, False):
        centred = (x - x.mean(dim, True)) / x.std(dim, unbiased=unbiased, keepdim=True)
        yield (
            centred.softmax(dim),
            "The scores are divided by their standard deviation first: take them as given.",
            None,
        )
    for divisor in (x.norm(dim=dim, keepdim=True), x.abs().amax(dim, True), x.abs().sum(dim, True)):
        yield (x / divisor).softmax(dim), "The scores are divided by their size first: take them as given.", None
    for name, act in {
        "their sizes": x.abs(),
        "max(0, score)": x.relu(),
        "a tanh": x.tanh(),
        "a sigmoid": x.sigmoid(),
    }.items():
        yield act.softmax(dim), f"This is the softmax of {name}; take the scores as given.", None
    slope = temperature(got, x, dim)
    if slope and abs(slope - 1) > 1e-3:
        base = " That is base 2 in place of base e." if abs(slope - 0.6931) < 1e-3 else ""
        yield got.double(), f"These are the softmax of the scores times {number(slope)}, not of the scores.{base}", None
    total = got.detach().double().sum(dim)
    if close(got.detach().double() / total.unsqueeze(dim), right, 1e-5):
        words = f"The weights along dim sum to {number(total.min())} ... {number(total.max())}, not to 1: "
        words += "look at what is in the denominator"
        epsilon = " (an epsilon there?)." if (total - 1).abs().max() < 0.05 else "."
        yield got.double(), words + epsilon, None
    if close(got, right, 0.02):
        return  # nearly right: compare() says so
    if not close(total, torch.ones_like(total)):
        words = f"The weights along dim={dim} must sum to 1; yours sum to {number(total.min())} ... "
        yield got, words + f"{number(total.max())}. Divide exp of each score by the sum of all of them.", None
    words = (
        f"Each row along dim={dim} sums to 1, but two weights do not have the ratio exp(difference of their scores)."
    )
    yield got, words, None


def temperature(got, scores, dim=-1):
    """c if the learner's weights are softmax(c * scores) along dim for some c, else None."""
    got = got.detach().double()
    if not (got > 0).all():
        return None
    y, x = got.log(), scores - scores.mean(dim, keepdim=True)
    y = y - y.mean(dim, keepdim=True)
    slope = float((x * y).sum() / (x * x).sum())
    return slope if abs(slope) > 1e-3 and close(got, (slope * scores).softmax(dim), 1e-4) else None


def large_scores():
    """(scores, message about what came back): which part of the trick with the maximum is missing."""
    yield torch.tensor([[1e4, 1e4 - 1, 1e4 - 3], [1e4, 1e4, 1e4 - 2]]), overflow
    yield torch.tensor([[-1e4, -1e4 + 1, -1e4 + 3], [-1e4, -1e4 - 2, -1e4]]), underflow
    yield torch.tensor([[1e4, 1e4 - 1, 1e4 - 3], [-1e4, -1e4 + 2, -1e4 + 1]]), far_apart
    yield torch.tensor([[1e4, -1e4, 0.0, 1e4 - 2], [5e3, 5e3 - 1, -1e4, 4e3]]), spread


def overflow(got):
    if got.isfinite().all() and (got <= 0).all() and got.min() < -0.1:
        return f"Softmax of 10000, 9999, 9997 came out as {row(got[0])}: no weight is negative (a logarithm?)."
    if not got.isfinite().all() or (got.sum(-1) < 0.5).any():
        became = "NaN" if got.isnan().any() else "inf" if got.isinf().any() else "0"
        return (
            f"Scores near 10000 give {became}: exp(10000) is inf, and so is the sum below it. "
            "Subtract each row's largest score before exp: it cancels in the fraction."
        )
    if close(got[1, 2], got[1, 1], 1e-3) and close(got.sum(-1), torch.ones(2), 1e-3):
        return (
            "10000 and 9998 got the same weight: are scores clamped or rounded, or are the maxima not the rows' own? "
            "Subtract each row's maximum."
        )
    return f"Softmax of 10000, 9999, 9997 came out as {row(got[0])}; wanted 0.7054, 0.2595, 0.03512."


def spread(got):
    if not got.isfinite().all():
        return (
            "A row with 10000 and -10000 gives NaN or inf: something is subtracted before exp, but not the row's "
            "largest score (its mean?), so exp still overflows."
        )
    return f"Softmax of 10000, -10000, 0, 9998 came out as {row(got[0])}; wanted 0.8808, 0, 0, 0.1192."


def underflow(got):
    if not got.isfinite().all() or (got.sum(-1) < 0.5).any():
        return (
            "Scores near -10000 give NaN or zeros: every exp underflows to 0, and 0 / 0 is not a number. "
            "Subtract the largest score itself (not its size, not only when it is positive)."
        )
    return f"Softmax of -10000, -9999, -9997 came out as {row(got[0])}; wanted 0.04201, 0.1142, 0.8438."


def far_apart(got):
    return (
        f"With one row near 10000 and one near -10000 the rows came out as {row(got[0])} and {row(got[1])}: "
        "the maximum is taken over the whole tensor or another axis. Take it along dim, with keepdim=True."
    )


def large_columns(x, columns):
    """Faults of softmax(x.T, dim=0), columns, when softmax(x, dim=-1) is right; compared as columns.T."""
    words = "These are the softmax along the last axis; dim=0 was asked for: dim is ignored inside the function"
    right = x.T.double().softmax(-1)
    zeros = right.nan_to_num(0.0)
    for wrong in (right, zeros):
        yield wrong.T, f"{words} (or `dim or -1`, which treats 0 as not given).", None
    if not columns.isfinite().all() and x.isfinite().all():
        words = "softmax(x, dim=0) gives NaN or inf where softmax(x.T, dim=-1) is right: take the maximum along dim."
        yield columns.T, words, None


def row(numbers):
    return ", ".join(number(n) for n in numbers)


def minus_infinity(x, wanted, got):
    """Faults of softmax on scores with -inf; row 2 is all -inf."""
    empty = x.eq(-INF).all(-1)
    if close(got[~empty], wanted[~empty], ROUNDING):
        rest = got[empty].detach().double()
        if rest.isnan().any():
            yield got, "A row that is all -inf gives NaN (-inf minus -inf). No score is allowed: return zeros.", None
        elif close(rest, torch.full_like(rest, 1 / x.shape[-1])):
            yield got, "A row that is all -inf gets equal weights: no score is allowed, so return zeros.", None
        else:
            yield got, f"A row that is all -inf gives {row(rest[0])}; it should give zeros.", None
    undefined = got[~empty].isnan().any(-1)
    if undefined.any():
        words = f"The row {row(x[~empty][undefined][0])} gives NaN. exp(-inf) is 0, and that is all there is to -inf: "
        yield got, f"{words}subtract the row's largest score, which is finite.", None
    if (got[~empty] * x[~empty].eq(-INF)).nan_to_num().abs().max() > 0:
        yield got, "A score of -inf got a weight that is not 0: exp(-inf) is exactly 0.", None
    if close(got[~empty], torch.zeros_like(wanted[~empty])) or (got[~empty].sum(-1) < 0.5).any():
        yield (
            got,
            "A row with some scores -inf lost all its weights; only a row that is all -inf should be zeros.",
            None,
        )
    off = (got[~empty] - wanted[~empty]).nan_to_num().abs().sum(-1).argmax()
    yours, right = row(got[~empty][off]), row(wanted[~empty][off])
    words = (
        f"A row with some scores -inf came out as {yours}; wanted {right}: the other scores share the "
        "weight as if they were alone."
    )
    yield got, words, None


def gradient(x, w, upstream):
    told = "The sum in the denominator is cut from the gradient (.detach() or no_grad around it)."
    yield w * upstream, told, None
    largest = torch.zeros_like(w).scatter(-1, x.argmax(-1, True), 1.0)  # where the gradient of the maximum goes
    yield w * upstream - largest * (w * upstream).sum(-1, True), told, None
    yield torch.zeros_like(w), "The gradient is zero everywhere: part of the computation is cut from it.", None
