"""Distillation: a small student learns what a teacher says of each label, not only which one is right.

Hinton, Vinyals, Dean 2015, "Distilling the Knowledge in a Neural Network" (arXiv:1503.02531).
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .arguments import is_number
from .classifiers import Tagger
from .data.entities import Sentence
from .data.tokenizers import Tokenizer
from .models import evaluating
from .sentences import short_repr
from .tasks.labelling import Tagging
from .tasks.task import IGNORED


def distillation_loss(
    student_logits: Float[Tensor, "*rows classes"], teacher_logits: Float[Tensor, "*rows classes"], temperature: float
) -> Float[Tensor, ""]:
    """Return T^2 KL(teacher || student) in nats, the mean over the rows; both softmaxes are at temperature T.

    T^2 keeps the gradients' size, which falls as 1 / T^2. A class that the teacher excludes, with a score of -inf, adds
    nothing. ValueError unless the temperature is a number, more than 0, and both have one shape.
    """
    if not is_number(temperature) or temperature <= 0:
        raise ValueError(f"temperature must be a number, more than 0; got {short_repr(temperature)}.")
    if student_logits.shape != teacher_logits.shape:
        shapes = tuple(student_logits.shape), tuple(teacher_logits.shape)
        raise ValueError(f"student_logits and teacher_logits must have one shape; got {shapes[0]} and {shapes[1]}.")
    teacher = (teacher_logits / temperature).log_softmax(dim=-1)
    student = (student_logits / temperature).log_softmax(dim=-1)
    gains = (teacher - student).masked_fill(teacher == -torch.inf, 0.0)  # 0 log 0 is 0, and not NaN
    return temperature**2 * (teacher.exp() * gains).sum(dim=-1).mean()


class Distillation(Tagging):
    """A student learns to tag from sentences without tags, for which a teacher scores every tag of every word.

    The two share words and tags, but each has a tokenizer of its own. ValueError if their tags differ.
    """

    def __init__(
        self,
        teacher: Tagging,
        student: Tagger,
        tokenizer: Tokenizer,
        unlabelled: Sequence[tuple[str, ...]],
        tests: dict[str, Sequence[Sentence]],
        temperature: float = 2.0,
    ):
        if student.labels != teacher.model.labels:
            raise ValueError(f"The student's tags are {student.labels}; the teacher's are {teacher.model.labels}.")
        self.temperature = temperature
        with evaluating(teacher.model), torch.no_grad():
            self.scores_of = dict(zip(unlabelled, teacher.scores(unlabelled), strict=True))
        tagged = [Sentence(words, teacher.best(scores)) for words, scores in self.scores_of.items()]
        super().__init__(student, tokenizer, tagged, tests)

    def contents(self):
        return {**super().contents(), "data": self.scores_of}

    def encode(self, words, tags):
        """(ids, labels, scores): the teacher's best tags as labels, and its scores where there is a label."""
        _, begun = self.pieces(words)
        return *super().encode(words, tags), self.scores_of[words][[word for word in begun if word is not None]]

    def collate(self, examples):
        batch = super().collate([(ids, labels) for ids, labels, _ in examples])
        taught = torch.zeros(*batch["labels"].shape, len(self.model.labels))
        taught[batch["labels"] != IGNORED] = torch.cat([scores for _, _, scores in examples])
        return {**batch, "taught": taught}

    def loss(self, logits, batch, label_smoothing=0.0):
        asked = batch["labels"] != IGNORED
        return asked.sum() * distillation_loss(logits[asked].float(), batch["taught"][asked], self.temperature)
