# %% [markdown]
# # Exercises: 13 Training
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4 to 6 are optional. Tensors are compared to about five digits. Every
# function leaves its inputs as they are, unless the question says otherwise. Where one of torch's or the package's parts does
# what is asked it is accepted as an answer; you learn more without. Back to the
# [lesson](../../notebooks/13_training.ipynb).

# %%
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

# %% [markdown]
# ## Question 1: AdamW, as long runs need it
# *6 points, difficulty 3 of 5, about 9 minutes*
#
# Write `adamw(weight, gradients, rates, decay, beta1, beta2, eps)`: the weight after AdamW has made one step with each of the
# gradients, in their order. `gradients` is a list of tensors of the weight's shape, and `rates` a list with the learning rate of
# each step. `beta1` and `beta2` are what the two running means keep of themselves in a step: that of the gradients, and that of
# their squares.
#
# All is to be as in `torch.optim.AdamW`: the place of `eps`, the correction of both means, and what is decayed when
# (`help(torch.optim.AdamW)` prints the algorithm). Two more things are required, as in most training loops:
#
# * Only matrices are decayed. A weight with fewer than two axes, such as a bias or the scale of a layer norm, is not.
# * A gradient may be `None`: the weight was not used in that step. Then nothing happens to it: it neither moves nor decays, the
#   means stay as they are, and the step does not count for their correction. Only that step's rate is used up.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which four things must a step know that the step before it knew? Where do they begin, and which of them changes in a step
# without a gradient?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# With $n$ the number of gradients so far, a running mean that began at 0 holds only a share $1 - \beta^n$ of what it should: so
# divide by that. The step is rate times (corrected mean / (root of the corrected mean of squares + `eps`) + decay times the
# weight as it stands).
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# m, v, n = ____, ____, 0
# for gradient, rate in zip(gradients, rates):
#     if ____:
#         continue
#     n += 1
#     m, v = ____, ____
#     update = ____
#     if ____:
#         update = update + ____
#     weight = weight - rate * update
# return weight
# ```
#
# </details>


# %% answer="adamw"
def adamw(weight, gradients, rates, decay, beta1, beta2, eps):
    """The weight after the steps of AdamW with these gradients, of which some may be None."""
    ### BEGIN SOLUTION
    m, v, n = 0, 0, 0
    for gradient, rate in zip(gradients, rates, strict=True):
        if gradient is None:
            continue
        n += 1
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        update = m / (1 - beta1**n) / ((v / (1 - beta2**n)).sqrt() + eps)
        if weight.ndim >= 2:
            update = update + decay * weight
        weight = weight - rate * update
    return weight
    ### END SOLUTION


# %% check="adamw" points=6
from transformer_lab.grading import grade

grade("13_training.adamw", adamw)

# %% [markdown]
# ## Question 2: a batch that does not fit
# *6 points, difficulty 3 of 5, about 9 minutes*
#
# A batch is too large for the memory, so it comes in parts. Write `accumulate(model, parts, largest)`, which leaves in each
# parameter's `p.grad` what the whole batch would have given. `parts` gives one pair after the other, `(x, labels)`, and can be
# gone through **once only**: while one part is computed, nobody knows yet how many are to come. `model(x)` are logits
# `(B, T, V)`; `labels` is `(B, T)` and holds -100 where there is only padding. `B` and `T` differ from part to part. A part may
# even be all padding, but not all of them. Call `backward` for each part before you take the next: the memory holds the
# computation of one part only. Neither the labels nor the model's mode are changed.
#
# * The loss of the batch is the mean over all labels of all parts, without the padding. Return it, as a number.
# * The gradients are those of this mean. Of what `p.grad` held before, nothing stays.
# * If all gradients *together* are longer than `largest` (the root of the sum of the squares of all their numbers), they are
#   shortened to that length. The weights stay as they are: no step is made.
#
# <details><summary>Hint 1: a nudge</summary>
#
# The gradient of a sum is the sum of the gradients, and the gradient of half a loss is half the gradient. So when is it early
# enough to divide?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# Of each part take the *sum* of its losses, `F.cross_entropy(..., reduction="sum")` with logits $(BT, V)$ and labels $(BT)$:
# it is 0 where all is padding, and `backward` adds its gradient to what is there. Count the labels along the way. After the last
# part divide every `p.grad`, and then look how long they are together.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# total, n = 0.0, 0
# ____                                # nothing of earlier gradients
# for x, labels in parts:
#     loss = F.cross_entropy(____, ____, reduction=____)
#     loss.backward()
#     total, n = ____, ____
# for p in model.parameters():
#     p.grad /= ____
# ____                                # torch.nn.utils has a function that shortens
# return ____
# ```
#
# </details>


# %% answer="accumulate"
def accumulate(model, parts, largest):
    """Leave the gradients of the whole batch in p.grad, at most `largest` long; returns the mean loss."""
    ### BEGIN SOLUTION
    total, n = 0.0, 0
    model.zero_grad()
    for x, labels in parts:
        loss = F.cross_entropy(model(x).flatten(end_dim=1), labels.flatten(), reduction="sum")
        loss.backward()
        total += loss.item()
        n += (labels != -100).sum().item()
    for p in model.parameters():
        p.grad /= n
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    return total / n
    ### END SOLUTION


# %% check="accumulate" points=6
from transformer_lab.grading import grade

grade("13_training.accumulate", accumulate)

# %% [markdown]
# ## Question 3: four patients
# *4 points, difficulty 3 of 5, about 12 minutes*
#
# Eight more runs, as in the lesson: a translator with one block in each stack, or a writer of the Python documentation. The next
# cells draw their curves and put a probe to a patient, beside the same probe of a twin who is known to be well. Four of them
# are for this question, and the others wait in question 4.
#
# An assistant has been here before you. She saw the curves only, and **each of her suspicions is wrong**:
#
# | patient | her suspicion |
# |---|---|
# | Emil | `"healthy"`: no curve is better |
# | Fumi | `"blocks frozen"`: the loss hardly moves |
# | Hugo | `"learning rate too high"`: the loss goes up and down |
# | Ines | `"held-out pairs in the training set"`: the held-out loss is *below* the training loss |
#
# For each patient, pick what is right from the first table, and from the second a probe that **rules out her
# suspicion**. Both tables offer more than is needed, and a probe may serve several times. Write the words as they
# stand there, in quotation marks.
#
# | diagnosis | what it means |
# |---|---|
# | `"healthy"` | whatever looks odd is meant so |
# | `"blocks frozen"` | the optimiser was not given the blocks |
# | `"first weights too large"` | the token table began 50 times as large as it should |
# | `"gradients not zeroed"` | `zero_grad` is missing |
# | `"held-out pairs in the training set"` | what is measured is memory |
# | `"labels not shifted"` | the model reads what it should predict |
# | `"learning rate too high"` | 50 times the twin's |
# | `"learning rate too low"` | a hundredth of the twin's |
# | `"overfitting"` | it learns its examples by heart, and on others gets worse |
# | `"softmax twice"` | one stands before the loss, which has its own |
# | `"source masked"` | the decoder gets a memory without anything in it |
# | `"sources and targets mismatched"` | each text stands beside the translation of another one |
#
# | probe | what it shows |
# |---|---|
# | `"text"` | what the model writes by itself, for three held-out examples |
# | `"ratio"` | update / weight of each matrix, in step 20; above the twin's it can have several causes; decay is a part of the update: in the healthy translator rate × decay is 0.00002 |
# | `"gradient"` | the gradient norm before clipping, along the run |
# | `"start"` | the loss before the first step, $\ln V$, and the spread of the fresh model's logits |
# | `"one batch"` | the loss of a fresh model on the same 16 examples, in steps 1, 10, 20 ... 150 |
# | `"modes"` | the loss of one training batch after training, in `train()` and in `eval()` |
# | `"overlap"` | the share of held-out examples that stand whole in the training set |

# %%
from transformer_lab.experiments import recorded
from transformer_lab.viz import plots

plots.use_style()
ward = recorded("patients")["result"]  # made by experiments/patients.py
patients = {name: case for name, case in ward["patients"].items() if name > "E"}  # the lesson solved Ada to Dora
twins = {"translator": "healthy translator", "documentation model": "healthy writer"}

# %%
fig, axes = plt.subplots(2, 4, figsize=(10, 4.6), sharey=True, layout="constrained")
for ax, (name, case) in zip(axes.flat, patients.items(), strict=True):
    ax.plot(case["curve"]["step"], case["curve"]["train"], label="train")
    ax.plot(case["curve"]["step"], case["curve"]["held out"], "--", label="held out")
    for reference in ("guess", "count pairs"):  # dotted: ln V, and a table of pairs
        ax.axhline(ward["references"][case["model"]][reference], color="grey", linestyle=":")
    ax.set(title=f"{name}, {twins[case['model']].split()[1]}", ylim=(-0.2, 7), xlabel="step")
_ = axes[0, 0].set(ylabel="loss"), axes[1, 0].set(ylabel="loss"), axes[0, 0].legend()


# %%
def look(name, probe):
    """A probe of a patient, and of a healthy twin."""
    twin = twins[patients[name]["model"]]
    own, healthy = patients[name]["probes"][probe], ward["controls"][twin]["probes"][probe]
    if probe == "ratio":
        print(f"{'':46}{name:>10}{twin:>20}")
        for matrix, ratio in own.items():
            print(f"{matrix:46}{ratio:10.2g}{healthy[matrix]:20.2g}")
    else:
        for who, shown in ((name, own), (twin, healthy)):
            print(f"{who}, {probe}:")
            for line in shown if probe == "text" else [shown[::4] if probe == "gradient" else shown]:
                print("   ", line)


# %%
look("Emil", "start")

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# Ask of each suspicion: if it were so, which probe would have to look otherwise? Look at that probe first. It often shows the
# right diagnosis as well.
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# Two of the four look well, and one of these two is. Who says that held-out pairs were held out? Of the other two,
# one is told by something that keeps growing although the loss does not, and one by how short its steps are.
#
# </details>
# <details><summary>Hint 3: a way to go about it</summary>
#
# ```python
# for name in ("Emil", "Fumi", "Hugo", "Ines"):
#     for probe in ("start", "overlap", "modes", "one batch"):
#         look(name, probe)      # short ones first; which of them differ from the twin's by more than a little?
# # then, for those who are left: "text", "gradient", "ratio"
# # what would the ratio of a matrix be that the optimiser does not have?      ____
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each patient: (diagnosis, probe that rules out the assistant's suspicion)
    "Emil": (None, None),
    "Fumi": (None, None),
    "Hugo": (None, None),
    "Ines": (None, None),
}
### BEGIN SOLUTION
diagnoses["Emil"], diagnoses["Ines"] = ("held-out pairs in the training set", "overlap"), ("healthy", "overlap")
diagnoses["Fumi"], diagnoses["Hugo"] = ("learning rate too low", "ratio"), ("gradients not zeroed", "gradient")
### END SOLUTION

# %% check="patients" points=4
from transformer_lab.grading import grade

grade("13_training.patients", diagnoses)

# %% [markdown]
# ## Question 4: four more, who look alike
# *Optional: 4 points, difficulty 4 of 5, about 13 minutes*
#
# The other four of the ward. The figure, `look(name, probe)` and both tables are those of question 3, and again each of the
# assistant's suspicions is wrong:
#
# | patient | her suspicion |
# |---|---|
# | Gita | `"source masked"`: the loss stops far above 0 |
# | Jona | `"blocks frozen"`: the loss stops far above 0 |
# | Kofi | `"learning rate too low"`: after 240 steps still worse than a table of pairs |
# | Lila | `"learning rate too high"`: the curve begins outside the picture |
#
# For each, pick what is right, and a probe that rules out her suspicion.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Gita's and Jona's curves are nearly the same. Each has been given three different dates. Does what they write depend on the
# date?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# Compare Gita's and Jona's matrices with the twin's: do some of them move by their decay alone? Of the other two, one is told
# by what was there before the first step, and one by how far a step goes.
#
# </details>
# <details><summary>Hint 3: a way to go about it</summary>
#
# One of the two cannot read its source, and the other reads a source that does not help.
#
# ```python
# for name in ("Gita", "Jona"):
#     for probe in ("text", "one batch", "ratio"):
#         look(name, probe)
# # what would the ratio of a matrix be whose gradient is all zeros, so that only the decay is left?   ____
# for name in ("Kofi", "Lila"):
#     for probe in ("start", "one batch", "ratio"):
#         look(name, probe)
# # which of these was taken before any step of the run?                                     ____
# ```
#
# </details>

# %% answer="more_diagnoses"
more_diagnoses = {  # of each patient: (diagnosis, probe that rules out the assistant's suspicion)
    "Gita": (None, None),
    "Jona": (None, None),
    "Kofi": (None, None),
    "Lila": (None, None),
}
### BEGIN SOLUTION
more_diagnoses["Gita"] = ("sources and targets mismatched", "text")
more_diagnoses["Jona"] = ("source masked", "ratio")
more_diagnoses["Kofi"] = ("learning rate too high", "ratio")
more_diagnoses["Lila"] = ("first weights too large", "start")
### END SOLUTION

# %% check="more_patients" points=4
from transformer_lab.grading import grade

grade("13_training.more_patients", more_diagnoses)

# %% [markdown]
# ## Question 5: three numbers for a held-out set
# *Optional: 4 points, difficulty 2 of 5, about 8 minutes*
#
# Write `measures(batches)`, which judges a model by its held-out batches. Each is a pair `(logits, labels)`, of shapes
# `(B, T, V)` and `(B, T)`; labels are -100 where there is only padding, which may stand anywhere in a row. `B` and `T` differ
# from batch to batch. Each row holds at least one label. Leave the labels as they are, and return three numbers:
#
# * the loss, in nats: the mean over all labels,
# * the accuracy: the share of all labels whose logit is the largest one,
# * the exact match: the share of all rows in which that is so for *every* label.
#
# Padding has no part in any of them, and none may depend on how the rows were put into batches. How long the list is, nobody
# says, and it is not empty.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Five things can be counted in a batch so that adding up makes sense. Which are they, and which of them stand below a fraction
# line?
#
# </details>
# <details><summary>Hint 2: in steps</summary>
#
# With `real = labels != -100`, $(B, T)$, a hit is where `logits.argmax(dim=-1)` equals the label. A row is right if each of its
# places is a hit or is not real. `F.cross_entropy` wants the classes on axis 1, or on the last of two axes.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# loss = hits = rows_right = n_labels = n_rows = 0
# for logits, labels in batches:
#     real = ____
#     hit = ____
#     loss += F.cross_entropy(____, ____, reduction=____).item()
#     hits += ____
#     rows_right += ____
#     n_labels, n_rows = ____, ____
# return ____, ____, ____
# ```
#
# </details>


# %% answer="measures"
def measures(batches):
    """The loss, the accuracy and the exact match of held-out batches."""
    ### BEGIN SOLUTION
    loss = hits = rows_right = n_labels = n_rows = 0
    for logits, labels in batches:
        real = labels != -100
        hit = logits.argmax(dim=-1) == labels
        loss += F.cross_entropy(logits[real], labels[real], reduction="sum").item()
        hits += hit.sum().item()
        rows_right += (hit | ~real).all(dim=-1).sum().item()
        n_labels, n_rows = n_labels + real.sum().item(), n_rows + len(labels)
    return loss / n_labels, hits / n_labels, rows_right / n_rows
    ### END SOLUTION


# %% check="measures" points=4
from transformer_lab.grading import grade

grade("13_training.measures", measures)

# %% [markdown]
# ## Question 6: a rate that rises and falls
# *Optional: 3 points, difficulty 2 of 5, about 7 minutes*
#
# Write `schedule(step, n_steps, n_warmup, highest, lowest)`: the learning rate of one step. The steps are 0, 1, ...
# `n_steps - 1`, and `n_warmup` is at least 1 and less than `n_steps`.
#
# In the first `n_warmup` steps the rate grows by the same amount in each: it would be 0 *before* step 0, and in step
# `n_warmup - 1` it is `highest`. From there on it follows half a cosine, flat at both ends, and in the very last step it is
# `lowest`. (The package's `warmup_cosine` comes down to 0, and only *after* the last step.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# In which two steps do you know the rate of the second part? Count the steps from one to the other.
#
# </details>
# <details><summary>Hint 2: the formula</summary>
#
# With a progress $p$ that goes from 0 in step `n_warmup - 1` to 1 in step `n_steps - 1`, $(1 + \cos \pi p) / 2$ goes from 1
# to 0. The rate has to go from `highest` to `lowest` instead.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# if step < n_warmup:
#     return ____
# progress = ____ / (n_steps - n_warmup)
# return ____ + ____ * (1 + math.cos(math.pi * progress)) / 2
# ```
#
# </details>


# %% answer="schedule"
def schedule(step, n_steps, n_warmup, highest, lowest):
    """The learning rate of a step: a linear warm-up, then half a cosine."""
    ### BEGIN SOLUTION
    if step < n_warmup:
        return highest * (step + 1) / n_warmup
    progress = (step - n_warmup + 1) / (n_steps - n_warmup)
    return lowest + (highest - lowest) * (1 + math.cos(math.pi * progress)) / 2
    ### END SOLUTION


# %% check="schedule" points=3
from transformer_lab.grading import grade

grade("13_training.schedule", schedule)

# %% [markdown]
# Back to the [lesson](../../notebooks/13_training.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).
