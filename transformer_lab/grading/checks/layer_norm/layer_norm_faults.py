"""Lesson 07: the wrong norms people write, as numbers to compare with and words to tell their authors."""

from itertools import combinations, product

import torch

AXES_OF_THREE = {
    (0,): "over the batch",
    (1,): "over time (the positions)",
    (0, 1): "over batch and time, as batch norm does",
    (1, 2): "over time and features together",
    (0, 2): "over batch and features together",
    (0, 1, 2): "over the whole tensor",
}


def layer_norm(x, gamma, beta, eps):
    """The right numbers, in float64."""
    x, gamma, beta = x.double(), gamma.double(), beta.double()
    deviation = x - x.mean(-1, keepdim=True)
    return gamma * deviation / (deviation.square().mean(-1, keepdim=True) + eps).sqrt() + beta


def axes_of(x):
    """(axes, words) of every choice of axes but the right one."""
    for size in range(1, x.ndim + 1):
        for axes in combinations(range(x.ndim), size):
            if axes != (x.ndim - 1,):
                words = AXES_OF_THREE.get(axes) if x.ndim == 3 else None
                words = words or (f"over axis {axes[0]}" if size == 1 else f"over the axes {axes}")
                yield (
                    axes,
                    f"Mean and variance are taken {words}; wanted over the features of each position alone, dim=-1.",
                )


def denominators(deviation, axes, eps, x):
    """(denominator, words) of what stands below the fraction line; the right one first, without words."""
    n = max(1, torch.Size([deviation.shape[axis] for axis in axes]).numel())
    variance = deviation.square().mean(axes, keepdim=True)
    yield (variance + eps).sqrt(), ""
    more = "This shows where the variance is not far above eps."
    if n > 1:
        unbiased = variance * n / (n - 1)
        told = "The variance is the unbiased one, divided by n - 1; wanted divided by n (unbiased=False, correction=0)."
        yield (unbiased + eps).sqrt(), told
        yield unbiased.sqrt() + eps, f"{told} And eps stands outside the root."
        yield unbiased + eps, f"{told} And the root is missing."
        yield unbiased.sqrt(), f"{told} And eps is missing."
    yield variance.sqrt() + eps, f"eps stands outside the root; wanted sqrt(variance + eps). {more}"
    yield variance + eps, "The division is by the variance; wanted by its square root, sqrt(variance + eps)."
    yield variance, "The division is by the variance; wanted by its square root, and eps is missing."
    yield (variance + eps) ** 2, "The division is by the square of the variance; wanted by its square root."
    told = "eps is missing, fixed at a small number, or squared; wanted sqrt(variance + eps), with eps as it is given."
    yield variance.sqrt(), f"{told} {more}"
    yield variance.sqrt(), f"eps is missing; wanted sqrt(variance + eps). {more}"
    yield variance.clamp_min(eps).sqrt(), f"The variance is clamped at eps; wanted variance + eps. {more}"
    yield (
        variance.sqrt().clamp_min(eps),
        f"The standard deviation is clamped at eps; wanted sqrt(variance + eps). {more}",
    )
    yield (variance + eps**2).sqrt(), f"eps is squared under the root; wanted sqrt(variance + eps). {more}"
    for fixed in (1e-5, 1e-6, 2**-23, 1e-8, 1e-12):  # 2**-23: what F.rms_norm takes when it is given none
        if fixed != eps:
            yield (variance + fixed).sqrt(), f"{told} {more}"
    told = "The division is by the length of the vector (the squares are summed); wanted by the root of their mean."
    yield (n * variance + eps).sqrt(), told
    yield (n * variance).sqrt(), told
    yield deviation.abs().mean(axes, keepdim=True) + eps, "The division is by the mean absolute deviation."
    square = x.square().mean(axes, keepdim=True)
    yield (square + eps).sqrt(), "The division is by the root mean square of x itself; take it of x - mean."
    yield torch.ones_like(variance), "Nothing is divided: the mean is gone, the spread is as it was."
    yield 1 / (variance + eps).sqrt(), "It is multiplied by sqrt(variance + eps); wanted divided."


def affines(gamma, beta):
    """(function of the normalised numbers, words) of what gamma and beta do; the right one first."""
    yield lambda n: gamma * n + beta, ""
    yield lambda n: gamma * n, "beta is not added: the learnt shift comes last."
    yield lambda n: n + beta, "gamma does not multiply the normalised numbers."
    yield lambda n: n, "gamma and beta are not used."
    yield lambda n: gamma * (n + beta), "beta is added before gamma multiplies; wanted gamma * normalised + beta."
    yield lambda n: beta * n + gamma, "gamma and beta have changed places: gamma scales, beta shifts."
    yield lambda n: gamma * n - beta, "beta is subtracted; wanted gamma * normalised + beta."
    yield (
        lambda n: (n - beta) / gamma,
        "gamma and beta normalise here, (... - beta) / gamma; wanted gamma * ... + beta.",
    )
    yield lambda n: (1 + gamma) * n + beta, "The scale is 1 + gamma; wanted gamma (it starts at 1, not at 0)."
    yield lambda n: gamma * n * beta, "beta multiplies; it should be added, gamma * normalised + beta."
    yield lambda n: gamma.abs() * n + beta, "gamma has lost its sign: a learnt scale may be negative."
    yield lambda n: gamma.mean() * n + beta, "One number stands for all of gamma: each feature has a scale of its own."


def layer_norms(x, gamma, beta, eps):
    """(numbers, message, misconception) of each wrong layer norm: one or two of its parts are wrong."""
    x, gamma, beta = x.double(), gamma.double(), beta.double()
    last = (x.ndim - 1,)
    for axes, about_axes in ((last, ""), *axes_of(x)):
        mean = x.mean(axes, keepdim=True)
        for centre, about_mean in ((mean, ""), (0.0, "The mean is not subtracted.")):
            ways = product(denominators(x - mean, axes, eps, x), affines(gamma, beta))
            for (below, about_below), (affine, about_affine) in ways:
                words = list(filter(None, (about_axes, about_mean, about_below, about_affine)))
                if words and len(words) <= 2:
                    first = "M20" if about_axes else "M21" if about_below else None if about_mean else "M22"
                    if about_mean or about_below.startswith(
                        ("Nothing", "It is multiplied", "The division is by the mean")
                    ):
                        first = "M20" if about_axes else None
                    yield affine((x - centre) / below), " ".join(words), first
    for axes, about in axes_of(x):
        for of_mean, of_variance, which in ((last, axes, "variance"), (axes, last, "mean")):
            mean = x.mean(of_mean, keepdim=True)
            spread = (x.var(of_variance, keepdim=True, correction=0) + eps).sqrt()
            yield gamma * (x - mean) / spread + beta, about.replace("Mean and variance are", f"The {which} is"), "M20"
    yield (
        (x - beta) / gamma,
        "gamma and beta are used as mean and deviation; the statistics must be computed from x.",
        "M22",
    )
    yield (x - beta) / (gamma + eps), "gamma and beta are used as mean and deviation; compute those from x.", "M22"
    yield (
        gamma * x + beta,
        "Nothing is normalised: gamma and beta alone are applied. Mean and deviation come from x.",
        "M22",
    )
    normal = layer_norm(x, gamma, beta, eps)
    yield layer_norm(normal, gamma, beta, eps), "The norm is applied twice.", None
    words = "gamma multiplies x before the norm, so it moves mean and deviation too; it comes after the division."
    yield layer_norm(gamma * x, torch.ones_like(gamma), beta, eps), words, "M22"
    deviation, unbiased = x - x.mean(-1, keepdim=True), x.std(-1, keepdim=True) if x.shape[-1] > 1 else 1 + 0 * x
    spread = (deviation.square().mean(-1, keepdim=True)).sqrt()
    words = "eps is added above the fraction line; it belongs under the root, sqrt(variance + eps)."
    for below in (spread, (spread.square() + eps).sqrt(), unbiased):
        yield gamma * (deviation + eps) / below + beta, words, "M21"
    yield x, "x comes back as it was.", None
    yield normal + x, "x is added to the result: the residual is not a part of the norm.", None


def rms_norm(x, gamma, eps):
    """The right numbers, in float64."""
    x, gamma = x.double(), gamma.double()
    return gamma * x / (x.square().mean(-1, keepdim=True) + eps).sqrt()


def rms_norms(x, gamma, eps):
    """(numbers, message, misconception) of each wrong RMSNorm."""
    x, gamma = x.double(), gamma.double()
    zero, last = torch.zeros_like(gamma), (x.ndim - 1,)
    scales = (gamma, ""), (torch.ones_like(gamma), "gamma is not used."), (1 + gamma, "The scale is 1 + gamma.")
    for axes, about_axes in ((last, ""), *axes_of(x)):
        about_axes = about_axes.replace("Mean and variance are", "The mean square is")
        for (below, about_below), (scale, about_scale) in product(denominators(x, axes, eps, x), scales):
            told = about_below.replace("The variance", "The mean square").replace("variance", "mean square")
            told = told.replace("standard deviation", "root").replace("mean absolute deviation", "mean absolute value")
            if told.startswith("Nothing"):
                told = "Nothing is divided."
            words = list(filter(None, (about_axes, told, about_scale)))
            if words and len(words) <= 2:
                yield scale * x / below, " ".join(words), "M20" if about_axes else "M21" if about_below else None
    mean, deviation = x.mean(-1, keepdim=True), x.std(-1, keepdim=True, correction=0) if x.shape[-1] > 1 else 0 * x
    words = "The mean is subtracted: that is a layer norm. RMSNorm leaves the mean in."
    yield layer_norm(x, gamma, zero, eps), words, None
    yield gamma * (x - mean) / (x.square().mean(-1, keepdim=True) + eps).sqrt(), words, None
    words = (
        "The division is by the standard deviation, from which the mean is subtracted; wanted the root of mean(x^2)."
    )
    yield gamma * x / (deviation.square() + eps).sqrt(), words, None
    yield gamma * x * (x.square().mean(-1, keepdim=True) + eps).rsqrt().square(), "The root is missing.", "M21"
    yield rms_norm(rms_norm(x, gamma, eps), gamma, eps), "The norm is applied twice.", None
    words = "gamma multiplies x before the norm, so it moves the mean square too; it comes after the division."
    yield rms_norm(gamma * x, torch.ones_like(gamma), eps), words, None
    if x.shape[-1] > 1:
        words = "The division is by the standard deviation, which leaves the mean out; wanted the root of mean(x^2)."
        variance = x.var(-1, keepdim=True)
        for below in ((variance + eps).sqrt(), variance.sqrt() + eps, variance.sqrt()):
            yield gamma * x / below, words, None
    root = (x.square().mean(-1, keepdim=True) + eps).sqrt()
    for told, wrong in (
        ("The division is by gamma; it should multiply.", x / root / gamma),
        ("gamma is squared.", gamma.square() * x / root),
        ("gamma is added; it should multiply.", gamma + x / root),
        ("The signs are gone: x itself stands above the fraction line.", gamma * x.abs() / root),
        ("gamma has lost its sign: a learnt scale may be negative.", gamma.abs() * x / root),
        ("The division is by the mean of x; wanted by the root of the mean of its squares.", gamma * x / (mean + eps)),
        ("The largest size is taken for the root mean square.", gamma * x / (x.abs().amax(-1, keepdim=True) + eps)),
        (
            "The mean is subtracted afterwards: RMSNorm leaves it in.",
            rms_norm(x, gamma, eps) - rms_norm(x, gamma, eps).mean(-1, keepdim=True),
        ),
        ("x comes back as it was.", x),
    ):
        yield wrong, told, None
    words = "The square of the mean stands below the fraction line; wanted the mean of the squares."
    yield gamma * x / (mean.square() + eps).sqrt(), words, None
