# %% [markdown]
# # 02 Attention
#
# **How does a model that writes Chinese know where to look in English?**
#
# ![The translator drawn from its configuration. On the left the encoder reads "Sunday, November 22, 2026" through two blocks
# of self-attention and feed-forward. On the right the decoder has written 2 0 2 6 nián; each of its two blocks has
# self-attention, cross-attention, which receives the encoder's vectors, and feed-forward. Its next token is 1. All attention
# parts are lit.](figures/02_attention_where.svg)
#
# The translator has written `2026年` (*nián*, year). Next comes the month, and only the English says which one, in its
# third token. The lit parts of the drawing do the looking; all of them work alike. (On the left the **encoder**
# reads, on the right the **decoder** writes, each in two **blocks**.)
#
# In this lesson you build their core, **attention**, out of a plain average. We ask whether the translator needs to
# look where it looks, and at the end it works with your version. You will be able to
#
# * compute attention from its vectors, for one word and for a whole text;
# * say what queries, keys and values are for, and where they come from;
# * explain the one constant in the formula, and say what happens without it.
#
# About 55 minutes. You need the words of [lesson 01](01_toolkit.ipynb): dot product, softmax, variance, gradient.

# %%
import calendar
import math
from dataclasses import replace

import matplotlib.pyplot as plt
import torch

from transformer_lab import Transformer, exact_match, load, replace_attention, scaled_dot_product_attention, translate
from transformer_lab.analysis.access import patched
from transformer_lab.analysis.reading import translation_attention
from transformer_lab.analysis.recording import record_attention, record_heads
from transformer_lab.data import dates
from transformer_lab.experiments import recorded
from transformer_lab.grading import predict
from transformer_lab.viz import AttentionView, QueryExplorer, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# Here is the trained translator, and 500 dates that it has never seen. A date counts only if every character is right.

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(500)
whole = exact_match(model, tokenizer, held_out)
print(f"{whole:.1%} of the dates are right")

# %% [markdown]
# For each token it writes, the model *scores* every English token, turns the scores into **weights** that sum to 1,
# and takes the weighted average of what the tokens have to offer. The higher a score stands above the others, the
# larger its weight. (The tokens of one text look at each other in the same way.) We damage only the scores,
# everywhere at once, and make them
#
# * **all the same**, so that all weights are, too: the model has no choice;
# * **four times too large**, as when lesson 00 left out a division by 4 ("without scale");
# * **four times too small**.
#
# A factor of 4 or 1/4 keeps the order of the scores within each average. Which of the two hurts more? Run the cell,
# and click your guess.

# %%
predict("02_attention.break_scale")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def times(factor):
    """Attention whose scores are multiplied by this."""
    return lambda q, k, v, mask=None: scaled_dot_product_attention(factor * q, k, v, mask)


factors = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
with replace_attention(model, times(0)):
    none = exact_match(model, tokenizer, held_out)
    print("no choice:", translate(model, tokenizer, ["Sunday, November 22, 2026"])[0])
right = []
for factor in factors:
    with replace_attention(model, times(factor)):
        right.append(exact_match(model, tokenizer, held_out))
small, large = right[1], right[5]

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
ax = plt.subplots(figsize=(7, 2.8))[1]
ax.semilogx(factors, [100 * share for share in right], "o-", base=2)
ax.axhline(100 * none, color="grey", linestyle=":", label=f"no choice: {none:.0%}")
ax.set(xlabel="factor on all scores", ylabel="dates right (%)", ylim=(-3, 108), xticks=factors)
ax.set_xticklabels(["1/8", "1/4", "1/2", "1", "2", "4", "8"])
ax.set_title(f"Dates right: {small:.0%} with scores 4 x too small, {large:.0%} with 4 x too large")
_ = ax.legend(loc="upper left")
assert none == 0 and small < 0.1 < 0.5 < right[2] < large < 0.9 < right[4] and whole == right[3]

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
worse = "about the same" if abs(large - small) < 0.1 else "too large" if large < small else "too small"
predict("02_attention.break_scale", actual=worse)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The figure shows how many dates stay right, for seven factors. Scores that are too large give the favourite, the
# token with the highest score, even more weight, and most dates survive a factor of 4. Scores that are too small
# spread the weight, and what arrives is a mixture of many tokens: with a quarter hardly any date survives. Section 3
# shows both for one token. With no choice none is right; what the model then writes for our date is printed above the
# figure.
#
# </details>
#
# Two things need an explanation: how the model *chooses*, and why the size of the scores matters so much.
#
# ## 2. To look is to average
#
# What does the model do when it looks at a word? Each lit part has four **heads**, which look side by side, each with
# weights of its own. We follow one that is about to find the month: head 3 of block 2's cross-attention. (It looks
# from the Chinese at the English.) The thicker an arrow, the larger the weight; the numbers are the model's own.
#
# ![The tokens written so far, 2 0 2 6 nián; a question mark behind them says that the month comes next. Arrows come to nián
# from the ten English tokens, as thick as their weights: November 0.92, the two digits of the day 0.03 each, one digit of the
# year 0.01, all others 0.00.](figures/02_attention_looking.svg)
#
# We fetch these weights. The model reads the whole Chinese text at once, as in training; [lesson 03](03_masks.ipynb)
# shows what keeps it from reading ahead. The weights are a table, with one row for each Chinese token read. The first
# row reads `[BOS]`, the sign for the beginning. The sixth has just read 年, and writes the first digit of the month.

# %%
source, _ = tokenizer.batch(["Sunday, November 22, 2026"])
written, _ = tokenizer.batch(["2026年11月22日星期日"], bos=True)
words = tokenizer.tokens(source[0].tolist())

with record_heads(model) as heads, torch.no_grad():
    model(source, written)
block_2 = heads["cross"][1]  # its cross-attention: queries, keys and weights of four heads
weights = block_2.weights[2, 5]  # head 3, the sixth row (Python counts from 0): one weight for each English token
for word, weight in zip(words, weights, strict=True):
    print(f"{word:10}{weight:.2f}")

# %% [markdown]
# What do the weights do? Each token offers a vector of 16 numbers, its **value**. The head passes on the weighted
# average of the values: each times its weight, all added up. How near does it come to November's value? (We measure
# in lengths of that value.)

# %% jupyter={"source_hidden": true}
with torch.no_grad():  # section 4 and lesson 04 show where values come from
    layer = model.decoder.blocks[1].cross_attention
    values = layer.split(layer.w_v(model.encode(source)))[0, 2]

# %%
print("values of head 3:", tuple(values.shape), "one row for each English token")
output = sum(weight * value for weight, value in zip(weights, values, strict=True))
assert torch.allclose(output, weights @ values, atol=1e-5)

november, plain_average = values[2], values.mean(dim=0)
for name, vector in (("November's value", november), ("the plain average", plain_average)):
    print(f"distance of the output to {name:18}{(output - vector).norm() / november.norm():.2f} of November's length")

# %% [markdown]
# It comes near. Equal weights would give the plain average, whatever is being written: section 1's "no choice". **To
# look at a word is to give it much of the weight in an average.**
#
# ## 3. A dictionary that answers softly
#
# Who sets the weights? They cannot be fixed: where the month stands differs from date to date. A Python `dict` also
# finds things. It compares what you ask for, the query, with each key, and returns the value of the key that is
# *equal*.

# %%
months = {"November": "11", "October": "10"}
print(months.get("November"), months.get("november"))

# %% [markdown]
# A near miss gets nothing. Nor could you *learn* with it: a tiny change of the query changes nothing, until it
# changes everything. There is no slope to follow.
#
# So make it soft. The **query** becomes a vector that says what is looked for. Each token gets a **key**, a vector of
# the same width that says how it can be found. The dot product of query and key is the key's **score**: the larger it
# is, the further the key reaches in the query's direction. Here are our head's ten scores (divided by 4; section 6
# says why):

# %%
query, keys = block_2.queries[2, 5], block_2.keys[2]  # (16,), (10, 16)
scores = torch.stack([query @ key for key in keys]) / 4
for word, score in zip(words, scores, strict=True):
    print(f"{word:10}{score:5.1f}")

# %% [markdown]
# November stands out, but scores can be negative and sum to anything. **Softmax** turns them into weights: take
# exponentials, which are always positive, and divide that of token $j$ by the sum over all tokens $j'$.
#
# $$\text{weight}_j = \frac{e^{\text{score}_j}}{\sum_{j'} e^{\text{score}_{j'}}}$$

# %%
ours = scores.exp() / scores.exp().sum()
print(f"November: {ours[2]:.2f}, as the model says: {weights[2]:.2f}")
assert torch.allclose(ours, weights, atol=1e-5)
for factor in (4, 1 / 4):
    print(f"scores times {factor:4}: November {(factor * scores).softmax(dim=0)[2]:.2f}")

# %% [markdown]
# You have just computed where one head looks, and what section 1's factors do to one row. With scores four times as
# large, November stands alone. With scores four times as small, two thirds of the weight go to others.
#
# Torch's `softmax` does the same in one call. With it, here is the whole soft dictionary, for $S$ keys of width $d$,
# and values that may have another width, $e$ (not Euler's number here). (Our 4 was $\sqrt{16}$.)


# %%
def attend_one(query, keys, values):
    """query (d,), keys (S, d), values (S, e) -> output (e,), weights (S,)"""
    scores = torch.stack([query @ key for key in keys]) / math.sqrt(len(query))
    weights = scores.softmax(dim=0)
    return weights @ values, weights


assert torch.allclose(attend_one(query, keys, values)[1], weights, atol=1e-5)

# %% [markdown]
# ## 4. One vector, three jobs
#
# Where do queries, keys and values come from? Each is made from a token's **hidden state**, the vector `x` that
# stands for the token at one point of the model. There are three jobs. The `x` of the last token written, 年, must
# *look for* a month. The `x` of `November` must *be found*, as a month. Once found, it must *hand over* something
# else: which month it is. So each head learns three matrices, here (64, 16) each, which make three **projections** of
# `x`:
#
# $$q = x\,W_Q \qquad k = x\,W_K \qquad v = x\,W_V$$
#
# On the left the last token written asks; on the right three of the words being read answer. (Ten of each vector's
# sixteen numbers are drawn; darker means further from 0.)
#
# ![Left, the last token written, nián: its vector times W_Q is the query, what do I look for. Right, three of the words being
# read, Sunday, November and 2: their vectors times W_K are keys, how am I found, and times W_V values, what do I hand over.
# Below: the scores of query and keys are 0.1, 6.8 and 3.2, the weights 0.00, 0.92 and 0.03, and the output is mostly
# November's value. Each vector shows the first ten of its sixteen numbers.](figures/02_attention_roles.svg)
#
# The key of `November` fits the query best, so the output is mostly its value.
#
# In **cross-attention** the queries come from the text being written, and keys and values from the text being read.
# In **self-attention** all three come from one text: the English tokens look at each other, and so do the Chinese
# ones. (The model also adds a bias to each.)

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: are the matrices needed?
#
# Could self-attention do without $W_Q$ and $W_K$, and compare the `x` themselves? Here are scores of the English
# tokens, first with the bare `x`, then with the matrices of the encoder's first head, divided by the roots of the two
# widths, 64 and 16:

# %% jupyter={"source_hidden": true} tags=["deeper"]
with torch.no_grad():
    x, first = model.embedding(source)[0], model.encoder.blocks[0].attention
    plain = x[0] @ x[0].T / math.sqrt(64)
    projected = first.split(first.w_q(x))[0, 0] @ first.split(first.w_k(x))[0, 0].T / math.sqrt(16)

print("               Sunday asks   November asks   score highest")
print("                  November          Sunday   with themselves")
for name, scores in (("x with x", plain), ("with W_Q, W_K", projected)):
    favourites = (scores.argmax(dim=1) == torch.arange(10)).sum().item()
    print(f"{name:14}{scores[0, 2]:12.1f}{scores[2, 0]:16.1f}{favourites:12} of 10")

# %% [markdown] tags=["deeper"]
# Without the matrices two tokens $x$ and $y$ must score each other alike, $x \cdot y = y \cdot x$, and here each of
# the ten scores highest with itself. With them the two scores can differ; here they are 0.1 and 2.7. (In a sentence,
# *it* must find its noun; the noun need not find *it*.)
#
# Why two? Biases aside, the scores see only the product of the two: $q \cdot k = x\,W_Q W_K^\top y^\top$. One matrix
# $M$ in the middle would do as well. Two narrow ones, here (64, 16) each, make it out of fewer numbers, and give us
# two words, query and key.

# %% [markdown]
# ## 5. All queries at once
#
# Every row of the decoder asks its own question. So stack the $T$ queries as rows of one matrix, and the $S$ keys and
# $S$ values as rows of two others; here $T = 13$ and $S = 10$. All the dot products together are *one* product of
# matrices:
#
# | name | shape | meaning |
# |---|---|---|
# | `q`, `k`, `v` | $(T, d)$, $(S, d)$, $(S, e)$ | queries and keys share $d$, for their dot product; values may be $e$ wide |
# | `scores` | $(T, S)$ | row $i$, column $j$: query $i$ · key $j$, divided by $\sqrt{d}$ |
# | `weights` | $(T, S)$ | softmax of each *row*: the weights of one query, which sum to 1 |
# | `output` | $(T, e)$ | $\text{output}_i = \sum_j \text{weights}_{ij}\, v_j$: the sum runs over the *keys* $j$ |
#
# ![Five matrices side by side. q, with 13 rows of 16 numbers, times k transposed, 16 rows of 10, gives the 13 by 10 weights after
# a division by 4 and a softmax of each row. The weights times v, 10 rows of 16 numbers, give the output, 13 rows of 16. The sixth
# row, which writes the month, is framed in q, in the weights and in the output.](figures/02_attention_shapes.svg)
#
# The framed row writes the month's first digit. The figure shows equation 1 of Vaswani et al. (2017), whose $Q$, $K$,
# $V$ are our `q`, `k`, `v`:
#
# $$\text{Attention}(Q, K, V) = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$


# %%
def attention(q, k, v):
    """(T, d), (S, d), (S, e) -> output (T, e), weights (T, S)"""
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    weights = scores.softmax(dim=-1)  # over the keys
    return weights @ v, weights


queries = block_2.queries[2]  # (13, 16): head 3's, one for each token that is written
output, weights = attention(queries, keys, values)
for i in range(13):
    assert torch.allclose(output[i], attend_one(queries[i], keys, values)[0], atol=1e-5)
difference = (weights - block_2.weights[2]).abs().max()
assert difference < 1e-5
print("the model's weights and ours differ by less than 0.00001")

# %% [markdown]
# Here are all the weights of our head. From now on a row is named after the token that it *writes*, here in Latin
# letters (*rì* is day, *xīngqīrì* Sunday, and `[EOS]` the sign for the end). Where does each row look?

# %% jupyter={"source_hidden": true}
rows = ["2", "0", "2", "6", "nián", "1", "1", "yuè", "2", "2", "rì", "xīngqīrì", "[EOS]"]
ax = plt.subplots(figsize=(6, 5.4))[1]
plots.matrix(ax, weights, rows, words, row_name="about to be written", column_name="read")
_ = ax.set_title("Head 3 of block 2: the month's digits read November")
assert weights[5:7, 2].min() > 0.8

# %% [markdown]
# The rows of the month's digits look at `November`. But so does the row of *yuè* (month), when both digits are
# written already. And the weekday's row looks at a comma more than at `Sunday`. Does a row need what it looks at? The
# picture does not say; section 8 asks, for these two rows in a Deeper part.
#
# ## 6. Why divide by $\sqrt{d}$?
#
# The formula's one constant is left. Before the division a score is a sum of $d$ products, one for each component.
# Suppose that the components of `q` and `k` are independent, with mean 0 and variance 1. Then each product $q_c k_c$
# has mean 0. Its variance is the mean of $q_c^2 k_c^2$, which is the mean of $q_c^2$ times the mean of $k_c^2$: 1.
# Variances of independent terms add up:
#
# $$\operatorname{var}(q \cdot k) = \sum_{c=1}^{d} \operatorname{var}(q_c k_c) = d$$
#
# The root of the variance, the standard deviation, says how large a typical score is: $\sqrt{d}$.

# %% jupyter={"source_hidden": true}
widths = [4, 16, 64, 256, 1024]
for d in widths:
    scores = (torch.randn(20_000, d) * torch.randn(20_000, d)).sum(dim=-1)
    print(f"d = {d:4}   variance / d = {scores.var() / d:.1f}   a typical score is {scores.std():.0f}")
    assert 0.9 < scores.var() / d < 1.1

# %% [markdown]
# So the size of a score depends on a width that has nothing to do with the text. Dividing by $a$ divides the variance
# by $a^2$. For variance 1 at every width, $a$ must be $\sqrt{d}$. Mind which $d$: the width of the vectors that *meet
# in the dot product*. The translator's `x` is 64 wide, but a head's queries and keys only 16 ([lesson
# 04](04_multi_head.ipynb) says why): hence the 4 in section 3.
#
# Does the size of the scores matter to a *fresh* model, too, which must still learn where to look? The **gradient**
# at a score says how much the loss would change if this score moved a little: near 0, nothing tells the model to look
# there more, or less. Take random `q`, `k` and `v`, divide by *nothing*, and let the loss be the output's dot product
# with a random vector. As $d$ grows, what happens to the gradients' **median** size (half are smaller), over many
# queries and keys? Run the cell, and click your guess.

# %%
predict("02_attention.gradient")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def measure(d, scale, n=400, n_keys=32):
    """Mean entropy of the weights; median gradient at all scores and at each query's highest, over n random queries."""
    q, k, v = torch.randn(n, 1, d), torch.randn(n, n_keys, d), torch.randn(n, n_keys, 16)
    scores = (q @ k.transpose(-2, -1) * scale).requires_grad_()
    weights = scores.softmax(dim=-1)
    (weights @ v * torch.randn(n, 1, 16)).sum().backward()  # a random direction stands for the loss
    entropy = torch.special.entr(weights).sum(dim=-1).mean().item()
    highest = scores.grad.abs().gather(-1, scores.argmax(dim=-1, keepdim=True))
    return entropy, scores.grad.abs().median().item(), highest.median().item()


scales = {"no division": lambda d: 1, "by sqrt(d)": lambda d: d**-0.5, "by d": lambda d: 1 / d}
measured = {name: [measure(width, scale(width)) for width in widths] for name, scale in scales.items()}
kept, vanishing, flat = measured["by sqrt(d)"], measured["no division"], measured["by d"]

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fig, (entropy_axes, gradient_axes) = plt.subplots(1, 2, figsize=(9, 3.5))
for marker, (name, results) in zip("os^", measured.items(), strict=True):
    entropies, gradients, winners = zip(*results, strict=True)
    if name == "no division":
        gradient_axes.plot(widths, winners, "k:", marker="o")
        gradient_axes.text(1024, 6e-5, "no division,\nthe favourite", ha="right", va="top")
    entropy_axes.plot(widths, entropies, marker=marker, label=name)
    gradient_axes.plot(widths, [max(g, 1e-12) for g in gradients], marker=marker, label=name)
entropy_axes.axhline(math.log(32), color="grey", linestyle=":", label="all weights equal")
gradient_axes.axhline(1e-12, color="grey", linestyle="--")
gradient_axes.text(4, 2e-12, "1e-12 or less")
title = f"By sqrt(d): entropy {kept[0][0]:.1f} at d = 4, {kept[-1][0]:.1f} at d = 1024"
entropy_axes.set(xscale="log", xlabel="width d", ylabel="entropy (nats)", title=title)
title = "No division: the gradient vanishes"
gradient_axes.set(xscale="log", yscale="log", xlabel="width d", ylabel="median |gradient| at a score", title=title)
_ = entropy_axes.legend(), gradient_axes.legend(loc="lower left", bbox_to_anchor=(0, 0.12), fontsize=8)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
assert abs(kept[0][0] - kept[-1][0]) < 0.1 and vanishing[3][1] < 1e-9 and math.log(32) - flat[-1][0] < 0.01
assert vanishing[0][2] > 0.2 > 0.01 > vanishing[-1][2]
assert max(gradient for _, gradient, _ in kept) < 1.5 * min(gradient for _, gradient, _ in kept)
first_gradient, last_gradient = vanishing[0][1], vanishing[-1][1]
faded = last_gradient < first_gradient / 100
grown = last_gradient > 2 * first_gradient
predict("02_attention.gradient", actual="vanishes" if faded else "grows" if grown else "stays")

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The left picture shows the **entropy**, which says how evenly a query spreads its weight: 0 if one key takes all,
# $\ln 32 = 3.47$ if 32 keys share equally. The right one shows the gradient.
#
# * **No division**: the entropy falls as $d$ grows, until one key takes nearly all (**saturation**). By the quotient
#   rule, the derivative of the output with respect to score $j$ is $w_j\,(v_j - \text{output})$, where $w_j$ is the
#   weight of key $j$. So a key without weight gets no gradient. And the gradient of the favourite, the key with the
#   highest score, fades too (the dotted black line): the output is nearly this key's value, so $v_j - \text{output}$
#   is nearly 0.
# * **By $\sqrt{d}$**: the line is flat in both pictures. The width no longer decides how sharp attention is.
# * **By $d$**: the gradients live, but the entropy climbs to the grey dotted line: the output is nearly the plain
#   average.
#
# </details>
#
# Those were random numbers. What if a translator is *trained* with its scores divided by $\sqrt{d}$, by $d$, or by
# nothing? `experiments/divisor.py` trained 30, for 500 steps at one learning rate: four heads of width 16 or one of
# width 64, times three divisors, times the same five **seeds**. (A seed is the number from which all random numbers
# follow.)

# %% jupyter={"source_hidden": true}
print("heads, divisor     dates right after 500 steps     mean loss after 100")
for row in recorded("divisor")["result"]:
    right = " ".join(f"{share:4.0%}" for share in row["right"])
    loss = sum(losses[9] for losses in row["losses"]) / 5  # recorded at every tenth step
    print(f"{row['heads']} x {row['width']}, {row['divisor']:8} {right}{loss:16.2f}")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the comparisons below, seed by seed
result = {(row["heads"], row["divisor"]): row for row in recorded("divisor")["result"]}
for n_heads in (4, 1):
    root, by_d, undivided = (result[n_heads, name] for name in ("sqrt(d)", "d", "nothing"))
    for slower in (by_d, undivided):
        assert all(a[9] < b[9] for a, b in zip(root["losses"], slower["losses"], strict=True))
    assert all(b >= a for a, b in zip(root["right"], by_d["right"], strict=True))
    assert all(b < a for a, b in zip(root["right"], undivided["right"], strict=True))
assert all(b < a for a, b in zip(result[4, "nothing"]["right"], result[1, "nothing"]["right"], strict=True))

# %% [markdown]
# Undivided, the translator still learns. (At its widths, 16 and 64, the pictures show less saturation than at 1024.)
# But with every seed its loss after 100 steps is higher than with the root, and after 500 steps it is still behind,
# further with one wide head than with four narrow ones. Dividing by $d$ costs only a slower beginning here. (Section
# 1's translator was trained with the root. One trained with $d$ may make up for that with larger $W_Q$ and $W_K$.) So
# the root is not the only divisor that works. What it gives, for random `q` and `k`, is scores of the same size at
# every width.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: is a fresh translator like random numbers?
#
# The derivation took the components to be independent. In a translator all queries of a head are made by one matrix,
# and all its keys by another, from the vectors of a few tokens. Here are translators that have not been trained, six
# with four heads of width 16 and six with one of width 64, and the entropy of their cross-attention over the ten
# English tokens of our date:

# %% jupyter={"source_hidden": true} tags=["deeper"]
divisors = {"none": lambda d: 1, "sqrt(d)": math.sqrt, "d": lambda d: d}


def entropy_of_a_fresh_one(n_heads, divisor, seed):
    def divided(q, k, v, mask):
        d = q.shape[-1]
        return scaled_dot_product_attention(q * math.sqrt(d) / divisor(d), k, v, mask)

    _ = torch.manual_seed(seed)
    fresh = Transformer(replace(model.config, n_heads=n_heads)).eval()
    with replace_attention(fresh, divided), record_attention(fresh) as maps, torch.no_grad():
        fresh(source, written)
    return torch.special.entr(torch.stack(maps["cross"])).sum(dim=-1).mean().item()


# %% jupyter={"source_hidden": true} tags=["deeper"]
fresh = {(n_heads, name): [entropy_of_a_fresh_one(n_heads, divisor, seed) for seed in range(6)]
         for n_heads in (4, 1) for name, divisor in divisors.items()}  # fmt: skip
print(f"entropy, of at most ln 10 = {math.log(10):.1f}; lowest and highest of six seeds")
print("heads x width   " + "".join(f"{name:16}" for name in ("undivided", "by sqrt(d)", "by d")).rstrip())
for n_heads in (4, 1):
    found = [f"{min(fresh[n_heads, name]):.2f} to {max(fresh[n_heads, name]):.2f}" for name in divisors]
    print(f"{n_heads} x {64 // n_heads}          " + "    ".join(found))
assert max(fresh[1, "none"]) < min(fresh[4, "none"]) < min(fresh[1, "sqrt(d)"])
assert all(max(fresh[n, "sqrt(d)"]) < 2.25 < 2.28 < min(fresh[n, "d"]) for n in (4, 1))

# %% [markdown] tags=["deeper"]
# In three respects it is. Undivided, one wide head is sharper than four narrow ones with every seed. With the root
# the width hardly matters. With $d$ the weights are nearly equal at both widths.

# %% [markdown]
# ## 7. Play
#
# What can attention *not* do? Two limits show with vectors of two numbers: keys that it cannot find, and outputs that
# it cannot make. Here are five keys. Is there a query, however long, for which $k_5$ scores highest? Guess from the
# picture: run both cells, and click.

# %% jupyter={"source_hidden": true}
explorer = QueryExplorer()
points = torch.tensor(explorer.key_points)
ax = plt.subplots(figsize=(3.2, 3.2))[1]
ax.quiver([0] * 5, [0] * 5, *points.T, angles="xy", scale_units="xy", scale=1, color=plots.COLORS[1], width=0.012)
for number, point in enumerate(points.tolist(), start=1):
    ax.text(*(1.18 * c for c in point), f"$k_{number}$", ha="center", va="center")
ax.set(xlim=(-2.2, 2.2), ylim=(-2.2, 2.2), aspect="equal", title="The five keys")
ax.axhline(0, color="grey", linewidth=0.6)
_ = ax.axvline(0, color="grey", linewidth=0.6)

# %%
predict("02_attention.hull")

# %% [markdown]
# For the answer we turn a query through 3,600 directions, and note its favourite, the key that scores highest. (Or
# turn one yourself first, in the explorer below.)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
angle = torch.linspace(0, 2 * math.pi, 3601)[:-1]
favourites = (torch.stack((angle.cos(), angle.sin()), dim=1) @ points.T).argmax(dim=1)
wins = torch.bincount(favourites, minlength=5)
print("share of the directions in which a key is the favourite:")
for k, n in enumerate(wins.tolist(), start=1):
    print(f"k{k} {n / 3600:4.0%}")
directions = torch.stack((angle.cos(), angle.sin()), dim=1)
assert wins[4] == 0 and ((directions @ torch.cat((points[:4], 2 * points[4:])).T).argmax(dim=1) == 4).any()
predict("02_attention.hull", actual="yes" if wins[4] else "no")

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The *tip* of $k_5$ lies inside the figure that the tips of the four others span, so $k_5$ is a weighted average of
# them. Its dot product with a query is the same weighted average of their dot products, and so never above the
# largest. So no query, however long, makes $k_5$ its favourite; only the zero query lets it tie, with all the others.
# (Twice as long, $k_5$ would reach outside, and be found.) What can be found depends on where the keys lie.
#
# </details>
#
# Which outputs can attention make? Drag the query (or focus it and use the arrow keys), and try to drive the output
# out of the shaded area between the values. The temperature multiplies the divisor: low is sharp, high is flat. (The
# bars show q·k; before the softmax it is divided by $\sqrt{2}$ and by the temperature.)

# %%
explorer  # QueryExplorer()

# %% [markdown]
# The output stays inside. The shaded area, the **convex hull** of the values, holds all their weighted averages, and
# the weights of attention are at least 0 and sum to 1. A head can only mix values. The matrices around it and the
# feed-forward layer ([lesson 05](05_feed_forward.ipynb)) make new vectors.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: can the output lie midway between two values?
#
# Two tasks for the explorer above:
#
# 1. Find a direction in which $k_1$ and $k_2$ score the same, and more than all others. How near does the output come
#    to the marked middle between $v_1$ and $v_2$, and which key keeps it away?
# 2. Leave the query there and lower the temperature until the line below says "within 1 %" of the marked middle. With
#    what longer query could you do the same?
#
# <details><summary>Answers, when you have tried</summary>
#
# Along $(2, 3)$ the first two keys score the same. At temperature 1 and $q = (2, 3)$, $k_5$ keeps a share of the
# weight and pulls the output inwards. The line below says how far the output is from the middle. At temperature 0.4
# it says "within 1 %". A query $1 / 0.4 = 2.5$ times as long would do the same at temperature 1, for it makes all
# scores 2.5 times as large. (It is too long for the picture.)
#
# </details>

# %% [markdown]
# ## 8. Does it need to look there?
#
# We have watched one head find `November`. Does the translator need this head? Here are all eight heads of the
# cross-attention, four in each of two blocks. A row is a token about to be written, a column a token being read. (The
# view's colours go by the *root* of a weight, so small weights look larger than in section 5's picture.)
#
# Which heads of block 2 look at `November` when the month's digits are written, and which look at *commas* then? Guess,
# too: which of them matters most?

# %%
seen, predicted, read = translation_attention(model, tokenizer, "Sunday, November 22, 2026")
AttentionView(seen, predicted, read)

# %% [markdown]
# <details><summary>Answer, when you have looked</summary>
#
# Above all head 3 looks at `November`, in the rows of both digits. Head 2 looks at both commas in both rows, head 1
# at one comma in the row of the first digit.
#
# </details>
#
# Weights always sum to 1, so they go *somewhere*, needed or not. When the month's first digit is written, head 3 of
# block 2 gives `November` 0.92 of its weight, and head 2 looks at two commas. One would expect that the month is lost
# without head 3, and that head 2 is not missed. We silence heads in that row only: one at a time, then several.
#
# What does a silent head say? We try zeros, and its *average* in this row over all 500 dates. With the whole
# cross-attention silent, this row writes 1 in every date (first Deeper part below). So we count only the 332 dates
# whose month does *not* begin with 1; our November is not among them. Compare the bars of heads 2 and 3 of block 2.

# %% jupyter={"source_hidden": true}
sources, source_mask = tokenizer.batch([pair.source for pair in held_out])
targets, _ = tokenizer.batch([pair.target for pair in held_out], bos=True, eos=True)
reads, writes = targets[:, :-1], targets[:, 1:]  # what the model has read in each row, and what it should write
layers = [block.cross_attention for block in model.decoder.blocks]
year_sign, month_sign, one = (tokenizer.encode(sign)[0] for sign in "年月1")
is_first = reads == year_sign  # the row that reads 年 writes the month's first digit
is_yue = writes == month_sign


# %% jupyter={"source_hidden": true}
@torch.no_grad()
def right_without(silent, instead, rows=is_first):
    """In which of these rows the right token is written if these heads (block, head) say something else there."""

    def quiet(block):
        def change(module, inputs):
            x = inputs[0].clone()  # (B, T, 64): what the four heads say, 16 numbers each
            for head in (head for b, head in silent if b == block):
                said = x[..., 16 * head : 16 * head + 16]
                said[rows] = instead(said[rows])
            return (x,)

        return change

    hooks = [layer.w_o.register_forward_pre_hook(quiet(block)) for block, layer in enumerate(layers)]
    said = model(sources, reads, source_mask).argmax(dim=-1)
    _ = [hook.remove() for hook in hooks]
    return (said == writes)[rows]


# %% jupyter={"source_hidden": true}
ways = {"zeros": torch.zeros_like, "its average": lambda said: said.mean(dim=0)}
all_heads, not_one = [(block, head) for block in range(2) for head in range(4)], (writes != one)[is_first]
sets = {f"block {block + 1}, head {head + 1}": [(block, head)] for block, head in all_heads}
sets |= {"all but block 2, head 3": [one for one in all_heads if one != (1, 2)], "all eight": all_heads}
found = {name: [right_without(silent, way)[not_one].sum().item() for way in ways.values()]
         for name, silent in sets.items()}  # fmt: skip

# %% jupyter={"source_hidden": true}
ax = plt.subplots(figsize=(8, 4.6))[1]
for shift, way, counts, color in zip((-0.2, 0.2), ways, zip(*found.values(), strict=True), plots.COLORS, strict=False):
    bars = ax.barh([row + shift for row in range(10)], counts, height=0.38, label=way, color=color)
    ax.bar_label(bars, padding=3, fontsize=8)
ax.set_yticks(range(10), found)
ax.invert_yaxis()
without, alone = found["block 2, head 3"], found["all but block 2, head 3"]
ax.set(xlabel=f"months right, of {not_one.sum()}", ylabel="silent", xlim=(0, 372))
ax.set_title("Head 3 of block 2 silent: {} or {} right. All others silent: {} or {}".format(*without, *alone))
_ = ax.legend(title="it says instead", loc="lower right")
for way, head in enumerate(("block 2, head 3", "block 2, head 2")):
    assert all(found[head][way] < found[name][way] for name in list(found)[:8] if name != head)
assert found["block 2, head 2"][0] > 320 and without[0] < 290 and max(alone) < 110

# %% [markdown]
# In these dates the row must look: with all eight heads silent, none of the months is right. But **without head 3
# most months still come out**: 278 of 332 with zeros, 321 with its average. With this head alone, 95 do with
# zeros, and 73 with averages. Which head matters most depends on what the silent head says: with zeros it is head 3,
# with the average head 2. (Head 2 looked at commas in our date. In June it reads the month's name; see the last
# Deeper part.) To take a part away and see what is lost is called an **ablation**; these are a *zero* and a *mean*
# ablation.
#
# **Weights show where a model looks, in one text. They do not show whether it needs to.** For that, change something
# and see what is lost; and say what you put in its place.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: must the model look at the English to write 年 and 月?
#
# Every date has a 年 (*nián*) after the year and a 月 (*yuè*) after the month. In section 5 the row of 月 looked at
# `November`, and the row of the weekday, which 167 of the 500 dates have, at a comma. First we silence head 3 in
# these two:

# %% jupyter={"source_hidden": true} tags=["deeper"]
is_weekday = torch.isin(writes, torch.tensor([tokenizer.encode(f"星期{day}")[0] for day in "一二三四五六日"]))
print("right without head 3     zeros   its average")
for name, rows in (("月 after the month", is_yue), ("the weekday", is_weekday)):
    zeros, average = (right_without([(1, 2)], way, rows).sum() for way in ways.values())
    print(f"{name:20}{zeros:10}{average:14}   of {rows.sum()}")
assert average == rows.sum() > zeros > 140

# %% [markdown] tags=["deeper"]
# The row of 月 does not need head 3. The row of the weekday is right in 153 of 167 dates with zeros in place of the
# head, and in all of them with its average.
#
# Other heads may help. So we silence the whole cross-attention, all heads in both blocks, in one kind of row at a
# time. Is its token still written?


# %% jupyter={"source_hidden": true} tags=["deeper"]
@torch.no_grad()
def written_blindly(rows, on_average=False):
    """What is written in these rows (B, T) if the cross-attention says nothing there, or the same for all dates."""

    def silent(compute):
        def forward(*args, **kwargs):
            said = compute(*args, **kwargs)
            instead = said[rows].mean(dim=0) if on_average else torch.zeros(said.shape[-1])
            return torch.where(rows[..., None], instead, said)

        return forward

    with patched((layer, "forward", silent(layer.forward)) for layer in layers):
        return model(sources, reads, source_mask).argmax(dim=-1)


# %% jupyter={"source_hidden": true} tags=["deeper"]
is_nian = writes == year_sign
after_one = torch.zeros_like(is_first)
after_one[:, 1:] = is_first[:, :-1] & (reads[:, 1:] == one)

# %% jupyter={"source_hidden": true} tags=["deeper"]
print("right, if the cross-attention says       zeros   its average")
for name, silenced in (
    ("年 after the year", is_nian),
    ("月 after the month", is_yue),
    ("the month's first digit", is_first),
    ("after a first 1: 月, or a digit", after_one),
):
    zeros, average = ((written_blindly(silenced, way) == writes)[silenced].sum() for way in (False, True))
    print(f"{name:36}{zeros:10}{average:14}   of {silenced.sum()}")
for name, silenced, sign in (("The first digit is 1", is_first, one), ("月 follows a first 1", after_one, month_sign)):
    zeros, average = ((written_blindly(silenced, way) == sign)[silenced].sum() for way in (False, True))
    truth = (writes == sign)[silenced].sum()
    print(f"{name}: with zeros in {zeros} dates, with the average in {average}, in truth in {truth}.")

# %% [markdown] tags=["deeper"]
# What does the model write in a row that cannot itself look at the English?
#
# * **After the year** it writes 年 in all 500 dates. This row has no need to look, whatever its weights show.
# * **For the month's first digit** it writes 1. That is right in exactly the months that begin with 1.
# * **After the month** 月 is written in all 500 dates, too. (Here, and for 年, trust the zeros: an average over
#   rows that all write the same sign may give it away.) Yet a first 1 may be January, or the beginning of 10, 11 or 12.
#   There, with zeros, the model writes 月 in 166 of 168 dates: right in January, and too early nearly everywhere
#   else. With the average it mostly guesses wrong. A row need not look at the English to write 月; the row after a first 1
#   must, to know whether the month is complete.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: what has a head for commas to do with months?
#
# Our picture showed one date. Here are heads 2 and 3 of block 2 in all 332 dates, and which months are lost without
# them (the second column, *of*, counts the dates with that month):

# %% jupyter={"source_hidden": true} tags=["deeper"]
month_of = torch.tensor([int(pair.target.split("年")[1].split("月")[0]) for pair in held_out])
names = [name for number in range(1, 13) for name in (calendar.month_name[number], calendar.month_abbr[number])]
is_month, is_comma = (
    torch.isin(sources, torch.tensor([tokenizer.encode(w)[0] for w in some])) for some in (names, ",")
)
with record_attention(model) as recorded_weights, torch.no_grad():
    model(sources, reads, source_mask)
head_2, head_3 = (recorded_weights["cross"][1][:, head][is_first] for head in (1, 2))  # (500, S): at the first digit
where = torch.stack([(head_2 * is_month).sum(dim=1), (head_2 * is_comma).sum(dim=1), (head_3 * is_month).sum(dim=1)])
lost_without = [[~right_without([(1, head)], way) for way in ways.values()] for head in (1, 2)]

# %% jupyter={"source_hidden": true} tags=["deeper"]
print("           head 2's weight on   head 3's on   lost without head 2   lost without head 3")
print("month of   the name    commas      the name     zeros    average      zeros    average")
for month in range(2, 10):
    these = month_of == month
    on_name, on_commas, head_3_on_name = where[:, these].mean(dim=1)
    print(f"{month:4}{these.sum():5}{on_name:10.2f}{on_commas:10.2f}{head_3_on_name:14.2f}", end="")
    lost = [[(without & these).sum().item() for without in by_way] for by_way in lost_without]
    print(" ".join("{:10}{:11}".format(*row) for row in lost))
    if month == 6:
        assert on_name > 0.9 and lost[0][0] < 4 and lost[0][1] > 15
    else:
        assert on_name < 0.4 and sum(lost[0]) == 0
    assert (sum(lost[1]) > 15) if month in (5, 7) else (sum(lost[1]) == 0)
    assert head_3_on_name > 0.94 or month in (6, 8, 9)

# %% [markdown] tags=["deeper"]
# Head 2 is more than a head for commas: in *June* it puts nearly all its weight on the month's name, and all the
# months lost without it are Junes. (With its average two Junes in three are lost, with zeros one of 35.) Nor is head
# 3 *the* head for months: in five of these months it gives the name 0.94 or more, yet without it only Mays and Julys
# are lost.

# %% [markdown]
# ## 9. What people get wrong
#
# **An exponential that overflows.** The formula of the softmax is right. But what is $e^{1000}$ in 32 bits?

# %%
high = torch.tensor([1000.0, 999.0])
naive = high.exp() / high.exp().sum()
lower = (high - high.max()).exp() / (high - high.max()).exp().sum()
print("as in section 3:", naive.tolist(), "   with the largest score subtracted first:", lower.numpy().round(2))

# %% [markdown]
# In 32 bits $e^{1000}$ becomes infinity, and infinity over infinity is not a number (`nan`). Subtract the largest
# score from all of them, and no exponent is above 0. The weights stay the same, as you saw in
# [lesson 01](01_toolkit.ipynb). Torch's `softmax` does not overflow; try it on `high`.
#
# **The softmax over the wrong axis.** `dim=-2` instead of `dim=-1` runs without an error. Now the *queries* compete:
# each key's column sums to 1, and a change of the last query changes the output of the first.

# %% jupyter={"source_hidden": true}
q, k, v = torch.randn(4, 36), torch.randn(32, 36), torch.randn(32, 36)
changed = q.clone()
changed[-1] += 1.0
for name, dim in (("over the keys", -1), ("over the queries", -2)):
    weights, after = ((some @ k.T / 6).softmax(dim=dim) for some in (q, changed))
    moved = (weights[0] @ v - after[0] @ v).norm() / (weights[0] @ v).norm()
    print(f"softmax {name:17} the first row sums to {weights[0].sum():.2f};", end=" ")
    print(f"changing the last query moves its output by {moved:.0%}")

# %% [markdown]
# **The division outside the softmax**, $\frac{1}{\sqrt{d}}\operatorname{softmax}(QK^\top)V$, runs, too. The scores
# stay too large, so one key takes most of the weight, and the weights, divided afterwards, no longer sum to 1.

# %% jupyter={"source_hidden": true}
for name, weights in (("outside", (q @ k.T).softmax(dim=-1) / 6), ("inside", attention(q, k, v)[1])):
    sums = weights.sum(dim=-1)
    largest = (weights.amax(dim=-1) / sums).median()
    print(f"division {name:8} rows sum to {sums[0]:.3f}, the largest key's share is {largest:.2f} (median)")

# %% [markdown]
# ## 10. What you have now
#
# The formula of section 5 works for any number of leading axes: in the model they are the texts of a batch and the
# heads. One thing is new, the mask, which hides keys where it is false ([lesson 03](03_masks.ipynb)). Put your
# version into the translator, into all six lit parts of the first drawing, and let it write:


# %%
def yours(q, k, v, mask=None):
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    weights = scores.softmax(dim=-1)
    return weights @ v, weights


with replace_attention(model, yours):
    for date in ("Friday, March 13, 2026", "Monday, December 31, 1999"):
        print(date, "->", translate(model, tokenizer, [date])[0])
    print(f"{exact_match(model, tokenizer, held_out):.1%} of the dates are right, as before: {whole:.1%}")

# %% [markdown]
# Put in your own birthday. In the package the same function is called `scaled_dot_product_attention`; it adds a
# line, against the `nan` of rows in which every key is hidden.
#
# ## 11. Check yourself
#
# <details><summary>Must values be as wide as keys? Must there be as many queries as keys?</summary>
#
# Neither. Queries and keys meet in a dot product, so they share $d$. Values are only mixed: any width $e$. There are as
# many values as keys, but any number of queries.
#
# </details>
#
# <details><summary>A colleague divides by $d$. Will the model learn nothing at all?</summary>
#
# It learns. The translators of section 6 began more slowly, but after 500 steps they were as good as with the root. A
# fresh one begins near the plain average (Deeper part of section 6); larger $W_Q$ and $W_K$ may make up for the
# divisor.
#
# </details>
#
# <details><summary>A picture shows that the weekday's row puts most of its weight on a comma. What do you know?</summary>
#
# Where it looks. Not that the comma matters: change what the row receives, in more ways than one, and see what is lost.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/02_attention/attention.ipynb): three core questions, then optional ones.
#
# ## Takeaways
#
# * Attention is a dictionary that answers softly: a query is compared with every key, softmax turns the scores into weights,
#   and the output is the weighted average of the values.
# * Queries, keys and values are made from the tokens' vectors by three learnt matrices. Keys and values come from
#   another text in cross-attention, from the queries' own in self-attention.
# * With independent components of mean 0 and variance 1 a typical dot product is as large as $\sqrt{d}$, the root of
#   the width of queries and keys. Dividing by it keeps the size the same at every width. Undivided, our translators
#   were behind after 500 steps.
# * The output never leaves the convex hull of the values.
# * A weight is not a need. One picture is one text, and which head matters most depends on what replaces a silent
#   head.
#
# **Papers.** Bahdanau, Cho, Bengio (2014), [arXiv:1409.0473](https://arxiv.org/abs/1409.0473): attention in translation.
# Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762): the scaled dot product, section 3.2.1 and its
# footnote on the variance. Jain and Wallace (2019), [arXiv:1902.10186](https://arxiv.org/abs/1902.10186):
# *Attention is not Explanation*; and a reply, Wiegreffe and Pinter (2019),
# [arXiv:1908.04626](https://arxiv.org/abs/1908.04626): *Attention is not not Explanation*.
#
# Previous: [01 Toolkit](01_toolkit.ipynb). Next: [03 Masks](03_masks.ipynb).
