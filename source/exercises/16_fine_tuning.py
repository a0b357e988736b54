# %% [markdown]
# # Exercises: 16 Fine-tuning
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). The others are optional. Every function leaves its inputs as they are.
# Numbers are compared to about five digits. Where one of the package's functions does what is asked it is accepted as an
# answer; you learn more without. Back to the [lesson](../../notebooks/16_fine_tuning.ipynb).

# %%
import torch
import torch.nn.functional as F
from torch import nn

# %% [markdown]
# ## Question 1: one model, many customers
# *6 points, difficulty 3 of 5, about 10 minutes*
#
# A LoRA that has not been merged can be exchanged at any time. So one model can serve many customers at once: its large
# matrices are there once, for all of them, and each text of a batch goes through the LoRA of its own customer.
#
# Write `served(x, weight, bias, A, B, alpha, which)`, what one linear layer of such a model gives:
#
# * `x` is a batch of texts, `(n_texts, T, d_in)`. The old layer has a `weight` `(d_out, d_in)` and a `bias` `(d_out,)`, as in
#   `nn.Linear`.
# * `A` `(n_loras, r, d_in)` and `B` `(n_loras, d_out, r)` hold the two matrices of each LoRA, stacked along the first axis; there is
#   at least one. Each changes the weight by $\frac{\alpha}{r} B A$, with its own $A$ and $B$. `alpha`, a number, is the same for all.
# * `which` `(n_texts,)`, a tensor of torch.int64, says for each text which LoRA it goes through, counted from 0. Where it says
#   -1, the text goes through none: it gets what the old layer alone would give.
#
# Return a tensor `(n_texts, T, d_out)` of the dtype that all the tensors but `which` share.
#
# <details><summary>Hint 1: a nudge</summary>
#
# For one text and one LoRA you know what to do. What does `A[which]` give you, and what does it give where `which` is -1?
#
# </details>
# <details><summary>Hint 2: with shapes</summary>
#
# `.mT` swaps the last two axes. `x @ A.mT` with a matrix for each text: `(n_texts, T, d_in)` times
# `(n_texts, d_in, r)`. Then times `(n_texts, r, d_out)`. A text without a LoRA adds 0 to what the old layer gives.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# old = ____
# change = x @ ____ @ ____
# has_one = (which >= 0)[:, None, None]
# return old + ____ * torch.where(has_one, ____, ____)
# ```
#
# </details>


# %% answer="served"
def served(x, weight, bias, A, B, alpha, which):
    """(n_texts, T, d_in), an old layer, A and B of all LoRAs, a number, (n_texts,) -> (n_texts, T, d_out)"""
    ### BEGIN SOLUTION
    old = F.linear(x, weight, bias)
    change = x @ A[which].mT @ B[which].mT  # of the last one where which is -1
    has_one = (which >= 0)[:, None, None]
    return old + alpha / A.shape[1] * change * has_one
    ### END SOLUTION


# %% check="served" points=6
from transformer_lab.grading import grade

grade("16_fine_tuning.served", served)

# %% [markdown]
# ## Question 2: a LoRA from a model that was fine-tuned whole
# *6 points, difficulty 3 of 5, about 10 minutes*
#
# Somebody has fine-tuned all of a model, without LoRA. You have a matrix as it was, `before`, and as it is now, `after`, both
# `(d_out, d_in)`. You would like to pass on only what has changed, as a LoRA: two matrices `A` `(r, d_in)` and `B` `(d_out, r)`,
# so that `before + B @ A` stands for `after`. No `alpha` is needed here.
#
# The *energy* of a matrix is the sum of the squares of its entries. That is also the sum of the squares of its singular values.
# `B @ A` keeps a share of the energy of the change: 1 minus the energy of what is missing, divided by the energy of the change.
#
# Write `extracted(before, after, share)`. It returns the pair `(A, B)`:
#
# * `r` is the smallest rank with which a LoRA can keep at least `share` of the energy of the change, with
#   `0 < share < 1`.
# * Of all LoRAs of that rank, `B @ A` keeps the most. How you divide it between `A` and `B` is up to you.
# * Where nothing at all has changed, `r` is 0: `A` is `(0, d_in)`, and `B` is `(d_out, 0)`.
# * `before` and `after` are both float32 or both float64. `A` and `B` have the same dtype as they.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `torch.linalg.svd` takes a matrix apart into columns, numbers and rows, the largest number first. Of which matrix do you want
# that? And what does each of the numbers contribute to the energy?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Square the singular values. Add them up from the largest on (`cumsum`), and compare with `share` of the whole: how many of the
# sums are still too small? One more is needed. Then take the first `r` columns, numbers and rows.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# U, S, Vh = torch.linalg.svd(____, full_matrices=False)
# energy = ____
# r = int((energy.cumsum(0) < ____).sum()) + ____
# return ____[:r], ____[:, :r]          # and if nothing has changed?
# ```
#
# </details>


# %% answer="extracted"
def extracted(before, after, share):
    """two matrices (d_out, d_in), a number -> A (r, d_in), B (d_out, r)"""
    ### BEGIN SOLUTION
    U, S, Vh = torch.linalg.svd(after - before, full_matrices=False)
    energy = S**2
    r = int((energy.cumsum(0) < share * energy.sum()).sum()) + 1 if energy.any() else 0
    return S[:r, None] * Vh[:r], U[:, :r]
    ### END SOLUTION


# %% check="extracted" points=6
from transformer_lab.grading import grade

grade("16_fine_tuning.extracted", extracted)

# %% [markdown]
# ## Question 3: what a model that answers learns from
# *6 points, difficulty 4 of 5, about 12 minutes*
#
# A dialogue is a list of messages, each a pair `(role, ids)`: who speaks, `"system"`, `"user"` or `"assistant"`, and a list of
# ids. A template writes it as one text: each message becomes `[start[role]] + ids + [end]`, one after the other. `start` is a
# dictionary with an id for each role, and `end` is one id, the same for all.
#
# A model is to learn to write what the assistant writes, and to stop where it stops. Write
# `answer_labels(dialogues, start, end, pad)`. It returns two tensors of torch.int64, both `(n_dialogues, T)`:
#
# * `ids`: a row for each dialogue, written by the template. Behind it the row is filled up with the id `pad`, so that all are as
#   long as the longest.
# * `labels`: the label at place `t` is what the model is to say once it has read the ids up to place `t`, that one included. So
#   `F.cross_entropy(logits.flatten(0, 1), labels.flatten())` is the loss, and nothing has to be moved any more. Where there is
#   nothing to learn the label is -100, because `F.cross_entropy` leaves out such places.
# * The model learns the ids of every message of the assistant, and the `end` behind it. It learns nothing else: not the start of
#   a message, which the asking program writes, not the messages of others and their ends, and no padding.
# * `pad` may be the same id as `end`, as in many models. Otherwise the special ids are all different, and none of them stands
#   within a message. Roles come in any order: a dialogue may hold several answers or none, and may begin with one. Neither a
#   dialogue nor a message is empty.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Write down one short dialogue with its ids, and below each id the label. What is the label below the start of the answer? And
# below the last id of the answer?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Keep two lists for each dialogue while you write it: the ids, and for each id itself or -100. Only then move the second list by
# one place. Padding comes last, with `pad` in one and -100 in the other.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# for role, message in dialogue:
#     row += ____
#     learnt += [-100, *____] if role == ____ else ____
# learnt = ____                     # one place to the left
# ```
#
# </details>


# %% answer="answer_labels"
def answer_labels(dialogues, start, end, pad):
    """lists of (role, ids), {role: id}, two ids -> ids and labels (n_dialogues, T)"""
    ### BEGIN SOLUTION
    rows, labels = [], []
    for dialogue in dialogues:
        row, learnt = [], []
        for role, message in dialogue:
            written = [*message, end]
            row += [start[role], *written]
            learnt += [-100, *(written if role == "assistant" else [-100] * len(written))]
        rows.append(row)
        labels.append(learnt[1:] + [-100])
    T = max(map(len, rows))
    ids = torch.tensor([row + [pad] * (T - len(row)) for row in rows])
    return ids, torch.tensor([row + [-100] * (T - len(row)) for row in labels])
    ### END SOLUTION


# %% check="answer_labels" points=6
from transformer_lab.grading import grade

grade("16_fine_tuning.answer_labels", answer_labels)

# %% [markdown]
# ## Question 4: five broken LoRAs
# *Optional: 5 points, difficulty 3 of 5, about 12 minutes*
#
# Each of these classes puts a LoRA around an old layer, an `nn.Linear`: `Broken(old, r, alpha)` is a module that takes
# `(..., d_in)` to `(..., d_out)`. `merge()` puts what was learnt into the weight of the old layer, for those who want to run the
# model afterwards without extra work. Each class has one fault, and all five faults are different.
#
# For each class, pick its fault from the first table, and from the second the observation that is true of this class
# and of no other here; a right one does not show it either. Both tables offer more than is needed. Write the words as
# they stand there, in quotation marks (capital letters do not matter). `trained(make)` makes a LoRA around a fresh
# old layer and trains it for 20 steps; `filled(make, A, B, alpha)` makes one with the matrices `A` and `B`.
#
# | fault | what it means |
# |---|---|
# | `"A and B both begin at random"` | so the first step starts from a damaged model |
# | `"alpha is not divided by r"` | the rank changes how strong the change is |
# | `"the old bias is lost"` | only the old weight is used |
# | `"A is no parameter"` | torch does not know that it belongs to the layer |
# | `"A and B both begin at 0"` | so the gradient of each of them is 0 |
# | `"the change is transposed"` | B and A come in the wrong order |
# | `"after merging the change counts twice"` | in the weight, and beside it |
# | `"the old layer is not frozen"` | it is trained as well |
#
# | observation | how to make it |
# |---|---|
# | `"loaded into another one, its state_dict gives other outputs"` | `trained(make)`, and a new one with another seed |
# | `"before training its outputs are those of the old layer"` | a fresh one, and its `old` |
# | `"after training its outputs are still those of the old layer"` | `trained(make)`, and its `old` |
# | `"after merge() it gives other outputs than before"` | `trained(make)`, before and after |
# | `"asked twice, it gives two different outputs"` | the same input two times |
# | `"with every row of A and column of B twice, it changes twice as much"` | `filled` with `A`, `B`, then with `cat((A, A))`, `cat((B, B), 1)` |
# | `"training changes its old weight"` | `trained(make).old.weight`, and the weight of `fresh()` |
#
# Then write `BrokenD` again as `Repaired`, changed as little as possible. It has to be right in the other respects too: only `A`
# and `B` are trained, and a new one gives what the old layer gives. After `merge()` its outputs are those from before, also when
# `merge()` is called a second time, and the old layer alone gives them too. `old`, `A` and `B` keep their names.


# %%
def fresh(seed=0, d_in=6, d_out=4):  # an old layer
    _ = torch.manual_seed(seed)
    return nn.Linear(d_in, d_out)


def trained(make, seed=0, steps=20):  # a LoRA around a fresh old layer, after some steps towards random targets
    layer = make(fresh(seed), 2, 6)
    x, targets = torch.randn(32, 6), torch.randn(32, 4)
    optimizer = torch.optim.Adam([p for p in layer.parameters() if p.requires_grad], lr=0.05)
    for _ in range(steps):
        optimizer.zero_grad(), F.mse_loss(layer(x), targets).backward(), optimizer.step()
    return layer


def filled(make, A, B, alpha):  # a LoRA around a fresh old layer with these matrices, A (r, 6) and B (4, r)
    layer = make(fresh(), len(A), alpha)
    with torch.no_grad():
        _ = layer.A.copy_(A), layer.B.copy_(B)
    return layer


# %%
class BrokenA(nn.Module):
    def __init__(self, old, r, alpha):
        super().__init__()
        self.old, self.scale = old.requires_grad_(False), alpha / r
        self.A = nn.Parameter(torch.zeros(r, old.in_features))
        self.B = nn.Parameter(torch.zeros(old.out_features, r))

    def forward(self, x):
        return self.old(x) + self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B.zero_()


# %%
class BrokenB(nn.Module):
    def __init__(self, old, r, alpha):
        super().__init__()
        self.old, self.scale = old, alpha / r
        self.A = nn.Parameter(torch.randn(r, old.in_features) / old.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(old.out_features, r))

    def forward(self, x):
        return self.old(x) + self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B.zero_()


# %%
class BrokenC(nn.Module):
    def __init__(self, old, r, alpha):
        super().__init__()
        self.old, self.scale = old.requires_grad_(False), alpha
        self.A = nn.Parameter(torch.randn(r, old.in_features) / old.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(old.out_features, r))

    def forward(self, x):
        return self.old(x) + self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B.zero_()


# %%
class BrokenD(nn.Module):
    def __init__(self, old, r, alpha):
        super().__init__()
        self.old, self.scale = old.requires_grad_(False), alpha / r
        self.A = nn.Parameter(torch.randn(r, old.in_features) / old.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(old.out_features, r))

    def forward(self, x):
        return self.old(x) + self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A


# %%
class BrokenE(nn.Module):
    def __init__(self, old, r, alpha):
        super().__init__()
        self.old, self.scale = old.requires_grad_(False), alpha / r
        self.A = (torch.randn(r, old.in_features) / old.in_features**0.5).requires_grad_()
        self.B = nn.Parameter(torch.zeros(old.out_features, r))

    def forward(self, x):
        return self.old(x) + self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B.zero_()


# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# All five give the right outputs when they are new. So make each of them, train it, and only then look: at its matrices, at
# `old`, at `state_dict()`.
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# Put two classes side by side, line by line. They differ in what `A` and `B` begin with and what they are, in `requires_grad`, in
# `scale`, and in what `merge()` leaves behind.
#
# </details>
# <details><summary>Hint 3: a skeleton of the repair</summary>
#
# ```python
# self.old.weight += ____
# self.____                          # so that nothing is left to be added
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each class: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
    "d": (None, None),
    "e": (None, None),
}
### BEGIN SOLUTION
still = "after training its outputs are still those of the old layer"
twice = "with every row of A and column of B twice, it changes twice as much"
diagnoses = {
    "a": ("A and B both begin at 0", still),
    "b": ("the old layer is not frozen", "training changes its old weight"),
    "c": ("alpha is not divided by r", twice),
    "d": ("after merging the change counts twice", "after merge() it gives other outputs than before"),
    "e": ("A is no parameter", "loaded into another one, its state_dict gives other outputs"),
}
### END SOLUTION


# %% answer="repaired"
class Repaired(nn.Module):
    """BrokenD, mended"""

    def __init__(self, old, r, alpha):
        ### BEGIN SOLUTION
        super().__init__()
        self.old, self.scale = old.requires_grad_(False), alpha / r
        self.A = nn.Parameter(torch.randn(r, old.in_features) / old.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(old.out_features, r))

    def forward(self, x):
        return self.old(x) + self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B.zero_()
        ### END SOLUTION


# %% check="diagnose" points=5
from transformer_lab.grading import grade

grade("16_fine_tuning.diagnose", diagnoses, Repaired)

# %% [markdown]
# ## Question 5: a teacher, and a few labels
# *Optional: 4 points, difficulty 3 of 5, about 8 minutes*
#
# A student learns from a teacher's logits, which cost nothing, and from labels, which are expensive: only some rows
# have one. Write `distilled(student, teacher, targets, T, share)`, the loss. `student` and `teacher` are logits,
# `(n, n_classes)`, and `targets` `(n,)` holds the number of a class for each row, or -100 where nobody has labelled
# it. The loss is `share` times the first of these two parts, plus `1 - share` times the second; `0 <= share <= 1`.
#
# * From the teacher: with $p$ the teacher's softmax and $q$ the student's, both of logits divided by the temperature $T$, a row
#   costs $T^2 \sum_k p_k (\ln p_k - \ln q_k)$. The mean is over *all* rows.
# * From the labels: the ordinary cross-entropy of the student's logits, without a temperature. The mean is over the rows that
#   have a label. Where no row has one this part is 0.
#
# The loss is a tensor without axes. Gradients flow to the student, and none to the teacher, even if its logits require one. Logits
# of some thousands give no infinity and no NaN, neither in the loss nor in the gradient.
#
# <details><summary>Hint 1: a nudge</summary>
#
# `F.cross_entropy` leaves out what is labelled -100. What does it give when every row is? And which logarithm do you need of a
# probability that is 0 in 32 bits?
#
# </details>
# <details><summary>Hint 2: with shapes</summary>
#
# `log_softmax` of both, divided by `T` before: two tensors `(n, n_classes)`. The teacher's one also gives $p$, by `exp`. Sum over
# the classes, mean over the rows.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# log_p = ____.detach()
# log_q = ____
# soft = ____ * (log_p.exp() * ____).sum(dim=-1).mean()
# has_label = ____
# hard = ____ if has_label.any() else ____
# return share * soft + ____
# ```
#
# </details>


# %% answer="distilled"
def distilled(student, teacher, targets, T, share):
    """logits (n, n_classes) twice, classes or -100 (n,), two numbers -> a loss"""
    ### BEGIN SOLUTION
    log_p = (teacher.detach() / T).log_softmax(dim=-1)
    log_q = (student / T).log_softmax(dim=-1)
    soft = T**2 * (log_p.exp() * (log_p - log_q)).sum(dim=-1).mean()
    has_label = targets != -100
    hard = F.cross_entropy(student[has_label], targets[has_label]) if has_label.any() else 0.0
    return share * soft + (1 - share) * hard
    ### END SOLUTION


# %% check="distilled" points=4
from transformer_lab.grading import grade

grade("16_fine_tuning.distilled", distilled)

# %% [markdown]
# ## Question 6: which of two answers people prefer
# *Optional: 4 points, difficulty 3 of 5, about 10 minutes*
#
# The lesson's folded side road on DPO gives every answer one probability. Here an answer is a text, of many tokens. People were
# shown two answers to each of `n` questions and said which they prefer. Write `preferred(new, old, labels, beta)`, the loss:
#
# * `new` and `old` are logits, `(2, n, T, n_tokens)`: of the model that learns, and of the model that it began as. Along the
#   first axis stand at 0 the `n` texts with the preferred answer, and at 1 those with the other answer to the same questions.
# * `labels` `(2, n, T)` are as in question 3: the id that is to be predicted at each place, so that nothing has to be moved, and
#   -100 where nothing counts, in the question and in the padding. Every answer has at least one label that counts.
# * The logarithm of an answer's probability is the *sum* of those of its labels. What an answer *gains* is this logarithm with the
#   new model, minus the same with the old one.
# * A pair costs $-\ln \sigma(\beta g)$, where $\sigma$ is the sigmoid and $g$ is what the preferred answer gains, minus what the
#   other one gains. The loss is the mean over the pairs, a tensor without axes.
#
# Gradients flow to `new`, and none to `old`, even if its logits require one. Logits of some thousands give no infinity and no NaN,
# neither in the loss nor in the gradient.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A label of -100 is no index. What could you put in its place, as long as what comes out there is multiplied by 0?
#
# </details>
# <details><summary>Hint 2: with shapes</summary>
#
# `log_softmax` gives `(2, n, T, n_tokens)`. `gather` along the last axis picks one number at each place: it wants the labels with an
# axis more, `(2, n, T, 1)`. Summed over the places that count, that is `(2, n)`, for each of the two models.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# counts = ____
# def log_chance(logits):
#     picked = ____.gather(-1, ____[..., None])[..., 0]
#     return (picked * counts).____
# gains = log_chance(new) - ____
# return -F.logsigmoid(____).mean()
# ```
#
# </details>


# %% answer="preferred"
def preferred(new, old, labels, beta):
    """logits (2, n, T, n_tokens) of two models, ids or -100 (2, n, T), a number -> a loss"""
    ### BEGIN SOLUTION
    counts = labels != -100

    def log_chance(logits):
        picked = logits.log_softmax(dim=-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        return (picked * counts).sum(dim=-1)

    gains = log_chance(new) - log_chance(old.detach())
    return -F.logsigmoid(beta * (gains[0] - gains[1])).mean()
    ### END SOLUTION


# %% check="preferred" points=4
from transformer_lab.grading import grade

grade("16_fine_tuning.preferred", preferred)

# %% [markdown]
# Back to the [lesson](../../notebooks/16_fine_tuning.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).
