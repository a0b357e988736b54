"""A decoder learns to go on with text: the documentation of Python, or files of one's own."""

from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from ..analysis import text_attention
from ..config import TransformerConfig
from ..data.tokenizers import BPETokenizer, Tokenizer
from ..device import seed_everything
from ..generation import generate
from ..metrics import bits_per_character, perplexity
from ..models import GPT
from .task import Task

STYLE = dict(positions="rotary")


class Language(Task):
    """Windows of max_len tokens from anywhere in the text are learnt; validation is text that is not in it."""

    metric = "bits_per_character"
    higher_is_better = False

    def __init__(
        self,
        description: dict,
        text: str,
        validation: str,
        tokenizer: Tokenizer,
        preset: str = "nano",
        seed: int = 0,
        **changes,
    ):
        config = TransformerConfig.preset(preset, vocab_size=len(tokenizer), **{**STYLE, **changes})
        if config.max_len < 4:
            raise ValueError(f"max_len must be at least 4; got {config.max_len}.")
        self.description, self.tokenizer, self.validation = description, tokenizer, validation
        self.ids = torch.tensor(tokenizer.encode(text))
        if len(self.ids) <= config.max_len:
            raise ValueError(f"The text has {len(self.ids)} tokens; a window needs {config.max_len + 1}.")
        self.examples = range(len(self.ids) - config.max_len)  # where a window begins
        seed_everything(seed)
        self.model = GPT(config)

    def collate(self, starts: list[int]) -> dict[str, Tensor]:
        """Each position is to predict the token behind it."""
        windows = self.ids[torch.tensor(starts)[:, None] + torch.arange(self.model.config.max_len + 1)]
        return {"ids": windows[:, :-1], "labels": windows[:, 1:]}

    def contents(self):
        return {"data": self.ids, "held_out": self.validation, "tokenizer": self.tokenizer}

    def logits(self, network, batch):
        return network(batch["ids"])

    def evaluate(self) -> dict[str, float]:
        """Of the validation text: nats a token, perplexity (these depend on the tokenizer), bits a character."""
        ids = torch.tensor(self.tokenizer.encode(self.validation), device=self.device)
        nats, n_tokens = text_nats(self.model, ids, self.tokenizer.bos_id), len(ids)
        return {
            "validation_loss": nats / n_tokens,
            "perplexity": perplexity(nats, n_tokens),
            "bits_per_character": bits_per_character(nats, len(self.validation)),
        }

    def sample(self) -> str:
        """The validation text's beginning, and how the model goes on: drawn, not the most probable."""
        n = self.model.config.max_len // 4
        prompt = torch.tensor([self.tokenizer.encode(self.validation)[:n]], device=self.device)
        ids = generate(self.model, prompt, 2 * n, temperature=0.7, seed=0)
        return self.tokenizer.decode(ids[0])

    def attention(self):
        ids = self.tokenizer.encode(self.validation)[: self.model.config.max_len // 2]
        return text_attention(self.model, self.tokenizer, ids)


@torch.no_grad()
def text_nats(model: GPT, ids: Int[Tensor, "n"], bos_id: int, batch_size: int = 64) -> float:
    """The loss in nats, summed over all tokens of a text.

    Windows of max_len tokens overlap by half: each token is predicted once, from at least max_len / 2 tokens before it
    (the text's first tokens from all there are, and [BOS]).
    """
    context_len = model.config.max_len
    stride = context_len // 2
    text = torch.cat((ids.new_tensor([bos_id]), ids))
    starts = range(0, max(1, len(ids) - (context_len - stride)), stride)
    total = 0.0
    for first in range(0, len(starts), batch_size):
        chosen = starts[first : first + batch_size]
        windows = [text[start : start + context_len + 1] for start in chosen]
        windows = torch.nn.utils.rnn.pad_sequence(windows, batch_first=True, padding_value=-1)
        labels = windows[:, 1:].clone()
        for row, start in enumerate(chosen):
            if start > 0:
                labels[row, : context_len - stride] = -1  # the window before has predicted them
        logits = model(windows[:, :-1].clamp(min=0))
        loss = F.cross_entropy(logits.flatten(end_dim=1).float(), labels.flatten(), ignore_index=-1, reduction="sum")
        total += loss.item()
    return total


def docs(only_topics: bool = False, vocab_size: int = 512, preset: str = "nano", seed: int = 0, **changes) -> Language:
    """Python's own documentation: the language reference and, unless only_topics, the library's docstrings."""
    from ..data import python_docs
    from ..data.documents import join

    train, validation = python_docs.train_and_validation(only_topics)
    description = {"task": "docs", "only_topics": only_topics, "vocab_size": vocab_size, "seed": seed}
    task = language(description, join(train), join(validation), vocab_size, preset, seed, **changes)
    task.about = python_docs.describe(only_topics)
    return task


def text_files(path, vocab_size: int = 512, preset: str = "nano", seed: int = 0, **changes) -> Language:
    """A text file or a folder of them; a tenth of the documents, or the last tenth of a single one, is validation."""
    from ..data.documents import join, split_documents
    from ..data.files import read_documents
    from ..data.python_docs import raw_cut

    documents = read_documents(path)
    if len(documents) == 1:
        train, validation = raw_cut(documents[0].text)
    else:
        train, validation = map(join, split_documents(documents))
    description = {"task": str(Path(path).resolve()), "vocab_size": vocab_size, "seed": seed}
    return language(description, train, validation, vocab_size, preset, seed, **changes)


def language(description, text, validation, vocab_size, preset, seed, **changes) -> Language:
    """Byte pairs learnt from the training text alone, and a model of it."""
    tokenizer = BPETokenizer.train([text], vocab_size)
    return Language(description, text, validation, tokenizer, preset, seed=seed, **changes)
