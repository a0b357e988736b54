"""Lesson 11: is attention alignment? Small translators, whose one head is all that reads the source.

Gold alignments are known, because the pairs are generated. Measured are alignment accuracy, for each kind of word
apart; what becomes of a word when one edge, from the row that writes it to one source token, is silenced; and what is
written when one vector of the memory is exchanged for that of a number with another digit, or ten, in the gold place.
"""

import random
from collections import Counter
from dataclasses import replace

import torch

from transformer_lab import (
    Settings,
    alignment_accuracy,
    record_attention,
    replace_attention,
    scaled_dot_product_attention,
    train,
)
from transformer_lab.data.pairs import TOKEN, Pair
from transformer_lab.tasks.translation import Translation, numbers

STEPS = 400
SIZES = dict(n_layers=1, n_heads=1, tie_embeddings=False)  # untied: faster to learn
TENS = {"zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"}
GLUE = {"und", "hundert", "tausend"}
SIGNS = {"-", ",", "and", "hundred", "thousand"}
EDGES = ("none", "gold", "favourite", "another", "all")
DIGITS = ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
TYS = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]


def kind_of(word: str) -> str:
    """The kind of a German word: und, hundert and tausend each for itself, tens, or digits (with the teens)."""
    return word if word in GLUE else "tens" if word in TENS else "digits"


def new_task(seed: int = 0) -> Translation:
    """The task, numbers in German, with a new model of one block and one head."""
    return numbers(seed=seed, **SIZES)


def learn(seed: int = 0, steps: int = STEPS) -> Translation:
    """The task with its trained model."""
    task = new_task(seed)
    train(task, Settings(steps, seed=seed, evaluate_every=steps), progress=False)
    return task


def only(pairs: list[Pair], kind: str) -> list[Pair]:
    """The pairs with the gold alignments of one kind of word alone."""
    kept = []
    for pair in pairs:
        words = TOKEN.findall(pair.target)
        alignment = [gold if kind_of(word) == kind else None for word, gold in zip(words, pair.alignment, strict=True)]
        kept.append(replace(pair, alignment=tuple(alignment)))
    return kept


def one_later(pairs: list[Pair]) -> list[Pair]:
    """The pairs with each gold alignment moved to the row that reads the word, one after the row that writes it."""
    return [replace(pair, alignment=(None, *pair.alignment[:-1])) for pair in pairs]


def accuracies(task: Translation) -> dict[str, float]:
    """Alignment accuracy: as it is, by the row that reads the word, and of each kind of word."""
    asked = {"all": task.held_out, "one row later": one_later(task.held_out)}
    asked |= {kind: only(task.held_out, kind) for kind in ("digits", "tens", *sorted(GLUE))}
    return {name: round(alignment_accuracy(task.model, task.tokenizer, pairs), 4) for name, pairs in asked.items()}


@torch.no_grad()
def silence(task: Translation, seed: int = 0) -> dict[str, dict[str, list[float]]]:
    """What is written right when one edge is silenced: kind of word -> where it looked -> share for each of EDGES.

    One word of each held-out pair is drawn, and only its row is changed. "elsewhere": the favourite is not the gold
    token. "another" silences a token that is neither, "all" the whole row. The last number counts the words.
    """
    rng, pairs, model = (
        random.Random(seed),
        [pair for pair in task.held_out if set(pair.alignment) - {None}],
        task.model,
    )
    source, source_mask = task.tokenizer.batch([pair.source for pair in pairs])
    target, _ = task.tokenizer.batch([pair.target for pair in pairs], bos=True)
    with record_attention(model.eval()) as maps:
        model(source, target, source_mask)
    favourites = maps["cross"][-1].mean(dim=1).argmax(dim=-1)  # (B, T)
    rows = [rng.choice([t for t, gold in enumerate(pair.alignment) if gold is not None]) for pair in pairs]
    gold = [pair.alignment[row] for pair, row in zip(pairs, rows, strict=True)]
    favourite = [favourites[b, row].item() for b, row in enumerate(rows)]
    another = [
        rng.choice([s for s in range(int(n)) if s not in both] or [0])
        for n, *both in zip(source_mask.sum(dim=1), gold, favourite, strict=True)
    ]
    chosen = {"none": None, "gold": gold, "favourite": favourite, "another": another, "all": slice(None)}
    right = {edge: written_right(model, source, source_mask, target, rows, chosen[edge]) for edge in EDGES}
    groups: dict[str, dict[str, list[int]]] = {}
    for b, (pair, row) in enumerate(zip(pairs, rows, strict=True)):
        kind = kind_of(TOKEN.findall(pair.target)[row])
        looked = "at gold" if gold[b] == favourite[b] else "elsewhere"
        groups.setdefault(kind, {}).setdefault(looked, []).append(b)
    return {
        kind: {
            looked: [*(round(sum(right[edge][b] for b in members) / len(members), 4) for edge in EDGES), len(members)]
            for looked, members in sorted(found.items())
        }
        for kind, found in sorted(groups.items())
    }


def written_right(model, source, source_mask, target, rows, keys) -> list[bool]:
    """Is each pair's word in its row still the most probable one, with these keys (None, a slice, a list) silenced?"""
    allowed = source_mask[:, None, None].repeat(1, 1, target.shape[1], 1)
    texts = torch.arange(len(target))
    if keys is not None:
        allowed[texts, 0, rows, keys] = False

    def without(q, k, v, mask=None):
        return scaled_dot_product_attention(q, k, v, allowed)

    with replace_attention(model, without, "cross"):
        said = model(source, target, source_mask).argmax(dim=-1)
    return (said[texts, rows] == target[texts, [row + 1 for row in rows]]).tolist()


def with_another_word(pair: Pair, place: int, rng: random.Random) -> str | None:
    """The pair's source with another digit, or another ten, in this place; None if none of these stands there."""
    word = list(TOKEN.finditer(pair.source))[place]
    kind = next((words for words in (DIGITS, TYS) if word[0] in words), None)
    if kind is None:
        return None
    other = rng.choice([one for one in kind if one != word[0]])
    return pair.source[: word.start()] + other + pair.source[word.end() :]


@torch.no_grad()
def exchange(task: Translation, seed: int = 0) -> dict[str, dict[str, dict]]:
    """What is written when one vector of the memory is exchanged: kind of word -> where the row looks -> findings.

    A case is a row that writes a digit or a ten, with a second source that has another one in the gold place. Kept are
    cases that the model writes right, and for which all of the second memory makes it write something else, the other
    word. "writes the other": its share when one vector is the second memory's. "gold hidden": the share that is still
    right then; "by habit": the share that is so though all other vectors are the second memory's, which say the other.
    """
    rng, model, tokenizer = random.Random(seed), task.model.eval(), task.tokenizer
    cases = [(pair, row, gold, with_another_word(pair, gold, rng)) for pair in task.held_out
             for row, gold in enumerate(pair.alignment) if gold is not None]  # fmt: skip
    cases = [case for case in cases if case[3]]
    source, is_real = tokenizer.batch([pair.source for pair, *_ in cases])
    target, _ = tokenizer.batch([pair.target for pair, *_ in cases], bos=True)
    here, there = model.encode(source, is_real), model.encode(tokenizer.batch([case[3] for case in cases])[0], is_real)
    texts, rows, gold = torch.arange(len(cases)), *(torch.tensor([case[i] for case in cases]) for i in (1, 2))

    def weights_over(memory):
        with record_attention(model) as maps:
            model.decode(target, memory=memory, memory_mask=is_real)
        return maps["cross"][-1].mean(dim=1)[texts, rows]  # (cases, S)

    weights = weights_over(here)
    favourite = weights.argmax(dim=-1)
    others = zip(is_real.sum(dim=1).tolist(), gold.tolist(), favourite.tolist(), strict=True)
    another = torch.tensor([rng.choice([s for s in range(n) if s not in both]) for n, *both in others])

    def says(memory, hidden=None):
        allowed = is_real[:, None, None].repeat(1, 1, target.shape[1], 1)
        if hidden is not None:
            allowed[texts, 0, rows, hidden] = False

        def without(q, k, v, mask=None):
            return scaled_dot_product_attention(q, k, v, allowed)

        with replace_attention(model, without, "cross"):
            hidden_states = model.decode(target, memory=memory, memory_mask=is_real)
        return model.logits(hidden_states)[texts, rows].argmax(dim=-1)

    def exchanged(places):
        memory = here.clone()
        memory[texts, places] = there[texts, places]
        return memory

    one, other = says(here), says(there)
    places = {"gold": gold, "favourite": favourite, "another": another}
    found = {name: says(exchanged(where)) == other for name, where in places.items()}
    found |= {"gold hidden": says(here, gold) == one, "by habit": says(there, gold) == one}
    weight_then = weights_over(exchanged(gold))[texts, gold]
    kept = (one == target[texts, rows + 1]) & (one != other)
    result: dict[str, dict[str, dict]] = {}
    for kind, words in (("digits", DIGITS), ("tens", TYS)):
        is_kind = torch.tensor([TOKEN.findall(pair.source)[place] in words for pair, _, place, _ in cases])
        for looked, at_gold in (("at gold", True), ("elsewhere", False)):
            chosen = kept & is_kind & ((favourite == gold) == at_gold)
            n = int(chosen.sum())
            written = Counter(tokenizer.decode([i]).strip() for i in one[chosen].tolist()).most_common(1)
            shares = {name: round(hits[chosen].double().mean().item(), 4) for name, hits in found.items()} if n else {}
            result.setdefault(kind, {})[looked] = {
                "rows": n,
                "most frequent word": [[word, round(times / n, 4)] for word, times in written],
                "weight of gold": round(weights[texts, gold][chosen].mean().item(), 4) if n else None,
                "weight of gold when exchanged": round(weight_then[chosen].mean().item(), 4) if n else None,
                "weight of the favourite": round(weights.max(dim=-1).values[chosen].mean().item(), 4) if n else None,
                "writes the other": {name: shares[name] for name in places} if n else {},
                "still right": {name: shares[name] for name in ("gold hidden", "by habit")} if n else {},
            }
    return result


@torch.no_grad()
def favourites(task: Translation) -> dict[str, list[list]]:
    """For each kind of German word, where its rows look most: [share, English word, places after the gold token]."""
    pairs = task.held_out
    source, source_mask = task.tokenizer.batch([pair.source for pair in pairs])
    target, _ = task.tokenizer.batch([pair.target for pair in pairs], bos=True)
    with record_attention(task.model.eval()) as maps:
        task.model(source, target, source_mask)
    looked = maps["cross"][-1].mean(dim=1).argmax(dim=-1).tolist()
    seen: dict[str, Counter] = {}
    for pair, places in zip(pairs, looked, strict=True):
        english = TOKEN.findall(pair.source)
        for word, gold, place in zip(TOKEN.findall(pair.target), pair.alignment, places, strict=False):
            if gold is not None:
                named = (
                    english[place] if english[place] in SIGNS else "ten" if english[place].endswith("ty") else "digit"
                )
                seen.setdefault(kind_of(word), Counter())[named, place - gold] += 1
    return {
        kind: [[round(n / counts.total(), 4), *what] for what, n in counts.most_common(3)]
        for kind, counts in sorted(seen.items())
    }


def run(seeds=(0, 1, 2, 3, 4)) -> dict:
    """For each seed: exact match, accuracies (also untrained), where rows look, what silence and an exchange do."""
    result: dict = {"seeds": list(seeds), "edges": [*EDGES, "words"], "models": []}
    for seed in seeds:
        untrained, task = accuracies(new_task(seed)), learn(seed)
        found = {"exact match": task.evaluate()["exact_match"], "accuracy": accuracies(task), "untrained": untrained,
                 "favourites": favourites(task), "silenced": silence(task),
                 "exchanged": exchange(task)}  # fmt: skip
        result["models"].append(found)
        print(seed, found, flush=True)
    return result


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
