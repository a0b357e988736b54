"""Adapted models, in small files: what was learnt, and the name and checksum of the model that it was learnt on."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from safetensors.torch import load_file, save_file

from ..arguments import is_whole
from ..classifiers import Classifier, Labeller, Tagger
from ..data.files import found_again, kept_path
from ..data.tokenizers import Tokenizer
from ..files import make_folder, path_of, read_json, to_json, whole_file
from ..fine_tuning import learnt, prepare
from ..models import BERT, Model
from ..sentences import kind_of
from ..tasks.task import content_hash
from .names import COURSE, COURSE_MODELS, name_in_course
from .safetensors_file import check_finite, checked, read_shapes, sha256

LABELLERS: dict[str, type[Labeller]] = {"Classifier": Classifier, "Tagger": Tagger}
Load = Callable[[str | Path], tuple[Model, Tokenizer]]


@dataclass(frozen=True)
class Adaptation:
    """What was done to which model: the method and its options, the base's name, and a checksum of what it is."""

    base: str
    checksum: str
    method: str
    options: dict[str, Any]


def adapted(
    base: str | Path, method: str, kind: type[Labeller] | None, labels: Sequence[str], options: dict, load: Load
) -> tuple[Model, Tokenizer]:
    """Return (model, tokenizer) as `adapt` does."""
    model: Any  # with an attribute more than models have
    model, tokenizer = load(base)
    if hasattr(model, "adaptation"):
        raise ValueError(f"{base} is itself a change of {model.adaptation.base}: give that one.")
    checksum = content_hash([model.state_dict(), tokenizer])
    if kind is not None:
        if not isinstance(model, BERT):
            raise ValueError(f"{base} is {kind_of(model)}; a {kind.__name__} needs a BERT, such as minilm.")
        model = kind.on(model, labels)
    prepare(model, method, **options)
    if method != "everything":  # of which nothing old is left: it is saved whole
        model.adaptation = Adaptation(recorded(base), checksum, method, options)
    return model, tokenizer


def recorded(base: str | Path) -> str:
    """Return a base's name as it will be found again: course:minilm, a path from here, or an id of the hub."""
    ours = name_in_course(base, COURSE_MODELS)
    if ours is not None:
        return f"{COURSE}{ours}"
    return kept_path(path_of(base)) if path_of(base).exists() else str(base)


def save_adapted(model: Model, folder, task: dict | None = None) -> None:
    """Write what was learnt (float32, so that nothing is rounded) and what it belongs to into the folder."""
    adaptation = cast(Adaptation, model.adaptation)
    weights = {name: parameter.detach().cpu().contiguous() for name, parameter in learnt(model).items()}
    check_finite(weights)
    folder = make_folder(path_of(folder))
    with whole_file(folder / "config.json") as config_path, whole_file(folder / "model.safetensors") as weights_path:
        save_file(weights, weights_path)
        config = {
            "model": type(model).__name__,
            **({"labels": model.labels} if isinstance(model, Labeller) else {}),
            "adaptation": asdict(adaptation),
            **({"task": task} if task else {}),
            "sha256": sha256(weights_path),
        }
        config_path.write_text(to_json(config, indent=2) + "\n", encoding="utf-8")


def is_adapted(folder: Path) -> bool:
    """Return whether the folder holds an adapted model."""
    return (folder / "config.json").is_file() and "adaptation" in read_json(folder / "config.json")


def load_adapted(folder: Path, load: Load) -> tuple[Model, Tokenizer]:
    """Find the base of an adapted model with `load`, and put what was learnt on it.

    Raises FileNotFoundError if the base is not here, ValueError if it is another model now, or a file is damaged.
    """
    fields = read_json(folder / "config.json")
    model: Any
    path = folder / "model.safetensors"
    try:
        adaptation = Adaptation(**fields["adaptation"])
        kind, labels = LABELLERS.get(fields["model"]), fields.get("labels", ())
        check_options(adaptation.options, read_shapes(checked(path, fields["sha256"])))
        found = find_base(adaptation.base, folder)
        if isinstance(found, Path) and is_adapted(found):  # perhaps this one
            raise ValueError(f"{folder / 'config.json'} names another adapted model, {found}, as its base.")
        model, tokenizer = adapted(found, adaptation.method, kind, labels, adaptation.options, load)
    except FileNotFoundError as error:
        if not path.is_file():
            raise
        raise FileNotFoundError(f"{folder} needs {adaptation.base}, on which it was learnt. {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{folder / 'config.json'} describes no adapted model: {error}.") from error
    if model.adaptation.checksum != adaptation.checksum:
        raise ValueError(f"{folder} was learnt on another model than {adaptation.base} is now: its checksum differs.")
    wanted = {name: tuple(parameter.shape) for name, parameter in learnt(model).items()}
    if read_shapes(path) != wanted:
        raise ValueError(f"{path} does not hold what the method {adaptation.method!r} learns.")
    model.load_state_dict(load_file(path), strict=False)
    model.adaptation = adaptation
    return model.eval(), tokenizer


def check_options(options: dict, shapes: dict[str, tuple[int, ...]]) -> None:
    """Raise ValueError if an option, such as a rank, cannot be that of these weights, before it takes memory."""
    longest = max((size for shape in shapes.values() for size in shape), default=0)
    for name, value in options.items():
        if is_whole(value) and value > longest:
            raise ValueError(f"{name} is {value}, but no weight is larger than {longest}.")


def find_base(base: str, folder: Path) -> str | Path:
    """Return the base's name or path, as `load` takes it; a path is looked for around the folder, too."""
    try:
        return base if base.startswith(COURSE) else found_again(base, folder)
    except FileNotFoundError:  # no path: an id of the hub, or `load` says that it is not there
        return base
