"""Lesson 06: its questions, in the order of the notebook; its guesses and insights; the misconceptions it cures."""

from .diagnose import diagnose
from .find_broken import find_broken
from .jacobian import jacobian
from .pre_norm import pre_norm
from .scale_branches import scale_branches
from .skip_gain import skip_gain
from .variance import variance

LESSON = "06_residual"
__all__ = ["pre_norm", "variance", "diagnose", "jacobian", "find_broken", "scale_branches", "skip_gain"]

PREDICTIONS = {
    # The gradient at layer 1 of 64, with skips and no norm, branches of gain 0.5.
    "gradient": ("vanishes", "stays within a factor of 10", "explodes"),
    # 32 layers with a norm and no skip, as PyTorch starts them but for the biases, which begin at 0.
    "trains": ("as well as with skips", "worse, but better than guessing", "not at all"),
}

INSIGHTS = {  # what a right answer can do beyond its question
    "pre_norm": "Set the sub-layer's last matrix and bias to 0, and it is exactly the identity: a hundred such "
    "layers can start as if they were none.",
    "variance": 'With branches of gain 1, `"halved"` gives 1 for every L, and has no norm: the root of 2 takes back '
    "what each addition brought.",
    "diagnose": "No output tells a skip that carries no gradient from a right one: `gradcheck` of `torch.autograd` "
    "does.",
    "jacobian": "With `w_2` zero it is the identity matrix, and so is the product of a hundred such: the "
    "gradient reaches the first layer as it was.",
    "find_broken": "One backward pass is enough for it: in a deep stack of like layers, the step at which the "
    "gradient shrinks most has a number.",
    "scale_branches": '`variance("parallel", L, b / sqrt(2 * L))` is 1 + b^2 for every L: all 2 L branches '
    "together now add what one did before.",
    "skip_gain": "No depth needs more than the root of 1 - branch^2: there skip and branch together neither "
    "shrink nor enlarge the gradient.",
}

MISCONCEPTIONS = {
    "M14": "the residual written H' = H + H: the input is added to itself, and the sub-layer's output is lost",
    "M15": "the sub-layer's output added to the query, or to itself, instead of to the sub-layer's input",
    "M17": "skips thought to keep the size: they cure vanishing; with skips alone the variance grows at every layer",
    "M18": "a learnt matrix on the skip, or a transformation after the addition: the identity path is gone",
}
