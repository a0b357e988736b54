# %% [markdown]
# # 01 Toolkit
#
# **You will meet, with everything measured, the little mathematics that this course needs, and train a model in ten lines.**
# (Every term and letter: [glossary](glossary.ipynb).)
#
# After this lesson you will be able to
#
# * read a shape such as $(B, H, T, S)$, and write a loop as an `einsum`;
# * say how large a sum of random numbers gets;
# * tell what moves a softmax and a cross-entropy, and what does not;
# * derive the gradient $p - y$ with the chain rule, and check it in three ways;
# * write the training loop by hand, and recognise it when it is broken.
#
# About 50 minutes. It builds on [lesson 00](00_start_here.ipynb), on Python and on school calculus.

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from transformer_lab import exact_match, load
from transformer_lab.analysis.access import patched
from transformer_lab.data import dates
from transformer_lab.grading import predict
from transformer_lab.tasks.task import IGNORED
from transformer_lab.training.loop import summed_loss
from transformer_lab.viz import SoftmaxExplorer, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## Do you need this lesson?
#
# Answer these six on paper, then run the cell below. If you get all six, go on to [02 Attention](02_attention.ipynb).
#
# 1. `a` has shape (5,), `b` has shape (5, 1). Which shape has `a - b`?
# 2. `q` is (2, 3, 4) and `k` is (2, 5, 4). Which shape has `torch.einsum("btd,bsd->bts", q, k)`?
# 3. A random number has variance 1. Which variance has the sum of 100 independent ones? And of 100 copies of one?
# 4. What is softmax of (101, 102, 103) minus softmax of (1, 2, 3)?
# 5. A model gives each of 8 tokens the probability 1/8. What is its cross-entropy, in nats?
# 6. The probabilities are (0.5, 0.3, 0.2) and the first token is right. What is the gradient of the cross-entropy at the
#    three scores?

# %% jupyter={"outputs_hidden": true}
print("The answers, computed:")
print("1.", tuple((torch.zeros(5) - torch.zeros(5, 1)).shape))
print("2.", tuple(torch.einsum("btd,bsd->bts", torch.zeros(2, 3, 4), torch.zeros(2, 5, 4)).shape))
print("3.", 100, "and", 100**2)
scores = torch.tensor([1.0, 2.0, 3.0])
print("4.", ((scores + 100).softmax(0) - scores.softmax(0)).numpy().round(4) + 0.0)
print("5. ln 8 =", round(math.log(8), 2))
scores = torch.tensor([0.5, 0.3, 0.2]).log().requires_grad_()  # their softmax is (0.5, 0.3, 0.2)
F.cross_entropy(scores, torch.tensor(0)).backward()
print("6.", scores.grad.numpy().round(2))

# %% [markdown]
# ## 1. Break it
#
# The date translator ends in **scores** (also called logits): for each next token of its 55, one number. When it writes, it
# takes the token with the highest score. When it was trained, the scores were made into probabilities, and it was
# penalised by the **loss**: the negative natural logarithm of the right token's probability, in *nats*. A model that guesses
# evenly gives each of 55 tokens 1/55, so its loss is $\ln 55$, about 4 nats. We measure the loss while the model reads the
# right target.

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
ids = [tokenizer.encode(pair.target) for pair in held_out]
source, source_mask = tokenizer.batch([pair.source for pair in held_out])
target, _ = tokenizer.pad([[tokenizer.bos_id, *row] for row in ids])  # what the decoder reads
# What it should say next; is_real is False where a short row is filled up
labels, is_real = tokenizer.pad([[*row, tokenizer.eos_id] for row in ids])


@torch.no_grad()
def loss_and_hits():
    """Mean loss of the right tokens, and the share of them that have the highest score."""
    scores = model(source, target, source_mask)[is_real]  # (tokens, 55)
    hits = (scores.argmax(dim=-1) == labels[is_real]).double().mean().item()
    return F.cross_entropy(scores, labels[is_real]).item(), hits


# %% [markdown]
# Now multiply all scores by one factor, for instance 0.1. What changes: the share of `"dates right"`, the `"loss"`, `"both"`
# or `"neither"`? Put your guess in place of `None`.

# %%
predict("01_toolkit.flatten", None)

# %%
factors, right, loss, hits = [0.01, 0.1, 0.3, 1, 3], [], [], []
plain = model.logits
for factor in factors:
    with patched([(model, "logits", lambda hidden, factor=factor: factor * plain(hidden))]):
        right.append(exact_match(model, tokenizer, held_out))
        for kept, value in zip((loss, hits), loss_and_hits(), strict=True):
            kept.append(value)

# %% jupyter={"outputs_hidden": true}
fig, (first, second) = plt.subplots(1, 2, figsize=(9, 3))
first.semilogx(factors, [100 * share for share in right], "o-")
first.set(
    ylim=(0, 108), xlabel="factor", ylabel="dates right (%)", title=f"Dates right: {min(right):.0%} at every factor"
)
second.semilogx(factors, loss, "o-", color=plots.COLORS[5])
second.axhline(math.log(55), color="grey", linestyle=":", label="ln 55: guessing evenly")
second.set(xlabel="factor", ylabel="loss (nats)", title=f"Loss: {loss[0]:.1f} nats at factor 0.01")
assert len(set(right)) == 1
_ = second.legend(loc="upper right", bbox_to_anchor=(1, 0.95))

# %% jupyter={"outputs_hidden": true}
moved = max(right) - min(right) > 0.01, max(loss) - min(loss) > 0.1
predict("01_toolkit.flatten", actual={(0, 0): "neither", (1, 0): "dates right", (0, 1): "loss", (1, 1): "both"}[moved])

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("the same dates right at every factor:", len(set(right)) == 1)
print("at least 99.9 % of the right tokens have the highest score, at every factor:", min(hits) > 0.999)
print("at 0.01 the loss is within 0.2 nats of ln 55:", math.log(55) - loss[0] < 0.2)
print("the larger the factor, the lower the loss:", loss == sorted(loss, reverse=True))

# %% [markdown]
# The order of the scores stays, so every choice stays. But the differences shrink, the probabilities flatten, and the loss
# rises towards $\ln 55$. Above 1 it falls further, only because here nearly every right token leads already: a model that
# is more often wrong pays dearly for being sure (section 4).
#
# So a score says two things: which token is first, and how surely. Training sees the second. The rest of the lesson is what
# you need to follow it.
#
# ## 2. Shapes and einsum
#
# A tensor is a box of numbers with axes. The course names their sizes the same way everywhere:
#
# | letter | size of |
# |---|---|
# | $B$ | batch: examples computed together |
# | $T$, $S$ | positions that ask, positions that are looked at |
# | $D$ | the vector at each position (`d_model`) |
# | $H$, $L$ | heads, layers |
#
# In each of $H$ heads a position has a shorter vector, of `d_head` numbers. Compare each of $T$ positions with each of $S$,
# by the sum of products of their numbers. As a loop:

# %%
B, H, T, S, d_head = 2, 3, 4, 5, 6  # all different, so that a wrong axis raises an error
q, k = torch.randn(B, H, T, d_head), torch.randn(B, H, S, d_head)

looped = torch.zeros(B, H, T, S)
for b in range(B):
    for h in range(H):
        for t in range(T):
            for s in range(S):
                looped[b, h, t, s] = sum(q[b, h, t, i] * k[b, h, s, i] for i in range(d_head))

# %% [markdown]
# `einsum` is the same loop, written down as letters. Each letter is an index. A letter on the left of the arrow only (`d`)
# is summed over; every letter on the right stays as an axis.

# %%
by_letters = torch.einsum("bhtd,bhsd->bhts", q, k)
by_product = q @ k.transpose(-2, -1)  # a matrix product: last axis of q with the second last of the other
assert torch.allclose(looped, by_letters, atol=1e-5) and torch.allclose(looped, by_product, atol=1e-5)
by_letters.shape

# %% [markdown]
# ## 3. Dot product, and the variance of a sum
#
# That sum of products is the **dot product** $a \cdot b = \sum_i a_i b_i$. It is also length times length times the cosine
# of the angle between them: large when two vectors point the same way, 0 at a right angle, negative when they point apart.

# %%
a = torch.tensor([2.0, 1.0])
for name, b in (("same way", [4.0, 2.0]), ("right angle", [-1.0, 2.0]), ("opposite", [-2.0, -1.0])):
    b = torch.tensor(b)
    print(f"{name:12} a·b = {(a @ b).item():5.1f}   cosine = {(a @ b / (a.norm() * b.norm())).item():4.1f}")

# %% [markdown]
# The translator's 55 scores are dot products: of the model's last vector with the vector of each token.

# %%
hidden = torch.randn(1, 1, model.config.d_model)  # (B, T, D)
assert torch.allclose(
    model.logits(hidden), torch.einsum("btd,vd->btv", hidden, model.embedding.tokens.weight), atol=1e-4
)

# %% [markdown]
# A dot product sums many terms. How large does a sum get? Measure size by the **variance**: the mean squared distance from
# the mean. One number $x$ has variance 1. Add up 64 independent numbers like it, and the variance is 64. Now add up 64
# *copies* of $x$. The variance is...

# %%
predict("01_toolkit.copies", None)  # "8", "64" or "4096"

# %% jupyter={"outputs_hidden": true}
sizes = [1, 4, 16, 64, 256]
independent = [torch.randn(20_000, size).sum(dim=1).var().item() for size in sizes]
copies = [torch.randn(20_000, 1).expand(-1, size).sum(dim=1).var().item() for size in sizes]
slopes = [math.log(line[-1] / line[0]) / math.log(sizes[-1]) for line in (independent, copies)]

ax = plt.subplots()[1]
ax.loglog(sizes, independent, "o-", label="independent terms")
ax.loglog(sizes, copies, "s--", label="copies of one term")
ax.set(xlabel="terms d", ylabel="variance of the sum",
       title=f"Variance grows like d to the power {slopes[0]:.0f} (independent), {slopes[1]:.0f} (copies)")  # fmt: skip
_ = ax.legend()

# %% jupyter={"outputs_hidden": true}
predict("01_toolkit.copies", actual=min(("8", "64", "4096"), key=lambda guess: abs(math.log(int(guess) / copies[3]))))

# %% [markdown]
# For any two random numbers, $\operatorname{var}(a + b) = \operatorname{var} a + \operatorname{var} b + 2 \operatorname{cov}(a, b)$.
# The covariance of independent ones is 0, so variances add: $d$. A sum of copies is $d \cdot x$, and a factor $d$ multiplies
# squares by $d^2$. Terms that are partly alike lie between. In lesson 02 the terms are products of two numbers, in lesson 06
# the outputs of layers.
#
# ## 4. Softmax and cross-entropy
#
# Let $z_j$ be score number $j$ of $n$. **Softmax** makes probabilities $p_j$ of them: positive, with sum 1.
#
# $$p_j = \frac{e^{z_j}}{\sum_{i=1}^{n} e^{z_i}}$$
#
# The **cross-entropy** of a right answer, the *target*, is $-\ln p_{\text{target}}$, in *nats* (with $\log_2$ it would be
# bits). It is 0 when the target has probability 1; an even guess among $n$ costs $\ln n$; a sure and wrong one has no limit.

# %%
z, right_one = torch.tensor([2.0, 1.0, 0.5, -1.0, 0.0]), 1  # five scores; the target is number 1
p = z.exp() / z.exp().sum()
assert torch.allclose(p, z.softmax(dim=0))
assert torch.allclose(-p[right_one].log(), F.cross_entropy(z, torch.tensor(right_one)))
assert torch.allclose(F.cross_entropy(torch.zeros(5), torch.tensor(right_one)), torch.tensor(math.log(5)))
print(f"p: {p.numpy().round(2)}   loss: {-p[right_one].log():.2f}   even guess: ln 5 = {math.log(5):.2f}")

# %% [markdown]
# Four other scores are equal. By how much must the target's score lead them for the loss to fall below 0.1 nats?

# %%
predict("01_toolkit.lead", None)  # "1.0", "2.3" or "3.6"

# %% [markdown]
# Now move the scores yourself.
#
# 1. Set the scores other than b to 0. How far must b lead for a loss below 0.1?
# 2. Shift all scores together ("added to all"). Which of the three panels change?
# 3. Raise the temperature (all scores are divided by it). When does the loss rise, and when does it fall? Try the highest
#    score as the target, then the lowest.

# %%
explorer = SoftmaxExplorer()
explorer


# %% jupyter={"outputs_hidden": true}
def nats(scores, target):
    return F.cross_entropy(torch.tensor(scores), torch.tensor(target)).item()


lead = math.log(4 / (math.exp(0.1) - 1))
print("Answers, computed:")
print(f"1. the formula below says {lead:.2f}; the loss there is {nats([0.0, lead, 0.0, 0.0, 0.0], 1):.2f}")
print("2. a shift by 7 leaves the loss as it is:", math.isclose(nats([9.0, 8.0], 1), nats([2.0, 1.0], 1), abs_tol=1e-5))
print("3. all divided by 2: the loss rises for the highest:", nats([1.0, 0.5], 0) > nats([2.0, 1.0], 0))
print("   and falls for the lowest:", nats([1.0, 0.5], 1) < nats([2.0, 1.0], 1))

# %% jupyter={"outputs_hidden": true}
predict("01_toolkit.lead", actual=min(("1.0", "2.3", "3.6"), key=lambda guess: abs(float(guess) - lead)))

# %% [markdown]
# Divide numerator and denominator of softmax by $e^{z_{\text{target}}}$: only *differences* of scores are left. So a shift
# moves the scores and nothing after them. With $n - 1$ others, all behind by the same lead,
#
# $$\text{loss} = \ln\left(1 + (n - 1)\, e^{-\text{lead}}\right), \qquad \text{lead} = \ln \frac{n - 1}{e^{\text{loss}} - 1} .$$
#
# Question 3 is section 1 again: flattening costs a model that is right, and helps one that is sure and wrong.
#
# ## 5. The chain rule, with vectors
#
# School: if $y = f(u)$ and $u = g(x)$, then $\frac{dy}{dx} = \frac{dy}{du} \cdot \frac{du}{dx}$. Rates multiply. PyTorch
# records each step of a computation, and `backward()` multiplies their rates from the end to the start:

# %%
x = torch.tensor(2.0, requires_grad=True)
u = 3 * x + 1
y = u**2
y.backward()
assert x.grad == 2 * u * 3  # dy/du = 2u, du/dx = 3
x.grad

# %% [markdown]
# Softmax takes $n$ numbers and gives $n$, so it has $n^2$ rates: the **Jacobian**, row $i$, column $j$, holds
# $\frac{\partial p_i}{\partial z_j}$, the rate at which $p_i$ moves when only $z_j$ does. From the quotient rule:
#
# $$\frac{\partial p_i}{\partial z_j} = p_i\,([i = j] - p_j), \qquad J = \operatorname{diag}(p) - p\,p^\top ,$$
#
# where $[i = j]$ is 1 if $i = j$ and else 0, and $\operatorname{diag}(p)$ has $p$ on its diagonal.

# %%
J = torch.diag(p) - torch.outer(p, p)
assert torch.allclose(J, torch.autograd.functional.jacobian(lambda z: z.softmax(dim=0), z), atol=1e-6)
assert torch.allclose(J.sum(dim=1), torch.zeros(5), atol=1e-6)  # rows: a shift of all scores changes nothing
assert torch.allclose(J.sum(dim=0), torch.zeros(5), atol=1e-6)  # columns: the probabilities still sum to 1
assert (J.diag() > 0).all() and (J - torch.diag(J.diag()) <= 0).all()
title = "A higher score gains (diagonal) what all others lose"
_ = plots.matrix(plt.subplots(figsize=(4.6, 3.2))[1], J, title=title, row_name="probability i", column_name="score j")

# %% [markdown]
# With vectors the chain rule still multiplies: rates become Jacobians, and the product becomes a matrix product.
#
# ## 6. The gradient of cross-entropy
#
# The **gradient** of the loss holds its rate for each score. Write the target as $y$: 1 at the target, 0 elsewhere (*one-hot*).
# Then $\text{loss} = -\sum_i y_i \ln p_i$, its rate for $p_i$ is $-y_i / p_i$, and the chain rule gives
#
# $$\frac{\partial\,\text{loss}}{\partial z_j} = \sum_i -\frac{y_i}{p_i}\; p_i\,([i = j] - p_j) = p_j \sum_i y_i - y_j = p_j - y_j ,$$
#
# because $y$ sums to 1: what the model says minus what is right. Three checks, in 64 bits. The last needs no calculus:
# move one score by a little to both sides, and see by how much the loss moves (*finite differences*).

# %%
z = z.double().requires_grad_()
p, y = z.softmax(dim=0), F.one_hot(torch.tensor(right_one), 5).double()
F.cross_entropy(z, torch.tensor(right_one)).backward()
by_jacobian = (-y / p) @ (torch.diag(p) - torch.outer(p, p))
little = 1e-5 * torch.eye(5, dtype=torch.float64)  # row j moves score j
with torch.no_grad():
    up, down = (F.cross_entropy(z + move, torch.full((5,), right_one), reduction="none") for move in (little, -little))
for name, other in (("chain rule", by_jacobian), ("autograd", z.grad), ("finite differences", (up - down) / 2e-5)):
    print(f"{name:18} equals p - y to 1e-8:", torch.allclose(other, p - y, atol=1e-8, rtol=0))
print("p - y:", (p - y).detach().numpy().round(2))

# %% [markdown]
# Training subtracts a little of the gradient: the target's score rises, all others fall, each by its own probability.
#
# ## 7. A training loop in ten lines
#
# The task: read one character of a Chinese date, predict the next. We take the 5,000 dates that the translator learnt from,
# cut each after 日 (day), and put a start sign `^` in front. Every pair of neighbours is an example: a *bigram*.

# %%
texts = ["^" + pair.target[: pair.target.index("日") + 1] for pair in dates.training_pairs(5000)]
characters = sorted(set("".join(texts)))
number = {character: i for i, character in enumerate(characters)}
n_characters = len(characters)
now = torch.tensor([number[character] for text in texts for character in text[:-1]])
following = torch.tensor([number[character] for text in texts for character in text[1:]])
n_pairs = len(now)
x, y = F.one_hot(now, n_characters).float(), F.one_hot(following, n_characters).float()  # (n_pairs, 14) both
texts[0], "".join(characters), n_characters

# %% [markdown]
# The model is one table `W`, of shape (14, 14): row = this character, column = the score of the next. A one-hot row times
# `W` picks a row. All zeros is an even guess, so the loss starts at $\ln 14$. Can this model reach a loss of 0, given enough
# steps?

# %%
predict("01_toolkit.minimum", None)  # "yes" or "no"

# %% [markdown]
# Now the loop, with nothing hidden: scores, loss, gradient, step. The scores are `x @ W`, so the chain rule hands the
# gradient $p - y$ on to `W` as `x.T @ (p - y)`: each example adds its $p - y$ to the row that it read. The *learning rate*,
# how much of the gradient is subtracted, is 40, found by trying.


# %%
def train_by_hand(steps=300, learning_rate=40.0):
    W, losses = torch.zeros(n_characters, n_characters), []
    for _ in range(steps):
        p = (x @ W).softmax(dim=1)  # (n_pairs, 14)
        losses.append(-(p * y).sum(dim=1).log().mean().item())  # p * y keeps the target's probability
        gradient = x.T @ (p - y) / n_pairs  # (14, 14)
        W = W - learning_rate * gradient
    return W, losses


by_hand, losses = train_by_hand()
print("starts at ln 14 =", round(math.log(14), 2), ":", math.isclose(losses[0], math.log(14), abs_tol=1e-4))

# %% [markdown]
# The same loop as you will meet it everywhere. `backward()` computes the gradient, and `SGD` takes the step. (Stochastic
# gradient descent: usually each step sees a random part of the data; here it sees all.)


# %%
def train(steps=300, learning_rate=40.0, clear=True, scores_to_loss=F.cross_entropy):
    W, losses = torch.zeros(n_characters, n_characters, requires_grad=True), []
    optimizer = torch.optim.SGD([W], lr=learning_rate)
    for _ in range(steps):
        loss = scores_to_loss(x @ W, following)
        if clear:  # leaving this out is a mistake of section 8
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return W.detach(), losses


by_autograd, losses_by_autograd = train()
print("same table to 0.01:", torch.allclose(by_hand, by_autograd, atol=0.01))

# %% [markdown]
# How good can it get? This model has a minimum that we know without training: after each character, predict the share with
# which each next one was counted. The loss of that is the *conditional entropy* of the counts.

# %% jupyter={"outputs_hidden": true}
counts = x.T @ y  # (14, 14): how often each follows each
share = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
minimum = -(share[now] * y).sum(dim=1).log().mean().item()

ax = plt.subplots()[1]
ax.plot(losses, label="by hand")
ax.plot(losses_by_autograd, "--", label="autograd and SGD")
ax.axhline(minimum, color="grey", linestyle=":", label="minimum, from the counts")
gap = "within 0.01 nats of" if losses[-1] - minimum < 0.01 else "still above"
ax.set(xlabel="step", ylabel="loss (nats)", title=f"300 steps end {gap} the minimum, {minimum:.2f} nats")
_ = ax.legend()

# %% jupyter={"outputs_hidden": true}
predict("01_toolkit.minimum", actual="yes" if minimum < 0.01 else "no")

# %% [markdown]
# No training gets below it: after `1`, a table that sees one character cannot know what comes. That takes a look further
# back, and looking back is lesson 02. The loop stays the same; only the model grows.
#
# ## 8. What people get wrong
#
# **A lost axis.** A model returns predictions of shape (n, 1); the right values have shape (n,). Their difference is...

# %%
predict("01_toolkit.broadcast", None)  # "an error", "(n,)" or "(n, n)"

# %% jupyter={"outputs_hidden": true}
values = torch.tensor([1.0, 2.0, 3.0, 4.0])
predicted = values[:, None]  # (4, 1): every prediction is right
difference = values - predicted
print("Every prediction is right.")
print("shape of the difference:", tuple(difference.shape), " mean squared error:", (difference**2).mean().item())
print("with equal shapes:", ((values - predicted[:, 0]) ** 2).mean().item())

# %% jupyter={"outputs_hidden": true}
predict("01_toolkit.broadcast", actual="(n, n)" if difference.shape == (4, 4) else "(n,)")

# %% [markdown]
# PyTorch aligns shapes from the right and stretches axes of size 1 (*broadcasting*): every value meets every prediction, and
# nothing complains. Assert the shapes before you subtract.
#
# **Softmax before `cross_entropy`** (M38; such numbers count the misconceptions that the course has collected).
# `F.cross_entropy` wants scores and takes the softmax itself. Give it probabilities, and softmax is taken twice. Where can
# the loss end at best, for 14 characters and a model that knows every answer: `"at 0"`, `"above 0"` or `"at ln 14"`?

# %%
predict("01_toolkit.twice", None)

# %% jupyter={"outputs_hidden": true}
perfect = F.one_hot(torch.tensor([3]), 14).float()  # probabilities: 1 for the right one
floor = F.cross_entropy(perfect, torch.tensor([3])).item()
assert math.isclose(floor, math.log(math.e + 14 - 1) - 1, abs_tol=1e-5)


def softmax_twice(scores, target):
    return F.cross_entropy(scores.softmax(dim=1), target)


W_twice, reported = train(steps=150, scores_to_loss=softmax_twice)
honest = F.cross_entropy(x @ W_twice, following).item()
print("Softmax twice:")
print(f"the floor for a perfect model: {floor:.2f} nats; for one softmax: 0")
print("our table: it trains without an error, and the reported loss falls:", reported[-1] < reported[0])
print("its true loss ends above the even guess it started from:", honest > math.log(14))

# %% jupyter={"outputs_hidden": true}
predict("01_toolkit.twice", actual="at 0" if floor < 0.1 else "at ln 14" if floor > 2.6 else "above 0")

# %% [markdown]
# Probabilities lie between 0 and 1, so as scores they lead by at most 1. Put a lead of 1 into the formula of section 4: the
# floor is $\ln(e + n - 1) - 1$. Trying to get lower all the same, the table becomes surer than the dates allow.
#
# **A forgotten `zero_grad`** (M43). `backward()` *adds* to the gradient that is there. Unless it is cleared, every step
# repeats all steps before it.

# %% jupyter={"outputs_hidden": true}
w = torch.tensor(1.0, requires_grad=True)
for _ in range(2):
    (3 * w).backward()
print("The rate of 3w is 3; after two backward calls w.grad is", int(w.grad))

_, kept = train(steps=150, clear=False)
ax = plt.subplots()[1]
ax.plot(kept, color=plots.COLORS[5], label="gradient never cleared")
ax.plot(losses[:150], "--", color=plots.COLORS[0], label="cleared at each step")
ax.axhline(minimum, color="grey", linestyle=":", label="minimum")
assert min(kept) > minimum + 0.05
ax.set(
    xlabel="step", ylabel="loss (nats)", title="Without zero_grad the loss never comes within 0.05 nats of the minimum"
)
_ = ax.legend()

# %% [markdown]
# It falls, and then it wanders. No error, only a model that is worse than it could be.
#
# ## 9. In the package
#
# `transformer_lab/training/loop.py` trains every model of this course. Open it and find your ten lines in `training_step`.
# It adds two things to the loss. Texts of a batch have different lengths, so the short ones are filled up (*padding*);
# those labels hold the number `IGNORED` and do not count. And the loss is *summed*, then divided by the number of labels that
# count, because a mean of means weighs unequal parts wrongly:

# %%
long, short = torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([6.0])  # the losses of two texts
print("mean of the means:", ((long.mean() + short.mean()) / 2).item(), " mean:", torch.cat((long, short)).mean().item())

# %% [markdown]
# Its loss and gradient are yours, on one batch of the translator:

# %%
scores = model(source[:6], target[:6], source_mask[:6]).detach().requires_grad_()  # (6, T, 55)
real = is_real[:6]
package = summed_loss(scores, labels[:6].masked_fill(~real, IGNORED))
package.backward()

p, y = scores.detach().softmax(dim=-1), F.one_hot(labels[:6], 55)
yours = -(p * y).sum(dim=-1).log()[real].sum()
assert torch.allclose(yours, package, atol=1e-4)
assert torch.allclose(scores.grad, (p - y) * real[..., None], atol=1e-5)  # p - y; 0 where it is padding
print("labels that count:", int(real.sum()), "of", real.numel(), " same loss and gradient: True")

# %% [markdown]
# ## 10. Check yourself
#
# <details><summary>All scores are doubled. What happens to the order of the probabilities, and to the loss?</summary>
#
# The order stays. The loss falls if the target leads, and rises if it is far behind.
#
# </details>
#
# <details><summary>Why do the gradients of the cross-entropy at the scores always sum to 0?</summary>
#
# $p$ sums to 1 and so does $y$. It must be so: a shift of all scores changes nothing.
#
# </details>
#
# <details><summary>Your loss for 14 classes starts at 2.64, falls, and never gets below 1.75. What do you look for?</summary>
#
# A softmax in front of `cross_entropy`. (Or a task that holds no more: compare with a known minimum, if there is one.)
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/01_toolkit/toolkit.ipynb).
#
# ## Takeaways
#
# * Name the axes: $B, T, S, D, H, L$. An index that is missing after the arrow is summed over.
# * A sum of $d$ independent terms has $d$ times the variance, of $d$ copies $d^2$ times.
# * Softmax sees differences of scores only; cross-entropy is $-\ln p_{\text{target}}$, and $\ln n$ for an even guess.
# * Softmax's Jacobian is $\operatorname{diag}(p) - p\,p^\top$, the gradient of cross-entropy $p - y$.
# * Training: scores, loss, cleared gradient, `backward`, step. Know the minimum, if you can, before you judge a loss.
#
# **Papers.** None is needed: all of this is older than the Transformer.
#
# Previous: [00 Start here](00_start_here.ipynb). Next: [02 Attention](02_attention.ipynb).
