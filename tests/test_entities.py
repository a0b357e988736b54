"""entities.py: no name of a test set was trained on, tags cover exactly the names, and draws repeat."""

import os
import random
import re
import subprocess
import sys
import time

import pytest
from faker import Faker

from transformer_lab.baselines import lookup_tags
from transformer_lab.data import entities
from transformer_lab.metrics import entity_f1
from transformer_lab.optional import MissingPackageError

kinds = pytest.mark.parametrize("kind", entities.KINDS)


@pytest.fixture(scope="module")
def training():
    return [sentence for seed in (0, 1) for sentence in entities.training_sentences(seed=seed)]


@pytest.fixture(scope="module")
def fake():
    return Faker("en_US")


def names(sentences):
    """Every name: its type and its words. A tag that cannot follow the one before it fails here."""
    found = []
    for sentence in sentences:
        before = "O"
        for word, tag in zip(sentence.words, sentence.tags, strict=True):
            if tag.startswith("B-"):
                found.append((tag[2:], [word]))
            elif tag != "O":
                assert before != "O" and before[2:] == tag[2:], sentence
                found[-1][1].append(word)
            before = tag
    return found


def capitalised(words):
    return {part for word in words for part in re.findall(r"[^\W\d_]+", word) if part[0].isupper()}


@kinds
def test_no_test_name_and_no_capitalised_word_of_one_is_in_training(kind, training):
    training_text = " " + " \n ".join(" ".join(sentence.words) for sentence in training) + " "
    training_words = capitalised({word for sentence in training for word in sentence.words})
    test = names(entities.test_sentences(kind))
    assert len(test) > 500
    for _, words in test:
        assert capitalised(words) and not capitalised(words) & training_words
        assert f" {' '.join(words)} " not in training_text


def test_every_name_that_faker_has_is_on_one_side():
    """Not only the names drawn: neither side's names can come on the other, nor are they words of a template."""
    written = set(re.findall("[a-zA-Z]+", re.sub(r"\{\w+\}", "", " ".join(entities.TEMPLATES))))
    for locale in ("en_US", "fr_FR", "it_IT"):
        person = next(p for p in Faker(locale)._factories[0].providers if "person" in type(p).__module__)
        for pool in (person.first_names, person.last_names):
            sides = [{entities.is_test_word(w) for w in capitalised([name])} for name in set(pool)]
            for side in (False, True):
                assert sides.count({side}) > 50
            assert not {w for name in pool for w in capitalised([name]) if entities.is_test_word(w)} & written
    assert not any(entities.is_test_word(word) for word in written | {word.upper() for word in written})
    assert entities.is_test_word("RENÉ") == entities.is_test_word("Rene") == entities.is_test_word("rené")


@kinds
def test_a_drawn_part_is_wholly_on_the_side_asked_for(kind):
    fake = Faker("fr_FR" if "foreign" in kind else "en_US")
    for part in ("first_name", "last_name", "city", "country", "street_name", "company_suffix"):
        for side in (False, True):
            drawn = {entities.draw(fake, part, side) for _ in range(30)}
            assert {entities.is_test_word(w) for w in capitalised(drawn)} <= {side}, part


def test_looking_words_up_finds_no_name(training):
    for kind in entities.KINDS:
        words, tags = (
            [x for sentence in entities.test_sentences(kind) for x in getattr(sentence, column)]
            for column in ("words", "tags")
        )
        assert entity_f1([lookup_tags(training, words)], [tags]) == 0
    words, tags = ([x for s in training[:500] for x in getattr(s, column)] for column in ("words", "tags"))
    assert entity_f1([lookup_tags(training, words)], [tags]) > 0.3  # the training names it knows


@pytest.mark.parametrize("template", entities.TEMPLATES + entities.TEST_TEMPLATES)
def test_tags_cover_the_fields_and_nothing_else(template, fake):
    """The words tagged O are the template's own and its numbers; names are of the fields' types, in their order."""
    own = {field: entities.NAMES[field][0] for field in entities.NAMES}
    for seed in range(5):
        sentence = entities.fill(template, fake, random.Random(seed), test=bool(seed % 2))
        fields = re.findall(r"\{(\w+)\}", template)
        assert [label for label, _ in names([sentence])] == [own[field] for field in fields if field in own]
        outside = " ".join(w for w, tag in zip(sentence.words, sentence.tags, strict=True) if tag == "O")
        numbers = re.sub(r"\{(number|year)\}", r"\\d+", re.sub(r"\{(?!number|year)\w+\}", "", template))
        wanted = re.sub(r"\s*([.,?])", r" \1", numbers.replace(".", " .")).split()
        assert re.fullmatch(" ".join(re.sub(r"([.?])", r"\\\1", word) for word in wanted), outside), (outside, wanted)


@pytest.mark.parametrize(
    "text, words",
    [
        ("Allen, Morton and Lee-Kim.", ["Allen", ",", "Morton", "and", "Lee-Kim", "."]),
        ("Côte d'Ivoire in 1999?", ["Côte", "d'Ivoire", "in", "1999", "?"]),
        ("Zoe\u0308 हिन्दी ❤\ufe0f مُحَمَّد.", ["Zoe\u0308", "हिन्दी", "❤\ufe0f", "مُحَمَّد", "."]),
    ],
)
def test_words_are_cut_at_spaces_and_punctuation(text, words):
    assert entities.WORD.findall(text) == words


def test_templates_are_split_too_and_every_one_is_drawn(training):
    assert len(set(entities.TEMPLATES)) == 18 and len(set(entities.TEST_TEMPLATES)) == 6
    assert not set(entities.TEMPLATES) & set(entities.TEST_TEMPLATES)

    def shapes(sentences):
        """What templates leave behind: the words outside names, numbers hidden."""
        return {
            tuple("#" if w.isdigit() else w for w, tag in zip(s.words, s.tags, strict=True) if tag == "O")
            for s in sentences
        }

    assert len(shapes(training)) == 18
    assert shapes(entities.test_sentences("same templates")) == shapes(training)
    for kind in entities.KINDS[1:]:
        new = shapes(entities.test_sentences(kind))
        assert len(new) == 6 and not new & shapes(training)


def test_one_name_has_several_types(training):
    """Surnames name persons and firms, cities name places and teams: the words around them decide."""
    types = {}
    for label, words in names(training):
        types.setdefault(" ".join(words), set()).add(label)
    assert sum(found == {"PER", "ORG"} for found in types.values()) > 50
    assert sum(found == {"LOC", "ORG"} for found in types.values()) > 20
    assert {tag for sentence in training for tag in sentence.tags} == set(entities.TAGS)


def test_foreign_names_are_french_and_italian():
    last_names = {}
    for locale in ("en_US", "fr_FR", "it_IT"):
        person = next(p for p in Faker(locale)._factories[0].providers if "person" in type(p).__module__)
        last_names[locale] = set(person.last_names)
    persons = [w for label, w in names(entities.test_sentences("new templates, foreign names")) if label == "PER"]
    for locale in ("fr_FR", "it_IT"):
        assert sum(" ".join(words[-1:]) in last_names[locale] for words in persons) > len(persons) / 4
    for kind in entities.KINDS[:2]:
        for label, words in names(entities.test_sentences(kind)):
            assert label != "PER" or words[-1] in last_names["en_US"]


def test_a_seed_gives_the_same_sentences_and_another_seed_others():
    first = entities.training_sentences(50, seed=3)
    assert entities.training_sentences(80, seed=3)[:50] == first and len(first) == 50
    assert not set(entities.training_sentences(50, seed=4)) & set(first)
    for kind in entities.KINDS:
        test = entities.test_sentences(kind)
        assert len(test) == 500 and entities.test_sentences(kind, 20) == test[:20]
        numbers = [[w for w in s.words if w.isdigit()] for s in test]
        assert numbers != [[w for w in s.words if w.isdigit()] for s in entities.training_sentences(500)]


def test_another_process_draws_the_same():
    """Python's order of sets differs between processes, and with it what a careless provider gives."""
    code = "from transformer_lab.data import entities as e; print(*(e.test_sentences(k) for k in e.KINDS), sep='\\n')"
    environment = {**os.environ, "PYTHONHASHSEED": "1", "PYTHONIOENCODING": "utf-8"}
    run = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, encoding="utf-8", check=True
    )
    assert run.stdout.splitlines() == [str(entities.test_sentences(kind)) for kind in entities.KINDS]


def test_three_thousand_sentences_take_less_than_three_seconds():
    start = time.process_time()
    assert len(entities.training_sentences()) == 3000
    assert time.process_time() - start < 3


def test_what_cannot_be_drawn_gets_a_sentence(monkeypatch):
    with pytest.raises(ValueError, match="^kind is 'new names'; wanted one of same templates, new templates, new temp"):
        entities.test_sentences("new names")
    for draw in (entities.training_sentences, lambda n: entities.test_sentences("same templates", n)):
        assert draw(0) == []
        with pytest.raises(ValueError, match=r"^n is -1; wanted a number of sentences, 0 or more\.$"):
            draw(-1)
    monkeypatch.setattr("transformer_lab.optional.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="^The entity data needs the package faker: pip install faker$"):
        entities.training_sentences(1)
