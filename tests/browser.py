"""JupyterLab and Chromium for tests: offline, watched for errors, and gone when the tests end.

conftest.py makes the fixtures known. A test takes `page` (for files), or `lab` (the same page, with JupyterLab
behind it), and is marked `browser`.
"""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import nbformat
import pytest

TOKEN = "tests"
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
SETTINGS = Path(__file__).resolve().parents[1] / "source" / "jupyterlab" / "transformer-lab.json"
PATIENCE = 180  # seconds: a busy machine is slow and not broken, and what is there at once is not waited for
OFFLINE_ARGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-sync",
    "--disable-component-update", "--disable-default-apps", "--no-first-run", "--disable-dev-shm-usage",
]  # fmt: skip
# Our own JupyterLab, and what a page brings with it; everything else is the outside world.
INSIDE = ("http://127.0.0.1:", "ws://127.0.0.1:", "file:", "blob:", "data:", "about:")

READY = """async () => {
  const panel = window.jupyterapp.shell.currentWidget;
  await panel.context.ready; await panel.sessionContext.ready; await panel.sessionContext.session.kernel.info;
}"""
EXECUTE = """async (code) => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const future = kernel.requestExecute({ code, store_history: false });
  let out = "";
  future.onIOPub = (message) => {
    if (message.header.msg_type === "stream") out += message.content.text;
    if (message.header.msg_type === "error") out += `${message.content.ename}: ${message.content.evalue}`;
  };
  await future.done;
  return out;
}"""


def eventually(check, timeout=PATIENCE / 3):
    """Call check until it raises nothing and does not return False; then give its result.

    A ValueError too may only mean that the page still shows what was there before: zip(strict=True) raises it.
    """
    end = time.monotonic() + timeout
    while True:
        try:
            result = check()
            assert result is not False, f"{check} stayed False"
            return result
        except (AssertionError, ValueError):
            if time.monotonic() > end:
                raise
            time.sleep(0.05)


# Widgets ask for a subshell as soon as there is a kernel; a kernel that ends before it has answered leaves an error in
# the console. Its control channel answers in order: once it has told what subshells there are, nothing is under way.
SETTLED = """async () => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  await kernel.info;
  if (kernel.supportsSubshells) await kernel.requestListSubshell({}).done;
}"""
SHUT_DOWN = "() => window.jupyterapp.shell.currentWidget.sessionContext.shutdown()"
RESTART = "() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.restart()"
SAVE = "() => window.jupyterapp.commands.execute('docmanager:save')"


class Lab:
    """A JupyterLab server and a page that looks at it."""

    def __init__(self, server, page):
        self.url, self.root, self.page = *server, page

    def open(self, name, cells=(), kernel=True):
        """Open the notebook called name; made of these cells (code, or whole nbformat cells) if any are given."""
        path = self.root / name
        if cells:
            cells = [nbformat.v4.new_code_cell(cell) if isinstance(cell, str) else cell for cell in cells]
            python = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
            path.parent.mkdir(parents=True, exist_ok=True)
            nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=python), path)
        self.page.goto(f"{self.url}/lab/tree/{name}?token={TOKEN}&reset")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=1000 * PATIENCE)
        self.page.wait_for_function("window.jupyterapp?.shell?.currentWidget?.sessionContext", timeout=1000 * PATIENCE)
        if kernel:
            self.page.evaluate(READY)  # the toolbar's "idle" comes earlier, when a command would still be lost

    def run_all(self):
        """Run every cell; returns when all are done, and fails if one was not."""
        ran = self.page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
        assert ran, "a cell failed or did not run: see below what the page shows"

    def python(self, code) -> str:
        """Run code in the notebook's kernel; what it printed, or its error."""
        return self.page.evaluate(EXECUTE, code).strip()

    def shut_down(self):
        """End the notebook's kernel."""
        self.page.evaluate(SETTLED)
        self.page.evaluate(SHUT_DOWN)

    def restart(self):
        """Restart the notebook's kernel; returns when the new one answers."""
        self.page.evaluate(SETTLED)
        self.page.evaluate(RESTART)
        eventually(lambda: self.python("print(1)") == "1")
        self.page.evaluate(SETTLED)

    def save(self, name):
        """Save the notebook called name; returns when every widget that it shows is stored with it."""

        def stored():
            self.page.evaluate(SAVE)
            notebook = nbformat.read(self.root / name, as_version=4)
            outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
            views = [
                output.data[WIDGET_VIEW]["model_id"] for output in outputs if WIDGET_VIEW in output.get("data", ())
            ]
            state = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {})
            return set(views) <= set(state.get("state", ()))

        eventually(stored)

    def theme(self, name):
        """Change JupyterLab's theme: to "JupyterLab Light" or "JupyterLab Dark"."""
        self.page.evaluate("(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        eventually(lambda: self.page.evaluate("document.body.dataset.jpThemeName") == name)
        # JupyterLab takes its splash away a moment later; at another change before that it would do so twice, an error.
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")


def shown(page) -> str:
    """What stands on the page, its end: for a test that fails where nobody looks."""
    return page.locator("body").inner_text(timeout=5000)[-3000:]


def missing(what):
    """Skip the test, or fail it on CI, where everything has to be there."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"browser tests need {what}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    """With a browser test that failed, what its page shows."""
    report = yield
    page = getattr(item, "funcargs", {}).get("page")
    if report.failed and call.when == "call" and page:
        from playwright.sync_api import Error

        try:
            report.sections.append(("on the page", shown(page)))
        except Error as error:  # the page is gone, or does not answer
            report.sections.append(("on the page", str(error)))
    return report


@pytest.fixture(scope="session")
def chromium():
    """One Chromium for all tests."""
    names = "chromium", "chromium-browser", "google-chrome"
    executable = next(filter(None, map(shutil.which, names)), None) or missing(f"one of {', '.join(names)} on PATH")
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        missing("the package playwright")
    with sync_playwright() as running:
        browser = running.chromium.launch(executable_path=executable, args=OFFLINE_ARGS, timeout=1000 * PATIENCE)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def jupyter_server(tmp_path_factory):
    """(url, root folder) of one JupyterLab with no settings but ours."""
    home, root = tmp_path_factory.mktemp("jupyter"), tmp_path_factory.mktemp("notebooks")
    folders = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR",
               "JUPYTERLAB_SETTINGS_DIR", "JUPYTERLAB_WORKSPACES_DIR")  # fmt: skip
    fresh = {name: str(home / name.lower()) for name in folders}
    page_config = Path(fresh["JUPYTER_CONFIG_DIR"]) / "labconfig" / "page_config.json"
    page_config.parent.mkdir(parents=True)
    # nbgrader's buttons come with the tests' packages; a learner does not have them.
    page_config.write_text(json.dumps({"disabledExtensions": {"@jupyter/nbgrader": True}}))
    overrides = home / "settings" / "overrides.d"
    overrides.mkdir(parents=True)
    shutil.copy(SETTINGS, overrides)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", f"--port={port}",
        "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={root}",
        "--allow-root", f"--LabApp.app_settings_dir={home / 'settings'}",
        "--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly",
        "--ServerApp.terminals_enabled=False",
    ]  # fmt: skip
    with (home / "log.txt").open("w") as log:
        server = subprocess.Popen(command, env=os.environ | fresh, cwd=root, stdout=log, stderr=subprocess.STDOUT)
    url = f"http://127.0.0.1:{port}"

    def answers():
        assert server.poll() is None, (home / "log.txt").read_text()[-2000:]
        try:
            return urllib.request.urlopen(f"{url}/api/status?token={TOKEN}", timeout=10).status == 200
        except OSError:
            return False

    try:
        eventually(answers, timeout=PATIENCE)
        yield url, root
    finally:
        server.terminate()
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


@pytest.fixture
def page(chromium):
    """A page that cannot leave this machine; at the end it must not have tried to, nor shown an error."""
    context = chromium.new_context(viewport={"width": 1280, "height": 900})
    outside, errors = [], []

    def watch(route):
        if route.request.url.startswith(INSIDE):
            route.continue_()
        else:
            outside.append(route.request.url)
            route.abort()

    context.route("**/*", watch)
    page = context.new_page()
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(1000 * PATIENCE / 3)
    page.set_default_navigation_timeout(1000 * PATIENCE)
    yield page
    context.close()
    assert not outside, f"the page asked the outside world: {outside}"
    assert not errors, f"errors in the browser's console: {errors}"


@pytest.fixture
def lab(jupyter_server, page):
    """JupyterLab, to open notebooks in; its kernels end with the test."""
    yield Lab(jupyter_server, page)
    page.goto("about:blank")  # nobody is left to miss an answer of a kernel that ends
    url = jupyter_server[0]
    answer = urllib.request.urlopen(f"{url}/api/sessions?token={TOKEN}", timeout=PATIENCE).read()
    for session in json.loads(answer):
        request = urllib.request.Request(f"{url}/api/sessions/{session['id']}?token={TOKEN}", method="DELETE")
        urllib.request.urlopen(request, timeout=PATIENCE)
