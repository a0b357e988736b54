"""Lesson 13: the checks of four patients: what ails each, and the probe that rules out the first suspicion.

What their probes show is recorded in experiments/patients.json; test_training_patients.py holds this file against it.
"""

from dataclasses import dataclass

from ...checking import Wrong
from ..common import chosen
from ..diagnosis import Diagnosis, snippets

# The lists that the notebook prints, and what a choice that is wrong would show.
FAULTS = {
    "healthy": "Then all seven probes would look as in the healthy twin, or there is a harmless reason.",
    "blocks frozen": "Then the blocks' matrices would have an update / weight of exactly 0.",
    "first weights too large": "Then the first loss would be far above that of the healthy twin.",
    "gradients not zeroed": "Then the gradient norm would grow and grow.",
    "held-out pairs in the training set": "Then the overlap would be above 0.",
    "labels not shifted": "Then the first loss would be below ln V, and the model would repeat its last token.",
    "learning rate too high": "Then update / weight would be larger than in the healthy twin, in nearly every matrix.",
    "learning rate too low": "Then update / weight would be far smaller than in the healthy twin, in every matrix.",
    "overfitting": "Then the held-out loss would be clearly above the training loss.",
    "softmax twice": "Then the first loss would be ln V, and that of the translators is above it.",
    "source masked": "Then the model would write the same date whatever it is given.",
    "sources and targets mismatched": "Then one batch could be learnt by heart, and different, wrong dates come out.",
}
PROBES = {
    "text": "It shows what the model writes.",
    "ratio": "It shows how far each matrix moves.",
    "gradient": "It shows how long the gradients are.",
    "start": "It shows what was there before the first step.",
    "one batch": "It shows whether sixteen examples can be learnt by heart.",
    "modes": "It shows what dropout does.",
    "overlap": "It shows whether held-out examples stand in the training set.",
}


@dataclass(frozen=True)
class Case:
    """Of a patient: the fault, the suspicion, the probes that rule it out, and what to tell who names other ones."""

    fault: str
    suspicion: str
    probes: tuple[str, ...]
    seen: str
    look: str


CASES = {
    "Emil": Case(
        "held-out pairs in the training set",
        "healthy",
        ("overlap",),
        "Everything looks well, even better than in the healthy twin. Who says that the held-out pairs were held out?",
        "A model that knows its held-out pairs by heart shows the same there as a healthy one.",
    ),
    "Fumi": Case(
        "learning rate too low",
        "blocks frozen",
        ("ratio", "one batch"),
        "The loss goes down slowly and steadily, and on one batch too.",
        "Frozen blocks are told by something that is exactly 0. Is anything?",
    ),
    "Gita": Case(
        "sources and targets mismatched",
        "source masked",
        ("text", "one batch", "ratio"),
        "The loss stops where a date without its source would: compare what comes out for three sources.",
        "Would a model that cannot read its source show anything else there?",
    ),
    "Hugo": Case(
        "gradients not zeroed",
        "learning rate too high",
        ("gradient",),
        "The loss goes up and down, and something else goes up only.",
        "A high rate could show the same. What is added up here, step after step?",
    ),
    "Ines": Case(
        "healthy",
        "held-out pairs in the training set",
        ("overlap",),
        "Look what she writes for dates that she has never seen, and at train() and eval().",
        "It may say why the training loss is the higher one; only one probe asks whether pairs are shared.",
    ),
    "Jona": Case(
        "source masked",
        "blocks frozen",
        ("ratio", "text", "one batch"),
        "The loss stops where a date without its source would: compare what comes out for three sources.",
        "Frozen blocks could show the same there.",
    ),
    "Kofi": Case(
        "learning rate too high",
        "learning rate too low",
        ("ratio", "one batch"),
        "The loss falls in the first steps and then stays, above what a table of pairs reaches.",
        "A rate that is too low could show the same there. How far does each step go?",
    ),
    "Lila": Case(
        "first weights too large",
        "learning rate too high",
        ("start", "one batch"),
        "The loss comes down from far above: before which step was it highest?",
        "It was taken after some steps; a high rate has its part in it then.",
    ),
}


@dataclass(frozen=True)
class Ward(Diagnosis):
    """A diagnosis of models: the fault, and a probe that rules out the suspicion."""

    def __str__(self) -> str:
        return 'a dictionary {"Emil": (fault, probe), ...}'

    def title(self, snippet: str) -> str:
        return snippet

    def judge(self, diagnoses, snippet: str) -> None:
        fault, probe = self.pair(diagnoses, snippet)
        case = CASES[snippet]
        fault = chosen(fault, tuple(self.faults), f"the diagnosis of {snippet}")
        if fault == case.suspicion:
            raise Wrong(f"{snippet}: {fault!r} is the suspicion, and it is wrong. {case.seen}")
        if fault != case.fault:
            raise Wrong(f"{snippet}: not {fault!r}. {self.faults[fault]} {case.seen}")
        probe = chosen(probe, tuple(self.observations), f"the probe of {snippet}")
        if probe not in case.probes:
            raise Wrong(
                f"{snippet}: {fault!r} it is. But {probe!r} does not rule out {case.suspicion!r}. "
                f"{self.observations[probe]} {case.look}"
            )


def ward(*names: str) -> Ward:
    return Ward(FAULTS, PROBES, {name: (CASES[name].fault, CASES[name].probes[0], CASES[name].seen) for name in names})


WARD = ward("Emil", "Fumi", "Hugo", "Ines")


class patients(snippets(WARD, 4)):
    answers = (WARD,)
