"""What a submission may use while it is graded. The parent holds the clocks; the system holds the rest."""

import contextlib

GIGABYTE = 2**30
MEGABYTE = 2**20

CELL_SECONDS = 60  # by the clock on the wall: then the cell is interrupted, and the next one runs
CHECK_SECONDS = 180  # the same for a check cell: each check inside has a limit of its own, which tells more
NOTEBOOK_SECONDS = 600  # by the clock on the wall, then the notebook is stopped
CPU_SECONDS = 240  # of the whole notebook; the slowest solution needs 30
MEMORY = 4 * GIGABYTE  # of one process, and of all of them together
FILE = 64 * MEGABYTE  # the largest file it may write
DISK = 128 * MEGABYTE  # all files together
PROCESSES = 128  # threads too, of which a kernel has about twenty
OUTPUT = 8 * MEGABYTE  # what it may print or show
MESSAGE = 16 * MEGABYTE  # the most that the grader reads at once


def limit_process(running: int = 0) -> None:
    """Lower this process's limits, and those of every process it starts, for good. Does nothing on Windows.

    `running` are the threads that its user runs already: the system's limit counts these too.
    """
    try:
        import resource
    except ImportError:
        return
    wanted = {
        "RLIMIT_CPU": CPU_SECONDS,
        "RLIMIT_DATA": MEMORY,
        "RLIMIT_AS": 8 * MEMORY,  # addresses, of which torch reserves many more than it uses
        "RLIMIT_FSIZE": FILE,
        "RLIMIT_NPROC": running + PROCESSES,
        "RLIMIT_CORE": 0,
    }
    for name, most in wanted.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # not every system has, or can set, each
            _, hard = resource.getrlimit(getattr(resource, name))
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(getattr(resource, name), (most, most))
