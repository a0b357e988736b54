"""What do the examples on a page give SmolLM2? Controls beside in_context.py, five draws each.

Kinds with their names exchanged (an animal is "blue"): a task that cannot be in the weights, beside the same examples
with the true names. Pairs of unrelated words: the form of a page without a task. Cities that are no capitals in place
of the capitals. The task as a question in the chat template, without examples. And plurals of invented words beside
ordinary ones; on a third page every word only stands twice, which shows whether it can write the invented ones at all.
"""

import random

from in_context import N_SHOWN, SEEDS, TASKS, Pairs, answers, count, drawn, page, pairs
from letters import Reader
from transformer_lab import load

RENAMED = {"animal": "blue", "plant": "seven", "tool": "music", "country": "river"}
UNRELATED = """
    cloud spoon, ticket velvet, hunger paper, sugar ladder, Monday copper, finger storm, engine butter, island pencil,
    blanket number, thunder basket, mirror lemon, corner whistle, pocket desert, market feather,
    button ocean, candle rule
"""
CITIES = "Munich Milan Osaka Shanghai Barcelona Lyon Toronto Istanbul Mumbai Hamburg Naples Sydney"
QUESTIONS = {
    "opposites": "What is the opposite of {}?",
    "capitals": "What is the capital of {}?",
    "past tense": "What is the past tense of {}?",
    "plurals": "What is the plural of {}?",
    "kinds": "Is {} an animal, a plant, a tool or a country?",
}
REGULAR = "dog tree car book river friend school window hand king song bird cup road table house"
ORDINARY = "lamp phone garden pencil letter doctor ticket rocket farm rabbit cloud chair"
INVENTED = "wug dax blick tove zorch gruss plonf fep heaf gorp plimby spow"


def kinds(seed: int, names: dict[str, str] | None = None) -> tuple[Pairs, Pairs]:
    """(shown, asked): two examples of each kind, in a drawn order."""
    asked, rng = drawn("kinds", 0)[1], random.Random(seed)
    rest = rng.sample([pair for pair in pairs("kinds") if pair not in asked], len(pairs("kinds")) - len(asked))
    shown = [pair for kind in RENAMED for pair in [one for one in rest if one[1] == kind][:2]]
    rng.shuffle(shown)
    names = names or {}
    shown, asked = ([(word, names.get(kind, kind)) for word, kind in part] for part in (shown, asked))
    return shown, asked


def unrelated(seed: int) -> Pairs:
    words = [pair.split() for pair in UNRELATED.split(",")]
    return random.Random(seed).sample([(first, second) for first, second in words], N_SHOWN)


def cities(seed: int, questions: str) -> Pairs:
    """Cities that are no capitals, behind questions of a task; no city stands behind its own country."""
    own = {"Germany": {"Munich", "Hamburg"}, "Italy": {"Milan", "Naples"}, "Spain": {"Barcelona"}}
    own |= {
        "Japan": {"Osaka"},
        "China": {"Shanghai"},
        "France": {"Lyon"},
        "Canada": {"Toronto"},
        "Turkey": {"Istanbul"},
    }
    rng, words = random.Random(seed), [question for question, _ in drawn(questions, seed)[0]]
    while True:
        found = list(zip(words, rng.sample(CITIES.split(), N_SHOWN), strict=True))
        if not any(city in own.get(word, ()) for word, city in found):
            return found


def plural(word: str) -> str:
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") else word + "s"


def word_pages(seed: int) -> dict[str, tuple[Pairs, Pairs]]:
    """(shown, asked) of the plurals of ordinary and of invented words, and of invented words that only stand twice."""
    shown = random.Random(seed).sample(REGULAR.split(), N_SHOWN)
    plurals = [(word, plural(word)) for word in shown]
    return {
        "ordinary words": (plurals, [(word, plural(word)) for word in ORDINARY.split()]),
        "invented words": (plurals, [(word, plural(word)) for word in INVENTED.split()]),
        "invented words, twice": ([(word, word) for word in shown], [(word, word) for word in INVENTED.split()]),
    }


def finished(model, tokenizer, shown: Pairs, asked: Pairs) -> list[str]:
    """As in_context.answers, but with room for a word of many tokens."""
    return Reader(model, tokenizer, page(shown)).finish([f"{question}:" for question, _ in asked], 8)


class Template:
    """A tokenizer that knows the marks of the chat template."""

    def __init__(self, tokenizer):
        self.tokenizer = tokenizer

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text, special=True)

    def decode(self, ids) -> str:
        return self.tokenizer.decode(ids)


def in_template(model, tokenizer, task: str, asked: Pairs) -> list[str]:
    """What it answers, up to sixteen tokens of it."""
    starts = [QUESTIONS[task].format(question) + "<|im_end|>\n<|im_start|>assistant\n" for question, _ in asked]
    return Reader(model, Template(tokenizer), "<|im_start|>user\n").finish(starts, 16)


def named(said: list[str], asked: Pairs) -> int:
    """How many of the answers hold the right word."""
    words = [text.replace(".", " ").replace(",", " ").replace('"', " ").split() for text in said]
    return sum(answer.lower() in [word.lower() for word in one] for one, (_, answer) in zip(words, asked, strict=True))


def run(tasks=tuple(TASKS), seeds=SEEDS) -> dict:
    """result[case]: the counts of each seed, and what was said with seed 0."""
    model, tokenizer = load("smollm2")
    found: dict = {}

    def note(case: str, said: list[str], shown: Pairs, asked: Pairs) -> None:
        one = found.setdefault(case, {"asked": [question for question, _ in asked], "said": said, "counts": []})
        one["counts"].append(count(said, shown, asked))
        print(case, one["counts"][-1], said, flush=True)

    for seed in seeds:
        for case, (shown, asked) in word_pages(seed).items():
            note(case, finished(model, tokenizer, shown, asked), shown, asked)
        for case, names in (("kinds, true names", None), ("kinds, names exchanged", RENAMED)):
            shown, asked = kinds(seed, names)
            note(case, answers(model, tokenizer, page(shown), asked), shown, asked)
        asked = drawn("capitals", 0)[1]
        for case, shown in (
            ("other cities", cities(seed, "capitals")),
            ("other cities only", cities(seed, "past tense")),
        ):
            note(case, answers(model, tokenizer, page(shown), asked), shown, asked)
    for task in tasks:
        asked = drawn(task, 0)[1]
        said = in_template(model, tokenizer, task, asked)
        found[f"{task} in the template"] = {"asked": [q for q, _ in asked], "said": said, "named": named(said, asked)}
        print(task, found[f"{task} in the template"]["named"], said[:5], flush=True)
        for seed in seeds[:3]:
            note(f"{task} after unrelated pairs", answers(model, tokenizer, page(unrelated(seed)), asked), [], asked)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
