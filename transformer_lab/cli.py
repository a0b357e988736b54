"""The command line: `transformer-lab` or `python -m transformer_lab`."""

from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="transformer_lab: an interactive course on the Transformer.", no_args_is_help=True)


@contextmanager
def one_sentence():
    """A user's mistake (a bad name, a folder that cannot be written) is said in a sentence, with exit code 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


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

    with one_sentence():
        run(out, seed)


@app.command()
def doctor():
    """Say what this machine has: Python, torch, the device, and whether the course's packages are there."""
    from .doctor import report

    with one_sentence():
        typer.echo(report())


@app.command()
def reset(
    lesson: Annotated[str, typer.Argument(help='Number or name of the lesson: "02" or "02_attention".')],
    folder: Annotated[Path, typer.Option(help="The course's exercises folder.")] = Path("exercises"),
):
    """Give a lesson's exercises back unsolved; answers written in them are kept in a backup beside the notebook."""
    from .exercise_files import reset as restore

    with one_sentence():
        path, kept = restore(lesson, folder)
    typer.echo(f"{path} is clean again." + (f" Your answers are in {kept}." if kept else ""))
