"""Lesson 14: the checks of a batch of prompts of unequal lengths, continued together."""

import torch
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong, check
from ...draw import draw
from ..common import settled

V = 29
LOUD = 6.0


class continued:
    answers = ("continued(model, prompts, n, pad, eos)",)

    @check("prompts of one length", 1)
    def equal(continued):
        equally(continued)

    @check("prompts of unequal lengths", 1.5)
    def unequal(continued):
        settled(lambda: equally(continued), "Prompts of one length are")
        for lengths in ((2, 5, 3), (4, 1), (1, 6, 2, 3)):
            judge(continued, Scripts(lengths, [7] * len(lengths), 4))

    @check("where texts end", 1)
    def ends(continued):
        settled(lambda: equally(continued), "Prompts of one length are")
        judge(continued, Scripts((3, 3, 3), [1, 4, 9], 5))
        judge(continued, Scripts((2, 5, 3), [4, 0, 2], 6))

    @check("no step too many", 0.5)
    def steps(continued):
        settled(lambda: equally(continued), "Prompts of one length are")
        for ends, n, most in (([2, 1], 9, 3), ([8, 3], 4, 4)):
            scripts = Scripts((3, 5), ends, n)
            given = [list(prompt) for prompt in scripts.prompts]
            scripts.asked(continued, given)
            if given != scripts.prompts:
                raise Wrong("continued() changed the prompts it was given: build new lists.")
            if scripts.n_calls > most:
                raise Wrong(
                    f"The model was asked {scripts.n_calls} times; wanted {most}: all texts are finished by then, with "
                    f"{n} new tokens or with eos."
                )


class Scripts:
    """A model that goes on with a script for each prompt, as far as it is told rightly what stands where."""

    def __init__(self, lengths: tuple[int, ...], ends: list[int], n: int):
        self.pad, self.eos, self.n = *draw.shuffled((0, 3))[:1], 1, n
        ids = (5 + draw.permutation(V - 5)).tolist()
        self.prompts = []
        for length in lengths:  # each ends in an id of its own: by it the model knows it
            special = [self.pad] * (length > 2) + [self.eos] * (length > 3)  # real tokens of the prompt
            self.prompts.append(special + ids[len(special) - length :])
            del ids[len(special) - length :]
        self.scripts = [(5 + draw.integers(V - 5, end)).tolist() + [self.eos] for end in ends]
        for script in self.scripts:  # a token of a text may have the padding's id
            if len(script) > 3:
                script[1] = self.pad
        self.n_calls, self.seen = 0, 0

    def asked(self, continued, prompts):
        self.n_calls, self.seen = 0, 0
        return continued(self.model, prompts, self.n, self.pad, self.eos)

    def wanted(self) -> list[list[int]]:
        return [script[:-1][: self.n] for script in self.scripts]

    def model(self, ids, is_real, positions) -> Tensor:
        """Logits (B, T, V)."""
        B, most = len(self.prompts), max(map(len, self.prompts)) + self.n
        for name, given, dtype in (("ids", ids, torch.int64), ("is_real", is_real, torch.bool)):
            self.is_tensor(name, given, dtype, None if given is ids else ids.shape)
        self.is_tensor("positions", positions, torch.int64, ids.shape)
        if len(ids) != B:
            raise Wrong(f"The model was given {len(ids)} rows; wanted {B}: one for each prompt, ended or not.")
        if ids.shape[1] > most:
            raise Wrong(f"The model was given {ids.shape[1]} columns: stop after n new tokens.")
        self.n_calls += 1
        rows = [self.row(b, ids[b], is_real[b], positions[b]) for b in range(B)]
        return torch.stack(rows)

    def is_tensor(self, name: str, given, dtype, shape) -> None:
        if not isinstance(given, Tensor):
            raise Wrong(f"The model's {name} are {kind_of(given)}; wanted a tensor.")
        if given.dtype != dtype or given.ndim != 2 or (shape is not None and given.shape != shape):
            wanted = f"(B, T), {dtype}" if shape is None else f"{tuple(shape)}, as ids are, {dtype}"
            raise Wrong(f"The model's {name} are of shape {tuple(given.shape)}, {given.dtype}; wanted {wanted}.")

    def row(self, b: int, ids: Tensor, is_real: Tensor, positions: Tensor) -> Tensor:
        """The logits of a row, (T, V): only the last one matters."""
        prompt, script, T = self.prompts[b], self.scripts[b], len(ids)
        logits = draw_free(b, T)
        if self.n_calls > len(script):  # it has ended
            return logits
        whole = (prompt + script)[: len(prompt) + self.n_calls - 1]
        real, hidden = ids[is_real].tolist(), ids[~is_real].tolist()
        if real != whole:
            raise Wrong(*self.unreal(b, ids, real, hidden, whole))
        places = positions[is_real].tolist()
        if places != list(range(len(real))):
            raise Wrong(self.misplaced(prompt, places), "M50")
        if not is_real[-1]:
            raise Wrong(
                "The last column is padding, for a prompt that is shorter than others: its next token would have to "
                "go into the middle of its row. Pad on the left.",
                "M50",
            )
        logits[-1, script[self.n_calls - 1]] = LOUD
        return logits

    def unreal(self, b: int, ids: Tensor, real: list[int], hidden: list[int], whole: list[int]) -> tuple:
        """What to say where other tokens count as real than those that are, and the misconception."""
        prompt = self.prompts[b]
        if len(hidden) == 0 and len(whole) < len(ids):
            return (
                f"is_real is True everywhere, though padding stands in the row of {prompt}: {ids.tolist()}. The model "
                "reads it as if it were text.",
                "M50",
            )
        if lost := [i for i in hidden if i != self.pad]:
            words = "Each new column is real." if self.n_calls > 1 else "Its tokens stand at the end of its row."
            return f"In the row of {prompt} is_real hides {lost}, which are real tokens. {words}", "M50"
        if real == [i for i in whole if i != self.pad]:
            return (
                f"In the row of {prompt} only {real} count as real. A token of a text may have the padding's id: go by "
                "the lengths.",
                "M50",
            )
        if len(real) == len(whole) and real[: len(prompt)] == prompt:
            return (
                f"{prompt} was continued with {real[len(prompt) :]}, and the likeliest are {whole[len(prompt) :]}. "
                "Take the likeliest token, from the last row of the logits.",
            )
        return (f"In the row of {prompt}, call {self.n_calls}, these count as real: {real}; wanted: {whole}.",)

    def misplaced(self, prompt: list[int], places: list[int]) -> str:
        n = len(places)
        said = f"The tokens of {prompt} and what follows are told to stand at positions {places}. "
        if places == list(range(places[0], places[0] + n)):
            if places[0] == 1:
                return said + "The first one stands at 0."
            return said + "These are columns. The first real token stands at 0, wherever its row puts it."
        if places[: len(prompt)] == list(range(len(prompt))):
            return said + "The prompt is right; each new token stands one further than the one before it."
        return said + "They go up by one from 0, without a gap."


def draw_free(b: int, T: int) -> Tensor:
    """Logits that nobody asked for, below what a script says; no random number is used up for them."""
    return torch.sin(torch.arange(T * V, dtype=torch.float64) * (b + 2.3)).view(T, V)


def equally(continued) -> None:
    judge(continued, Scripts((3, 3), [7, 8], 4))
    judge(continued, Scripts((4, 4, 4), [7, 8, 9], 3))


def judge(continued, scripts: Scripts) -> None:
    got = scripts.asked(continued, [list(prompt) for prompt in scripts.prompts])
    wanted = scripts.wanted()
    if not isinstance(got, (list, tuple)) or len(got) != len(wanted) or not all(isinstance(one, list) for one in got):
        raise Wrong(f"continued() gives {got!r:.70}; wanted a list with a list of new ids for each prompt.")
    got = [[int(i) for i in one] for one in got]
    if got == wanted:
        return
    for b, (one, right) in enumerate(zip(got, wanted, strict=True)):
        if one != right:
            prompt, script = scripts.prompts[b], scripts.scripts[b]
            raise Wrong(f"{prompt} is continued with {one}; wanted {right}.{hint(one, right, prompt, script, scripts)}")


def hint(one: list[int], right: list[int], prompt: list[int], script: list[int], scripts: Scripts) -> str:
    if one == prompt + right or one == prompt + script[: scripts.n]:
        return " The prompt is not to come back: the new ids only."
    if one == right + [scripts.eos]:
        return " Its eos is not to come back."
    if len(one) > len(right) and one[: len(right)] == right and len(right) < scripts.n:
        return " Something stands after its eos: a text that has ended waits for the others, and is cut there."
    if one == [i for i in right if i != scripts.pad] != right:
        return " A new token may have the padding's id, and stays: a text ends with eos only."
    if scripts.pad in right and one == right[: right.index(scripts.pad)]:
        return " A new token may have the padding's id, and stays: a text ends with eos only."
    if one == right[: len(one)] and scripts.eos in prompt and not one:
        return " An eos that stands in the prompt ends nothing: a text ends when its *next* token would be eos."
    if one == right[: len(one)]:
        return " It stops too early: a text goes on until its own eos, or n tokens."
    if right == one[: len(right)] and len(right) == scripts.n:
        return f" These are more than n = {scripts.n} new tokens."
    return " Take the likeliest token, from the last row of the logits."
