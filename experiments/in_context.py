"""Does SmolLM2 do what a few examples show it?

It reads lines such as "hot: cold" and then "big:". Five tasks; none to eight examples; the same 24 words are asked for
each time, and which examples are shown, and in which order, is drawn five times. Controls: the same examples with their
answers shuffled so that none is right, eight examples of the next task, and no example but the task in words. Of the
answers it is counted how many are right, how many are one of the answers shown, and how many are the question again.
"""

import random

from letters import Reader
from transformer_lab import load

TASKS = {
    "opposites": """
        hot cold, big small, fast slow, happy sad, light dark, old young, rich poor, strong weak, high low, open closed,
        early late, hard soft, wet dry, full empty, true false, good bad, clean dirty, thick thin, wide narrow,
        deep shallow, loud quiet, long short, right wrong, alive dead, first last, up down, black white, war peace,
        love hate, day night, north south, buy sell, left right, push pull, begin end, win lose, male female,
        summer winter, inside outside, above below
    """,
    "capitals": """
        France Paris, Germany Berlin, Italy Rome, Spain Madrid, Japan Tokyo, China Beijing, Russia Moscow, Egypt Cairo,
        Greece Athens, Portugal Lisbon, Austria Vienna, Poland Warsaw, Norway Oslo, Sweden Stockholm, Ireland Dublin,
        Cuba Havana, Canada Ottawa, Kenya Nairobi, Peru Lima, Chile Santiago, Thailand Bangkok, Iran Tehran,
        Iraq Baghdad, Hungary Budapest, Finland Helsinki, Denmark Copenhagen, Belgium Brussels, Turkey Ankara,
        Ukraine Kyiv, Romania Bucharest, Bulgaria Sofia, Serbia Belgrade, Vietnam Hanoi, Nepal Kathmandu,
        Lebanon Beirut, Syria Damascus, England London, Scotland Edinburgh, Colombia Bogota, Venezuela Caracas
    """,
    "past tense": """
        go went, see saw, take took, give gave, come came, make made, find found, know knew, think thought, run ran,
        write wrote, speak spoke, eat ate, drink drank, begin began, break broke, buy bought, bring brought,
        build built, catch caught, choose chose, drive drove, fall fell, feel felt, fly flew, forget forgot,
        get got, grow grew, hear heard, hold held, keep kept, leave left, lose lost, meet met, pay paid, sell sold,
        send sent, sing sang, sit sat, sleep slept
    """,
    "plurals": """
        dog dogs, house houses, tree trees, child children, man men, woman women, city cities, car cars, book books,
        box boxes, baby babies, leaf leaves, knife knives, wolf wolves, life lives, foot feet, tooth teeth, goose geese,
        mouse mice, bus buses, church churches, dish dishes, glass glasses, country countries, story stories,
        party parties, lady ladies, watch watches, table tables, river rivers, friend friends, school schools,
        window windows, hand hands, eye eyes, king kings, song songs, bird birds, cup cups, road roads
    """,
    "kinds": """
        dog animal, oak plant, hammer tool, France country, cat animal, rose plant, saw tool, Japan country,
        horse animal, tulip plant, drill tool, Spain country, cow animal, fern plant, screwdriver tool, Brazil country,
        lion animal, pine plant, knife tool, Kenya country, sheep animal, grass plant, shovel tool, Peru country,
        wolf animal, daisy plant, wrench tool, Egypt country, tiger animal, moss plant, axe tool, Italy country,
        rabbit animal, ivy plant, rake tool, Canada country, fox animal, cactus plant, pliers tool, Greece country
    """,
}
IN_WORDS = {
    "opposites": "The opposite of each word:",
    "capitals": "The capital of each country:",
    "past tense": "The past tense of each verb:",
    "plurals": "The plural of each word:",
    "kinds": "Animal, plant, tool or country?",
}
N_ASKED, SEEDS, COUNTS = 24, range(5), (0, 1, 2, 4, 8)
N_SHOWN = max(COUNTS)
Pairs = list[tuple[str, str]]


def pairs(task: str) -> Pairs:
    words = [pair.split() for pair in TASKS[task].split(",")]
    return [(question, answer) for question, answer in words]


def drawn(task: str, seed: int) -> tuple[Pairs, Pairs]:
    """(shown, asked): the 24 asked are the same for every seed; the eight shown, and their order, are drawn."""
    mixed = random.Random(14).sample(pairs(task), len(pairs(task)))
    return random.Random(seed).sample(mixed[N_ASKED:], N_SHOWN), mixed[:N_ASKED]


def shuffled(shown: Pairs, seed: int) -> Pairs:
    """The same questions and the same answers, but none is right."""
    answers, rng = [answer for _, answer in shown], random.Random(seed)
    while any(given == right for given, (_, right) in zip(answers, shown, strict=True)):
        rng.shuffle(answers)
    return [(question, answer) for (question, _), answer in zip(shown, answers, strict=True)]


def page(shown: Pairs, heading: str = "") -> str:
    """What SmolLM2 reads before the question; an empty text would have no token, so a line break begins every page."""
    return "\n" + heading + "".join(f"{question}: {answer}\n" for question, answer in shown)


def answers(model, tokenizer, text: str, asked: Pairs) -> list[str]:
    """What it writes after the text and "question:", up to the end of the line, greedily."""
    return Reader(model, tokenizer, text).finish([f"{question}:" for question, _ in asked], 4)


def right(said: list[str], asked: Pairs) -> int:
    return sum(text == answer for text, (_, answer) in zip(said, asked, strict=True))


def cases(task: str, seed: int) -> dict[str, Pairs]:
    """The examples that are shown, by the name of the case."""
    shown, _ = drawn(task, seed)
    names = list(TASKS)
    other = names[(names.index(task) + 1) % len(names)]
    found = {f"{n} examples": shown[:n] for n in COUNTS}
    return found | {"answers shuffled": shuffled(shown, seed), "another task": drawn(other, seed)[0]}


def count(said: list[str], shown: Pairs, asked: Pairs) -> dict[str, int]:
    """Of the wrong answers: how many are one of the answers shown, and how many the question again."""
    wrong = [(text, question) for text, (question, answer) in zip(said, asked, strict=True) if text != answer]
    copied = sum(text in {answer for _, answer in shown} for text, _ in wrong)
    again = sum(text == question for text, question in wrong)
    return {"right": right(said, asked), "copied": copied, "question again": again}


def run(tasks=tuple(TASKS), seeds=SEEDS) -> dict:
    """result[task]: the questions; counts for each case and seed; what was said with seed 0."""
    model, tokenizer = load("smollm2")
    found = {}
    for task in tasks:
        _, asked = drawn(task, 0)
        in_words = answers(model, tokenizer, page([], IN_WORDS[task] + "\n"), asked)
        counts, said = {"in words": [count(in_words, [], asked)]}, {"in words": in_words}
        for seed in seeds:
            for name, shown in cases(task, seed).items():
                if shown or seed == seeds[0]:  # without examples there is nothing to draw
                    heard = answers(model, tokenizer, page(shown), asked)
                    counts.setdefault(name, []).append(count(heard, shown, asked))
                    said.setdefault(name, heard)
        found[task] = {"asked": [question for question, _ in asked], "counts": counts, "said": said}
        print(task, {name: [one["right"] for one in runs] for name, runs in counts.items()}, flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
