"""The house itself: what is declared, what is promised in README, what an import costs."""

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import version
from pathlib import Path

import jsonschema
import pytest
import torch
import yaml
from jupyterlab.commands import get_app_dir
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from browser import SETTINGS

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CARD = {"jupyterlab", "torch", "numpy", "matplotlib", "ipywidgets", "nbval", "bertviz"}


def pins():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def declared(*extras):
    lists = [PROJECT["dependencies"], *(PROJECT["optional-dependencies"][extra] for extra in extras)]
    requirements = [Requirement(text) for items in lists for text in items]
    return {canonicalize_name(r.name): r for r in requirements if r.name != "transformer-lab"}


def test_environment_yml_installs_the_course():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert conda == ["python=3.11", "pip"] and PROJECT["requires-python"] == ">=3.11"
    assert pip["pip"] == ["--constraint constraints.txt", "-e .[course]"]
    assert set(declared("course")) >= CARD


def test_constraints_pin_everything_that_is_declared():
    exact = {canonicalize_name(name): number for name, number in pins().items()}
    for name, requirement in declared("course", "dev", "teacher").items():
        assert exact[name] in requirement.specifier, name
    assert exact["torch"] == "2.13.0"
    assert "torch==2.13.0" in (ROOT / "Makefile").read_text()


def test_the_version_stands_in_one_place_and_in_the_changelog():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert found(r"^## \[([\d.]+)\] - (?:\d{4}-\d\d-\d\d|unreleased)$", changelog)[0] == PROJECT["version"]
    for path in [*ROOT.glob("transformer_lab/**/*.py"), ROOT / "Makefile", ROOT / "README.md"]:
        assert PROJECT["version"] not in path.read_text(encoding="utf-8"), path


def test_what_is_installed_is_what_is_pinned():
    for name in [*CARD, "anywidget", "jupytext", "nbgrader", "playwright"]:
        assert version(name).partition("+")[0] == pins()[name], name


@pytest.mark.parametrize("module", ["transformer_lab", "transformer_lab.viz", "transformer_lab.cli"])
def test_importing_loads_no_torch(module):
    code = f"import sys, {module}; assert not {{'torch', 'matplotlib'}} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_manual_names_every_task():
    from transformer_lab.tasks.registry import TASKS

    manual = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    assert not [name for name in TASKS if f"`{name}`" not in manual]


def test_readme_names_every_lesson():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    lessons = [path.name for path in sorted(ROOT.glob("notebooks/[0-9]*.ipynb"))]
    assert re.findall(r"^\| \[\d\d [^]]+\]\(notebooks/([^)]+)\)", readme, re.M) == lessons


def test_the_manual_shows_names_that_are_there():
    from transformer_lab import viz

    manual = (ROOT / "docs" / "views.md").read_text(encoding="utf-8")
    shown = set(found(r"\b([A-Z]\w+(?:Explorer|View|Tour|Attention)|WhatIf)\(", manual))
    assert shown <= set(viz.__all__)


def test_every_public_name_is_there():
    import transformer_lab
    from transformer_lab import viz

    for package in (transformer_lab, viz):
        for name in package.__all__:
            assert getattr(package, name).__doc__, name
        with pytest.raises(AttributeError):
            _ = package.nonsense


@pytest.mark.parametrize("package", ["transformer_lab", "transformer_lab.viz"])
def test_editors_see_the_names_that_load_on_first_use(package):
    """Each name of the table is imported for type checkers, from the same module, and no other is."""
    module = importlib.import_module(package)
    (block,) = (node for node in ast.parse(inspect.getsource(module)).body if isinstance(node, ast.If))
    assert block.test.id == "TYPE_CHECKING"
    seen = {alias.name: imported.module for imported in block.body for alias in imported.names}
    assert seen == module._HOME
    assert all(alias.asname == alias.name for imported in block.body for alias in imported.names)  # re-exported


PAGES = ["README.md", *(path.relative_to(ROOT).as_posix() for path in sorted(ROOT.glob("docs/**/*.md")))]


@pytest.mark.parametrize("page", PAGES)
def test_a_page_says_nothing_that_is_not_there(page):
    from transformer_lab.cli import app

    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    for target in re.findall(r"\bmake ([a-z]+)\b(?! [a-z])", "\n".join(re.findall(r"`[^`]+`|^make .*", text, re.M))):
        assert target in targets, f"make {target}"
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        assert link.startswith("https://") or (ROOT / page).parent.joinpath(link).exists(), link
    commands = {command.name or command.callback.__name__ for command in app.registered_commands}
    commands |= {group.name for group in app.registered_groups}
    called = re.findall(r"(?:^|`|bin/)(?:.*/)?(?:transformer-lab|-m transformer_lab) ([a-z-]+)", text, re.M)
    assert set(called) <= commands, set(called) - commands


def test_readme_shows_the_folders_and_the_main_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    folders = found(r"^\| `([\w./]+)`", readme)
    assert {"tests", "notebooks", "transformer_lab"} <= set(folders)
    assert all((ROOT / folder).exists() for folder in folders)
    called = found(r"transformer-lab ([a-z-]+)", readme)
    assert {"train", "translate", "evaluate", "view", "generate"} <= set(called)


def found(pattern, text):
    """What the pattern finds; nothing at all would mean that the pattern no longer fits the text."""
    results = re.findall(pattern, text, re.M)
    assert results, pattern
    return results


@pytest.fixture
def planned(tmp_path):
    """planned(target, *lines, **variables): what make would do in a folder whose stamps hold these lines."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        (tmp_path / name).write_text((ROOT / name).read_text())
    stamps = [tmp_path / ".venv" / name for name in ("course", "dev")]
    stamps[0].parent.mkdir()

    def planned(target, *lines, **given):
        for stamp in stamps:  # newer than what they were made from
            stamp.write_text("".join(f"{line}\n" for line in lines))
        command = ["make", "-n", target, *(f"{name}={value}" for name, value in given.items())]
        plan = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        assert stamps[0].read_text().splitlines() == [*map(str, lines)]  # a plan changes nothing
        return plan

    return planned


def test_a_renamed_folder_is_installed_again(planned, tmp_path):
    for target in ("lab", "demo", "test"):
        assert "pip install" not in planned(target, tmp_path)
        assert re.search(r"This folder was renamed, or .*pip install .*-e", planned(target, "/elsewhere"), re.S)
    # Every script in .venv/bin begins with the name of the folder it was installed in; oxlint is a binary.
    assert set(found(r"\.venv/bin/(\w+)", planned("test", tmp_path) + planned("lab", tmp_path))) == {"python", "oxlint"}


def test_another_build_of_pytorch_is_installed_when_it_is_asked_for(planned, tmp_path):
    # PyTorch's build stays as it is, and is installed with the rest, until another is asked for.
    cpu = "--index-url https://download.pytorch.org/whl/cpu"
    for lines, given in [([], {}), (["cpu"], {}), (["cpu"], {"TORCH": "cpu"}), ([], {"TORCH": "default"})]:
        assert "pip install" not in planned("lab", tmp_path, *lines, **given)
        plan = planned("lab", "/elsewhere", *lines, **given)
        assert (cpu in plan) == ("cpu" in lines) and "uninstall" not in plan
    asked, back = planned("lab", tmp_path, TORCH="cpu"), planned("test", tmp_path, "cpu", TORCH="default")
    for plan in (asked, back):
        assert re.search(
            r"Another build of PyTorch.*pip uninstall .*torch\n.*pip install .*torch==.*pip install .*-e", plan, re.S
        )
    assert cpu in asked and cpu not in back
    stamp = r"printf '%s\\n' \"(.*)\" ?(\w*) > \.venv/course"
    assert [re.findall(stamp, plan) for plan in (asked, back)] == [[(str(tmp_path), "cpu")], [(str(tmp_path), "")]]
    refused = subprocess.run(["make", "TORCH=gpu"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode and "TORCH is gpu; it may be cpu or default" in refused.stderr


def test_types_are_checked_in_all_of_the_package_and_shipped():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]
    assert settings["mypy"]["files"] == ["transformer_lab"]
    assert settings["mypy"]["exclude"] == ["/grading/checks/", "/viz/"]
    assert (ROOT / "transformer_lab" / "py.typed").exists()
    assert "py.typed" in settings["setuptools"]["package-data"]["transformer_lab"]
    for path in ROOT.glob("transformer_lab/**/*.py"):
        assert not re.search(r"# type: ignore(?!\[)|# mypy:", path.read_text(encoding="utf-8")), path


def test_settings_for_jupyterlab_are_put_where_it_looks_for_them_and_are_ones_it_knows(planned, tmp_path):
    place = ".venv/share/jupyter/lab/settings/overrides.d"
    assert f"mkdir -p {place}\ncp {SETTINGS.relative_to(ROOT)} {place}/\n" in planned("lab", tmp_path)
    place = ".venv/etc/ipython"
    assert f"mkdir -p {place}\ncp source/jupyterlab/ipython_kernel_config.json {place}/\n" in planned("lab", tmp_path)
    share = Path(get_app_dir()).parent
    for plugin, values in json.loads(SETTINGS.read_text(encoding="utf-8")).items():
        place = "schemas/" + plugin.replace(":", "/") + ".json"
        (schema,) = [*share.glob(f"lab/{place}"), *share.glob(f"labextensions/*/*/{place}")]
        known = json.loads(schema.read_text(encoding="utf-8"))
        jsonschema.validate(values, known)
        for name, value in values.items():
            assert known["properties"][name]["default"] != value, f"{plugin} {name} is so anyhow"


def test_other_systems_are_tested_by_the_same_commands():
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["test"]
    systems = {"Linux": "ubuntu-latest", "macOS": "macos-latest", "Windows": "windows-latest"}
    assert job["strategy"]["matrix"] == {"os": [*systems.values()], "python": ["3.11", "3.12", "3.13"]}
    commands = {
        system: " ".join(step["run"] for step in job["steps"] if system in step.get("if", "")) for system in systems
    }
    assert commands["Linux"].endswith(".ci/run") and os.access(ROOT / ".ci" / "run", os.X_OK)
    makefile = re.sub(r"\\\n\s*", "", (ROOT / "Makefile").read_text(encoding="utf-8"))
    assert commands["macOS"].endswith("make test") and re.search("^test:", makefile, re.M)
    # Windows: what `make test` runs beside the linter, with the same options.
    for options in ("-p no:nbval -q tests", *found(r"^NBVAL := .*?(-q --nbval .*)", makefile)):
        assert options in commands["Windows"]
    for path in found(r"tests/[\w.]+", commands["Windows"]):
        assert (ROOT / path).exists()


def test_text_is_read_and_written_in_utf_8_and_files_are_replaced_in_one_place():
    folders = ("transformer_lab", "source", "experiments", "benchmarks")
    for path in [path for folder in folders for path in ROOT.glob(f"{folder}/**/*.py")]:
        code = path.read_text(encoding="utf-8")
        for call in re.findall(r"\.(?:read_text|write_text)\((?:[^()]|\([^()]*\))*\)", code):
            assert "encoding=" in call, (path, call)
        if path.name not in ("files.py", "checkpoints.py", "store.py"):  # which move folders, and put files aside
            assert not re.search(r"os\.replace|\.replace\((?:path|folder)|mkstemp|os\.rename", code), path


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
@pytest.mark.parametrize("what", ["test-gpu", "bench-gpu"])
def test_without_a_gpu_its_commands_say_so_and_build_nothing(what):
    environment = {name: value for name, value in os.environ.items() if name != "TRANSFORMER_LAB_DEVICE"}
    command = ["make", what, f"PYTHON={sys.executable}"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment)
    assert run.returncode and "need" in run.stdout + run.stderr, run.stdout + run.stderr
    assert "a CUDA device, and torch finds none." in run.stdout + run.stderr
