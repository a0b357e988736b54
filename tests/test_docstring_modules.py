"""Which module is a docstring from: no leak from training to test, no name left to read, a fair difficulty."""

import importlib
import inspect
import random
import re
from collections import Counter
from difflib import SequenceMatcher

import pytest

from transformer_lab.data import docstring_modules
from transformer_lab.data.docstring_modules import LONGEST, MASK, MODULES, test_examples, training_examples

test_examples.__test__ = False  # a function of the package, which pytest would collect by its name


def test_the_label_is_the_module_the_text_is_from():
    examples = training_examples() + test_examples()
    for module in ("tarfile", "mailbox"):
        live = importlib.import_module(module)
        texts = {e.text for e in examples if MODULES[e.label] == module}
        others = {e.text for e in examples if MODULES[e.label] != module}
        classes = [thing for thing in vars(live).values() if inspect.isclass(thing)]
        methods = [thing for c in classes for thing in vars(c).values() if inspect.isfunction(thing)]
        known = {docstring_modules.prepare(m.__doc__) for m in methods if m.__module__ == module and m.__doc__}
        assert len(known) > 50 and len(known & texts) > 0.9 * len(known) and not known & others


def test_no_name_of_a_module_is_left_in_a_text():
    texts = [e.text for e in training_examples() + test_examples()]
    for text in texts:
        assert not re.search("|".join(MODULES), text.lower()) and 0 < len(text) <= LONGEST and "\n" not in text
    assert sum(MASK in text for text in texts) > 100 and max(map(len, texts)) == LONGEST


@pytest.mark.parametrize("name", MODULES)
def test_names_are_masked_however_they_are_written(name):
    for written in (name, name.upper(), name.title(), f"{name}s", f"x{name}.y"):
        assert name not in docstring_modules.prepare(f"The\n  {written} package").lower()
    assert docstring_modules.prepare(f"The\n  {name} package") == f"The {MASK} package"
    # Cut after masking: a name across the edge would leave its beginning.
    assert docstring_modules.prepare("x" * 236 + " " + name).endswith(" " + MASK[:3])


def test_no_text_is_there_twice():
    counts = Counter(e.text for e in training_examples() + test_examples())
    assert max(counts.values()) == 1


def test_texts_that_two_modules_share_are_left_out(monkeypatch):
    texts = [f"number {random.random()} {i}" for i in range(30)]
    found = [(MODULES[i % 10], text) for i, text in enumerate(texts)]
    found += [
        (MODULES[0], "Shared by two."),
        (MODULES[1], "Shared\nby two."),
        (MODULES[2], "Twice."),
        (MODULES[2], "Twice."),
    ]
    monkeypatch.setattr(docstring_modules, "labelled_docstrings", lambda: found)
    training, test = docstring_modules.split.__wrapped__()
    assert Counter(e.text for e in training + test) == Counter([*texts, "Twice."])


def test_nothing_in_the_test_set_was_trained_on():
    """No run of five words in common, and hardly a text that difflib calls nearly the same (copies have 1.0)."""
    training, test = training_examples(), test_examples()

    def runs(text):
        words = re.findall(r"[a-z0-9_]+", text.lower())
        return {" ".join(words[i : i + 5]) for i in range(len(words) - 4)}

    seen = set().union(*(runs(e.text) for e in training))
    assert not [e for e in test if runs(e.text) & seen]
    near = 0
    for e in random.sample(test, 40):
        matcher = SequenceMatcher(None, b=e.text.lower(), autojunk=False)
        for other in training:
            matcher.set_seq1(other.text.lower())
            near += matcher.real_quick_ratio() > 0.9 and matcher.quick_ratio() > 0.9 and matcher.ratio() > 0.9
    assert near <= 4


def test_there_are_enough_of_every_module_and_no_label_is_a_good_guess():
    training, test = training_examples(), test_examples()
    assert len(training) > 1500 and 0.15 < len(test) / len(training + test) < 0.25
    for examples in (training, test):
        counts = Counter(e.label for e in examples)
        assert set(counts) == set(range(10)) and min(counts.values()) >= 10
        assert max(counts.values()) / len(examples) < 0.25


def test_the_seed_is_only_that_of_the_order():
    random.seed(0)
    first, test = training_examples(seed=1), test_examples()
    random.seed(1)
    assert training_examples(seed=1) == first != training_examples(seed=2)
    assert Counter(first) == Counter(training_examples(seed=2)) and test_examples() == test
    test.clear()
    assert test_examples()


def test_a_python_without_one_of_the_modules_gets_a_sentence(monkeypatch):
    files = {name: path for name, path in docstring_modules.source_files().items() if not name.startswith("xml/")}
    monkeypatch.setattr(docstring_modules, "source_files", lambda: files)
    with pytest.raises(FileNotFoundError, match=r"^This Python has no source of xml\.$"):
        docstring_modules.labelled_docstrings()
