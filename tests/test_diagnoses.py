"""Questions that show broken snippets: what they say of a snippet is true of the code in the notebook."""

import datetime
import heapq
import inspect
import itertools
import math
import re
from importlib import import_module
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from transformer_lab import BERT, GPT, FeedForward, MultiHeadAttention, TransformerConfig
from transformer_lab.data import dates
from wrong_answers import bert, decoding, fine_tuning, gpt, masks, tokens, toolkit
from wrong_answers import block as block_bank

SOURCES = Path(__file__).resolve().parents[1] / "source" / "exercises"


def snippets(lesson: str) -> dict:
    """The names that an exercise's cells with broken code define."""
    cells = re.split(r"^# %%", (SOURCES / f"{lesson}.py").read_text(encoding="utf-8"), flags=re.MULTILINE)
    names = {"torch": torch, "math": math, "nn": nn, "F": F, "re": re, "heapq": heapq}
    names |= {"BERT": BERT, "GPT": GPT, "TransformerConfig": TransformerConfig}
    for cell in cells:
        if re.search(
            r"^(def|class) (broken_|Broken[A-E]|torchs|right|words_of|read\b|fork|fresh)", cell, flags=re.MULTILINE
        ):
            exec("#" + cell, names)
    return names


def snippet_of(names: dict, snippet: str):
    """A broken function, or a broken class."""
    return names.get(f"broken_{snippet}") or names[f"Broken{snippet.upper()}"]


def near(got, wanted):
    return torch.allclose(got, wanted, atol=1e-3)


def attentions_observed(names):
    """Each observation of lesson 02's question, as a function that says whether it is true of an attention."""
    q, k, v, torchs = torch.randn(16, 64), torch.randn(16, 64), torch.randn(16, 5), names["torchs"]
    order = torch.randperm(16)
    output, weights = torchs(q, k, v)

    def right_again(attention):
        longer = [attention(c * q, k, v) for c in (1 / 64, 1 / 8, 8**-0.5, 8**0.5, 8, 64)]
        return any(near(one[0], output) and near(one[1], weights) for one in longer)

    def only_output_wrong(attention):
        return near(attention(q, k, v)[1], weights) and not near(attention(q, k, v)[0], output)

    return {
        "the rows of the weights do not sum to 1": lambda f: not near(f(q, k, v)[1].sum(-1), torch.ones(16)),
        "queries 100 times as long leave the weights flat": lambda f: f(100 * q, k, v)[1].max() < 0.2,
        "an equal key gets no more than the others": lambda f: f(k, k, v)[1].diagonal().mean() < 1.5 / 16,
        "right again when all queries are multiplied by one number": right_again,
        "the weights are right, the output is not": only_output_wrong,
        "keys and values in another order change nothing": lambda f: near(f(q, k[order], v[order])[0], f(q, k, v)[0]),
    }


def trained(loop, rows, classes, steps=100):
    """A linear model before and after training on the same rows again and again, and the losses."""
    torch.manual_seed(1)
    model = nn.Linear(rows.shape[1], 3)
    before = [p.detach().clone() for p in model.parameters()]
    losses = torch.tensor(loop(model, [(rows, classes)] * steps, lr=1.0))
    changed = [not torch.equal(*pair) for pair in zip(before, model.parameters(), strict=True)]
    return losses, changed, any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())


def loops_observed(names):
    """Each observation of lesson 01's question, as a function that says whether it is true of a training loop."""
    rows = torch.randn(60, 4)
    classes = (rows[:, :3] + 0.3 * torch.randn(60, 3)).argmax(dim=-1)

    def falls_and_rises(loop):
        losses, *_ = trained(loop, rows, classes)
        return losses.min() < losses[0] - 0.1 and losses.min() < losses[-1] - 0.1

    def falls_to_a_floor(loop):
        losses, *_ = trained(loop, rows, classes)
        return (losses.diff() < 0).all() and losses.min() > 0.55

    def learns_nothing(loop, filled):
        _, changed, grad = trained(loop, rows, classes)
        return not any(changed) and grad == filled

    def doubles(loop):
        once, twice = (trained(loop, rows.repeat(n, 1), classes.repeat(n), 1)[0] for n in (1, 2))
        return near(twice, 2 * once)

    return {
        "the loss falls at first and rises again": falls_and_rises,
        "nothing is learnt, and p.grad is filled afterwards": lambda loop: learns_nothing(loop, True),
        "only the biases change": lambda loop: trained(loop, rows, classes)[1] == [False, True],
        "the loss falls at every step and stays above 0.55": falls_to_a_floor,
        "nothing is learnt, and p.grad is empty afterwards": lambda loop: learns_nothing(loop, False),
        "twice the rows, twice the loss": doubles,
    }


def maskings_observed(names):
    """Each observation of lesson 03's question, as a function that says whether it is true of a masked attention."""
    q, k, v = torch.rand(6, 16), torch.rand(6, 16), torch.randn(6, 3)
    causal = torch.ones(6, 6).tril().bool()
    band = (torch.arange(6)[:, None] - torch.arange(6)).abs() < 2

    def right(attention, k, mask):
        return near(attention(q, k, v, mask)[0], F.scaled_dot_product_attention(q, k, v, attn_mask=mask))

    def low(attention):  # q is not negative: the longer the negative keys, the lower all scores of a query alike
        lower = k - 4000 / q.sum(-1).mean()
        return right(attention, k, causal) and not right(attention, lower, causal)

    def loses_all(attention):
        long = k.clone()
        long[5] = 1200 / 4
        return attention(q, long, v, causal)[0].isnan().any()

    return {
        "right for ordinary scores, wrong when all scores are 1000 lower": low,
        "the rows of the weights sum to less than 1": lambda f: (f(q, k, v, causal)[1].sum(-1) < 0.99).any(),
        "NaN where a blocked score is 300 above the allowed ones": loses_all,
        "any other mask gives the same output": lambda f: near(f(q, k, v, causal)[0], f(q, k, v, band)[0]),
        "no query reads the first key": lambda f: not f(q, k, v, causal)[1][:, 0].any(),
    }


def heads_observed(names):
    """Each observation of lesson 04's question, as a function that says whether it is true of an attention."""
    x = torch.randn(2, 5, 12)

    def layer(n_heads=3, alike=False, plain=False):
        module = MultiHeadAttention(d_model=12, n_heads=n_heads)
        with torch.no_grad():
            if alike:
                for linear in (module.w_q, module.w_k):
                    for parameter in linear.parameters():
                        parameter.copy_(parameter[: 12 // n_heads].repeat(n_heads, *[1] * (parameter.ndim - 1)))
            if plain:
                module.w_o.weight.copy_(torch.eye(12))
                module.w_o.bias.zero_()
        return module

    def right(attention, module, x=x):
        return near(attention(module, x), right_heads(module, x))

    def misplaced(attention):
        module = layer(plain=True)
        got, wanted = (f(module, x).flatten(1).sort().values for f in (attention, right_heads))
        return near(got, wanted) and not right(attention, module)

    return {
        "with w_o the identity, the right numbers in wrong places": misplaced,
        "the output has another shape than x": lambda f: f(layer(), x).shape != x.shape,
        "wrong for a text of a single position": lambda f: not right(f, layer(), x[:, :1]),
        "right with a single head": lambda f: right(f, layer(1)),
        "for longer texts, right only where all heads have the same queries and keys": lambda f: (
            right(f, layer(alike=True)) and not right(f, layer())
        ),
    }


def right_heads(module, x):
    return module(x)


def layers_observed(names):
    """Each observation of lesson 05's question, as a function that says whether it is true of what makes a layer."""
    x = torch.randn(2, 5, 12)

    def moves_elsewhere(layer):
        changed = x.clone()
        changed[:, 3] = torch.randn(12)
        moved = (layer(changed) - layer(x)).abs().amax(dim=(0, 2)) > 1e-6
        return moved[[0, 1, 2, 4]].any()

    def numbers(layer):
        return sum(p.numel() for p in layer.parameters() if p.ndim == 2)

    return {
        "f(x) + f(-x) is 2 f(0)": lambda make: odd_but_for_a_shift(make(12), x),
        "the output is wider than x": lambda make: make(12)(x).shape[-1] > 12,
        "an output moves where no input has changed": lambda make: moves_elsewhere(make(12)),
        "no output is below zero": lambda make: (make(12)(x) >= 0).all(),
        "the matrices hold half as many numbers": lambda make: numbers(make(12)) == numbers(whole_layer(12)) / 2,
    }


def whole_layer(d_model):
    return FeedForward(d_model, 4 * d_model)


def odd_but_for_a_shift(layer, x):
    return near(layer(x) + layer(-x), 2 * layer(0 * x))


def residuals_observed(names):
    """Each observation of lesson 06's question, as a function that says whether it is true of a residual."""
    x, w_q, w_v = torch.randn(2, 5, 8), torch.randn(8, 8) / 4, torch.randn(8, 8) / 4
    norm, silent = nn.LayerNorm(8), torch.zeros_like

    def attend(query, x):
        return (query @ x.mT / 8**0.5).softmax(dim=-1) @ x @ w_v

    def run(residual, x=x, first=torch.cos, second=torch.sin):
        """Its output with these sub-layers; attention is silenced if first is silent."""
        arguments = list(inspect.signature(residual).parameters)
        if arguments[1] == "f":
            return residual(x, first, norm)
        if arguments[1] == "sublayers":
            return residual(x, [first, second], norm)
        return residual(x, w_q, attend if first is not silent else lambda query, x: 0 * x)

    def meant(residual):
        def one(x, f, norm):
            return x + f(norm(x))

        def several(x, sublayers, norm):
            for f in sublayers:
                x = x + f(norm(x))
            return x

        def attention(x, w_q, attend):
            return x + attend(x @ w_q, x)

        return {"f": one, "sublayers": several, "w_q": attention}[list(inspect.signature(residual).parameters)[1]]

    def only_the_gradient_is_wrong(residual):
        start = x.clone().requires_grad_()
        got, wanted = run(residual, start), run(meant(residual), start)
        gradients = [torch.autograd.grad((out * out).sum(), start)[0] for out in (got, wanted)]
        return near(got, wanted) and not near(*gradients)

    def forgets_the_first(residual):
        several = "sublayers" in inspect.signature(residual).parameters
        return several and near(run(residual, second=silent), run(residual, first=torch.sin, second=silent))

    def changes_x(residual):
        given = x.clone()
        run(residual, given)
        return not torch.equal(given, x)

    return {
        "a silent sub-layer does not hand x on": lambda f: not near(run(f, first=silent, second=silent), x),
        "silent and loud sub-layers give the same output": lambda f: near(run(f, first=silent, second=silent), run(f)),
        "with the second of two sub-layers silent, another first one changes nothing": forgets_the_first,
        "ten times x comes out ten times as large": lambda f: near(run(f, 10 * x), 10 * run(f)),
        "the output is right, the gradient at x is not": only_the_gradient_is_wrong,
        "x holds other numbers after the call": changes_x,
    }


def right_residual(x, sublayers, norm):
    for f in sublayers:
        x = x + f(norm(x))
    return x


def pieces_observed(names):
    """Each observation of lesson 07's question, as a function that says whether it is true of a piece."""
    x, gamma, beta = torch.randn(2, 3, 8), torch.ones(8), torch.zeros(8)
    sample, position = x.clone(), x.clone()
    sample[1] += torch.randn(3, 8)
    position[0, 2] += torch.randn(8)

    def of_a_norm(holds):
        return lambda piece: "gamma" in inspect.signature(piece).parameters and holds(piece)

    def right(norm, x):
        return near(norm(x, gamma, beta), F.layer_norm(x, (8,)))

    def changed_by_silence(stack):
        if "norms" not in inspect.signature(stack).parameters:
            return False
        return not near(stack(x, [torch.zeros_like] * 2, [lambda z: F.layer_norm(z, (8,))] * 2, nn.Identity()), x)

    return {
        "another sample of the batch moves the output": of_a_norm(
            lambda f: not near(f(sample, gamma, beta)[0], f(x, gamma, beta)[0])
        ),
        "right for ordinary numbers, wrong when 10,000 is added to each": of_a_norm(
            lambda f: right(f, x) and not right(f, x + 10_000)
        ),
        "silent sub-layers do not leave x as it was": changed_by_silence,
        "gamma has no effect": of_a_norm(lambda f: near(f(x, 2 * gamma, beta), f(x, gamma, beta))),
        "another position of the same text moves the output": of_a_norm(
            lambda f: not near(f(position, gamma, beta)[0, 0], f(x, gamma, beta)[0, 0])
        ),
        "ten times x comes out ten times smaller": of_a_norm(
            lambda f: near(10 * f(10 * x, gamma, beta), f(x, gamma, beta))
        ),
    }


def assemblies_observed(names):
    """Each observation of lesson 09's question, as a function that says whether it is true of an assembly."""
    ids, source, target, table = torch.randint(9, (2, 5)), torch.randn(2, 7, 8), torch.randn(2, 5, 8), torch.randn(9, 8)
    norm_1, norm_2, embedding = nn.LayerNorm(8), nn.LayerNorm(8), nn.Embedding(9, 8)
    one_text = ids[:1].expand(2, 5)

    def mix(x, memory=None):
        return x + (x if memory is None else memory).mean(dim=1, keepdim=True)

    def block(f, attention=mix, feed_forward=torch.cos):
        return f(target, attention, feed_forward, norm_1, norm_2)

    def pair(f, source=source, last=torch.sin, writes=(mix, mix)):
        return f(source, target, [torch.cos, last], writes)

    def path(f, ids=ids, blocks=(mix, torch.cos)):
        return f(ids, embedding, table, blocks, norm_1)

    def for_a(argument, holds):
        """Holds of an assembly with this argument; of the right ones, of that one among them."""

        def observed(assembly):
            one = assembly[argument] if isinstance(assembly, dict) else assembly
            return argument in inspect.signature(one).parameters and holds(one)

        return observed

    def feed_forward_is_given(f, attention):
        given = []
        block(f, attention, lambda x: given.append(x) or x)
        return given[0]

    def first_block_is_lost(f):
        return near(path(f), path(f, blocks=(torch.sin, torch.cos)))

    def silent(x, memory):
        return x

    return {
        "another attention, and the feed-forward layer is given the same": for_a(
            "attention", lambda f: near(feed_forward_is_given(f, mix), feed_forward_is_given(f, torch.sin))
        ),
        "with the feed-forward layer silent, attention changes nothing": for_a(
            "attention", lambda f: near(block(f, mix, torch.zeros_like), block(f, torch.sin, torch.zeros_like))
        ),
        "with the last decoder block silent, the last encoder block changes nothing": for_a(
            "target", lambda f: near(pair(f, writes=(mix, silent)), pair(f, last=torch.exp, writes=(mix, silent)))
        ),
        "another source changes nothing": for_a("target", lambda f: near(pair(f), pair(f, source + 1))),
        "another first block changes nothing": for_a("tokens", first_block_is_lost),
        "one text twice in a batch gives two different outputs": for_a(
            "tokens", lambda f: not near(*path(f, ids=one_text))
        ),
        "one token, alone in its batch, comes out right": for_a(
            "tokens", lambda f: near(path(f, ids=ids[:1, :1]), path(block_bank.path_right, ids=ids[:1, :1]))
        ),
    }


def right_block(x, attention, feed_forward, norm_1, norm_2):
    x = x + attention(norm_1(x))
    return x + feed_forward(norm_2(x))


def right_pair(source, target, encoder, decoder):
    for read in encoder:
        source = read(source)
    for write in decoder:
        target = write(target, source)
    return target


RIGHT_ASSEMBLIES = {"attention": right_block, "target": right_pair, "tokens": block_bank.path_right}


def tokenizers_observed(names):
    """Each observation of lesson 10's question, as a function that says whether it is true of a tokenizer."""

    def becomes(merges, text, tokens):
        pairs = [(token[0], token[1:]) for token in merges.split()]
        return lambda f: f(text, pairs) == tokens.split()

    return {
        "merges bc, ab, cd: abcd becomes ab cd": becomes("bc ab cd", "abcd", "ab cd"),
        "merges xa, ab: xab becomes xab": becomes("xa ab", "xab", "xab"),
        "merges ab, a bc: abc becomes abc": becomes("ab abc", "abc", "abc"),
        "merges ab, cd: abcd becomes ab cd": becomes("ab cd", "abcd", "ab cd"),
        "merges bc, ab, a bc: abc becomes ab c": becomes("bc ab abc", "abc", "ab c"),
        "one space and two give the same tokens": lambda f: f("a b", []) == f("a  b", []),
        "merge e and a space: in the text be on a token ends in a space": lambda f: any(
            len(token) > 1 and token.endswith(" ") for token in f("be on", [("e", " ")])
        ),
    }


def translators_observed(names):
    """Each observation of lesson 11's question, as a function that says whether it is true of a way to translate."""
    model, tokenizer = names["model"], names["tokenizer"]
    days = ((2022, 5, 3), "medium"), ((2011, 11, 11), "full"), ((2026, 11, 22), "long"), ((1999, 5, 3), "full")
    pairs = [dates.make_pair(datetime.date(*day), width) for day, width in days]
    source, is_real = tokenizer.batch([pair.source for pair in pairs])  # of several lengths, not in their order
    target, _ = tokenizer.batch([pair.target for pair in pairs], bos=True, eos=True)
    other = source.roll(1, 0)

    def rows(way, source=source, is_real=is_real, target=target):
        with torch.no_grad():
            return way(model, source, is_real, target)

    def moved(way, *places):
        """Which rows move when the target has other tokens at these places."""
        changed = target.clone()
        changed[:, places] = (changed[:, places] + 7) % len(tokenizer)
        both = rows(way).unbind(1), rows(way, target=changed).unbind(1)
        return [not near(*pair) for pair in zip(*both, strict=True)]

    def beside(way):
        changed = source.clone()
        changed[0, 0] = source[1, 2]
        return not near(rows(way, changed)[1:], rows(way)[1:])

    def padded(way):
        wider = F.pad(source, (0, 2), value=tokenizer.pad_id), F.pad(is_real, (0, 2))
        return not near(rows(way, *wider), rows(way))

    def losses(way):
        return F.cross_entropy(rows(way).mT, target[:, 1:], reduction="none")

    return {
        "another last token moves the row that predicts it": lambda way: moved(way, -1)[-1],
        "another source moves nothing": lambda way: near(rows(way, other), rows(way)),
        "more padding behind the sources moves the rows": padded,
        "no row's loss is below 3": lambda way: losses(way).min() >= 3,
        "the first row is the same for every target": lambda way: not moved(way, *range(1, target.shape[1]))[0],
        "another source beside it in the batch moves a text's rows": beside,
        "another token moves rows before the one that predicts it": lambda way: any(moved(way, 5)[:4]),
    }


def searches_observed(names):
    """Each observation of lesson 12's question, as a function that says whether it is true of a beam search."""
    fork, lengths, always = names["fork"], names["lengths"], names["always"]

    def stops_and_goes_on(search):
        return any(
            "." in search(follow, 3, penalty, 4)[:-1] for follow in (fork, lengths, always) for penalty in (0, 1)
        )

    return {
        "fork, 2 beams, penalty 0: it writes what 1 beam writes": lambda f: f(fork, 2, 0, 3) == f(fork, 1, 0, 3),
        "something stands behind the first full stop": stops_and_goes_on,
        "lengths, penalty 0: it writes an x and a full stop": lambda f: f(lengths, 3, 0, 4) == "x.",
        "always, penalty 0: it writes an x": lambda f: "x" in f(always, 3, 0, 4),
        "lengths, penalty 0: it writes a bare full stop": lambda f: f(lengths, 3, 0, 4) == ".",
        "fork, 1 beam, penalty 0: it writes a, c and a full stop": lambda f: f(fork, 1, 0, 3) == "ac.",
        "lengths: an x with penalty 0, a bare full stop with penalty 2": lambda f: (
            "x" in f(lengths, 3, 0, 4) and f(lengths, 3, 2, 4) == "."
        ),
    }


def writers_observed(names):
    """Each observation of lesson 14's question, as a function that says whether it is true of a writer."""
    fresh, right = names["fresh"], gpt.right_writer
    short, other, long = [7, 1, 4, 9], [2, 11, 5, 9], [3, 8, 1, 6, 2, 5]

    def is_right(writer, prompt=short, beside=(), **model):
        return writer(fresh(**model), [prompt, *beside], 5)[0] == right(fresh(**model), [prompt], 5)[0]

    def sticks(writer):
        new, wanted = (one(fresh(), [short], 16)[0] for one in (writer, right))
        n = 12 - len(short) + 1  # the last of these is read off a text of max_len tokens
        return new[:n] == wanted[:n] and set(new[n - 1 :]) == {new[n]} and len(set(wanted[n - 1 :])) > 1

    return {
        "alone a short prompt is continued right, beside a longer one it is not": lambda f: (
            is_right(f) and not is_right(f, beside=[long])
        ),
        "a short prompt alone is continued right": is_right,
        "right with one block, wrong with two": lambda f: is_right(f, n_layers=1) and not is_right(f),
        "wrong with a table of positions, right without positions": lambda f: (
            is_right(f, positions="none") and not is_right(f)
        ),
        "prompts that end in the same token are continued alike": lambda f: (
            f(fresh(), [short], 5) == f(fresh(), [other], 5)
        ),
        "asked twice, it writes two different texts": lambda f: f(fresh(), [short], 5) != f(fresh(), [short], 5),
        "right up to max_len tokens, after them always the same token": sticks,
    }


def documents_observed(names):
    """Each observation of lesson 15's question, as a function that says whether it is true of a search."""
    model, right = names["fresh"](), bert.right_search
    short, other, long, question = [7, 1, 4, 9, 2], [2, 11, 5, 9], [3, 8, 1, 6, 2, 5, 5, 9, 4, 1, 7, 12], [4, 9, 1]
    passages = [short, long, other, [5, 5, 1], [9, 2, 8, 1, 1, 20, 3]]

    def same(search, passages, other_passages=None, question=question, other_question=None, n=None):
        one = search(model, passages, question)
        return near(one[:n], search(model, other_passages or passages, other_question or question)[:n])

    def moved(search):
        wrong = [not near(search(model, list(order), question), right(model, list(order), question))
                 for order in itertools.permutations(passages)]  # fmt: skip
        sorted_ones = sorted(passages, key=len)
        return any(wrong) and near(search(model, sorted_ones, question), right(model, sorted_ones, question))

    return {
        "two passages that are alike score alike": lambda f: near(*f(model, [short, short], question)),
        "some scores are above 1": lambda f: f(model, passages, question).max() > 1.01,
        "a passage scores otherwise when a longer one stands beside it": lambda f: (
            not same(f, [short], [short, long], n=1)
        ),
        "a passage of 5 ids, alone and asked for with its own text, scores below 0.99": lambda f: (
            f(model, [short], short) < 0.99
        ),
        "right for passages from the shortest to the longest, wrong for some other orders": moved,
        "the question's tokens in another order change no score": lambda f: same(
            f, passages, other_question=question[::-1]
        ),
        "another last id of a passage of 12 changes no score": lambda f: same(f, [long], [[*long[:-1], 15]]),
    }


def loras_observed(names):
    """Each observation of lesson 16's question, as a function that says whether it is true of a class."""
    fresh, trained, filled = (names[name] for name in ("fresh", "trained", "filled"))
    x, A, B = torch.randn(9, 6), torch.randn(3, 6), torch.randn(4, 3)

    def reloaded(make):
        layer, other = trained(make), make(fresh(seed=5), 2, 6)
        other.load_state_dict(layer.state_dict())
        return other(x), layer(x)

    def merged(make):
        layer = trained(make)
        before = layer(x)
        layer.merge()
        return layer(x), before

    def twice(make):
        old = fresh()(x)
        once, double = filled(make, A, B, 6), filled(make, torch.cat((A, A)), torch.cat((B, B), 1), 6)
        return double(x) - old, 2 * (once(x) - old)

    return {
        "loaded into another one, its state_dict gives other outputs": lambda make: not near(*reloaded(make)),
        "before training its outputs are those of the old layer": lambda make: near(make(fresh(), 2, 6)(x), fresh()(x)),
        "after training its outputs are still those of the old layer": lambda make: near(
            (layer := trained(make))(x), layer.old(x)
        ),
        "after merge() it gives other outputs than before": lambda make: not near(*merged(make)),
        "asked twice, it gives two different outputs": lambda make: not near((layer := trained(make))(x), layer(x)),
        "with every row of A and column of B twice, it changes twice as much": lambda make: near(*twice(make)),
        "training changes its old weight": lambda make: not near(trained(make).old.weight, fresh().weight),
    }


def right_norm(x, gamma, beta):
    return gamma * F.layer_norm(x, (8,)) + beta


# How the observations of a lesson are made, and a right function.
OBSERVED = {
    "01_toolkit": (loops_observed, lambda names: toolkit.RIGHT_LOOP),
    "02_attention": (attentions_observed, lambda names: names["torchs"]),
    "03_masks": (maskings_observed, lambda names: masks.attention_right),
    "04_multi_head": (heads_observed, lambda names: right_heads),
    "05_feed_forward": (layers_observed, lambda names: whole_layer),
    "06_residual": (residuals_observed, lambda names: right_residual),
    "07_layer_norm": (pieces_observed, lambda names: right_norm),
    "09_block": (assemblies_observed, lambda names: RIGHT_ASSEMBLIES),
    "10_tokens": (tokenizers_observed, lambda names: tokens.repaired_right),
    "11_encoder_decoder": (translators_observed, lambda names: names["right"]),
    "12_decoding": (searches_observed, lambda names: decoding.repaired_right),
    "14_gpt": (writers_observed, lambda names: gpt.right_writer),
    "15_bert": (documents_observed, lambda names: bert.right_search),
    "16_fine_tuning": (loras_observed, lambda names: fine_tuning.RightLora),
}


@pytest.mark.parametrize("lesson", OBSERVED)
def test_an_observation_is_true_of_its_snippet_alone(lesson):
    torch.manual_seed(0)
    observed, right = OBSERVED[lesson]
    names = snippets(lesson)
    diagnosis = import_module(f"transformer_lab.grading.checks.{lesson[3:]}.diagnose").DIAGNOSIS
    made = observed(names)
    assert made.keys() == diagnosis.observations.keys()
    true_of = {
        what: [snippet for snippet in diagnosis.snippets if holds(snippet_of(names, snippet))]
        for what, holds in made.items()
    }
    for snippet, (_, observation, _) in diagnosis.snippets.items():
        assert true_of[observation] == [snippet] and not made[observation](right(names))
    decoys = diagnosis.observations.keys() - {observation for _, observation, _ in diagnosis.snippets.values()}
    assert all(len(true_of[what]) != 1 or made[what](right(names)) for what in decoys), true_of


def test_what_lesson_10_says_of_its_claims_is_what_its_notebook_prints():
    """One probe for each claim, as many besides, both verdicts; and the numbers of the cards stand in the tables."""
    controls = import_module("transformer_lab.grading.checks.tokens.controls")
    source = (SOURCES / "10_tokens.py").read_text(encoding="utf-8").partition("## Question 7")[2]
    told = dict(re.findall(r"^# \| [`\"]+([\w ,]+?)[`\"]+ \| (.+) \|$", source, flags=re.MULTILINE))
    assert list(told) == [*controls.CLAIMED, *controls.PROBES]
    probes = [claim.probe for claim in controls.CLAIMED.values()]
    assert len(set(probes)) == len(probes) <= len(controls.PROBES) - 2 and probes != sorted(probes)
    assert {claim.verdict for claim in controls.CLAIMED.values()} == {*controls.VERDICTS}
    for name, claim in controls.CLAIMED.items():
        numbers = [re.findall(r"\d+ %", text) for text in (claim.compare, told[name] + told[claim.probe])]
        assert numbers[0] and set(numbers[0]) <= set(numbers[1])
        (of_the_claim,), beside = re.findall(r"(\d+) %", told[name]), re.findall(r"(\d+) %", told[claim.probe])
        same = bool(beside) and abs(int(of_the_claim) - int(beside[0])) < 5
        assert name == "d" or same is (name in "abc")  # refuted where nothing changes, but for c: there it stands
    said, right = (re.search(rf'^{name} = "(\w+)"', source, re.MULTILINE)[1] for name in ("said", "right"))
    hits = sum(a == b for a, b in zip(said, right, strict=True))
    always, dealt = controls.by_always(said, right), controls.by_dealt(said, right)
    assert (hits / len(right), always, round(dealt, 2)) == (0.3, 0.4, 0.12) and "30 %" in told["d"]


def test_each_row_of_lesson_15s_table_has_one_wrong_cell_and_no_other_can_mend_it():
    """The notebook's table, tried: every cell of a row, with every number that could stand there."""
    source = (SOURCES / "15_bert.py").read_text(encoding="utf-8")
    printed = {}
    for line in re.findall(r"^# \| (?:PER|LOC|ORG|all|mean) \|.*$", source, flags=re.MULTILINE):
        name, *cells = [cell.strip() for cell in line.strip("# |").split("|")]
        printed[name] = [float(cell) if cell else None for cell in cells]
    audit = import_module("transformer_lab.grading.checks.bert.audit")
    right = audit.true_table()
    assert list(printed) == list(right)

    def agrees(gold, predicted, hits, *shown):
        return all(
            abs(share - one) < 0.00501 for share, one in zip(audit.shares(gold, predicted, hits), shown, strict=True)
        )

    counts, shares = range(1, 400), [n / 100 for n in range(101)]
    for name, row in printed.items():
        wanted = [right[name].get(column) for column in audit.COLUMNS]
        wrong = [
            n
            for n, (one, other) in enumerate(zip(row, wanted, strict=True))
            if other is not None and abs(one - other) > 0.00501
        ]
        assert [audit.COLUMNS[n] for n in wrong] == [audit.WRONG_CELLS[name]]
        if name == "mean":
            continue
        mends = {
            n for n in range(6) for value in (counts if n < 3 else shares) if agrees(*row[:n], value, *row[n + 1 :])
        }
        assert mends == set(wrong)
