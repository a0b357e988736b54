"""Lesson 15: answers to its exercises, wrong with the words their author must be told, and right.

attention.py says what the tables hold.
"""

import math
import random
import re
from collections import Counter
from statistics import NormalDist

import torch
import torch.nn.functional as F
from torch.nn.utils.rnn import pad_sequence

from diagnoses import Diagnosed

POINTS = {
    "15_bert.text_vectors": 5,
    "15_bert.word_costs": 5,
    "15_bert.entity_report": 6,
    "15_bert.diagnose": 5,
    "15_bert.audit": 3,
    "15_bert.optimism": 3,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M52", "M54", "M55")


# text_vectors -----------------------------------------------------------------------------------------------------


def cut(text, window):
    return [text[start : start + window] for start in range(0, len(text), window)]


def batch_of(pieces, pad):
    """ids (B, T) and where they are real."""
    T = max(map(len, pieces))
    ids = torch.tensor([piece + [pad] * (T - len(piece)) for piece in pieces])
    return ids, torch.tensor([[t < len(piece) for t in range(T)] for piece in pieces])


def vectors_by_adding(model, texts, window, pad):
    """Each text's sum and count, from row to row."""
    owner = [n for n, text in enumerate(texts) for _ in cut(text, window)]
    ids, is_real = batch_of([piece for text in texts for piece in cut(text, window)], pad)
    sums = model(ids, is_real).masked_fill(~is_real[..., None], 0.0).sum(dim=1)
    total = torch.zeros(len(texts), sums.shape[1], dtype=sums.dtype).index_add(0, torch.tensor(owner), sums)
    return total / torch.tensor([[len(text)] for text in texts])


def vectors_by_splitting(model, texts, window, pad):
    """All real tokens in one row, and then cut at the texts' borders."""
    pieces = [torch.tensor(piece) for text in texts for piece in cut(text, window)]
    ids = pad_sequence(pieces, batch_first=True, padding_value=pad)
    is_real = pad_sequence([torch.ones_like(piece).bool() for piece in pieces], batch_first=True)
    return torch.stack([own.mean(0) for own in model(ids, is_real)[is_real].split([len(text) for text in texts])])


def vectors_by_weighing(model, texts, window, pad):
    """The pieces' means, weighed by their lengths, in rows as wide as the window."""
    pieces = [piece for text in texts for piece in cut(text, window)]
    ids = torch.full((len(pieces), window), pad)
    for row, piece in zip(ids, pieces, strict=True):
        row[: len(piece)] = torch.tensor(piece)
    lengths = torch.tensor([len(piece) for piece in pieces])
    is_real = torch.arange(window) < lengths[:, None]
    hidden = model(ids, is_real)
    means = torch.stack([vectors[:length].mean(0) for vectors, length in zip(hidden, lengths, strict=True)])
    found, row = [], 0
    for text in texts:
        n = -(-len(text) // window)
        share = lengths[row : row + n, None] / len(text)
        found.append((share * means[row : row + n]).sum(0))
        row += n
    return torch.stack(found)


def pooling(
    cut=cut,
    real=lambda ids, is_real, pad: is_real,
    kept=lambda ids, is_real, pad: is_real,
    reduce=lambda own, T: torch.cat(own).mean(0),
    finish=lambda vectors: vectors,
    left=False,
):
    """real: what the model is told; kept: which vectors count; reduce(vectors of each piece of a text, width)."""

    def text_vectors(model, texts, window, pad):
        pieces = [(n, piece) for n, text in enumerate(texts) for piece in cut(text, window)]
        ids, is_real = batch_of([piece for _, piece in pieces], pad)
        if left:
            ids, is_real = (
                torch.stack([row.roll(int((~real).sum())) for row, real in zip(rows, is_real, strict=True)])
                for rows in (ids, is_real)
            )
        hidden, kept_ones = model(ids, real(ids, is_real, pad)), kept(ids, is_real, pad)
        found = [[] for _ in texts]
        for (n, _), vectors, keep in zip(pieces, hidden, kept_ones, strict=True):
            found[n].append(vectors[keep])
        return finish(torch.stack([reduce(own, ids.shape[1]) for own in found]))

    return text_vectors


def all_true(ids, is_real, pad):
    return torch.ones_like(is_real)


def not_pad(ids, is_real, pad):
    return ids != pad


def at_least_one(ids, is_real, pad):
    """By the ids, but for a row that would be empty."""
    kept = ids != pad
    return kept | (~kept.any(1, keepdim=True) & (torch.arange(ids.shape[1]) == 0))


def mean_of_means(own, T):
    return torch.stack([vectors.mean(0) for vectors in own]).mean(0)


def overlapping(text, window):
    step = max(1, window // 2)
    return [text[start : start + window] for start in range(0, max(1, len(text) - window + step), step)]


def moved_back(text, window):
    return [text[max(0, min(s, len(text) - window)) :][:window] for s in range(0, len(text), window)]


def full_only(text, window):
    return [text[s : s + window] for s in range(0, len(text) - window + 1, window)] or [text]


def evenly(text, window):
    n = -(-len(text) // window)
    return [list(piece) for piece in torch.tensor(text).tensor_split(n)]


def chunked(text, window):
    return as_numbers(torch.tensor(text).chunk(-(-len(text) // window)))


def one_piece_more(text, window):
    """Behind a full last piece an empty one."""
    return [text[start : start + window] for start in range(0, len(text) + 1, window)]


def split_by_ids(model, texts, window, pad):
    ids, _ = batch_of([piece for text in texts for piece in cut(text, window)], pad)
    real = model(ids, ids != pad)[ids != pad]
    return torch.stack([own.mean(0) for own in real.split([len(text) for text in texts])])


def vectors_added_up(model, texts, window, pad):
    """Into a tensor of the default dtype."""
    ids, is_real = batch_of([piece for text in texts for piece in cut(text, window)], pad)
    owner = torch.tensor([n for n, text in enumerate(texts) for _ in text])
    real = model(ids, is_real)[is_real]
    lengths = torch.tensor([[len(text)] for text in texts])
    return torch.zeros(len(texts), real.shape[1]).index_add(0, owner, real) / lengths


def as_numbers(pieces):
    return [[int(i) for i in piece] for piece in pieces]


def text_by_text(model, texts, window, pad):
    return torch.cat([vectors_by_adding(model, [text], window, pad) for text in texts])


def text_by_text_padded(model, texts, window, pad):
    """Each text alone, so nothing would have to be filled up; but it is, to the window."""
    return torch.cat([vectors_by_weighing(model, [text], window, pad) for text in texts])


def filled_in_place(model, texts, window, pad):
    T = max(map(len, texts))
    lengths = [len(text) for text in texts]
    if window < T:
        return vectors_by_adding(model, texts, window, pad)
    for text in texts:
        text.extend([pad] * (T - len(text)))
    is_real = torch.arange(T) < torch.tensor(lengths)[:, None]
    hidden = model(torch.tensor(texts), is_real)
    return torch.stack([vectors[real].mean(0) for vectors, real in zip(hidden, is_real, strict=True)])


def uncut(model, texts, window, pad):
    ids, is_real = batch_of(texts, pad)
    hidden = model(ids, is_real)
    return torch.stack([vectors[real].mean(0) for vectors, real in zip(hidden, is_real, strict=True)])


def pieces_returned(model, texts, window, pad):
    ids, is_real = batch_of([piece for text in texts for piece in cut(text, window)], pad)
    hidden = model(ids, is_real)
    return torch.stack([vectors[real].mean(0) for vectors, real in zip(hidden, is_real, strict=True)])


def mean_of_the_batch(model, texts, window, pad):
    return model(*batch_of([piece for text in texts for piece in cut(text, window)], pad)).mean(0)


def one_text_alone(model, texts, window, pad):
    return vectors_by_adding(model, texts, window, pad).mean(0)


# word_costs -------------------------------------------------------------------------------------------------------


def places_of(words):
    """The places of each word's tokens."""
    found = {}
    for place, word in enumerate(words):
        if word is not None:
            found.setdefault(word, []).append(place)
    return [found[word] for word in sorted(found)]


def costs_by_cross_entropy(model, ids, words, mask):
    """Labels of -100 wherever nothing counts."""
    places = places_of(words)
    given, labels = torch.tensor([ids] * len(places)), torch.full((len(places), len(ids)), -100)
    for row, own in enumerate(places):
        labels[row, own] = given[row, own]
        given[row, own] = mask
    return F.cross_entropy(model(given).mT, labels, reduction="none").sum(1)


def costs_by_places(model, ids, words, mask):
    places = places_of(words)
    batch = torch.stack([torch.tensor([mask if t in own else id for t, id in enumerate(ids)]) for own in places])
    log_probs = F.log_softmax(model(batch), dim=2)
    return torch.stack([-sum(log_probs[row, t, ids[t]] for t in own) for row, own in enumerate(places)])


def costs_by_distributions(model, ids, words, mask):
    number = torch.tensor([-1 if word is None else word for word in words])
    hidden = number == torch.arange(int(number.max()) + 1)[:, None]
    original = torch.tensor([ids]).repeat(len(hidden), 1)
    each = torch.distributions.Categorical(logits=model(torch.where(hidden, mask, original))).log_prob(original)
    return -(each * hidden).sum(1)


def costing(
    hidden=lambda own, t, words: t in own,
    shift=0,
    looked_up="original",
    scores=lambda logits: logits.log_softmax(-1),
    finish=lambda each: -each.sum(),
    counted=lambda own, words: own,
):
    """hidden(places of the word, a place, words): is it hidden in the word's row?; counted: which places count."""

    def word_costs(model, ids, words, mask):
        places = places_of(words)
        rows = [[mask if hidden(own, t, words) else id for t, id in enumerate(ids)] for own in places]
        table = scores(model(torch.tensor(rows)))
        asked = rows if looked_up == "read" else [ids] * len(rows)
        return torch.stack(
            [
                finish(torch.stack([table[row, t - shift, asked[row][t]] for t in counted(own, words)]))
                for row, own in enumerate(places)
            ]
        )

    return word_costs


def of_a_word(t, words):
    return words[t] is not None


def hiding_ids(model, ids, words, mask):
    """The same id elsewhere is hidden as well."""
    places = places_of(words)
    rows = [[mask if id in {ids[t] for t in own} else id for id in ids] for own in places]
    table = model(torch.tensor(rows)).log_softmax(-1)
    return torch.stack([-sum(table[row, t, ids[t]] for t in own) for row, own in enumerate(places)])


def one_token_at_a_time(finish=lambda each: sum(each), hidden=lambda t, other: t == other):
    """hidden(the place asked about, a place of the same word)."""

    def word_costs(model, ids, words, mask):
        places = places_of(words)
        asked = [(own, t) for own in places for t in own]
        rows = [[mask if s in own and hidden(t, s) else id for s, id in enumerate(ids)] for own, t in asked]
        table = model(torch.tensor(rows)).log_softmax(-1)
        each = {t: -table[row, t, ids[t]] for row, (_, t) in enumerate(asked)}
        return torch.stack([torch.as_tensor(finish([each[t] for t in own])) for own in places])

    return word_costs


def word_by_word(model, ids, words, mask):
    found = []
    for own in places_of(words):
        row = torch.tensor([mask if t in own else id for t, id in enumerate(ids)])
        each = model(row[None])[0].log_softmax(-1)[own, torch.tensor(ids)[own]]
        found.append(-each.sum())
    return torch.stack(found)


def hidden_in_the_list(model, ids, words, mask):
    """The text itself is hidden, and what was hidden stays so."""
    rows, original = [], list(ids)
    for own in places_of(words):
        for t in own:
            ids[t] = mask
        rows.append(list(ids))
    table = model(torch.tensor(rows)).log_softmax(-1)
    return torch.stack([-sum(table[row, t, original[t]] for t in own) for row, own in enumerate(places_of(words))])


def list_changed(model, ids, words, mask):
    got = costs_by_cross_entropy(model, ids, words, mask)
    words[0] = 0
    return got


def taken_out(model, ids, words, mask):
    rows = [[id for t, id in enumerate(ids) if t not in own] for own in places_of(words)]
    return model(torch.tensor(rows[:1])).log_softmax(-1)[:, 0, 0].expand(len(rows))


def one_mask_a_word(model, ids, words, mask):
    """A single mask stands for the whole word."""
    found = []
    for own in places_of(words):
        row = [*ids[: own[0]], mask, *ids[own[-1] + 1 :]]
        found.append(-model(torch.tensor([row]))[0, own[0]].log_softmax(-1)[[ids[t] for t in own]].sum())
    return torch.stack(found)


def a_cost_for_each_token(model, ids, words, mask):
    rows = [[mask if s == t else id for s, id in enumerate(ids)] for t in range(len(ids))]
    table = model(torch.tensor(rows)).log_softmax(-1)
    return -torch.stack([table[t, t, id] for t, id in enumerate(ids)])


def none_is_a_word(model, ids, words, mask):
    """[CLS] and [SEP] are hidden with word 0."""
    return costs_by_cross_entropy(model, ids, [0 if word is None else word for word in words], mask)


def ends_always(model, ids, words, mask):
    """One kind of words less, None, whether it is there or not."""
    return costs_by_places(model, ids, words, mask)[: len(set(words)) - 1]


def within_the_ends(own, words):
    return [t for t in own if 0 < t < len(words) - 1] or own


def ends_hidden(own, t, words):
    return t in own or words[t] is None


def clamped(logits):
    return (logits.softmax(-1) + 1e-9).log()


def along_the_batch(model, ids, words, mask):
    return costing(scores=lambda logits: logits.log_softmax(0))(model, ids, words, mask)


def entropies(model, ids, words, mask):
    places = places_of(words)
    p = model(torch.tensor([[mask if t in own else id for t, id in enumerate(ids)] for own in places])).softmax(-1)
    return torch.stack([torch.distributions.Categorical(p[row, own]).entropy().sum() for row, own in enumerate(places)])


# entity_report ----------------------------------------------------------------------------------------------------


def named(tags):
    """(type, first token, last token) of each entity, by a pattern of the tags' first letters and types."""
    found = []
    for t, tag in enumerate(tags):
        kind, type_ = (tag.split("-", 1) + [""])[:2]
        if kind == "O":
            continue
        goes_on = kind == "I" and found and found[-1][0] == type_ and found[-1][2] == t - 1
        found = [*found[:-1], (type_, found[-1][1], t)] if goes_on else [*found, (type_, t, t)]
    return found


def report_by_counters(gold, predicted):
    """Counts under types, each entity under "all" too."""
    right, n_predicted, n_gold = Counter(), Counter(), Counter()
    for truth, guess in zip(gold, predicted, strict=True):
        truth, guess = named(truth), named(guess)
        for counter, found in ((right, [one for one in guess if one in truth]), (n_predicted, guess), (n_gold, truth)):
            counter.update([one[0] for one in found] + ["all"] * len(found))
    found = {"all": (0.0, 0.0, 0.0)}
    for name in n_predicted | n_gold:
        p = right[name] / n_predicted[name] if n_predicted[name] else 0.0
        r = right[name] / n_gold[name] if n_gold[name] else 0.0
        found[name] = p, r, 2 * p * r / (p + r) if p + r else 0.0
    return found


def report_by_pattern(gold, predicted):
    """Each sentence as a string, in which an entity is a match."""

    def found_in(rows):
        one = re.compile(r"(?:B|I)-(\S+)(?: I-\1(?!\S))*")
        texts = [" ".join(tags) for tags in rows]
        return {
            (n, m[1], text[: m.start()].count(" "), len(m[0].split()))
            for n, text in enumerate(texts)
            for m in one.finditer(text)
        }

    sides = found_in(gold), found_in(predicted)
    names = {one[1] for side in sides for one in side}
    counts = {
        name: [len({x for x in side if x[1] == name}) for side in (sides[0] & sides[1], *sides)] for name in names
    }
    counts["all"] = [sum(column) for column in zip(*counts.values(), strict=True)] or [0, 0, 0]
    return {
        name: [
            torch.tensor(x, dtype=torch.float64)
            for x in (n and right / n, m and right / m, right and 2 * right / (m + n))
        ]
        for name, (right, m, n) in counts.items()
    }


def reporting(
    find=named,
    key=lambda n, entity: (n, *entity),
    numbers=None,
    whole=None,
    hit=None,
    rows=lambda rows: rows,
):
    """find(tags) -> entities; key(sentence, entity): what is compared; numbers(p, r) -> a triple."""

    def entity_report(gold, predicted):
        def listed(rows):
            return [(n, *entity) for n, tags in enumerate(rows) for entity in find(tags)]

        def triple(there, guessed):
            keys = [key(one[0], one[1:]) for one in there]
            right = sum(hit(one, there) if hit else key(one[0], one[1:]) in keys for one in guessed)
            p = right / len(guessed) if guessed else 0.0
            r = right / len(there) if there else 0.0
            return (numbers or usual)(p, r)

        there, guessed = listed(rows(gold)), listed(rows(predicted))
        names = {one[1] for one in there + guessed}
        found = {
            name: triple([x for x in there if x[1] == name], [x for x in guessed if x[1] == name]) for name in names
        }
        return found | {"all": whole(found) if whole else triple(there, guessed)}

    return entity_report


def usual(p, r):
    return p, r, 2 * p * r / (p + r) if p + r else 0.0


def f1(of):
    return reporting(numbers=lambda p, r: (p, r, of(p, r) if p + r else 0.0))


def over(values):
    return tuple(sum(column) / len(column) for column in zip(*values, strict=True)) if values else (0.0, 0.0, 0.0)


def macro_f1(found):
    p, r, _ = over(found.values())
    return usual(p, r)


def each_token(tags):
    return [(tag[2:], t, t) for t, tag in enumerate(tags) if tag != "O"]


def each_token_and_o(tags):
    return [(tag[2:] or "O", t, t) for t, tag in enumerate(tags)]


def each_tag(tags):
    return [(tag, t, t) for t, tag in enumerate(tags) if tag != "O"]


def walking(stray=True, other=True, touching=True, closed=True, split=lambda tag: tag.partition("-")[::2]):
    """The textbook loop. stray: I- after O begins one; other: I- after another type does, or "joins", or None."""

    def find(tags):
        found, type_, start = [], None, None
        for t, tag in enumerate(tags):
            kind, its = split(tag)
            if type_ is not None and kind == "I" and (its == type_ or other == "joins"):
                continue
            if type_ is not None and kind == "B" and its == type_ and not touching:
                continue
            begins = kind == "B" or (kind == "I" and (stray if type_ is None else other))
            if type_ is not None:
                found.append((type_, start, t - 1))
            type_, start = (its, t) if begins else (None, None)
        if closed and type_ is not None:
            found.append((type_, start, len(tags) - 1))
        return found

    return find


def one_row(rows):
    return [[tag for tags in rows for tag in tags]]


def places_alone(gold, predicted):
    """Sets of (type, first, last), without the sentence."""
    sides = [{entity for tags in rows for entity in named(tags)} for rows in (gold, predicted)]
    return reporting(find=lambda side: sorted(side))([sides[0]], [sides[1]])


def typeless(gold, predicted):
    def hit(one, others):
        return one in [(n, one[1], *place) for n, _, *place in listed(gold)]

    def listed(rows):
        return [(n, *entity) for n, tags in enumerate(rows) for entity in named(tags)]

    return reporting(hit=hit)(gold, predicted)


def sentence_by_sentence(everywhere):
    def entity_report(gold, predicted):
        reports = [reporting()([one], [other]) for one, other in zip(gold, predicted, strict=True)]
        names = {name for one in reports for name in one}
        return {
            name: over([one.get(name, (0.0, 0.0, 0.0)) for one in reports if everywhere or name in one])
            for name in names
        }

    return entity_report


def share_for_all(gold, predicted):
    pairs = [pair for sides in zip(gold, predicted, strict=True) for pair in zip(*sides, strict=True)]
    share = sum(one == other for one, other in pairs) / len(pairs)
    return reporting()(gold, predicted) | {"all": (share, share, share)}


def divided_anyway(gold, predicted):
    def numbers(there, guessed):
        right = len(there & guessed)
        p, r = right / len(guessed), right / len(there)
        return p, r, 2 * p * r / (p + r)

    sides = [{(n, *one) for n, tags in enumerate(rows) for one in named(tags)} for rows in (gold, predicted)]
    return {
        name: numbers(*({one for one in side if name in (one[1], "all")} for side in sides))
        for name in {one[1] for side in sides for one in side} | {"all"}
    }


def with_nan(gold, predicted):
    counts = report_by_counters(gold, predicted)
    return {name: tuple(x or math.nan for x in triple) for name, triple in counts.items()}


def without(which):
    """Only types of one side, or not "all"."""

    def entity_report(gold, predicted):
        found = reporting()(gold, predicted)
        kept = {entity[0] for tags in (gold if which == "gold" else predicted) for entity in named(tags)}
        return {
            name: triple
            for name, triple in found.items()
            if (which == "all" and name != "all") or name in kept | ({"all"} - {which})
        }

    return entity_report


def tags_changed(gold, predicted):
    got = report_by_counters(gold, predicted)
    for tags in predicted:
        tags.append("O")
    return got


def bare_dictionary(gold, predicted):
    return reporting()(gold, predicted) if named(sum(gold + predicted, [])) else {}


def overlap(one, others):
    return any(one[:2] == other[:2] and one[2] <= other[3] and other[2] <= one[3] for other in others)


def within(one, others):
    return any(one[:2] == other[:2] and other[2] <= one[2] and one[3] <= other[3] for other in others)


def last_hyphen(tag):
    return tag[0], tag.split("-")[-1]


def second_part(tag):
    return tag[0], (tag.split("-") + [""])[1]


# diagnose ---------------------------------------------------------------------------------------------------------


def right_search(model, passages, question):
    with torch.no_grad():
        found = [model(torch.tensor([text]))[0].mean(0) for text in [question, *passages]]
    return F.cosine_similarity(torch.stack(found[1:]), found[0][None], dim=-1)


def searching(back=lambda scores, order: scores[order.argsort()], kept=lambda real: real, score=F.cosine_similarity):
    """broken_b, whose scores come back into order in another way."""

    def repaired(model, passages, question):
        order = torch.tensor(sorted(range(len(passages)), key=lambda n: len(passages[n])))
        ids, is_real = batch_of([question] + [passages[n] for n in order], 0)
        hidden, counted = model(ids, is_real), kept(is_real)
        vectors = (hidden * counted[..., None]).sum(1) / counted.sum(1, keepdim=True)
        return back(score(vectors[1:], vectors[:1]), order)

    return repaired


def by_a_dictionary(scores, order):
    found = dict(zip(order.tolist(), scores, strict=True))
    return torch.stack([found[n] for n in range(len(found))])


def scattered(scores, order):
    return torch.zeros_like(scores).scatter(0, order, scores)


def sorting_in_place(model, passages, question):
    got = right_search(model, passages, question)
    passages.sort(key=len)
    return got


def asked_by_the_first(model, passages, question):
    vectors = torch.stack([model(torch.tensor([text]))[0].mean(0) for text in passages])
    return F.cosine_similarity(vectors, model(torch.tensor([question]))[:, 0], dim=-1)


SEARCHES = Diagnosed(
    {
        "a": ("padding is counted in the mean", "a passage scores otherwise when a longer one stands beside it"),
        "b": (
            "the scores are put back in a wrong order",
            "right for passages from the shortest to the longest, wrong for some other orders",
        ),
        "c": ("vectors are not scaled to one length", "some scores are above 1"),
        "d": ("only the first tokens of a text are read", "another last id of a passage of 12 changes no score"),
        "e": (
            "the question's vector is that of its first token",
            "a passage of 5 ids, alone and asked for with its own text, scores below 0.99",
        ),
    },
    searching(),
)


# audit ------------------------------------------------------------------------------------------------------------

MENDED = {
    "PER": ("F1", 0.67),
    "LOC": ("precision", 0.8),
    "ORG": ("right", 24),
    "all": ("in gold", 250),
    "mean": ("recall", 0.64),
}


def audited(**others):
    return (MENDED | others).__getitem__


def audit_by_counting(row):
    """Exact, and written carelessly."""
    counts = {"PER": (120, 96, 72), "LOC": (80, 85, 68), "ORG": (50, 60, 24)}
    recalls = [right / gold for gold, _, right in counts.values()]
    return [
        *{
            "PER": ["f1 ", torch.tensor(144 / 216)],
            "LOC": ["Precision", 68 / 85],
            "ORG": ["right", 24.0],
            "all": ["In Gold", sum(gold for gold, _, _ in counts.values())],
            "mean": ["recall", sum(recalls) / 3],
        }[row]
    ]


# optimism ---------------------------------------------------------------------------------------------------------


def below(n, p):
    """P(at most j) for j from 0 to n."""
    each = [math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]
    return torch.tensor(each, dtype=torch.float64).cumsum(0).clamp(max=1)


def optimism_by_distribution(n, p, k):
    """The probability of each best score, times that score."""
    powers = below(n, p) ** k
    return float((torch.arange(n + 1) * powers.diff(prepend=torch.zeros(1))).sum()) / n - p


def optimism_by_logarithms(n, p, k):
    if p in (0, 1):
        return 0.0
    logs = [
        math.lgamma(n + 1) - math.lgamma(j + 1) - math.lgamma(n - j + 1) + j * math.log(p) + (n - j) * math.log1p(-p)
        for j in range(n)
    ]
    return float((1 - torch.tensor(logs, dtype=torch.float64).exp().cumsum(0) ** k).sum()) / n - p


def optimism_upwards(n, p, k):
    """Pascal's way: the distribution after one example more."""
    each = [1.0]
    for _ in range(n):
        each = [a * (1 - p) + b * p for a, b in zip([*each, 0.0], [0.0, *each], strict=True)]
    total, sum_so_far = 0.0, 0.0
    for one in each[:-1]:
        sum_so_far += one
        total += 1 - sum_so_far**k
    return total / n - p


def best_of(of=lambda F, k: 1 - F**k, part=slice(0, -1), finish=lambda total, n, p, k: total / n - p):
    """of(probabilities of at most j, k): what is added up; part: over which j."""
    return lambda n, p, k: float(finish(of(below(n, p), k)[part].sum(), n, p, k))


def used_too_early(n, p, k):
    F = below(n, p)
    return float((1 - torch.cat((torch.zeros(1), F[:-2])) ** k).sum()) / n - p


def from_one(n, p, k, end):
    """That nobody is right is left out."""
    F = below(n, p)
    return float((1 - (F - F[0])[1:end] ** k).sum()) / n - p


def optimism_in_32_bits(n, p, k):
    return float((1 - below(n, p)[:-1].float() ** k).sum()) / n - p


def std(n, p):
    return math.sqrt(p * (1 - p) / n)


def simulated(n, p, k, times=300):
    scores = [max(sum(random.random() < p for _ in range(min(n, 30))) for _ in range(min(k, 3))) for _ in range(times)]
    return sum(scores) / times / min(n, 30) - p


def normal_best(n, p, k):
    """The mean of the largest of k normal numbers, by steps."""
    width = 1 / 500
    above = sum(1 - NormalDist().cdf(x * width) ** k for x in range(-3000, 3000))
    return std(n, p) * (above * width - 6)


def normal_by_table(n, p, k):
    return std(n, p) * {1: 0.0, 2: 0.5641895835, 3: 0.8462843753}.get(k, 2.0)


def middle_best(n, p, k):
    return int((below(n, p) ** k >= 0.5).nonzero()[0]) / n - p


def mode_best(n, p, k):
    return int((below(n, p) ** k).diff(prepend=torch.zeros(1)).argmax()) / n - p


def vectors_in_order(key):
    return lambda model, texts, window, pad: vectors_by_adding(model, sorted(texts, key=key), window, pad)


def the_visible(model, ids, words, mask):
    n = 1 + max(word for word in words if word is not None)
    hidden = torch.tensor([[word == number for word in words] for number in range(n)])
    original = torch.tensor(ids).expand(n, -1)
    each = model(original.masked_fill(hidden, mask)).log_softmax(-1).gather(-1, original[..., None])[..., 0]
    return -each.masked_fill(hidden, 0.0).sum(-1)


def over_a_gap(tags):
    found, before = [], ""
    for t, tag in enumerate(tags):
        kind, _, type_ = tag.partition("-")
        if kind == "B" or (kind == "I" and type_ != before):
            found.append([type_, t, t + 1])
        elif kind == "I":
            found[-1][2] = t + 1
        before = type_ or before
    return [tuple(entity) for entity in found]


def all_by_sentences(gold, predicted):
    each = [reporting()([one], [other])["all"] for one, other in zip(gold, predicted, strict=True)]
    return reporting()(gold, predicted) | {"all": tuple(sum(column) / len(each) for column in zip(*each, strict=True))}


def exactly(n, p):
    return [math.comb(n, j) * p**j * (1 - p) ** (n - j) for j in range(n + 1)]


RIGHT = {
    "15_bert.text_vectors": [
        ("adding", vectors_by_adding),
        ("splitting", vectors_by_splitting),
        ("weighing", vectors_by_weighing),
        ("into 32 bits", vectors_added_up),
        ("a loop", pooling()),
    ],
    "15_bert.word_costs": [
        ("cross-entropy", costs_by_cross_entropy),
        ("places", costs_by_places),
        ("distributions", costs_by_distributions),
        ("a loop", costing()),
    ],
    "15_bert.entity_report": [
        ("counters", report_by_counters),
        ("a pattern", report_by_pattern),
        ("sets of tuples", reporting()),
        ("the textbook's loop", reporting(walking())),
    ],
    "15_bert.diagnose": [
        ("the order's order", SEARCHES.mended(searching())),
        ("scattered", SEARCHES.mended(searching(scattered))),
        ("a dictionary", SEARCHES.mended(searching(by_a_dictionary))),
        ("no order at all", SEARCHES.mended(right_search)),
        ("in capitals", SEARCHES.in_capitals()),
    ],
    "15_bert.audit": [("rounded", audited()), ("exact", audit_by_counting)],
    "15_bert.optimism": [
        ("a distribution", optimism_by_distribution),
        ("logarithms", optimism_by_logarithms),
        ("upwards", optimism_upwards),
        ("a sum", best_of()),
        ("in 32 bits", optimism_in_32_bits),
    ],
}

WRONG = {
    "15_bert.text_vectors": [
        ("sorted by length", vectors_in_order(len), "from the shortest to the longest text"),
        ("longest first", vectors_in_order(lambda text: -len(text)), "from the longest to the shortest text"),
        ("sum", pooling(reduce=lambda own, T: torch.cat(own).sum(0)), "the sum of a text's vectors"),
        ("first token", pooling(reduce=lambda own, T: own[0][0]), "the vector of the text's first token"),
        ("last token", pooling(reduce=lambda own, T: own[-1][-1]), "the vector of the text's last token"),
        (
            "first of each piece",
            pooling(reduce=lambda own, T: torch.stack([v[0] for v in own]).mean(0)),
            "the vector of the text's first token",
        ),
        ("largest", pooling(reduce=lambda own, T: torch.cat(own).amax(0)), "the largest number of each column"),
        ("median", pooling(reduce=lambda own, T: torch.cat(own).median(0).values), "the median of each column"),
        ("unit", pooling(finish=lambda found: F.normalize(found, dim=-1)), "scaled to length 1. Here the mean itself"),
        (
            "tokens to unit length",
            pooling(reduce=lambda own, T: F.normalize(torch.cat(own), dim=-1).mean(0)),
            "Each token's vector is scaled to length 1",
        ),
        ("no mask", pooling(real=all_true, kept=all_true), "And it is counted in the mean", "M52"),
        ("mask not passed on", pooling(real=all_true), "The mean itself leaves it out", "M52"),
        ("padding in the mean", pooling(kept=all_true), "The padding is counted in the mean", "M52"),
        (
            "padding in the mean, of means",
            pooling(kept=all_true, reduce=mean_of_means),
            "The padding is counted in the mean",
            "M52",
        ),
        (
            "no mask at all, mean of means",
            pooling(real=all_true, kept=all_true, reduce=mean_of_means),
            "And it is counted in the mean",
            "M52",
        ),
        (
            "by the width",
            pooling(reduce=lambda own, T: torch.cat(own).sum(0) / T / len(own)),
            "divided by the width of the rows",
            "M52",
        ),
        (
            "by one width",
            pooling(reduce=lambda own, T: torch.cat(own).sum(0) / T),
            "divided by the width of the rows",
            "M52",
        ),
        ("by pieces", pooling(reduce=lambda own, T: torch.cat(own).sum(0) / len(own)), "the sum of a text's vectors"),
        (
            "means added up",
            pooling(reduce=lambda own, T: torch.stack([v.mean(0) for v in own]).sum(0)),
            "The means of a text's pieces are added up",
        ),
        ("by the ids", pooling(real=at_least_one, kept=at_least_one), "depends on the lengths, not on the ids"),
        ("by the ids, for the model", pooling(real=at_least_one), "depends on the lengths, not on the ids"),
        ("by the ids, in the mean", pooling(kept=at_least_one), "depends on the lengths, not on the ids"),
        (
            "by the ids, of means",
            pooling(real=at_least_one, kept=at_least_one, reduce=mean_of_means),
            "depends on the lengths, not on the ids",
        ),
        ("by the ids, and empty", pooling(real=not_pad, kept=not_pad), "depends on the lengths, not on the ids"),
        ("mean of means", pooling(reduce=mean_of_means), "the mean of the pieces' means"),
        (
            "mean of unit pieces",
            pooling(reduce=lambda own, T: torch.stack([F.normalize(v.mean(0), dim=-1) for v in own]).mean(0)),
            "This is the mean, scaled to length 1",
        ),
        ("cut off", pooling(lambda text, window: [text[:window]]), "Only the first `window` ids of a text count"),
        ("last piece", pooling(lambda text, window: cut(text, window)[-1:]), "Only the last piece of a text counts"),
        ("last ids", pooling(lambda text, window: [text[-window:]]), "Only the last `window` ids of a text count"),
        ("full ones", pooling(full_only), "The last piece is missing"),
        ("moved back", pooling(moved_back), "The last piece was moved back"),
        ("chunks", pooling(chunked), "into pieces of equal length"),
        ("evenly", pooling(lambda text, window: as_numbers(evenly(text, window))), "into pieces of equal length"),
        ("half", pooling(overlapping), "Neighbouring pieces overlap"),
        (
            "one shared",
            pooling(
                lambda text, window: [text[s : s + window] for s in range(0, max(1, len(text) - 1), max(1, window - 1))]
            ),
            "Neighbouring pieces share a token",
        ),
        ("on the left", pooling(left=True), "the padding stands before the text"),
        ("polarity", pooling(real=lambda ids, is_real, pad: ~is_real), "True is for real tokens"),
        ("mask of numbers", pooling(real=lambda ids, is_real, pad: is_real.long()), "of torch.bool"),
        ("uncut", uncut, "the window: texts that are longer are cut into pieces"),
        ("one by one", text_by_text, "the model was asked 3 times"),
        ("one by one, padded", text_by_text_padded, "the model was asked 3 times"),
        ("minus one", lambda model, texts, window, pad: vectors_by_adding(model, texts, window, -1), "pad with `pad`"),
        ("in place", filled_in_place, "the lists"),
        (
            "filled up with 0",
            lambda model, texts, window, pad: vectors_by_splitting(model, texts, window, 0),
            "is filled up with the id 0",
        ),
        ("split by ids", split_by_ids, "is_real is False wherever the id is the padding's"),
        ("ids alone", lambda model, *rest: vectors_by_adding(lambda ids, real: model(ids), *rest), "the ids alone"),
        ("an empty piece", pooling(one_piece_more), "is nothing but padding"),
        ("a vector for each piece", pieces_returned, "as many as there are pieces"),
        ("over the batch", mean_of_the_batch, "has shape"),
        ("one vector", one_text_alone, "has shape"),
        ("a list", lambda *given: vectors_by_adding(*given).tolist(), "wanted a torch tensor"),
        ("no return", lambda *given: None, "did you forget `return`?"),
    ],
    "15_bert.word_costs": [
        ("the visible ones", the_visible, "The tokens that were not hidden are counted, and not the word's own"),
        ("nothing hidden", costing(lambda own, t, words: False), "Nothing is hidden"),
        ("all words hidden", costing(lambda own, t, words: of_a_word(t, words)), "All words are hidden at once"),
        ("everything hidden", costing(lambda own, t, words: True), "Every token is hidden, in every row"),
        ("all but the word", costing(lambda own, t, words: t not in own), "All but the word are hidden"),
        (
            "all other words",
            costing(lambda own, t, words: of_a_word(t, words) and t not in own),
            "All other words are hidden",
        ),
        (
            "causal",
            costing(lambda own, t, words: of_a_word(t, words) and t >= own[0]),
            "The words after it are hidden too, as a GPT",
        ),
        (
            "causal to the end",
            costing(lambda own, t, words: t >= own[0]),
            "Everything after it is hidden too, as a GPT",
        ),
        ("ends hidden too", costing(ends_hidden), "The tokens of no word are hidden too"),
        ("ends as word 0", none_is_a_word, "the model was given a row with the mask at"),
        (
            "neighbours hidden too",
            costing(lambda own, t, words: own[0] - 1 <= t <= own[-1] + 1),
            "the model was given a row with the mask at",
        ),
        ("stays hidden", hidden_in_the_list, "What was hidden in one row stays hidden"),
        ("by the ids", hiding_ids, "Go by the places, not by the ids"),
        ("a row early", costing(shift=1), "one row too early, as with a GPT"),
        ("a row late", costing(shift=-1), "one row too late"),
        ("the mask's cost", costing(looked_up="read"), "This is the cost of the id `mask`"),
        ("logits, turned", costing(scores=lambda logits: logits), "These are logits with the sign"),
        ("logits", costing(scores=lambda logits: logits, finish=torch.sum), "These are logits. A cost"),
        ("along the text", costing(scores=lambda logits: logits.log_softmax(1)), "The softmax goes along the text"),
        ("along the batch", along_the_batch, "The softmax goes along the batch"),
        (
            "all places",
            costing(counted=lambda own, words: range(len(words))),
            "The tokens that were not hidden are counted too",
        ),
        (
            "all words' places",
            costing(counted=lambda own, words: [t for t in range(len(words)) if of_a_word(t, words)]),
            "The tokens of the other words are counted too",
        ),
        ("entropy", entropies, "the entropy of the model's guess"),
        ("log-probabilities", costing(finish=torch.sum), "a cost is minus that"),
        ("bits", costing(finish=lambda each: -each.sum() / math.log(2)), "These are bits"),
        ("probabilities", costing(finish=lambda each: each.sum().exp()), "These are probabilities; wanted"),
        ("perplexity", costing(finish=lambda each: (-each.sum()).exp()), "This is 1 / probability"),
        ("1 - p", costing(finish=lambda each: 1 - each.sum().exp()), "This is 1 - probability"),
        ("minus p", costing(finish=lambda each: -each.exp().sum()), "the logarithm is missing"),
        ("mean", costing(finish=lambda each: -each.mean()), "This is the mean over a word's tokens"),
        ("log of a sum", costing(finish=lambda each: -each.exp().sum().log()), "are added up, and then the logarithm"),
        ("log of a mean", costing(finish=lambda each: -each.exp().mean().log()), "The mean of the probabilities"),
        ("first token", costing(finish=lambda each: -each[0]), "Only the first token of each word counts"),
        ("last token", costing(finish=lambda each: -each[-1]), "Only the last token of each word counts"),
        ("worst token", costing(finish=lambda each: -each.amin()), "Only the most improbable token"),
        ("best token", costing(finish=lambda each: -each.amax()), "Only the most probable token"),
        ("token by token", one_token_at_a_time(), "A word's tokens are hidden one at a time"),
        (
            "token by token, mean",
            one_token_at_a_time(lambda each: sum(each) / len(each)),
            "hidden one at a time, and the mean is taken",
        ),
        (
            "from left to right",
            one_token_at_a_time(hidden=lambda t, other: other >= t),
            "A word's earlier tokens are visible",
        ),
        (
            "from right to left",
            one_token_at_a_time(hidden=lambda t, other: other <= t),
            "A word's later tokens are visible",
        ),
        ("first hidden", costing(lambda own, t, words: t == own[0]), "Only a word's first token is hidden. "),
        (
            "first hidden and counted",
            costing(lambda own, t, words: t == own[0], finish=lambda each: -each[0]),
            "Only a word's first token is hidden, and counted",
        ),
        ("word by word", word_by_word, "the model was asked 4 times"),
        ("log of softmax", costing(scores=lambda logits: logits.softmax(-1).log()), "Take log_softmax of the logits"),
        ("something added", costing(scores=clamped), "Take log_softmax of the logits"),
        ("lists changed", list_changed, "changed the lists it was given"),
        ("taken out", taken_out, "nothing is taken out"),
        ("one mask", one_mask_a_word, "nothing is taken out"),
        ("for each token", a_cost_for_each_token, "one for each token; wanted one for each word"),
        ("the sum of all", lambda *given: costs_by_places(*given).sum(), "has shape"),
        ("a list", lambda *given: costs_by_places(*given).tolist(), "wanted a torch tensor"),
        ("a column", lambda *given: costs_by_places(*given)[:, None], "has shape"),
        ("minus one", lambda model, ids, words, mask: costs_by_places(model, ids, words, -1), "hide with `mask`"),
        ("ends always", ends_always, "and 0 tokens of no word: 2 numbers came back"),
        ("from 1", lambda *given: costs_by_places(*given)[1:], "Words are numbered from 0"),
        ("within the ends", costing(counted=within_the_ends), "words have [2, 1, 3] tokens"),
        ("never asked", lambda model, ids, words, mask: torch.zeros(len(places_of(words))), "was never asked"),
    ],
    "15_bert.entity_report": [
        ("over a gap", reporting(over_a_gap), "An O does not end an entity here"),
        ("all by sentences", all_by_sentences, 'Under "all" stand means of the sentences\' numbers'),
        ("tokens", reporting(each_token), "Single tokens are counted. ", "M54"),
        ("tokens and O", reporting(each_token_and_o), "O as if it were a type", "M54"),
        ("tags", reporting(each_tag), "Single tokens are counted, under their whole tags", "M54"),
        ("accuracy for all", share_for_all, "the share of tokens that are right, O counted in", "M54"),
        ("swapped", reporting(numbers=lambda p, r: (r, p, usual(p, r)[2])), "Precision and recall are swapped"),
        ("sides swapped", lambda gold, predicted: reporting()(predicted, gold), "Precision and recall are swapped"),
        ("mean", f1(lambda p, r: (p + r) / 2), "F1 is not the mean of precision and recall"),
        ("half", f1(lambda p, r: p * r / (p + r)), "F1 is twice that"),
        ("root", f1(lambda p, r: math.sqrt(p * r)), "This F1 is the root of P R"),
        ("no division", f1(lambda p, r: 2 * p * r), "The division by P + R is missing"),
        ("product", f1(lambda p, r: p * r), "This F1 is P R"),
        ("smaller", f1(min), "the smaller of precision and recall"),
        ("jaccard", f1(lambda p, r: p * r / (p + r - p * r)), "right / (predicted + there - right)"),
        ("percent", reporting(numbers=lambda p, r: [100 * x for x in usual(p, r)]), "These are percentages"),
        ("rounded", reporting(numbers=lambda p, r: [round(x, 2) for x in usual(p, r)]), "The numbers are rounded"),
        ("less rounded", reporting(numbers=lambda p, r: [round(x, 4) for x in usual(p, r)]), "The numbers are rounded"),
        ("macro", reporting(whole=lambda found: over(found.values())), "the means of the types' numbers"),
        ("macro, F1 of it", reporting(whole=macro_f1), "the means of the types' precisions and recalls"),
        ("no type", reporting(key=lambda n, entity: (n, *entity[1:])), "the type does not matter here"),
        ("no type anywhere", typeless, "The type does not matter here"),
        ("no place", reporting(key=lambda n, entity: (n, entity[0])), "It does not matter here where"),
        ("merged", reporting(walking(touching=False)), "Two entities of one type that touch"),
        ("last lost", reporting(walking(closed=False)), "An entity that ends with the sentence is lost"),
        ("begins right", reporting(key=lambda n, entity: (n, *entity[:2])), "counts as right when it begins right"),
        (
            "ends right",
            reporting(key=lambda n, entity: (n, entity[0], entity[2])),
            "counts as right when it ends right",
        ),
        ("overlap", reporting(hit=overlap), "when it overlaps with one of gold"),
        ("within", reporting(hit=within), "when it lies inside one of gold"),
        ("strict", reporting(walking(stray=False, other=None)), "An I- that continues nothing is passed over"),
        ("strict after O", reporting(walking(stray=False)), "An I- after O is passed over. "),
        ("strict after another", reporting(walking(other=None)), "An I- after another type is passed over"),
        ("joined to another", reporting(walking(other="joins")), "An I- of another type is taken for part"),
        ("careless", reporting(walking(stray=False, other="joins")), "and after another type it is taken for part"),
        ("one row", reporting(rows=one_row), "An entity runs on from one sentence into the next"),
        ("no sentence", places_alone, "at the same place of different sentences"),
        ("mean over sentences", sentence_by_sentence(True), "These are means of the sentences' numbers"),
        ("mean where it stands", sentence_by_sentence(False), "means over the sentences in which a type stands"),
        (
            "last sentence",
            lambda gold, predicted: reporting()(gold[-1:], predicted[-1:]),
            "Only the last sentence counts",
        ),
        (
            "first sentence",
            lambda gold, predicted: reporting()(gold[:1], predicted[:1]),
            "Only the first sentence counts",
        ),
        ("divided anyway", divided_anyway, "ZeroDivisionError"),
        ("NaN", with_nan, "what would be 0 / 0 is 0 here"),
        ("types of gold", without("gold"), "though an entity of that type stands on at least one side"),
        ("types predicted", without("predicted"), "though an entity of that type stands on at least one side"),
        ("no all", without("all"), 'There is no "all"'),
        ("nothing for nothing", bare_dictionary, 'There is no "all"'),
        ("last hyphen", reporting(walking(split=last_hyphen)), "only the first one divides a tag"),
        ("second part", reporting(walking(split=second_part)), "only the first one divides a tag"),
        ("tags changed", tags_changed, "changed the lists it was given"),
        (
            "F1 alone",
            lambda *sides: {k: v[2] for k, v in reporting()(*sides).items()},
            "wanted (precision, recall, F1)",
        ),
        ("not divided", reporting(numbers=lambda p, r: (p + 1, r + 1, 2)), "No share is above 1"),
        ("a triple", lambda *sides: reporting()(*sides)["all"], "wanted a dictionary"),
        (
            "as text",
            lambda *s: {k: [f"{x:.1f}" for x in v] for k, v in reporting()(*s).items()},
            "wanted three numbers",
        ),
    ],
    "15_bert.diagnose": [
        ("mask for padding", SEARCHES.fault("a", "the mask is turned round"), "no vector would depend on the text"),
        ("one text for padding", SEARCHES.fault("a", "all passages are read as one text"), "without the others"),
        ("dropout for order", SEARCHES.fault("b", "dropout is left on"), "other scores each time"),
        ("padding for order", SEARCHES.fault("b", "padding is counted in the mean"), "has to be filled up"),
        ("mask for length", SEARCHES.fault("c", "the mask is turned round"), "for a vector and itself?"),
        ("padding for end", SEARCHES.fault("d", "padding is counted in the mean"), "tokens reach the model?"),
        (
            "end for first token",
            SEARCHES.fault("e", "only the first tokens of a text are read"),
            "and how of the question?",
        ),
        (
            "shown by what is right",
            SEARCHES.shown("a", "two passages that are alike score alike"),
            "a right search does",
        ),
        (
            "shown by luck",
            SEARCHES.shown("b", "the question's tokens in another order change no score"),
            "none of the five does",
        ),
        ("shown by the end", SEARCHES.shown("e", "another last id of a passage of 12 changes no score"), "never read"),
        ("a fault of my own", SEARCHES.fault("a", "too slow"), "choose one of"),
        ("turned round", SEARCHES.but(d=SEARCHES.named["d"][::-1]), "the fault comes first"),
        (
            "not repaired",
            SEARCHES.mended(searching(lambda scores, order: scores[order])),
            "still put back in a wrong order",
        ),
        ("not put back", SEARCHES.mended(searching(lambda scores, order: scores)), "from the shortest passage to the"),
        ("backwards", SEARCHES.mended(searching(lambda scores, order: scores.flip(0))), "from the longest passage to"),
        ("best first", SEARCHES.mended(lambda *given: right_search(*given).sort(descending=True).values), "are sorted"),
        ("best last", SEARCHES.mended(lambda *given: right_search(*given).sort().values), "The scores are sorted"),
        ("opposite", SEARCHES.mended(lambda *given: right_search(*given).flip(0)), "in the opposite order"),
        (
            "padding now",
            SEARCHES.mended(searching(kept=torch.ones_like)),
            "The order is right, but now padding is counted",
        ),
        (
            "products now",
            SEARCHES.mended(searching(score=lambda a, b: (a * b).sum(-1))),
            "these are products now, not cosines",
        ),
        ("first token now", SEARCHES.mended(asked_by_the_first), "Change nothing but how the scores"),
        ("the best passage", SEARCHES.mended(lambda *given: right_search(*given).argmax()), "has shape"),
        ("a list", SEARCHES.mended(lambda *given: right_search(*given).tolist()), "wanted a torch tensor"),
        ("sorting in place", SEARCHES.mended(sorting_in_place), "or their order: build new ones"),
    ],
    "15_bert.audit": [
        ("doubting precision", audited(PER=("precision", 0.8)), "An F1 of 0.78 lies above both", "M55"),
        ("doubting recall", audited(PER=("recall", 0.81)), "An F1 of 0.78 lies above both", "M55"),
        ("the arithmetic mean", audited(PER=("F1", 0.68)), "It is the mean of precision and recall"),
        ("doubting F1", audited(LOC=("F1", 0.87)), "no 0.90, and with 0.90", "M55"),
        ("doubting a count", audited(LOC=("predicted", 76)), "no 0.90, and with 0.90", "M55"),
        ("recall for precision", audited(LOC=("precision", 0.85)), "'precision' is the wrong cell of LOC, but 0.85"),
        ("doubting gold", audited(ORG=("in gold", 112)), "and only 50 in gold", "M55"),
        ("doubting shares", audited(ORG=("precision", 0.9)), "and only 50 in gold", "M55"),
        ("as many as there are", audited(ORG=("right", 50)), "'right' is the wrong cell of ORG, but 50"),
        ("doubting all's recall", audited(all=("recall", 0.61)), "those of the three types added up", "M55"),
        ("doubting all's right", audited(all=("right", 194)), "those of the three types added up", "M55"),
        ("nearly all", audited(all=("in gold", 249)), "Add up the column above it"),
        ("doubting the mean precision", audited(mean=("precision", 0.68)), "after those have been mended", "M55"),
        ("doubting the mean F1", audited(mean=("F1", 0.67)), "after those have been mended", "M55"),
        ("the whole's recall", audited(mean=("recall", 0.66)), "Take the mean of the three numbers above it"),
        ("a mean of counts", audited(mean=("in gold", 83.3)), "only the shares have a mean here"),
        ("no such column", audited(PER=("accuracy", 0.67)), "is no column; they are"),
        ("the other way round", audited(PER=(0.67, "F1")), "wanted a pair: the name of the wrong column"),
        ("in words", audited(PER=("F1", "0.67")), "wanted a number"),
        ("in percent", audited(PER=("F1", 67)), "It is in percent"),
        ("one decimal", audited(PER=("F1", 0.7)), "It is rounded to one decimal"),
        ("the column alone", audited(PER="F1"), "wanted a pair: the name of the wrong column"),
        ("all in one", lambda row: MENDED, "wanted a pair: the name of the wrong column"),
        ("half done", audited(PER=("F1", None)), "that belongs there"),
        ("upper case", lambda row: MENDED[row.lower()], "KeyError"),
    ],
    "15_bert.optimism": [
        ("percent", lambda n, p, k: 100 * optimism_by_distribution(n, p, k), "This is in percent"),
        (
            "exactly j",
            lambda n, p, k: sum(1 - one**k for one in exactly(n, p)[:-1]) / n - p,
            "F_j is the probability of *at most* j",
        ),
        (
            "all the same",
            lambda n, p, k: sum(j * one**k for j, one in enumerate(exactly(n, p))) / n - p,
            "all k had to score the same",
        ),
        ("no luck", lambda n, p, k: 0.0, "the best of k was picked for its luck"),
        ("the count", best_of(finish=lambda total, n, p, k: total), "how many examples the best gets right"),
        ("the score", best_of(finish=lambda total, n, p, k: total / n), "This is the score of the best"),
        ("in examples", best_of(finish=lambda total, n, p, k: total - n * p), "This counts examples"),
        ("turned round", best_of(finish=lambda total, n, p, k: p - total / n), "The sign is turned round"),
        ("at most", best_of(lambda F, k: F**k), "of scoring *at most* so many are added up"),
        ("the worst", best_of(lambda F, k: (1 - F) ** k), "This is the worst of k"),
        ("a term too few", best_of(part=slice(1, None)), "The sum"),
        ("from 0 on", lambda n, p, k: best_of()(n, p, k) + 1 / n, "One too many"),
        ("by n + 1", best_of(finish=lambda total, n, p, k: total / (n + 1) - p), "It is divided by n + 1"),
        ("a count and a share", best_of(finish=lambda total, n, p, k: total - p), "divide by n first"),
        ("relative", lambda n, p, k: best_of()(n, p, k) / p, "This is a share of p"),
        ("p for 1 - p", lambda n, p, k: best_of()(n, 1 - p, k) + 1 - 2 * p, "p and 1 - p are swapped"),
        ("used too early", used_too_early, "is not in F_j yet where it is used"),
        ("from 1 on", lambda n, p, k: from_one(n, p, k, n), "Begin with j = 0"),
        ("from 1 to n", lambda n, p, k: from_one(n, p, k, n + 1), "Begin with j = 0"),
        ("rounded", lambda n, p, k: round(best_of()(n, p, k), 3), "is it rounded, an estimate"),
        ("k - 1", lambda n, p, k: best_of()(n, p, k - 1), "This is the best of k - 1"),
        ("k + 1", lambda n, p, k: best_of()(n, p, k + 1), "This is the best of k + 1"),
        ("chances added up", best_of(lambda F, k: (k * (1 - F)).clamp(max=1)), "several may score high at once"),
        ("above 1", best_of(lambda F, k: k * (1 - F)), "several may score high at once"),
        ("the likeliest", mode_best, "This is the likeliest score"),
        ("the median", middle_best, "This is the median"),
        ("standard deviation", lambda n, p, k: std(n, p), "the standard deviation of one setting's score"),
        ("rule of thumb", lambda n, p, k: std(n, p) * math.sqrt(2 * math.log(k)), "an estimate for large n and k"),
        ("normal", normal_best, "is it rounded, an estimate"),
        ("only two", lambda n, p, k: best_of()(n, p, 2), "Work out the chance"),
        ("normal, by a table", normal_by_table, "right for scores of a normal distribution"),
        ("always right", lambda n, p, k: 1 - p, "as if the best were always right"),
        ("one all right", lambda n, p, k: 1 - (1 - p**n) ** k, "the probability that one of k is right everywhere"),
        ("any of them", lambda n, p, k: 1 - (1 - p) ** k - p, "one setting is kept for all examples"),
        ("simulated", simulated, "this is a simulation"),
        ("a pair", lambda n, p, k: (best_of()(n, p, k), p), "wanted a single one"),
        ("three at most", lambda n, p, k: best_of()(n, p, min(k, 3)), "Work out the chance"),
        ("nothing for p of 1", lambda n, p, k: best_of()(n, p, k) if p < 1 else math.nan, "wanted a finite number"),
        ("never less than something", lambda n, p, k: max(0.001, best_of()(n, p, k)), "no luck is picked"),
    ],
}
