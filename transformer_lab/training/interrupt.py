"""Ctrl-C, a closed terminal and a cluster's wish to stop a job, as a flag that the loop looks at between two steps."""

import signal
import threading
import time
from contextlib import contextmanager

# SIGHUP: the terminal was closed or the line is dead. SIGBREAK: Ctrl-Break, or a closed window, on Windows.
SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK") if hasattr(signal, name)]


@contextmanager
def interrupts():
    """Within the block the first of SIGNALS only sets the flag; one a second later ends the program at once.

    Sooner it would be the same one: torchrun passes a Ctrl-C on to processes that have got it already.
    """
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # there Python takes no signals
        yield flag
        return
    first = None
    before = {number: signal.getsignal(number) for number in SIGNALS}
    if before.get(getattr(signal, "SIGHUP", None)) is signal.SIG_IGN:  # nohup: it is to survive its terminal
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
