# %% [markdown]
# # 01 Toolkit
#
# **How can a row of numbers mean *November*, and how does a model find such numbers?**
#
# ![The translator drawn from its configuration, encoder on the left and decoder on the right. Its two ends are lit:
# below, in both halves, the embedding, which turns tokens into vectors; at the top of the decoder the scores of the next
# token.](figures/01_toolkit_where.svg)
#
# Inside the translator there are no words. At the lower end of the drawing each word becomes a row of numbers; at the
# upper end numbers become a choice among words. You will see each computation as a picture first, and then watch a
# small model find its numbers by itself. You will be able to
#
# * read a product of matrices in a drawing, in a loop and in code;
# * compute by hand how wrong a guess was, and which way each number should move;
# * write the loop that trains a model.
#
# About 55 minutes if much of it is familiar; five questions, folded below, tell whether you need it. If the
# mathematics is new to you, take two evenings, with the pause in the middle between them. It builds on
# [lesson 00](00_start_here.ipynb), on Python, and on derivatives as taught at school.

# %%
import datetime
import inspect
import math
import re

import matplotlib.pyplot as plt
import torch
from torch.nn import functional as F

from transformer_lab import Transformer, exact_match, load, translate
from transformer_lab.analysis.access import patched
from transformer_lab.data import dates
from transformer_lab.grading import predict
from transformer_lab.tasks.task import IGNORED
from transformer_lab.training.loop import summed_loss, training_step
from transformer_lab.viz import SoftmaxExplorer, plots

# %% jupyter={"source_hidden": true}
plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ## Do you need this lesson? Five questions
#
# Answer these five on paper, then run the cell below. If all are right, look at the drawings, make the three guesses,
# and go on to [02 Attention](02_attention.ipynb).
#
# 1. `W` is a matrix with four rows. What is `[0, 0, 1, 0] @ W`?
# 2. `q` has shape (2, 3, 4) and `k` (2, 5, 4). What is the shape of `q @ k.transpose(-2, -1)`?
# 3. A random number has variance 1. What is the variance of the sum of 100 independent ones?
# 4. A model gives each of 8 tokens the probability 1/8. What is its cross-entropy, in nats?
# 5. The probabilities are (0.5, 0.3, 0.2) and the first token is right. What is the gradient of the cross-entropy at
#    the three scores?

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["deeper"]
print("The answers, computed:")
W = torch.arange(8.0).view(4, 2)
assert torch.equal(torch.tensor([0.0, 0.0, 1.0, 0.0]) @ W, W[2])
print("1. its third row")
print("2.", tuple((torch.zeros(2, 3, 4) @ torch.zeros(2, 5, 4).transpose(-2, -1)).shape))
print("3. about", round(torch.randn(100_000, 100).sum(dim=1).var().item(), -1))
print("4. ln 8 =", round(math.log(8), 2))
scores = torch.tensor([0.5, 0.3, 0.2]).log().requires_grad_()  # their softmax is (0.5, 0.3, 0.2)
F.cross_entropy(scores, torch.tensor(0)).backward()
print("5.", scores.grad.numpy().round(2))

# %% [markdown]
# ## 1. A word becomes a row of numbers
#
# Which number should stand for `November`? [Lesson 00](00_start_here.ipynb) showed its id, 20. But an id is a seat
# number: `January` has 19 and `March` 21, and that means nothing. A better number would not help much: on a line
# there is only one way of being near, but `November` should be near `Nov` in one way and near the other months in
# another.
#
# So each token gets a row of numbers, a vector. The rows stand in a table, the **embedding**, and they are learnt.
#
# ![The token November has the id 20. The table has 55 rows of 64 numbers; the rows 18 May, 19 January, 20 November, 21
# March and 22 December are shown, and row 20 is lit: it is where November
# starts.](figures/01_toolkit_table.svg)

# %%
model, tokenizer = load("dates")
table = model.embedding.tokens.weight.detach()  # detach: only the numbers, without the record that training keeps
november = table[tokenizer.encode("November")[0]]
print("the table:", tuple(table.shape))
print("November: ", tuple(november.shape), november[:4].numpy().round(2), "...")
n_parameters = sum(p.numel() for p in model.parameters())
print(f"numbers in the whole model: {n_parameters:,}, in the table: {table.numel():,}")

# %% [markdown]
# An array of numbers is called a **tensor**. A vector has one **axis**, a table (a **matrix**) two: rows, then
# columns. There may be more. The sizes of the axes are the **shape**. Each number that training may change is a
# **parameter**.
#
# So `November` is 64 learnt numbers. How can we see what they mean?
#
# ## 2. A vector is an arrow
#
# Two numbers are an arrow: so far to the right, so far up.
#
# ![Three pictures. A vector: the arrow (3, 1) goes 3 to the right and 1 up; its length is the root of 3² + 1², 3.2. A
# sum: b, (1, 2), begins where a ends, and a + b = (4, 3) leads from the start of a to the end of b. A dot product: b
# throws a shadow of length 1.6 on a; 3·1 + 1·2 = 5 = 1.6 × 3.2.](figures/01_toolkit_arrows.svg)
#
# * The **length** is Pythagoras: the root of the sum of the squares (`a.norm()`).
# * The **dot product** multiplies number by number and adds up: $a \cdot b = \sum_i a_i b_i$. In the picture it is the
#   length of b's shadow on a, times the length of a. For given lengths it is largest when the arrows point the same
#   way; it is 0 at a right angle, and negative beyond.
# * Divide it by both lengths, and only the directions are left: the **cosine** of the angle between them. It is 1 for
#   the same direction, 0 for a right angle, -1 for opposite ones.
#
# Nobody can draw 64 numbers as an arrow, but all this holds for them too.

# %%
a, b = torch.tensor([3.0, 1.0]), torch.tensor([1.0, 2.0])
print(f"length of a: {a.norm():.1f}   a · b = {a @ b:.0f}   cosine = {a @ b / (a.norm() * b.norm()):.2f}")

# %% [markdown]
# Both `November` and `Nov` must be translated as 11. Do they point the same way? We compare each of eleven months
# (May has no abbreviation) with its own abbreviation and with the ten others: as rows of the table, and after
# reading, at the end of the encoder, which has seen the word in the date `... 22, 2026`. As a control, we ask five
# translators that have *not been trained*. In each row, look where the large dot, the month's own abbreviation, lies
# among the others.

# %% jupyter={"source_hidden": true}
ABBREVIATIONS = ["Jan", "Feb", "Mar", "Apr", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
MONTHS = [next(name for name in tokenizer.tokens(range(18, 30)) if name.startswith(short)) for short in ABBREVIATIONS]


@torch.no_grad()
def vectors(model, words, has_read):
    """The vectors (11, 64) of these months, each at the head of a date."""
    ids, _ = tokenizer.batch([f"{word} 22, 2026" for word in words])
    return (model.encode(ids) if has_read else model.embedding.tokens.weight[ids])[:, 0]


def cosines(model, has_read):
    """Row: a month in full, column: an abbreviation."""
    full, short = (F.normalize(vectors(model, words, has_read), dim=1) for words in (MONTHS, ABBREVIATIONS))
    return full @ short.T


# %% jupyter={"source_hidden": true}
is_own = torch.eye(11, dtype=torch.bool)
untrained = [Transformer(model.config).eval() for _ in range(5)]
fig, both = plt.subplots(1, 2, figsize=(9, 3.6), sharey=True)
print("mean cosine with              own   others")
for axes, (name, models) in zip(both, (("untrained", untrained), ("trained", [model])), strict=True):
    for place, has_read in (("in the table", False), ("after reading", True)):
        found = torch.stack([cosines(one, has_read) for one in models])  # (models, 11, 11)
        own, others = found[:, is_own].mean(), found[:, ~is_own].mean()
        print(f"{name:9}  {place:13}    {own:5.2f}   {others:5.2f}")
    axes.plot(found[0][~is_own].view(11, 10), range(11), "o", color="#9AA5B1", markersize=4)
    axes.plot(found[0][is_own], range(11), "o", color=plots.COLORS[5], markersize=8)
    title = "Trained: own nearest in 9 of 11 rows" if name == "trained" else "Untrained (one of five): own among others"
    axes.set(title=title, xlabel="cosine, after reading", xlim=(-0.2, 1.05))
assert own - others > 0.3 and (found[0].argmax(dim=1) == torch.arange(11)).sum() == 9
both[0].set_yticks(range(11), [f"{full} · {short}" for full, short in zip(MONTHS, ABBREVIATIONS, strict=True)])
_ = both[0].invert_yaxis()

# %% [markdown]
# First look at the untrained models. A mean cosine of 0.67 looks like a finding, but there the *other* months have
# 0.65. So a cosine says something only beside another one.
#
# After training and reading, nine of the eleven months are nearest to their own abbreviation, mostly by far. In the
# table, too, the own abbreviation is nearer on average, but less so. Yet nobody ever told the model that *Nov* is
# short for *November*. How can it have found out? Section 10 shows how rows become alike in a smaller model. First we
# need to know how a model computes with such rows, and how it learns.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: does the direction count, or the length?
#
# Does the model go by where an arrow points, or by how long it is? Move the tips of the eleven abbreviations' arrows,
# each by the same share of its length, in three ways: make them shorter, make them longer, or turn them towards some
# random direction without changing their length. Then let the model translate dates such as `Nov 22, 2026`. (We
# change only what the model *reads*. It uses the table a second time to choose what it writes, as section 3 shows;
# there it stays as it was.)

# %% jupyter={"source_hidden": true} tags=["deeper"]
rows = model.embedding.tokens.weight.data  # the numbers themselves: writing to them changes the model
ids = [tokenizer.encode(short)[0] for short in ABBREVIATIONS]
own, as_it_was, numbers = rows[ids].clone(), rows.clone(), [1, 2, 3, 4, 6, 7, 8, 9, 10, 11, 12]


def right_with(new_rows):
    """How many of the eleven dates come out right if the encoder reads these rows for the abbreviations."""
    rows[ids] = new_rows
    with patched([(model, "logits", lambda hidden: hidden @ as_it_was.T)]):
        texts = translate(model, tokenizer, [f"{short} 22, 2026" for short in ABBREVIATIONS])
    rows[ids] = own
    return sum(text == f"2026年{month}月22日" for text, month in zip(texts, numbers, strict=True))


def turned(cosine):
    """Each row turned until it has this cosine with what it was."""
    length, other = own.norm(dim=1, keepdim=True), torch.randn_like(own)
    along = F.normalize(own, dim=1)
    across = F.normalize(other - (other * along).sum(dim=1, keepdim=True) * along, dim=1)  # at a right angle to own
    return length * (cosine * along + math.sqrt(1 - cosine**2) * across)


# %% tags=["deeper"]
def turned_by(moved):
    return turned(1 - moved**2 / 2)  # then the tip has moved by this share of the length


_ = torch.manual_seed(0)
tips = (0.5, 0.75, 0.9, 1.0, 1.2)
right = {"shorter": [right_with((1 - moved) * own) for moved in tips],
         "longer": [right_with((1 + moved) * own) for moved in tips],
         "turned": [sum(right_with(turned_by(moved)) for _ in range(5)) / 5 for moved in tips]}  # fmt: skip
print("tip moved, in lengths   ", *(f"{moved:5}" for moved in tips))
for name, counts in right.items():  # "turned" is the mean of five tries
    print(f"{name:7} right, of 11    ", *(f"{count:5.0f}" for count in counts))
far = [right_with((1 + moved) * own) for moved in (2, 4)]
print("longer still, tip moved by 2 and by 4 lengths:", *far)
assert right["longer"][3] == right["shorter"][0] == 11 and right["shorter"][3] <= 3 and 2 < right["turned"][3] < 7

# %% [markdown] tags=["deeper"]
# At half its length, and at one and a half to two times its length, an arrow still gives the right month. Turn it so
# that its tip moves as far as doubling moves it, and about half of the months are lost. But shortening it by three
# quarters or more does even worse than turning it as far, and far too long is bad as well. (Shortened by its whole
# length it is gone; by 1.2, it points backwards.) So this model still finds the month if the length changes by a
# factor of about two, or if the arrow is turned a little, but often not if it is turned far.
#
# In the figure of this section `Jan` and `Aug` are not the abbreviations nearest to `January` and `August`. Yet all
# eleven abbreviations are translated rightly here at half and at twice their length. So it may not be necessary to be
# the one nearest to the month.

# %% [markdown]
# ## 3. A matrix is a machine
#
# How does a model compute with a vector? It makes new ones out of it. The simplest machine for that is a **linear**
# one: if an arrow grows to twice its length, its image (what comes out) does too, and the image of a sum is the sum
# of the images. Then it is enough to know where $(1, 0)$ and $(0, 1)$ land, because every arrow is made of these two:
# $(2, 1)$ is twice the first plus the second. The two images, one below the other, are a **matrix**.
#
# ![Left, a plane with a square grid and the arrows (1, 0), (0, 1) and x = (2, 1). In the middle the matrix W with the
# rows (2, 1) and (-1, 1): where (1, 0) and (0, 1) land. Right, the same plane after W: the grid is slanted but still
# straight and even, and x has become (3, 3), which is twice the first row plus the
# second.](figures/01_toolkit_machine.svg)
#
# We write $x W$, with the vector as a row on the left. (Many books write $W x$, with columns.) Several vectors are
# stacked as rows of $X$. In the **matrix product** $X W$, the number in row $i$ and column $j$ is the dot product of
# row $i$ of $X$ with column $j$ of $W$:
#
# ![The product of X, with shape (3, 2) and the rows (2, 1), (0, 3), (1, -1), and W gives the rows (3, 3), (-3, 3), (3,
# 0). The second row of X and the second column of W are lit, and give the lit number 0 · 1 + 3 · 1 =
# 3.](figures/01_toolkit_product.svg)
#
# The two inner sizes must agree, and they disappear: (3, 2) @ (2, 2) is (3, 2), and (3, 64) @ (64, 16) is (3, 16).
# Five facts that the course keeps using:

# %%
X = torch.tensor([[2.0, 1], [0, 3], [1, -1]])
W, V = torch.tensor([[2.0, 1], [-1, 1]]), torch.tensor([[0.0, 1], [1, 0]])
one_hot = F.one_hot(torch.tensor(20), 55).float()  # all zeros but for a single 1, in place 20
assert torch.equal(one_hot @ table, november)
print("1. a one-hot vector picks a row: looking up is a product too")
assert torch.equal((X @ W) @ V, X @ (W @ V))
print("2. two machines one after the other are one machine, W @ V =", (W @ V).tolist())
assert torch.equal(X @ torch.eye(2), X)
print("3. the identity matrix I =", torch.eye(2).tolist(), "changes nothing")
print("4. X.T, transposed: rows become columns\n", X.T.numpy())
print("   X @ X.T: each row's dot product with each row\n", (X @ X.T).numpy())
print("5. outer product: each number times each number\n", torch.outer(X[0], X[2]).numpy())

# %% [markdown]
# The words to search for are **one-hot vector**, **identity matrix**, **transpose** and **outer product**. A **linear
# layer**, `nn.Linear(64, 16)`, is such a matrix, plus a vector that is added, the **bias**. PyTorch keeps its matrix
# transposed, so our $W$ is `layer.weight.T`.
#
# The upper end of the translator is a product too. The dot products of the decoder's last vector with the 55 rows of
# the embedding are the **scores** (or **logits**) of the tokens that may come next. A token scores high if its row
# points where the vector points, and the higher the longer its row. Here the translator has written 2026年, and the
# month comes next:

# %%
source, source_mask = tokenizer.batch(["Sunday, November 22, 2026"])
written, _ = tokenizer.batch(["2026年"], bos=True)  # bos: a start sign in front
with torch.no_grad():
    memory = model.encode(source, source_mask)  # reads the English
    last = model.decode(written, memory=memory, memory_mask=source_mask)[0, -1]  # (64,): reads what is written so far
    scores = last @ table.T  # (64,) @ (64, 55): one score for each token
    assert torch.allclose(scores, model(source, written, source_mask)[0, -1], atol=1e-4)
best = scores.topk(3)
for score, id in zip(best.values, best.indices, strict=True):
    print(f"{tokenizer.tokens([id.item()])[0]:3}{score:6.1f}")

# %% [markdown]
# The token `1` leads by far: it is the first digit of 11, November.
#
# ## 4. Many at once
#
# A model computes many texts side by side, a **batch**, and in each of them many positions. The course calls the
# sizes of these axes by the same letters everywhere:
#
# | letter | size of |
# |---|---|
# | $B$ | the batch: how many texts |
# | $T$, $S$ | positions that look, positions that are looked at (lesson 02) |
# | $D$ | the vector at each position (`d_model`, here 64) |
# | $H$, $L$ | heads side by side (lesson 02), layers (blocks) on top of one another |
# | `d_head` | the shorter vectors inside a head, here 16 |
#
# `@` multiplies along the last two axes, for every index of the axes before them. A frequent product of the course
# compares each of $T$ vectors with each of $S$, in each of $H$ heads of each of $B$ texts. **einsum** writes the loop
# down as letters: what is missing on the right of the arrow is summed.

# %%
B, H, T, S, d_head = 2, 3, 4, 5, 6  # all different: then a wrong axis raises an error
q, k = torch.randn(B, H, T, d_head), torch.randn(B, H, S, d_head)  # random numbers

looped = torch.zeros(B, H, T, S)
for b in range(B):
    for h in range(H):
        for t in range(T):
            for s in range(S):
                looped[b, h, t, s] = q[b, h, t] @ k[b, h, s]

assert torch.allclose(looped, q @ k.transpose(-2, -1), atol=1e-5)  # transpose swaps two axes: here the last two
assert torch.allclose(looped, torch.einsum("bhtd,bhsd->bhts", q, k), atol=1e-5)
print("all three ways give the shape", tuple(looped.shape))

# %% [markdown]
# Where shapes differ, an axis of size 1 is repeated until it fits, and missing axes are put in front: **broadcasting**.
# So `X - X.mean(dim=1, keepdim=True)` subtracts from each row its own mean: `dim=1` averages along the second axis, and
# `keepdim` leaves it there, with size 1. Section 11 shows what can go wrong.
#
# ## 5. How large is a sum?
#
# In an untrained translator a score is a sum of 64 products of random numbers. How large does such a sum get?
#
# The **mean** says nothing about size, because plus and minus cancel. So square first: the **variance** is the mean
# squared distance from the mean. Its root, the **standard deviation**, is the size of a typical number. Squares also
# tell what happens to a sum. From $(a + b)^2 = a^2 + b^2 + 2ab$ follows, for numbers with mean 0,
#
# $$\operatorname{var}(a + b) = \operatorname{var} a + \operatorname{var} b + 2 \operatorname{cov}(a, b) ,$$
#
# where the **covariance** is here the mean of $ab$: positive if the two tend to rise together, 0 if they are
# independent. Independent numbers simply add their variances: 64 of them with variance 1 have a sum of variance 64,
# and a typical sum is about 8. Now add up 64 *copies* of one such number. What is the variance of that sum?

# %%
predict("01_toolkit.copies")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
sizes = [1, 4, 16, 64, 256]
independent = [torch.randn(20_000, size).sum(dim=1).var().item() for size in sizes]
copies = [torch.randn(20_000, 1).expand(-1, size).sum(dim=1).var().item() for size in sizes]
slopes = [math.log(line[-1] / line[0]) / math.log(sizes[-1]) for line in (independent, copies)]

ax = plt.subplots()[1]
ax.loglog(sizes, independent, "o-", label="independent terms")
ax.loglog(sizes, copies, "s--", label="copies of one term")
ax.set(xlabel="terms d", ylabel="variance of the sum",
       title=f"Variance grows like d to the power {slopes[0]:.0f} (independent), {slopes[1]:.0f} (copies)")  # fmt: skip
assert abs(slopes[0] - 1) < 0.05 and abs(slopes[1] - 2) < 0.05
_ = ax.legend()

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
nearest = min((8, 64, 4096), key=lambda guess: abs(math.log(guess / copies[3])))
predict("01_toolkit.copies", actual=str(nearest))

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The sum is $64x$, and a factor of 64 multiplies squares by $64^2 = 4096$. A typical sum is 64, not 8. Independent
# numbers mostly cancel one another; copies never do.
#
# </details>
#
# Lesson 02 needs these rules for the scores of attention, lesson 06 for sums of the outputs of layers.
#
# *This is a good place for a pause. So far: numbers and what they mean. From here on: how they get better.*

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: the scores of an untrained translator
#
# These scores, too, are sums of 64 terms, but their standard deviation is about 1, not 8. The numbers of the
# decoder's last vector have a variance of about 1 ([lesson 07](07_layer_norm.ipynb) shows why), and those of the
# table are drawn with variance 1/64. Multiply two independent numbers with mean 0, and their variances are multiplied
# too: each product has variance 1/64, and the sum of 64 of them has variance 1.

# %% jupyter={"source_hidden": true} tags=["deeper"]
spreads = []
for one in untrained:  # the five translators of section 2
    with torch.no_grad():
        spreads.append(one(source, written, source_mask).std().item())
    assert 0.75 < spreads[-1] < 1.35 and abs(64 * one.embedding.tokens.weight.var().item() - 1) < 0.1
print("scores of five untrained translators, standard deviation:", *(f"{spread:.2f}" for spread in spreads))

# %% [markdown]
# ## 6. How wrong is a guess?
#
# The translator takes the token with the highest score. To *improve* it must know how wrong its scores were, as one
# number, the **loss**. Suppose that there were only three tokens, 1, 2 and 3, with the scores $z = (2, 1, 0)$.
#
# ![A table with three rows, the tokens 1, 2 and 3. Scores z: 2, 1, 0. Their exponentials: 7.39, 2.72, 1.00, with sum
# 11.11. Divided by the sum, the probabilities p: 0.67, 0.24, 0.09, with sum 1. Minus their logarithms, the loss if that
# token is right: 0.41, 1.41, 2.41.](figures/01_toolkit_by_hand.svg)
#
# **Softmax** turns scores into a **probability distribution**, and the **cross-entropy** turns a probability into a loss:
#
# $$p_j = \frac{e^{z_j}}{\sum_i e^{z_i}} \qquad\qquad \text{loss} = -\ln p_\text{target}$$
#
# *Why exp?* Probabilities must be positive and sum to 1. The exponential makes any number positive, and the division
# makes the sum 1. A lead of one point, anywhere on the scale, makes a token $e = 2.7$ times as probable as the other:
# differences become ratios.
#
# *Why the logarithm?* The probability of a text is the *product* of its tokens' probabilities. Logarithms make that a
# sum, so every token has a loss of its own. The **target**, the right token, costs nothing if the model was sure of it,
# $-\ln 1 = 0$; and there is no limit to what it costs if the model was sure of something else. The unit is the **nat**
# (with $\log_2$ it would be the bit). A model that knows nothing gives each of $n$ tokens $1/n$ and pays $\ln n$.

# %%
z, target = torch.tensor([2.0, 1.0, 0.0]), torch.tensor(1)  # the right token is the second
p = z.exp() / z.exp().sum()
loss = -p[target].log()
assert torch.allclose(p, z.softmax(dim=0)) and torch.allclose(loss, F.cross_entropy(z, target))
print(f"p = {p.numpy().round(2)}, loss {loss:.2f}; knowing nothing: ln 3 = {math.log(3):.2f}")

p_month = scores.softmax(dim=0)[tokenizer.encode("1")[0]]
print(f"the translator after 2026年: p of 1 = {p_month:.4f}, loss {-p_month.log():.4f}")
print(f"knowing nothing of 55 tokens: ln 55 = {math.log(55):.1f}")

# %% [markdown]
# Our three scores cost more than knowing nothing: they give the right token less than a third. The translator is
# sure of the right one and pays next to nothing. Is the loss, then, just another way of counting mistakes?
#
# ## 7. Break it
#
# Let us do something cruel to the model: at every token it writes, before it chooses, we multiply all 55 scores by
# 0.1. On 300 new dates we count two things: how many come out right, and the mean loss of a token. (For the loss the
# model reads the right Chinese text so far, and must name the next token.) What changes: the share of dates right,
# the loss, both or neither? Run the cell, and click your guess.

# %%
predict("01_toolkit.flatten")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
held_out = dates.held_out_pairs(300)
ids = [tokenizer.encode(pair.target) for pair in held_out]
sources, sources_mask = tokenizer.batch([pair.source for pair in held_out])
targets, _ = tokenizer.pad([[tokenizer.bos_id, *row] for row in ids])  # what the decoder reads
# What it must name; short rows are filled up, and is_real is False there
labels, is_real = tokenizer.pad([[*row, tokenizer.eos_id] for row in ids])


@torch.no_grad()
def mean_loss():
    return F.cross_entropy(model(sources, targets, sources_mask)[is_real], labels[is_real]).item()


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
factors, right, losses = [0.01, 0.1, 0.3, 1, 3], [], []
plain = model.logits
for factor in factors:
    with patched([(model, "logits", lambda hidden, factor=factor: factor * plain(hidden))]):
        right.append(exact_match(model, tokenizer, held_out))
        losses.append(mean_loss())

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fig, (first, second) = plt.subplots(1, 2, figsize=(9, 3))
first.semilogx(factors, [100 * share for share in right], "o-")
first.set(ylim=(0, 108), xlabel="factor on all scores", ylabel="dates right (%)",
          title=f"Dates right: {min(right):.1%} at every factor")  # fmt: skip
second.semilogx(factors, losses, "o-", color=plots.COLORS[5])
second.axhline(math.log(55), color="grey", linestyle=":", label="knowing nothing: ln 55")
second.set(
    xlabel="factor on all scores",
    ylabel="loss (nats)",
    title=f"Loss: {losses[3]:.3f} at factor 1, {losses[1]:.1f} at 0.1",
)
assert len(set(right)) == 1 and losses == sorted(losses, reverse=True) and math.log(55) - losses[0] < 0.2
_ = second.legend(loc="upper right", bbox_to_anchor=(1, 0.95))

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
moved = right[1] != right[3], losses[1] - losses[3] > 0.1
names = {(0, 0): "neither", (1, 0): "dates right", (0, 1): "loss", (1, 1): "both"}
predict("01_toolkit.flatten", actual=names[moved])

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The order of the scores stays, so every choice stays. But differences shrink to a tenth, and differences are what
# softmax turns into ratios: the probabilities flatten, and the loss climbs towards $\ln 55$, the loss of a model that
# knows nothing. Scores say two things: *which* token is first, and *how surely*. Choosing uses only the first; the
# loss sees both. So two models can write exactly the same and differ in what training sees.
#
# </details>
#
# Now move scores yourself.
#
# 1. Set the scores other than b to 0. How far must b lead, roughly, for a loss below 0.1?
# 2. Shift all scores together ("added to all"). Which of the panels change?
# 3. Raise the **temperature**: all scores are divided by it. When does the loss rise, and when does it fall? Try the
#    highest score as the target, then the lowest.

# %%
explorer = SoftmaxExplorer()
explorer

# %% jupyter={"source_hidden": true}
# Checks the answers below


def nats(scores, target):
    return F.cross_entropy(torch.tensor(scores), torch.tensor(target)).item()


assert nats([0.0, 3.6, 0.0, 0.0, 0.0], 1) > 0.1 > nats([0.0, 3.7, 0.0, 0.0, 0.0], 1)
assert math.isclose(nats([9.0, 8.0], 1), nats([2.0, 1.0], 1), abs_tol=1e-5)
assert nats([1.0, 0.5], 0) > nats([2.0, 1.0], 0) and nats([1.0, 0.5], 1) < nats([2.0, 1.0], 1)

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. By about 3.7.
#
# 2\. None. In the line at the bottom, only the score of the target changes. A shift multiplies every $e^{z}$ by the
# same factor, and the fraction cancels it.
#
# 3\. Flattening costs a model that is right, and helps one that is sure and wrong.
#
# </details>

# %% [markdown]
# ## 8. Which way is down?
#
# A loss says how wrong a model was. How should its scores change? To find out, move one a little, up and down, and
# look at the loss (**finite differences**). For the three scores of section 6, where the second token was right:

# %%
little = 1e-3 * torch.eye(3, dtype=torch.float64)  # row j moves score j
up, down = (F.cross_entropy(z + move, target.expand(3), reduction="none") for move in (little, -little))
slopes = (up - down) / 2e-3
print("p:            ", p.numpy().round(2))
print("slope of loss:", slopes.numpy().round(2))

# %% [markdown]
# All slopes together are the **gradient**. Its first and last numbers are the probabilities themselves, and the one
# in the middle is $0.24 - 1$. For any scores, with the target as a one-hot vector $y$:
#
# $$\frac{\partial\,\text{loss}}{\partial z} = p - y$$
#
# (The round $\partial$ says that all other numbers stand still.) *What the model says minus what is right.* Subtract
# a little of it from the scores: the target's score rises, and every other one falls in proportion to its
# probability.
#
# <details><summary>Deeper: why this holds for any scores</summary>
#
# The loss is $\ln \sum_i e^{z_i} - z_\text{target}$ (take the logarithm of the fraction). Take the derivative with
# respect to $z_j$. The slope of $\ln u$ is $1/u$ times the slope of $u$, and the sum has slope $e^{z_j}$: so the
# first part gives $e^{z_j} / \sum_i e^{z_i}$, which is $p_j$. The second takes 1 away at the target.
#
# </details>
#
# But what should change in a model is its parameters. The translator has 236,992: to move each up and down, one would
# have to run it nearly half a million times, for a single step. The **chain rule** finds all slopes in one pass from
# the end back to the start. Let $u = 3x + 1$ and $v = u^2$. Then $u$ moves 3 times as fast as $x$, and $v$ moves $2u$
# times as fast as $u$, so $v$ moves $2u \cdot 3$ times as fast as $x$: rates multiply. PyTorch records each step of a
# computation, and `backward()` multiplies the rates from the end to the start: **backpropagation**.

# %%
x = torch.tensor(2.0, requires_grad=True)
u = 3 * x + 1
v = u**2
v.backward()
print(f"u = {u:.0f}, dv/dx = {x.grad:.0f} = 2 · {u:.0f} · 3")

# %% [markdown]
# And a matrix? Let the scores be $z = xW$. If the number $W_{ij}$ moves, $z_j$ moves $x_i$ times as fast, and the
# other scores stay. So the loss moves $x_i\,(p_j - y_j)$ times as fast: the gradient at $W$ is the outer product of
# $x$ and $p - y$. Here is the whole way, there and back:
#
# ![Forwards, how wrong is it: the input x and the table W give the scores z = x W, 2, 1, 0; softmax gives p, 0.67, 0.24, 0.09; the
# loss, -ln p of the target, is 1.41 if token 2 is right. Backwards, whose fault is it: the gradient at z is p - y, 0.67, -0.76, 0.09; from it
# comes the gradient at W; a step subtracts a little of it from W.](figures/01_toolkit_loop.svg)

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: the chain rule where many numbers go in and many come out
#
# A step with many inputs and many outputs has a rate for each pair of them. Their table is the **Jacobian**: row $i$,
# column $j$ says how fast output $i$ moves when only input $j$ does. Here it is for softmax at our scores. Multiplying rates
# now means multiplying by such a table: the row of rates from the loss to each $p_i$, times the Jacobian, is the row of rates
# from the loss to each $z_j$, and that is $p - y$ again.

# %% tags=["deeper"]
J = torch.autograd.functional.jacobian(lambda z: z.softmax(dim=0), z)  # (3, 3)
print(J.numpy().round(2))
y = F.one_hot(target, 3)
from_loss_to_p = -y / p  # -ln p moves by -1/p at the target, and does not see the others
back = from_loss_to_p @ J
print("by the chain rule:", back.numpy().round(2), "\np - y:            ", (p - y).numpy().round(2))
assert torch.allclose(back, p - y, atol=1e-6) and J.sum(dim=1).abs().max() < 1e-6

# %% [markdown]
# ## 9. A model that learns
#
# Can a model find its rows by itself? Training goes round the loop drawn in section 8, again and again. Our model is
# to write Chinese dates, with no English to read. It sees one character and must guess the next one: a **bigram**
# model. Its texts are the 5,000 dates that the translator learnt from, up to 日 (day), with a start sign `^` in front.

# %%
texts = ["^" + pair.target[: pair.target.index("日") + 1] for pair in dates.training_pairs(5000)]
characters = sorted(set("".join(texts)))
number = {character: i for i, character in enumerate(characters)}
now = torch.tensor([number[character] for text in texts for character in text[:-1]])
following = torch.tensor([number[character] for text in texts for character in text[1:]])
x, y = F.one_hot(now, 14).float(), F.one_hot(following, 14).float()  # (pairs of neighbours, 14) both
print(texts[0], " ", "".join(characters), " ", len(now), "pairs")

# %% [markdown]
# The model is one table `W`, (14, 14): the row of a character holds the scores of what may follow it. It begins with
# zeros. Each turn, a **training step**, computes scores, loss and gradient of all pairs, and subtracts 40 times the
# mean gradient. (This factor, the **learning rate**, was found by trial. 40 is enormous; numbers far below 1
# are usual.)


# %%
def train_by_hand(steps=300, learning_rate=40.0):
    W, losses = torch.zeros(14, 14), []
    for _ in range(steps):
        p = (x @ W).softmax(dim=1)  # a one-hot row picks a row of W
        losses.append(-(p * y).sum(dim=1).log().mean().item())  # p * y keeps the target's probability
        gradient = x.T @ (p - y) / len(x)  # the mean of the outer products of all pairs
        W = W - learning_rate * gradient
    return W, losses


by_hand, losses = train_by_hand()
print(f"loss at first {losses[0]:.2f} = ln 14, after one step {losses[1]:.2f}")

# %% [markdown]
# This is **gradient descent**. Here is the same loop in PyTorch, in its usual form. `backward()` finds the gradient,
# and an **optimiser** takes the step. The simplest is `SGD`, **stochastic gradient descent** (*stochastic* because a
# step usually sees a few random examples; here it sees all).


# %%
def train(steps=300, learning_rate=40.0, scores_to_loss=F.cross_entropy):
    W, losses = torch.zeros(14, 14, requires_grad=True), []
    optimiser = torch.optim.SGD([W], lr=learning_rate)
    for _ in range(steps):
        optimiser.zero_grad()
        loss = scores_to_loss(x @ W, following)
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    return W.detach(), losses


by_autograd, losses_by_autograd = train()
apart = max(abs(a - b) for a, b in zip(losses, losses_by_autograd, strict=True))
assert apart < 0.0005
print("the losses of both loops differ by less than 0.0005")

# %% [markdown]
# Why `zero_grad`? `backward()` *adds* to the gradient that is there, so each turn begins by clearing it.

# %%
w = torch.tensor(1.0, requires_grad=True)
for n_calls in (1, 2):
    (3 * w).backward()
    print(f"the slope of 3w, calls of backward: {n_calls}, w.grad: {w.grad:.0f}")

# %% [markdown]
# How low can the loss of this table get, with as many steps as one likes? It began at ln 14 = 2.64. Three suggestions:
#
# * *about 0*: it has seen all its texts, so in the end it can know each next character;
# * *about 1.1*: whoever knows how dates are written still cannot know which of the 73,049 days it will be, and pays
#   $\ln 73049$ nats for about ten characters;
# * *about 2*: one character tells so little that about seven may still follow ($\ln 7 = 1.95$).
#
# Which is it, for a table that sees one character? Run the cell, and click your guess.

# %%
predict("01_toolkit.minimum")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
counts = x.T @ y  # (14, 14): how often each follows each
share = counts / counts.sum(dim=1, keepdim=True).clamp(min=1)
minimum = -(share[now] * y).sum(dim=1).log().mean().item()
n_days = (dates.LAST - dates.FIRST).days + 1
nobody = math.log(n_days) / (len(now) / len(texts))  # nats a character
lines = {
    f"from the counts: {minimum:.2f}": minimum,
    f"the least for any model, on fresh dates: {nobody:.2f}": nobody,
}
assert abs(minimum - 1.96) < 0.01 and abs(nobody - 1.12) < 0.01 and n_days == 73049
by_heart = math.log(len(set(texts))) / (len(now) / len(texts))  # of one that knows all its texts
assert len(set(texts)) == 5000 and abs(by_heart - 0.85) < 0.01

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
ax = plt.subplots(figsize=(7, 3.6))[1]
ax.semilogx(range(1, 301), losses, label="by hand")
ax.semilogx(range(1, 301), losses_by_autograd, "--", label="with backward and SGD")
for words, value in lines.items():
    ax.axhline(value, color="grey", linestyle=":")
    ax.text(1, value - 0.02, words, verticalalignment="top")
ax.set(
    ylim=(0, None),
    xlabel="step",
    ylabel="loss (nats)",
    title=f"After 300 steps: {losses[-1] - minimum:.3f} nats above what counting gives",
)
assert 0 < losses[-1] - minimum < 0.01
_ = ax.legend(loc="upper right")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
nearest = min((0, nobody, 2), key=lambda value: abs(value - minimum))
predict("01_toolkit.minimum", actual={0: "about 0", nobody: "about 1.1", 2: "about 2"}[nearest])

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# After `1` many things may come, and the table cannot know what stood before the `1`. The best it can do is to give
# each character the share with which it *was counted* there. The loss of that, 1.96 nats, is the **conditional
# entropy** of the counts, and training finds it without counting.
#
# A model that looks further back can do better. Could one that knew all 5,000 texts by heart get to 0? No: it cannot
# know which of them comes, and pays $\ln 5000$ nats for the ten characters, 0.85 for each. And on fresh dates, 73,049
# days of which each is as likely as any other, every model pays, on average, at least $\ln 73049$ nats: 1.12 for
# each. Know the minimum, if you can, before you judge a loss.
#
# </details>
#
# ## 10. Let it write
#
# What does the trained table write? Begin with `^`, draw the next character with the table's probabilities, and go on
# until 日 (at most 30 characters):


# %%
def write(W, seed):
    _, text = torch.manual_seed(seed), "^"
    while text[-1] != "日" and len(text) < 30:
        chances = W[number[text[-1]]].softmax(dim=0)
        text += characters[torch.multinomial(chances, 1).item()]
    return text[1:]


for name, W in (("before training", torch.zeros(14, 14)), ("after training", by_hand)):
    print(name)
    for seed in range(5):
        print("   ", write(W, seed))


# %% jupyter={"source_hidden": true}
def is_date(text):
    try:
        return datetime.date(*map(int, re.fullmatch(r"(\d{4})年(\d{1,2})月(\d{1,2})日", text).groups())) is not None
    except (AttributeError, ValueError):  # another form, or no such day
        return False


found = sum(is_date(write(by_hand, seed)) for seed in range(1000))
assert found < 20
print(f"dates among 1000 texts: {found}")

# %% [markdown]
# Before training anything follows anything. Afterwards, in these five texts, 年, 月 and 日 never stand side by side, and
# `^` does not come again. Such texts are hardly ever dates, but the table has learnt what may follow what.
#
# **And what do its rows mean?** All of them began with zeros, and nobody told the table what a digit is. On the left
# stand the cosines of its rows: which characters form dark red groups? On the right stands a control, a table trained
# on the same characters with what follows shuffled. (In the figure 年 is nián and 月 is yuè. 日 is left out: nothing
# follows it, so its row is still zero.)

# %% jupyter={"source_hidden": true}
shuffle = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
by_chance, _ = train(scores_to_loss=lambda scores, target: F.cross_entropy(scores, target[shuffle]))
shown = [number[character] for character in "年月^1230945678"]
names = ["nián", "yuè", *"^1230945678"]
fig, both = plt.subplots(1, 2, figsize=(9, 4.6))
titles = "Similar followers, similar rows", "Shuffled: all above 0.95"
for axes, W, title in zip(both, (by_hand, by_chance), titles, strict=True):
    cosine = F.normalize(W[shown], dim=1) @ F.normalize(W[shown], dim=1).T
    drawn = axes.imshow(cosine, cmap="RdBu_r", vmin=-1, vmax=1)
    axes.set(xticks=range(13), yticks=range(13), xticklabels=names, yticklabels=names, title=title)
    axes.tick_params(axis="x", rotation=90)
    axes.grid(visible=False)
    if W is by_hand:
        assert cosine[0, 1] > 0.9 and cosine[8:, 8:].min() > 0.95 and cosine[:2, 3:].max() < 0.4
_ = fig.colorbar(drawn, ax=both, label="cosine of two rows", shrink=0.8)
assert cosine.min() > 0.95

# %% [markdown]
# 年 and 月 point the same way, and no digit points there. 4 to 8 are nearly one arrow: the same may follow each of
# them. 0 and 9 are nearly another: in 19.. and 20.. a digit always follows. Shuffled, all characters have much the
# same followers, and all rows become alike.
#
# So nobody had to say what belongs together. **Tokens with similar followers got similar rows**, just by making the
# loss smaller. `Nov` and `November` are used alike, too: both must come out as 11. (In our table it could hardly be
# otherwise: a row *is* the list of scores of what may follow. Whether the translator's rows came about in the same
# way is another question.)
#
# But this table knows only the last character: in the texts that it writes, a year may have any number of digits, and
# a month may come twice. To write dates a model must look back, and to translate them it must look at the English.
# How it does that is the subject of [lesson 02](02_attention.ipynb). The loop stays much the same; the model grows.
#
# ## 11. What people get wrong
#
# **A lost axis.** A model's predictions have shape (4, 1), the right values (4,), and every prediction is right:

# %%
values = torch.tensor([1.0, 2.0, 3.0, 4.0])
predicted = values[:, None]  # (4, 1)
for shape, prediction in (("(4, 1)", predicted), ("(4,)", predicted[:, 0])):
    difference = values - prediction
    print(f"{shape:6}  difference {tuple(difference.shape)}, mean squared error {(difference**2).mean():.1f}")

# %% [markdown]
# Broadcasting stretched both: every value met every prediction, and nothing complained. Assert shapes before you
# subtract.
#
# **Softmax before `cross_entropy`.** `F.cross_entropy` wants scores and takes the softmax itself. Give it
# probabilities, and it is taken twice. No error is raised, and the reported loss still falls:


# %%
def softmax_twice(scores, target):
    return F.cross_entropy(scores.softmax(dim=1), target)


W_twice, reported = train(steps=150, scores_to_loss=softmax_twice)
perfect = F.cross_entropy(F.one_hot(torch.tensor([3]), 14).float(), torch.tensor([3])).item()
true, flatter = (F.cross_entropy(x @ W_twice / divisor, following).item() for divisor in (1, 3))
print(f"reported loss: {reported[0]:.2f} at first, {reported[-1]:.2f} at last")
print(f"  reported for a perfect model: {perfect:.2f}")
print(f"true loss: {math.log(14):.1f} at first, {true:.1f} at last")
print(f"  with all scores divided by 3: {flatter:.1f}")
assert reported[-1] < reported[0] and true > math.log(14) > flatter

# %% [markdown]
# Probabilities lie between 0 and 1. As scores they lead by 1 at most, so not even a perfect model would be reported
# as such. And the true loss is now worse than at the start, because the table is far too sure: flatten its scores,
# and the loss falls.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: your loop in the package
#
# `transformer_lab/training/loop.py` trains the course's larger models. Its step has the parts of yours, and one more:

# %% tags=["deeper"]
wanted = ("zero_grad", "loss = ", "backward", "clip_grad", "optimizer.step")
for line in inspect.getsource(training_step).splitlines():
    if any(part in line for part in wanted) and "#" not in line:
        print(line.strip())

# %% [markdown] tags=["deeper"]
# Here `accelerator.backward` is `backward()`, on one machine or on several, and `loss` is the *sum* over the tokens
# of a batch. Dividing by the number of labels makes a mean of it. (Several processes would average their gradients;
# the factor `n_processes` makes that a sum again.) `clip_grad_norm_` is new: it shortens gradients that are too long.
# Why a sum? A batch may be computed in parts with different numbers of labels, and a mean of the parts' means would
# weigh the labels of a short part more. And which labels count? Short texts are filled up, and those places hold a
# number that `F.cross_entropy` skips:

# %% tags=["deeper"]
with torch.no_grad():
    scores = model(sources[:6], targets[:6], sources_mask[:6])  # (6, T, 55)
ignored = labels[:6].masked_fill(~is_real[:6], IGNORED)
p, y = scores.softmax(dim=-1), F.one_hot(labels[:6], 55)
by_token = -(p * y).sum(dim=-1).log()  # (6, T), as in section 9
package, yours = summed_loss(scores, ignored), by_token[is_real[:6]].sum()
assert torch.allclose(package, yours, atol=1e-4)
print(f"{is_real[:6].sum()} of {ignored.numel()} labels count")
print(f"loss: {package:.3f} in the package, {yours:.3f} by hand")
print(f"had the others counted too: {by_token.sum():.0f}")

# %% [markdown]
# ## 12. Check yourself
#
# <details><summary>The cosine of two words' vectors is 0.6. Are they alike?</summary>
#
# You cannot say yet. After reading, even untrained translators give two months about 0.65 on average. Compare with
# other words.
#
# </details>
#
# <details><summary>Why does the gradient $p - y$ always sum to 0?</summary>
#
# $p$ sums to 1, and so does $y$. It must be so: moving all scores together changes nothing.
#
# </details>
#
# <details><summary>Your model writes exactly what mine writes, but its loss is twice as high. How can that be?</summary>
#
# Its scores may have the same order and smaller differences: then it makes the same choices, but is less sure of them.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/01_toolkit/toolkit.ipynb): three core questions, then optional ones.
#
# ## Takeaways
#
# * A token is a row of a learnt table, an arrow. The cosine compares where two arrows point, and says something only
#   beside other cosines. In our small table, tokens with similar followers got rows that point alike.
# * A matrix is a linear machine; its rows say where the unit arrows land. `X @ W` does it to each row of `X`.
# * A sum of $d$ independent numbers has $d$ times the variance of one, a sum of $d$ copies $d^2$ times.
# * Softmax turns differences of scores into ratios of probabilities. The loss is $-\ln p_\text{target}$, and $\ln n$
#   for a model that knows nothing.
# * The gradient at the scores is $p - y$. Training: clear, scores, loss, `backward`, step; and know the minimum.
#
# **Papers.** None is needed: all of this is older than the Transformer.
#
# Previous: [00 Start here](00_start_here.ipynb). Next: [02 Attention](02_attention.ipynb).
