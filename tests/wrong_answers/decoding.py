"""Lesson 12: answers to its exercises, wrong with the words their author must be told, and right.

attention.py says what the tables hold.
"""

import heapq
import math
from collections import Counter

import numpy as np
import torch
import torch.nn.functional as F

from careless import copying
from diagnoses import Diagnosed
from transformer_lab.generation.sampling import keep_top_k

INF = float("inf")
POINTS = {
    "12_decoding.distribution": 6,
    "12_decoding.beam_step": 6,
    "12_decoding.blame": 4,
    "12_decoding.diagnose": 5,
    "12_decoding.likeliest": 3,
    "12_decoding.crossing": 2,
    "12_decoding.pad_left": 3,
    "12_decoding.repeated": 2,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M50",)


# distribution -----------------------------------------------------------------------------------------------------


def kth(scores, k):
    return scores.topk(min(k, scores.shape[-1])).values[:, -1:]


def best_k(scores, k):
    return scores.masked_fill(scores < kth(scores, k), -INF)


def nucleus(scores, p, before=lambda cumulative, ordered, p: cumulative - ordered >= p, first=False):
    """As in question 1, with another rule for which sorted places go; first: the first one always stays."""
    chances = scores.softmax(-1)
    ordered = chances.sort(-1, descending=True).values
    gone = before(ordered.cumsum(-1), ordered, p)
    if first:
        gone[:, 0] = False
    last = ordered.masked_fill(gone, 2.0).amin(-1, keepdim=True)
    return scores.masked_fill(chances < last, -INF)


def distribution_right(scores, temperature, k, p):
    return nucleus(best_k(scores / temperature, k), p).softmax(-1)


def distribution_by_rows(scores, temperature, k, p):
    """Plain Python."""
    rows = []
    for row in (scores.double() / temperature).tolist():
        weights = [math.exp(score - max(row)) for score in row]
        for limit in (k, None):
            total, ordered, reached, n = sum(weights), sorted(weights, reverse=True), 0.0, 0
            while n < len(ordered) and (n < k if limit else reached < p * total):
                reached, n = reached + ordered[n], n + 1
            weights = [w if w >= ordered[n - 1] else 0.0 for w in weights]
        rows.append([w / sum(weights) for w in weights])
    return torch.tensor(rows, dtype=scores.dtype)


def distribution_in_numpy(scores, temperature, k, p):
    z = scores.numpy().astype(np.float64) / temperature
    z = np.where(z < np.sort(z, axis=-1)[:, ::-1][:, min(k, z.shape[1]) - 1][:, None], -np.inf, z)
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    e /= e.sum(axis=-1, keepdims=True)
    ordered = -np.sort(-e, axis=-1)
    n = ((ordered.cumsum(-1) - ordered) < p).sum(-1)
    e = np.where(e < ordered[np.arange(len(e)), n - 1][:, None] - 1e-12, 0, e)
    return torch.from_numpy(e / e.sum(axis=-1, keepdims=True)).float()


def distribution_half_packaged(scores, temperature, k, p):
    return nucleus(keep_top_k(scores / temperature, k), p).softmax(-1)


def distribution_normalised(scores, temperature, k, p):
    """A mask on probabilities, and one division."""
    z = best_k(scores / temperature, k)
    kept = z.softmax(-1) * (~nucleus(z, p).isinf())
    return F.normalize(kept, p=1, dim=-1)


def ordered_ids(scores, p):
    """The usual code: sort, cut, scatter the cut back. Which of two equal tokens stays depends on the ids."""
    ordered, ids = scores.sort(dim=-1, descending=True, stable=True)
    gone = ordered.softmax(-1).cumsum(-1) > p
    gone[:, 1:] = gone[:, :-1].clone()
    gone[:, 0] = False
    return scores.masked_fill(gone.scatter(-1, ids, gone), -INF)


def filtered(filters, temper=lambda s, t: s / t, last=lambda z: z.softmax(-1)):
    """An answer of these parts: filters(scores, k, p)."""
    return lambda scores, t, k, p: last(filters(temper(scores, t), k, p))


def both(z, k, p):
    return nucleus(best_k(z, k), p)


def exactly_k(z, k, p):
    ids = z.sort(dim=-1, descending=True, stable=True).indices[:, : min(k, z.shape[-1])]
    return nucleus(torch.full_like(z, -INF).scatter(-1, ids, z.gather(-1, ids)), p)


def in_place(scores, temperature, k, p):
    scores /= temperature
    return both(scores, k, p).softmax(-1)


def zeros_for_removed(z, k, p):
    return torch.where(both(z, k, p).isinf() & ~z.isinf(), 0.0, z)


def one_row(scores, temperature, k, p):
    return distribution_right(scores[:1], temperature, k, p)[0]


def rising(z, k, p):
    z = best_k(z, k)
    chances, ids = z.softmax(-1).sort(-1)
    gone = (chances.cumsum(-1) - chances >= p) | (chances == 0)
    return z.masked_fill(gone.gather(-1, ids.argsort(-1)), -INF)


def unsorted(z, k, p):
    z = best_k(z, k)
    chances = z.softmax(-1)
    return z.masked_fill(chances.cumsum(-1) - chances >= p, -INF)


def distribution_with_bare_exponentials(scores, temperature, k, p):
    weights = nucleus(best_k(scores / temperature, k), p).exp()
    return weights / weights.sum(-1, keepdim=True)


def distribution_with_minus_100(scores, temperature, k, p):
    z = scores / temperature
    z = z.masked_fill(z < kth(z, k), -100.0)
    return nucleus(z, p).nan_to_num(neginf=-100.0).softmax(-1)


def distribution_by_counting(scores, temperature, k, p):
    """No sorting: how many tokens are better, and how probable are those together?"""
    z = scores / temperature
    z = z.masked_fill((z[:, None] > z[:, :, None]).sum(-1) >= k, -INF)
    chances = z.softmax(-1)
    better = torch.einsum("bvw,bw->bv", (chances[:, None] > chances[:, :, None]).to(z.dtype), chances)
    return z.masked_fill(better >= p, -INF).softmax(-1)


# beam_step --------------------------------------------------------------------------------------------------------


def prepared(ended, log_probs, eos):
    log_probs = log_probs.masked_fill(ended[..., None], -INF)
    log_probs[..., eos] = torch.where(ended, 0.0, log_probs[..., eos])
    return log_probs


def topped(every, eos):
    K, V = every.shape[1:]
    totals, flat = every.flatten(1).topk(K)
    return totals, flat // V, flat % V, flat % V == eos


def step_right(totals, ended, log_probs, eos):
    return topped(totals[..., None] + prepared(ended, log_probs, eos), eos)


def step_by_lists(totals, ended, log_probs, eos):
    rows = []
    for b in range(len(totals)):
        found = []
        for k, total in enumerate(totals[b].tolist()):
            if ended[b, k]:
                found.append((total, k, eos, True))
            else:
                found += [(total + lp, k, v, v == eos) for v, lp in enumerate(log_probs[b, k].tolist())]
        rows.append(heapq.nlargest(totals.shape[1], found))
    return tuple(torch.tensor([[place[part] for place in row] for row in rows]) for part in range(4))


def step_in_two(totals, ended, log_probs, eos):
    """The K best of each beam first, and of these the K best."""
    K = totals.shape[1]
    every = totals[..., None] + prepared(ended, log_probs, eos)
    sums, tokens = every.topk(min(K, every.shape[-1]), dim=-1)
    n = sums.shape[-1]
    sums, places = sums.flatten(1).topk(K)
    beams, tokens = places // n, tokens.flatten(1).gather(1, places)
    return [sums, beams, tokens, ended.gather(1, beams) | (tokens == eos)]


def step_by_sorting(totals, ended, log_probs, eos):
    B, K, V = log_probs.shape
    every = (totals.view(B, K, 1) + prepared(ended, log_probs, eos)).reshape(B, K * V)
    flat = every.argsort(dim=1, descending=True)[:, :K]
    beams = torch.div(flat, V, rounding_mode="floor")
    return every.gather(1, flat), beams.int(), flat.remainder(V).int(), flat.remainder(V) == eos


def stepped(every, ends=None):
    """The K best of every(totals, ended, log_probs, eos), and ends(step, ended, eos) in place of the right ends."""

    def answer(totals, ended, log_probs, eos):
        step = topped(every(totals, ended, log_probs, eos), eos)
        return step if ends is None else (*step[:3], ends(step, ended, eos))

    return answer


def taken_apart(beam, token):
    def answer(totals, ended, log_probs, eos):
        K, V = log_probs.shape[1:]
        sums, flat = (totals[..., None] + prepared(ended, log_probs, eos)).flatten(1).topk(K)
        return sums, beam(flat, K, V), token(flat, K, V), token(flat, K, V) == eos

    return answer


def right_every(totals, ended, log_probs, eos):
    return totals[..., None] + prepared(ended, log_probs, eos)


def one_each(totals, ended, log_probs, eos):
    best = prepared(ended, log_probs, eos).max(-1)
    sums, beams = (totals + best.values).sort(-1, descending=True)
    tokens = best.indices.gather(1, beams)
    return sums, beams, tokens, tokens == eos


def one_each_unsorted(totals, ended, log_probs, eos):
    best = prepared(ended, log_probs, eos).max(-1)
    return totals + best.values, torch.arange(totals.shape[1]).expand_as(ended), best.indices, best.indices == eos


def step_in_place(totals, ended, log_probs, eos):
    log_probs[ended] = -INF
    log_probs[..., eos] = torch.where(ended, 0.0, log_probs[..., eos])
    return topped(totals[..., None] + log_probs, eos)


def all_texts(totals, ended, log_probs, eos):
    B, K, V = log_probs.shape
    sums, flat = right_every(totals, ended, log_probs, eos).flatten().topk(B * K)
    flat = flat.view(B, K)
    return sums.view(B, K), flat // V, flat % V, flat % V == eos


def all_texts_in_places(totals, ended, log_probs, eos):
    sums, beams, tokens, ends = all_texts(totals, ended, log_probs, eos)
    return sums, beams % log_probs.shape[1], tokens, ends


def ends_cost(price, totals, ended, log_probs, eos):
    step = prepared(ended, log_probs, eos).clone()
    step[..., eos] = torch.where(ended, 0.0, price)
    return totals[..., None] + step


def price_given_back(totals, ended, log_probs, eos):
    """What the model asks for eos is subtracted again: -inf - -inf is NaN."""
    only = torch.full_like(log_probs, -INF)
    only[..., eos] = -log_probs[..., eos]
    return totals[..., None] + log_probs + torch.where(ended[..., None], only, 0.0)


def best_of_each(totals, ended, log_probs, eos):
    """K tokens of each beam are enough, but there may be fewer tokens than that."""
    K = totals.shape[1]
    step, tokens = prepared(ended, log_probs, eos).topk(K)
    sums, flat = (totals[..., None] + step).flatten(1).topk(K)
    tokens = tokens.flatten(1).gather(1, flat)
    return sums, flat // K, tokens, tokens == eos


def multiplied_by_a_mask(totals, ended, log_probs, eos):
    """0 * -inf is NaN."""
    return totals[..., None] + log_probs * ~ended[..., None]


def part(change):
    return lambda *given: change(*step_right(*given))


# blame ------------------------------------------------------------------------------------------------------------


def score(total, n, penalty):
    return total / n**penalty


def blame_right(found, right, penalty):
    return "search" if score(*right, penalty) > score(*found, penalty) else "model"


def blame_in_torch(found, right, penalty):
    totals, lengths = torch.tensor([found, right], dtype=torch.float64).unbind(dim=1)
    return ("Model", "Search")[int((totals / lengths**penalty).argmax())]  # of equal ones the first


def blame_by_ratios(found, right, penalty):
    return "model" if right[0] / found[0] >= (right[1] / found[1]) ** penalty else "search"


def blaming(score, better=lambda right, found: right > found):
    """Blames as it should, but by another score(total, tokens, penalty), or another comparison."""
    return lambda found, right, a: "search" if better(score(*right, a), score(*found, a)) else "model"


# diagnose ---------------------------------------------------------------------------------------------------------


def repaired_right(follow, beams, penalty, n):
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        new = {text + token: texts[text] + math.log(p) for text in texts for token, p in follow(text).items()}
        best = {text: new[text] for text in heapq.nlargest(beams, new, key=new.get)}
        ended |= {text: total for text, total in best.items() if text[-1] == "."}
        texts = {text: total for text, total in best.items() if text[-1] != "."}
    every = ended | texts
    return max(every, key=lambda text: every[text] / len(text) ** penalty)


def repaired_in_rows(follow, beams, penalty, n):
    """Ended beams stay among the beams until better ones take their place, and are remembered all the same."""
    rows, known = [(0.0, "")], []
    for _ in range(n):
        rows = [
            (s + math.log(p), text + token) for s, text in rows if text[-1:] != "." for token, p in follow(text).items()
        ]
        rows = sorted(rows)[::-1][:beams]
        known += [row for row in rows if row[1].endswith(".")]
    return max(known + rows, key=lambda row: row[0] / len(row[1]) ** penalty)[1]


def repaired_refilled(follow, beams, penalty, n):
    """As the package does: an ended text takes no other's place."""
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        new = {text + token: texts[text] + math.log(p) for text in texts for token, p in follow(text).items()}
        ranked = sorted(new, key=new.get, reverse=True)
        ended |= {text: new[text] for text in ranked[:beams] if text[-1] == "."}
        texts = {text: new[text] for text in [text for text in ranked if text[-1] != "."][:beams]}
    every = ended | texts
    return max(every, key=lambda text: every[text] / len(text) ** penalty)


def repaired_but(
    keep=None, aside=None, more=0, choose=lambda ended, texts: ended | texts, score=lambda s, n, penalty: s / n**penalty
):
    """Right, but for which texts are kept or put aside, for the number of steps, or for who is chosen in the end."""

    def repaired(follow, beams, penalty, n):
        texts, ended = {"": 0.0}, {}
        for _ in range(n + more):
            each = [
                {text + token: total + math.log(p) for token, p in follow(text).items()}
                for text, total in texts.items()
            ]
            new = {text: total for one in each for text, total in one.items()}
            best = {text: new[text] for text in (keep or best_of_all)(each, new, beams - len(ended) * (keep is loses))}
            ended |= {text: s for text, s in (new if aside else best).items() if text[-1] == "."}
            texts = {text: s for text, s in best.items() if text[-1] != "."}
        every = choose(ended, texts)
        return max(every, key=lambda text: score(every[text], len(text), penalty))

    return repaired


def best_of_all(each, new, beams):
    return heapq.nlargest(beams, new, key=new.get)


def loses(each, new, beams):
    return best_of_all(each, new, max(beams, 0))


def some_of_each(each, new, beams):
    return [text for one in each for text in heapq.nlargest(beams, one, key=one.get)]


def not_repaired(follow, beams, penalty, n):
    texts, ended = {"": 0.0}, {}
    for _ in range(n):
        best = {}
        for text, total in texts.items():
            new = {text + token: total + math.log(p) for token, p in follow(text).items()}
            kept = heapq.nlargest(1 if text else beams, new, key=new.get)
            best.update({text: new[text] for text in kept})
        ended.update({text: total for text, total in best.items() if text.endswith(".")})
        texts = {text: total for text, total in best.items() if not text.endswith(".")}
    every = ended | texts
    return max(every, key=lambda text: every[text] / len(text) ** penalty)


ANSWERS = Diagnosed(
    {
        "a": ("the first ended text wins", "lengths, penalty 0: it writes a bare full stop"),
        "b": ("probabilities are added", "always, penalty 0: it writes an x"),
        "c": ("beams do not compete", "fork, 2 beams, penalty 0: it writes what 1 beam writes"),
        "d": ("the penalty is turned round", "lengths: an x with penalty 0, a bare full stop with penalty 2"),
        "e": ("ended texts go on", "something stands behind the first full stop"),
    },
    repaired_right,
)
mended, fault, observed = ANSWERS.mended, ANSWERS.fault, ANSWERS.shown

# likeliest --------------------------------------------------------------------------------------------------------


def likeliest_right(follow, n):
    waiting = [(0.0, "")]
    while True:
        cost, text = heapq.heappop(waiting)
        if text.endswith("."):
            return text
        if len(text) < n:
            for token, p in follow(text).items():
                heapq.heappush(waiting, (cost - math.log(p), text + token))


def likeliest_in_depth(follow, n):
    """Depth first; what is less probable than the best so far is dropped."""
    best = [0.0, ""]

    def look(text, p):
        if p <= best[0]:
            return
        if text.endswith("."):
            best[:] = p, text
        elif len(text) < n:
            for token, share in sorted(follow(text).items(), key=lambda pair: -pair[1]):
                look(text + token, p * share)

    look("", 1.0)
    return best[1]


def likeliest_in_rows(follow, n):
    """All texts of a length at a time, without those that an ended one beats already."""
    rows, best = {"": 1.0}, ("", 0.0)
    for _ in range(n):
        new = {text + token: p * share for text, p in rows.items() for token, share in follow(text).items()}
        best = max([best, *((text, p) for text, p in new.items() if text[-1] == ".")], key=lambda pair: pair[1])
        rows = {text: p for text, p in new.items() if text[-1] != "." and p > best[1]}
    return best[0]


def enumerated(follow, n, score=lambda text, p: p, done=lambda text: text.endswith(".")):
    rows, found = {"": 1.0}, {}
    for _ in range(n):
        rows = {text + token: p * share for text, p in rows.items() for token, share in follow(text).items()}
        found |= {text: p for text, p in rows.items() if done(text)}
        rows = {text: p for text, p in rows.items() if text[-1] != "."}
    return max(found, key=lambda text: score(text, found[text]))


def greedy(follow, n):
    text = ""
    while len(text) < n and not text.endswith("."):
        chances = follow(text)
        text += max(chances, key=chances.get)
    return text


# pad_left ---------------------------------------------------------------------------------------------------------


def pad_right_answer(prompts, pad):
    T = max(map(len, prompts))
    n = torch.tensor([[len(prompt)] for prompt in prompts])
    ids = torch.tensor([[pad] * (T - len(prompt)) + prompt for prompt in prompts])
    is_real = torch.arange(T) >= T - n
    return ids, is_real, (torch.arange(T) - (T - n)).clamp(min=0)


def pad_by_filling(prompts, pad):
    T = max(map(len, prompts))
    ids = torch.full((len(prompts), T), pad)
    is_real, positions = torch.zeros_like(ids, dtype=torch.bool), torch.zeros_like(ids)
    for b, prompt in enumerate(prompts):
        ids[b, T - len(prompt) :] = torch.tensor(prompt)
        is_real[b, -len(prompt) :] = True
        positions[b, -len(prompt) :] = torch.arange(len(prompt))
    return [ids, is_real, positions]


def padded(change):
    """Right but for change(ids, is_real, positions, pad, n)."""

    def answer(prompts, pad):
        n = torch.tensor([[len(prompt)] for prompt in prompts])
        return change(*pad_right_answer(prompts, pad), pad, n)

    return answer


def padded_behind(prompts, pad):
    T = max(map(len, prompts))
    n = torch.tensor([[len(prompt)] for prompt in prompts])
    ids = torch.tensor([prompt + [pad] * (T - len(prompt)) for prompt in prompts])
    return ids, torch.arange(T) < n, torch.arange(T).expand(len(prompts), T)


def padded_in_place(prompts, pad):
    right = pad_right_answer(prompts, pad)
    for prompt in prompts:
        prompt[:0] = [pad] * (max(map(len, prompts)) - len(prompt))
    return right


def cut(prompts, pad):
    T = min(map(len, prompts))
    return pad_right_answer([prompt[-T:] for prompt in prompts], pad)


# repeated, crossing -----------------------------------------------------------------------------------------------


def repeated_right(tokens, n):
    grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0


def repeated_by_looking_back(tokens, n):
    places = range(len(tokens) - n + 1)
    before = [any(tokens[i : i + n] == tokens[j : j + n] for j in range(i)) for i in places]
    return np.mean(before) if before else np.float64(0)


def repeated_by_zip(tokens, n):
    counts = Counter(zip(*(tokens[i:] for i in range(n)), strict=False))
    return sum(count - 1 for count in counts.values()) / max(counts.total(), 1)


def over_grams(count):
    """count(Counter of the n-grams, tokens, n) where there are any."""

    def answer(tokens, n):
        counts = Counter(tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1))
        return count(counts, tokens, n) if counts else 0.0

    return answer


def crossing_right(short, long):
    return math.log(sum(long) / sum(short)) / math.log(len(long) / len(short))


def crossing_by_halving(short, long):
    low, high = -50.0, 50.0
    for _ in range(200):
        middle = (low + high) / 2
        wins = sum(long) / len(long) ** middle > sum(short) / len(short) ** middle
        low, high = (low, middle) if wins else (middle, high)
    return low


def crossing_in_torch(short, long):
    a, b = (torch.tensor(one, dtype=torch.float64) for one in (short, long))
    return ((-b.sum()).log2() - (-a.sum()).log2()) / (torch.tensor(len(long) / len(short)).double().log2())


def mean(numbers):
    return sum(numbers) / len(numbers)


RIGHT = {
    "12_decoding.distribution": [
        ("a threshold", distribution_right),
        ("rows of numbers", distribution_by_rows),
        ("numpy", distribution_in_numpy),
        ("the package's top-k", distribution_half_packaged),
        ("a mask and a division", distribution_normalised),
        ("by counting", distribution_by_counting),
    ],
    "12_decoding.beam_step": [
        ("topk", step_right),
        ("lists", step_by_lists),
        ("in two steps, a list", step_in_two),
        ("sorted, int32", step_by_sorting),
    ],
    "12_decoding.blame": [
        ("two scores", (blame_right, "c")),
        ("torch, in capitals", (blame_in_torch, "C")),
        ("ratios", (blame_by_ratios, "c")),
    ],
    "12_decoding.diagnose": [
        ("dictionaries", mended(repaired_right)),
        ("rows", mended(repaired_in_rows)),
        ("refilled", mended(repaired_refilled)),
        ("in capital letters", ANSWERS.in_capitals()),
    ],
    "12_decoding.likeliest": [
        ("the most probable first", likeliest_right),
        ("depth first", likeliest_in_depth),
        ("row by row", likeliest_in_rows),
    ],
    "12_decoding.crossing": [
        ("logarithms", crossing_right),
        ("by halving", crossing_by_halving),
        ("torch, log2", crossing_in_torch),
    ],
    "12_decoding.pad_left": [
        ("broadcast", pad_right_answer),
        ("filled, a list", pad_by_filling),
    ],
    "12_decoding.repeated": [
        ("a set", repeated_right),
        ("looking back", repeated_by_looking_back),
        ("zip", repeated_by_zip),
    ],
}

WRONG = {
    "12_decoding.distribution": [
        ("copied from the check", copying(filtered(both, lambda s, t: s * t)), "multiplied by the temperature"),
        ("temperature multiplied", filtered(both, lambda s, t: s * t), "multiplied by the temperature: divide by it"),
        ("no temperature", filtered(both, lambda s, t: s), "The temperature has no effect"),
        ("probabilities cooled", filtered(both, lambda s, t: s.softmax(-1) / t), "divide the *scores*"),
        ("temperature last", lambda s, t, k, p: (both(s, k, p) / t).softmax(-1), "The temperature comes last here"),
        (
            "crossing token dropped",
            filtered(lambda z, k, p: nucleus(best_k(z, k), p, lambda c, o, p: c > p)),
            "the softmax gives NaN",
        ),
        (
            "crossing token dropped, the first kept",
            filtered(lambda z, k, p: nucleus(best_k(z, k), p, lambda c, o, p: c > p, True)),
            "The token with which the sum reaches p is dropped",
        ),
        (
            "one too many",
            filtered(lambda z, k, p: nucleus(best_k(z, k), p, lambda c, o, p: F.pad(c - o >= p, (1, -1), value=False))),
            "One token too many is kept",
        ),
        ("top-p first", filtered(lambda z, k, p: best_k(nucleus(z, p), k)), "It comes after top-k"),
        ("no top-k", filtered(lambda z, k, p: nucleus(z, p)), "Top-k has no effect"),
        ("no top-p", filtered(lambda z, k, p: best_k(z, k)), "Top-p has no effect"),
        ("temperature alone", filtered(lambda z, k, p: z), "Nothing is filtered: both k and p remove tokens"),
        (
            "not normalised",
            lambda s, t, k, p: (s / t).softmax(-1) * ~both(s / t, k, p).isinf(),
            "What is left does not add up to 1",
        ),
        ("zeros for -inf", filtered(zeros_for_removed), "A removed score is set to 0: exp(0) is 1"),
        ("exactly k", filtered(exactly_k), "Compare each score with the k-th"),
        (
            "the usual scatter",
            filtered(lambda z, k, p: ordered_ids(best_k(z, k), p)),
            "Compare each probability with that of the token that crosses p",
        ),
        (
            "k-th dropped",
            filtered(lambda z, k, p: nucleus(z.masked_fill(z <= kth(z, k), -INF), p)),
            "keep scores that are *at least* the k-th",
        ),
        ("k + 1", filtered(lambda z, k, p: nucleus(best_k(z, k + 1), p)), "Top-k keeps one token too many"),
        (
            "k larger than V",
            filtered(lambda z, k, p: nucleus(z.masked_fill(z < z.topk(k).values[:, -1:], -INF), p)),
            "out of range",
        ),
        ("least probable", filtered(rising), "taken from the *least* probable end"),
        ("not sorted", filtered(unsorted), "added up in the order of the ids"),
        (
            "sorted",
            lambda *given: distribution_right(*given).sort(-1, descending=True).values,
            "The right numbers, sorted",
        ),
        ("over the batch", filtered(both, last=lambda z: z.softmax(0)), "The softmax ran over the batch"),
        (
            "k of the batch",
            filtered(
                lambda z, k, p: nucleus(z.masked_fill(z < z.flatten().topk(min(k, z.numel())).values[-1], -INF), p)
            ),
            "the k best of the whole batch",
        ),
        (
            "k of the first row",
            filtered(lambda z, k, p: nucleus(z.masked_fill(z < kth(z, k)[:1], -INF), p)),
            "the k-th score of the first",
        ),
        ("log-probabilities", filtered(both, last=lambda z: z.log_softmax(-1)), "These are log-probabilities"),
        ("scores", filtered(both, last=lambda z: z), "These are scores; wanted probabilities"),
        (
            "compared with p",
            filtered(lambda z, k, p: best_k(z, k).masked_fill(best_k(z, k).softmax(-1) < p, -INF)),
            "Each probability was compared with p",
        ),
        (
            "compared with 1 - p",
            filtered(lambda z, k, p: best_k(z, k).masked_fill(best_k(z, k).softmax(-1) < 1 - p, -INF)),
            "Each probability was compared with 1 - p",
        ),
        (
            "k-th dropped, nothing to drop",
            filtered(lambda z, k, p: nucleus(z.masked_fill(z <= kth(z, k), -INF), p)),
            "the last one of yours is gone",
        ),
        (
            "crossing token dropped by rounding",
            filtered(lambda z, k, p: nucleus(best_k(z, k), p, lambda c, o, p: c > p, True)),
            "The token with which the sum reaches p is dropped",  # where p is 1, a last digit decides what is told
        ),
        (
            "one limit for all rows",
            filtered(lambda z, k, p: nucleus(z.masked_fill(z < kth(z, k).min(), -INF), p)),
            "One score is the limit of top-k for all rows",
        ),
        ("bare exponentials", distribution_with_bare_exponentials, "Right for scores near 0"),
        ("-100 for -inf", distribution_with_minus_100, "A removed score is set to -100"),
        ("one row", one_row, "An axis is missing"),
        (
            "a draw",
            lambda s, t, k, p: distribution_right(s, t, k, p).argmax(-1),
            "has shape",
        ),
        ("in place", in_place, "changed its input scores in place"),
        ("no return", lambda *given: None, "did you forget `return`?"),
    ],
    "12_decoding.beam_step": [
        ("copied from the check", copying(one_each), "Each beam goes on with its own best token"),
        (
            "ended ones go on",
            stepped(lambda t, e, lp, eos: t[..., None] + lp),
            "A beam that has ended goes on like the",
        ),
        (
            "ended ones go on, and stay ended",
            stepped(lambda t, e, lp, eos: t[..., None] + lp, lambda s, e, eos: s[3] | e.gather(1, s[1])),
            "A beam that has ended goes on like the others",
        ),
        (
            "ended ones dropped",
            stepped(lambda t, e, lp, eos: (t[..., None] + lp).masked_fill(e[..., None], -INF)),
            "Beams that have ended are thrown away",
        ),
        (
            "every token free",
            stepped(lambda t, e, lp, eos: t[..., None] + lp.masked_fill(e[..., None], 0.0)),
            "goes on with *every* token for nothing",
        ),
        (
            "ended ones pay",
            stepped(
                lambda t, e, lp, eos: (
                    t[..., None] + lp.masked_fill(e[..., None] & (torch.arange(lp.shape[-1]) != eos), -INF)
                )
            ),
            "goes on with eos, but pays for it",
        ),
        (
            "token 0 for eos",
            stepped(
                lambda t, e, lp, eos: t[..., None] + prepared(e, lp, 0), lambda s, e, eos: s[3] | e.gather(1, s[1])
            ),
            "goes on with token 0; wanted eos",
        ),
        ("eos is 0", lambda t, e, lp, eos: step_right(t, e, lp, 0), "eos is taken for the id 0"),
        (
            "none ended",
            lambda t, e, lp, eos: (*step_right(t, e, lp, eos)[:3], torch.zeros_like(e)),
            "No beam is marked as ended",
        ),
        ("times a mask", stepped(multiplied_by_a_mask), "The totals hold NaN"),
        ("new token alone", stepped(lambda t, e, lp, eos: prepared(e, lp, eos)), "Only the new token counts"),
        ("products", stepped(lambda t, e, lp, eos: t[..., None] * prepared(e, lp, eos)), "are multiplied"),
        ("probabilities", stepped(lambda *given: right_every(*given).exp()), "the totals are probabilities"),
        (
            "probabilities added",
            stepped(lambda t, e, lp, eos: t[..., None] + prepared(e, lp, eos).exp()),
            "Probabilities are added to a sum of logarithms",
        ),
        ("own best", one_each, "Each beam goes on with its own best token"),
        ("own best, in place", one_each_unsorted, "Each beam goes on with its own best token"),
        ("exchanged", taken_apart(lambda i, K, V: i % V, lambda i, K, V: i // V), "Beam and token have changed places"),
        ("by K", taken_apart(lambda i, K, V: i // K, lambda i, K, V: i % K), "The flat index is divided by K"),
        ("flat tokens", taken_apart(lambda i, K, V: i // V, lambda i, K, V: i), "The tokens are flat indices still"),
        ("true division", taken_apart(lambda i, K, V: i / V, lambda i, K, V: i % V), "// divides and drops the rest"),
        (
            "rows of the batch",
            taken_apart(lambda i, K, V: i // V + K * torch.arange(len(i))[:, None], lambda i, K, V: i % V),
            "The beams are counted over the whole batch",
        ),
        ("the whole batch", all_texts, "The best of the *whole batch* were chosen"),
        ("worst first", part(lambda *step: tuple(one.flip(1) for one in step)), "wanted is the best first"),
        ("last first", part(lambda *step: tuple(one.roll(1, 1) for one in step)), "The right totals in another order"),
        (
            "ends before",
            lambda t, e, lp, eos: (*step_right(t, e, lp, eos)[:3], e),
            "The ends are those of the beams before",
        ),
        (
            "ends in old places",
            stepped(right_every, lambda s, e, eos: e | s[3]),
            "is read from the place where it stood",
        ),
        ("no new ends", stepped(right_every, lambda s, e, eos: e.gather(1, s[1])), "has ended in this step"),
        ("upside down", stepped(right_every, lambda s, e, eos: ~s[3]), "The ends are upside down"),
        ("new ends only", stepped(right_every, lambda s, e, eos: s[3] & ~e.gather(1, s[1])), "it stays so"),
        ("means", stepped(lambda *given: right_every(*given) / 2), "A mean is taken"),
        (
            "means of those that go on",
            stepped(
                lambda t, e, lp, eos: torch.where(e[..., None], right_every(t, e, lp, eos), (t[..., None] + lp) / 2)
            ),
            "A mean is taken",
        ),
        (
            "softmax of the log-probabilities",
            stepped(lambda t, e, lp, eos: t[..., None] + prepared(e, lp.softmax(-1), eos)),
            "Probabilities are added to a sum of logarithms",
        ),
        (
            "softmax of all continuations",
            stepped(lambda *given: right_every(*given).flatten(1).log_softmax(-1).view_as(given[2])),
            "one more softmax",
        ),
        ("divided by five tokens", part(lambda totals, *others: (totals / 5, *others)), "added up and nothing more"),
        ("free ends", stepped(lambda *given: ends_cost(0.0, *given)), "eos costs nothing, whichever beam it continues"),
        ("no more ends", stepped(lambda *given: ends_cost(-INF, *given)), "No beam can end any more"),
        ("logarithms of products", stepped(lambda *given: right_every(*given).exp().log()), "Right while texts are"),
        ("tokens, then beams", part(lambda t, beams, tokens, e: (t, tokens, beams, e)), "second come the beams"),
        ("the whole batch, in places", all_texts_in_places, "The best of the *whole batch* were chosen"),
        ("the price given back", stepped(price_given_back), "The totals hold NaN"),
        ("the best K of each", best_of_each, "out of range"),
        ("three", part(lambda *step: step[:3]), "gives 3 things; wanted four tensors"),
        ("flat", part(lambda *step: tuple(one.flatten() for one in step)), "wanted a tensor of shape"),
        ("ends as numbers", part(lambda *step: (*step[:3], step[3].long())), "wanted booleans"),
        ("in place", step_in_place, "changed its input log_probs in place"),
    ],
    "12_decoding.blame": [
        ("exchanged", (blaming(score, lambda right, found: right < found), "c"), "The two are exchanged"),
        (
            "of equal ones the search",
            (blaming(score, lambda right, found: right >= found), "c"),
            "may bring back either",
        ),
        ("sums", (blaming(lambda total, n, a: total), "b"), "The sums are compared"),
        ("counted by sums", (blame_right, "b"), "These searches looked for sum / tokens"),
        ("means", (blaming(lambda total, n, a: total / n), "c"), "The means are compared, whatever the penalty"),
        ("multiplied", (blaming(lambda total, n, a: total * n**a), "c"), "divide by it"),
        (
            "penalty times length",
            (blaming(lambda total, n, a: total / (a * n or 1)), "c"),
            "the penalty is its exponent",
        ),
        ("the shorter one", (blaming(lambda total, n, a: -n), "c"), "goes by the number of tokens alone"),
        ("the longer one", (blaming(lambda total, n, a: n), "c"), "goes by the number of tokens alone"),
        ("always the search", (lambda found, right, a: "search", "c"), "The search is blamed for everything"),
        ("always the model", (lambda found, right, a: "model", "a"), "The model is blamed for everything"),
        ("the most mistakes", (blame_right, "a"), "a better search will not bring that"),
        ("divided by 0", (blaming(lambda total, n, a: total / (a * n)), "c"), "ZeroDivisionError"),
        ("a sentence", (lambda *given: f"the {blame_right(*given)}'s", "c"), "choose one of 'search', 'model'"),
        ("a boolean", (lambda *given: blame_right(*given) == "search", "c"), "is of type bool"),
        ("probabilities", (blaming(lambda total, n, a: math.exp(total) / n**a), "c"), "A probability is divided"),
        (
            "exp of the scores",
            (blaming(lambda total, n, a: math.exp(total / n**a)), "c"),
            "exp of a sum of many hundreds",
        ),
        ("a whole penalty", (blaming(lambda total, n, a: total / n ** int(a)), "c"), "The penalty is made a whole"),
        (
            "as in Google's",
            (blaming(lambda total, n, a: total / ((5 + n) / 6) ** a), "c"),
            "A power of (5 + tokens) / 6",
        ),
        ("rounded", (blaming(lambda total, n, a: round(total / n**a, 2)), "c"), "are they rounded?"),
        ("by a margin", (blaming(score, lambda right, found: right > found + 0.01), "c"), "are they rounded?"),
        ("sums, ties", (blaming(lambda total, n, a: total), "c"), "Unequal scores are not right yet"),
        ("no return", (lambda *given: None, "c"), "did you forget `return`?"),
    ],
    "12_decoding.diagnose": [
        (
            "the penalty for the first end",
            fault("a", "the penalty is turned round"),
            "larger penalty favours *short* texts",
        ),
        ("the last token for the sum", fault("b", "only the last token counts"), "forgets what it cost to get there"),
        ("worst for own best", fault("c", "the worst beams are kept"), "how many continuations does each text leave?"),
        ("sum for the penalty", fault("d", "probabilities are added"), "With penalty 0 it is right"),
        ("thrown away for going on", fault("e", "ended texts are thrown away"), "only texts that never ended"),
        (
            "shown by anything",
            observed("a", "lengths, penalty 0: it writes an x and a full stop"),
            "a right search does that too",
        ),
        (
            "shown by a stop",
            observed("d", "lengths, penalty 0: it writes a bare full stop"),
            "a better text was still to come",
        ),
        ("a fault of my own", fault("c", "too greedy"), "choose one of"),
        (
            "turned round",
            ANSWERS.but(e=("something stands behind the first full stop", "ended texts go on")),
            "the fault comes first",
        ),
        ("not repaired", mended(not_repaired), "still goes on with its own best token"),
        (
            "a single beam",
            mended(lambda f, beams, penalty, n: repaired_right(f, 1, penalty, n)),
            "what a single beam writes",
        ),
        ("every text", mended(lambda f, beams, penalty, n: repaired_right(f, 9999, penalty, n)), "keeps *every* text"),
        (
            "no penalty",
            mended(lambda f, beams, penalty, n: repaired_right(f, beams, 0, n)),
            "The penalty has no effect",
        ),
        ("some of each", mended(repaired_but(some_of_each)), "and all of these stay"),
        ("beams are lost", mended(repaired_but(loses)), "leaves one beam fewer for good"),
        ("every end", mended(repaired_but(aside=True)), "although it is not among the best `beams`"),
        ("a step more", mended(repaired_but(more=1)), "It makes n + 1 steps"),
        ("a step less", mended(repaired_but(more=-1)), "It makes n - 1 steps"),
        ("ended ones first", mended(repaired_but(choose=lambda e, t: e or t)), "Only a text that has ended"),
        ("ended ones last", mended(repaired_but(choose=lambda e, t: t or e)), "A text that has not ended comes back"),
        ("penalty times length", mended(repaired_but(score=lambda s, n, a: s / (a * n or 1))), "wanted its power"),
        ("short of a stop", mended(repaired_but(score=lambda s, n, a: s / max(n - 1, 1) ** a)), "one too small"),
        ("the penalty turned round", mended(repaired_but(score=lambda s, n, a: s * n**a)), "turned round, as in d"),
        ("always the mean", mended(repaired_but(score=lambda s, n, a: s / n)), "always the mean"),
        ("a pair", mended(lambda f, beams, penalty, n: (repaired_right(f, beams, penalty, n), 0.5)), "wanted a text"),
    ],
    "12_decoding.likeliest": [
        ("greedy", greedy, "That is what greedy decoding writes"),
        ("the search of question 4", lambda follow, n: repaired_right(follow, 3, 0, n), "wanted"),
        ("50 beams", lambda follow, n: repaired_right(follow, 50, 0, n), "may begin with a less probable token"),
        (
            "the first that ends",
            lambda follow, n: max((t for t in follow("") if t == "."), default=""),
            "given up too early",
        ),
        ("not ended", lambda follow, n: enumerated(follow, n, done=lambda text: True), "It has not ended"),
        ("all of them", enumerated, "follow() was asked more than 2000 times"),
        (
            "by the mean",
            lambda follow, n: enumerated(follow, n, lambda text, p: math.log(p) / len(text)),
            "likeliest by the mean per token",
        ),
        ("one too few", lambda follow, n: likeliest_right(follow, max(n - 1, 1)), "at most n - 1 tokens"),
        ("one too many", lambda follow, n: likeliest_right(follow, n + 1), "It has more than n tokens"),
        ("with its probability", lambda follow, n: (likeliest_right(follow, n), 0.5), "wanted the text alone"),
        ("tokens", lambda follow, n: follow([""]), "a text is a str, '' at first"),
        ("beyond the end", lambda follow, n: likeliest_right(follow, n) + max(follow("ab.")), "which has ended"),
        ("no return", lambda follow, n: None, "did you forget `return`?"),
    ],
    "12_decoding.crossing": [
        ("sign turned", lambda s, t: -crossing_right(s, t), "The sign is turned"),
        ("upside down", lambda s, t: 1 / crossing_right(s, t), "Upside down"),
        ("means", lambda s, t: math.log(mean(t) / mean(s)) / math.log(len(t) / len(s)), "Means were compared"),
        (
            "difference of sums",
            lambda s, t: (sum(t) - sum(s)) / math.log(len(t) / len(s)),
            "The *difference* of the sums",
        ),
        ("no logarithm", lambda s, t: sum(t) / sum(s) / (len(t) / len(s)), "The penalty is an exponent"),
        ("no lengths", lambda s, t: math.log(sum(t) / sum(s)), "The lengths are missing"),
        (
            "ratio of lengths",
            lambda s, t: math.log(sum(t) / sum(s)) * len(s) / len(t),
            "The ratio of the lengths stands",
        ),
        ("never negative", lambda s, t: max(crossing_right(s, t), 0), "the longer one may win before 0 is reached"),
        ("absolute", lambda s, t: abs(crossing_right(s, t)), "The sign is lost"),
        ("tried in steps", lambda s, t: round(crossing_right(s, t), 1), "the longer one"),
        ("logarithms of sums", lambda s, t: math.log(sum(t)) - math.log(sum(s)), "ValueError"),
        ("no return", lambda s, t: None, "did you forget `return`?"),
    ],
    "12_decoding.pad_left": [
        ("behind", padded_behind, "The padding stands after the prompts", "M50"),
        ("behind, as positions", padded_behind, "The columns are counted", "M50"),
        ("behind, as booleans", padded_behind, "That is for padding on the right", "M50"),
        ("cut", cut, "Prompts were cut to the shortest"),
        ("upside down", padded(lambda ids, real, at, pad, n: (ids, ~real, at)), "It is upside down: True where"),
        (
            "by the ids",
            padded(lambda ids, real, at, pad, n: (ids, ids != pad, at)),
            "It is read from the ids, but",
            "M50",
        ),
        ("numbers", padded(lambda ids, real, at, pad, n: (ids, real.long(), at)), "wanted booleans"),
        (
            "columns",
            padded(lambda ids, real, at, pad, n: (ids, real, torch.arange(ids.shape[1]).expand_as(ids))),
            "The columns are counted",
            "M50",
        ),
        (
            "negative",
            padded(lambda ids, real, at, pad, n: (ids, real, torch.arange(ids.shape[1]) - (ids.shape[1] - n))),
            "The positions of padding are negative",
        ),
        ("from 1", padded(lambda ids, real, at, pad, n: (ids, real, real.cumsum(1))), "Counted from 1"),
        (
            "positions by the ids",
            padded(lambda ids, real, at, pad, n: (ids, real, ((ids != pad).cumsum(1) - 1).clamp(min=0))),
            "They go by the ids",
            "M50",
        ),
        ("-1", padded(lambda ids, real, at, pad, n: (ids, real, real.cumsum(1) - 1)), "Padding has position -1"),
        ("floats", padded(lambda ids, real, at, pad, n: (ids.float(), real, at)), "wanted whole numbers, torch.int64"),
        ("ids alone", padded(lambda ids, real, at, pad, n: ids), "wanted three tensors"),
        ("lists", padded(lambda ids, real, at, pad, n: (ids.tolist(), real, at)), "is of type list"),
        ("in place", padded_in_place, "changed the prompts it was given"),
    ],
    "12_decoding.repeated": [
        ("new ones", over_grams(lambda c, t, n: len(c) / c.total()), "the share of n-grams that are new"),
        (
            "first ones too",
            over_grams(lambda c, t, n: sum(x for x in c.values() if x > 1) / c.total()),
            "Where an n-gram occurs for the *first* time",
        ),
        (
            "once each",
            over_grams(lambda c, t, n: sum(x > 1 for x in c.values()) / c.total()),
            "every further place counts",
        ),
        (
            "of the different ones",
            over_grams(lambda c, t, n: sum(x > 1 for x in c.values()) / len(c)),
            "the share of *different* n-grams",
        ),
        ("by T", over_grams(lambda c, t, n: (c.total() - len(c)) / len(t)), "a text of T tokens has T - n + 1 n-grams"),
        ("a number", over_grams(lambda c, t, n: c.total() - len(c)), "wanted their share"),
        ("last missed", lambda t, n: repeated_right(t[:-1], n), "The last n-gram is missing"),
        (
            "side by side",
            lambda t, n: (
                over_grams(lambda c, t, n: 0)(t, n)
                or (
                    1
                    - len({tuple(t[i : i + n]) for i in range(0, len(t) - n + 1, n)}) / len(range(0, len(t) - n + 1, n))
                    if len(t) >= n
                    else 0.0
                )
            ),
            "cut side by side",
        ),
        (
            "without order",
            lambda t, n: repeated_right([frozenset(t[i : i + n]) for i in range(len(t) - n + 1)], 1),
            "nor a set",
        ),
        (
            "glued",
            lambda t, n: repeated_right(["".join(map(str, t[i : i + n])) for i in range(len(t) - n + 1)], 1),
            "Written one behind the other",
        ),
        ("tokens", lambda t, n: repeated_right(t, 1), "Single tokens are counted"),
        (
            "divides by 0",
            lambda t, n: 1 - len({tuple(t[i : i + n]) for i in range(len(t) - n + 1)}) / max(len(t) - n + 1, 0),
            "divides by 0",
        ),
        ("in per cent", lambda t, n: f"{repeated_right(t, n):.0%}", "wanted a number"),
        ("in place", lambda t, n: (repeated_right(t, n), t.clear())[0], "changed the list of tokens"),
    ],
}
