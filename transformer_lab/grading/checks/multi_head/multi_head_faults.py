"""Lesson 04: the wrong answers people give to multi-head attention, as numbers and as words to tell their authors."""

from itertools import permutations, product
from types import SimpleNamespace

import torch
import torch.nn.functional as F

from .multi_head_of_parts import (
    alone,
    cards,
    causal,
    compute,
    cut,
    join,
    join_alone,
    join_cards,
    join_swapped,
    mean_of_heads,
    normed,
    not_swapped,
    re_read,
    softmax,
    unit,
    view_alone,
    whole_width,
)

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
BOTH = "Keys and values come from x and the memory together; wanted from the memory alone."
CARDS = "features are dealt out like cards, the first head getting 0, H, 2 H ..., not d_head adjacent ones"
ALONE = "straight to (B, H, T, d_head), without a transpose: positions and features get mixed"
UNMERGED = "without swapping heads and positions back: they get mixed"


def of_three_matrices(module, x, memory, H):
    """(numbers, message, misconception) of each wrong answer that these sizes allow, with w_q, w_k, w_v and w_o."""
    yield from numbers_of(module, x, memory, H, [*variants(*sizes(x, memory, H)), *on_three_matrices(x.shape[-1], H)])


def of_one_matrix(module, layers, x, memory, H):
    """The same of a module that has w_qkv in place of three; layers: what w_qkv is, taken apart rightly."""
    D = x.shape[-1]
    yield from numbers_of(layers, x, memory, H, on_one_matrix(D // H))
    for parts, message in rows_taken_otherwise(D, H):
        other = SimpleNamespace(w_o=layers.w_o, **three_layers(module.w_qkv, parts))
        yield from numbers_of(other, x, memory, H, [({}, message, None)])
        yield from numbers_of(other, x, memory, H, [({"split": view_alone}, f"{message} {ALSO_VIEWED}", "M11")])
    for heads, words in other_numbers_of_heads(D, H):
        other = SimpleNamespace(
            w_o=layers.w_o, **three_layers(module.w_qkv, lambda rows, n=heads: rows.unflatten(0, (n, 3, -1)))
        )
        yield from numbers_of(other, x, memory, heads, [({}, words, None)])
    yield from numbers_of(layers, x, memory, H, variants(*sizes(x, memory, H)))


ALSO_VIEWED = f"And the split is a view {ALONE}."


def sizes(x, memory, H):
    """d_model, n_heads, queries, keys, and whether there is a memory."""
    return x.shape[-1], H, x.shape[1], (x if memory is None else memory).shape[1], memory is not None


def three_layers(w_qkv, parts):
    """w_q, w_k and w_v, made of a layer's rows; parts(rows) holds on axis 1 those of queries, keys and values."""
    rows = {name: parts(getattr(w_qkv, name).detach()).unbind(1) for name in ("weight", "bias")}
    return {
        f"w_{letter}": SimpleNamespace(weight=rows["weight"][n].flatten(0, 1), bias=rows["bias"][n].flatten(0, 1))
        for n, letter in enumerate("qkv")
    }


def numbers_of(module, x, memory, H, wrongs):
    for wrong, message, misconception in wrongs:
        try:
            numbers = compute(module, x, memory, H, **wrong)
        except RuntimeError:
            continue  # this mistake raises on these sizes
        if numbers.shape == x.shape:
            yield numbers, message, misconception


def variants(D, H, T, S, cross):
    """(what differs, message, misconception)"""
    d_head = D // H
    reads = "The split is a view"
    yield {"split": view_alone}, f"{reads} {ALONE}. The heads themselves are merged correctly.", "M11"
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
    for n in range(2, 65):
        axis = {T: " (T, the number of queries)", S: " (S, the number of keys)"}.get(n, "")
        words = f"The scores are divided by sqrt({n}){axis}; wanted sqrt(d_head) = sqrt({d_head})."
        yield {"scale": n**-0.5}, words, None
    yield {"scale": d_head**-0.25}, "The scores are divided by the fourth root of d_head: wanted its square root.", None
    yield {"key_turned": False}, NOT_TURNED[0], "M10"
    yield {"key_turned": False, "scale": 1.0}, NOT_TURNED[0], "M10"
    yield (
        {"attend": softmax(-2)},
        "The softmax runs over the queries (dim=-2); it should run over the keys, dim=-1.",
        "M04",
    )
    yield {"attend": softmax(1)}, "The softmax runs over the heads (dim=1); it should run over the keys, dim=-1.", None
    yield {"attend": softmax(0)}, "The softmax runs over the batch (dim=0); it should run over the keys, dim=-1.", None
    yield {"attend": lambda s, v: s @ v}, "There is no softmax: the scores themselves weigh the values.", None
    yield {"attend": lambda s, v: s.softmax(-1).softmax(-1) @ v}, "The softmax is taken twice.", None
    words = "Sigmoid is used where softmax should be: the weights of a query must add up to 1."
    yield {"attend": lambda s, v: s.sigmoid() @ v}, words, None
    words = "The weights are divided by sums over the queries: over the keys they must add up to 1."
    yield {"attend": lambda s, v: (lambda w: w / w.sum(-2, keepdim=True))(s.softmax(-1)) @ v}, words, "M04"
    yield {"attend": lambda s, v: s.softmax(-1).round() @ v}, "The weights are rounded.", None
    yield {"attend": alone}, "A position does not see itself: nothing here asks for that.", None
    yield (
        {"attend": lambda s, v: s.softmax(-1) @ v.flip(1)},
        "Each head's weights meet the values of another head.",
        None,
    )
    words = "Each head's weights meet the values of another head."
    yield {"attend": lambda s, v: s.softmax(-1) @ v.roll(1, 1)}, words, None
    yield {"attend": lambda s, v: s.softmax(-1) @ v.roll(-1, 1)}, words, None
    for shift in (1, -1):
        words = "The keys of another head are used: each head has its own."
        yield {"key_shift": shift}, words, None
    yield {"attend": causal}, "A causal mask is applied; nothing here asks for one.", None
    words = "All heads share one map of weights, the mean of them: each must choose for itself."
    yield {"attend": lambda s, v: s.softmax(-1).mean(1, True) @ v}, words, None
    words = "All heads share one map, made of the scores of all heads together: each must choose for itself."
    yield {"attend": lambda s, v: s.sum(1, True).softmax(-1) @ v}, words, None
    yield {"attend": lambda s, v: s.mean(1, True).softmax(-1) @ v}, words, None
    yield {"attend": lambda s, v: whole_width(s).softmax(-1) @ v}, words, None
    words = "All heads share one map, that of the first: each must choose for itself."
    yield {"attend": lambda s, v: s[:, :1].softmax(-1) @ v}, words, None
    yield {"merge": mean_of_heads}, "The heads are averaged, not put side by side.", None
    words = "The heads of one position attend to each other: swap the axes of heads and positions before the scores."
    yield {"split": not_swapped, "merge": lambda o: o.flatten(2)}, words, None
    words = "Only the first head contributes, the others are zero."
    yield {"merge": lambda o: join(torch.cat((o[:, :1], 0 * o[:, 1:]), 1))}, words, None
    words = "The last head is silent, or left out."
    yield {"merge": lambda o: join(torch.cat((o[:, :-1], 0 * o[:, -1:]), 1))}, words, None
    yield (
        {"merge": lambda o: join(o.amax(1, keepdim=True).expand(o.shape))},
        "Of all heads only the largest counts.",
        None,
    )
    words = "The heads are summed, not put side by side."
    yield {"merge": lambda o: join(o.sum(1, keepdim=True).expand(o.shape))}, words, None
    yield {"split": lambda x, H: cut(x, H).flip(1)}, "The heads come back in reverse order.", None
    yield {"out": lambda o, w: o}, "The output projection w_o is not used.", None
    yield {"out": lambda o, w: w(w(o))}, "The output projection w_o is applied twice.", None
    yield {"out": lambda o, w: w(o) + w(0 * o)}, "The bias of w_o is added twice.", None
    yield {"out": lambda o, w: w(o) + (H - 1) * w(0 * o)}, "The bias of w_o is added once for every head.", None
    if cross:
        yield {"inputs": "xxx"}, "The memory is not used: keys and values come from it, not from x.", None
        yield {"inputs": "mxx"}, "x and memory are swapped: queries come from x, keys and values from memory.", None
        yield {"inputs": "mmm"}, "The queries come from the memory; wanted from x.", None
        yield {"inputs": "xmx"}, "The values come from x; wanted from the memory, like the keys.", None
        yield {"inputs": "xxm"}, "The keys come from x; wanted from the memory, like the values.", None
        yield {"sources": lambda x, m: torch.cat((x, m), 1)}, BOTH, None
        yield {"sources": lambda x, m: torch.cat((m, x), 1)}, BOTH, None
        words = "Only the first T positions of the memory are read: S need not be T."
        yield {"sources": lambda x, m: m[:, : x.shape[1]]}, words, None
        words = "The memory is averaged to one position: each of its S positions has a key of its own."
        yield {"sources": lambda x, m: m.mean(1, keepdim=True)}, words, None
    for act in (torch.relu, torch.tanh, F.gelu, torch.sigmoid, F.silu, F.leaky_relu):
        for on in ("q", "k", "v", "qk", "qkv"):
            words = (
                f"{act.__name__} is applied to {' and '.join(on)}: queries, keys and values are linear in their inputs."
            )
            yield {"act": act, "on": on}, words, "M06"
        words = f"{act.__name__} is applied to the output: the output projection is linear."
        yield {"out": lambda o, w, act=act: act(w(o))}, words, None
        words = f"{act.__name__} is applied between the heads and w_o: nothing stands there."
        yield {"out": lambda o, w, act=act: w(act(o))}, words, None
    for on in ("q", "k", "v", "qk", "qkv"):
        names = " and ".join(on)
        for when in ("act", "act_in_heads"):
            yield (
                {when: unit, "on": on},
                f"In {names} each vector is divided by its length: nothing asks for that.",
                None,
            )
            yield {when: normed, "on": on}, f"A norm is applied to {names}: nothing asks for that.", None
    yield (
        {"out": lambda o, w: normed(w(o))},
        "The output is normalised: that is another module's job (lesson 07).",
        None,
    )
    yield {"out": lambda o, w: w(normed(o))}, "The heads are normalised before w_o: nothing stands there.", None
    words = "The heads' output is added to w_o's: w_o alone makes the output. The residual comes in lesson 06."
    yield {"out": lambda o, w: o + w(o)}, words, None
    yield {"residual": True}, "x is added to the output: w_o alone makes it. The residual comes in lesson 06.", None


def on_three_matrices(D, H):
    """What can be done otherwise with w_q, w_k and w_v: (what differs, message, misconception)"""
    for letters in ("q", "k", "v", "o", "qkvo"):
        which = "all maps are" if letters == "qkvo" else f"w_{letters} is"
        words = f"{which} applied as x @ weight; nn.Linear computes x @ weight.T + bias. Call the layer: self.w_q(x)."
        yield {"turned": letters}, words[0].upper() + words[1:], None
    for letters in (
        "qkvo",
        "qkv",
        "o",
        "q",
        "k",
        "v",
    ):  # a bias of k alone shifts a query's scores alike: nothing changes
        which = "The biases are" if len(letters) > 1 else f"The bias of w_{letters} is"
        words = f"{which} left out: call the layers, self.w_q(x), instead of using their weights."
        yield {"unbiased": letters}, words, None
    for maps, words in (
        ("qqvo", "The keys are made with w_q; wanted w_k."),
        ("kkvo", "The queries are made with w_k; wanted w_q."),
        ("qkko", "The values are made with w_k; wanted w_v."),
        ("qkqo", "The values are made with w_q; wanted w_v."),
        ("kqvo", "w_q and w_k are swapped."),
        ("qvko", "w_k and w_v are swapped."),
        ("qvvo", "The keys are made with w_v; wanted w_k."),
        ("qkvv", "The output goes through w_v; wanted w_o."),
    ):
        yield {"maps": maps}, words, None
    for letters in ("q", "k", "v", "qk", "kv", "qkv"):
        names = ", ".join(f"w_{letter}" for letter in letters)
        words = f"{names} is left out" if len(letters) == 1 else f"{names} are left out"
        yield {"skip": letters}, f"{words}: queries, keys and values are each made by a map of their own.", None
    for heads, words in other_numbers_of_heads(D, H):
        yield {"heads": heads}, words, None


def on_one_matrix(d_head):
    """What can be done otherwise with w_qkv, beside taking its rows in another order"""
    words = (
        "The scores are divided by sqrt(3 d_head): that is how wide a head's query, key and value are together. Wanted "
        "sqrt(d_head), the width of its query."
    )
    yield {"scale": (3 * d_head) ** -0.5}, words, None
    words = "w_o is applied as x @ weight; nn.Linear computes x @ weight.T + bias. Call the layer: self.w_o(...)."
    yield {"turned": "o"}, words, None
    for letters, names in (("qkvo", "Both biases are"), ("qkv", "The bias of w_qkv is"), ("o", "The bias of w_o is")):
        words = f"{names} left out: call the layers, self.w_qkv(x), instead of using their weights."
        yield {"unbiased": letters}, words, None
    yield {"skip": "qkv"}, "w_qkv is left out: it makes queries, keys and values.", None
    yield {"maps": "qkvv"}, "The output goes through the values' rows of w_qkv; wanted w_o.", None


def other_numbers_of_heads(D, H):
    """(number of heads, words)"""
    for heads in (D // H, 1, 2, 4, 8):
        if heads != H and D % heads == 0:
            words = f"This is what n_heads = {heads} gives: "
            words += "n_heads and d_head are swapped." if heads == D // H else "is the number of heads fixed?"
            yield heads, words


def rows_taken_otherwise(D, H):
    """(function of the rows (3 D, ...) of w_qkv that holds the three parts on axis 1, message)"""
    names, length = ("n_heads", "3", "d_head"), {"n_heads": H, "3": 3, "d_head": D // H}
    for order in list(permutations(names))[1:]:  # the first is right

        def parts(rows, order=order):
            rows = rows.unflatten(0, [length[name] for name in order])
            return rows.permute(*(order.index(name) for name in names), *range(3, rows.ndim))

        yield parts, told_of_rows(order)
    thirds = "first", "second", "third"
    for taken in product(range(3), repeat=3):
        if taken != (0, 1, 2):
            words = (
                "Of a head's numbers the {} third is taken for its query, the {} for its key and the {} for its value. "
            )
            words = words.format(*(thirds[n] for n in taken)) + "They lie in the order query, key, value."
            yield lambda rows, taken=taken: rows.unflatten(0, (H, 3, -1))[:, list(taken)], words


def told_of_rows(order):
    if order == ("3", "n_heads", "d_head"):
        return (
            "What w_qkv makes is read as all queries, then all keys, then all values, as GPT-2 keeps them. Here it "
            "lies head by head: cut it into heads first, and each head's share into query, key and value."
        )
    if order == ("n_heads", "d_head", "3"):
        return (
            "A head's numbers are dealt out in turn to its query, its key and its value. They lie one after the other: "
            "first the whole query, then the whole key, then the whole value."
        )
    return f"What w_qkv makes is read as ({', '.join(order)}), though it lies as (n_heads, 3, d_head)."
