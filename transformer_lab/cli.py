"""The command line: `transformer-lab` or `python -m transformer_lab`."""

import os
import sys
import warnings
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from inspect import Parameter, Signature, signature
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any

import typer

from .classroom.commands import app as class_app
from .environment import is_first_process, is_watched, speak_any_encoding
from .files import path_of
from .optional import MissingPackageError, own_version, require_packages
from .sentences import kind_of, listed
from .tasks.registry import FILE_SETTINGS, TASKS, TUNING_SETTINGS, with_targets
from .training.settings import Settings

app = typer.Typer(
    help="transformer_lab: an interactive course on the Transformer.\n\n"
    "DIR is a folder that `train` wrote, or the name of a model: dates, docs-bert, minilm, smollm2, gpt2 ... "
    "If a file or folder of yours has the name of a model or task, write ./dates for yours and course:dates for ours.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.add_typer(class_app, name="class")
debugging = False
MOST_BEAMS = 1000  # a translation of a date takes seconds with these, and minutes with ten times as many


def run() -> None:
    """Run the program; --debug may stand anywhere among its arguments."""
    speak_any_encoding()
    app(sorted(sys.argv[1:], key=lambda argument: argument != "--debug"), prog_name="transformer-lab")


@contextmanager
def mistakes_in_one_sentence():
    """Within the block a user's mistake (a wrong name, a read-only folder) ends the program with one sentence."""
    try:
        yield
    except BrokenPipeError:  # as in `... | head -1`, where the reader has gone: typer ends the program silently
        raise
    except (ValueError, OSError, ModuleNotFoundError, MemoryError, RuntimeError) as error:
        if debugging or not is_for_users(error):
            raise
        typer.echo(sentence(error), err=True)
        raise typer.Exit(2) from None


def is_for_users(error: Exception) -> bool:
    """Can a user do something about it? Of torch's own errors that is true of a lack of memory only."""
    return not isinstance(error, RuntimeError) or "memory" in str(error)


def sentence(error: Exception) -> str:
    """An error in words for the user."""
    if isinstance(error, MemoryError | RuntimeError):
        return "There is not enough memory for this: use fewer or shorter texts, or smaller sizes."
    if isinstance(error, ModuleNotFoundError) and not isinstance(error, MissingPackageError):
        return f"This command needs the package {error.name}: pip install {error.name}"
    return str(error)


def show_version(wanted: bool) -> bool:
    """The callback of --version: print it and end the program."""
    if wanted:
        typer.echo(f"transformer-lab {own_version()}")
        raise typer.Exit
    return wanted


@app.callback()
def main(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=show_version, is_eager=True, help="Show this package's version.")
    ] = False,
):
    global debugging
    debugging = debug
    # A warning is its sentence, without the line of code that it came from.
    warnings.showwarning = lambda warning, *_: typer.echo(str(warning), err=True)


Model = Annotated[str, typer.Argument(metavar="DIR", help="A folder that `train` wrote, or a model's name.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 or mps; by default the fastest available.")]


def tasks_in_words() -> str:
    """A line for each task of the course."""
    return "\n".join(f"  {name:<10} {task.summary}" for name, task in TASKS.items())


def targets_in_words() -> str:
    """The languages of each task that has some to choose from."""
    return "; ".join(f"{listed(targets, 'or')} for {name}" for name, targets in with_targets().items())


def with_settings(suited: Iterable[dict], what: str) -> Callable[[Any], Callable]:
    """Give a command an option for each field of Settings in place of its **options; None if it is not given.

    suited are the settings that suit each `what`, a task or a method: they are the defaults.
    """

    def wrap(command):
        parameters = [one for one in signature(command).parameters.values() if one.kind is not Parameter.VAR_KEYWORD]
        for setting in fields(Settings):
            default = "" if setting.default is None else f" Default: {setting.default}."
            values = {settings.get(setting.name, setting.default) for settings in suited}
            if len(values) > 1:
                default = f" Default: what suits the {what}, {min(values)} to {max(values)}."
            elif values != {setting.default}:
                default = f" Default: {min(values)}."
            option = typer.Option(help=setting.metadata["help"] + default, rich_help_panel="How to train")
            annotation = Annotated[setting.type | None, option]  # type: ignore[name-defined]  # known when it runs
            parameters.append(Parameter(setting.name, Parameter.KEYWORD_ONLY, default=None, annotation=annotation))
        command.__signature__ = Signature(parameters)
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return wrap


def given(options: dict) -> dict:
    """The options that were given."""
    return {name: value for name, value in options.items() if value is not None}


@app.command(
    help="Train a model. Ctrl-C writes a checkpoint; the same command with --resume continues from it.\n\n"
    f"\b\nTASK is one of these, or a file or folder of yours:\n{tasks_in_words()}\n\n"
    "A .tsv, .po or .mo file holds pairs of texts to translate; any other file, or a folder, holds text to continue."
    "\n\nSeveral GPUs or processes: torchrun --nproc-per-node 2 -m transformer_lab train ..."
)
@with_settings([task.settings for task in TASKS.values()] + [FILE_SETTINGS], "task")
def train(
    task: Annotated[str, typer.Argument(metavar="TASK", help="The name of a task, or the path of a file or folder.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for the model, metrics.jsonl and checkpoints/.")],
    target: Annotated[str | None, typer.Option(help=f"Language to translate into: {targets_in_words()}.")] = None,
    preset: Annotated[
        str, typer.Option(help='"nano" for a CPU, or "small" for a GPU, each with the settings that suit it ...')
    ] = "nano",
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint in --out.")] = False,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write curves for TensorBoard.")] = False,
    device: Device = None,
    **options,
):
    with mistakes_in_one_sentence():
        choose(device)
        from .tasks.catalogue import make_task, settings_for

        settings = Settings(**settings_for(task, preset) | given(options))
        # The ids are kept next to the run, not in it, so that the next run on the same text finds them too.
        ids_folder = path_of(out).parent if is_first_process() else None
        make = partial(make_task, task, target, preset, settings.seed, ids_folder=ids_folder)
        run_training(make, settings, path_of(out), resume, tensorboard)


@app.command(
    "fine-tune",
    help="Teach an old model the labels of a file of yours, and keep only what it has learnt, in small files.\n\n"
    "FILE is a .tsv file (text, one tab, label) or a .jsonl file, in each line "
    '{"text": "...", "label": "..."} or {"words": [...], "tags": [...]}, with tags such as B-PER, I-PER and O. '
    "A fifth of its texts is held out to measure on. `label` uses the result, `evaluate` measures it again.",
)
@with_settings(TUNING_SETTINGS.values(), "method")
def fine_tune(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The labelled file.")],
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for what is learnt, metrics.jsonl and checkpoints/.")],
    base: Annotated[str, typer.Option(help="The old model, a BERT: minilm, a folder, or an id of the hub.")] = "minilm",
    method: Annotated[str, typer.Option(help=f"What is learnt: {listed(TUNING_SETTINGS, 'or')}.")] = "lora",
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint in --out.")] = False,
    device: Device = None,
    **options,
):
    with mistakes_in_one_sentence():
        choose(device)
        from .arguments import check_choice
        from .tasks.labelled_file import fine_tuning_task

        check_choice("method", method, TUNING_SETTINGS)
        settings = Settings(**TUNING_SETTINGS[method] | given(options))
        make = partial(fine_tuning_task, path_of(file), base, method, settings.seed)
        run_training(make, settings, path_of(out), resume)


def run_training(make: Callable[[], Any], settings: Settings, folder: Path, resume: bool, tensorboard=False) -> None:
    """Make a task and train its model in the folder; ends the program if the training is interrupted."""
    from .training.loop import train
    from .training.run import check_folder
    from .training.tensorboard import TensorBoard

    curves = [TensorBoard(folder / "tensorboard")] if tensorboard else []
    is_first = is_first_process()  # only this one writes and prints
    if is_first:
        check_folder(folder, resume)
    task = make()
    if task.about and is_first:
        typer.echo(task.about)
    # In a file or a pipe the lines of print_evaluation are enough.
    history = train(task, settings, folder, resume, [print_evaluation, *curves], progress=is_watched())
    if is_first:
        report(history, folder, settings.steps, settings.patience)
    if history.interrupted:
        raise typer.Exit(130)


@app.command(
    help="Label texts with a model that `fine-tune` or `train` wrote: a class for each, or a tag for each word."
)
def label(
    model: Model,
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="What to label.")],
    device: Device = None,
):
    with mistakes_in_one_sentence():
        from .tasks.labelling import labelled

        labeller, tokenizer = loaded(model, device, "Classifier", "Tagger")
        tell_unknown(model, tokenizer, texts)
        for line in labelled(labeller, tokenizer, texts):
            typer.echo(line)


def print_evaluation(now) -> None:
    """A listener: print a line for each evaluation, above the progress bar."""
    if now.metrics is not None:
        from tqdm.auto import tqdm

        metrics = ", ".join(f"{name} {value:.4f}" for name, value in now.metrics.items())
        tqdm.write(f"step {now.step:>5}  loss {now.loss:.3f}, {metrics}, {now.tokens_per_s:,.0f} tokens/s")


def report(history, out: Path, steps: int, patience: int | None) -> None:
    """Print how a training run ended."""
    if history.interrupted:
        typer.echo(f"Interrupted; a checkpoint is in {out / 'checkpoints'}. The same command with --resume continues.")
        return
    if patience and history.best["step"] != history.evaluations[-1]["step"]:
        early = "Stopped early; t" if history.evaluations[-1]["step"] < steps else "T"
        typer.echo(f"{early}he best model, that of step {history.best['step']}, is kept.")
    typer.echo(f"Written: {out / 'model.safetensors'}, {out / 'config.json'}, {out / 'metrics.jsonl'}")


@app.command(help="Translate texts with an encoder-decoder, one line each.")
def translate(
    model: Model,
    texts: Annotated[list[str], typer.Argument(metavar="TEXT...", help="What to translate.")],
    beams: Annotated[
        int, typer.Option(help="Number of beams: how many partial translations are kept at each step; at most 1000.")
    ] = 1,
    device: Device = None,
):
    with mistakes_in_one_sentence():
        from .generation import translate as run_translation

        if beams > MOST_BEAMS:
            raise ValueError(
                f"beams must be at most {MOST_BEAMS} here, for more take minutes; got {beams}. Translation systems "
                "keep 4 to 10. In Python, translate() takes any number."
            )
        translator, tokenizer = loaded(model, device, "Transformer")
        tell_unknown(model, tokenizer, texts)
        for line in run_translation(translator, tokenizer, list(texts), beams=beams):
            typer.echo(line)


@app.command(help="Continue a text with a decoder.")
def generate(
    model: Model,
    prompt: Annotated[str, typer.Argument(help="The text to continue.")],
    max_new_tokens: Annotated[
        int | None, typer.Option(help="Tokens to write; by default 100, or as many as the model's max_len allows.")
    ] = None,
    temperature: Annotated[
        float, typer.Option(help="0: always the most probable token; 1: sample from the model's probabilities.")
    ] = 0,
    top_k: Annotated[int | None, typer.Option(help="Sample from the k most probable tokens only.")] = None,
    top_p: Annotated[
        float | None, typer.Option(help="Sample from the fewest tokens whose probabilities add up to p.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the sampling, which then gives the same text each time.")
    ] = None,
    device: Device = None,
):
    with mistakes_in_one_sentence():
        import torch

        from .generation import generate as run_generation

        gpt, tokenizer = loaded(model, device, "GPT")
        tell_unknown(model, tokenizer, [prompt])
        ids = torch.tensor([tokenizer.encode(prompt)], dtype=torch.long, device=next(gpt.parameters()).device)
        if not ids.numel():
            raise ValueError("The prompt is empty; wanted a text to continue.")
        if max_new_tokens is None:  # the last token is written and not read
            max_new_tokens = max(1, min(100, gpt.config.max_len + 1 - ids.shape[1]))
        chance: dict[str, Any] = dict(temperature=temperature, top_k=top_k, top_p=top_p, seed=seed)
        written = run_generation(gpt, ids, max_new_tokens, stop=tokenizer.eos_id, **chance)
        typer.echo(tokenizer.decode(written[0]))


@app.command(
    help="Search Python's documentation, or texts of your own, by meaning: ask in your own words.\n\n"
    "The passages that fit best are shown, each with its score (the cosine of two vectors, at most 1), its title and "
    "where it is from."
)
def search(
    question: Annotated[str, typer.Argument(help="What you want to know.")],
    place: Annotated[
        str | None, typer.Option("--in", metavar="PATH", help="A text file, or a folder of them, to search instead.")
    ] = None,
    k: Annotated[int, typer.Option("--k", "-k", help="How many passages to show.")] = 3,
):
    with mistakes_in_one_sentence():
        from .search import SearchEngine

        engine = SearchEngine.of_python_docs() if place is None else SearchEngine.of_texts(place)
        for hit in engine.search(question, k):
            title, source = hit.passage.title, hit.passage.source
            where = f"help({source!r})" if place is None else source
            typer.echo(f"{hit.score:.2f}  {where if title == source else f'{title}  [{where}]'}\n")
            typer.echo(indent(hit.passage.text, "      ") + "\n")


@app.command(help="Evaluate a trained model on the held-out examples of its task.")
def evaluate(
    model: Model,
    data: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="What it was trained on, if that file or folder has been moved."),
    ] = None,
    device: Device = None,
):
    with mistakes_in_one_sentence():
        from .tasks.catalogue import saved_task
        from .training.loop import evaluate as run_evaluation

        choose(device)
        task = saved_task(model, data)
        if task.about:
            typer.echo(task.about)
        for name, value in run_evaluation(task).items():
            typer.echo(f"{name:<20} {value:.4f}")


@app.command(help="Write a page that shows every head's attention while the model reads (or translates) a text.")
def view(
    model: Model,
    text: Annotated[str, typer.Argument(help="What the model reads, or translates.")],
    out: Annotated[
        str, typer.Option("--out", "-o", metavar="FILE", help="The file to write: .html, or a picture, .png or .svg.")
    ],
    device: Device = None,
):
    with mistakes_in_one_sentence():
        require_packages("The view", "anywidget", "anyascii")
        from .viz import AttentionView, saved_page
        from .viz.attention_view import FORMATS

        target = saved_page.target(out, FORMATS)  # a path that cannot be written is refused before the work
        path = AttentionView.from_model(*loaded(model, device), text).save(target)
        typer.echo(f"Written: {path}" + (" (open it in a browser)" if path.suffix.lower() == ".html" else ""))


def loaded(name: str, device: str | None, *kinds: str) -> tuple[Any, Any]:
    """(model, tokenizer), the model on its device; ValueError if it is not of one of these kinds."""
    choose(device)
    from .device import pick_device
    from .pretrained import load

    model, tokenizer = load(name)
    if kinds and type(model).__name__ not in kinds:
        raise ValueError(f"{name} is {kind_of(model)}; this command needs a {' or '.join(kinds)}.")
    return model.to(pick_device()), tokenizer


def tell_unknown(name: str, tokenizer, texts: Iterable[str]) -> None:
    """One line, beside the output, if texts hold words that the model's tokenizer does not know."""
    unknown = list(dict.fromkeys(piece.strip() for text in texts for piece in tokenizer.unknown(text)))
    if unknown:
        more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
        typer.echo(
            f"{name} does not know {', '.join(map(repr, unknown[:5]))}{more}: it reads the same sign for each.",
            err=True,
        )


def choose(device: str | None) -> None:
    """Make pick_device choose this device."""
    if device is not None:
        os.environ["TRANSFORMER_LAB_DEVICE"] = device


@app.command(
    help="Train a translator of dates, English -> Chinese, print how good it is, and save it with its attention."
)
def demo(
    out: Annotated[str, typer.Option(metavar="DIR", help="Folder for the model and its picture.")] = "demo",
    seed: Annotated[int, typer.Option(help="Seed of the weights, the training dates and their order.")] = 0,
):
    with mistakes_in_one_sentence():
        require_packages("The demo", "babel", "anywidget", "anyascii")
        from .demo import run

        run(path_of(out), seed)


@app.command(help="Show what this machine has: Python, torch, the device, and the packages of the course.")
def doctor():
    from .doctor import report

    with mistakes_in_one_sentence():
        typer.echo(report())


@app.command(
    help="Show what you have done, lesson by lesson: questions, points, guesses. None of it leaves this machine."
)
def progress():
    from .grading import my_progress

    with mistakes_in_one_sentence():
        typer.echo(str(my_progress()))


@app.command(
    help="Show the map of the course: what is done of each lesson, where to go on, and all points, guesses and hours."
)
def home():
    from .grading import course_home

    with mistakes_in_one_sentence():
        typer.echo(str(course_home()))


@app.command(
    help="Write a notebook as one web page that needs no network: formulas, pictures and all. It is put beside it."
)
def export(
    notebook: Annotated[str, typer.Argument(help="The notebook, such as notebooks/02_attention.ipynb.")],
    out: Annotated[str | None, typer.Option(metavar="FILE", help="The page, if it is to stand elsewhere.")] = None,
):
    with mistakes_in_one_sentence():
        require_packages("The export", "nbconvert", "latex2mathml")
        from .export import export as write_page

        typer.echo(write_page(path_of(notebook), path_of(out) if out else None))


@app.command(
    help="Restore a lesson's exercises, unsolved; answers written in them are kept in a backup next to the notebook."
)
def reset(
    lesson: Annotated[str, typer.Argument(help='Number or name of the lesson: "02" or "02_attention".')],
    folder: Annotated[str, typer.Option(metavar="DIR", help="The course's exercises folder.")] = "exercises",
):
    from .exercise_files import reset as restore

    with mistakes_in_one_sentence():
        path, kept = restore(lesson, path_of(folder))
    typer.echo(f"{path} is as it was originally." + (f" Your answers are in {kept}." if kept else ""))
    typer.echo("If it is open in JupyterLab: File > Reload Notebook from Disk.")
