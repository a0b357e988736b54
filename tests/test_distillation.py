"""Distillation: the loss against torch's own and its limit; a student that learns a teacher's scores of words."""

import pytest
import torch
import torch.nn.functional as F

from transformer_lab import Settings, TransformerConfig, train
from transformer_lab.classifiers import Tagger
from transformer_lab.data.entities import TAGS, training_sentences
from transformer_lab.data.tokenizers import BPETokenizer, WordTokenizer
from transformer_lab.distillation import Distillation, distillation_loss
from transformer_lab.tasks.labelling import Tagging
from transformer_lab.tasks.task import IGNORED


@pytest.mark.parametrize("temperature", [0.5, 1.0, 4.0])
def test_the_loss_is_kl_of_the_teacher_from_the_student_times_t_squared(temperature):
    student, teacher = torch.randn(2, 3, 7, 5) * 4
    expected = F.kl_div(
        F.log_softmax(student.flatten(end_dim=1) / temperature, dim=-1),
        F.softmax(teacher.flatten(end_dim=1) / temperature, dim=-1),
        reduction="batchmean",
    )
    loss = distillation_loss(student, teacher, temperature)
    torch.testing.assert_close(loss, temperature**2 * expected)
    assert abs(loss - distillation_loss(teacher, student, temperature)) > 1e-3  # the direction counts
    assert distillation_loss(teacher, teacher + 3.0, temperature) == pytest.approx(0.0, abs=1e-5)


def test_at_high_temperature_the_loss_is_half_the_variance_of_the_difference_of_logits():
    student, teacher = torch.randn(2, 9, 6, dtype=torch.float64)
    difference = student - teacher
    expected = 0.5 * difference.var(dim=-1, correction=0).mean()  # Hinton et al. 2015, section 2.1
    torch.testing.assert_close(distillation_loss(student, teacher, 1e4), expected, rtol=1e-3, atol=0)


def test_a_temperature_of_0_is_one_sentence():
    with pytest.raises(ValueError, match="temperature must be a number, more than 0; got 0.0"):
        distillation_loss(torch.randn(2, 3), torch.randn(2, 3), 0.0)


def tagger(tokenizer, labels=TAGS) -> Tagger:
    sizes = dict(d_model=16, n_heads=2, n_layers=1, d_ff=32, dropout=0.2)
    return Tagger(TransformerConfig.preset("nano", vocab_size=len(tokenizer), **sizes), labels)


@pytest.fixture(scope="module")
def sentences():
    return training_sentences(30)


@pytest.fixture(scope="module")
def teacher(sentences):
    """A teacher with pieces of words, and large scores."""
    tokenizer = BPETokenizer.train([word for one in sentences for word in one.words], vocab_size=300)
    model = tagger(tokenizer)
    torch.nn.init.normal_(model.head.weight, std=3.0)
    return Tagging(model, tokenizer, sentences, {})


@pytest.fixture
def task(teacher, sentences):
    """A student with words and letters as tokens, on sentences of which one has empty words."""
    texts = [one.words for one in sentences[:10]] + [("", "Rome", "")]
    tokenizer = WordTokenizer.train([" ".join(words) for words in texts])
    return Distillation(teacher, tagger(tokenizer), tokenizer, texts, {"true": sentences[:10]}, temperature=3.0)


def test_the_student_is_asked_at_the_first_piece_of_each_word_what_the_teacher_says(task, teacher):
    words = list(task.scores_of)
    batch = task.collate(task.examples)
    teacher.model.eval()
    for row, sentence in enumerate(words):
        asked = batch["labels"][row] != IGNORED
        with torch.no_grad():
            scores = teacher.scores([sentence])[0]
        real = [i for i, word in enumerate(sentence) if word]
        torch.testing.assert_close(batch["taught"][row, asked], scores[real], rtol=1e-4, atol=1e-4)
        assert batch["labels"][row, asked].tolist() == scores[real].argmax(dim=-1).tolist()
        tags = teacher.predict([sentence])[0]
        assert [TAGS[label] for label in batch["labels"][row, asked]] == [tags[i] for i in real]


def test_the_tasks_loss_sums_over_words_and_train_lowers_it(task):
    batch = task.collate(task.examples)
    asked = batch["labels"] != IGNORED

    def loss():
        task.model.eval()
        with torch.no_grad():
            return task.loss(task.logits(task.model, batch), batch)

    logits = task.logits(task.model.eval(), batch)
    each = [
        distillation_loss(a[None], b[None], 3.0) for a, b in zip(logits[asked], batch["taught"][asked], strict=True)
    ]
    torch.testing.assert_close(loss(), sum(each).detach(), rtol=1e-4, atol=1e-4)
    before = loss()
    history = train(task, Settings(steps=30, batch_size=6, lr=1e-2, evaluate_every=30), progress=False)
    assert loss() < 0.8 * before and set(history.evaluations[0]["metrics"]) == {"true"}


def test_the_teachers_tags_must_be_the_students(teacher, sentences):
    with pytest.raises(ValueError, match="The student's tags are .*; the teacher's are"):
        Distillation(teacher, tagger(teacher.tokenizer, TAGS[::-1]), teacher.tokenizer, [], {"true": sentences})


@pytest.mark.parametrize("temperature", [float("nan"), float("inf"), -1.0])
def test_a_temperature_that_is_no_number_is_one_sentence(temperature):
    with pytest.raises(ValueError, match="temperature must be a number, more than 0"):
        distillation_loss(torch.zeros(2, 3), torch.ones(2, 3), temperature)


def test_a_class_that_the_teacher_excludes_adds_nothing():
    teacher, student = torch.tensor([[1.0, 2.0, -torch.inf]]), torch.tensor([[0.5, 0.1, 3.0]], requires_grad=True)
    loss = distillation_loss(student, teacher, 1.0)
    p = teacher.softmax(-1)[0, :2]
    assert torch.allclose(loss, (p * (p.log() - student.log_softmax(-1)[0, :2])).sum())
    assert torch.autograd.grad(loss, student)[0].isfinite().all()
