"""On a machine that learners share: what nbgrader collects is the learner's own, and one of them cannot stop it."""

import ast
import os
import re
import sys
from pathlib import Path

import pytest
from nbgrader.coursedir import CourseDirectory

from build import ROOT
from transformer_lab.classroom import course, gradebook

if sys.platform == "win32":
    pytest.skip("nbgrader's exchange needs a Unix", allow_module_level=True)

from transformer_lab.classroom.exchange import OwnFilesOnly

NAME = "02_attention"


def me():
    import pwd

    return pwd.getpwuid(os.getuid()).pw_name


@pytest.fixture
def inbound(tmp_path):
    """The folder of an exchange into which learners submit."""
    folder = tmp_path / "exchange" / "transformer-lab" / "inbound"
    folder.mkdir(parents=True)
    return folder


def submit(inbound, name=None, when="2026-11-29 13:50:40.113000 UTC", content="mine", random="abc"):
    folder = inbound / f"{name or me()}+{NAME}+{when}+{random}"
    folder.mkdir()
    (folder / "attention.ipynb").write_text(content)
    (folder / "timestamp.txt").write_text(when)
    (folder / "submission_secret.txt").write_text("0123abc")
    return folder


def collect(inbound, tmp_path):
    root = tmp_path / "class"
    root.mkdir(exist_ok=True)
    with gradebook.gradebook(root):  # it exists
        pass
    where = CourseDirectory(root=str(root), course_id="transformer-lab", assignment_id=NAME)
    OwnFilesOnly(coursedir=where, root=str(tmp_path / "exchange"), update=True).start()
    return root / "submitted"


def files(folder):
    return {path.name: path.read_text() for path in folder.rglob("*") if path.is_file()}


def test_what_is_the_learners_own_is_collected_with_its_date(inbound, tmp_path):
    submit(inbound)
    submit(inbound, when="2026-11-30 09:00:00.000000 UTC", content="better")
    got = files(collect(inbound, tmp_path) / me() / NAME)
    assert got == {"attention.ipynb": "better", "timestamp.txt": "2026-11-30 09:00:00 UTC",
                   "submission_secret.txt": "0123abc"}  # fmt: skip


def test_nobody_hands_in_for_somebody_else_or_stops_the_others(inbound, tmp_path):
    submit(inbound)
    for name, when in [("ada", "2026-12-24 13:50:40.113000 UTC"), (me(), "never"), (me(), "9" * 30)]:
        submit(inbound, name, when, "forged")
    (inbound / f"{me()}+{NAME}+2026-12-24 13:50:40.113000 UTC+link").symlink_to(tmp_path)
    (inbound / f"{me()}+{NAME}+2026-12-25 13:50:40.113000 UTC+file").write_text("")
    submitted = collect(inbound, tmp_path)
    assert [path.name for path in submitted.iterdir()] == [me()]
    assert files(submitted)["attention.ipynb"] == "mine"


def test_links_pipes_and_odd_secrets_are_left(inbound, tmp_path):
    (tmp_path / "teachers").write_text("the secret")
    folder = submit(inbound)
    (folder / "submission_secret.txt").write_bytes(b"\xff../..")
    for name in ("attention.ipynb", "timestamp.txt"):
        (folder / name).unlink()
        (folder / name).symlink_to(tmp_path / "teachers")
    (folder / "feedback.html").symlink_to(tmp_path / "teachers")
    os.mkfifo(folder / "pipe.ipynb")
    got = files(collect(inbound, tmp_path))
    assert set(got) == {"timestamp.txt", "submission_secret.txt"}
    assert re.fullmatch("[0-9a-f]{128}", got["submission_secret.txt"]) and "2026" in got["timestamp.txt"]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a file somebody else's")
def test_a_hard_link_to_anothers_file_is_left(inbound, tmp_path):
    folder = submit(inbound)
    os.chown(folder / "attention.ipynb", 12345, 12345)
    assert "attention.ipynb" not in files(collect(inbound, tmp_path))


def test_a_course_folder_collects_in_this_way(tmp_path):
    course.new(tmp_path / "class")
    assert course.nbgrader_config(tmp_path / "class").ExchangeFactory.collect is OwnFilesOnly


DEPLOY = ROOT / "docs" / "deploy"


def settings(path):
    """(class, trait) of every `c.Class.trait = ...` in a configuration file."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for target in node.targets if isinstance(node, ast.Assign) else ():
            if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Attribute):
                yield target.value.attr, target.attr


def test_the_hubs_settings_exist():
    app = pytest.importorskip("jupyterhub.app", reason="JupyterHub is not installed")
    from jupyterhub.auth import Authenticator
    from jupyterhub.spawner import Spawner

    classes = {"JupyterHub": app.JupyterHub, "Authenticator": Authenticator, "Spawner": Spawner}
    found = list(settings(DEPLOY / "jupyterhub_config.py"))
    assert found and all(classes[name].class_traits(config=True).get(trait) for name, trait in found)


def test_nbgraders_settings_exist():
    from nbgrader.exchange.default import Exchange

    classes = {"CourseDirectory": CourseDirectory, "Exchange": Exchange}
    found = list(settings(DEPLOY / "nbgrader_config.py"))
    assert found and all(classes[name].class_traits(config=True).get(trait) for name, trait in found)


def test_the_course_has_one_name_on_the_hub_and_in_its_folder():
    template = Path(course.__file__).with_name("config_template.py").read_text(encoding="utf-8")
    line = 'c.CourseDirectory.course_id = "transformer-lab"'
    assert line in template and line in (DEPLOY / "nbgrader_config.py").read_text(encoding="utf-8")
