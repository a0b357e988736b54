"""The text of Python's own documentation, checked with pydoc, inspect and a slow search for copies."""

import ast
import importlib
import inspect
import pydoc
import random
import re
import sys
from collections import Counter
from pydoc_data import topics as manual

import pytest

from transformer_lab.data import python_docs
from transformer_lab.data.documents import Document, fingerprint, join


def test_the_topics_are_what_help_shows():
    topics = python_docs.topics()
    assert {d.name: d.text for d in topics} == dict(manual.topics) and len(topics) > 70
    assert [d.name for d in topics] == sorted(manual.topics)
    assert next(d for d in topics if d.name == "strings").text.strip() in pydoc.Helper()._gettopic("UNICODE")[0]


@pytest.mark.parametrize("module", ["json.decoder", "textwrap", "heapq", "argparse", "fractions"])
def test_docstrings_are_those_of_the_imported_module(module):
    """`inspect` finds them on live objects; here they come from the file alone."""
    live = importlib.import_module(module)
    wanted = {inspect.getdoc(live)}
    for thing in vars(live).values():
        if inspect.getmodule(thing) is live and (inspect.isclass(thing) or inspect.isfunction(thing)):
            parts = [thing, *(p for p in vars(thing).values() if inspect.isfunction(p))]
            wanted |= {inspect.cleandoc(p.__doc__) for p in parts if p.__doc__}
    found = {d.name: d.text for d in python_docs.docstrings()}[module.replace(".", "/") + ".py"]
    assert len(wanted) > 2
    for docstring in wanted:
        assert docstring in found


def test_every_docstring_of_a_file_is_found_once_and_from_top_to_bottom(tmp_path):
    source = '''"""module"""
if True:
    def a():
        """in if"""
        class B:
            """in function"""
else:
    """no docstring"""
    try:
        async def c(): "async"
    except ValueError:
        def d(): "in except"
match 1:
    case 1:
        def e(): "in case"
for f in []:
    with open("") as g:
        class H:
            "bad escape \\d"
            def i(self): return "no docstring"
            def j(self): "ä"
'''
    path = tmp_path / "a.py"
    path.write_bytes(b"# coding: latin-1\n" + source.encode("latin-1"))
    expected = ["module", "in if", "in function", "async", "in except", "in case", "bad escape \\d", "ä"]
    assert python_docs.file_docstrings(path) == expected


def test_no_definition_is_missed_in_the_library():
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    files = list(python_docs.source_files().values())
    for path in random.sample(files, 40):
        tree = ast.parse(path.read_bytes())
        everything = [ast.get_docstring(node) for node in ast.walk(tree) if isinstance(node, kinds)]
        assert Counter(python_docs.file_docstrings(path)) == Counter(text for text in everything if text)


def test_tests_and_installed_packages_are_left_out():
    names = list(python_docs.source_files())
    assert names == sorted(names) and len(names) > 400 and {"argparse.py", "unittest/case.py"} <= set(names)
    for name in names:
        assert not re.search(r"(^|/)(tests?|idle_test|site-packages|dist-packages)/|(^|/)test_", name), name


def test_no_module_is_run(tmp_path):
    path = tmp_path / "a.py"
    path.write_text('"""Read me."""\nraise SystemExit("I was run")')
    assert python_docs.file_docstrings(path) == ["Read me."]
    assert "antigravity.py" in python_docs.source_files() and python_docs.docstrings()
    assert "antigravity" not in sys.modules  # it would open a browser


def test_topics_come_first_and_alone_where_asked():
    assert python_docs.documents(only_topics=True) == python_docs.topics()
    assert python_docs.documents() == python_docs.topics() + python_docs.docstrings()
    assert len(python_docs.docstrings()) > 300  # how many modules there are depends on the Python and who packed it


def test_a_caller_may_change_what_he_gets():
    python_docs.docstrings().clear()
    python_docs.topics().clear()
    assert python_docs.documents() and all(isinstance(d, Document) for d in python_docs.documents())


@pytest.mark.parametrize("only_topics", [True, False])
def test_no_long_passage_of_the_validation_text_was_trained_on(only_topics):
    """A slow look for windows of 200 characters, spaces made alike; the raw cut of the same text does have such."""
    training, validation = python_docs.train_and_validation(only_topics, seed=random.randrange(100))
    everything = python_docs.documents(only_topics)
    assert sorted(d.name for d in training + validation) == sorted(d.name for d in everything)
    assert 0.08 < len(join(validation)) / len(join(everything)) < 0.11

    def copied(one, other):
        one, other = " ".join(one.split()), " ".join(other.split())
        return [w for i in range(0, len(other) - 200, 200) if prose(w := other[i : i + 200]) and w in one]

    assert not copied(join(training), join(validation))
    if only_topics:
        assert copied(*python_docs.raw_cut(join(everything)))


def prose(window):
    """13 whole words in it: not a line of signs."""
    return len(re.findall(r"\b\w+\b", window)) >= 15


def test_the_seed_decides_what_validates():
    first = python_docs.train_and_validation(True, seed=1)
    assert python_docs.train_and_validation(True, seed=1) == first != python_docs.train_and_validation(True, seed=2)


def test_the_raw_cut_is_first_and_last():
    text = "".join(random.choices("abc \n", k=random.randrange(100, 1000)))
    training, validation = python_docs.raw_cut(text)
    assert training + validation == text and abs(len(validation) - len(text) / 10) <= 0.5
    assert len(python_docs.raw_cut("x" * 1000, share=0.25)[1]) == 250
    with pytest.raises(ValueError, match="^share is 1.0; wanted"):
        python_docs.raw_cut(text, share=1.0)


@pytest.mark.parametrize("only_topics", [True, False])
def test_one_sentence_says_which_text_it_is(only_topics):
    sentence = python_docs.describe(only_topics)
    documents = python_docs.documents(only_topics)
    text = join(documents)
    version = ".".join(map(str, sys.version_info[:3]))
    for part in (f"Python {version}", f"{len(documents)} documents", f"{len(text):,} characters", fingerprint(text)):
        assert part in sentence
    assert sentence.endswith(".") and "\n" not in sentence


def test_a_python_without_sources_gets_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(python_docs.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=f"no source of Python's standard library in {tmp_path}"):
        python_docs.source_files()
