"""A sandbox round the kernel of a submission, made of what the system has: bubblewrap, else namespaces, else nothing.

bubblewrap (Debian's package of that name) gives a kernel no network, a system that it can only read, its own /tmp and
home, and no sight of other submissions, the gradebook, the secret, the solutions or the teacher's home. Where the
kernel forbids both tools (macOS, Windows, some containers) only the limits of `limits.py` remain.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from .limits import DISK

PACKAGE = Path(__file__).parents[1]
# The system's limit on processes does not bind root: if you are root, a submission runs as a user without a name.
FIRST_STRANGER, STRANGERS = 61184, 4000
ROOTS = ("--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts", "--unshare-cgroup-try",
         "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP")  # fmt: skip
NAMESPACES = ("--net", "--pid", "--fork", "--mount-proc", "--kill-child")
USER = ("--user", "--map-root-user")
SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache", "/etc/ld.so.conf",
          "/etc/ld.so.conf.d", "/etc/alternatives", "/etc/fonts", "/etc/localtime", "/etc/passwd", "/etc/group",
          "/etc/nsswitch.conf", "/etc/mime.types", "/sys/devices/system/cpu")  # fmt: skip
SENTENCES = {
    "bubblewrap": "Each submission runs in a sandbox (bubblewrap): no network, nothing of yours in sight.",
    "namespaces": "bubblewrap is not installed or may not be used here: each submission runs without a network and "
    "with limits on time, memory and processes, but it can read whatever you can read. (Debian, Ubuntu: apt install "
    "bubblewrap.)",
    "limits": "This system has no sandbox that can be used: each submission runs as you, with limits on time, memory "
    "and processes where the system has them. Grade people whom you trust, or grade on Linux with bubblewrap.",
}


def command(kind: str, argv: list[str], scratch: Path) -> list[str]:
    """The command that runs argv in a sandbox of this kind; scratch is the one folder of ours that it may write to."""
    clean = ["env", "-i", *(f"{name}={value}" for name, value in surroundings(kind, scratch).items())]
    if kind == "bubblewrap":
        return ["bwrap", *mounts(scratch), "--", *as_stranger(), *clean, *argv]
    if kind == "namespaces":
        return ["unshare", *(() if is_root() else USER), *NAMESPACES, *clean, *argv]
    return argv


def surroundings(kind: str, scratch: Path) -> dict[str, str]:
    """The environment of a kernel: none of the teacher's variables, and the scratch folder as home."""
    home = str(scratch / "work")
    return {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "HOME": home,
        "TMPDIR": "/tmp" if kind == "bubblewrap" else home,
        "IPYTHONDIR": f"{home}/.ipython",
        "LANG": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "passive",
        "TRANSFORMER_LAB_PROGRESS": "off",
        "TRANSFORMER_LAB_DEVICE": "cpu",
    }


def mounts(scratch: Path) -> Iterator[str]:
    """bubblewrap's arguments: the system and Python's packages to read, scratch to write, and nothing else."""
    yield from ROOTS if is_root() else ("--unshare-all",)
    yield from ("--die-with-parent", "--proc", "/proc", "--dev", "/dev")
    for folder in ("/dev/shm", "/tmp", str(scratch / "work")):
        if folder == str(scratch / "work"):
            yield from ("--bind", str(scratch), str(scratch))
        yield from (("--size", str(DISK)) if takes_size() else ())
        yield from ("--perms", "1777", "--tmpfs", folder)
    above = {parent for path in readable() for parent in Path(path).parents if parent != Path("/")}
    for parent in sorted(above - {Path("/dev"), Path("/tmp"), Path("/proc"), scratch}):
        yield from ("--perms", "0755", "--dir", str(parent))  # bubblewrap's own would be root's alone
    for path in readable():
        yield from ("--ro-bind-try", path, path)
    yield from ("--chdir", str(scratch / "work"))


def readable() -> list[str]:
    """What a kernel reads: the system, Python with its packages, and this package, but not the folder it stands in."""
    paths = [Path(sys.base_prefix), Path(sys.prefix), *(Path(p) for p in sys.path if "-packages" in p), PACKAGE]
    folders = {os.path.abspath(path) for path in paths if path.is_dir()} - {"/", str(PACKAGE.parent)}
    return [*SYSTEM, *sorted(folders)]


@cache
def takes_size() -> bool:
    """Can this bubblewrap limit the size of a folder in memory? (From version 0.7 on.)"""
    return "--size" in subprocess.run(["bwrap", "--help"], capture_output=True, text=True).stdout


def is_root() -> bool:
    return hasattr(os, "geteuid") and os.geteuid() == 0


def stranger() -> int:
    """As root: a user of nobody's, another one for each process of ours, under which a submission runs."""
    return FIRST_STRANGER + os.getpid() % STRANGERS


def as_stranger() -> tuple[str, ...]:
    """As root: the words before a command that make it a stranger's."""
    if not is_root():
        return ()
    who = str(stranger())
    return ("setpriv", "--reuid", who, "--regid", who, "--clear-groups", "--bounding-set=-all", "--inh-caps=-all")


def hand_over(path: Path) -> None:
    """Make the file or folder the submission's own, where it runs as somebody else."""
    if is_root():
        os.chown(path, stranger(), stranger())


@cache
def kind() -> str:
    """The best sandbox that works on this machine."""
    for name, tool in (("bubblewrap", "bwrap"), ("namespaces", "unshare")):
        if shutil.which(tool) and works(name):
            return name
    return "limits"


def works(name: str) -> bool:
    """Can Python run in a sandbox of this kind here?"""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "work").mkdir()
        hand_over(scratch)
        return succeeds(command(name, [sys.executable, "-c", "import transformer_lab"], scratch))


def succeeds(argv: list[str]) -> bool:
    try:
        return subprocess.run(argv, capture_output=True, timeout=60).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False
