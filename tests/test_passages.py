"""Passages: nothing is lost, nothing stands twice, no example is parted from its sentence, and titles are headings."""

import random
import re
import time
from pydoc_data.topics import topics

import pytest

from transformer_lab.data.documents import Document
from transformer_lab.data.passages import LONGEST, MOST, Passage, document_passages, passages


@pytest.fixture(scope="module")
def found():
    return passages()


def words(text):
    return text.split()


def test_every_line_of_the_documentation_is_in_a_passage_and_no_passage_is_there_twice(found):
    lines = {" ".join(line.split()) for passage in found for line in passage.whole.split("\n")}
    for name, text in topics.items():
        without_headings = re.sub(r"(?m)^\S.*\n[*=\-~]{3,}$|^-\[ Footnotes \]-$", "", text)
        for line in without_headings.split("\n"):
            assert " ".join(line.split()) in lines, (name, line)
    assert "-[ Footnotes ]-" not in lines
    texts = [" ".join(passage.text.split()) for passage in found]
    assert len(set(texts)) == len(texts) > 400


def test_a_passage_has_about_a_hundred_words(found):
    sizes = sorted(len(words(passage.text)) for passage in found)
    assert sizes[-1] <= LONGEST and sizes[len(sizes) // 20] >= 35 and sizes[-len(sizes) // 20] <= MOST + 20
    assert 80 <= sizes[len(sizes) // 2] <= 110


def test_titles_are_headings_and_sources_are_topics(found):
    for passage in found:
        heading = passage.title.split("\n")[0]
        whole = topics[passage.source]
        # A function whose text goes on is named behind its section's heading.
        assert any(re.search(rf"^{re.escape(heading[:n])}\n[*=\-~]{{3,}}", whole, re.M) for n in ends(heading)), passage
    titles = [passage.title for passage in found if passage.source == "string-methods"]
    assert "String Methods: str.format(*args, **kwargs)" in titles and titles[0] == "String Methods"


def ends(heading):
    return [len(heading), *(match.start() for match in re.finditer(": ", heading))]


def test_a_repeated_section_is_kept_once_with_its_shortest_topic(found):
    texts = [" ".join(passage.text.split()) for passage in found]
    (index,) = [i for i, text in enumerate(texts) if text.startswith('The "with" statement is used to wrap')]
    assert found[index].source == "with" and found[index].title == 'The "with" statement'
    assert topics["compound"].count('The "with" statement is used to wrap') == 1
    assert [passage.source for passage in found] == sorted(passage.source for passage in found)


def test_no_example_is_parted_from_its_sentence(found):
    for passage in found:
        first = passage.text.split("\n\n")[0]
        assert not first.lstrip().startswith(">>>"), passage
        if len(words(passage.text)) < 150:
            assert not passage.text.rstrip().endswith("For example:"), passage


TEXT = """Before any heading.

First part
==========

One sentence, and an example:

   code = 1

   more_code = 2

Behind it {forty}.

jump(height)

   Leave the ground. {many}

   It says more here.

Second part
-----------

{many}

{many}
"""


def test_a_text_by_hand():
    many, forty = " ".join(["word"] * 100), " ".join(["word"] * 40)
    found = document_passages(Document("a.rst", TEXT.format(many=many, forty=forty)))
    assert [passage.title for passage in found] == ["a.rst", "First part", "First part", "Second part", "Second part"]
    assert found[0] == Passage("a.rst", "Before any heading.", "a.rst")
    assert found[1].text.startswith("One sentence") and found[1].text.endswith(f"more_code = 2\n\nBehind it {forty}.")
    assert found[2].text.startswith("jump(height)") and found[2].text.endswith("It says more here.")
    assert found[1].whole == f"First part\n\n{found[1].text}"
    longer = TEXT.format(many=many, forty=forty).replace("It says more", f"It says {many}")
    found = document_passages(Document("a.rst", longer))
    assert found[3].title == "First part: jump(height)" and found[3].text.startswith("   It says")


def test_what_is_announced_stays_even_if_the_passage_becomes_longer():
    many = " ".join(["word"] * 79)
    text = f"{many}\n\nDo this:\n\n" + "\n\n".join(f"   step {' '.join(['x'] * 30)}" for _ in range(3))
    found = document_passages(Document("a", text))
    assert [passage.text[:8] for passage in found] == ["word wor", "Do this:"] and found[1].text.count("step") == 3


def test_markdown_has_its_own_headings_and_python_none():
    text = "# One\n\nsome text\n\n## Two ##\n\nother text"
    found = document_passages(Document("notes/a.md", text))
    assert found == [Passage("One", "some text", "notes/a.md"), Passage("Two", "other text", "notes/a.md")]
    (only,) = document_passages(Document("a.py", text))
    assert only.title == "a.py" and only.text == text


@pytest.mark.parametrize(
    ("heading", "title"),
    [("# C#", "C#"), ("## F# and C# ##", "F# and C#"), ("#  Types  #", "Types"), ("# a # b", "a # b"), ("# ##", "")],
)
def test_a_number_sign_in_a_heading_is_kept_unless_it_closes_it(heading, title):
    assert document_passages(Document("a.md", f"{heading}\n\ntext")) == [Passage(title, "text", "a.md")]


@pytest.mark.parametrize("line", ["words and{}", "# a heading{}x", "# {}x", "{}words", "a{}b"])
def test_a_long_run_of_spaces_takes_no_longer_than_words(line):
    text = line.format(" " * 300_000)
    start = time.perf_counter()
    (only,) = document_passages(Document("a.md", f"{text}\n\nnext"))
    assert time.perf_counter() - start < 10 and only.text.endswith("next")  # it was minutes


def test_long_blocks_are_cut_and_no_word_is_lost():
    rng = random.Random()
    for _ in range(20):
        lines = [
            " ".join(f"w{rng.randint(0, 9)}" for _ in range(rng.randint(1, 700))) for _ in range(rng.randint(1, 5))
        ]
        text = "\n".join(lines)
        found = document_passages(Document("a.txt", text))
        assert words(" ".join(passage.text for passage in found)) == words(text)
        assert max(len(words(passage.text)) for passage in found) <= LONGEST
    rows = "\n".join(f"| {i} | {'x ' * 8}|" for i in range(60))
    assert all(p.text.count("\n") + 1 == p.text.count("| x") for p in document_passages(Document("a", rows)))


def test_a_folder_of_ones_own(tmp_path):
    (tmp_path / "a.md").write_text("# Keys\n\nThe key is under the mat.\n")
    (tmp_path / "b.txt").write_text("Bread: flour, water, salt.\n")
    (tmp_path / "c.png").write_bytes(b"\0")
    found = passages(tmp_path)
    assert [(p.title, p.source) for p in found] == [("Keys", "a.md"), ("b.txt", "b.txt")]
    assert passages(str(tmp_path / "a.md")) == [Passage("Keys", "The key is under the mat.", "a.md")]
    with pytest.raises(FileNotFoundError, match="^There is no file"):
        passages(tmp_path / "nothing")
    (tmp_path / "headings.md").write_text("# Only\n\n## Headings\n")
    assert passages(tmp_path / "headings.md") == []


def test_a_function_of_some_length_has_a_passage_to_itself():
    for n, n_passages in ((45, 3), (15, 1)):
        entries = [f"jump_{i}(height)\n\n   {' '.join(['word'] * n)}." for i in range(3)]
        assert len(document_passages(Document("a", "\n\n".join(entries)))) == n_passages


@pytest.mark.parametrize("text", ["\u8fd9\u662f\u4e00\u4e2a\u53e5\u5b50\u3002" * 300, "x" * 60_000])
def test_a_text_without_spaces_is_cut_and_nothing_is_lost(tmp_path, text):
    (tmp_path / "a.txt").write_text(text, encoding="utf-8")
    found = passages(tmp_path / "a.txt")
    assert len(found) > 2 and "".join(one.text for one in found) == text
