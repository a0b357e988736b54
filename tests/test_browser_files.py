"""The files of viz/static: each says what it needs of the others, and joined they are one module that needs nothing."""

import re

import pytest

from transformer_lab.viz.browser_files import STATIC, _script, module, sheet

THIRD_PARTY = "bertviz_d3"
SCRIPTS = {path.stem: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js") if path.stem != THIRD_PARTY}
FETCHER = "shared_script"  # it has no script of its own to show, and imports the one that it has fetched
WIDGETS = [name for name, text in SCRIPTS.items() if "export default { render };" in text and name != FETCHER]
IMPORTED = re.compile(r'^import \{ ([^}]*?),? \} from "\./(\w+)\.js";$', re.M)
OWN = re.compile(r"^(?:export )?(?:async )?(?:function|class|const|let) (\w+|[\[{][^=]*[\]}])", re.M)


def names_of(script):
    """What a script gives a name to, for all of the module that it becomes part of."""
    return [name for found in OWN.findall(script) for name in re.findall(r"\w+", found)]


def test_there_are_widgets():
    assert {"attention_view", "query_explorer"} <= set(WIDGETS)


@pytest.mark.parametrize("name", WIDGETS)
def test_a_joined_module_needs_no_other_and_gives_one_thing(name):
    joined = module(name)
    assert not re.search(r"^import\b|\bimport\(|^ *//", joined, re.M)
    assert re.findall(r"^export .*$", joined, re.M) == ["export default { render };"]
    assert not re.search(r"@import|url\(", sheet(name))


def test_the_script_that_fetches_the_others_imports_what_it_was_given_and_nothing_else():
    imports = re.findall(r"^import\b.*|\bimport\(.*?\)", module(FETCHER), re.M)
    assert imports == ["import(url)"] and "url = URL.createObjectURL(new Blob([script" in module(FETCHER)


@pytest.mark.parametrize("name", SCRIPTS)
def test_no_text_goes_over_a_line(name):
    """Lines that begin like a comment are left out: none may be in the middle of a text."""
    assert not [line for line in SCRIPTS[name].splitlines() if line.count("`") % 2 or "/*" in line]


@pytest.mark.parametrize("name", WIDGETS)
def test_no_two_files_of_a_module_use_one_name(name):
    names = names_of(_script(name))
    assert "html" in names and "render" in names
    assert len(names) == len(set(names)), sorted(n for n in set(names) if names.count(n) > 1)


def test_what_is_exported_is_imported_somewhere():
    exported, imported = set(), set()
    for file, text in SCRIPTS.items():
        exported |= {(file, name) for name in re.findall(r"^export (?:function|class|const|let) (\w+)", text, re.M)}
        imported |= {(other, name) for names, other in IMPORTED.findall(text) for name in re.split(r",\s*", names)}
    assert imported == exported
