"""The command line: `transformer-lab` or `python -m transformer_lab`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="transformer_lab: an interactive course on the Transformer.", no_args_is_help=True)


@app.callback()
def main():
    """transformer_lab: an interactive course on the Transformer."""


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for the model and its picture.")] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Seed of the weights, the training dates and their order.")] = 0,
):
    """Train the translator of dates, English -> Chinese; print how good it is; save it with its attention."""
    from .demo import run

    run(out, seed)


@app.command()
def doctor():
    """Say what this machine has: Python, torch, the device, and whether the course's packages are there."""
    from .doctor import report

    typer.echo(report())
