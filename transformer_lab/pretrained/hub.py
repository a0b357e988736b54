"""Models in Hugging Face's format, from the hub or a folder. `transformers` is imported here and nowhere else."""

from contextlib import contextmanager
from pathlib import Path

import torch

from ..data.tokenizers import Tokenizer, our_tokenizer
from ..models import BERT, GPT
from ..optional import require_packages
from .conversion import convert, our_config, require
from .safetensors_file import check_sizes, read_shapes

CLASSES = {"gpt2": "GPT2LMHeadModel", "llama": "LlamaForCausalLM", "bert": "BertModel"}


def load_hf(name: str) -> tuple[GPT | BERT, Tokenizer]:
    """Load (model, tokenizer) from a folder or a hub id; only safetensors are read, and no code from there is run.

    Raises FileNotFoundError if it is not available, ValueError if our models cannot express it, MissingPackageError if
    transformers is not installed.
    """
    require_packages("Hugging Face's format", "transformers")
    offline = Path(name).is_dir() or not hub_answers()
    try:
        with quiet():
            return convert_hf(name, local_files_only=offline)
    except OSError as error:
        raise FileNotFoundError(first_sentence(error)) from error
    except Exception as error:  # transformers raises whatever it stumbles over in a damaged file
        if type(error) is ValueError:  # a sentence already
            raise
        raise ValueError(f"{name} holds no model that can be read: {first_sentence(error)}.") from error


def first_sentence(error: Exception) -> str:
    """Return the first sentence of transformers' long error messages."""
    return (str(error).splitlines() or [type(error).__name__])[0].partition(". ")[0]


def convert_hf(name: str, local_files_only: bool) -> tuple[GPT | BERT, Tokenizer]:
    """Load the model with transformers, then convert it."""
    import transformers

    fields, _ = transformers.PreTrainedConfig.get_config_dict(name, local_files_only=local_files_only)
    model_class = getattr(transformers, hf_class(fields))
    config = model_class.config_class.from_dict(fields)
    ours = our_config(model_class.__name__, config.to_dict())  # an error now saves a download of gigabytes
    if files := sorted(Path(name).glob("*.safetensors")):  # ... and now a model larger than any memory
        check_sizes(ours, {key: shape for file in files for key, shape in read_shapes(file).items()})
    # Raise an error now if this file is missing: AutoTokenizer might invent an empty vocabulary.
    transformers.utils.cached_file(name, "tokenizer.json", local_files_only=local_files_only)
    theirs, report = model_class.from_pretrained(
        name,
        config=config,
        dtype=torch.float32,
        use_safetensors=True,
        output_loading_info=True,
        local_files_only=local_files_only,
    )
    # Leave out what the file lacks (often BERT's pooler): transformers has filled it with random numbers.
    weights = {key: tensor for key, tensor in theirs.state_dict().items() if key not in report["missing_keys"]}
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        name, local_files_only=local_files_only, trust_remote_code=False
    )
    return convert(model_class.__name__, config.to_dict(), weights), our_tokenizer(tokenizer)


def hf_class(fields: dict) -> str:
    """The class of transformers that reads a model with this config.json; ValueError for another family."""
    family = require({"model_type": None, **fields}, "model_type", *CLASSES)
    return "BertForMaskedLM" if "BertForMaskedLM" in (fields.get("architectures") or ()) else CLASSES[family]


def hub_answers() -> bool:
    """Return whether the hub can be reached. One request: transformers would try six times, for half a minute."""
    from huggingface_hub import constants, get_session

    try:
        get_session().head(constants.ENDPOINT, timeout=5)
    except Exception:  # its class depends on the HTTP library that this version of huggingface_hub is built on
        return False
    return True


@contextmanager
def quiet():
    """Within the block, transformers and huggingface_hub show no progress bars and log errors only."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging

    levels, bars = (logging.get_verbosity(), hub_logging.get_verbosity()), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    hub_logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(levels[0])
        hub_logging.set_verbosity(levels[1])
        if bars:
            logging.enable_progress_bar()
