"""A time limit for other people's code: it is interrupted wherever it is.

    limited(10, answer, x)  # answer(x), or TimeIsUp after ten seconds

The code runs in the calling thread. A second thread sleeps until the limit and then raises TimeIsUp in the first: in
the main thread through the signal of Ctrl-C, which also interrupts a sleep or a wait for a lock; in any other thread
through PyThreadState_SetAsyncExc. Code that catches TimeIsUp and goes on gets it again every 50 ms, and also from a
trace function, each time one line later, until it is raised on a line outside every `try`. A recursion that has reached
its limit is given room for that. All of this works on Linux, macOS and Windows. The learner's own Ctrl-C works as
before, and no thread, timer, handler or limit stays behind.

The limit counts the CPU time of the calling thread (of the process, on systems without per-thread clocks), so a busy
machine fails nobody. After six times the limit on the wall clock all code is stopped; it is said to have waited if it
has hardly computed, to have computed if the machine was busy.

The cost is the start of a thread, about 0.2 ms, and nothing while the code runs. A single long call into C, such as
list(itertools.count()), cannot be interrupted; outside the main thread, neither can a sleep or a wait for a lock. Nor
can a recursion that catches everything at every level. Memory is not limited.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import no_type_check

PATIENCE = 6  # wall-clock limit / CPU limit: even a busy machine should give a sixth of a processor
BUSY = 0.1  # of the limit: code that has computed for longer did not just wait
HERE = os.path.dirname(__file__)
AGAIN = 0.05  # seconds until code that goes on is interrupted again
ROOM = 100  # added to the recursion limit, without which nothing could be raised in a recursion that has reached it


class TimeIsUp(BaseException):
    """The code took longer than `seconds`; `waited` is True if it was waiting rather than computing."""

    def __init__(self, seconds: float, waited: bool):
        super().__init__(f"{'waited' if waited else 'computed'} for {seconds:g} seconds")
        self.seconds, self.waited = seconds, waited


# no_type_check: a type checker's wrapper around these functions would be interrupted in their place.
@no_type_check
def limited(seconds: float, function: Callable, *arguments):
    """Return function(*arguments). Raises TimeIsUp after this many seconds, even if the function catches it."""
    limit = Limit(seconds)
    try:
        try:
            limit.begin()
            return function(*arguments)
        finally:
            limit.over = True
            limit.end()
    finally:
        limit.over = True
        limit.end()  # once more: the interrupt may have hit the first
        if limit.raised is not None and not isinstance(sys.exception(), KeyboardInterrupt):
            raise limit.raised from None


@no_type_check
class Limit:
    """One call under a limit: its watcher thread, its interrupts, and the settings to restore."""

    def __init__(self, seconds: float):
        self.seconds, self.waited, self.late = seconds, False, False
        self.raised = None  # the TimeIsUp raised first, whose traceback says where
        self.interrupts = self.rounds = 0  # how often it was interrupted, and the trace function set
        self.over = False  # the call has ended: nothing is raised any more
        self.left = threading.Lock()  # held while the call lasts; a `with` or an Event could be interrupted half-way
        self.watcher = threading.Thread(target=self.watch, name="time limit", daemon=True)

        class Up(TimeIsUp):  # of this call; in other threads the interpreter makes it, without arguments
            def __init__(error):
                super().__init__(seconds * (PATIENCE if self.late else 1), self.waited)
                self.raised = self.raised or error
                self.insist(sys._getframe(1))

        self.up = Up

    def begin(self) -> None:
        self.thread, self.traced, self.handler = threading.get_ident(), sys.gettrace(), None
        self.computed, self.clock = cpu_clock(), time.monotonic()
        self.used, self.recursions = self.computed(), sys.getrecursionlimit()
        self.blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ()) if hasattr(signal, "pthread_sigmask") else None
        # None is a handler set in C, which Python could not put back.
        if threading.current_thread() is threading.main_thread() and signal.getsignal(signal.SIGINT) is not None:
            self.handler = signal.signal(signal.SIGINT, self.interrupted)
        self.left.acquire()
        self.watcher.start()

    def end(self) -> None:
        """Restore everything; a second call does nothing."""
        if self.left.locked():
            self.left.release()
        if self.watcher.is_alive():
            self.watcher.join()  # it interrupts no more
        for _ in range(2):
            pass  # an exception on its way is raised here; taking it back would leave Python 3.11 slow for good
        if self.blocked is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, self.blocked)
        if self.handler is not None:
            signal.signal(signal.SIGINT, self.handler)  # a signal still on its way is seen to first
        if self.interrupts:
            sys.setrecursionlimit(self.recursions)
        if self.rounds:
            sys.settrace(self.traced)

    def watch(self) -> None:
        """In the second thread: sleep until the limit, then interrupt until the call has ended."""
        wait = self.seconds
        while not self.left.acquire(timeout=wait) and not self.over:
            computing = self.seconds - (self.computed() - self.used)
            waiting = PATIENCE * self.seconds - (time.monotonic() - self.clock)
            wait = max(AGAIN, min(computing, waiting))
            if computing <= 0 or waiting <= 0:
                self.late = computing > 0  # by the clock on the wall
                self.waited = computing > (1 - BUSY) * self.seconds
                self.interrupt()

    def interrupt(self) -> None:
        """Alternate between Ctrl-C's signal, which ends a sleep, and the exception, if the handler was replaced."""
        self.interrupts += 1
        sys.setrecursionlimit(sys.getrecursionlimit() + ROOM)
        if self.handler is None or self.interrupts % 2 == 0 or signal.getsignal(signal.SIGINT) != self.interrupted:
            raise_in(self.thread, self.up)
        elif hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self.thread, signal.SIGINT)
        else:  # Windows
            signal.raise_signal(signal.SIGINT)

    def interrupted(self, number, frame) -> None:
        """The handler of Ctrl-C during the call: the learner's until time is up, from then on the limit's own."""
        if self.interrupts:
            if not self.over and not ours(frame, __file__):
                error = self.up()
                self.insist(frame)
                raise error
        elif callable(self.handler):
            self.handler(number, frame)
        elif self.handler == signal.SIG_DFL:
            raise KeyboardInterrupt

    def insist(self, frame) -> None:
        """Raise again from a line soon to come, each round one later: a `try` in a loop would catch it for ever."""
        if self.over or ours(frame, __file__):
            return
        passing, self.rounds = self.rounds, self.rounds + 1

        def trace(frame, event, argument):
            nonlocal passing
            if self.over or ours(frame):
                return None  # the checks' own code swallows nothing, and may finish what it says of the answer
            if event == "line":
                passing -= 1
                if passing < 0:
                    raise self.up()
            return trace

        while frame is not None and not ours(frame, __file__):
            frame.f_trace = trace
            frame = frame.f_back
        sys.settrace(trace)  # last: Python 3.11 may stumble over a call made right after it


@no_type_check
def ours(frame, where: str = HERE) -> bool:
    """Return whether the frame runs code of this package, or of the given file or folder."""
    return frame.f_code.co_filename.startswith(where)


@no_type_check
def cpu_clock() -> Callable[[], float]:
    """Return a CPU clock of this thread that other threads can read, or of the whole process if there is none."""
    if hasattr(time, "pthread_getcpuclockid"):
        clock = time.pthread_getcpuclockid(threading.get_ident())
        return lambda: time.clock_gettime(clock)
    return time.process_time


@no_type_check
def raise_in(thread: int, error: type) -> None:
    """Raise the exception in another thread as soon as that executes Python code."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(error))
