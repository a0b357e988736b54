"""Users' files: what is read, and the one sentence that each bad file gets."""

import codecs
import gettext
import io
import os
import random
import re
import struct

import pytest
from babel.messages import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

from transformer_lab.data import files
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


@pytest.mark.parametrize("text", ["a\tb\nc\td\n\n", "\n\na\tb\n \t\n\nc\td", "a\tb\t\nc\td\t\t \n", "a\tb\rc\td\r"])
def test_blank_lines_empty_columns_at_the_end_and_old_line_ends_are_nothing(tmp_path, text, recwarn):
    assert columns(write(tmp_path, "pairs.tsv", text)) == [("a", "b"), ("c", "d")]
    assert not list(recwarn)


@pytest.mark.parametrize(
    "n_wider, said", [(1, "line 2: columns"), (2, "line 2 and 1 more: columns"), (9, "line 2 and 8 more: columns")]
)
def test_further_columns_are_left_out_and_told(tmp_path, n_wider, said):
    rows = ["a\tb"] + [f"c{i}\td{i}\tCC-BY 2.0\tsomebody" for i in range(n_wider)] + ["e\tf"]
    path = write(tmp_path, "pairs.tsv", "\n".join(rows))
    with pytest.warns(UserWarning, match=f"^{path}, {said} after the second are left out") as told:
        assert columns(path) == [("a", "b"), *((f"c{i}", f"d{i}") for i in range(n_wider)), ("e", "f")]
    assert len(told) == 1


BAD_TABLES = {
    "a\tb\nc\n": "line 2: 1 column; wanted 2",
    "a\tb\n\nc\n": "line 3: 1 column; wanted 2",
    "a\tb\rc\r": "line 2: 1 column; wanted 2",
    "a\tb\x0c\nc\n": "line 2: 1 column; wanted 2",
    "a\tb\n\tc\n": "line 2: the first column is empty",
    "a\tb\n\tc\td\n": "line 2: the first column is empty",
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
    "after old line ends": (b"ab\r\xff\tc\r", ", line 2: byte 0xff is not UTF-8"),
    "far behind": (b"a\tb\r\n" * 400_000 + b"\xe4\tb\n", ", line 400001: byte 0xe4 is not UTF-8"),
    "NUL far behind": (b"a\tb\r\n" * 400_000 + b"\0\tb\n", ", line 400001: there is a NUL character"),
    "utf-16": ("a\tb\n".encode("utf-16"), " is in UTF-16, as its first bytes say; wanted a text in UTF-8"),
    "utf-16 the other way": (codecs.BOM_UTF16_BE + "ä".encode("utf-16-be"), " is in UTF-16, as"),
    "utf-32": ("a\tb\n".encode("utf-32"), " is in UTF-32, as its first bytes say; wanted a text in UTF-8"),
    "utf-16 without a mark": ("a\tb\n".encode("utf-16-le"), ", line 1: there is a NUL character"),
    "cut in a character": ("a\tb\nc\t中".encode()[:-1], ", line 2: byte 0xe4 is not UTF-8"),
    "NUL": (b"a\tb\nc\td\ne\x00\tf\n", ", line 3: there is a NUL character"),
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


def test_the_length_of_a_line_is_limited_in_pairs_alone(tmp_path):
    text = "x" * (LONGEST_LINE - 2)
    assert columns(write(tmp_path, "a.tsv", f"{text}\ty\r\n")) == [(text, "y")]
    for ending, line in (("tsv", f"{text}x\ty"), ("po", f'msgid "{text}"')):
        with pytest.raises(ValueError, match=rf"\.{ending}, line 2: \d+ characters; wanted at most 100000"):
            read_pairs(write(tmp_path, f"a.{ending}", f"\n{line}\n"))
    book = "no line ends, " * 100_000
    assert read_documents(write(tmp_path, "book.txt", book))[0].text == book


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


PLURALS = {
    "sl": "nplurals=4; plural=(n%100==1 ? 1 : n%100==2 ? 2 : n%100==3 || n%100==4 ? 3 : 0);",
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);",
    "pl": "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);",
    "lv": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n != 0 ? 1 : 2);",
    "ja": "nplurals=1; plural=0;",
    "fr": "nplurals=2; plural=(n > 1);",
    "de": "nplurals=2; plural=(n != 1);",
    "odd": "nplurals=3; plural=n==1 ? 2 : n==2 ? 0 : 1;",
    "none": None,
}


def plural_po(rule, n_forms):
    forms = "".join(f'msgstr[{i}] "form {i}"\n' for i in range(n_forms))
    header = f'"Plural-Forms: {rule}\\n"\n' if rule else ""
    return (
        f'msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=UTF-8\\n"\n{header}\n'
        f'msgid "a file"\nmsgid_plural "%d files"\n{forms}'
    )


def plural_mo(rule, n_forms):
    """The same, as msgfmt compiles it; babel would leave out the rule of a language that it is not told."""
    header = "Content-Type: text/plain; charset=UTF-8\n" + (f"Plural-Forms: {rule}\n" if rule else "")
    forms = "\0".join(f"form {i}" for i in range(n_forms))
    return compiled([(b"", header.encode()), (b"a file\0%d files", forms.encode())])


def compiled(entries, order="<"):
    """A .mo file of these sources and translations."""
    tables, strings, start = [], b"", 28 + 16 * len(entries)
    for column in zip(*entries, strict=True):
        for string in column:
            tables += [len(string), start + len(strings)]
            strings += string + b"\0"
    return (
        struct.pack(f"{order}7I{len(tables)}I", 0x950412DE, 0, len(entries), 28, 28 + 8 * len(entries), 0, 0, *tables)
        + strings
    )


@pytest.mark.parametrize("language", PLURALS)
def test_the_singular_is_paired_with_the_form_for_one(tmp_path, language):
    rule = PLURALS[language]
    n_forms = int(re.search(r"nplurals=(\d)", rule)[1]) if rule else 2
    po = write(tmp_path, "a.po", plural_po(rule, n_forms))
    write(tmp_path, "a.mo", plural_mo(rule, n_forms))
    with (tmp_path / "a.mo").open("rb") as file:
        reference = gettext.GNUTranslations(file)
    one = reference.ngettext("a file", "%d files", 1)
    assert columns(po) == columns(tmp_path / "a.mo") == [("a file", one)]
    for n in (1, *random.Random(language).sample(range(2000), 50)):
        assert gettext.c2py(read_po(po.read_text().splitlines()).plural_expr)(n) == int(
            reference.ngettext("a file", "%d files", n).split()[1]
        )


@pytest.mark.parametrize(
    "headers",
    [
        "POT-Creation-Date: YEAR-MO-DA HO:MI+ZONE\nPO-Revision-Date: 5.3.2010, about noon\n",
        "Language: Klingon (Mars)\nPlural-Forms: nplurals=INTEGER; plural=EXPRESSION;\nPO-Revision-Date: yesterday\n",
    ],
)
@pytest.mark.parametrize("order", "<>")
def test_headers_that_say_nothing_of_the_pairs_stop_none(tmp_path, headers, order):
    text = {"PO-Revision-Date: {}": "Language: {}", "a": "b"}
    lines = "\n".join(f'"{line}\\n"' for line in headers.splitlines())
    messages = "\n".join(f'msgid "{source}"\nmsgstr "{target}"\n' for source, target in text.items())
    write(tmp_path, "a.po", f'# by hand\nmsgid ""\nmsgstr ""\n{lines}\n\n{messages}')
    entries = sorted({"": headers, **text}.items())
    write(tmp_path, "a.mo", compiled([(a.encode(), b.encode()) for a, b in entries], order))
    write(tmp_path, "b.mo", compiled([(a.encode(), b.encode()) for a, b in entries[1:]], order))
    one_line = headers.replace("\n", "\\n")
    write(tmp_path, "b.po", f'msgid ""\nmsgstr "{one_line}"\n{messages}')
    for name in ("a.po", "b.po", "a.mo", "b.mo"):
        assert dict(columns(tmp_path / name)) == text


@pytest.mark.parametrize("rule", ["nplurals=2; plural=n+;", "nplurals=2; plural=1/(n-1);", "nplurals=2; plural=m;"])
def test_a_rule_for_plurals_that_is_none_gets_a_sentence(tmp_path, rule):
    path = write(tmp_path, "a.po", plural_po(rule, 2))
    with pytest.raises(ValueError, match=rf"^{path}: its header's Plural-Forms, '[^']*', is not a rule; wanted one"):
        read_pairs(path)


def test_a_form_that_is_not_there_is_not_translated(tmp_path):
    rule = "nplurals=2; plural=n==1 ? 5 : 0;"
    path = write(tmp_path, "a.po", plural_po(rule, 2) + '\nmsgid "b"\nmsgstr "c"\n')
    assert columns(path) == [("b", "c")]


BAD_CATALOGS = {
    'msgid "a"\nmsgstr "b"\n\nmsgid "c\nmsgstr "d"\n': ", line 4: not valid in a .po file",
    'msgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgstr d\n': ", line 5: not valid in a .po file",
    'msgid "a"\nmsgstr "b"\n\nhello world\n': ", line 4: not valid in a .po file",
    'msgid "a"\nmsgstr "b"\n\nmsgid "c"\nmsgid_plural "cs"\nmsgstr[x] "d"\n': ", line 6: not valid in a .po file",
    'msgid "a"\nmsgstr "b"\n\nmsgid "c"\n': ", line 4: not valid in a .po file: missing msgstr",
    'msgid ""\nmsgstr "Plural-Forms: nplurals=x;\\n"\nmsgid "a"\nmsgstr "b"\n': " is not a valid .po file: invalid",
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
        with pytest.raises(ValueError, match=f"^{path} is not a .mo file, or is damaged"):
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


def test_a_linked_folder_is_read_once_and_a_circle_ends(tmp_path):
    mine, elsewhere = tmp_path / "mine", tmp_path / "elsewhere"
    for folder, text in ((mine, "here"), (elsewhere / "inner", "there")):
        folder.mkdir(parents=True)
        (folder / "a.txt").write_text(text, encoding="utf-8")
    (mine / "link").symlink_to(elsewhere, target_is_directory=True)
    (mine / "twin").symlink_to(elsewhere, target_is_directory=True)
    (elsewhere / "back").symlink_to(mine, target_is_directory=True)
    found = read_documents(mine)
    assert sorted(document.text for document in found) == ["here", "there"]


def test_one_bad_file_stops_the_whole_folder(tmp_path):
    write(tmp_path, "a.txt", "good")
    bad = write(tmp_path, "b.txt", b"fine\nfine\n\xe4")
    with pytest.raises(ValueError, match=f"^{bad}, line 3: byte 0xe4"):
        read_documents(tmp_path)
    bad.write_bytes("ä".encode("utf-16"))
    with pytest.raises(ValueError, match=f"^{bad} is in UTF-16"):
        read_documents(tmp_path)


def test_empty_files_in_a_folder_are_nothing(tmp_path, recwarn):
    write(tmp_path, "package/__init__.py", b"")
    write(tmp_path, "package/blank.md", "\ufeff \r\n")
    with pytest.raises(ValueError, match=rf"^The text files in {tmp_path} \(2\) are all empty or binary"):
        read_documents(tmp_path)
    write(tmp_path, "package/some.py", "x = 1\n")
    assert read_documents(tmp_path) == [Document("package/some.py", "x = 1\n")]
    assert not list(recwarn)


def test_binary_files_in_a_folder_are_left_out_and_told(tmp_path):
    write(tmp_path, "a.txt", "good")
    for i in range(7):
        write(tmp_path, f"film{i}.ts", b"G\x40\x00\x10" * 100)
    told = f"^{tmp_path}: binary files are left out: film0.ts, .*, film4.ts and 2 more"
    with pytest.warns(UserWarning, match=told) as warnings:
        assert read_documents(tmp_path) == [Document("a.txt", "good")]
    assert len(warnings) == 1
    with pytest.raises(ValueError, match=r"film0.ts, line 1: there is a NUL"):  # named alone it is wanted
        read_documents(tmp_path / "film0.ts")


def test_links_in_circles_and_names_that_differ_by_case_do_no_harm(tmp_path):
    write(tmp_path, "a/text.txt", "one")
    write(tmp_path, "a/TEXT.txt", "other")
    (tmp_path / "a" / "again").symlink_to(tmp_path)
    (tmp_path / "loop.txt").symlink_to(tmp_path / "loop.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nowhere.txt")
    names = {document.name: document.text for document in read_documents(tmp_path)}
    assert names in ({"a/TEXT.txt": "other", "a/text.txt": "one"}, {"a/text.txt": "other"}, {"a/TEXT.txt": "other"})


def test_what_may_not_be_read_gets_a_sentence(tmp_path, monkeypatch):
    """Whoever tests as root may read everything: the errors are made."""
    path = write(tmp_path, "a/b.txt", "text")

    def forbidden(opened, *_):
        raise PermissionError(13, "Permission denied", str(opened))

    with monkeypatch.context() as patch:
        patch.setattr(type(path), "open", forbidden)
        with pytest.raises(PermissionError, match=rf"^{path} cannot be read: Permission denied\.$"):
            read_documents(path)
    real = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: forbidden(folder) if str(folder).endswith("a") else real(folder))
    with pytest.raises(PermissionError, match=rf"^{path.parent} cannot be read: Permission denied\.$"):
        read_documents(tmp_path)


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_the_whole_file_wherever_it_is_cut(tmp_path, monkeypatch, seed):
    """Characters of four bytes, line ends of two, and marks fall on the seams."""
    rng = random.Random(seed)
    text = "".join(rng.choices(["a", "é", "中", "😀", "\n", "\r\n", "\r", "\ufeff", " "], k=300))
    path = write(tmp_path, "a.txt", "\ufeff" + text)
    monkeypatch.setattr(files, "PIECE", rng.randint(1, 9))
    assert "".join(files.read_pieces(path)) == io.StringIO(text, newline=None).read()
    for bad in (b"\xff", b"\0"):
        at = rng.randrange(300)
        before = text[:at].encode()
        path.write_bytes(b"a" + before + bad + text[at:].encode())
        line = len(io.StringIO("a" + text[:at] + "x", newline=None).read().split("\n"))
        with pytest.raises(ValueError, match=f"^{path}, line {line}: "):
            files.read_text(path)


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


def test_sources_that_no_reader_could_tell_apart_are_on_one_side():
    pairs = [
        Pair("caf\u00e9 noir", "x"),
        Pair("cafe\u0301  noir", "y"),
        Pair("cafe\u0301\u00a0noir", "z"),
        Pair("th\u00e9", "w"),
    ]
    for seed in range(9):
        assert sorted(len(side) for side in split_pairs(pairs, seed=seed)) == [1, 3]


def test_files_with_a_mark_that_were_put_together_have_no_marks_inside(tmp_path):
    (tmp_path / "both.tsv").write_bytes(2 * (codecs.BOM_UTF8 + b"a\tb\n"))
    assert read_pairs(tmp_path / "both.tsv") == 2 * [Pair("a", "b")]
