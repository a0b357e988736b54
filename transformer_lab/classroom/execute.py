"""nbgrader's Execute with the kernel in a sandbox, clocks outside it, and an end that is always told, never raised."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import zmq
import zmq.asyncio
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.utils import run_sync
from nbgrader.preprocessors import Execute
from traitlets import Integer

from . import limits, sandbox
from .course import key_of, lesson_of
from .trusted import NOTE

LOOK = 0.5  # seconds between two looks at what a submission uses
PYTHON = ["-P", "-m", "transformer_lab.classroom.kernel"]


class SandboxedManager(AsyncKernelManager):
    """Starts the kernel of one submission in a sandbox, and talks to it through files instead of a network."""

    def prepare(self, scratch: Path) -> None:
        self.transport, self.ip = ("ipc", str(scratch / "s")) if os.name == "posix" else ("tcp", "127.0.0.1")
        self.connection_file = str(scratch / "kernel.json")
        self.scratch = scratch
        argv = [sys.executable, *PYTHON, str(scratch), "-f", self.connection_file]
        argv = sandbox.command(sandbox.kind(), argv, scratch)
        # A message and no signal: signals do not pass the sandbox.
        self._kernel_spec = KernelSpec(argv=argv, language="python", interrupt_mode="message")
        self.context = zmq.asyncio.Context()
        self.context.setsockopt(zmq.MAXMSGSIZE, limits.MESSAGE)  # a longer one breaks the connection

    def client(self, **told):
        return super().client(context=self.context, **told)

    def write_connection_file(self, **told) -> None:
        super().write_connection_file(**told)
        sandbox.hand_over(Path(self.connection_file))


class Stopped(Exception):
    """The notebook's run is over, and this sentence says why."""


class NoKernel(BaseException):
    """The machine, and not the submission, is the reason: the batch ends, and nothing is recorded."""


class SandboxedExecute(Execute):
    """Runs a submission, and writes into its metadata what stopped it, if anything did, and seconds of computing."""

    timeout = Integer(limits.CELL_SECONDS, allow_none=True).tag(config=True)
    iopub_timeout = Integer(30, help="Seconds in which the kernel must say that a cell is over.").tag(config=True)
    notebook_seconds = Integer(limits.NOTEBOOK_SECONDS, help="Seconds for a whole notebook.").tag(config=True)

    def preprocess(self, nb, resources, km=None):
        told = resources["nbgrader"]
        self.began, self.printed, self.timeouts, self.stopped, self.computed = False, 0, 0, "", 0.0
        self.startup_timeout = 300  # on a busy machine
        with scratch_folder() as self.scratch:
            order = {"key": key_of(Path.cwd(), told["assignment"], told["student"]).hex(),
                     "lesson": lesson_of(told["assignment"]), "running": threads_of_ours()}  # fmt: skip
            give(self.scratch / "order.json", json.dumps(order))
            try:
                nb, resources = super().preprocess(nb, resources, km)
            except Exception as error:  # a dead kernel, a silent one, one that talks too much
                if not self.began:
                    raise NoKernel(f"No kernel could be started in the sandbox: {error}") from error
                self.stopped = self.stopped or ended(error, self.code)
        if self.timeouts and not self.stopped:
            cells = "A cell" if self.timeouts == 1 else f"{self.timeouts} cells"
            self.stopped = f"{cells} ran for more than {in_words(self.timeout or 0)}, and was interrupted."
        nb.metadata[NOTE] = {"stopped": self.stopped, "seconds": round(self.computed, 1)}
        return nb, resources

    def create_kernel_manager(self):
        self.km = SandboxedManager(config=self.config)
        self.km.prepare(self.scratch)
        return self.km

    async def async_start_new_kernel(self, **told):
        told |= {"cwd": str(self.scratch / "work"), "env": sandbox.surroundings(sandbox.kind(), self.scratch),
                 "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # fmt: skip
        await super().async_start_new_kernel(**told)

    start_new_kernel = run_sync(async_start_new_kernel)

    @contextmanager
    def setup_kernel(self, **told):
        self.code = None
        with super().setup_kernel(**told):
            self.began = True
            process = self.km.provisioner.process  # type: ignore[union-attr]  # a local one, which has a process
            over = threading.Event()
            watcher = threading.Thread(target=self.watch, args=(process.pid, over), daemon=True)
            watcher.start()
            try:
                yield
            finally:
                over.set()
                watcher.join()
                self.computed = max(self.computed, used_by(process.pid)[1])  # since the watcher's last look
                with suppress(Exception):
                    self.code = process.wait(timeout=2) if process.poll() is None and self.dead() else process.poll()

    def dead(self) -> bool:
        return type(sys.exception()).__name__ == "DeadKernelError"

    def watch(self, pid: int, over: threading.Event) -> None:
        """In a second thread: stop everything as soon as the notebook uses more than it may."""
        deadline = time.monotonic() + self.notebook_seconds
        while not over.wait(LOOK):
            memory, computed = used_by(pid)
            self.computed = max(self.computed, computed)
            if time.monotonic() > deadline:
                self.stop(pid, f"The notebook ran for more than {in_words(self.notebook_seconds)}.")
            elif memory > limits.MEMORY:
                self.stop(pid, f"Its processes used more than {limits.MEMORY // limits.GIGABYTE} GB of memory.")
            elif size_of(self.scratch) > limits.DISK:
                self.stop(pid, f"It wrote more than {limits.DISK // limits.MEGABYTE} MB of files.")

    def stop(self, pid: int, why: str) -> None:
        self.stopped = self.stopped or why
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL) if hasattr(os, "killpg") else os.kill(pid, signal.SIGTERM)

    def _get_timeout(self, cell):
        """A check cell has longer than any other: each check in it is stopped by itself, and says why."""
        is_check = cell is not None and cell.metadata.get("nbgrader", {}).get("grade")
        seconds = super()._get_timeout(cell)
        return max(seconds, limits.CHECK_SECONDS) if seconds and is_check else seconds

    def output(self, outs, msg, display_id, cell_index):
        self.printed += len(str(msg["content"]))
        if self.printed > limits.OUTPUT:
            pid = self.km.provisioner.process.pid  # type: ignore[union-attr]
            self.stop(pid, f"It printed more than {limits.OUTPUT // limits.MEGABYTE} MB.")
            return None
        return super().output(outs, msg, display_id, cell_index)

    async def _async_handle_timeout(self, timeout, cell=None):
        self.timeouts += 1
        if self.timeouts > 2:  # it does not stop when it is told to
            raise Stopped(f"Three cells ran for more than {in_words(timeout)} each.")
        return await super()._async_handle_timeout(timeout, cell)


def ended(error: Exception, code: int | None) -> str:
    """How a run ended that did not reach its last cell, in a sentence."""
    if isinstance(error, Stopped):
        return str(error)
    if type(error).__name__ == "CellTimeoutError":  # it was over, and the end of what it shows did not come
        return f"A cell printed more than {limits.MESSAGE // limits.MEGABYTE} MB at once, or broke its connection."
    if type(error).__name__ == "DeadKernelError":
        number = (code or 0) - 128 if (code or 0) > 128 else -(code or 0)
        if number == getattr(signal, "SIGXCPU", -1):
            return f"It computed for more than {in_words(limits.CPU_SECONDS)}."
        if number in (signal.SIGSEGV, signal.SIGABRT, getattr(signal, "SIGBUS", -1)):
            return "Python crashed while a cell ran: out of memory, or a fault in the code that it called."
        return "The code ended Python itself while a cell ran (os._exit, exit, a signal)."
    first = str(error).strip().partition("\n")[0]
    return f"The run could not go on: {type(error).__name__}: {first[:200]}"


def in_words(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds >= 120 else f"{seconds} seconds"


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder of one submission, gone afterwards; its name is short, as those of sockets must be."""
    folder = Path(tempfile.mkdtemp(prefix="tl-"))
    try:
        (folder / "work").mkdir()
        for path in (folder, folder / "work"):
            sandbox.hand_over(path)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def give(path: Path, text: str) -> None:
    """Write a file that only the sandbox may read."""
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    sandbox.hand_over(path)


def threads_of_ours() -> int:
    """How many threads the user runs now who runs the kernel, too."""
    if os.name != "posix" or sandbox.is_root() and sandbox.kind() == "bubblewrap":  # it runs as a user of nobody's
        return 0
    told = [one.info for one in psutil.process_iter(["uids", "num_threads"])]
    return sum(one["num_threads"] or 0 for one in told if one["uids"] and one["uids"].real == os.getuid())


def used_by(pid: int) -> tuple[int, float]:
    """(bytes in memory, seconds of computing) of a process and all that it has started and that still runs."""
    memory, seconds = 0, 0.0
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        for one in [parent, *parent.children(recursive=True)]:
            with suppress(psutil.Error):
                memory += one.memory_info().rss
                seconds += one.cpu_times().user + one.cpu_times().system
    return memory, seconds


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder."""
    total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += os.lstat(os.path.join(root, name)).st_blocks * 512
    return total
