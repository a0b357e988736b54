"""Lesson 04: the wrong answers people give to multi-head attention, as numbers and as words to tell their authors."""

import math

import torch
import torch.nn.functional as F

BMM = (
    "torch.bmm takes exactly three axes, and q and k have four, (B, H, T, d_head). Use @ (torch.matmul), which takes "
    "any number of axes in front, and swap the last two of k: q @ k.transpose(-2, -1).",
    "M10",
)
NOT_TURNED = (
    "k is not transposed, or along the wrong axes: in q @ k the last axis of q, d_head, meets the last but one of k, "
    "S. Swap the last two axes of k: q @ k.transpose(-2, -1).",
    "M10",
)
CARDS = "features are dealt out like cards, head 0 getting 0, H, 2 H ..., not d_head that stand together"
ALONE = "straight to (B, H, T, d_head), without a transpose: positions and features get mixed"
UNMERGED = "without swapping heads and positions back: they get mixed"


def cut(x, H):
    B, T, D = x.shape
    return x.view(B, T, H, D // H).transpose(1, 2)


def view_alone(x, H):
    B, T, D = x.shape
    return x.reshape(B, H, T, D // H)


def cards(x, H):
    B, T, D = x.shape
    return x.view(B, T, D // H, H).permute(0, 3, 1, 2)


def re_read(x, H):
    B, T, D = x.shape
    return x.transpose(1, 2).reshape(B, H, T, D // H)


def join(o):
    return o.transpose(1, 2).flatten(2)


def join_alone(o):
    B, H, T, d_head = o.shape
    return o.reshape(B, T, H * d_head)


def join_cards(o):
    return o.permute(0, 2, 3, 1).flatten(2)


def join_swapped(o):
    B, H, T, d_head = o.shape
    return o.transpose(2, 3).reshape(B, T, H * d_head)


def compute(module, x, memory, H, split=cut, split_v=None, merge=join, scale=None, attend=None, inputs="xmm",
            maps="qkvo", act=None, on="", bias=True, turned="",
            key_turned=True, skip="", heads=None, out=None, residual=False):  # fmt: skip
    """Multi-head attention in float64, with one part or another done differently."""
    source, H = {"x": x.double(), "m": (x if memory is None else memory).double()}, heads or H

    def linear(letter, inputs):
        if letter in skip:
            return inputs
        layer = getattr(module, f"w_{letter}")
        weight = layer.weight.detach().double()
        result = inputs @ (weight if letter in turned else weight.T)
        return result + layer.bias.detach().double() if bias else result

    q, k, v = (linear(name, source[where]) for name, where in zip(maps[:3], inputs, strict=True))
    q, k, v = (act(z) if act and name in on else z for name, z in zip("qkv", (q, k, v), strict=True))
    q, k, v = split(q, H), split(k, H), (split_v or split)(v, H)
    factor = q.shape[-1] ** -0.5 if scale is None else scale
    scores = q @ (k.transpose(-2, -1) if key_turned else k) * factor
    output = attend(scores, v) if attend else scores.softmax(-1) @ v
    output = merge(output)
    if out:
        return out(output, lambda z: linear("o", z))
    return linear(maps[3], output) + (source["x"] if residual else 0)


def outputs(module, x, memory, H):
    """(numbers, message, misconception) of each wrong answer that these sizes allow."""
    for wrong, message, misconception in variants(x.shape[-1], H, memory is not None):
        try:
            numbers = compute(module, x, memory, H, **wrong)
        except RuntimeError:
            continue  # this mistake raises on these sizes
        if numbers.shape == x.shape:
            yield numbers, message, misconception


def variants(D, H, cross):
    """(what differs, message, misconception)"""
    d_head = D // H
    reads = "The split is a view"
    yield {"split": view_alone}, f"{reads} {ALONE}. The heads themselves are merged rightly.", "M11"
    yield {"split": view_alone, "merge": join_alone}, f"{reads} {ALONE}; and the merge has none either.", "M11"
    yield {"merge": join_alone}, f"The merge is a reshape {UNMERGED}. First transpose(1, 2), then flatten.", "M11"
    yield {"split_v": view_alone}, f"The values are viewed {ALONE}. Queries and keys are right.", "M11"
    yield {"split": cards, "merge": join_cards}, f"In split and merge the {CARDS}.", None
    yield {"split": cards}, f"In the split the {CARDS}.", None
    yield {"merge": join_cards}, "In the merge the heads' features alternate; they belong side by side.", None
    yield {"merge": join_swapped}, "In the merge positions and features change places: transpose(1, 2).", None
    yield {"split": re_read}, "x is transposed and then re-read: cut the last axis before axes are swapped.", None
    for split, merge in (
        (re_read, join_alone),
        (re_read, join_cards),
        (cards, join_alone),
        (view_alone, join_cards),
    ):
        yield {"split": split, "merge": merge}, "Split and merge both mix positions and features.", None
    words = (
        "The scores are divided by sqrt(d_model); wanted sqrt(d_head), the width of one head: the weights are too flat."
    )
    yield {"scale": D**-0.5}, words, "M01"
    yield {"scale": 1.0}, "The scores are not divided by sqrt(d_head).", "M01"
    yield {"scale": d_head**0.5}, "The scores are multiplied by sqrt(d_head), not divided.", None
    yield {"scale": 1 / d_head}, "The scores are divided by d_head: the root is missing.", None
    yield {"scale": H**-0.5}, "The scores are divided by sqrt(n_heads); wanted sqrt(d_head).", None
    yield {"scale": 1 / D}, "The scores are divided by d_model; wanted sqrt(d_head).", "M01"
    for width in (64, 512, 768, 8, 256):
        words = (
            f"The scores are divided by sqrt({width}), a fixed number; wanted sqrt(d_head): take it from the shapes."
        )
        yield {"scale": width**-0.5}, words, "M01" if width > 64 else None
    yield {"key_turned": False}, NOT_TURNED[0], "M10"
    yield {"key_turned": False, "scale": 1.0}, NOT_TURNED[0], "M10"
    yield {"attend": softmax(-2)}, "The softmax runs over the queries (dim=-2); it runs over the keys, dim=-1.", "M04"
    yield {"attend": softmax(1)}, "The softmax runs over the heads (dim=1); it runs over the keys, dim=-1.", None
    yield {"attend": softmax(0)}, "The softmax runs over the batch (dim=0); it runs over the keys, dim=-1.", None
    yield {"attend": lambda s, v: s @ v}, "There is no softmax: the scores themselves weigh the values.", None
    yield {"attend": lambda s, v: s.softmax(-1).softmax(-1) @ v}, "The softmax is taken twice.", None
    yield {"attend": causal}, "A causal mask is applied; nothing here asks for one.", None
    words = "All heads share one map of weights, the mean of them: each must choose for itself."
    yield {"attend": lambda s, v: s.softmax(-1).mean(1, True) @ v}, words, None
    words = "All heads share one map, made of the scores of all heads together: each must choose for itself."
    yield {"attend": lambda s, v: s.sum(1, True).softmax(-1) @ v}, words, None
    yield {"attend": lambda s, v: whole_width(s).softmax(-1) @ v}, words, None
    words = "All heads share one map, that of head 0: each must choose for itself."
    yield {"attend": lambda s, v: s[:, :1].softmax(-1) @ v}, words, None
    yield {"merge": mean_of_heads}, "The heads are averaged, not put side by side.", None
    words = "The heads of one position attend to each other: swap the axes of heads and positions before the scores."
    yield {"split": not_swapped, "merge": lambda o: o.flatten(2)}, words, None
    words = "Only the first head speaks, the others are zero."
    yield {"merge": lambda o: join(torch.cat((o[:, :1], 0 * o[:, 1:]), 1))}, words, None
    yield {"split": lambda x, H: cut(x, H).flip(1)}, "The heads come back in reverse order.", None
    yield {"out": lambda o, w: o}, "The output projection w_o is not used.", None
    yield {"out": lambda o, w: w(w(o))}, "The output projection w_o is applied twice.", None
    for letters in ("q", "k", "v", "o", "qkvo"):
        which = "all maps are" if letters == "qkvo" else f"w_{letters} is"
        words = f"{which} applied as x @ weight; nn.Linear computes x @ weight.T + bias. Call the layer: self.w_q(x)."
        yield {"turned": letters}, words[0].upper() + words[1:], None
    yield (
        {"bias": False},
        "The biases are left out: call the layers, self.w_q(x), instead of using their weights.",
        None,
    )
    for maps, words in (
        ("qqvo", "The keys are made with w_q; wanted w_k."),
        ("kkvo", "The queries are made with w_k; wanted w_q."),
        ("qkko", "The values are made with w_k; wanted w_v."),
        ("qkqo", "The values are made with w_q; wanted w_v."),
        ("kqvo", "w_q and w_k are exchanged."),
        ("qvko", "w_k and w_v are exchanged."),
        ("qvvo", "The keys are made with w_v; wanted w_k."),
        ("qkvv", "The output goes through w_v; wanted w_o."),
    ):
        yield {"maps": maps}, words, None
    if cross:
        yield {"inputs": "xxx"}, "The memory is not used: keys and values come from it, not from x.", None
        yield {"inputs": "mxx"}, "x and memory are exchanged: queries come from x, keys and values from memory.", None
        yield {"inputs": "mmm"}, "The queries come from the memory; wanted from x.", None
        yield {"inputs": "xmx"}, "The values come from x; wanted from the memory, like the keys.", None
        yield {"inputs": "xxm"}, "The keys come from x; wanted from the memory, like the values.", None
    for letters in ("q", "k", "v", "qk", "kv", "qkv"):
        names = ", ".join(f"w_{letter}" for letter in letters)
        words = f"{names} is left out" if len(letters) == 1 else f"{names} are left out"
        yield {"skip": letters}, f"{words}: queries, keys and values are each made by a map of their own.", None
    for heads in (d_head, 1, 2, 4, 8):
        if heads != H and D % heads == 0:
            words = f"This is what n_heads = {heads} gives: "
            words += "n_heads and d_head are swapped." if heads == d_head else "is the number of heads fixed?"
            yield {"heads": heads}, words, None
    for act in (torch.relu, torch.tanh, F.gelu):
        for on in ("q", "k", "v", "qk", "qkv"):
            words = (
                f"{act.__name__} is applied to {' and '.join(on)}: queries, keys and values are linear in their inputs."
            )
            yield {"act": act, "on": on}, words, "M06"
        words = f"{act.__name__} is applied to the output: the output projection is linear."
        yield {"out": lambda o, w, act=act: act(w(o))}, words, None
        words = f"{act.__name__} is applied between the heads and w_o: nothing stands there."
        yield {"out": lambda o, w, act=act: w(act(o))}, words, None
    words = "The heads' output is added to w_o's: w_o alone makes the output. The residual comes in lesson 06."
    yield {"out": lambda o, w: o + w(o)}, words, None
    yield {"residual": True}, "x is added to the output: w_o alone makes it. The residual comes in lesson 06.", None


def softmax(dim):
    return lambda s, v: s.softmax(dim) @ v


def causal(s, v):
    return s.masked_fill(~torch.ones(s.shape[-2:]).tril().bool(), -torch.inf).softmax(-1) @ v


def whole_width(s):
    """What scores of full width, divided by the root of that, are, for every head the same."""
    return s.sum(1, True).expand(s.shape) / math.sqrt(s.shape[1])


def mean_of_heads(o):
    return join(o.mean(1, keepdim=True).expand(o.shape))


def not_swapped(x, H):
    B, T, D = x.shape
    return x.view(B, T, H, D // H)


def scores(q, k):
    """Faults of the scores of repair 1."""
    q, k = q.double(), k.double()
    d_head, right = q.shape[-1], q.double() @ k.double().transpose(-2, -1)
    H = q.shape[1]
    yield right, "The scores are not divided by sqrt(d_head): broken_1 had that right.", "M01"
    if H > 1:
        words = "The scores are divided by sqrt(d_model); wanted sqrt(d_head), as broken_1 had it."
        yield right / math.sqrt(H * d_head), words, "M01"
    yield right / d_head, "The scores are divided by d_head: the root is missing.", None
    words = f"The scores are divided by sqrt(S), the number of keys ({k.shape[2]}); wanted sqrt(d_head)."
    yield right / k.shape[2] ** 0.5, words, None
    words = "The softmax is applied already: wanted the scores."
    yield (right / d_head**0.5).softmax(-1), words, None
    B, H, S, _ = k.shape
    for divisor, also in ((d_head**0.5, ""), (1.0, " Nor are the scores divided by sqrt(d_head).")):
        if q.shape[-1] == S:
            yield q @ k / divisor, NOT_TURNED[0] + also, "M10"
        words = "k is re-read by view or reshape, which does not transpose: k.transpose(-2, -1)."
        yield q @ k.reshape(B, H, d_head, S) / divisor, words + also, "M10"
