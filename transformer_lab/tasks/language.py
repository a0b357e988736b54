"""A decoder learns to continue text: the documentation of Python, or a user's own files."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Int, Integer
from torch import Tensor

from ..analysis.reading import text_attention
from ..config import TransformerConfig
from ..data.documents import SEPARATOR, join, split_documents
from ..data.files import kept_path, naming, read_documents, read_long_text
from ..data.kept_ids import kept_ids
from ..data.long_text import LONG, LongText, watched
from ..data.tokenizers import BPETokenizer, Tokenizer
from ..device import seed_everything
from ..files import path_of
from ..generation import generate
from ..metrics import bits_per_character, perplexity
from ..models import GPT
from .task import Task, content_hash

STYLE = dict(positions="rotary", scale_embeddings=False)  # initialised as GPT-2
LONGEST_VALIDATION = 1_000_000  # characters: more would make evaluations longer, but hardly more precise
# For each token, byte pairs are learnt from at most this many bytes of text: learning takes up to 100 bytes per byte.
BYTES_A_TOKEN = 5_000


class Language(Task):
    """The model learns windows of max_len tokens from anywhere in the text; the validation text is not part of it."""

    metric = "bits_per_character"
    higher_is_better = False
    tokenizer: Tokenizer
    model: GPT

    def __init__(
        self,
        description: dict,
        text: str | LongText,
        validation: str,
        tokenizer: Tokenizer,
        preset: str = "nano",
        seed: int = 0,
        ids_folder: Path | None = None,
        **changes,
    ):
        config = TransformerConfig.preset(preset, vocab_size=len(tokenizer), **{**STYLE, **changes})
        if config.max_len < 4:
            raise ValueError(f"max_len must be at least 4; got {config.max_len}.")
        self.description, self.tokenizer, self.validation = description, tokenizer, validation
        self.text = LongText([text]) if isinstance(text, str) else text
        self.ids_folder = ids_folder
        seed_everything(seed)
        self.model = GPT(config)

    @cached_property
    def ids(self) -> Integer[np.ndarray, "n"]:
        """The text's ids, computed when they are first used: a model that is only evaluated does not need them."""
        # Only for byte pairs may a text be cut into chunks.
        chunks = self.text.chunks() if isinstance(self.tokenizer, BPETokenizer) else ["".join(self.text)]
        chunks = watched(chunks, self.text.n_characters, "Text to tokens")
        if self.ids_path is None:
            ids = self.tokenizer.encode_chunks(chunks)
        else:
            ids = kept_ids(self.ids_path, np.dtype(self.tokenizer.typecode), self.tokenizer.encode_pieces(chunks))
        max_len = self.model.config.max_len
        if len(ids) <= max_len:
            raise ValueError(
                f"{self.description['task']}: the text is too short, {len(ids)} tokens; a window needs {max_len + 1}."
            )
        return ids

    @cached_property
    def ids_path(self) -> Path | None:
        """The file in which a LONG text's ids are kept, named after text and tokenizer; None if they are not kept."""
        if self.ids_folder is None or self.text.n_characters < LONG:
            return None
        return self.ids_folder / f"text-{content_hash([self.text, self.tokenizer])}.ids"

    @property  # computed from the ids, which are computed only when needed
    def examples(self) -> range:  # type: ignore[override]
        """The positions at which a window may begin."""
        return range(len(self.ids) - self.model.config.max_len)

    @cached_property
    def validation_ids(self) -> Int[Tensor, "n"]:
        return torch.tensor(self.tokenizer.encode(self.validation))

    def collate(self, starts: list[int]) -> dict[str, Tensor]:
        """The label at each position is the next token."""
        n = self.model.config.max_len + 1
        windows = torch.from_numpy(np.stack([self.ids[start : start + n] for start in starts]).astype(np.int64))
        return {"ids": windows[:, :-1], "labels": windows[:, 1:]}

    def contents(self):
        return {"data": self.text, "held_out": self.validation, "tokenizer": self.tokenizer}

    def logits(self, network, batch):
        return network(batch["ids"])

    def evaluate(self) -> dict[str, float]:
        """For the validation text: nats per token, perplexity (both depend on the tokenizer) and bits per character."""
        ids = self.validation_ids.to(self.device)
        nats, n_tokens = text_nats(self.model, ids, self.tokenizer.id_of("bos")), len(ids)
        return self.defined(
            {
                "validation_loss": nats / n_tokens,
                "perplexity": perplexity(nats, n_tokens),
                "bits_per_character": bits_per_character(nats, len(self.validation)),
            }
        )

    def sample(self) -> str:
        """The beginning of the validation text, and a continuation drawn from the model."""
        n = self.model.config.max_len // 4  # with 2n new tokens still shorter than the windows of training
        prompt = self.validation_ids[None, :n].to(self.device)
        ids = generate(self.model, prompt, 2 * n, temperature=0.7, seed=0)
        return self.tokenizer.decode(ids[0])

    def attention(self):
        ids = self.validation_ids[: self.model.config.max_len // 2].tolist()
        return text_attention(self.model, self.tokenizer, ids)


@torch.no_grad()
def text_nats(model: GPT, ids: Int[Tensor, "n"], bos_id: int, batch_size: int = 64) -> float:
    """The loss in nats, summed over all tokens of a text.

    Windows of max_len tokens overlap by half: each token is predicted once, from at least the max_len / 2 tokens before
    it or, at the beginning of the text, from all tokens before it and [BOS].
    """
    context_len = model.config.max_len
    stride = context_len // 2
    text = torch.cat((ids.new_tensor([bos_id]), ids))
    starts = range(0, max(1, len(ids) - (context_len - stride)), stride)
    total = 0.0
    for first in range(0, len(starts), batch_size):
        chosen = starts[first : first + batch_size]
        pieces = [text[start : start + context_len + 1] for start in chosen]
        windows = torch.nn.utils.rnn.pad_sequence(pieces, batch_first=True, padding_value=-1)
        labels = windows[:, 1:].clone()
        for row, start in enumerate(chosen):
            if start > 0:
                labels[row, : context_len - stride] = -1  # the previous window has predicted them
        logits = model(windows[:, :-1].clamp(min=0))
        loss = F.cross_entropy(logits.flatten(end_dim=1).float(), labels.flatten(), ignore_index=-1, reduction="sum")
        total += loss.item()
    return total


def docs(
    only_topics: bool = False,
    vocab_size: int = 512,
    preset: str = "nano",
    seed: int = 0,
    tokenizer: Tokenizer | None = None,
    **changes,
) -> Language:
    """Python's own documentation: the language reference and, unless only_topics, the library's docstrings."""
    from ..data import python_docs

    train, validation = python_docs.train_and_validation(only_topics)
    description = {"task": "docs", "only_topics": only_topics, "vocab_size": vocab_size, "seed": seed}
    task = language(description, join(train), join(validation), vocab_size, preset, seed, tokenizer, **changes)
    task.about = python_docs.describe(only_topics)
    return task


def text_files(
    path, vocab_size: int = 512, preset: str = "nano", seed: int = 0, tokenizer: Tokenizer | None = None, **changes
) -> Language:
    """A text file, or a folder of them; a tenth, at most LONGEST_VALIDATION characters, is the validation text.

    In a folder it consists of whole documents; in a single text it is the end. The ids of a long text are kept in a
    file in ids_folder, if that is given, and read there the next time.
    """
    path = path_of(path)
    text, validation = split_folder(path) if path.is_dir() else split_text(read_long_text(path))
    description = {"task": kept_path(path), "vocab_size": vocab_size, "seed": seed}
    task = language(description, text, validation, vocab_size, preset, seed, tokenizer, **changes)
    task.about = f"{path}: {text.n_characters:,} characters to learn from, {len(validation):,} held out."
    if tokenizer is None and text.n_bytes > BYTES_A_TOKEN * vocab_size:
        task.about += f" Byte pairs are learnt from {BYTES_A_TOKEN * vocab_size:,} bytes of them, evenly spread."
    if task.ids_path is not None:
        task.about += f" The text's tokens are kept in {task.ids_path}."
    return task


def split_folder(path: Path) -> tuple[LongText, str]:
    """(training, validation) of a folder's texts."""
    documents = read_documents(path)
    if len(documents) == 1:
        return split_text(LongText([documents[0].text]))
    share = validation_share(sum(len(document.text) for document in documents))
    with naming(path):
        training, validation = split_documents(documents, share)
    text = LongText()
    for i, document in enumerate(training):
        text.append(SEPARATOR * (i > 0) + document.text)
    return text, join(validation)


def split_text(text: LongText) -> tuple[LongText, str]:
    """(training, validation): a text without its end, and the end."""
    training, validation = text.cut(validation_share(text.n_characters))
    return training, "".join(validation)


def validation_share(n_characters: int) -> float:
    """The share of a text of this length that is held out."""
    return min(0.1, LONGEST_VALIDATION / n_characters)


def language(
    description, text: str | LongText, validation, vocab_size, preset, seed, tokenizer=None, **changes
) -> Language:
    """A task whose byte pairs are learnt from the training text alone; with a tokenizer, one that is only evaluated."""
    text = LongText([text]) if isinstance(text, str) else text
    if tokenizer is not None:
        return Language(description, text, validation, tokenizer, preset, seed=seed, **changes)
    n_bytes = BYTES_A_TOKEN * vocab_size
    sample = watched(text.sample(n_bytes), min(text.n_characters, n_bytes), "Learning byte pairs")
    task = Language(description, text, validation, BPETokenizer.train(sample, vocab_size), preset, seed=seed, **changes)
    len(task.examples)  # raises ValueError now, not when training begins, if the text is too short
    return task
