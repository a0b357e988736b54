"""A notebook's cell that takes longer than a second says so below itself, and for how long, until it is done."""

import sys
import threading
import time

from .environment import is_off

STYLE = "color: var(--jp-content-font-color2, #757575); font-size: 90%"


class Sign:
    """The sign of one kernel: begins and ends with each cell; nothing is left of it but an empty output."""

    def __init__(self, after: float = 1.0):
        self.after = after  # seconds until it is seen, and between its changes
        self.done, self.thread = threading.Event(), threading.Thread()

    def begin(self, info=None) -> None:
        self.end()
        if not is_off("TRANSFORMER_LAB_PROGRESS"):
            self.done = threading.Event()
            self.thread = threading.Thread(target=self.show, args=(self.done, time.monotonic()), daemon=True)
            self.thread.start()

    def end(self, result=None) -> None:
        self.done.set()
        if self.thread.is_alive():
            self.thread.join()

    def show(self, done: threading.Event, start: float) -> None:
        """Show the seconds until done, then an empty text in their place."""
        from IPython.display import display

        shown = None
        while not done.wait(self.after):
            seconds = f"working, {time.monotonic() - start:.0f} s"
            data = {"text/plain": seconds, "text/html": f'<span style="{STYLE}">{seconds}</span>'}
            if shown is None:
                shown = display(data, raw=True, display_id=True)
            else:
                shown.update(data, raw=True)
        if shown is not None:
            shown.update({"text/plain": ""}, raw=True)


SIGN = Sign()


def load_ipython_extension(shell) -> None:
    """From now on, cells of this notebook show a sign while they work; `make lab` has IPython call this."""
    if SIGN.begin not in shell.events.callbacks["pre_run_cell"]:
        shell.events.register("pre_run_cell", SIGN.begin)
        shell.events.register("post_run_cell", SIGN.end)


def show_when_busy() -> None:
    """From now on, cells of this notebook show a sign while they work, the running one too; elsewhere do nothing."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    if shell and hasattr(shell, "kernel"):
        load_ipython_extension(shell)
        if not SIGN.thread.is_alive():
            SIGN.begin()
