"""AlignmentExplorer: what a translator reads while it writes, step by step of its training, for a text of yours.

Every model translates the text once; the browser then gets the last layer's cross-attention of all of them, so that
step, head and row can be chosen without a kernel.
"""

import threading

import numpy as np
import traitlets
from jaxtyping import Float
from matplotlib.patches import Rectangle

from ..analysis.access import our_model
from ..analysis.reading import ids_of, read
from ..analysis.transformers_models import checked_text
from ..arguments import check_text, is_whole
from ..data.pairs import Pair
from ..data.token_labels import labels_of
from ..data.tokenizers import our_tokenizer
from ..models import Transformer
from ..sentences import short_repr
from . import saved_page
from .attention_picture import drawn_with, readable
from .browser_files import module, sheet
from .explorer import Explorer
from .inputs import romanised, visible

MOST_MODELS, MOST_TOKENS = 40, 40
READS = {"own": "what it has written itself", "given": "the right translation"}


class AlignmentExplorer(Explorer):
    """Move through a training: `AlignmentExplorer([(step, model), ...], tokenizer, text)`, for a Transformer's copies.

    pairs may hold known translations: where one has this text, the tokens that its alignment joins are framed, and the
    decoder may also read the right translation (`reads = "given"`) in place of its own ("own"). Python and the browser
    may set `step`, `head` (from 1; 0 is the mean of all), `reads` and `text`. `weights`, `query_tokens`, `key_tokens`,
    `written`, `gold` and `accuracy` are what is seen, `translations` what each model writes. Raises ValueError for
    other models, steps that do not rise, one model twice, and for a text that is empty or too long.
    """

    _module = module("alignment_explorer")
    _sheet = sheet("alignment_explorer")
    title = "what a translator reads while it writes, as it learns"
    steps = traitlets.List().tag(sync=True)
    n_heads = traitlets.Int().tag(sync=True)
    key_labels = traitlets.List().tag(sync=True)  # the text's tokens
    readings = traitlets.Dict().tag(sync=True)  # by name of READS: for each step, as `_reading` makes it
    packed = traitlets.Bytes().tag(sync=True)  # their weights (head, row, column), float32
    right = traitlets.Unicode(None, allow_none=True).tag(sync=True)  # the known translation
    romanised = traitlets.Dict().tag(sync=True)  # what is not in Latin letters, in these
    text = traitlets.Unicode().tag(sync=True)
    heard = traitlets.Unicode().tag(sync=True)  # the text that was read last: what is shown
    message = traitlets.Unicode().tag(sync=True)  # why another could not be read
    step = traitlets.Int().tag(sync=True)
    head = traitlets.Int(0).tag(sync=True)
    reads = traitlets.Unicode("own").tag(sync=True)

    def __init__(self, snapshots, tokenizer, text, pairs=(), **settings):
        self.models, self.tokenizer = checked_snapshots(snapshots), our_tokenizer(tokenizer)
        self.pairs = known_pairs(pairs)
        # JupyterLab may deliver changes on several threads: read one text at a time, the latest.
        self._one_at_a_time = threading.Lock()
        steps, heads = list(self.models), next(iter(self.models.values())).config.n_heads
        shown = self._read(checked_text(text)) | {"steps": steps, "n_heads": heads, "text": text, "heard": text}
        super().__init__(**shown, **({"step": steps[-1]} | settings))
        self.observe(self._read_again, names="text")

    def _read(self, text: str) -> dict:
        """Let every model translate the text; return the traits that show it."""
        n, most = len(self.tokenizer.encode(text)), min(MOST_TOKENS, *(m.config.max_len for m in self.models.values()))
        if n > most:
            raise ValueError(f"There is room for a text of {most} tokens; got {n}: shorten the text.")
        pair, weights = self.pairs.get(text), []
        readings: dict[str, list[dict]] = {"own": []} | ({} if pair is None else {"given": []})
        for step, model in self.models.items():
            for name, found in readings.items():
                ids = ids_of(model, self.tokenizer, text, pair.target if name == "given" else None, most)
                found.append(self._reading(step, model, ids, pair, weights))
        self._weights, keys = weights, [visible(token) for token in labels_of(self.tokenizer, ids[0][0])]
        shown = {*"".join([*keys, *(one["text"] for one in readings["own"]), pair.target if pair else ""])}
        packed = b"".join(one.astype("<f4").tobytes() for one in weights)
        foreign = {char: latin for char in sorted(shown) if (latin := romanised(char)) != char}
        return {"readings": readings, "key_labels": keys, "packed": packed, "right": pair and pair.target,
                "romanised": foreign}  # fmt: skip

    def _reading(self, step: int, model, ids, pair: Pair | None, weights: list) -> dict:
        """One model's translation and its rows; its weights (H, T, S) are added to the list."""
        source, written = ids
        record = read(model, self.tokenizer, source, written)[0]["cross"]
        if np.isnan(record.weights).any():
            raise ValueError(f"The weights of the model of step {step} are NaN: it has diverged, or it is damaged.")
        new = written[0, 1:].tolist()
        offset = sum(one.size for one in weights)
        weights.append(record.weights[-1])
        return {
            "offset": offset, "labels": [visible(token) for token in record.query_tokens],
            "gold": self._gold(new, pair), "text": self.tokenizer.decode(new).replace("\n", "↵"),
        }  # fmt: skip

    def _gold(self, ids: list[int], pair: Pair | None) -> list[int | None]:
        """For each token written, the token that it translates; None from the first one that is not the pair's on."""
        gold: list[int | None] = [None] * len(ids)
        if pair is not None and pair.alignment is not None:
            wanted = self.tokenizer.encode(pair.target)
            for t, (i, should, at) in enumerate(zip(ids, wanted, pair.alignment, strict=False)):
                if i != should:
                    break
                gold[t] = at
        return gold

    def _read_again(self, _change):
        with self._one_at_a_time:
            text = self.text
            if text == self.heard:  # an earlier call has read it
                self.message = ""
                return
            try:
                shown = self._read(text)
            except ValueError as error:  # empty, or too long: what was shown stays
                self.message = str(error)
                return
            reads = self.reads if self.reads in shown["readings"] else "own"
            with self.hold_sync():  # one message: the browser never sees new weights with an old text
                for name, value in (shown | {"reads": reads, "message": "", "heard": text}).items():
                    setattr(self, name, value)

    @traitlets.validate("text")
    def _check_text(self, proposal) -> str:
        check_text(proposal.value)
        return proposal.value

    @traitlets.validate("step")
    def _check_step(self, proposal) -> int:
        if proposal.value not in self.models:
            raise ValueError(f"step must be one of {', '.join(map(str, self.models))}; got {proposal.value}.")
        return proposal.value

    @traitlets.validate("head")
    def _check_head(self, proposal) -> int:
        if not 0 <= proposal.value <= self.n_heads:
            raise ValueError(f"head must be 1 to {self.n_heads}, or 0 for their mean; got {proposal.value}.")
        return proposal.value

    @traitlets.validate("reads")
    def _check_reads(self, proposal) -> str:
        if proposal.value not in READS:
            raise ValueError(f"reads must be 'own' or 'given'; got {short_repr(proposal.value)}.")
        if proposal.value not in self.readings:
            raise ValueError("There is no right translation to read: pairs hold none for this text.")
        return proposal.value

    @property
    def _now(self) -> dict:
        return self.readings[self.reads][self.steps.index(self.step)]

    @property
    def weights(self) -> Float[np.ndarray, "T S"]:
        """The cross-attention that is shown: a row for each token written, a column for each of the text."""
        kinds, n = list(self.readings), self.steps.index(self.step)
        maps = self._weights[n * len(kinds) + kinds.index(self.reads)]
        return maps[self.head - 1] if self.head else maps.mean(axis=0)

    @property
    def query_tokens(self) -> list[str]:
        """The tokens that the rows write."""
        return self._now["labels"]

    @property
    def key_tokens(self) -> list[str]:
        """The text's tokens."""
        return self.key_labels

    @property
    def gold(self) -> list[int | None]:
        """For each row the column of the token that it translates, or None where that is not known."""
        return self._now["gold"]

    @property
    def accuracy(self) -> float | None:
        """The share of rows with a known alignment whose largest weight is there; None without any."""
        hits = [int(row.argmax()) == at for row, at in zip(self.weights, self.gold, strict=True) if at is not None]
        return sum(hits) / len(hits) if hits else None

    @property
    def translations(self) -> dict[int, str]:
        """What the model of each step writes by itself."""
        return {step: one["text"] for step, one in zip(self.steps, self.readings["own"], strict=True)}

    @property
    def written(self) -> str:
        """What the model of this step writes by itself."""
        return self.translations[self.step]

    def _page(self) -> str:
        state = {name: getattr(self, name) for name in self.own_traits()} | {"text": self.heard, "message": ""}
        return saved_page.page(self.title, self._module, self._sheet, state)

    def draw(self, figure):
        """The weights of this step and head as a grid, with the text that the model writes above them."""
        weights, keys, rows = self.weights, self.key_tokens, self.query_tokens
        figure.set_size_inches(min(10, 3 + 0.5 * len(keys)), 2 + 0.3 * len(rows))
        figure.set_layout_engine("constrained")
        axes = figure.subplots()
        axes.imshow(weights, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for t, at in enumerate(self.gold):
            if at is not None:
                axes.add_patch(Rectangle((at - 0.5, t - 0.5), 1, 1, fill=False, edgecolor="#d55e00", linewidth=2))
        labels = [[readable(label) for label in side] for side in (keys, rows)]
        axes.set_xticks(range(len(keys)), labels[0], rotation=45, ha="right", fontsize=9, **drawn_with(labels[0]))
        axes.set_yticks(range(len(rows)), labels[1], fontsize=9, **drawn_with(labels[1]))
        title = f"step {self.step}, {self.head_name}; it writes: {readable(self.written, 60)}"
        axes.set_title(title, fontsize=10, **drawn_with([title]))

    @property
    def head_name(self) -> str:
        """The head that is shown, in words."""
        return f"head {self.head}" if self.head else f"mean of {self.n_heads} heads" if self.n_heads > 1 else "one head"

    def __repr__(self):
        met = "" if self.accuracy is None else f", {self.accuracy:.0%} of the known alignments met"
        said = f"{self.head_name}: {short_repr(self.written)}{met}"
        return f"AlignmentExplorer({short_repr(self.heard)}, step {self.step}, {said})"


def known_pairs(pairs) -> dict[str, Pair]:
    """The pairs by their source; ValueError for anything else."""
    found = list(pairs)
    if wrong := [pair for pair in found if not isinstance(pair, Pair)]:
        raise ValueError(f"pairs must hold transformer_lab.data.pairs.Pair; got {short_repr(wrong[0])}.")
    return {pair.source: pair for pair in found}


def checked_snapshots(snapshots) -> dict[int, Transformer]:
    """The models by step; ValueError unless they are different Transformers of one shape, with steps that rise."""
    wanted = "snapshots must be a list of (step, model)"
    if not isinstance(snapshots, list | tuple) or not 1 <= len(snapshots) <= MOST_MODELS:
        raise ValueError(f"{wanted}, 1 to {MOST_MODELS} of them; got {short_repr(snapshots)}.")
    models: dict[int, Transformer] = {}
    for one in snapshots:
        if not isinstance(one, list | tuple) or len(one) != 2 or not is_whole(one[0]):
            raise ValueError(f"{wanted}; got {short_repr(one)}.")
        step, model = int(one[0]), our_model(one[1], Transformer)
        if models and step <= max(models):
            raise ValueError(f"The steps of snapshots must rise; got {step} after {max(models)}.")
        if any(model is other for other in models.values()):
            raise ValueError(f"Step {step} has the model of an earlier step: keep a copy of it, copy.deepcopy(model).")
        models[step] = model
    if len({(model.config.vocab_size, model.config.n_heads) for model in models.values()}) > 1:
        raise ValueError("The models of snapshots must have one vocabulary and one number of heads.")
    return models
