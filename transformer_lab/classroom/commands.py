"""The teacher's commands: transformer-lab class new | release | collect | grade | report."""

import os
import time
from typing import Annotated

import typer

from ..files import path_of
from ..optional import require_packages

app = typer.Typer(help="For teachers: a class's exercises, collected, graded in a sandbox and reported, with nbgrader.",
                  no_args_is_help=True)  # fmt: skip

Course = Annotated[str, typer.Option("--course", metavar="DIR", help="The course folder, if it is not this one.")]


def needed() -> None:
    require_packages("A class", "nbgrader")


@app.command(help="Make a course folder: nbgrader's configuration and gradebook, all exercises with their points.")
def new(folder: Annotated[str, typer.Argument(metavar="DIR", help="A folder that does not exist yet.")]):
    from ..cli import mistakes_in_one_sentence

    with mistakes_in_one_sentence():
        needed()
        from . import course, sandbox
        from .gradebook import enter_assignments

        root = path_of(folder).absolute()
        made = course.new(root, enter_assignments)
        typer.echo(f"{folder} is a course with {len(made)} assignments, {made[0]} to {made[-1]}.")
        typer.echo(f"{sandbox.SENTENCES[sandbox.kind()]}\nNext: cd {folder}, then transformer-lab class release 02")


@app.command(help="Make the learners' notebooks of these lessons: without hidden checks, and without solutions.")
def release(
    lessons: Annotated[list[str], typer.Argument(metavar="LESSON...", help='"02", "attention" or "02_attention".')],
    course: Course = ".",
):
    from ..cli import mistakes_in_one_sentence

    with mistakes_in_one_sentence():
        needed()
        from .course import found, nbgrader_config
        from .gradebook import release as make
        from .notebooks import named

        root = found(path_of(course))
        for name in [named(lesson) for lesson in lessons]:
            made = make(root, nbgrader_config(root), name)
            typer.echo(f"Give this file to the learners: {made.relative_to(root)}")


@app.command(help="Collect what was handed in, from folders, .zip and .tar files, into submitted/STUDENT/LESSON.")
def collect(
    sources: Annotated[list[str], typer.Argument(metavar="ARCHIVE|FOLDER...", help="As Moodle, Canvas ... give them.")],
    course: Course = ".",
):
    from ..cli import mistakes_in_one_sentence

    with mistakes_in_one_sentence():
        needed()
        from .collect import collect as gather
        from .course import found

        collected = gather(found(path_of(course)), [path_of(one) for one in sources])
        for where, why in collected.left_out:
            typer.echo(f"left out: {where!r}: {why}", err=True)
        students = len({student for student, _ in collected.kept})
        typer.echo(f"{len(collected.kept)} submissions of {students} learners; {len(collected.left_out)} left out.")


@app.command(help="Grade what is not graded yet, each submission in a sandbox; if interrupted, go on next time.")
def grade(
    lesson: Annotated[str | None, typer.Argument(metavar="[LESSON]", help="This lesson only.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="How many at a time; by default one a processor.")] = None,
    again: Annotated[bool, typer.Option("--again", help="Grade anew what is graded already.")] = False,
    course: Course = ".",
):
    from ..cli import mistakes_in_one_sentence

    with mistakes_in_one_sentence():
        needed()
        from . import sandbox
        from .batch import forget
        from .batch import grade as run
        from .course import found
        from .notebooks import named

        if again and not lesson:
            raise ValueError("Name the lesson to grade again, as in: transformer-lab class grade 02 --again")
        root, began, number = found(path_of(course)), time.monotonic(), 0
        typer.echo(sandbox.SENTENCES[sandbox.kind()])
        if again:
            forget(root, named(str(lesson)))
        for one, number, total in run(root, [named(lesson)] if lesson else None, jobs or os.cpu_count() or 1):
            told = f"; {one.stopped}" if one.stopped else ""
            typer.echo(f"{number} of {total}: {one.student}, {one.assignment}: {one.points:g} points{told}")
        seconds = time.monotonic() - began
        typer.echo(f"{number} graded in {seconds:.0f} s." if number else "Nothing to grade: everything is graded.")


@app.command(help="Write the report: the gradebook as CSV, a page for each learner, and one for the teacher.")
def report(course: Course = "."):
    from ..cli import mistakes_in_one_sentence

    with mistakes_in_one_sentence():
        needed()
        from .course import found
        from .report import write

        root = found(path_of(course))
        typer.echo(f"Written: {write(root).relative_to(root)} (open it in a browser)")
