"""Lesson 16: the checks of question 4, five broken LoRAs around an old layer: what is wrong with each, one mended."""

import re

import torch
from torch import Tensor, nn

from ...answer import Answer
from ...checking import Wrong, check
from ...draw import draw
from ..common import close, difference, expect_tensor, settled
from ..diagnosis import Diagnosis, snippets

# The lists that the notebook prints; test_diagnoses.py tries every observation on every snippet.
DIAGNOSIS = Diagnosis(
    faults={
        "A and B both begin at random": "Then a new one would not give what the old layer gives.",
        "alpha is not divided by r": "Then a higher rank with the same product B A would change more.",
        "the old bias is lost": "Then a new one would not give what the old layer gives.",
        "A is no parameter": "Then neither the optimiser nor state_dict() would find A.",
        "A and B both begin at 0": "Then no step of training would move either of them.",
        "the change is transposed": "Then it would not even run: the old layer is not square.",
        "after merging the change counts twice": "Then all would be right until merge() is called.",
        "the old layer is not frozen": "Then its weight would be another one after training.",
    },
    observations={
        "loaded into another one, its state_dict gives other outputs": "that is so where something it needs is not "
        "saved.",
        "before training its outputs are those of the old layer": "a right one shows that too.",
        "after training its outputs are still those of the old layer": "that is so where nothing is learnt.",
        "after merge() it gives other outputs than before": "that is so where merging adds or loses something.",
        "asked twice, it gives two different outputs": "none of the five does: nothing is drawn in forward().",
        "with every row of A and column of B twice, it changes twice as much": "that is so where only alpha says "
        "how much it changes.",
        "training changes its old weight": "that is so where the optimiser is given that weight.",
    },
    snippets={
        "a": (
            "A and B both begin at 0",
            "after training its outputs are still those of the old layer",
            "Work out the gradient of B where A is 0, and that of A where B is 0.",
        ),
        "b": (
            "the old layer is not frozen",
            "training changes its old weight",
            "Which of its parameters require a gradient?",
        ),
        "c": (
            "alpha is not divided by r",
            "with every row of A and column of B twice, it changes twice as much",
            "What is `scale` for r = 2, and what for r = 4?",
        ),
        "d": (
            "after merging the change counts twice",
            "after merge() it gives other outputs than before",
            "What does forward() compute when the weight holds the change already?",
        ),
        "e": (
            "A is no parameter",
            "loaded into another one, its state_dict gives other outputs",
            "Print its state_dict(), and look for A.",
        ),
    },
)


class diagnose(snippets(DIAGNOSIS, 4)):
    answers = (DIAGNOSIS, "Repaired(old, r, alpha)")

    @check("d, mended: before it is merged", 0.25)
    def unmerged(diagnoses, Repaired):
        is_a_lora(Repaired)

    @check("d, mended: after merge()", 0.75)
    def merged(diagnoses, Repaired):
        settled(lambda: is_a_lora(Repaired), "Before it is merged it is")
        merges(Repaired)


SIZES = (7, 5, 3), (4, 9, 2)  # d_in, d_out, r


class Case:
    """An old layer with a repaired LoRA around it, and inputs."""

    def __init__(self, Repaired, sizes: tuple[int, int, int]):
        d_in, d_out, self.r = sizes
        self.old, self.alpha = draw.made(nn.Linear, d_in, d_out), draw.one_of(5, 8)
        self.weight, self.bias = self.old.weight.detach().clone(), self.old.bias.detach().clone()
        self.x = draw.normal(2, 6, d_in)
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(3)
            self.layer = Repaired(self.old, self.r, self.alpha)
        if not isinstance(self.layer, nn.Module):
            raise Wrong(
                f"Repaired(...) gives a {type(self.layer).__name__}; wanted a module: class Repaired(nn.Module)."
            )
        for name, shape in (("A", (self.r, d_in)), ("B", (d_out, self.r))):
            found = getattr(self.layer, name, None)
            if not isinstance(found, nn.Parameter):
                raise Wrong(f"Repaired has no parameter {name}: leave those of BrokenD as they are.")
            if tuple(found.shape) != shape:
                raise Wrong(f"{name} has shape {tuple(found.shape)}; wanted {shape}, as in BrokenD.")

    def learn(self) -> None:
        """Put something into A and B, as training would."""
        with torch.no_grad():
            for matrix in (self.layer.A, self.layer.B):
                matrix.copy_(draw.normal(*matrix.shape))
        self.change = (self.layer.B @ self.layer.A).detach()

    def outputs(self, times: int = 1, scale: int | float | None = None) -> Tensor:
        """The specification, for times=1; or the change so many times."""
        scale = self.alpha / self.r if scale is None else scale
        change = times * scale * self.change if times else 0.0
        return self.x @ (self.weight + change).T + self.bias

    def got(self) -> Tensor:
        got = Answer(self.layer, "Repaired.forward(x)")(self.x.clone())
        return expect_tensor(got, "forward(x)", (2, 6, len(self.bias))).detach()

    def alone(self) -> Tensor:
        """What the old layer gives, without the LoRA around it."""
        old = getattr(self.layer, "old", None)
        if not isinstance(old, nn.Linear):
            raise Wrong("Repaired has no `old`, the nn.Linear that it was given: leave it as it is in BrokenD.")
        return old(self.x).detach()

    def merge(self) -> None:
        if not callable(getattr(self.layer, "merge", None)):
            raise Wrong("Repaired has no method merge().")
        try:
            self.layer.merge()
        except (RuntimeError, ValueError) as error:
            if re.search("non-leaf|in-place|inplace", str(error)):
                raise Wrong(
                    "merge() records its sums for a gradient, and so they cannot be written into a weight: it wants "
                    "@torch.no_grad() above it, as in BrokenD."
                ) from None
            raise


def is_a_lora(Repaired) -> None:
    for sizes in SIZES:
        case = Case(Repaired, sizes)
        if not close(case.got(), case.outputs(0)):
            raise Wrong("A new one does not give what the old layer gives: B begins at 0, as in BrokenD.")
        if not case.layer.A.any() and not case.layer.B.any():
            raise Wrong("A begins at 0, and so does B: then the gradient of each is 0, and nothing is learnt.")
        trained = {name for name, p in case.layer.named_parameters() if p.requires_grad}
        if trained != {"A", "B"}:
            raise Wrong(f"Trained are {', '.join(sorted(trained)) or 'no parameters'}; wanted A and B alone.")
        case.learn()
        got = case.got()
        if close(got, case.outputs(0)):
            raise Wrong("Before it is merged, A and B change nothing any more: leave forward() as it is until then.")
        if close(got, case.outputs(scale=case.alpha)):
            raise Wrong("alpha is not divided by r any more: leave scale as it is.")
        if not close(got, case.outputs()):
            raise Wrong(
                f"Before it is merged: {difference(got, case.outputs(), 'forward(x)')} Leave forward() as it is."
            )


def merges(Repaired) -> None:
    for sizes in SIZES:
        case = Case(Repaired, sizes)
        case.learn()
        case.got()
        for again in ("", "a second "):
            case.merge()
            after, alone = case.got(), case.alone()
            called = f"After {again}merge()"
            if close(after, case.outputs()) and close(alone, case.outputs()):
                continue
            if close(after, case.outputs(2)) and close(alone, case.outputs(1)) and not again:
                raise Wrong(
                    f"{called} the change counts twice, as it did: in the weight, and in what A and B still add."
                )
            if close(after, case.outputs()) and close(alone, case.outputs(0)):
                raise Wrong(f"{called} the old layer's weight is what it was: merge() is to put the change into it.")
            if close(after, case.outputs(0)) and close(alone, case.outputs(0)):
                raise Wrong(f"{called} nothing is left of the change. Add it to the weight first, then set B to 0.")
            if close(after, case.outputs(scale=1.0)) or close(after, case.outputs(scale=case.alpha)):
                raise Wrong(f"{called} the weight holds the change, but not multiplied by alpha / r.")
            if again and close(alone, case.outputs(2)):
                raise Wrong("A second merge() adds the change to the weight once more; it is in there already.")
            if close(alone, case.outputs()) and close(after, case.outputs(0)):
                raise Wrong(f"{called} the old layer gives the right outputs, and forward() others: does it subtract?")
            if close(alone, case.outputs()):
                raise Wrong(f"{called} the weight holds the change, and forward() still adds something to it.")
            if close(alone, case.outputs() - case.x @ case.weight.T) or close(alone, case.bias.expand(alone.shape)):
                raise Wrong(f"{called} nothing is left of the old weight: the change is to be added to it.")
            raise Wrong(f"{called}: {difference(after, case.outputs(), 'forward(x)')} Wanted: what came before it.")
