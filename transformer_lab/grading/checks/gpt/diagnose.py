"""Lesson 14: the checks of question 3, five broken ways to write with a GPT: what is wrong with each, one mended."""

import torch

from ....config import TransformerConfig
from ....models import GPT
from ...checking import Wrong, check
from ...draw import draw
from ..common import settled
from ..diagnosis import Diagnosis, snippets

MAX_LEN = 12
# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "padding stands after the prompts": "Then a short prompt beside a long one is continued after its padding.",
        "only the last token is read": "Then it makes no difference what stands before the last token.",
        "dropout is left on": "Then the same prompt would be continued in several ways.",
        "all blocks run once for each block": "Then with a single block there is nothing wrong.",
        "a long text is cut at its wrong end": "Then all is right as long as nothing has to be cut.",
        "the first row of the logits is taken": "Then the first token of a prompt decides all that is written.",
        "new tokens stand at position 0": "Then the model must have positions for anything to be wrong.",
        "the last block is left out": "Then with a single block the model would have none.",
    },
    observations={
        "alone a short prompt is continued right, beside a longer one it is not": "that is so where rows "
        "share a length.",
        "a short prompt alone is continued right": "a right writer does that too.",
        "right with one block, wrong with two": "that is so where the blocks run too often, or too few of them.",
        "wrong with a table of positions, right without positions": "that is so where only positions are mixed up.",
        "prompts that end in the same token are continued alike": "that is so where only that token is read.",
        "asked twice, it writes two different texts": "none of the five does: nothing is drawn, and eval() is on.",
        "right up to max_len tokens, after them always the same token": "that is so where what is read stays the same.",
    },
    snippets={
        "a": (
            "all blocks run once for each block",
            "right with one block, wrong with two",
            "How often does a vector pass through a block of this model, until its logits are computed?",
        ),
        "b": (
            "new tokens stand at position 0",
            "wrong with a table of positions, right without positions",
            "Its first new token is right. What does embedding know of the tokens before, when the second one is to "
            "come?",
        ),
        "c": (
            "a long text is cut at its wrong end",
            "right up to max_len tokens, after them always the same token",
            "Which tokens does the model still read when the text is longer than its window?",
        ),
        "d": (
            "padding stands after the prompts",
            "alone a short prompt is continued right, beside a longer one it is not",
            "Which token stands in the last column, in the row of the shorter prompt?",
        ),
        "e": (
            "only the last token is read",
            "prompts that end in the same token are continued alike",
            "What is the model given at each step, and has it kept anything of the steps before?",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 4)):
    answers = (DIAGNOSIS, "repaired(model, prompts, n)")

    @check("a, mended", 0.75)
    def mended(diagnoses, repaired):
        for n_layers in (1, 2, 3):
            is_right(repaired, telling(n_layers))

    @check("a, mended: texts longer than max_len", 0.25)
    def long(diagnoses, repaired):
        settled(lambda: is_right(repaired, telling(2)), "With short texts the repair is")
        reads_the_end(repaired)


def fresh(n_layers: int, positions: str = "learned") -> GPT:
    """A model that was never trained, and whose weights are so large that every token of a text matters."""
    config = TransformerConfig(
        vocab_size=23, d_model=24, n_heads=3, n_layers=n_layers, d_ff=40, max_len=MAX_LEN, positions=positions,
        tie_embeddings=False,
    )  # fmt: skip
    model = draw.made(GPT, config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(5)
    return model


@torch.no_grad()
def written(model: GPT, prompts: list[list[int]], n: int, times: int = 1, read=None, last: bool = True):
    """The specification, for times=1: the likeliest tokens. read: what the model reads of a text, (1, T)."""
    read, found = read or (lambda ids: ids[:, -MAX_LEN:]), []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(n):
            x, positions = model.embedding(read(ids))
            for _ in range(times):
                x = passed(model, x, positions, last)
            ids = torch.cat((ids, model.logits(x)[:, -1:].argmax(dim=-1)), dim=1)
        found.append(ids[0, len(prompt) :].tolist())
    return found


def passed(model: GPT, x, positions, last: bool):
    """x through all blocks or all but the last, and the norm after them."""
    if last:
        return model.decoder(x, positions)
    for block in model.decoder.blocks[:-1]:
        x = block(x, causal=True)
    return model.decoder.norm(x)


def unnormed(model: GPT, prompts, n):
    norm, model.decoder.norm = model.decoder.norm, torch.nn.Identity()
    try:
        return written(model, prompts, n)
    finally:
        model.decoder.norm = norm


WAYS = (
    (
        lambda model, prompts, n: written(model, prompts, n, len(model.decoder.blocks)),
        "All blocks still run once for each block. The decoder itself goes through its blocks: call it once.",
    ),
    (lambda model, prompts, n: written(model, prompts, n, 0), "No block runs at all: call the decoder once."),
    (lambda model, prompts, n: written(model, prompts, n, last=False), "The last block is left out."),
    (unnormed, "The norm after the last block is missing; model.decoder does both."),
    (
        lambda model, prompts, n: written(model, prompts, n, read=lambda ids: ids[:, -1:]),
        "Now only the last token is read.",
    ),
)


def telling(n_layers: int) -> tuple:
    """A model and prompts that the ways above continue otherwise than a right one does."""
    while True:
        model = fresh(n_layers)
        prompts = [draw.integers(23, length).tolist() for length in (3, 6, 4)]
        given = model, prompts, draw.one_of(5, 6)
        wanted = written(*given)
        if all(way(*given) != wanted for n, (way, _) in enumerate(WAYS) if n_layers > 1 or n):
            return given


CUTS = (  # what is read of a long text
    (lambda ids: ids[:, :MAX_LEN], "A long text is cut at its wrong end now: the last max_len tokens are to be read."),
    (lambda ids: ids[:, -MAX_LEN + 1 :], "It reads one token fewer than max_len."),
)


def reads_the_end(repaired) -> None:
    """Texts and prompts that are longer than the model can read."""
    while True:
        model = fresh(2)
        prompts = [draw.integers(23, length).tolist() for length in (9, MAX_LEN + 3)]
        given = model, prompts, draw.one_of(6, 7)
        wanted = written(*given)
        others = [written(*given, read=read) for read, _ in CUTS]
        if all(one != right for other in others for one, right in zip(other, wanted, strict=True)):
            break
    called = f"A text may be longer than max_len, which is {MAX_LEN} here:"
    try:
        got = plain(repaired(model, [list(prompt) for prompt in prompts], given[2]))
    except ValueError as error:
        raise Wrong(f"{called} then the model reads its last max_len tokens, as in `a`. What came was:") from error
    if got == wanted:
        return
    told = next(
        (words for other, (_, words) in zip(others, CUTS, strict=True) if other == got), "Leave the cut as it is."
    )
    lost = [len(one) if isinstance(one, list) else 0 for one in got] if isinstance(got, list) else []
    if len(lost) == len(prompts) and lost != [given[2]] * len(prompts):
        told = f"It gives {lost} new tokens; wanted {given[2]} of each. Cut what is read, not the text."
    raise Wrong(f"{called} there the repair goes wrong, though it is right for shorter texts. {told}")


def plain(got):
    """What came back, as lists where it holds tensors or tuples."""
    if not isinstance(got, (list, tuple)):
        return got
    return [
        one.tolist() if isinstance(one, torch.Tensor) else list(one) if isinstance(one, tuple) else one for one in got
    ]


def is_right(repaired, given: tuple) -> None:
    model, prompts, n = given
    wanted = written(*given)
    got = repaired(model, [list(prompt) for prompt in prompts], n)
    called = f"With a model of {len(model.decoder.blocks)} block{'s' * (len(model.decoder.blocks) > 1)}"
    if not isinstance(got, (list, tuple)) or len(got) != len(prompts):
        raise Wrong(f"{called} repaired() gives {got!r:.60}; wanted a list with the new ids of each prompt.")
    got = plain(got)
    if got == wanted:
        return
    if any(one == prompt + new for one, prompt, new in zip(got, prompts, wanted, strict=True)):
        raise Wrong("repaired() gives the prompts too; wanted the new ids alone, as the others give them.")
    told = next((words for way, words in WAYS if way(*given) == got), "Change nothing but how x comes to its logits.")
    row = next(i for i, one in enumerate(got) if one != wanted[i])
    misconception = "M48" if told == WAYS[0][1] else None
    raise Wrong(
        f"{called} repaired() continues {prompts[row]} with {got[row]!r:.60}; wanted {wanted[row]}. {told}",
        misconception,
    )
