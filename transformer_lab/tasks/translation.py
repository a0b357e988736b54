"""An encoder-decoder learns to turn one text into another: dates, numbers in words, toy tasks, a file of pairs."""

from array import array
from functools import partial

from torch import Tensor

from ..analysis.reading import translation_attention
from ..config import TransformerConfig
from ..data.files import kept_path, naming, read_pairs, some, split_pairs
from ..data.long_text import watched
from ..data.pairs import Pair
from ..data.tokenizers import BPETokenizer, Tokenizer, WordTokenizer
from ..device import seed_everything
from ..files import path_of
from ..generation import translate
from ..metrics import alignment_accuracy, bleu, chrf
from ..models import Transformer
from ..optional import require_packages
from .task import IGNORED, Task


class Translation(Task):
    """The model learns pairs; each evaluation translates held_out greedily. changes are made to the preset's config."""

    metric = "exact_match"
    tokenizer: Tokenizer
    model: Transformer

    def __init__(
        self,
        description: dict,
        pairs: list[Pair],
        held_out: list[Pair],
        tokenizer: Tokenizer,
        preset: str = "nano",
        seed: int = 0,
        **changes,
    ):
        self.description, self.examples, self.held_out, self.tokenizer = description, pairs, held_out, tokenizer
        self.is_aligned = any(pair.alignment for pair in held_out)
        if not self.is_aligned:  # raise now if it is missing, not at the first evaluation
            require_packages("Measuring translations", "sacrebleu")
        # Arrays, because lists would take four times the memory.
        every_text = [text for pair in pairs + held_out for text in texts(pair)]
        n_characters = sum(map(len, every_text))
        ids = (array("I", tokenizer.encode(one)) for one in watched(every_text, n_characters, "Texts to tokens"))
        self.ids = {pair: (next(ids), next(ids)) for pair in pairs + held_out}
        self.lengths = [sum(map(len, self.ids[pair])) for pair in pairs]
        self.max_new_tokens = 1 + max(len(self.ids[pair][1]) for pair in held_out)  # the longest target, and [EOS]
        longest = max(len(ids) for both in self.ids.values() for ids in both)
        config = TransformerConfig.preset(preset, vocab_size=len(tokenizer), **changes)
        if config.max_len < longest + 1:  # the decoder reads [BOS] too
            config = TransformerConfig.preset(preset, vocab_size=len(tokenizer), **{**changes, "max_len": longest + 1})
        seed_everything(seed)
        self.model = Transformer(config)

    def collate(self, pairs: list[Pair]) -> dict[str, Tensor]:
        """The decoder reads [BOS] and the target, and learns to predict the target and [EOS]."""
        bos, eos = [self.tokenizer.id_of("bos")], [self.tokenizer.id_of("eos")]
        sources, targets = zip(*([ids.tolist() for ids in self.ids[pair]] for pair in pairs), strict=True)
        source, source_mask = self.tokenizer.pad(list(sources))
        target, target_mask = self.tokenizer.pad([bos + ids for ids in targets])
        labels, _ = self.tokenizer.pad([ids + eos for ids in targets])
        return {
            "source": source,
            "target": target,
            "source_mask": source_mask,
            "target_mask": target_mask,
            "labels": labels.masked_fill(~target_mask, IGNORED),
        }

    def logits(self, network, batch):
        # Padding is on the right, where the causal mask hides it from every label: the target needs no mask.
        return network(batch["source"], batch["target"], batch["source_mask"])

    def evaluate(self) -> dict[str, float]:
        """exact_match, with alignment_accuracy if gold alignments are known, otherwise with chrf and bleu."""
        sources, targets = [pair.source for pair in self.held_out], [pair.target for pair in self.held_out]
        outputs = translate(self.model, self.tokenizer, sources, self.max_new_tokens)
        hits = sum(output == target for output, target in zip(outputs, targets, strict=True))
        metrics = {"exact_match": hits / len(targets)}
        if self.is_aligned:
            return metrics | {"alignment_accuracy": alignment_accuracy(self.model, self.tokenizer, self.held_out)}
        return self.defined(metrics | {"chrf": chrf(outputs, targets), "bleu": bleu(outputs, targets)})

    def sample(self) -> str:
        source = self.held_out[0].source
        return f"{source} -> {translate(self.model, self.tokenizer, [source], self.max_new_tokens)[0]}"

    def attention(self):
        # The decoder reads the reference translation, so that the picture has the same rows at every step of training.
        pair = self.held_out[0]
        return translation_attention(self.model, self.tokenizer, pair.source, target=pair.target)


def texts(pair: Pair) -> tuple[str, str]:
    """Its source and target."""
    return pair.source, pair.target


def word_tokenizer(pairs: list[Pair], spaces: bool) -> WordTokenizer:
    """A tokenizer for which every word and every sign of the pairs is one token."""
    return WordTokenizer.train((text for pair in pairs for text in texts(pair)), spaces)


def dates(target: str = "zh", n: int = 5000, preset: str = "nano", seed: int = 0, **changes) -> Translation:
    """Dates, English -> Chinese ("zh"), German ("de") or French ("fr")."""
    from ..data import dates as data

    pairs = data.training_pairs(n, seed, target)
    tokenizer = word_tokenizer(pairs, spaces=target != "zh")
    description = {"task": "dates", "target": target, "n": n, "seed": seed}
    return Translation(description, pairs, data.held_out_pairs(target=target), tokenizer, preset, seed, **changes)


def numbers(target: str = "de", n: int = 10_000, preset: str = "nano", seed: int = 0, **changes) -> Translation:
    """Numbers in words, English -> German morphemes ("de") or French words ("fr")."""
    from ..data import numbers as data

    pairs = data.training_pairs(n, seed, target)
    tokenizer = word_tokenizer(pairs, spaces=True)
    description = {"task": "numbers", "target": target, "n": n, "seed": seed}
    return Translation(description, pairs, data.held_out_pairs(target=target), tokenizer, preset, seed, **changes)


def toy(task: str, n: int = 5000, preset: str = "nano", seed: int = 0, **changes) -> Translation:
    """Letters to be copied ("copy"), written backwards ("reverse") or put in order ("sort")."""
    from ..data import toys as data

    pairs = data.training_pairs(task, n, seed)
    tokenizer = word_tokenizer(pairs, spaces=True)
    changes = {"tie_embeddings": False, **changes}  # faster to learn, as in induction.py
    description = {"task": task, "n": n, "seed": seed}
    return Translation(description, pairs, data.held_out_pairs(task), tokenizer, preset, seed, **changes)


copy, reverse, sort = (partial(toy, task) for task in ("copy", "reverse", "sort"))


def parallel_file(
    path, preset: str = "nano", seed: int = 0, tokenizer: Tokenizer | None = None, **changes
) -> Translation:
    """A user's file of pairs, in byte pairs; a tenth of it, at most 500 pairs, is held out."""
    path = path_of(path)
    pairs = read_pairs(path)
    with naming(path):
        pairs, held_out = split_pairs(pairs, seed=0)  # the same for every seed, so that evaluate finds the same split
    held_out = some(held_out, 500)
    if tokenizer is None:
        learnt_from = [text for pair in pairs for text in texts(pair)]
        n_characters = sum(map(len, learnt_from))
        tokenizer = BPETokenizer.train(watched(learnt_from, n_characters, "Learning byte pairs"), vocab_size=2000)
    task = Translation({"task": kept_path(path), "seed": seed}, pairs, held_out, tokenizer, preset, seed, **changes)
    task.metric = "chrf"
    task.about = f"{path}: {len(pairs):,} pairs to learn from, {len(held_out):,} held out."
    return task
