"""Lesson 07: the wrong gradients people give for a layer norm, as numbers and as words to tell their authors."""

from itertools import product

import torch
from torch import Tensor

EPS = 1e-5


def over_positions(values: Tensor) -> Tensor:
    return values.reshape(-1, values.shape[-1]).sum(dim=0)


def spread(x: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """(normalised x, sqrt(variance + eps))"""
    deviation = x - x.mean(-1, keepdim=True)
    sigma = (deviation.square().mean(-1, keepdim=True) + eps).sqrt()
    return deviation / sigma, sigma


def of_beta(grad, x, gamma, eps, wanted):
    n, normalised = max(1, grad.numel() // grad.shape[-1]), spread(x, eps)[0]
    yield over_positions(grad) / n, "grad_beta is averaged over the positions; wanted the sum.", None
    yield over_positions(grad * normalised), "grad_gamma and grad_beta have changed places.", None
    yield (
        over_positions(grad * gamma),
        "grad_beta holds gamma; beta is added last, so its gradient is the sum of grad.",
        None,
    )
    yield grad.sum() + 0 * gamma, "grad_beta is summed over the features too; wanted one number per feature.", None
    yield (
        grad.reshape(-1, grad.shape[-1])[0],
        "grad_beta is the first position's gradient; wanted the sum of all.",
        None,
    )
    yield (
        grad.reshape(-1, grad.shape[-1])[-1],
        "grad_beta is the last position's gradient; wanted the sum of all.",
        None,
    )
    yield -over_positions(grad), "The sign of grad_beta is wrong: beta is added.", None
    yield wanted[0].reshape(-1, grad.shape[-1]).sum(0), "grad_beta is the sum of grad_x; wanted the sum of grad.", None


def of_gamma(grad, x, gamma, eps, wanted):
    n, (normalised, sigma) = max(1, grad.numel() // grad.shape[-1]), spread(x, eps)
    yield over_positions(grad), "grad_gamma is the sum of grad: that is grad_beta. What does gamma multiply?", None
    words = "grad_gamma is averaged over the positions; wanted the sum: every position's loss counts."
    yield over_positions(grad * normalised) / n, words, None
    words = "grad_gamma is made with x; gamma multiplies the normalised x, (x - mean) / sqrt(variance + eps)."
    yield over_positions(grad * x), words, None
    yield over_positions(grad * normalised * sigma), f"{words[:-1]}, divided too.", None
    yield over_positions(grad * x / sigma), "grad_gamma is made with x / sigma: the mean is not subtracted.", None
    yield (
        over_positions(grad * normalised * gamma),
        "grad_gamma holds gamma once more; it is the sum of grad * normalised.",
        None,
    )
    yield (
        (grad * normalised).sum() + 0 * gamma,
        "grad_gamma is summed over the features too; wanted one per feature.",
        None,
    )
    yield -over_positions(grad * normalised), "The sign of grad_gamma is wrong.", None
    one_place = (grad * normalised).reshape(-1, grad.shape[-1])
    for row, which in ((one_place[0], "first"), (one_place[-1], "last")):
        yield row, f"grad_gamma is the {which} position's gradient; wanted the sum of all.", None
    yield from unbiased(lambda z, s: over_positions(grad * z), x, eps)
    for name, z in spreads(x, eps):
        yield over_positions(grad * z[0]), name, "M21"


def spreads(x, eps):
    deviation = x - x.mean(-1, keepdim=True)
    variance = deviation.square().mean(-1, keepdim=True)
    for what, sigma in (
        ("eps stands outside the root; wanted sqrt(variance + eps).", variance.sqrt() + eps),
        (f"eps is fixed at {EPS:g}; it is an argument.", (variance + EPS).sqrt()),  # missing was told before
        ("eps is missing, or fixed at a small number: sigma is sqrt(variance + eps).", variance.sqrt()),
        ("The division is by the variance; wanted by its root.", variance + eps),
    ):
        yield what, (deviation / sigma, sigma)


def unbiased(make, x, eps):
    D, deviation = x.shape[-1], x - x.mean(-1, keepdim=True)
    if D > 1:
        sigma = (deviation.square().sum(-1, keepdim=True) / (D - 1) + eps).sqrt()
        words = "sigma is made with the unbiased variance, divided by D - 1; the layer norm divides by D."
        yield make(deviation / sigma, sigma), words, "M21"


def of_x(grad, x, gamma, eps, wanted):
    (z, sigma), h = spread(x, eps), grad * gamma

    def term(a):
        return a.mean(-1, keepdim=True)

    def full(h, z, sigma):
        return (h - term(h) - z * term(h * z)) / sigma

    constant = "mu and sigma are treated as constants, but x moves both: two terms are missing."
    no_sigma = "sigma is treated as a constant, but x moves it: the term with mean(h * normalised) is missing "
    no_sigma += "(or it is a product of means: mean(h) * mean(normalised) is 0)."
    no_mu = "mu is treated as a constant, but x moves it: the term mean(h) is missing."
    bodies = {
        constant: h,
        no_sigma: h - term(h),
        no_mu: h - z * term(h * z),
        "": h - term(h) - z * term(h * z),
        "The term through mu has the wrong sign.": h + term(h) - z * term(h * z),
        "The term through sigma has the wrong sign.": h - term(h) + z * term(h * z),
        "Both terms have the wrong sign.": h + term(h) + z * term(h * z),
        "Sums are used where means should be: divide both by D.": h - h.sum(-1, True) - z * (h * z).sum(-1, True),
        "A sum stands for the mean in the term through mu.": h - h.sum(-1, True) - z * term(h * z),
        "A sum stands for the mean in the term through sigma.": h - term(h) - z * (h * z).sum(-1, True),
        "The normalised x is missing before mean(h * normalised).": h - term(h) - term(h * z),
        "The means are divided by D once more.": h - term(h) / h.shape[-1] - z * term(h * z) / h.shape[-1],
        "x is used where the normalised x should be.": h - term(h) - x * term(h * x),
        "x - mean is used where the normalised x should be.": h - term(h) - z * sigma * term(h * z * sigma),
        "x - mean is used where the second normalised x should be.": h - term(h) - z * term(h * z * sigma),
        "x - mean is used where the first normalised x should be.": h - term(h) - z * sigma * term(h * z),
        "The means run over other axes than the features.": h
        - h.mean(0, keepdim=True)
        - z * (h * z).mean(0, keepdim=True),
    }
    below = {
        "": sigma,
        "The division by sigma at the end is missing.": torch.ones_like(sigma),
        "The division is by the variance; wanted by sigma, once.": sigma**2,
        "It is multiplied by sigma; wanted divided.": 1 / sigma,
    }
    yield h, "grad_x is grad * gamma: the normalisation is ignored.", None
    yield grad, "grad_x is grad itself.", None
    yield 0 * grad, "grad_x is 0 everywhere: no gradient would pass the norm.", None
    for (told, body), (more, under) in product(bodies.items(), below.items()):
        if told or more:
            yield body / under, f"{told} {more}".strip(), None
    for told, g in (("gamma is forgotten: h = grad * gamma.", grad), ("grad is divided by gamma.", grad / gamma)):
        yield full(g, z, sigma), told, None
        yield g / sigma, f"{told} And {constant}", None
        yield (g - term(g)) / sigma, f"{told} And {no_sigma}", None
    words = "gamma multiplies the result; it belongs inside the means, h = grad * gamma, because it differs by feature."
    yield gamma * full(grad, z, sigma), words, None
    yield -full(h, z, sigma), "The sign is wrong.", None
    yield from unbiased(lambda z, s: full(h, z, s), x, eps)
    D = x.shape[-1]
    if D > 1:
        words = "Both means are divided by D - 1; the layer norm's are divided by D."
        yield (h - h.sum(-1, True) / (D - 1) - z * (h * z).sum(-1, True) / (D - 1)) / sigma, words, "M21"
        words = "The term through sigma is divided by D - 1; the layer norm's variance is divided by D."
        yield (h - term(h) - z * (h * z).sum(-1, True) / (D - 1)) / sigma, words, "M21"
    for name, (other, s) in spreads(x, eps):
        yield full(h, other, s), name, "M21"
        yield full(h, other, sigma), name, "M21"
        yield full(h, z, s), name, "M21"
    words = "The output of the norm stands where the normalised x, before gamma, should."
    yield (h - term(h) - gamma * z * term(h * gamma * z)) / sigma, words, None
