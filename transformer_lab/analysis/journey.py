"""The journey of each token's vector through a model: what each sub-layer adds to it, and what could be said by then.

What could be said after a step is read with the logit lens (nostalgebraist 2020): the model's own final norm and output
layer, applied to a vector that has not reached them yet.
"""

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..blocks import Stack
from ..data.token_labels import labels_of
from ..models import BERT, Model, not_nan, unwrapped
from .access import our_model, stacks, uncompiled
from .attention_record import AttentionRecord
from .reading import ids_of, n_in_front, read

PARTS = ("attention", "cross-attention", "feed-forward")  # of a block, in their order
ROWS = 256  # of logits at a time: enough to read a large output layer seldom, few enough to hold in memory


@dataclass(frozen=True)
class Journey:
    """T tokens on their way through one stack, in S steps: the embedding, then each block's sub-layers.

    steps[0] is (None, "embedding"), the others are (block, one of PARTS). tokens are labels of what is read; follows
    are the ids that come next in the text, None where none does or where the stack predicts none. start is the token
    embedding alone; added is what each step adds (step 0: the position), sums what that makes, and after the vector
    after each step, which differs where a norm follows the sum. attention holds an AttentionRecord for each of PARTS
    that reads, as `read_attention` has it. head turns the stack's output (1, T, D) into logits (1, T, vocab_size), None
    where there is no such layer; norm is the stack's own, before that.
    """

    name: str
    tokens: list[str]
    follows: list[int | None]
    steps: list[tuple[int | None, str]]
    start: Float[Tensor, "T D"]
    added: Float[Tensor, "S T D"]
    sums: Float[Tensor, "S T D"]
    after: Float[Tensor, "S T D"]
    attention: dict[str, AttentionRecord]
    head: Callable[[Tensor], Tensor] | None
    norm: nn.Module

    @cached_property
    def before(self) -> Float[Tensor, "S T D"]:
        """The vector before each step."""
        return torch.cat((self.start[None], self.after[:-1]))

    @cached_property
    def logits(self) -> Float[Tensor, "T vocab_size"] | None:
        """What the model says at the end, as it says it when it is called."""
        return None if self.head is None else self.said(self.after[-1])

    def lens(self, k: int) -> tuple[Float[Tensor, "S T k"], Int[Tensor, "S T k"]] | None:
        """The k most likely tokens, their probabilities and ids, if the model ended after each step."""
        if self.head is None:
            return None
        S, T, _ = self.after.shape
        values, ids = [], []
        for rows in self.after.flatten(end_dim=1).split(ROWS):
            logits = self.said(rows)
            largest = logits.topk(k)
            values.append((largest.values - logits.logsumexp(dim=-1, keepdim=True)).exp())
            ids.append(largest.indices)
        return torch.cat(values).view(S, T, k), torch.cat(ids).view(S, T, k)

    @torch.no_grad()
    def said(self, x: Float[Tensor, "T D"]) -> Float[Tensor, "T vocab_size"]:
        """The logits of these vectors, as if they were the last."""
        assert self.head is not None
        return self.head(self.norm(x[None]))[0]


def record_journeys(model: Model, tokenizer, text, target: str | None = None) -> dict[str, Journey]:
    """Return {"encoder" | "decoder": Journey} of a text that one of our models reads in one forward pass.

    A Transformer translates the text, or reads the given target; it has both journeys. Without a tokenizer (None), the
    text is ids. Raises ValueError for an empty text, one beyond the model's max_len, and any other model.
    """
    model = our_model(model)
    ids, written = ids_of(model, tokenizer, text, target)
    longest = model.config.max_len
    if ids.shape[1] > longest:
        raise ValueError(f"The text has {ids.shape[1]} tokens; this model's max_len is {longest}.")
    with record_steps(model) as recorded:
        records, output = read(model, tokenizer, ids, written)
    not_nan(output)
    journeys = {}
    for name, stack in stacks(model).items():
        tokens, follows = read_by(name, ids[0].tolist(), None if written is None else written[0].tolist())
        kinds = {"attention": name, "cross-attention": "cross" if name == "decoder" else None}
        attention = {part: records[kind] for part, kind in kinds.items() if kind in records}
        journeys[name] = Journey(
            name, labels_of(tokenizer, tokens), follows, steps_of(stack), **recorded[name],
            attention=attention, head=head_of(model, name), norm=stack.norm,
        )  # fmt: skip
    return journeys


def read_by(stack: str, ids: list[int], written: list[int] | None) -> tuple[list[int], list[int | None]]:
    """The ids that a stack reads, and those that follow each of them; written is what a Transformer writes."""
    if stack == "encoder":
        return ids, [None] * len(ids)
    return (ids, [*ids[1:], None]) if written is None else (written[:-1], [*written[1:]])


def head_of(model: Model, stack: str) -> Callable[[Tensor], Tensor] | None:
    """What turns the vectors of a stack, after its norm, into logits; None for an encoder that only hands them on."""
    if isinstance(model, BERT):
        return None if model.masked_lm_head is None else model.masked_lm_logits
    return model.logits if stack == "decoder" else None


def steps_of(stack: Stack) -> list[tuple[int | None, str]]:
    """Name each step of the stack."""
    named = [(i, part) for i, block in enumerate(stack.blocks) for part, _, _ in sublayers(block)]
    return [(None, "embedding"), *named]


def sublayers(block) -> list[tuple[str, nn.Module, nn.Module]]:
    """(part, sub-layer, the residual connection around it) of a block, in the order in which they run."""
    block = unwrapped(block)
    layers = (block.attention, block.cross_attention, block.feed_forward)
    residuals = (block.attention_residual, block.cross_residual, block.feed_forward_residual)
    return [(part, *both) for part, *both in zip(PARTS, layers, residuals, strict=True) if both[0] is not None]


@contextmanager
def record_steps(model: Model):
    """Yield steps; after the block steps["encoder" | "decoder"] holds what Journey calls start, added, sums and after.

    They are those of the batch's first text, without the vectors that prompt tuning puts in front of it.
    """
    n = n_in_front(model)
    steps: dict[str, dict[str, Tensor]] = {}
    embedded: list[list[Tensor]] = []  # of each call [tokens, what positions add, sum, after]: an encoder's comes first
    blocks: dict[str, list[list[Tensor]]] = {
        name: [] for name in stacks(model)
    }  # of each sub-layer [added, sum, after]

    def positions(module, inputs, output):
        embedded.append([inputs[0][0], output[0] - inputs[0][0], output[0]])

    def normalised(module, inputs, output):
        embedded[-1].append(output[0])

    def sublayer(name):
        return lambda module, inputs, output: blocks[name].append([output[0][n:]])

    def residual(name):
        def hook(module, inputs, output):
            (added,) = step = blocks[name][-1]
            after = output[0][n:]
            step += [after if module.norm_position == "pre" else inputs[0][0][n:] + added, after]

        return hook

    with ExitStack() as hooks:
        hooks.enter_context(uncompiled())
        listen = [(model.embedding.positions, positions), (model.embedding.norm, normalised)]
        for name, stack in stacks(model).items():
            for _, layer, around in (one for block in stack.blocks for one in sublayers(block)):
                listen += [(layer, sublayer(name)), (around, residual(name))]
        for module, hook in listen:
            hooks.callback(module.register_forward_hook(hook).remove)
        yield steps
    for name, (tokens, *embedding) in zip(blocks, embedded, strict=True):
        columns = zip(("added", "sums", "after"), zip(embedding, *blocks[name], strict=True), strict=True)
        steps[name] = {"start": tokens.detach()} | {key: torch.stack(one).detach() for key, one in columns}
