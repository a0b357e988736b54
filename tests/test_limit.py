"""The limit on an answer's time: whatever a loop swallows, it ends; what is slow but right passes; all is put back."""

# ruff: noqa: E722, SIM105

import contextlib
import os
import signal
import sys
import threading
import time

import pytest

from transformer_lab.grading.limit import PATIENCE, TimeIsUp, limited

SHORT = 0.2


def loop():
    while True:
        pass


def swallows_everything():
    while True:
        try:
            sum(range(100))
        except:
            pass


def swallows_and_sleeps():
    while True:
        try:
            time.sleep(0.01)
        except:
            pass


def swallows_a_long_sleep():
    while True:
        try:
            time.sleep(10**6)
        except BaseException:
            continue


def swallows_three_times():
    while True:
        try:
            try:
                try:
                    time.sleep(0.01)
                except:
                    pass
            except:
                pass
        except:
            pass


def suppresses():
    while True:
        with contextlib.suppress(BaseException):
            sum(range(100))


def retries():
    while True:
        try:
            for _ in range(10**9):
                pass
        except Exception:
            continue


def goes_on_in_finally():
    try:
        loop()
    finally:
        loop()


def recursion():
    def deeper():
        try:
            deeper()
        except RecursionError:
            deeper()

    deeper()


def numbers():
    n = 0
    while True:
        yield (n := n + 1)


def generator():
    for _ in numbers():
        pass


def swallows_in_a_generator():
    def yields():
        while True:
            try:
                yield 1
            except:
                pass

    for _ in yields():
        pass


def comes_back_after_all():
    try:
        loop()
    except BaseException:
        return 3


def raises_another():
    try:
        loop()
    except BaseException:
        raise ValueError from None


def ignores_interrupts():
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loop()


def blocks_interrupts():
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    loop()


def sleeps():
    time.sleep(10**6)


def waits_for_a_lock():
    lock = threading.Lock()
    lock.acquire(), lock.acquire()


COMPUTING = [
    loop, swallows_everything, suppresses, retries, goes_on_in_finally, recursion, generator, swallows_in_a_generator,
    comes_back_after_all, raises_another,
]  # fmt: skip
SLEEPING = [swallows_and_sleeps, swallows_three_times]
IN_MAIN = [swallows_a_long_sleep, sleeps, waits_for_a_lock, ignores_interrupts, blocks_interrupts]


def state():
    handlers = [signal.getsignal(number) for number in signal.valid_signals()]
    timers = [signal.getitimer(which) for which in (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    threads = {thread for thread in threading.enumerate() if thread.is_alive()}
    return handlers, timers, blocked, sys.gettrace(), sys.getrecursionlimit(), threads


def stopped(function) -> TimeIsUp:
    with pytest.raises(TimeIsUp) as caught:
        limited(SHORT, function)
    return caught.value


posix = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


@posix
@pytest.mark.parametrize("function", COMPUTING + SLEEPING + IN_MAIN, ids=lambda function: function.__name__)
def test_whatever_goes_on_is_stopped_and_leaves_nothing_behind(function):
    before, start = state(), time.process_time()
    error = stopped(function)
    assert time.process_time() - start < 20 * SHORT
    time.sleep(0.05)
    sum(range(10**5))  # an interrupt left over would strike here
    assert state() == before
    if function in (*SLEEPING, swallows_a_long_sleep, sleeps, waits_for_a_lock):
        assert error.waited  # of the others a busy machine may say so too
    late = SHORT * PATIENCE
    assert error.seconds == pytest.approx(late) or (not error.waited and error.seconds == pytest.approx(SHORT))


@pytest.mark.parametrize("function", COMPUTING + SLEEPING, ids=lambda function: function.__name__)
def test_in_another_thread_too(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(stopped(function)))
    thread.start()
    thread.join(60)
    assert found and isinstance(found[0], TimeIsUp)


def test_where_signals_can_only_be_raised_as_on_windows(monkeypatch):
    for name in ("pthread_kill", "pthread_sigmask"):
        monkeypatch.delattr(signal, name, raising=False)
    monkeypatch.delattr(time, "pthread_getcpuclockid", raising=False)
    for function in (loop, swallows_everything, swallows_and_sleeps, generator):
        stopped(function)


def test_the_traceback_says_where():
    error = stopped(generator)
    names, trace = [], error.__traceback__
    while trace:
        names.append(trace.tb_frame.f_code.co_name)
        trace = trace.tb_next
    assert "generator" in names


def test_what_the_function_returns_and_raises_comes_back():
    assert limited(SHORT, max, 3, 4) == 4
    with pytest.raises(ZeroDivisionError):
        limited(SHORT, lambda: 1 / 0)


def test_waiting_for_a_busy_machine_is_no_computing():
    start = time.monotonic()
    assert limited(SHORT, time.sleep, 3 * SHORT) is None  # on the clock thrice the limit
    assert time.monotonic() - start > 2.9 * SHORT


@pytest.mark.skipif(not hasattr(time, "pthread_getcpuclockid"), reason="threads' clocks cannot be told apart")
def test_what_other_threads_compute_does_not_count():
    end = threading.Event()

    def other():
        while not end.is_set():
            pass

    thread = threading.Thread(target=other)
    thread.start()
    try:
        limited(SHORT, time.sleep, 3 * SHORT)
    finally:
        end.set()
        thread.join()


@pytest.fixture
def heeds_interrupts():
    """Python's own handler of Ctrl-C: a process that a script starts in the background begins without it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@posix
@pytest.mark.usefixtures("heeds_interrupts")
@pytest.mark.parametrize("before_the_limit", [True, False])
def test_a_real_interrupt_goes_through(before_the_limit):
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        limited(30.0, loop if before_the_limit else sleeps)
    timer.join()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@posix
def test_another_handler_of_interrupts_is_asked():
    seen = []
    before = signal.signal(signal.SIGINT, lambda *arguments: seen.append(arguments))
    try:
        limited(30.0, os.kill, os.getpid(), signal.SIGINT)
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(seen) == 1


def test_a_limit_within_a_limit():
    with pytest.raises(TimeIsUp) as caught:
        limited(30.0, limited, SHORT, loop)
    assert caught.value.seconds == SHORT
    with pytest.raises(TimeIsUp) as caught:
        limited(SHORT, limited, 30.0, loop)
    assert caught.value.seconds == SHORT


def test_it_costs_little():
    n, start = 200, time.process_time()
    for _ in range(n):
        limited(10.0, int)
    assert (time.process_time() - start) / n < 0.003
