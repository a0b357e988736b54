"""Users' files: what is read, and the one sentence that each bad file gets."""

import gettext
import random
import re

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import write_po

from transformer_lab.data.documents import Document
from transformer_lab.data.files import LONGEST_LINE, read_documents, read_pairs, split_pairs
from transformer_lab.data.pairs import Pair


def write(folder, name, data):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def columns(path):
    return [(pair.source, pair.target) for pair in read_pairs(path)]


def fresh_pairs(n=200, n_sources=60):
    rng = random.Random()
    return [Pair(f"source {rng.randrange(n_sources)}", f"target {i}") for i in range(n)]


@pytest.mark.parametrize("suffix", ["tsv", "txt", "tab", "TSV"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("last", [True, False])
def test_tables_are_read_as_they_stand(tmp_path, suffix, newline, bom, last):
    wanted = [("a", "ä"), ("two words", '"quoted'), ("a", "ä"), ("中\u2028文", "form\x0cfeed \x85 and more")]
    text = newline.join("\t".join(row) for row in wanted) + newline * last
    assert columns(write(tmp_path, f"pairs.{suffix}", bom + text.encode())) == wanted


def test_spaces_around_a_column_are_dropped(tmp_path):
    assert columns(write(tmp_path, "pairs.tsv", " a b \t c\n")) == [("a b", "c")]


BAD_TABLES = {
    "a\tb\nc\n": "line 2: 1 column; wanted 2",
    "a\tb\nc\td\ne\tf\tg\n": "line 3: 3 columns; wanted 2",
    "a\tb\n\nc\td\n": "line 2: 1 column; wanted 2",
    "a\tb\u2028c\td\n": "line 1: 3 columns; wanted 2",
    "a\tb\x0c\nc\n": "line 2: 1 column; wanted 2",
    "a\tb\n\tc\n": "line 2: the first column is empty",
    "a\tb\r\nc\t \r\n": "line 2: the second column is empty",
}


@pytest.mark.parametrize("text, problem", BAD_TABLES.items())
def test_a_bad_table_is_named_with_its_line(tmp_path, text, problem):
    path = write(tmp_path, "pairs.tsv", text)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}, {problem}')}[^\n]*\\.$"):
        read_pairs(path)


BAD_TEXTS = {
    "latin-1": ("good\tgut\nbad\tsch\u00f6n\n".encode("latin-1"), ", line 2: byte 0xf6 is not UTF-8"),
    "after a byte order mark": (b"\xef\xbb\xbfab\n\xff\tc\n", ", line 2: byte 0xff is not UTF-8"),
    "utf-16": ("a\tb\n".encode("utf-16"), ", line 1: byte 0x.. is not UTF-8"),
    "cut in a character": ("a\tb\nc\t中".encode()[:-1], ", line 2: byte 0xe4 is not UTF-8"),
    "NUL": (b"a\tb\nc\td\ne\x00\tf\n", ", line 3: there is a NUL character"),
    "a line of 10 MB": (
        b"a\tb\n" + b"x" * 10_000_000 + b"\tc\n",
        ", line 2: 10000002 characters; wanted at most 100000",
    ),
    "empty": (b"", " is empty; wanted text"),
    "blank": (b"\r\n \n", " is empty; wanted text"),
    "only a byte order mark": (b"\xef\xbb\xbf", " is empty; wanted text"),
}


@pytest.mark.parametrize("name", BAD_TEXTS)
@pytest.mark.parametrize("suffix", ["tsv", "po", "md"])
def test_what_is_no_text_is_named_with_its_line(tmp_path, name, suffix):
    data, problem = BAD_TEXTS[name]
    path = write(tmp_path, f"file.{suffix}", data)
    reader = read_documents if suffix == "md" else read_pairs
    with pytest.raises(ValueError, match=f"^{re.escape(str(path))}{problem}[^\n]*\\.$"):
        reader(path)


def test_the_longest_line_is_still_read(tmp_path):
    text = "x" * LONGEST_LINE
    assert read_documents(write(tmp_path, "a.txt", f"{text}\r\n{text}\n"))[0].text == f"{text}\n{text}\n"
    with pytest.raises(ValueError, match="line 2: 100001 characters"):
        read_documents(write(tmp_path, "b.txt", f"a\n{text}x"))


def test_what_is_not_there_gets_a_sentence(tmp_path):
    for reader in (read_pairs, read_documents):
        with pytest.raises(FileNotFoundError, match=rf"^There is no file {tmp_path}/none\.txt\.$"):
            reader(tmp_path / "none.txt")
    (tmp_path / "folder.tsv").mkdir()
    with pytest.raises(ValueError, match=r"folder\.tsv is a folder; wanted a file"):
        read_pairs(tmp_path / "folder.tsv")
    with pytest.raises(ValueError, match=r"pairs\.csv ends in '\.csv'; wanted one of \.tsv, \.txt, \.tab, \.po, \.mo"):
        read_pairs(write(tmp_path, "pairs.csv", "a,b\n"))


@pytest.fixture
def catalog():
    rng = random.Random()
    catalog = Catalog()
    for i in range(50):
        catalog.add(f'Say {rng.random()} "{i}"\nmore', f"Sag {i} – \t\\ {rng.random()}")
    catalog.add("left alone", "")
    catalog.add(("one file", "%d files"), ("eine Datei", "%d Dateien"))
    return catalog


def translated(catalog):
    found = {m.id: m.string for m in catalog if isinstance(m.id, str) and m.id and m.string and not m.fuzzy}
    return {k: v.strip() for k, v in found.items()} | {"one file": "eine Datei"}


def test_po_files_are_read_without_fuzzy_obsolete_and_empty_messages(tmp_path, catalog):
    catalog.add("nearly", "fast", flags=["fuzzy"])
    with (tmp_path / "a.po").open("wb") as file:
        write_po(file, catalog)
        file.write(b'\n#~ msgid "gone"\n#~ msgstr "fort"\n')
    assert dict(columns(tmp_path / "a.po")) == translated(catalog)
    assert len(columns(tmp_path / "a.po")) == 51


def test_mo_files_are_read_as_gettext_reads_them(tmp_path, catalog):
    with (tmp_path / "a.mo").open("wb") as file:
        write_mo(file, catalog)
    with (tmp_path / "a.mo").open("rb") as file:
        reference = gettext.GNUTranslations(file)
    found = columns(tmp_path / "a.mo")
    assert len(found) == 51 and ("one file", reference.ngettext("one file", "%d files", 1)) in found
    for source, target in found:
        if source != "one file":
            assert reference.gettext(source) == target != source


BAD_CATALOGS = {
    'msgid "a"\nmsgstr "b"\n\nmsgid "c\nmsgstr "d"\n': ", line 4: not as in a .po file",
    'msgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgstr d\n': ", line 5: not as in a .po file",
    'msgid "a"\nmsgstr "b"\n\nhello world\n': ", line 4: not as in a .po file",
    'msgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgid_plural "cs"\nmsgstr[x] "d"\n': ", line 6: not as in a .po file",
    'msgid "a"\nmsgstr "b"\n\nmsgid "c"\n': ", line 4: not as in a .po file: missing msgstr",
    'msgid ""\nmsgstr "PO-Revision-Date: yesterday\\n"\nmsgid "a"\nmsgstr "b"\n': " is not as in gettext: time data",
    '#, fuzzy\nmsgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgstr ""\n': " holds no translated message",
}


@pytest.mark.parametrize("text, problem", BAD_CATALOGS.items())
def test_a_bad_po_file_is_named_with_its_line(tmp_path, text, problem):
    path = write(tmp_path, "a.po", text)
    with pytest.raises(ValueError, match=f"^{re.escape(f'{path}{problem}')}[^\n]*$"):
        read_pairs(path)


def test_damaged_mo_files_get_a_sentence(tmp_path, catalog):
    path = tmp_path / "a.mo"
    with path.open("wb") as file:
        write_mo(file, catalog)
    whole = path.read_bytes()
    for data in (b"not gettext's", b"ab", whole[: len(whole) // 2], whole[:10], whole.replace(b"Sag", b"S\xffg")):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=f"^{path} is no .mo file, or a damaged one"):
            read_pairs(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=f"^{path} is empty"):
        read_pairs(path)


def test_a_folder_gives_its_text_files_in_order(tmp_path):
    for name in ("b.md", "a/z.txt", "a.rst", "C.TXT", "a/b/code.py"):
        write(tmp_path, name, f"\ufefftext of {name}\r\n")
    for name in (".hidden.txt", ".git/config.txt", "a/.cache/x.md", "picture.png", "no_suffix"):
        write(tmp_path, name, b"\xff\x00")
    (tmp_path / "folder.txt").mkdir()
    wanted = sorted(["b.md", "a/z.txt", "a.rst", "C.TXT", "a/b/code.py"])
    assert read_documents(tmp_path) == [Document(name, f"text of {name}\n") for name in wanted]
    assert read_documents(str(tmp_path / "a" / "z.txt")) == [Document("z.txt", "text of a/z.txt\n")]


def test_one_bad_file_stops_the_whole_folder(tmp_path):
    write(tmp_path, "a.txt", "good")
    bad = write(tmp_path, "b.txt", b"fine\nfine\n\xe4")
    with pytest.raises(ValueError, match=f"^{bad}, line 3: byte 0xe4"):
        read_documents(tmp_path)
    bad.write_bytes(b"")
    with pytest.raises(ValueError, match=f"^{bad} is empty"):
        read_documents(tmp_path)


def test_a_folder_without_text_gets_a_sentence(tmp_path):
    write(tmp_path, ".hidden.txt", "text")
    write(tmp_path, "picture.png", "text")
    with pytest.raises(ValueError, match=f"^The folder {tmp_path} holds no text file; wanted at least one of .txt"):
        read_documents(tmp_path)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.99])
def test_no_source_is_on_both_sides(share):
    pairs = fresh_pairs()
    training, held_out = split_pairs(pairs, share)
    seen, kept = {p.source for p in training}, {p.source for p in held_out}
    n_sources = len({p.source for p in pairs})
    assert seen.isdisjoint(kept) and seen and kept and abs(len(kept) - share * n_sources) <= 1
    assert sorted(training + held_out, key=pairs.index) == pairs


def test_the_seed_draws_the_held_out_pairs():
    pairs = fresh_pairs()
    random.seed(0)
    first = split_pairs(pairs, seed=4)
    random.seed(1)
    assert split_pairs(pairs, seed=4) == first != split_pairs(pairs, seed=5)
    assert split_pairs(pairs[:1] * 3 + [Pair("other", "x")])[0]


def test_too_few_pairs_get_a_sentence():
    for pairs in ([], [Pair("a", "b")], [Pair("a", "b"), Pair("a", "c")]):
        n = len({p.source for p in pairs})
        with pytest.raises(ValueError, match=f"^The pairs have {n} different sources; wanted at least 2"):
            split_pairs(pairs)
    with pytest.raises(ValueError, match="^share is 1.5; wanted a number between 0 and 1"):
        split_pairs(fresh_pairs(), share=1.5)
