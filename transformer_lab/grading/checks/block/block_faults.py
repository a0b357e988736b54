"""Lesson 09: the numbers of wrong blocks and wrong stacks, with what to tell their authors."""

import itertools

import torch
import torch.nn.functional as F
from torch import Tensor

FIRST, SECOND = "attention", "the feed-forward layer"


def blocks(x: Tensor, a, f, n):
    """Wrong blocks made of attention a, feed-forward f and norm n."""
    x1 = x + a(n(x))
    right = x1 + f(n(x1))
    once = n(x + a(x))
    h = n(x)
    h1 = h + a(h)
    yield n(once + f(once)), POST, "M23"
    for said in (n(n(x + a(n(x))) + f(n(n(x + a(n(x)))))), n(right)):
        yield said, AFTER, "M18"
    yield x + n(a(x)) + f(x + n(a(x))), NORM_ON_BRANCH, "M23"
    x2 = x + n(a(x))
    yield x2 + n(f(x2)), NORM_ON_BRANCH, "M23"
    h2 = n(h1)
    for said in (h2 + f(h2), h1 + f(n(h1)), n(x1) + f(n(x1))):
        yield said, SKIP_NORMED, "M15"
    yield x + f(n(x1)), FROM_THE_START, "M15"
    yield (
        x + x1 + f(n(x1)),
        "The block's input is added twice: once before attention's output, and again at the end.",
        None,
    )
    yield x1 + f(n(x)), PARALLEL, None
    yield x1 + f(x1), no_norm(SECOND), None
    yield x + a(x) + f(n(x + a(x))), no_norm(FIRST), None
    yield x + a(x) + f(x + a(x)), "No norm is used: each part must read the normalised x.", None
    yield (
        x1 + f(h),
        "The feed-forward layer reads norm 1 of the block's input; it must read norm 2 of what attention left.",
        None,
    )
    y = a(n(x))
    for said in (y + y + f(n(y + y)), 2 * f(n(x1))):
        yield said, TO_ITSELF, "M15"
    for said in (2 * x + f(n(2 * x)), x1 + x1, 4 * x):
        yield said, DOUBLED, "M14"
    yield y + f(n(y)), no_skip(FIRST), "M15"
    yield f(n(x1)), no_skip(SECOND), "M15"
    yield x1 - x + f(n(x1)), "x itself is lost: the second skip carries attention's output alone, without x.", "M15"
    yield (
        f(n(y)),
        "There is no skip around either part: x + attention(norm(x)), then the same with feed_forward.",
        "M15",
    )
    yield x1, f"The block ends after {FIRST}: {SECOND} is missing. Every block has both.", "M29"
    yield x + f(n(x)), f"{FIRST} is missing: every block has both parts, attention first.", "M29"
    z = x + f(n(x))
    yield z + a(n(z)), "The feed-forward layer comes before attention: attention is first.", None
    yield x, "The block gives its input back unchanged: is the result of a part thrown away?", None
    for act, name in ((F.relu, "ReLU"), (F.gelu, "GELU"), (torch.tanh, "tanh")):
        y = x + act(a(n(x)))
        yield y + f(n(y)), f"A {name} follows {FIRST}; nothing should: x + part(norm(x)).", None
        yield x1 + act(f(n(x1))), f"A {name} follows {SECOND}; nothing should: x + part(norm(x)).", None
    for factor in (0.5, 2**-0.5):
        y = factor * x1
        words = f"A sum of x and a part is multiplied by {factor:.3g}; wanted the sum itself, x + part(norm(x))."
        for said in (factor * (y + f(n(y))), y + f(n(y)), factor * right):
            yield said, words, None
    for factor in (0.5, 2**-0.5, 2):
        y = x + factor * a(n(x))
        words = f"A part's output is multiplied by {factor:.3g}; wanted x + part(norm(x))."
        for said in (y + factor * f(n(y)), y + f(n(y)), x1 + factor * f(n(x1))):
            yield said, words, None
    yield x1 + a(n(x1)), f"{FIRST} stands in both places; the second part is {SECOND}.", None
    yield x + f(n(x)) + f(n(x + f(n(x)))), f"{SECOND} stands in both places; the first part is {FIRST}.", None
    yield F.relu(right), "An activation stands after the last addition: the residual path must stay bare.", "M18"
    for other, axes in (
        (lambda x: (x - x.mean((0, 1))) / (x.var((0, 1), unbiased=False) + 1e-5).sqrt(), "batch and positions"),
        (lambda x: (x - x.mean(1, True)) / (x.var(1, unbiased=False, keepdim=True) + 1e-5).sqrt(), "the positions"),
        (lambda x: F.layer_norm(x, x.shape[1:]), "positions and features together"),
        (lambda x: F.layer_norm(x, x.shape), "everything"),
    ):
        y = x + a(other(x))
        yield y + f(other(y)), wrong_axis(axes), None
        yield y + f(n(y)), f"Before {FIRST}: {wrong_axis(axes)}", None
        yield x1 + f(other(x1)), f"Before {SECOND}: {wrong_axis(axes)}", None
    for read in (root_mean_square, n):
        for other in (root_mean_square, n):
            y = x + a(read(x))
            yield y + f(other(y)), NOT_CENTRED, None
    yield x - a(n(x)) + f(n(x - a(n(x)))), "A part's output is subtracted; wanted x + part(norm(x)).", None
    yield x1 - f(n(x1)), "The feed-forward layer's output is subtracted; wanted x + part(norm(x)).", None
    yield from systematic(x, a, f, n)


POST = (
    "This is a post-norm block, norm(x + part(x)), as in 2017. Wanted pre-norm: x + part(norm(x)), "
    "so that x itself passes from block to block."
)
AFTER = (
    "A norm stands after an addition, so x no longer passes unchanged from the block's start to its end. "
    "Wanted: x + part(norm(x)) twice; the stack brings one norm at its very end."
)
NORM_ON_BRANCH = "The norm stands after the part, x + norm(part(x)); wanted before it: x + part(norm(x))."
SKIP_NORMED = (
    "The skip carries norm(x) in place of x: `x = norm(x)` overwrote the sum. Keep x: x = x + part(norm(x)), "
    "with the norm on the branch alone."
)
FROM_THE_START = (
    "The second skip carries the block's input; wanted what attention left, x + attention(norm(x)). "
    "Attention's output reaches the end only through the feed-forward layer."
)
PARALLEL = (
    "The feed-forward layer reads the block's input, in parallel with attention (some models do so on "
    "purpose). Wanted one after "
    "the other: it reads the norm of x + attention(norm(x))."
)
TO_ITSELF = "A part's output is added to itself; wanted to x, the part's input before the norm."
DOUBLED = "x is added to x and a part's output is lost: wanted x + part(norm(x)), not x + x."


NOT_CENTRED = "The mean is not subtracted in a norm (as in an RMSNorm); nn.LayerNorm subtracts it."


def root_mean_square(x: Tensor) -> Tensor:
    return x / (x.square().mean(-1, keepdim=True) + 1e-5).sqrt()


def wrong_axis(axes: str) -> str:
    return f"The norm takes its mean and variance over {axes}; wanted over the features of each position alone."


def no_norm(part: str) -> str:
    return f"There is no norm before {part}: it must read norm(x)."


def no_skip(part: str) -> str:
    return f"There is no skip around {part}: x is lost. Wanted x + part(norm(x))."


def systematic(x, a, f, n):
    """Every block of this form: skip + part(input), with a wrong skip, input or norm after it, in either half."""
    skips = {
        "x": lambda x: x,
        "norm(x)": n,
        "nothing": torch.zeros_like,
    }
    inputs = {"norm(x)": n, "x": lambda x: x}
    after = {"": lambda x: x, "norm": n}
    halves = list(itertools.product(skips, inputs, after))
    for first, second in itertools.product(halves, halves):
        y = x
        for part, (skip, read, end) in ((a, first), (f, second)):
            y = after[end](skips[skip](y) + part(inputs[read](y)))
        yield y, " ".join(sentence(half, part) for half, part in ((first, FIRST), (second, SECOND))).strip(), None


def sentence(half: tuple, part: str) -> str:
    skip, read, end = half
    said = []
    if skip != "x":
        said.append(f"the skip carries {skip}, not x")
    if read != "norm(x)":
        said.append("it reads x without a norm")
    if end:
        said.append("a norm follows the addition")
    return f"Around {part}: {', '.join(said)}. Wanted x + part(norm(x))." if said else ""


def stacks(x: Tensor, made: list):
    """Wrong ways through the blocks."""

    def through(x, blocks, each=lambda x: x):
        for block in blocks:
            x = each(block(x))
        return x

    def norm(x):
        return F.layer_norm(x, x.shape[-1:])

    right = norm(through(x, made))
    yield through(x, made), "The norm is made but not used: the last block's sum must pass through it.", None
    y = x
    for block in made:
        y = block(norm(y))
    for said in (y, norm(y)):
        yield said, "The norm stands before every block; wanted once, after the last.", None
    yield through(x, made, norm), "The norm follows every block; wanted once, after the last.", None
    yield norm(through(x, made[::-1])), "The blocks run from the last to the first: keep their order.", None
    yield through(norm(x), made), "The norm stands before the first block; wanted after the last.", None
    yield (
        norm(through(norm(x), made)),
        "A norm stands before the first block as well; wanted only after the last.",
        None,
    )
    for block, words in ((made[-1], LAST_ONLY), (made[0], FIRST_ONLY)):
        yield norm(block(x)), words, None
        yield block(x), words + " And the norm is not used.", None
    outputs = sum(block(x) for block in made)
    for said in (norm(outputs), norm(x + outputs), outputs, x + outputs, norm(outputs / len(made))):
        yield said, BESIDE, "M19"
    for said in (norm(x + through(x, made)), x + right, x + through(x, made)):
        yield said, "The stack's input is added to its output: the skips are inside the blocks.", "M19"
    y = x
    for block in made:
        y = norm(y + block(y))
    yield y, "Add and norm stand around each block; they are inside it already. Stacking is x = block(x).", "M19"
    y = x
    for block in made:
        y = y + block(y)
    yield norm(y), "x is added after each block; the skips are inside the blocks. Stacking is x = block(x).", "M19"
    y = through(x, made)
    for axes, words in ((y.shape, "everything"), (y.shape[1:], "positions and features together")):
        yield F.layer_norm(y, axes), wrong_axis(words), None
    for some, which in ((made[:-1], "last"), (made[1:], "first")):
        yield norm(through(x, some)), f"The {which} block is left out of forward().", None
    yield norm(through(through(x, made), made)), "Every block is applied twice.", None
    yield norm(right), "The norm is applied twice at the end; wanted once.", None
    counted = range(len(made))
    if len(made) > 10:  # too many for all their orders
        as_text = sorted(counted, key=str)
        words = f"The blocks are applied in the order of their numbers as text, {', '.join(map(str, as_text))}; "
        yield norm(through(x, [made[i] for i in as_text])), words + "wanted as they were made, 0, 1, 2 and so on.", None
        return
    for order in itertools.chain(itertools.permutations(counted), itertools.product(counted, repeat=len(made))):
        words = f"The blocks are applied in the order {', '.join(map(str, order))} (counted from 0); "
        words += f"wanted {', '.join(map(str, counted))}, each of them once."
        yield norm(through(x, [made[i] for i in order])), words, None
    for size in counted[1:]:
        for some in itertools.combinations(counted, size):
            words = f"Of the blocks only {', '.join(map(str, some))} (counted from 0) are applied; wanted all."
            yield norm(through(x, [made[i] for i in some])), words, None
    yield norm(x), "No block is applied: is the result of block(x) thrown away? Write x = block(x).", None
    yield x, "The stack gives its input back: is the result of block(x) thrown away? Write x = block(x).", None


LAST_ONLY = "Only one block counts: each reads the stack's input and the others' results are lost. Write x = block(x)."
FIRST_ONLY = "Only the first block is applied: is `return` inside the loop?"
BESIDE = "All blocks read the same input and their outputs are added up: that is one wide layer, not L deep ones."
