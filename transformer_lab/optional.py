"""Packages that only some parts of the course need."""

from importlib.util import find_spec


def require_package(name: str, needed_by: str) -> None:
    """FileNotFoundError, with the line that installs the package, if it is missing."""
    if find_spec(name) is None:
        raise FileNotFoundError(f"{needed_by} needs the package {name}: pip install {name}")
