"""Packages that only some parts of the course need, and whether they are installed: checked before work begins."""

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires, version
from importlib.util import find_spec

from packaging.requirements import Requirement


def installed(package: str) -> str | None:
    """The version of a package that is installed, or None."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def own_version() -> str:
    """This package's version; "unknown" if it is not installed but only found on the path."""
    return installed("transformer-lab") or "unknown"


class MissingPackageError(ModuleNotFoundError):
    """A missing package, in a sentence that says what needs it and how to install it."""


def require_packages(needed_by: str, *names: str) -> None:
    """Raise MissingPackageError, with the line that installs them, if some of these packages are missing."""
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        packages = f"the package{'s' * (len(missing) > 1)} {', '.join(missing)}"
        raise MissingPackageError(f"{needed_by} needs {packages}: pip install {' '.join(missing)}", name=missing[0])


def course_packages() -> Iterator[tuple[Requirement, str | None]]:
    """Each requirement that the course declares, and the version of it that is installed, or None."""
    for text in requires("transformer-lab") or ():
        requirement = Requirement(text)
        if requirement.marker is None or requirement.marker.evaluate({"extra": "course"}):
            yield requirement, installed(requirement.name)
