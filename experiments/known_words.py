"""Does a tagger of names fail in new templates because their words are new, or because the sentences are?

The taggers of entity_templates.py, three seeds, are asked once more: eight templates that no training sentence has,
all made of words that stand in the training templates.
"""

from entity_templates import learn, scores
from transformer_lab.data import entities

SEEDS, N_TESTED = range(3), 500
TEMPLATES = (
    "The mayor of {city} signed the treaty with {country}.",
    "{person} paid {company} {number} dollars for a patent.",
    "In {year} {company} left {city} for {country}.",
    "Nobody said that {surname} was married in {city}.",
    "{team} lost to {team} on Monday.",
    "The painter {person} has an office near {street}.",
    "{surname} resigned from {company} after {number} days.",
    "Our engineer from {country} remembers {city}.",
)


def tests() -> dict[str, list[entities.Sentence]]:
    """The sentences of the package's two tests, and those of TEMPLATES, all with names that no training has."""
    known = entities.make_sentences(N_TESTED, TEMPLATES, ("en_US",), test=True, seed="known words")
    return {**{kind: entities.test_sentences(kind) for kind in entities.KINDS[:2]}, "known words": known}


def run(seeds=SEEDS) -> list[dict]:
    """result[seed][test]: the share of right tags and the F1 of entities; the second is of the last checkpoint."""
    found = []
    for seed in seeds:
        task, _ = learn(seed, every=1000)
        said = {kind: task.predict([one.words for one in sentences]) for kind, sentences in tests().items()}
        found.append({kind: scores(said[kind], [list(one.tags) for one in tests()[kind]]) for kind in said})
        print(seed, found[-1], flush=True)
    return found


if __name__ == "__main__":
    from recording import record

    record(__file__, run)
