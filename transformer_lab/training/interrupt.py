"""Ctrl-C, a closed terminal or a cluster's signal to stop, as a flag that the training loop reads after each step."""

import signal
import threading
import time
from contextlib import contextmanager

# SIGHUP: the terminal was closed or the line is dead. SIGBREAK: Ctrl-Break, or a closed window, on Windows.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def interrupts():
    """Within the block the first of SIGNALS only sets the flag; another one, at least a second later, acts as usual.

    One that comes sooner counts as the same: torchrun passes Ctrl-C on to processes that have already received it.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # only the main thread can handle signals
        yield flag
        return
    first = None
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before.get(getattr(signal, "SIGHUP", None)) is signal.SIG_IGN:  # nohup: to survive the terminal
        del before[signal.SIGHUP]

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(number, frame):
        nonlocal first
        first = first or time.monotonic()
        flag.set()
        if time.monotonic() - first > 1:
            restore()
            signal.raise_signal(number)

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield flag
    finally:
        restore()
