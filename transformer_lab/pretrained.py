"""Models on disk: a folder with model.safetensors, config.json and tokenizer.json."""

import json
import tempfile
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from .config import TransformerConfig
from .data.tokenizers import WordTokenizer
from .models import Transformer

PACKAGED = Path(__file__).parent / "weights"


def save(model: Transformer, tokenizer: WordTokenizer, folder) -> None:
    """Write the model (weights in 16 bits) and its tokenizer into folder, which is made if need be."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    # Everything is written beside the folder's files first: a full disk or an interrupt leaves the old model whole.
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        new = Path(unfinished)
        weights = {name: tensor.half().contiguous().cpu() for name, tensor in model.state_dict().items()}
        save_file(weights, new / "model.safetensors")
        (new / "config.json").write_text(json.dumps(asdict(model.config), indent=2) + "\n")
        tokenizer.save(new / "tokenizer.json")
        for path in new.iterdir():
            path.chmod(0o644)
            path.replace(folder / path.name)


def load(name: str | Path) -> tuple[Transformer, WordTokenizer]:
    """(model, tokenizer) of a packaged model ("dates") or of a folder that `save` wrote; float32, on the CPU.

    Raises FileNotFoundError, naming what there is, when the name is neither.
    """
    packaged = sorted(path.name for path in PACKAGED.iterdir() if path.is_dir())
    folder = PACKAGED / name if name in packaged else Path(name)
    if not (folder / "model.safetensors").is_file():
        raise FileNotFoundError(
            f"No model called {str(name)!r}: give one of {', '.join(packaged)}, or a folder with model.safetensors."
        )
    model = Transformer(TransformerConfig(**json.loads((folder / "config.json").read_text())))
    model.load_state_dict({key: t.to(torch.float32) for key, t in load_file(folder / "model.safetensors").items()})
    return model.eval(), WordTokenizer.load(folder / "tokenizer.json")
