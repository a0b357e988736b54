"""The sign that a cell is still at work: seen after a second, gone when it is done, never in a stored notebook."""

import os
import shutil
import time
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from transformer_lab import busy

CELLS = (
    "from transformer_lab import grading",
    "import time; print('before'); time.sleep(2.5); print('after')",
    "print('fast')",
    "import time; time.sleep(1.6); 1 / 0",
    "from transformer_lab.grading import grade",
)


class Recording(NotebookClient):
    """Keeps what a browser would show, also what is no longer there at the end."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.seen = []

    def process_message(self, message, cell, index):
        if message["msg_type"] in ("display_data", "update_display_data"):
            self.seen.append((index, message["content"]["data"]["text/plain"]))
        return super().process_message(message, cell, index)


@pytest.mark.parametrize("progress", ["on", "off"])
def test_a_slow_cell_shows_that_it_works_and_leaves_nothing(tmp_path, monkeypatch, progress):
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", progress)
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = Recording(notebook, allow_errors=True, startup_timeout=300)
    client.execute(env=os.environ)
    slow = [text for index, text in client.seen if index == 1]
    if progress == "off":
        assert client.seen == []
    else:
        assert slow[0] in ("working, 1 s", "working, 2 s") and len(slow) == 3 and slow[-1] == ""
        assert [text for index, text in client.seen if index == 3][-1] == ""  # an error ends it, too
    assert not [text for index, text in client.seen if index == 2]
    stored = [o.get("text") or o.get("data", {}).get("text/plain", "") for o in notebook.cells[1].outputs]
    assert "".join(stored) == "before\nafter\n"


def test_where_ipython_is_told_the_first_cell_shows_it_too(tmp_path, monkeypatch):
    """As `make lab` tells it: importing torch, the first thing that a lesson does, may take longer than a second."""
    profile = tmp_path / "profile_default"
    profile.mkdir()
    shutil.copy(Path(__file__).parents[1] / "source" / "jupyterlab" / "ipython_kernel_config.json", profile)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path))
    monkeypatch.setenv("TRANSFORMER_LAB_PROGRESS", "on")
    monkeypatch.setenv("TRANSFORMER_LAB_DATA", str(tmp_path))
    sleep = "import time; time.sleep(2)"
    cells = [sleep, "from transformer_lab import grading", sleep]
    client = Recording(nbformat.v4.new_notebook(cells=[*map(nbformat.v4.new_code_cell, cells)]), startup_timeout=300)
    client.execute(env=os.environ)
    for index in (0, 2):  # once each, although the package asks for it a second time
        seen = [text for at, text in client.seen if at == index]
        assert seen[0].startswith("working, ") and seen[-1] == "" and seen.count("") == 1


def test_outside_a_notebook_nothing_is_shown(capsys):
    busy.show_when_busy()
    time.sleep(0)
    assert capsys.readouterr() == ("", "")
