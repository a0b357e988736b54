"""Run a check in silence, with its own seed and known settings, and restore the process's state afterwards."""

import contextlib
import gc
import io
import locale
import os
import random
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

ONE_AT_A_TIME = threading.RLock()  # seeds, default dtype, stderr belong to the whole process
RECURSIONS = 3000  # JupyterLab's limit; without one, infinite recursion would take all memory
STREAMS = ("stdin", "stdout", "stderr", "displayhook", "excepthook", "unraisablehook")


@contextmanager
def undisturbed(seed: int) -> Iterator[None]:
    """Silence stderr and warnings, seed every generator, and restore every setting that changed meanwhile.

    Threads take turns, because these settings belong to the whole process.
    """
    with ONE_AT_A_TIME, ExitStack() as after:  # its callbacks restore the state
        for read, write in settings():
            after.callback(put_back, read, write, read())
        seed_and_restore(seed, after)
        with contextlib.suppress(RecursionError):  # raised if the stack is already deeper
            sys.setrecursionlimit(RECURSIONS)
        if torch := sys.modules.get("torch"):
            torch.set_num_threads(1)  # tensors here are tiny: more threads would only wait for one another
            torch.set_default_dtype(torch.float32)
            torch.set_grad_enabled(True)
            torch.set_float32_matmul_precision("highest")
            after.enter_context(torch.inference_mode(False))
            after.enter_context(torch.autocast("cpu", enabled=False))
            after.enter_context(torch.device("cpu"))
        after.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        sys.stderr = io.StringIO()
        yield


def put_back(read: Callable, write: Callable, before) -> None:
    if read() != before:
        write(before)


def seed_and_restore(seed: int, after: ExitStack) -> None:
    """Seed Python's, numpy's and torch's generators; `after` restores their states."""
    after.callback(random.setstate, random.getstate())
    random.seed(seed)
    if numpy := sys.modules.get("numpy"):
        after.callback(numpy.random.set_state, numpy.random.get_state())
        numpy.random.seed(seed)
    if torch := sys.modules.get("torch"):
        after.callback(torch.set_rng_state, torch.get_rng_state())
        torch.default_generator.manual_seed(seed)


def settings() -> Iterator[tuple[Callable, Callable]]:
    """Yield (read, write) for each setting of the process that an answer may change."""
    yield folder, go_back
    yield sys.getrecursionlimit, sys.setrecursionlimit
    yield sys.gettrace, sys.settrace
    yield sys.getprofile, sys.setprofile
    yield gc.isenabled, lambda on: gc.enable() if on else gc.disable()
    yield lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)
    yield lambda: dict(os.environ), lambda before: refill(os.environ, before)
    yield lambda: list(sys.path), lambda before: sys.path.__setitem__(slice(None), before)
    yield lambda: {name: getattr(sys, name) for name in STREAMS}, vars(sys).update
    yield lambda: dict(sys.modules), sys.modules.update  # what was imported stays
    yield handlers, restore_handlers
    if numpy := sys.modules.get("numpy"):
        yield numpy.get_printoptions, lambda options: numpy.set_printoptions(**options)
        yield numpy.geterr, lambda kinds: numpy.seterr(**kinds)
    if torch := sys.modules.get("torch"):
        yield from settings_of_torch(torch)


def settings_of_torch(torch) -> Iterator[tuple[Callable, Callable]]:
    options = torch._tensor_str.PRINT_OPTS
    yield lambda: dict(vars(options)), lambda before: vars(options).update(before)
    yield torch.get_num_threads, torch.set_num_threads
    yield torch.get_default_dtype, torch.set_default_dtype
    yield torch.is_grad_enabled, torch.set_grad_enabled
    yield torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly
    yield torch.get_float32_matmul_precision, torch.set_float32_matmul_precision
    # Writing it imports torch's compiler, which takes seconds: so only what changed is written.
    yield (
        lambda: (torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()),
        lambda before: torch.use_deterministic_algorithms(before[0], warn_only=before[1]),
    )
    context = torch._GLOBAL_DEVICE_CONTEXT
    yield (
        lambda: getattr(getattr(context, "device_context", None), "device", None),
        torch.set_default_device,
    )


def folder() -> str | None:
    """Return the working directory, or None if it was deleted."""
    with contextlib.suppress(OSError):
        return os.getcwd()
    return None


def go_back(path: str | None) -> None:
    if path:
        os.chdir(path)


def refill(mapping, before: dict) -> None:
    for name in set(mapping) - set(before):
        del mapping[name]
    mapping.update(before)


def handlers() -> dict:
    """Return the handler of each signal; empty outside the main thread, which alone may set them."""
    main = threading.current_thread() is threading.main_thread()
    return {number: signal.getsignal(number) for number in signal.valid_signals()} if main else {}


def restore_handlers(before: dict) -> None:
    for number, handler in before.items():
        if signal.getsignal(number) != handler and handler is not None:
            signal.signal(number, handler)
