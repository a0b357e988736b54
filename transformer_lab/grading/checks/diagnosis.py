"""Questions that show broken snippets: the learner names the fault of each, and an observation that shows it."""

from dataclasses import dataclass

from ..checking import NotDone, Wrong, check
from .common import chosen


@dataclass(frozen=True)
class Diagnosis:
    """What a learner chooses from. faults: what each would show; observations: of which snippets each is true."""

    faults: dict[str, str]
    observations: dict[str, str]
    snippets: dict[str, tuple[str, str, str]]  # its fault, the observation true of it alone, and what it does in words

    def __str__(self) -> str:
        return 'a dictionary {"a": (fault, observation), ...}'

    def title(self, snippet: str) -> str:
        """The title of the snippet's check."""
        return f"{snippet}: its fault, and what shows it"

    def judge(self, diagnoses, snippet: str) -> None:
        """Raise Wrong unless the learner named the snippet's fault and its observation."""
        fault, observation = self.pair(diagnoses, snippet)
        wanted_fault, wanted_observation, seen = self.snippets[snippet]
        fault = chosen(fault, tuple(self.faults), f"the fault of {snippet}")
        if fault != wanted_fault:
            raise Wrong(f"The fault of {snippet} is not {fault!r}. {self.faults[fault]} {seen}")
        observation = chosen(observation, tuple(self.observations), f"the observation of {snippet}")
        if observation != wanted_observation:
            raise Wrong(
                f"{fault!r} is the fault of {snippet}. What shows it is not {observation!r}: "
                f"{self.observations[observation]} Run {snippet} beside a right one, and compare."
            )

    def pair(self, diagnoses, snippet: str) -> tuple:
        """The learner's (fault, observation) of a snippet."""
        if diagnoses is None:
            raise NotDone("fill in the dictionary, run its cell, then run this one again.")
        if not isinstance(diagnoses, dict):
            raise Wrong(f"The diagnoses are of type {type(diagnoses).__name__}; wanted {self}.")
        if diagnoses.get(snippet) is None:
            raise NotDone(f'write "{snippet}": (fault, observation) into the dictionary, then run this cell again.')
        pair = diagnoses[snippet]
        if not isinstance(pair, (tuple, list)) or len(pair) != 2:
            raise Wrong(f"The diagnosis of {snippet} is {pair!r}; wanted a pair: (fault, observation).")
        if pair[0] in self.observations or pair[1] in self.faults:
            raise Wrong(f"In the diagnosis of {snippet} the fault comes first and the observation second.")
        return tuple(pair)


def snippets(diagnosis: Diagnosis, points: int | float) -> type:
    """A base class for a question: a check for each snippet, before the question's own; they share the points."""

    def checked(snippet):
        mark = check(diagnosis.title(snippet), points / len(diagnosis.snippets))
        return mark(lambda diagnoses, *_: diagnosis.judge(diagnoses, snippet))

    return type("Snippets", (), {snippet: checked(snippet) for snippet in diagnosis.snippets})
