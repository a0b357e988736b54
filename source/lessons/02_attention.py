# %% [markdown]
# # 02 Attention
#
# **You will build attention from a plain average, and measure why its scores are divided by a square root.**
#
# After this lesson you will be able to
#
# * compute attention by hand, as a loop and as two matrix products, with every shape named;
# * keep apart what is often mixed up: *scores*, *weights*, *values*, *output*;
# * show by measurement what the division by $\sqrt{d}$, the root of a query's width, is for, and what a wrong divisor does;
# * say where an attention output can lie, and where it never can;
# * recognise broken attention by its symptoms.
#
# About 50 minutes. It builds on [lesson 00](00_start_here.ipynb) and on the words of [lesson 01](01_toolkit.ipynb): dot
# product, softmax, variance, gradient. If those are familiar, go on.

# %%
import math

import matplotlib.pyplot as plt
import torch

from transformer_lab import (
    exact_match,
    load,
    record_attention,
    replace_attention,
    scaled_dot_product_attention,
    translation_attention,
)
from transformer_lab.data import dates
from transformer_lab.grading import predict
from transformer_lab.viz import AttentionView, QueryExplorer, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# Here is the trained translator of lesson 00 again. It turns English dates into Chinese ones. We score it on 500 dates
# it has never seen; a date counts only if every character is right.

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(500)
whole = exact_match(model, tokenizer, held_out)
print("at least 98 % of the dates are right:", whole >= 0.98)

# %% [markdown]
# For each character it writes, the model *looks* at the English words: it gives each of them a weight and takes the
# weighted average of what they have to say. That is attention. (In the same way it looks at the Chinese written so far,
# and the English words look at each other.) The weights come from *scores*: the larger a score against the others, the
# larger the weight. And scores are made with one constant: they are divided by $\sqrt{d}$, where $d$ is the width of the
# vectors compared, here 16. So we can break attention in three ways, everywhere at once, and train nothing again:
#
# * **no choice**: every weight the same (you know from lesson 00 what that does);
# * **too large**: leave the division out, so that all scores are 4 times too large;
# * **too small**: divide twice, so that all scores are 4 times too small.
#
# Which of the last two hurts more? Commit yourself before you run on: put `"too large"`, `"too small"` or
# `"about the same"` in place of `None`, and run the cell.

# %%
predict("02_attention.break_scale", None)


# %% [markdown]
# The code below is short because everything about attention sits in one function of queries `q`, keys `k` and values
# `v` (and a mask: lesson 03). You will know what each line does by the end of section 6.

# %% jupyter={"outputs_hidden": true}
factors = {"no choice": 0, "scores 4 x too large": 4, "scores 4 x too small": 1 / 4}
right = {"whole": whole}
for name, factor in factors.items():

    def broken(q, k, v, mask, factor=factor):
        return scaled_dot_product_attention(factor * q, k, v, mask)

    with replace_attention(model, broken):
        right[name] = exact_match(model, tokenizer, held_out)

none, large, small = list(right.values())[1:]
title = f"Equal weights leave {none:.0%} of the dates, too sharp ones {large:.0%}, too flat ones {small:.0%}"
_ = plots.shares(plt.subplots(figsize=(7, 2.2))[1], right, title)

# %% jupyter={"outputs_hidden": true}
worse = "about the same" if abs(large - small) < 0.1 else "too large" if large < small else "too small"
predict("02_attention.break_scale", actual=worse)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("not one date without a choice:", none == 0)
print("some but not all dates with scores too large:", 0.1 < large < 0.9)
print("below 10 % with scores too small:", small < 0.1)

# %% [markdown]
# Two things need an explanation: what the *choice* is, and why one *constant factor* matters so much. We build attention
# from nothing to see it.
#
# ## 2. From an average to a weighted average
#
# Four words each offer a **value**, a vector. Here it has two numbers, so that you can draw it. What can a reader make
# of four vectors? The least is their average, in which everybody counts the same.

# %%
values = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [2.0, 2.0]])  # (4, 2)
average = sum(value / 4 for value in values)
assert torch.allclose(average, values.mean(dim=0))
average

# %% [markdown]
# An average cannot prefer anything: that was the translator with no choice. So give each value a **weight**. Weights
# are at least 0 and sum to 1; the average is the case where all are 1/4.

# %%
weights = torch.tensor([0.7, 0.1, 0.1, 0.1])
output = sum(weight * value for weight, value in zip(weights, values, strict=True))
assert torch.allclose(output, weights @ values)  # a weighted average is one vector-matrix product
output

# %% [markdown]
# The question is who sets the weights. A fixed choice would be no use: the word to look at changes with every date.
#
# ## 3. A dictionary that answers softly
#
# A Python `dict` also chooses among values. It compares your query with each key and returns the value of the key that
# is *equal*. A near miss gets nothing, and a small change of the query changes nothing until it changes everything: no
# gradient, so nothing to learn from.
#
# Make it soft. The **query** is a vector that says what is looked for; each value has a **key**, a vector of the same
# width that says how it can be found. Compare the query with *every* key; the better they agree, the larger the weight.
# For the comparison take the dot product, and call the result a **score**.

# %%
query = torch.tensor([1.0, 0.5])
keys = torch.tensor([[2.0, 0.0], [0.0, 2.0], [-2.0, 0.0], [1.0, 1.0]])  # (4, 2): one for each value
scores = torch.stack([query @ key for key in keys])
scores

# %% [markdown]
# Scores may be negative and sum to anything. To get weights, make them positive and divide by their sum:
#
# $$\text{weight}_j = \frac{e^{\text{score}_j}}{\sum_{j'} e^{\text{score}_{j'}}}$$
#
# This is **softmax**. The order stays, and differences of scores become ratios of weights.

# %%
weights = scores.exp() / scores.exp().sum()
print(weights.numpy().round(2), "sum:", weights.sum().item())
assert torch.allclose(weights[0] / weights[3], (scores[0] - scores[3]).exp())

# %% [markdown]
# One trap before we go on. What is $e^{1000}$ in 32 bits?

# %%
high = torch.tensor([1000.0, 999.0])
naive = high.exp() / high.exp().sum()
shifted = (high - high.max()).exp() / (high - high.max()).exp().sum()
print("naive:", naive.tolist(), "  largest score taken off first:", shifted.numpy().round(2))

# %% [markdown]
# Too large for a float: infinity over infinity. Taking the largest score $c$ off every score cures it, and changes no
# weight: $e^{\text{score} - c} = e^{\text{score}} / e^{c}$, and $e^{c}$ cancels in the fraction.
#
# Now the whole dictionary, for one query:


# %%
def attend_one(query, keys, values):
    """query (d,), keys (S, d), values (S, e) -> output (e,), weights (S,); here d = e = 2 and S = 4"""
    scores = torch.stack([query @ key for key in keys])
    weights = (scores - scores.max()).exp()
    weights = weights / weights.sum()
    return sum(weight * value for weight, value in zip(weights, values, strict=True)), weights


attend_one(query, keys, values)

# %% [markdown]
# ## 4. Many queries: two matrix products
#
# In a Transformer every position asks. Stack the $T$ queries as rows of `q`, the $S$ keys as rows of `k`, the $S$ values
# as rows of `v`. Queries and keys share a width $d$, because they meet in a dot product; values may have another, $e$.
#
# | name | shape | meaning |
# |---|---|---|
# | `q`, `k`, `v` | $(T, d)$, $(S, d)$, $(S, e)$ | what is looked for, how it is found, what is handed over |
# | `scores` | $(T, S)$ | row $i$, column $j$: query $i$ · key $j$; any number |
# | `weights` | $(T, S)$ | softmax of each *row*: at least 0, each row sums to 1 |
# | `output` | $(T, e)$ | $\text{output}_i = \sum_j \text{weights}_{ij}\, v_j$: the sum runs over the *keys* $j$ |
#
# %%
T, S, d, e = 3, 5, 4, 2  # all different, so that a wrong axis cannot pass unnoticed
q, k, v = torch.randn(T, d), torch.randn(S, d), torch.randn(S, e)

scores = q @ k.T
weights = scores.softmax(dim=-1)  # over the keys
output = weights @ v

for i in range(T):
    assert torch.allclose(output[i], attend_one(q[i], k, v)[0], atol=1e-6)
scores.shape, weights.shape, output.shape

# %% [markdown]
# No loop is left: two matrix products and a softmax.

# %%
_ = plots.matrix(plt.subplots(figsize=(4, 2.6))[1], weights, title="Each row of weights sums to 1")

# %% [markdown]
# Three queries, five keys: each row says how one query spreads its weight.
#
# Two slips of notation are in print, and neither raises an error. (Numbers such as M05 count the misconceptions that this
# course has collected from print; the cards of the exercises use the same ones.) The first slip is a sum over the wrong
# index (M05). With as many queries as keys, these run:

# %%
square, handed_over = torch.randn(5, 5).softmax(dim=-1), torch.randn(5, e)
for name, pattern in (
    ("sum over keys j", "ij,je->ie"),
    ("sum over queries i", "ij,ie->je"),
    ("i on both", "ij,ie->ie"),
):
    result = torch.einsum(pattern, square, handed_over)
    print(f"{name:18} right: {torch.allclose(result, square @ handed_over)!s:5}",
          f"values come back unmixed: {torch.allclose(result, handed_over)}")  # fmt: skip

# %% [markdown]
# The second is one symbol for several things (M07), such as A for the weights and then for the output (and, in some texts,
# σ for softmax and for the standard deviation). Whoever reads A later reads something else:

# %%
A = torch.randn(5, 5).softmax(dim=-1)
rows_sum_to_one = torch.allclose(A.sum(dim=-1), torch.ones(5))
A = A @ torch.randn(5, 5)
print("rows of A sum to 1:", rows_sum_to_one, "| and one line later:", torch.allclose(A.sum(dim=-1), torch.ones(5)))

# %% [markdown]
# Four things, four names: scores, weights, values, output.

# %% [markdown]
# ## 5. Where queries, keys and values come from
#
# From the vectors of the positions: each position has one, `x`, of width $D$. Three learnt matrices, $W_Q$ and $W_K$ of shape
# $(D, d)$ and $W_V$ of shape $(D, e)$, make three roles of it: $q = x W_Q$ (what do I look for?), $k = x W_K$ (how can I be
# found?), $v = x W_V$ (what do I hand over?). In *self-attention* all three come from one sequence. In *cross-attention*
# the queries come from the sequence being written, keys and values from the one being read: that is how the translator
# reads English.
#
# Why not compare the `x` themselves?

# %%
x = torch.randn(6, 16)
w_q, w_k = torch.randn(16, 16) / 4, torch.randn(16, 16) / 4  # D = d = 16; / sqrt(16) keeps the variance of x
plain, projected = x @ x.T, (x @ w_q) @ (x @ w_k).T

print("x with x:   symmetric", torch.allclose(plain, plain.T), "| every position scores itself highest",
      (plain.argmax(dim=-1) == torch.arange(6)).all().item())  # fmt: skip
print("projected:  symmetric", torch.allclose(projected, projected.T), "| every position scores itself highest",
      (projected.argmax(dim=-1) == torch.arange(6)).all().item())  # fmt: skip

# %% [markdown]
# Without projections A scores B exactly as B scores A, always. And a position tends to score itself highest: of vectors of
# about one length, none agrees with `x` better than `x` itself. A pronoun must find its noun, but the noun need not look
# back.
#
# The three maps are *linear* (in practice with a bias): no activation stands after them (M06). An activation would put
# part of the scores out of reach:

# %%
activated = (x @ w_q).relu() @ (x @ w_k).relu().T
print("scores below zero: linear", f"{(projected < 0).float().mean().item():.0%},",
      "with relu", f"{(activated < 0).float().mean().item():.0%}")  # fmt: skip

# %% [markdown]
# But only differences of scores count: what does that cost? Take the smallest case, three keys of width 1 and two queries.

# %%
three_keys, two_queries = torch.tensor([[1.0], [2.0], [3.0]]), torch.tensor([[1.0], [-1.0]])
for name, act in (("linear", lambda x: x), ("relu", torch.relu)):
    weights = (act(two_queries) @ act(three_keys).T).softmax(dim=-1)
    print(f"{name:7}", *(f"query {two_queries[i].item():+.0f}: {weights[i].numpy().round(2)}" for i in range(2)))

# %% [markdown]
# The query $-1$ puts the keys in the opposite order. After ReLU it is 0 and has no preference left: here no query can like
# the smallest key best.
#
# ## 6. Why divide by $\sqrt{d}$?
#
# A score is a sum of $d$ products. Say the components of `q` and `k` are independent, with mean 0 and variance 1: roughly
# what a fresh network is built to have. How large are the scores when $d$ grows? The *variance* of `q @ k`...

# %%
predict("02_attention.variance", None)  # "stays 1", "grows like sqrt(d)" or "grows like d"

# %% jupyter={"outputs_hidden": true}
widths = [4, 16, 64, 256, 1024]
variance = [(torch.randn(20_000, d) * torch.randn(20_000, d)).sum(dim=-1).var().item() for d in widths]
print("the variance of q @ k, divided by d:")
for width, measured_variance in zip(widths, variance, strict=True):
    print(f"d = {width:4}   {measured_variance / width:.1f}")

# %% jupyter={"outputs_hidden": true}
growth = math.log(variance[-1] / variance[0]) / math.log(widths[-1] / widths[0])  # the exponent: d ** growth
predict("02_attention.variance", actual=["stays 1", "grows like sqrt(d)", "grows like d"][round(2 * growth)])

# %% [markdown]
# Call the components $q_c$ and $k_c$. Each product has mean 0 and variance $E[q_c^2]\,E[k_c^2] = 1$, because the two factors
# are independent; and the variances of independent terms add up:
#
# $$\operatorname{var}(q \cdot k) = \sum_{c=1}^{d} \operatorname{var}(q_c k_c) = d .$$
#
# So a typical score is as large as $\sqrt{d}$: at $d = 64$ it is 8, and softmax makes of a difference of 8 a ratio of

# %%
print(f"e^8 = about {round(math.exp(8), -2):,.0f}")

# %% [markdown]
# Dividing by $\sqrt{d}$ brings the variance back to 1, whatever the width. Here is the formula of Vaswani et al. (2017),
# equation 1, for one matrix of queries. Its $Q$, $K$, $V$ are our `q`, `k`, `v`, and its $d_k$ is our $d$. (Leading axes,
# for batches and heads, are your job in the exercises.)
#
# $$\text{Attention}(Q, K, V) = \operatorname{softmax}\!\left(\frac{Q K^\top}{\sqrt{d}}\right) V$$


# %%
def attention(q, k, v):
    """(T, d), (S, d), (S, e) -> output (T, e), weights (T, S)"""
    scores = q @ k.T / math.sqrt(q.shape[1])
    weights = scores.softmax(dim=1)
    return weights @ v, weights


# %% [markdown]
# That is an argument. Now the measurement. We ask two things of each scale, for widths from 4 to 1024, with 32 keys:
#
# * the **entropy** of the weights, $-\sum_j w_j \ln w_j$: 0 when one key takes all, $\ln 32 = 3.47$ nats when all
#   weights are equal;
# * the **gradient** that training gets at the scores: its *median*, which says what a typical score hears.
#
# *Without* any scale, as $d$ grows, the median gradient...

# %%
predict("02_attention.gradient", None)  # "grows", "stays" or "vanishes"


# %%
def measure(d, scale, n=400, n_keys=32):
    """Mean entropy of the weights, and median gradient at the scores, over n random queries."""
    q, k, v = torch.randn(n, 1, d), torch.randn(n, n_keys, d), torch.randn(n, n_keys, 16)
    scores = (q @ k.transpose(-2, -1) * scale).requires_grad_()
    weights = scores.softmax(dim=-1)
    (weights @ v * torch.randn(n, 1, 16)).sum().backward()  # a random direction stands for the loss
    entropy = torch.special.entr(weights).sum(dim=-1).mean().item()
    return entropy, scores.grad.abs().median().item()


scales = {"no scale": lambda d: 1, "1 / sqrt(d)": lambda d: d**-0.5, "1 / d": lambda d: 1 / d}
measured = {name: [measure(width, scale(width)) for width in widths] for name, scale in scales.items()}

# %% jupyter={"outputs_hidden": true}
fig, (entropy_axes, gradient_axes) = plt.subplots(1, 2, figsize=(9, 3.5))
for marker, (name, results) in zip("os^", measured.items(), strict=True):
    entropies, gradients = zip(*results, strict=True)
    entropy_axes.plot(widths, entropies, marker=marker, label=name)
    gradient_axes.plot(widths, [max(g, 1e-12) for g in gradients], marker=marker, label=name)
entropy_axes.axhline(math.log(32), color="grey", linestyle=":", label="all weights equal")
gradient_axes.axhline(1e-12, color="grey", linestyle="--", label="1e-12 or less")
kept, vanishing = measured["1 / sqrt(d)"], measured["no scale"]
title = f"1 / sqrt(d): entropy {kept[0][0]:.1f} at d = 4, {kept[-1][0]:.1f} at d = 1024"
entropy_axes.set(xscale="log", xlabel="width d", ylabel="entropy (nats)", title=title)
title = f"no scale: down by {math.log10(vanishing[0][1] / max(vanishing[-1][1], 1e-12)):.0f} powers of ten or more"
gradient_axes.set(xscale="log", yscale="log", xlabel="width d", ylabel="median |gradient| at a score", title=title)
_ = entropy_axes.legend(), gradient_axes.legend(loc="center left")

# %% jupyter={"outputs_hidden": true}
first, last = (measured["no scale"][i][1] for i in (0, -1))
predict("02_attention.gradient", actual="vanishes" if last < first / 100 else "grows" if last > 2 * first else "stays")

# %% [markdown]
# <details><summary>Left, the entropy against the width; right, the median gradient. Read the three lines, then open
# this</summary>
#
# * **No scale**: the entropy falls towards 0. One key takes nearly everything, and the gradient at most scores is gone:
#   keys that lost cannot learn to win. (A mean would be carried by the few keys that win, and hide this.)
# * **$1/\sqrt{d}$**: both lines are flat. The width of queries and keys no longer decides how sharp attention is.
# * **$1/d$**: the gradient at the scores lives, but the entropy climbs to the dotted line. Attention turns into the plain
#   average.
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
entropy_kept = abs(measured["1 / sqrt(d)"][-1][0] - measured["1 / sqrt(d)"][0][0])
gradient_kept = measured["1 / sqrt(d)"][-1][1] / measured["1 / sqrt(d)"][0][1]
print("no scale, d = 1024: less than 0.3 nats are left:", measured["no scale"][-1][0] < 0.3)
print("1/sqrt(d), 4 to 1024: entropy moves less than 0.1 nats, gradient less than 1.5 x:",
      entropy_kept < 0.1, 1 / 1.5 < gradient_kept < 1.5)  # fmt: skip
print("1/d, d = 1024: within 0.01 nats of equal weights:", math.log(32) - measured["1 / d"][-1][0] < 0.01)

# %% [markdown]
# And the broken translator of section 1? Nothing was trained there, so no gradient went missing. It lost its dates by the
# first effect alone: its weights became sharper, or flatter, than those it had learnt with.


# %%
def sharpness(factor):
    def rescaled(q, k, v, mask):
        return scaled_dot_product_attention(factor * q, k, v, mask)

    with replace_attention(model, rescaled):
        seen, _, _ = translation_attention(model, tokenizer, "Sunday, November 22, 2026")
    return torch.special.entr(seen).sum(dim=-1).mean().item()


as_trained = sharpness(1)
print("entropy of its cross-attention: lower with scores too large:", sharpness(4) < 0.7 * as_trained,
      "| higher with scores too small:", sharpness(1 / 4) > 1.3 * as_trained)  # fmt: skip

# %% [markdown]
# **Which d?** The width of the vectors that meet in the dot product. Lesson 04 cuts a model of width 512 into 8 heads of
# width 64; the divisor is then $\sqrt{64}$, not $\sqrt{512}$ (M01). A larger divisor saturates nothing; it *flattens*.

# %%
for name, divisor in (("sqrt(64), right", 64), ("sqrt(512), the model's width", 512)):
    entropy = sum(measure(64, divisor**-0.5)[0] for _ in range(50)) / 50
    print(f"divided by {name:29} entropy {entropy:.2f} of {math.log(32):.2f} nats")

# %% [markdown]
# A model *trained* with a wrong constant can make up for it: $\sqrt{512} = \sqrt{8}\,\sqrt{64}$, so a $W_Q$ that is
# $\sqrt{8}$ times as large gives the scores of the right divisor. So the damage shows at the start of training, and in a
# trained model whose constant you change: section 1.
#
# ## 7. Play
#
# Five keys and five values in the plane. Drag the query (or focus it and use the arrow keys) and watch the weights and
# the output. The temperature multiplies the divisor: low is sharp, high is flat.
#
# 1. Find a direction in which $k_1$ and $k_2$ score the same, and more than all others. How near does the output come to
#    the marked middle between $v_1$ and $v_2$, and who keeps it away?
# 2. Leave the query there and lower the temperature until the line below says "within 1 %". What else would do the same
#    to the scores, if the plane were larger?
# 3. Try to drive the output out of the shaded area. Can it ever leave?

# %%
predict("02_attention.hull", None)  # can the output leave the shaded area: "yes" or "no"?

# %%
explorer = QueryExplorer()
explorer

# %% [markdown]
# <details><summary>Answers to 1 and 2, when you have tried</summary>
#
# Along $(2, 3)$ the first two keys score the same. At temperature 1, even at $q = (2, 3)$, $k_5$ keeps a share of the weight
# and pulls the output inwards. Lowering the temperature multiplies all scores, and so would a longer query.
#
# </details>
#
# For question 3 a thousand random queries are better evidence than one hand. The shaded area is the *convex hull*:
# every weighted average of the values with weights that are at least 0 and sum to 1. Look along any direction: no output
# may reach further than the furthest value.

# %% jupyter={"outputs_hidden": true}
keys, values = torch.tensor(explorer.key_points), torch.tensor(explorer.value_points)
outputs, weights = attention(10 * torch.randn(1000, 2), keys, values)  # queries of many lengths and directions
angle = torch.linspace(0, 2 * math.pi, 361)
directions = torch.stack((angle.cos(), angle.sin()))
reach = (outputs @ directions).amax(dim=0) - (values @ directions).amax(dim=0)
assert (weights >= 0).all() and torch.allclose(weights.sum(dim=-1), torch.ones(1000))
predict("02_attention.hull", actual="yes" if (reach > 1e-4).any() else "no")

# %% jupyter={"outputs_hidden": true, "source_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
_, (shares,) = attention(torch.tensor([[2.0, 3.0]]), keys, values)
print("at (2, 3) k1 and k2 share alike:", torch.allclose(shares[0], shares[1], atol=1e-4))
print("k5 keeps more than k3 and k4 together:", (shares[4] > shares[2] + shares[3]).item())

# %% [markdown]
# Attention *chooses and mixes*; it never makes a vector that was not between the values. New vectors are made by $W_V$
# before it, the output projection after it (lesson 04) and the feed-forward layer (lesson 05).
#
# ## 8. Read it in the translator
#
# The cross-attention of the trained model, for one date. Rows: the token being written. Columns: the English tokens it
# reads. Layer 1 is the last.
#
# 1. Click through the heads. Which column do the two digits of the month (the rows before 月, *yue*, month) read more often
#    than any other?
# 2. The four rows of the year: which columns do most heads read there? Why does that make a diagonal?
# 3. 年 ends the year. Does its row need to read anything? Where does it put its weight?

# %%
seen, written, read = translation_attention(model, tokenizer, "Sunday, November 22, 2026")
AttentionView(seen, written, read)

# %% jupyter={"outputs_hidden": true}
mean_of_heads = seen.mean(dim=(0, 1))  # over layers and heads: (T, S)
month = written.index("年") + 1
for row in (month, month + 1):
    print(f"writing {written[row]!r}, all heads together read most: {read[mean_of_heads[row].argmax()]}")
print("the year's digits, all heads together, read columns", mean_of_heads[:4].argmax(dim=-1).tolist())
row = mean_of_heads[written.index("年")]
print(f"writing '年', the most weight on one token: {row.max():.1f}")

# %% [markdown]
# <details><summary>Answers, when you have looked</summary>
#
# 1\. `November`: one English token, two rows. 2\. The year's digits are copied in their own order, so row and column move on
# together. 3\. Every year is followed by 年, whatever the date. Its weights are spread over many tokens: they must sum to 1,
# so they go somewhere even when nothing is asked for.
#
# </details>

# %% [markdown]
# ## 9. What people get wrong
#
# Three mistakes that are in print. Each runs without an error; each has a symptom.
#
# **The scale outside the softmax** (M02), $\frac{1}{\sqrt{d}}\operatorname{softmax}(QK^\top)V$. The scores stay
# unscaled, so the weights saturate; and what multiplies the values sums to $1/\sqrt{d}$ instead of 1.

# %%
q, k, v = torch.randn(400, 64), torch.randn(32, 64), torch.randn(32, 64)
outside = (q @ k.T).softmax(dim=-1) / math.sqrt(64)
_, inside = attention(q, k, v)
for name, weights in (("outside", outside), ("inside", inside)):
    sums = weights.sum(dim=-1, keepdim=True)
    largest_share = (weights / sums).amax(dim=-1).median()
    print(f"scale {name:8} rows sum to {sums[0].item():.3f}, the largest key's share is {largest_share:.1f} (median)")

# %% [markdown]
# **The softmax dropped** (M03), as if it were a detail. Weights become signed and unbounded, and the output leaves the
# hull. (Some linear attentions do this on purpose; they are other models.)

# %%
signed = (10 * torch.randn(1000, 2)) @ keys.T / math.sqrt(2)
reach = ((signed @ values) @ directions).amax(dim=0) - (values @ directions).amax(dim=0)
print(f"negative weights: {(signed < 0).float().mean().item():.1f} of all; "
      f"outputs beyond the hull in each of 361 directions: {(reach > 0).all().item()}")  # fmt: skip

# %% [markdown]
# **Softmax over the queries** (M04): `dim=-2` instead of `dim=-1`. Columns sum to 1, rows do not, and queries now compete
# with each other: change the *last* query, and the output of the *first* changes.

# %%
changed = q.clone()
changed[-1] += 1.0
for name, dim in (("over the keys", -1), ("over the queries", -2)):
    weights, after = ((queries @ k.T / 8).softmax(dim=dim) for queries in (q, changed))
    print(f"softmax {name:17} rows sum to 1: {torch.allclose(weights.sum(dim=-1), torch.ones(400))!s:5}",
          f"first output moved by another's query: {not torch.allclose(weights[0] @ v, after[0] @ v)}")  # fmt: skip

# %% [markdown]
# ## 10. In the package
#
# What you derived is `transformer_lab.scaled_dot_product_attention`; it also takes leading axes and a mask (lesson 03).

# %%
assert torch.allclose(attention(q, k, v)[0], scaled_dot_product_attention(q, k, v)[0], atol=1e-6)

# %% [markdown]
# And it is what the translator computes. Take the queries, keys and values of its first encoder layer, run `attention` on
# each head, and compare with the weights recorded in the running model:

# %%
ids, _ = tokenizer.batch(["Sunday, November 22, 2026"])
layer = model.encoder.blocks[0].attention
x, _ = model.embedding(ids)
q, k, v = (layer.split(project(x))[0] for project in (layer.w_q, layer.w_k, layer.w_v))  # (4 heads, 10, 16)
with record_attention(model) as maps, torch.no_grad():
    model.encode(ids)

for head in range(4):
    assert torch.allclose(attention(q[head], k[head], v[head])[1], maps["encoder"][0][0, head], atol=1e-5)
q.shape, maps["encoder"][0].shape

# %% [markdown]
# To train, the package uses PyTorch's fused `F.scaled_dot_product_attention`, whose fast kernels never store the weights.
# Same output; the weights are computed only when you record.

# %%
fused = torch.nn.functional.scaled_dot_product_attention(q, k, v)
assert torch.allclose(fused, scaled_dot_product_attention(q, k, v)[0], atol=1e-5)

# %% [markdown]
# ## 11. Check yourself
#
# <details><summary>Queries and keys must have the same width. Must values have it too? Must there be as many queries as
# keys?</summary>
#
# Neither. Queries and keys meet in a dot product, so they share $d$. Values are only mixed: any width $e$. There are as
# many values as keys, $S$, but any number $T$ of queries.
#
# </details>
#
# <details><summary>Somebody divides by $d$ instead of $\sqrt{d}$. Do the gradients vanish?</summary>
#
# Not at the scores (section 6), though `q` and `k` receive that gradient divided once more by $\sqrt{d}$. What is lost is
# the choice: the weights go flat, and attention becomes the plain average.
#
# </details>
#
# <details><summary>Every weight is between 0 and 1 and each row sums to 1. What does that say about the
# output?</summary>
#
# It is a weighted average of the values, so it lies in their convex hull. No output component can be larger than the
# largest, or smaller than the smallest, of that component among the values.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/02_attention/attention.ipynb): three core questions, then four more.
#
# ## Takeaways
#
# * Attention is a dictionary that answers softly: scores compare a query with every key, softmax makes weights of each
#   row, the output is the weighted average of the values.
# * The scores' variance grows like $d$; dividing by $\sqrt{d}$ keeps sharpness independent of width. No divisor:
#   saturated, and no gradient for most keys. Too large a divisor: flat.
# * $d$ is the width that meets in the dot product: the head's, not the model's.
# * The output of one head never leaves the convex hull of its values.
#
# **Papers.** Bahdanau, Cho, Bengio (2014), [arXiv:1409.0473](https://arxiv.org/abs/1409.0473): attention in translation.
# Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762): the scaled dot product, section 3.2.1 and
# its footnote on the variance.
#
# Previous: [01 Toolkit](01_toolkit.ipynb). Next: [03 Masks](03_masks.ipynb).
