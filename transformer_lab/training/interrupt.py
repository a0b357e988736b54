"""Ctrl-C, and a cluster's wish to stop a job, as a flag that the loop looks at between two steps."""

import signal
import threading
from contextlib import contextmanager


@contextmanager
def interrupts():
    """Within the block the first Ctrl-C (or SIGTERM) only sets the flag; a second one ends the program at once."""
    flag = threading.Event()
    if threading.current_thread() is not threading.main_thread():  # there Python takes no signals
        yield flag
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore():
        for number, handler in before.items():
            signal.signal(number, handler)

    def on_signal(_number, _frame):
        flag.set()
        restore()

    for number in before:
        signal.signal(number, on_signal)
    try:
        yield flag
    finally:
        restore()
