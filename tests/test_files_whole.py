"""Files appear whole or not at all, paths are what people write, and what goes wrong is one sentence."""

import errno
import fcntl
import json
import math
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transformer_lab.environment import folder, is_off
from transformer_lab.files import decoded, path_of, read_json, to_json, whole_file, write_whole


def test_a_file_is_whole_or_as_it_was(tmp_path):
    path = tmp_path / "one.txt"
    write_whole(path, "first")
    with pytest.raises(RuntimeError), whole_file(path) as unfinished:
        unfinished.write_text("sec")
        raise RuntimeError
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]
    assert write_whole(path, b"third") == path and path.read_bytes() == b"third"
    assert path.stat().st_mode & 0o777 == 0o644


def test_what_stands_there_is_old_until_the_new_one_is_on_the_disk(tmp_path, monkeypatch):
    path, order = tmp_path / "one.txt", []
    write_whole(path, "old")
    fsync, replace = os.fsync, os.replace
    monkeypatch.setattr(os, "fsync", lambda fd: (order.append(("flushed", path.read_text())), fsync(fd)))
    monkeypatch.setattr(os, "replace", lambda *names: (order.append(("replaced", path.read_text())), replace(*names)))
    write_whole(path, "new")
    assert order == [("flushed", "old"), ("replaced", "old")] and path.read_text() == "new"


def test_what_is_flushed_may_be_written_as_windows_demands(tmp_path, monkeypatch):
    real = os.fsync

    def like_windows(descriptor):
        if fcntl.fcntl(descriptor, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
            raise OSError(errno.EBADF, "Bad file descriptor")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", like_windows)
    assert write_whole(tmp_path / "one.txt", "text").read_text() == "text"


@pytest.mark.parametrize(
    "name, says",
    [
        ("missing/a.html", r"missing/a.html cannot be written: there is no folder .*missing\.$"),
        ("there", r"there is a folder; wanted the name of a file\.$"),
    ],
)
def test_where_nothing_can_be_written_the_sentence_names_what_was_asked_for(tmp_path, name, says):
    (tmp_path / "there").mkdir()
    with pytest.raises(OSError, match=says):
        write_whole(tmp_path / name, "text")
    assert [path.name for path in tmp_path.iterdir()] == ["there"]


def test_a_full_disk_is_told_with_the_files_own_name(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match=r"one.txt could not be written: No space left on device\.$"):
        write_whole(tmp_path / "one.txt", "text")
    assert not list(tmp_path.iterdir())


def test_the_home_folder_may_be_written_as_a_tilde(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert path_of("~/lab") == tmp_path / "lab" and path_of("~") == tmp_path and path_of("a~b") == Path("a~b")
    assert write_whole("~/one.txt", "text") == tmp_path / "one.txt"
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", " ~/lab ")
    assert folder("TRANSFORMER_LAB_DATA") == tmp_path / "lab"
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", "")
    assert folder("TRANSFORMER_LAB_DATA") is None
    for empty in ("", "  "):
        with pytest.raises(ValueError, match="The path is empty"):
            path_of(empty)


@pytest.mark.parametrize("value, off", [("off", 1), ("OFF", 1), ("Off ", 1), ("0", 1), ("false", 1), ("No", 1),
                                        ("on", 0), ("", 0), ("1", 0), ("yes", 0)])  # fmt: skip
def test_no_is_no_in_any_spelling(monkeypatch, value, off):
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", value)
    assert is_off("TRANSFORMER_LAB_PROGRESS") == bool(off)
    monkeypatch.delenv("TRANSFORMER_LAB_PROGRESS")
    assert not is_off("TRANSFORMER_LAB_PROGRESS")


numbers = st.floats() | st.integers() | st.text() | st.none() | st.booleans()
values = st.recursive(numbers, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def as_read(value):
    if isinstance(value, dict):
        return {key: as_read(one) for key, one in value.items()}
    if isinstance(value, list):
        return [as_read(one) for one in value]
    return None if isinstance(value, float) and (math.isnan(value) or math.isinf(value)) else value


@given(values)
def test_json_is_what_every_reader_takes_and_keeps_all_else(value):
    def refuse(constant):
        raise AssertionError(constant)

    assert json.loads(to_json(value), parse_constant=refuse) == as_read(value)


NO_JSON = {b"{": "is not JSON", b"[1]": "holds a list", b"\xff": "line 1: byte 0xff", b"[" * 100_000: "too deeply"}


@pytest.mark.parametrize("content, says", NO_JSON.items(), ids=NO_JSON.values())
def test_a_json_file_that_is_none_is_named(tmp_path, content, says):
    path = tmp_path / "config.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"config.json.*{says}"):
        read_json(path)
    with pytest.raises(FileNotFoundError, match="There is no file .*other.json"):
        read_json(tmp_path / "other.json")


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\ufeff")))
def test_text_comes_back_whatever_its_line_ends(text):
    for stored in (text, text.replace("\n", "\r\n"), "\ufeff" + text):
        assert decoded(stored.encode(), "a.txt") == text


def test_a_link_stays_one_and_what_it_leads_to_is_written(tmp_path):
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "one.txt").write_text("old")
    (tmp_path / "link.txt").symlink_to(tmp_path / "far" / "one.txt")
    write_whole(tmp_path / "link.txt", "new")
    assert (tmp_path / "link.txt").is_symlink() and (tmp_path / "far" / "one.txt").read_text() == "new"


@pytest.mark.parametrize("umask, mode", [(0o077, 0o600), (0o002, 0o664), (0o022, 0o644)])
def test_who_may_read_a_file_is_as_the_system_or_the_file_before_has_it(tmp_path, umask, mode):
    before = os.umask(umask)
    try:
        path = write_whole(tmp_path / "one.txt", "first")
        assert path.stat().st_mode & 0o777 == mode
        path.chmod(0o640)
        assert write_whole(path, "second").stat().st_mode & 0o777 == 0o640
    finally:
        os.umask(before)


def test_a_pipe_or_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="pipe is a device or a pipe; wanted the name of a file"):
        write_whole(tmp_path / "pipe", "text")
    assert not (tmp_path / "pipe").is_file()


def test_a_name_too_long_for_a_file_is_said_in_a_sentence(tmp_path):
    with pytest.raises(OSError, match=r"a\.txt could not be written: File name too long\.$"):
        write_whole(tmp_path / f"{300 * 'a'}.txt", "text")


def test_a_path_may_be_bytes_and_nothing_else_that_is_none(tmp_path):
    assert path_of(os.fsencode(tmp_path)) == tmp_path
    for wrong in (None, 3):
        with pytest.raises(ValueError, match="A path must be a str or a Path; got"):
            path_of(wrong)


def test_a_file_that_is_read_only_is_not_replaced(tmp_path, monkeypatch):
    path = write_whole(tmp_path / "one.txt", "first", mode=0o400)
    monkeypatch.setattr(os, "access", lambda path, mode: mode != os.W_OK)  # as for anybody but root
    with pytest.raises(PermissionError, match="one.txt is read-only"):
        write_whole(path, "second")
    assert path.read_text() == "first"


def test_a_path_that_no_file_could_have_is_one_sentence():
    with pytest.raises(ValueError, match="A path cannot hold a NUL character"):
        write_whole("a\0b", "")


def test_a_number_of_too_many_digits_is_told_with_its_file(tmp_path):
    (tmp_path / "a.json").write_text('{"a": ' + "9" * 5000 + "}")
    with pytest.raises(ValueError, match="a.json is not JSON"):
        read_json(tmp_path / "a.json")


def test_numbers_of_numpy_that_json_lacks_are_null_too():
    assert (
        to_json({"a": np.float32("nan"), "b": np.float64("inf"), "c": np.float32(1)})
        == '{"a": null, "b": null, "c": 1.0}'
    )
