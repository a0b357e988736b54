"""Lesson 11: answers to its exercises, wrong with the words their author must be told, and right.

WRONG[id]: (name, answer, part of the message[, misconception]). An answer of several parts is a tuple.
"""

import math
from statistics import fmean

import torch
import torch.nn.functional as F

import transformer_lab as package
from diagnoses import Diagnosed

INF = float("inf")
POINTS = {
    "11_encoder_decoder.shift": 4,
    "11_encoder_decoder.cross_attention": 6,
    "11_encoder_decoder.alignment": 4,
    "11_encoder_decoder.greedy": 4,
    "11_encoder_decoder.diagnose": 4,
    "11_encoder_decoder.forced_and_free": 3,
    "11_encoder_decoder.floor": 2,
    "11_encoder_decoder.exchanged": 4,
}
ONE_WAY = ()  # questions with only one right answer
MISCONCEPTIONS = ("M33", "M35", "M36", "M37", "M38")  # that some wrong answer below shows


# shift --------------------------------------------------------------------------------------------------------


def column(ids, number):
    return ids.new_full((len(ids), 1), number)


def shift_right(targets, is_real, bos, eos, pad):
    n = is_real.sum(1, keepdim=True)
    labels = torch.cat((targets, column(targets, pad)), 1).scatter(1, n, eos)
    return torch.cat((column(targets, bos), targets), 1), labels, torch.arange(targets.shape[1] + 1) <= n


def shift_by_lists(targets, is_real, bos, eos, pad):
    B, T = targets.shape
    inputs, labels = torch.full((B, T + 1), pad), torch.full((B, T + 1), -100)
    for b in range(B):
        tokens = [int(t) for t, real in zip(targets[b], is_real[b], strict=True) if real]
        inputs[b, : len(tokens) + 1] = torch.tensor([bos] + tokens)
        labels[b, : len(tokens) + 1] = torch.tensor(tokens + [eos])
    return inputs, labels, labels != -100


def shift_of_one_row(targets, is_real, bos, eos, pad):
    """One row with both ends, cut in two ways; inputs hold eos where nothing counts."""
    whole = torch.cat((column(targets, bos), targets, column(targets, pad)), 1)
    whole = whole.scatter(1, 1 + is_real.sum(1, keepdim=True), eos)
    counts = torch.cat((column(is_real, True), is_real), 1)
    return whole[:, :-1], whole[:, 1:], counts


def shift_by_padding(targets, is_real, bos, eos, pad):
    counts = F.pad(is_real, (1, 0), value=True)
    ends = counts & ~F.pad(is_real, (0, 1))
    return F.pad(targets, (1, 0), value=bos), F.pad(targets, (0, 1), value=pad).masked_fill(ends, eos), counts


def shifted_but(inputs=None, labels=None, counts=None):
    """Right but for what is given, functions of the same arguments."""

    def answer(*args):
        right = shift_right(*args)
        changes = zip((inputs, labels, counts), right, strict=True)
        return tuple(one if change is None else change(*args) for change, one in changes)

    return answer


def beside(left, right):
    return torch.cat((left, right), 1)


def read_as_they_are(targets, is_real, bos, eos, pad):
    _, labels, counts = shift_right(targets, is_real, bos, eos, pad)
    return labels, labels, counts


def cut_at_the_end(targets, is_real, bos, eos, pad):
    whole = beside(beside(column(targets, bos), targets), column(targets, eos))
    return whole[:, :-1], whole[:, 1:], beside(is_real, column(is_real, True))


def cut_too_short(targets, is_real, bos, eos, pad):
    whole = beside(column(targets, bos), targets)
    return whole[:, :-1], whole[:, 1:], is_real


def both_ends(targets, is_real, bos, eos, pad):
    whole = beside(beside(column(targets, bos), targets), column(targets, eos))
    return whole, whole, whole != pad


def rolled(targets, is_real, bos, eos, pad):
    inputs = beside(column(targets, bos), targets)
    return inputs, inputs.roll(-1, 1), beside(column(is_real, True), is_real)


def into_the_targets(targets, is_real, bos, eos, pad):
    right = shift_right(targets.clone(), is_real, bos, eos, pad)
    targets[:, 0] = bos
    return right


def hidden_by_minus_100(targets, is_real, bos, eos, pad):
    inputs, labels, counts = shift_right(targets, is_real, bos, eos, pad)
    return inputs.masked_fill(~counts, -100), labels.masked_fill(~counts, -100), counts


def end_over_the_last(targets, is_real, bos, eos, pad):
    inputs, _, counts = shift_right(targets, is_real, bos, eos, pad)
    labels = beside(targets, column(targets, pad))
    labels[torch.arange(len(targets)), (is_real.sum(1) - 1).clamp(min=0)] = eos
    return inputs, labels, counts


def length_by_ids(targets, is_real, bos, eos, pad):
    labels = beside(targets, column(targets, pad))
    labels[torch.arange(len(targets)), (targets != pad).sum(1)] = eos
    return labels


# cross-attention ------------------------------------------------------------------------------------------------


def attend(q, k, v, allowed, scale=None, dim=-1):
    scores = q @ k.transpose(-2, -1) / (scale or math.sqrt(q.shape[-1]))
    weights = scores.masked_fill(~allowed, -INF).softmax(dim)
    return weights @ v, weights


def cross_right(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q.T, memory @ w_k.T, memory @ w_v.T, is_real.unsqueeze(-2))


def cross_by_linear(x, memory, is_real, w_q, w_k, w_v):
    return package.scaled_dot_product_attention(
        F.linear(x, w_q), F.linear(memory, w_k), F.linear(memory, w_v), is_real[..., None, :]
    )


def cross_by_fused(x, memory, is_real, w_q, w_k, w_v):
    q, k = x @ w_q.T, memory @ w_k.T
    fused = F.scaled_dot_product_attention
    same = torch.eye(k.shape[-2], dtype=q.dtype).expand(*k.shape[:-2], -1, -1)
    weights = fused(q, k, same, attn_mask=is_real[..., None, :].expand(*q.shape[:-1], k.shape[-2]))
    return weights @ (memory @ w_v.T), weights


def cross_by_einsum(x, memory, is_real, w_q, w_k, w_v):
    q, k, v = torch.einsum("...td,ed->...te", x, w_q), memory @ w_k.mT, memory @ w_v.mT
    scores = torch.einsum("...td,...sd->...ts", q, k) * w_q.shape[0] ** -0.5
    bias = torch.zeros_like(is_real, dtype=x.dtype).masked_fill(~is_real, -1e9)
    weights = (scores + bias.unsqueeze(-2)).softmax(-1)
    return torch.einsum("...ts,...se->...te", weights, v), weights


def cross_on_zeroed_memory(x, memory, is_real, w_q, w_k, w_v):
    """Padding cleared first and masked all the same: nothing is lost."""
    return cross_right(x, memory.masked_fill(~is_real[..., None], 0.0), is_real, w_q, w_k, w_v)


def projected(change):
    """An attention of change(q, k, v, is_real) with the right projections."""

    def answer(x, memory, is_real, w_q, w_k, w_v):
        return change(x @ w_q.T, memory @ w_k.T, memory @ w_v.T, is_real)

    return answer


def masked_afterwards(q, k, v, is_real):
    weights = attend(q, k, v, torch.ones_like(is_real[..., None, :]))[1] * is_real[..., None, :]
    return weights @ v, weights


def divided_afterwards(q, k, v, is_real):
    weights = masked_afterwards(q, k, v, is_real)[1]
    weights = weights / weights.sum(-1, keepdim=True)
    return weights @ v, weights


def zeros_before(q, k, v, is_real):
    scores = (q @ k.mT / math.sqrt(q.shape[-1])) * is_real[..., None, :]
    return scores.softmax(-1) @ v, scores.softmax(-1)


def causal_too(q, k, v, is_real):
    future = torch.ones(q.shape[-2], k.shape[-2]).triu(1).bool()
    return attend(q, k, v, is_real[..., None, :] & ~future)


def causal_alone(q, k, v, is_real):
    return attend(q, k, v, torch.ones(q.shape[-2], k.shape[-2]).tril().bool().expand(*q.shape[:-1], -1))


def times_the_mask(q, k, v, is_real):
    weights = (q @ k.mT / math.sqrt(q.shape[-1]) + ~is_real[..., None, :] * -INF).softmax(-1)
    return weights @ v, weights


def sigmoid(q, k, v, is_real):
    weights = (q @ k.mT / math.sqrt(q.shape[-1])).sigmoid() * is_real[..., None, :]
    return weights @ v, weights


def padding_left_out(x, memory, is_real, w_q, w_k, w_v):
    memory = memory[is_real]
    return attend(x @ w_q.T, memory @ w_k.T, memory @ w_v.T, torch.ones(1, len(memory)).bool())


def on_the_rows(q, k, v, is_real):
    return attend(q, k, v, is_real[..., :, None])


def memory_cleared(x, memory, is_real, w_q, w_k, w_v):
    memory = memory * is_real[..., None]
    return attend(x @ w_q.T, memory @ w_k.T, memory @ w_v.T, torch.ones_like(is_real[..., None, :]))


def by_length(q, k, v, is_real):
    return attend(q, k, v, (torch.arange(k.shape[-2]) < is_real.sum(-1, keepdim=True))[..., None, :])


def first_padding(q, k, v, is_real):
    return attend(q, k, v, is_real.reshape(-1, k.shape[-2])[0].expand_as(is_real)[..., None, :])


def swapped(x, memory, is_real, w_q, w_k, w_v):
    return attend(memory @ w_q.T, x @ w_k.T, x @ w_v.T, is_real[..., None, :])


def to_itself(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q.T, x @ w_k.T, x @ w_v.T, is_real[..., None, :])


def keys_of_x(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q.T, x @ w_k.T, memory @ w_v.T, is_real[..., None, :])


def values_of_x(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q.T, memory @ w_k.T, x @ w_v.T, is_real[..., None, :])


def queries_of_memory(x, memory, is_real, w_q, w_k, w_v):
    return attend(memory @ w_q.T, memory @ w_k.T, memory @ w_v.T, is_real[..., None, :])


def not_transposed(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q, memory @ w_k, memory @ w_v, is_real[..., None, :])


def keys_and_values_exchanged(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q.T, memory @ w_v.T, memory @ w_k.T, is_real[..., None, :])


def of_a_batch_only(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q.T, memory @ w_k.T, memory @ w_v.T, is_real[:, None, :])


def of_one_text_only(x, memory, is_real, w_q, w_k, w_v):
    return attend(x @ w_q.T, memory @ w_k.T, memory @ w_v.T, is_real)


def in_place(x, memory, is_real, w_q, w_k, w_v):
    memory[~is_real] = 0.0
    return cross_right(x, memory, is_real, w_q, w_k, w_v)


# alignment --------------------------------------------------------------------------------------------------------


def alignment_right(weights, alignments):
    hits = n = 0
    for one, alignment in zip(weights, alignments, strict=True):
        for row, source in zip(one.mean(0), alignment, strict=False):  # the last row predicts [EOS]
            if source is not None:
                hits, n = hits + int(row.argmax() == source), n + 1
    return hits / n


def alignment_in_tensors(weights, alignments):
    found = []
    for one, alignment in zip(weights, alignments, strict=True):
        gold = torch.tensor([-1 if source is None else source for source in alignment])
        found.append((one[:, :-1].sum(0).argmax(-1) == gold)[gold >= 0])
    return torch.cat(found).double().mean()


def aligned_by(look, gold=lambda source: source is not None):
    """The share of tokens for which look(mean weights (T + 1, S), t, source) is true."""

    def answer(weights, alignments):
        found = [
            float(look(one.mean(0), t, source))
            for one, alignment in zip(weights, alignments, strict=True)
            for t, source in enumerate(alignment)
            if gold(source)
        ]
        return sum(found) / len(found)

    return answer


def hit(w, t, s):
    return w[t].argmax() == s


def mean_of_texts(weights, alignments):
    return fmean(alignment_right([w], [a]) for w, a in zip(weights, alignments, strict=True))


def text_shares_weighed(weights, alignments):
    """Right, unless a text has no aligned token."""
    sizes = [len(one) - one.count(None) for one in alignments]
    shares = [alignment_right([w], [a]) for w, a in zip(weights, alignments, strict=True)]
    return sum(n * share for n, share in zip(sizes, shares, strict=True)) / sum(sizes)


def of_heads(choose):
    return lambda weights, alignments: alignment_right([choose(w)[None] for w in weights], alignments)


def each_head(weights, alignments):
    return fmean(alignment_right([w[h : h + 1] for w in weights], alignments) for h in range(len(weights[0])))


def best_head(weights, alignments):
    return max(alignment_right([w[h : h + 1] for w in weights], alignments) for h in range(len(weights[0])))


def any_head(weights, alignments):
    found = [
        bool((w[:, t].argmax(-1) == source).any())
        for w, alignment in zip(weights, alignments, strict=True)
        for t, source in enumerate(alignment)
        if source is not None
    ]
    return fmean(found)


def by_tokens(weights, alignments):
    n = sum(source is not None for one in alignments for source in one)
    return alignment_right(weights, alignments) * n / sum(map(len, alignments))


def by_rows(weights, alignments):
    n = sum(source is not None for one in alignments for source in one)
    return alignment_right(weights, alignments) * n / sum(w.shape[1] for w in weights)


def none_is_a_hit(weights, alignments):
    n, tokens = sum(source is not None for one in alignments for source in one), sum(map(len, alignments))
    return (alignment_right(weights, alignments) * n + tokens - n) / tokens


def zero_never_hit(weights, alignments):
    return aligned_by(lambda w, t, s: s and w[t].argmax() == s)(weights, alignments)


def heads_averaged_in_place(weights, alignments):
    share = alignment_right(weights, alignments)
    for one in weights:
        one[:] = one.mean(0, keepdim=True)
        one /= 2
    return share


def entries_removed(weights, alignments):
    share = alignment_right(weights, alignments)
    for one in alignments:
        one.append(None)
    return share


# greedy -------------------------------------------------------------------------------------------------------------


def greedy_right(encode, decode, source, is_real, bos, eos, pad, max_new):
    memory, ids = encode(source, is_real), source.new_full((len(source), 1), bos)
    for _ in range(max_new):
        ended = (ids == eos).any(1)
        if ended.all():
            break
        following = decode(ids, memory, is_real)[:, -1].argmax(-1)
        ids = torch.cat((ids, torch.where(ended, pad, following)[:, None]), 1)
    return ids


def greedy_by_lists(encode, decode, source, is_real, bos, eos, pad, max_new):
    memory, rows = encode(source, is_real), [[bos] for _ in source]
    while len(rows[0]) <= max_new and not all(eos in row for row in rows):
        logits = decode(torch.tensor(rows), memory, is_real)
        for row, scores in zip(rows, logits, strict=True):
            row.append(pad if eos in row else int(scores[-1].argmax()))
    return torch.tensor(rows)


def greedy_filled(encode, decode, source, is_real, bos, eos, pad, max_new):
    """A block of padding is filled column by column, and cut at the end."""
    memory, ids = encode(source, is_real), torch.full((len(source), max_new + 1), pad)
    ids[:, 0], going, n = bos, torch.ones(len(source), dtype=torch.bool), 1
    while n <= max_new and going.any():
        best = decode(ids[:, :n], memory, is_real).argmax(-1)[:, -1]
        ids[going, n] = best[going]
        going, n = going & (best != eos), n + 1
    return ids[:, :n]


def greedy_but(
    pick=lambda logits: logits[:, -1].argmax(-1), fill=None, stop=torch.all, extra=0, finish=lambda ids, *_: ids
):
    """Greedy with one thing changed: how it picks, what follows an end, when it stops, how long, what comes back."""

    def answer(encode, decode, source, is_real, bos, eos, pad, max_new):
        memory, ids = encode(source, is_real), torch.full((len(source), 1), bos)
        ended = torch.zeros(len(source), dtype=torch.bool)
        for _ in range(max_new + extra):
            best = pick(decode(ids, memory, is_real))
            best = torch.where(ended, pad, best) if fill is None else fill(ended, best, eos)
            ids = torch.cat((ids, best[:, None]), 1)
            ended = ended | (best == eos)
            if stop and stop(ended):
                break
        return finish(ids, eos, pad)

    return answer


def greedy_ended_by_pad(encode, decode, source, is_real, bos, eos, pad, max_new):
    memory, ids = encode(source, is_real), torch.full((len(source), 1), bos)
    ended = torch.zeros(len(source), dtype=torch.bool)
    for _ in range(max_new):
        best = torch.where(ended, pad, decode(ids, memory, is_real)[:, -1].argmax(-1))
        ids = torch.cat((ids, best[:, None]), 1)
        ended = ended | (best == eos) | (best == pad)
        if ended.all():
            break
    return ids


def greedy_padded_once(encode, decode, source, is_real, bos, eos, pad, max_new):
    memory, ids = encode(source, is_real), torch.full((len(source), 1), bos)
    for _ in range(max_new):
        best = decode(ids, memory, is_real)[:, -1].argmax(-1)
        ids = torch.cat((ids, torch.where(ids[:, -1] == eos, pad, best)[:, None]), 1)
        if (ids == eos).any(1).all():
            break
    return ids


def greedy_without_limit(encode, decode, source, is_real, bos, eos, pad, max_new):
    """And with the first row of the logits: then no text ends."""
    memory, ids = encode(source, is_real), torch.full((len(source), 1), bos)
    while not (ids == eos).any(1).all():
        ids = torch.cat((ids, decode(ids, memory, is_real)[:, :1].argmax(-1)), 1)
    return ids


def goes_on(ended, best, eos):
    return best


def encoded_each_step(encode, decode, source, is_real, bos, eos, pad, max_new):
    ids = torch.full((len(source), 1), bos)
    for _ in range(max_new):
        ended = (ids == eos).any(1)
        if ended.all():
            break
        best = decode(ids, encode(source, is_real), is_real)[:, -1].argmax(-1)
        ids = torch.cat((ids, torch.where(ended, pad, best)[:, None]), 1)
    return ids


def last_token_only(encode, decode, source, is_real, bos, eos, pad, max_new):
    return greedy_right(encode, lambda ids, *rest: decode(ids[:, -1:], *rest), source, is_real, bos, eos, pad, max_new)


def source_for_memory(encode, decode, source, is_real, bos, eos, pad, max_new):
    encode(source, is_real)
    return greedy_right(lambda *a: source, decode, source, is_real, bos, eos, pad, max_new)


def never_encoded(encode, decode, source, is_real, bos, eos, pad, max_new):
    return torch.tensor([[bos, eos]] * len(source))


def mask_forgotten(encode, decode, source, is_real, *rest):
    return greedy_right(encode, lambda ids, memory, _: decode(ids, memory, None), source, is_real, *rest)


def source_changed(encode, decode, source, is_real, bos, eos, pad, max_new):
    ids = greedy_right(encode, decode, source, is_real, bos, eos, pad, max_new)
    source[:, 0] = pad
    source += 1
    return ids


def text_by_text(encode, decode, source, is_real, bos, eos, pad, max_new):
    rows = [
        greedy_right(encode, decode, source[b : b + 1], is_real[b : b + 1], bos, eos, pad, max_new)
        for b in range(len(source))
    ]
    return torch.cat(rows)


# diagnose -------------------------------------------------------------------------------------------------------------


def opened(model, ids, memory, is_real=None, causal=True):
    x, _ = model.embedding(ids)
    mask = None if is_real is None else is_real[:, None, None, :]
    for block in model.decoder.blocks:
        x = block(x, causal=causal, memory=memory, memory_mask=mask)
    return model.logits(model.decoder.norm(x))


def sorted_memory(model, source, is_real):
    order = is_real.sum(dim=1).argsort(descending=True)
    return model.encode(source[order], is_real[order]), order


def translator_right(model, source, is_real, target):
    return model(source, target[:, :-1], is_real)


def translator_unsorted(model, source, is_real, target):
    memory, order = sorted_memory(model, source, is_real)
    back = torch.empty_like(order)
    back[order] = torch.arange(len(order))
    return opened(model, target[:, :-1], memory[back], is_real)


def translator_sorted_throughout(model, source, is_real, target):
    memory, order = sorted_memory(model, source, is_real)
    return opened(model, target[order, :-1], memory, is_real[order])[order.argsort()]


def still_broken(model, source, is_real, target):
    memory, order = sorted_memory(model, source, is_real)
    return opened(model, target[:, :-1], memory, is_real[order])


def mask_in_another_order(model, source, is_real, target):
    memory, order = sorted_memory(model, source, is_real)
    return opened(model, target[:, :-1], memory[order.argsort()], is_real[order])


def mask_unsorted(model, source, is_real, target):
    memory, order = sorted_memory(model, source, is_real)
    return opened(model, target[:, :-1], memory, is_real)


def sorted_twice(model, source, is_real, target):
    memory, order = sorted_memory(model, source, is_real)
    return opened(model, target[:, :-1], memory[order], is_real[order][order])


def rows_in_the_order_of_lengths(model, source, is_real, target):
    memory, order = sorted_memory(model, source, is_real)
    return opened(model, target[order, :-1], memory, is_real[order])


def causality_lost(model, source, is_real, target):
    return opened(model, target[:, :-1], model.encode(source, is_real), is_real, causal=False)


def encoder_unmasked(model, source, is_real, target):
    return opened(model, target[:, :-1], model.encode(source), is_real)


def padding_read(model, source, is_real, target):
    return opened(model, target[:, :-1], model.encode(source, is_real))


def shift_lost(model, source, is_real, target):
    return opened(model, target[:, 1:], model.encode(source, is_real), is_real)


def not_cut(model, source, is_real, target):
    return model(source, target, is_real)


def target_spoilt(model, source, is_real, target):
    logits = translator_right(model, source, is_real, target)
    target[:, 0] = 0
    return logits


NAMED = {
    "a": ("no causal mask", "another token moves rows before the one that predicts it"),
    "b": ("another text's memory", "another source beside it in the batch moves a text's rows"),
    "c": ("a softmax before the loss", "no row's loss is below 3"),
    "d": ("the target is not shifted", "another last token moves the row that predicts it"),
    "e": ("the padding of the source is read", "more padding behind the sources moves the rows"),
}
ANSWERS = Diagnosed(NAMED, translator_right)
fault, shown, mended = ANSWERS.fault, ANSWERS.shown, ANSWERS.mended


# forced and free --------------------------------------------------------------------------------------------------


def shares_right(next_token, target, bos, eos):
    whole = target + [eos]
    forced = fmean(next_token([bos] + whole[:t]) == whole[t] for t in range(len(whole)))
    prefix, right = [bos], 0
    for wanted in whole:
        said = next_token(prefix)
        right += said == wanted
        prefix = prefix + [said]
        if said == eos:
            break
    return forced, right / len(whole)


def shares_in_tensors(next_token, target, bos, eos):
    whole = torch.tensor([*target, eos])
    read = [bos, *target]
    forced = torch.tensor([next_token(read[: t + 1]) for t in range(len(whole))])
    free = torch.full_like(whole, -1)
    for t in range(len(whole)):
        free[t] = next_token([bos, *free[:t].tolist()])
        if free[t] == eos:
            break
    return (forced == whole).float().mean(), (free == whole).float().mean()


def contrary_right(target, bos, eos):
    return lambda prefix: (target + [eos])[len(prefix) - 1] if prefix[1:2] == [bos] else bos


def contrary_by_any_mistake(target, bos, eos):
    def next_token(prefix):
        t = len(prefix) - 1
        if prefix[1:] == target[:t] or t > len(target):
            return -1
        return target[t] if t < len(target) else eos

    return next_token


def both(of):
    """of(next_token, target, bos, eos) -> the two lists of what is written; their shares of the places."""

    def answer(next_token, target, bos, eos):
        whole = [*target, eos]
        said = of(next_token, target, bos, eos)
        return tuple(sum(a == b for a, b in zip(whole, one, strict=False)) / len(whole) for one in said)

    return answer, contrary_right


def forced_ids(next_token, target, bos, eos):
    return [next_token([bos, *target[:t]]) for t in range(len(target) + 1)]


def free_ids(next_token, target, bos, eos, stops=True):
    free = []
    while len(free) <= len(target) and not (stops and eos in free):
        free.append(next_token([bos, *free]))
    return free


def without_limit(next_token, target, bos, eos):
    free = []
    while eos not in free:
        free.append(next_token([bos, *free]))
    return forced_ids(next_token, target, bos, eos), free


def contrary_but(mistake):
    """Off the right text it is right; on it, it writes mistake(target)."""

    def answer(target, bos, eos):
        whole = [*target, eos]
        return lambda read: mistake(target) if read[1:] == target[: len(read) - 1] else whole[len(read) - 1]

    return answer


def reads_itself_twice(*a):
    return free_ids(*a), free_ids(*a)


def reads_the_right_text_twice(*a):
    return forced_ids(*a), forced_ids(*a)


def exchanged(*a):
    return shares_right(*a)[::-1]


def past_the_end(*a):
    return forced_ids(*a), free_ids(*a, stops=False)


def without_the_end(next_token, target, bos, eos):
    said = forced_ids(next_token, target, bos, eos), free_ids(next_token, target, bos, eos)
    return tuple(sum(a == b for a, b in zip(target, one, strict=False)) / len(target) for one in said)


def of_its_own_places(next_token, target, bos, eos):
    free = free_ids(next_token, target, bos, eos)
    hits = sum(a == b for a, b in zip([*target, eos], free, strict=False))
    return shares_right(next_token, target, bos, eos)[0], hits / len(free)


def compared_with_what_was_read(next_token, target, bos, eos):
    said = forced_ids(next_token, target, bos, eos), free_ids(next_token, target, bos, eos)
    return tuple(sum(a == b for a, b in zip([bos, *target], one, strict=False)) / (len(target) + 1) for one in said)


def whole_or_nothing(next_token, target, bos, eos):
    said = forced_ids(next_token, target, bos, eos), free_ids(next_token, target, bos, eos)
    return tuple(float(one == [*target, eos]) for one in said)


def without_bos(next_token, target, bos, eos):
    return [next_token(target[:t]) for t in range(len(target) + 1)], []


def target_eaten(next_token, target, bos, eos):
    shares = shares_right(next_token, list(target), bos, eos)
    target.append(eos)
    return shares


def always_right(target, bos, eos):
    return lambda prefix: (target + [eos] * 9)[len(prefix) - 1]


def always_wrong(target, bos, eos):
    return lambda prefix: bos


def lost_after_a_mistake(target, bos, eos):
    return lambda prefix: (
        (target + [eos] * 9)[len(prefix) - 1] if prefix[1:] == target[: len(prefix) - 1] and len(prefix) != 2 else bos
    )


# floor --------------------------------------------------------------------------------------------------------------


def floor_right(V):
    return math.log(math.e + V - 1) - 1


def floor_by_softmax(V):
    return F.cross_entropy(F.one_hot(torch.tensor([0]), V).double(), torch.tensor([0])).item()


def floor_as_a_fraction(V):
    return -math.log(math.e / (math.e + (V - 1)))


ONE = "it comes close to 1"


# exchanged ----------------------------------------------------------------------------------------------------


def word_of(new, own, others):
    if own == others:
        return "no test"
    return "follows" if new == others else "stays" if new == own else "neither"


def rows_swapped(memory, places):
    mixed = memory.clone()
    mixed[0, places], mixed[1, places] = memory[1, places], memory[0, places]
    return mixed


def up_to_the_end(row, eos):
    return row[: row.index(eos) + 1] if eos in row else row


def exchanged_by(exchange=rows_swapped, judge=word_of, end=up_to_the_end, steps=lambda max_new: max_new):
    """exchange(memory, places); judge(new, own, others); end(row, eos); steps(max_new). By default all are right."""

    def exchanged(encode, decode, sources, is_real, places, bos, eos, max_new):
        def texts(memory):
            ids = greedy_on(decode, memory, is_real, bos, steps(max_new))
            return [end(row[1:], eos) for row in ids.tolist()]

        memory = encode(sources, is_real)
        old, new = texts(memory), texts(exchange(memory, places))
        return [judge(new[b], old[b], old[1 - b]) for b in (0, 1)]

    return exchanged


def greedy_on(decode, memory, is_real, bos, n):
    ids = torch.full((len(memory), 1), bos)
    for _ in range(n):
        ids = torch.cat((ids, decode(ids, memory, is_real)[:, -1:].argmax(-1)), 1)
    return ids


exchanged_right = exchanged_by()


def exchanged_by_greedy(encode, decode, sources, is_real, places, bos, eos, max_new):
    """With the answer to question 4, and a mask in place of a copy."""
    memory = encode(sources, is_real)
    chosen = torch.zeros(memory.shape[1], dtype=torch.bool)
    chosen[places] = True
    mixed = torch.where(chosen[:, None], memory.flip(0), memory)
    old, new = (
        [up_to_the_end(row, eos) for row in greedy_right(lambda *_, one=one: one, decode, sources, is_real, bos, eos,
                                                         eos, max_new).tolist()]
        for one in (memory, mixed)
    )  # fmt: skip
    return tuple(word_of(new[b], old[b], old[1 - b]) for b in (0, 1))


def exchanged_text_by_text(encode, decode, sources, is_real, places, bos, eos, max_new):
    """Each text alone, in a batch of one, and nothing written behind its end."""
    both = [encode(sources[b : b + 1], is_real[b : b + 1]) for b in (0, 1)]

    def text(memory, b):
        written = [bos]
        while len(written) <= max_new and eos not in written[1:]:
            logits = decode(torch.tensor([written]), memory, is_real[b : b + 1])
            written.append(int(logits[0, -1].argmax()))
        return written

    words = []
    for b in (0, 1):
        mixed = both[b].clone()
        for place in places:
            mixed[0, place] = both[1 - b][0, place]
        words.append(word_of(text(mixed, b), text(both[b], b), text(both[1 - b], 1 - b)).upper())
    return words


def exchanged_tokens(encode, decode, sources, is_real, places, bos, eos, max_new):
    """The tokens change places, and are encoded anew."""
    other = encode(rows_swapped(sources, places), is_real)
    return exchanged_by(lambda memory, places: other)(encode, decode, sources, is_real, places, bos, eos, max_new)


def swapped_in_place(memory, places):
    """After the first line the first text's own rows are gone."""
    mixed = memory.clone()
    for place in places:
        mixed[0, place], mixed[1, place] = mixed[1, place], mixed[0, place]
    return mixed


def exchanged_forced(encode, decode, sources, is_real, places, bos, eos, max_new):
    """What was written before is read again."""
    memory = encode(sources, is_real)
    ids = greedy_on(decode, memory, is_real, bos, max_new)
    new = decode(ids[:, :-1], rows_swapped(memory, places), is_real).argmax(-1).tolist()
    old, new = ([up_to_the_end(row, eos) for row in rows] for rows in (ids[:, 1:].tolist(), new))
    return [word_of(new[b], old[b], old[1 - b]) for b in (0, 1)]


def exchanged_with_padding(encode, decode, sources, is_real, places, bos, eos, max_new):
    """Whole rows of the batch are compared."""
    memory = encode(sources, is_real)
    old, new = (greedy_right(lambda *_, one=one: one, decode, sources, is_real, bos, eos, 5, max_new)
                for one in (memory, rows_swapped(memory, places)))  # fmt: skip
    return ["no test" if torch.equal(old[b], old[1 - b]) else "follows" if torch.equal(new[b], old[1 - b]) else
            "stays" if torch.equal(new[b], old[b]) else "neither" for b in (0, 1)]  # fmt: skip


def exchanged_compared_late(encode, decode, sources, is_real, places, bos, eos, max_new):
    memory = encode(sources, is_real)
    old, new = ([up_to_the_end(row, eos) for row in greedy_on(decode, one, is_real, bos, max_new)[:, 1:].tolist()]
                for one in (memory, rows_swapped(memory, places)))  # fmt: skip
    if new[0] == new[1]:
        return ["no test", "no test"]
    return ["follows" if new[b] == old[1 - b] else "stays" if new[b] == old[b] else "neither" for b in (0, 1)]


def exchanged_beside_the_first(encode, decode, sources, is_real, places, bos, eos, max_new):
    memory = encode(sources, is_real)
    old, new = ([up_to_the_end(row, eos) for row in greedy_on(decode, one, is_real, bos, max_new)[:, 1:].tolist()]
                for one in (memory, rows_swapped(memory, places)))  # fmt: skip
    return [word_of(new[b], old[0], old[1]) for b in (0, 1)]


def without_clone(memory, places):
    mixed = memory
    kept = memory[0, places]
    mixed[0, places] = memory[1, places]
    mixed[1, places] = kept
    return mixed


def from_one(b):
    """Only text b gets rows of the other."""

    def exchange(memory, places):
        mixed = memory.clone()
        mixed[b, places] = memory[1 - b, places]
        return mixed

    return exchange


def places_used_up(*given):
    result = exchanged_right(*given)
    given[4].clear()
    return result


def sources_written_into(*given):
    result = exchanged_right(*given)
    given[2][0] = 0
    return result


def judged_in_one_word(*given):
    return exchanged_right(*given)[0]


def renaming(**names):
    return exchanged_by(judge=lambda *texts: names.get(word_of(*texts).replace(" ", "_"), word_of(*texts)))


RIGHT = {
    "11_encoder_decoder.shift": [
        ("with scatter", shift_right),
        ("by lists, labels of -100", shift_by_lists),
        ("one row cut twice", shift_of_one_row),
        ("by padding", shift_by_padding),
    ],
    "11_encoder_decoder.cross_attention": [
        ("by hand", cross_right),
        ("linear and the package", cross_by_linear),
        ("fused", cross_by_fused),
        ("einsum, -1e9 added", cross_by_einsum),
        ("memory cleared first", cross_on_zeroed_memory),
    ],
    "11_encoder_decoder.alignment": [
        ("by loops", alignment_right),
        ("in tensors", alignment_in_tensors),
        ("by a condition", aligned_by(hit)),
    ],
    "11_encoder_decoder.greedy": [
        ("in tensors", greedy_right),
        ("by lists", greedy_by_lists),
        ("a block filled", greedy_filled),
        ("in steps", greedy_but()),
    ],
    "11_encoder_decoder.diagnose": [
        ("the model itself", (NAMED, translator_right)),
        ("unsorted", mended(translator_unsorted)),
        ("sorted throughout, then unsorted", mended(translator_sorted_throughout)),
        ("in capitals", ANSWERS.in_capitals()),
    ],
    "11_encoder_decoder.forced_and_free": [
        ("in one loop", (shares_right, contrary_right)),
        ("in tensors", (shares_in_tensors, contrary_by_any_mistake)),
        ("two lists", both(lambda *a: (forced_ids(*a), free_ids(*a)))),
    ],
    "11_encoder_decoder.floor": [
        ("a formula", (floor_right, ONE)),
        ("measured", (floor_by_softmax, ONE)),
        ("a fraction", (floor_as_a_fraction, "It comes close to 1.")),
        ("rounded to four digits", (lambda V: round(floor_right(V), 4), ONE)),
    ],
    "11_encoder_decoder.exchanged": [
        ("step by step", exchanged_right),
        ("with greedy", exchanged_by_greedy),
        ("text by text", exchanged_text_by_text),
        ("without a copy", exchanged_by(without_clone)),
        ("without the end", exchanged_by(end=lambda row, eos: row[: row.index(eos)] if eos in row else row)),
    ],
}

WRONG = {
    "11_encoder_decoder.shift": [
        ("not shifted", read_as_they_are, "row t reads the very token that it must predict", "M35"),
        (
            "targets read as they are",
            shifted_but(inputs=lambda t, r, b, e, p: beside(t, column(t, e))),
            "row t reads the very token that it must predict",
            "M35",
        ),
        ("labels as read", lambda *a: (shift_right(*a)[0],) * 2 + shift_right(*a)[2:], "it would learn to copy", "M35"),
        ("eos behind the padding", cut_at_the_end, "behind the padding"),
        ("no end", shifted_but(labels=lambda t, r, b, e, p: beside(t, column(t, p))), "write on for ever"),
        ("rolled", rolled, "torch.roll brings the first column"),
        ("eos over the last token", end_over_the_last, "over the last token"),
        ("as wide as the targets", cut_too_short, "wanted 6. Of n tokens"),
        ("both ends", both_ends, "neither reads both [BOS] and [EOS]"),
        (
            "bos over the first token",
            shifted_but(inputs=lambda t, r, b, e, p: beside(beside(column(t, b), t[:, 1:]), column(t, p))),
            "written over the first token",
        ),
        ("bos at the end", shifted_but(inputs=lambda t, r, b, e, p: beside(t, column(t, b))), "at the end", "M35"),
        ("begins with eos", shifted_but(inputs=lambda t, r, b, e, p: beside(column(t, e), t)), "begin with eos"),
        ("begins with pad", shifted_but(inputs=lambda t, r, b, e, p: beside(column(t, p), t)), "begin with pad"),
        (
            "labels moved the wrong way",
            shifted_but(labels=lambda t, r, b, e, p: beside(column(t, b), t).roll(1, 1)),
            "moved the wrong way",
            "M35",
        ),
        (
            "labels one too far",
            shifted_but(labels=lambda *a: shift_right(*a)[1].roll(-1, 1)),
            "one place too far",
        ),
        ("length by the ids", shifted_but(labels=length_by_ids), "The length of a text is counted by its ids"),
        ("inputs of -100", hidden_by_minus_100, "no id of the batch"),
        (
            "all count",
            shifted_but(counts=lambda t, r, b, e, p: torch.ones(len(t), t.shape[1] + 1).bool()),
            "padding after padding",
        ),
        ("the end does not count", shifted_but(counts=lambda t, r, b, e, p: F.pad(r, (0, 1))), "never learns to stop"),
        (
            "counts by the labels",
            shifted_but(counts=lambda *a: shift_right(*a)[1] != a[-1]),
            "pad and eos are the same id",
        ),
        (
            "counts by the inputs",
            shifted_but(counts=lambda *a: shift_right(*a)[0] != a[-1]),
            "a real token has the id of pad",
        ),
        (
            "last column counts",
            shifted_but(counts=lambda t, r, b, e, p: F.pad(r, (0, 1), value=True)),
            "The last column counts in every row",
        ),
        (
            "the first does not count",
            shifted_but(counts=lambda t, r, b, e, p: F.pad(r, (1, 0))),
            "it predicts the first token",
        ),
        (
            "one more counts",
            shifted_but(counts=lambda t, r, b, e, p: F.pad(F.pad(r, (1, 0), value=True), (1, 0), value=True)[:, :-1]),
            "One row too many counts",
        ),
        ("upside down", shifted_but(counts=lambda *a: ~shift_right(*a)[2]), "upside down"),
        (
            "the ends alone",
            shifted_but(counts=lambda *a: F.one_hot(a[1].sum(1), a[0].shape[1] + 1).bool()),
            "Only the rows that predict [EOS]",
        ),
        (
            "counts as numbers",
            shifted_but(counts=lambda *a: shift_right(*a)[2].float()),
            "torch.float32; wanted booleans",
        ),
        ("ids as floats", shifted_but(labels=lambda *a: shift_right(*a)[1].float()), "ids are int64"),
        ("two things", lambda *a: shift_right(*a)[:2], "returned 2 things"),
        ("a dictionary", lambda *a: dict(zip("ilc", shift_right(*a), strict=True)), "returned a dict"),
        ("into the targets", into_the_targets, "changed its input targets in place"),
        ("lists", lambda *a: [one.tolist() for one in shift_right(*a)], "of type list"),
    ],
    "11_encoder_decoder.cross_attention": [
        (
            "no mask",
            projected(lambda q, k, v, r: attend(q, k, v, torch.ones_like(r[..., None, :]))),
            "no effect",
            "M36",
        ),
        ("upside down", projected(lambda q, k, v, r: attend(q, k, v, ~r[..., None, :])), "upside down", "M36"),
        ("masked afterwards", projected(masked_afterwards), "set to 0 after the softmax", "M36"),
        ("masked, divided", projected(divided_afterwards), "nothing is left of these"),
        ("0 before the softmax", projected(zeros_before), "e^0 is 1", "M36"),
        ("memory cleared", memory_cleared, "e^0 is 1", "M36"),
        (
            "values cleared",
            projected(lambda q, k, v, r: attend(q, k, v * r[..., None], torch.ones_like(r[..., None, :]))),
            "no effect",
            "M36",
        ),
        ("causal as well", projected(causal_too), "to *itself*", "M36"),
        ("causal alone", projected(causal_alone), "A causal mask is applied", "M36"),
        ("mask on the rows", projected(on_the_rows), "It must close *columns*", "M36"),
        ("by length", projected(by_length), "taken to stand at the end", "M36"),
        ("padding of the first", projected(first_padding), "the padding of the first", "M36"),
        ("swapped", swapped, "have changed places", "M33"),
        ("to itself", to_itself, "the decoder's attention to itself", "M33"),
        ("keys of x", keys_of_x, "The keys are made of x", "M33"),
        ("values of x", values_of_x, "The values are made of x", "M33"),
        ("queries of the memory", queries_of_memory, "the encoder asks itself", "M33"),
        ("not transposed", not_transposed, "should be @ w.T"),
        ("w_k and w_v", keys_and_values_exchanged, "w_k and w_v have changed places"),
        (
            "x not projected",
            lambda x, m, r, w_q, w_k, w_v: attend(x, m @ w_k.T, m @ w_v.T, r[..., None, :]),
            "The queries are x itself",
        ),
        (
            "values not projected",
            lambda x, m, r, w_q, w_k, w_v: attend(x @ w_q.T, m @ w_k.T, m, r[..., None, :]),
            "as wide as the memory",
        ),
        ("unscaled", projected(lambda q, k, v, r: attend(q, k, v, r[..., None, :], 1.0)), "not divided by sqrt(d)"),
        ("by d", projected(lambda q, k, v, r: attend(q, k, v, r[..., None, :], q.shape[-1])), "wanted its square root"),
        (
            "by the width of x",
            lambda x, m, r, w_q, w_k, w_v: attend(x @ w_q.T, m @ w_k.T, m @ w_v.T, r[..., None, :], x.shape[-1] ** 0.5),
            "the width of x",
        ),
        (
            "by the width of the memory",
            lambda x, m, r, w_q, w_k, w_v: attend(x @ w_q.T, m @ w_k.T, m @ w_v.T, r[..., None, :], m.shape[-1] ** 0.5),
            "the width of the memory",
        ),
        (
            "over the queries",
            projected(lambda q, k, v, r: attend(q, k, v, r[..., None, :], dim=-2)),
            "over the decoder's rows",
        ),
        ("a batch only", of_a_batch_only, "It works on a batch of texts"),
        ("-inf times the mask", projected(times_the_mask), "Is -inf multiplied by the mask"),
        ("sigmoid", projected(sigmoid), "A row must sum to 1"),
        ("padding left out", padding_left_out, "it is not left out"),
        ("one text only", of_one_text_only, "It works on one text"),
        ("weights first", lambda *a: cross_right(*a)[::-1], "are swapped"),
        ("output alone", lambda *a: cross_right(*a)[0], "Only the output came back"),
        ("in place", in_place, "changed its input memory in place"),
        ("squeezed", lambda *a: tuple(one.squeeze() for one in cross_right(*a)), "squeezed?"),
        ("memory detached", lambda x, m, *a: cross_right(x, m.detach(), *a), "to memory"),
        ("x detached", lambda x, *a: cross_right(x.detach(), *a), "to x"),
        (
            "float32",
            lambda x, m, r, *w: cross_right(x.float(), m.float(), r, *(one.float() for one in w)),
            "torch.float32",
        ),
        (
            "another output",
            lambda *a: (
                attend(a[0] @ a[3].T, a[1] @ a[4].T, a[1] @ a[5].T, torch.ones_like(a[2][..., None, :]))[0],
                cross_right(*a)[1],
            ),
            "the output is made with others",
            "M36",
        ),
    ],
    "11_encoder_decoder.alignment": [
        ("where it is read", aligned_by(lambda w, t, s: w[t + 1].argmax() == s), "in which the decoder has token t"),
        ("over the queries", aligned_by(lambda w, t, s: w[:, s].argmax() == t), "argmax over the rows"),
        ("over the queries, but the last", aligned_by(lambda w, t, s: w[:-1, s].argmax() == t), "argmax over the rows"),
        ("both", aligned_by(lambda w, t, s: w[:, s].argmax() == t + 1), "look in the row"),
        ("one too early", aligned_by(lambda w, t, s: w[t - 1].argmax() == s), "one too early"),
        ("one too early, row 0 twice", aligned_by(lambda w, t, s: w[max(t - 1, 0)].argmax() == s), "and row 0 twice"),
        ("text by text", text_shares_weighed, "One of the texts has no aligned token"),
        ("mass", aligned_by(lambda w, t, s: w[t, s]), "the mean weight"),
        ("more than half", aligned_by(lambda w, t, s: w[t, s] > 0.5), "more than half"),
        ("top two", aligned_by(lambda w, t, s: s in w[t].topk(2).indices), "two largest"),
        ("misses", lambda w, a: 1 - alignment_right(w, a), "share of misses"),
        ("per cent", lambda w, a: 100 * alignment_right(w, a), "per cent"),
        ("zero is no token", aligned_by(hit, gold=bool), "Tokens of source token 0 are left out"),
        ("zero is never hit", zero_never_hit, "never counted as hits"),
        ("None is a miss", by_tokens, "counted as misses"),
        ("None is a hit", none_is_a_hit, "counted as hits"),
        ("by rows", by_rows, "number of rows"),
        ("mean of texts", mean_of_texts, "mean of the texts' shares"),
        ("first text", lambda w, a: alignment_right(w[:1], a[:1]), "Only the first text"),
        ("last text", lambda w, a: alignment_right(w[-1:], a[-1:]), "Only the last text"),
        ("first head", of_heads(lambda w: w[0]), "Only the first head"),
        ("last head", of_heads(lambda w: w[-1]), "Only the last head"),
        ("largest of the heads", of_heads(lambda w: w.amax(0)), "not the mean of the heads"),
        ("each head", each_head, "Each head's own"),
        ("best head", best_head, "best head alone"),
        ("any head", any_head, "as soon as one head hits"),
        ("of the whole table", aligned_by(lambda w, t, s: w.argmax() == s), "Average the heads' weights"),
        ("the last row", aligned_by(lambda w, t, s: w[-1].argmax() == s), "Average the heads' weights"),
        ("a list", lambda w, a: [alignment_right([x], [y]) for x, y in zip(w, a, strict=True)], "holds one number"),
        ("a yes", lambda w, a: alignment_right(w, a) > 0.5, "wanted a number"),
        ("into the weights", heads_averaged_in_place, "changed its inputs in place"),
        ("into the alignments", entries_removed, "changed its inputs in place"),
    ],
    "11_encoder_decoder.greedy": [
        ("first row of the logits", greedy_but(pick=lambda x: x[:, 0].argmax(-1)), "Every step writes the same token"),
        (
            "the first text's choice",
            greedy_but(pick=lambda x: x[0, -1].argmax().expand(len(x))),
            "All texts get the choice",
        ),
        ("over the batch", greedy_but(pick=lambda x: x[:, -1].argmax(0)[: len(x)]), "came out as"),
        ("goes on after its end", greedy_but(fill=goes_on), "goes on writing while the others"),
        (
            "filled with eos",
            greedy_but(fill=lambda ended, best, eos: torch.where(ended, eos, best)),
            "filled up with eos",
        ),
        ("pad is an end", greedy_ended_by_pad, "only eos ends it"),
        ("padded once", greedy_padded_once, "it has to stay ended"),
        ("no limit", greedy_without_limit, "stop after max_new steps"),
        ("filled with 0", greedy_but(fill=lambda ended, best, eos: best.masked_fill(ended, 0)), "came out as"),
        ("smallest", greedy_but(pick=lambda x: x[:, -1].argmin(-1)), "came out as"),
        ("stops with the first", greedy_but(stop=torch.any), "as soon as the *first* text has ended"),
        ("never stops", greedy_but(stop=None), "The loop goes on when every text"),
        ("never stops, no padding", greedy_but(stop=None, fill=goes_on), "goes on writing while the others"),
        ("one token more", greedy_but(extra=1), "One token more than max_new"),
        ("one token less", greedy_but(extra=-1), "One token less than max_new"),
        ("without bos", greedy_but(finish=lambda ids, *_: ids[:, 1:]), "bos is missing"),
        ("without the last", greedy_but(finish=lambda ids, *_: ids[:, :-1]), "The last token is missing"),
        (
            "without eos",
            greedy_but(finish=lambda ids, eos, pad: ids.masked_fill(ids == eos, pad)),
            "it is a token it wrote",
        ),
        ("encoded each step", encoded_each_step, "make it once", "M37"),
        ("last token only", last_token_only, "no cache here"),
        ("the source for the memory", source_for_memory, "decode was not given the memory", "M33"),
        ("no mask", mask_forgotten, "not given the source's is_real", "M36"),
        ("never encoded", never_encoded, "encode was never called"),
        ("text by text", text_by_text, "encode was not given the source"),
        ("floats", greedy_but(finish=lambda ids, *_: ids.float()), "ids are int64"),
        ("lists", greedy_but(finish=lambda ids, *_: ids.tolist()), "of type list"),
        ("source changed", source_changed, "changed its input source in place"),
    ],
    "11_encoder_decoder.diagnose": [
        ("as broken_b", mended(still_broken), "each text reads the memory of another"),
        ("as broken_a", mended(causality_lost), "rows see the future", "M36"),
        ("as broken_c", mended(lambda *a: translator_right(*a).softmax(-1)), "A softmax came in", "M38"),
        ("log_softmax", mended(lambda *a: translator_right(*a).log_softmax(-1)), "A log_softmax came in", "M38"),
        ("as broken_d", mended(shift_lost), "rows read their labels", "M35"),
        ("as broken_e", mended(padding_read), "padding of the source is read now", "M36"),
        ("encoder without a mask", mended(encoder_unmasked), "The encoder reads the padding now", "M36"),
        ("mask in another order", mended(mask_in_another_order), "in another"),
        ("mask alone unsorted", mended(mask_unsorted), "in another"),
        ("sorted twice", mended(sorted_twice), "Its inverse is"),
        ("rows sorted", mended(rows_in_the_order_of_lengths), "wanted the order in which the texts were given"),
        ("not cut", mended(not_cut), "has shape"),
        ("target spoilt", mended(target_spoilt), "changed its input target in place"),
        ("a not shifted", fault("a", "the target is not shifted"), "although they read the right tokens"),
        ("a upside down", fault("a", "the padding mask is upside down"), "for a single text without padding too"),
        ("b reads padding", fault("b", "the padding of the source is read"), "It writes good dates; whose?"),
        ("c no causal mask", fault("c", "no causal mask"), "nearly all alike, and far too high"),
        ("d no causal mask", fault("d", "no causal mask"), "which token does each row read"),
        ("e upside down", fault("e", "the padding mask is upside down"), "right for the longest source"),
        ("a and d exchanged", ANSWERS.but(a=NAMED["d"], d=NAMED["a"]), "although they read the right tokens"),
        ("a shown by the last", shown("a", NAMED["d"][1]), "where the labels are read"),
        (
            "c shown by the first row",
            shown("c", "the first row is the same for every target"),
            "a right translator too",
        ),
        ("e shown by the source", shown("e", "another source moves nothing"), "it moves rows in all five"),
        ("no option", fault("a", "leak"), "choose one of 'the target is not shifted'"),
        ("the other way round", ANSWERS.but(a=NAMED["a"][::-1]), "the fault comes first"),
        ("a list", (list(NAMED.values()), translator_right), "wanted a dictionary"),
    ],
    "11_encoder_decoder.forced_and_free": [
        ("its own text twice", both(reads_itself_twice), "This is the share of free running"),
        ("the right text twice", both(reads_the_right_text_twice), "This is the share of teacher forcing"),
        ("exchanged", (exchanged, contrary_right), "This is the share of free running"),
        ("past its end", both(past_the_end), "asked on after it has written eos"),
        ("without a limit", both(without_limit), "never write eos of its own"),
        ("always 0", (shares_right, contrary_but(lambda target: 0)), "Reading the right text it does better"),
        (
            "one more",
            (shares_right, contrary_but(lambda target: target[0] + 1)),
            "Reading the right text it does better",
        ),
        ("without the end", (without_the_end, contrary_right), "a text has one place more"),
        ("of its own places", (of_its_own_places, contrary_right), "wanted of those the target has"),
        ("what was read", (compared_with_what_was_read, contrary_right), "the token that it *read* last"),
        ("whole or nothing", (whole_or_nothing, contrary_right), "whether the whole text is right"),
        (
            "hits",
            (lambda *a: tuple((len(a[1]) + 1) * share for share in shares_right(*a)), contrary_right),
            "divide by all",
        ),
        (
            "misses",
            (lambda *a: tuple(1 - share for share in shares_right(*a)), contrary_right),
            "the share of wrong places",
        ),
        ("without bos", both(without_bos), "begins with bos"),
        ("one share", (lambda *a: shares_right(*a)[0], contrary_right), "wanted two shares"),
        ("texts", (lambda *a: ("a", "b"), contrary_right), "no numbers"),
        ("target eaten", (target_eaten, contrary_right), "changed its input target in place"),
        ("always right", (shares_right, always_right), "where the right text would have led it astray"),
        ("always wrong", (shares_right, always_wrong), "where the right text would have led it astray"),
        ("lost after a mistake", (shares_right, lost_after_a_mistake), "Reading the right text it does better"),
        ("no function", (shares_right, lambda target, bos, eos: target), "wanted a function"),
        ("floats", (shares_right, lambda target, bos, eos: lambda prefix: 0.5), "wanted an id"),
    ],
    "11_encoder_decoder.floor": [
        ("V zeros", (lambda V: math.log(math.e + V) - 1, ONE), "V - 1 classes have probability 0"),
        ("ln V", (math.log, ONE), "where the loss begins"),
        ("ln V - 1", (lambda V: math.log(V) - 1, ONE), "what it comes close to"),
        ("no floor", (lambda V: 0.0, ONE), "With one softmax the loss can come close to 0"),
        ("the probability", (lambda V: math.e / (math.e + V - 1), ONE), "the probability of the right class"),
        ("bits", (lambda V: floor_right(V) / math.log(2), ONE), "This is in bits"),
        ("half in bits", (lambda V: math.log2(math.e + V - 1) - 1, ONE), "Half of it is in bits"),
        ("score not taken off", (lambda V: math.log(math.e + V - 1), ONE), "not taken off"),
        ("negative", (lambda V: -floor_right(V), ONE), "a loss is not negative"),
        ("rounded to two digits", (lambda V: round(floor_right(V), 2), ONE), "a 1 among V - 1 zeros"),
        ("of 55 tokens", (lambda V: floor_right(55), ONE), "a 1 among V - 1 zeros"),
        ("a text", (str, ONE), "wanted a number"),
        ("without end", (floor_right, "it grows without end"), "Compute ln V - floor(V)"),
        ("to 0", (floor_right, "it comes close to 0"), "Compute ln V - floor(V)"),
        ("no option", (floor_right, "one"), "choose one of"),
    ],
    "11_encoder_decoder.exchanged": [
        ("tokens exchanged", exchanged_tokens, "The *tokens* are exchanged"),
        ("swapped in place", exchanged_by(swapped_in_place), "The exchange goes one way: text 0 gets"),
        ("into the first only", exchanged_by(from_one(0)), "The exchange goes one way: text 0 gets"),
        ("into the second only", exchanged_by(from_one(1)), "The exchange goes one way: text 1 gets"),
        ("nothing exchanged", exchanged_by(lambda memory, places: memory), "Nothing is exchanged"),
        ("the whole memory", exchanged_by(lambda memory, places: memory.flip(0)), "The whole memory is exchanged"),
        (
            "all but these",
            exchanged_by(lambda memory, places: rows_swapped(memory.flip(0), places)),
            "rows are exchanged *but*",
        ),
        (
            "the first of several",
            exchanged_by(lambda memory, places: rows_swapped(memory, places[:1])),
            "only the first is",
        ),
        (
            "the last of several",
            exchanged_by(lambda memory, places: rows_swapped(memory, places[-1:])),
            "only the last is",
        ),
        (
            "a slice",
            exchanged_by(lambda memory, places: rows_swapped(memory, [*range(min(places), max(places) + 1)])),
            "from the first place to the last",
        ),
        (
            "from there on",
            exchanged_by(lambda memory, places: rows_swapped(memory, [*range(min(places), memory.shape[1])])),
            "from the place on",
        ),
        (
            "up to there",
            exchanged_by(lambda memory, places: rows_swapped(memory, [*range(max(places) + 1)])),
            "up to the place",
        ),
        (
            "counted from 1",
            exchanged_by(lambda memory, places: rows_swapped(memory, [place - 1 for place in places])),
            "The row before is exchanged",
        ),
        ("added", exchanged_by(lambda memory, places: memory + memory.flip(0)), "rows that encode never made"),
        ("numbers of each row", exchanged_by(lambda memory, places: memory.flip(-1)), "rows that encode never made"),
        ("old words read", exchanged_forced, "Each step reads what was written before the exchange"),
        ("not cut", exchanged_by(end=lambda row, eos: row), "What is written behind eos is compared too"),
        ("with padding", exchanged_with_padding, "compared with the padding behind them"),
        ("one step", exchanged_by(steps=lambda n: 1), "Only the first token is compared"),
        ("without max_new", exchanged_by(steps=lambda n: 12), "max_new does not stop the writing"),
        ("one token less", exchanged_by(steps=lambda n: n - 1), "One token less than max_new"),
        ("one token more", exchanged_by(steps=lambda n: n + 1), "One token more than max_new"),
        ("no end to it", exchanged_by(steps=lambda n: 80), "stop after eos, and after max_new tokens"),
        ("words exchanged", renaming(follows="stays", stays="follows"), "'follows' and 'stays' are exchanged"),
        ("in the wrong order", lambda *given: exchanged_right(*given)[::-1], "The two words stand in the wrong order"),
        ("beside the first", exchanged_beside_the_first, "Both texts are compared with the text of sources[0]"),
        ("no test stays", renaming(no_test="stays"), "You say 'stays'"),
        ("no test follows", renaming(no_test="follows"), "You say 'follows'"),
        (
            "asked too late for follows",
            exchanged_by(
                judge=lambda new, own, others: "follows" if new == others else "stays" if new == own else "neither"
            ),
            "the other's text. Where",
        ),
        (
            "asked too late for stays",
            exchanged_by(
                judge=lambda new, own, others: "stays" if new == own else "follows" if new == others else "neither"
            ),
            "its own text. Where",
        ),
        ("no test afterwards", exchanged_compared_late, "equal *after* the exchange"),
        ("neither follows", renaming(neither="follows"), "is said to follow"),
        ("neither stays", renaming(neither="stays"), "is said to stay"),
        ("booleans", exchanged_by(judge=lambda new, own, others: new == others), "of type bool"),
        ("one word", judged_in_one_word, "wanted a list of two words"),
        ("a word of its own", renaming(neither="both"), "choose one of"),
        ("always no test", lambda *given: ["no test"] * 2, "So the words are"),
        ("places used up", places_used_up, "changed its list of places"),
        ("sources written into", sources_written_into, "changed its input sources in place"),
    ],
}
