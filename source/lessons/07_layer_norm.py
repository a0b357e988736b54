# %% [markdown]
# # 07 Layer norm
#
# **A Transformer keeps bringing its vectors to one size. Does it matter how, and where?**
#
# ![The translator drawn from its configuration. The encoder reads "Sunday, November 22, 2026" through two blocks of
# self-attention and feed-forward; the decoder has written 2 0 2 6 nián, and each of its two blocks has self-attention,
# cross-attention and feed-forward. On top of each of these ten parts lies a lit bar: a layer norm.](figures/07_layer_norm_where.svg)
#
# Attention chooses, the feed-forward layer computes, the residual connection carries. That leaves the lit bars: ten
# layer norms, one on top of every sub-layer. Each takes a vector, subtracts a mean and divides by a standard
# deviation (deviation for short). It looks like housekeeping, yet people have argued since 2017 about where the
# norms should stand.
#
# In [lesson 06](06_residual.ipynb), norms on the branches let a deep stack learn from large starting weights. Here
# we first take the mean along wrong axes, in a trained translator, and read what it writes. At the end you will
# have put your own norm into the translator, and you will be able to
#
# * say over which numbers a norm takes its mean, and show what goes wrong with two others;
# * derive a layer norm forwards and backwards, by hand;
# * choose a place for it, and say which place needed a smaller rate or a warm-up on a small task.
#
# About 55 minutes. It builds on [lesson 01](01_toolkit.ipynb) (variance, gradient), [03](03_masks.ipynb) (causal mask, cache)
# and above all [06](06_residual.ipynb) (the residual connection).

# %%
from contextlib import nullcontext
from dataclasses import replace
from statistics import median
from unittest import mock

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from transformer_lab import LayerNorm, Residual, RMSNorm, Transformer, exact_match, load, switch_off, translate
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import guessed, predict
from transformer_lab.viz import NormExplorer, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# **Layer normalisation**, layer norm for short, makes numbers tidy: mean 0, deviation 1. But the mean of *which*
# numbers? Inside the model a batch of texts is a tensor with three axes: the texts (batch), their tokens (time), and
# the features of each token's vector. The drawing shows three dates, three tokens of each, and five features of each
# token. The lit numbers share *one* mean and *one* deviation:
#
# ![Three dates side by side, each a small table with a row for each of its first three tokens and a column for each of five
# features. Over the features: the row of November in the first date is lit. Over the batch: one feature of the third token
# is lit in all three dates, at November, March and December. Over time: one feature is lit at all tokens of the first
# date.](figures/07_layer_norm_groups.svg)
#
# The translator was trained with its norms over the features. We keep all it has learnt and replace its norms:
#
# * **no norm**: each vector passes as it is;
# * **over the batch** or **over time**, as drawn. The numbers still have mean 0 and deviation 1, but along another
#   axis. (A learnt scale `gamma` and shift `beta` follow: section 2.)


# %%
def over(axes):
    """The forward method of a layer norm, its statistics taken over these axes of (B, T, D)."""

    def forward(self, x):
        mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, unbiased=False)
        return self.gamma * (x - mean) / (variance + self.eps).sqrt() + self.beta

    return forward


def with_norm(forward):
    """A context in which every LayerNorm runs this forward instead."""
    return mock.patch.object(LayerNorm, "forward", forward)


model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
sources, source_mask = tokenizer.batch([pair.source for pair in held_out])
targets, target_mask = tokenizer.batch([pair.target for pair in held_out], bos=True, eos=True)

# %% [markdown]
# Each version of the translator reads 300 unseen dates, *and the right translation so far*, and we count how many
# next tokens it gets right. Which will get fewer right: no norm, or a norm over the batch?

# %%
predict("07_layer_norm.break_axis")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
@torch.no_grad()
def next_tokens(some=model):
    """The share of next tokens that are right, each date's translation so far given."""
    said = some(sources, targets[:, :-1], source_mask).argmax(dim=-1)
    return (said == targets[:, 1:])[target_mask[:, 1:]].float().mean().item()


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
right, written = {}, {}
contexts = {
    "as trained": nullcontext(),
    "over the features": with_norm(over(2)),
    "no norm": switch_off(model, "layer norm"),
    "over the batch": with_norm(over(0)),
    "over time": with_norm(over(1)),
}
for name, context in contexts.items():
    with context:
        right[name] = next_tokens()
        texts = translate(model, tokenizer, [pair.source for pair in held_out], max_new_tokens=24)
        written[name] = sum(text == pair.target for text, pair in zip(texts, held_out, strict=True)) / 300, texts[0]

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
none, batch, time = right["no norm"], right["over the batch"], right["over time"]
ax = plots.shares(
    plt.subplots(figsize=(7, 2.6))[1],
    right,
    f"Next tokens right: {none:.0%} without a norm, {batch:.0%} with one over the batch",
    guessed("07_layer_norm.break_axis"),
)
ax.patches[1].set_color(plots.COLORS[0])  # a control: our own code with the right axis
_ = ax.set_xlabel("next tokens right (%), the translation so far given")
assert right["as trained"] == right["over the features"] > 0.99 and batch < 0.5 < none < 0.9 < time < 0.97

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
worse = "about the same" if abs(none - batch) < 0.05 else "over the batch" if batch < none else "no norm"
predict("07_layer_norm.break_axis", actual=worse)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The first two bars are equal, so the test is fair: our own code with the right axis changes nothing. Without a
# norm each token still has a vector of its own, though not of the usual size. Over the batch, each feature of a
# token is compared with the *same feature of the other dates*. What the dates share at that place is subtracted. A
# feature in which they hardly differ is divided by its small deviation, and so blown up. (Which of the two does the
# harm is not tested here. The padding of shorter dates counts, too.) So tidy numbers are not enough: it matters
# which ones are tidied together.
#
# </details>

# %% [markdown]
# ### Nine tokens of ten
#
# With the norm over time, 92 % of the next tokens are still right. Is that wrong axis nearly right? Now the
# translator has to write all 300 dates by itself, in one batch. Here is the first date:

# %% jupyter={"outputs_hidden": true}
print(f"{held_out[0].source}, in Chinese:")
for name, (share, text) in written.items():
    print(f"{name:18} whole dates right {share:6.1%}   {text[:24]}")
assert written["over time"][0] == 0 and written["no norm"][0] < 0.2

# %% [markdown]
# **Nine next tokens of ten, and yet not one whole date:** with its norms over time the model writes `2222...`. Recall
# the cache of lesson 03: when the model writes, only the *newest* token passes through the decoder. Then the time
# axis has length 1. The mean of one number is this number, and subtracting it leaves 0:

# %%
newest = torch.randn(1, 1, 6)  # (B, T, D) with T = 1
print("what is left of one token, over time:", (newest - newest.mean(dim=1, keepdim=True)).abs().max().item())

# %% [markdown]
# So each norm of the decoder puts out its `beta`, whatever was read, and the model writes the same token over and
# over.
#
# ### What has really gone wrong
#
# Without the cache the model fails as well ("Deeper" below). What is wrong is that numbers of *other* vectors go
# into the mean. How far do a date's vectors move, relative to their length, when we replace the other dates of its
# batch? And how far does the decoder's first row, the *first* token's vector, move when we change the *last* token?
# The causal mask (lesson 03) should keep it still:

# %%
eight = [pair for pair in held_out if len(tokenizer.encode(pair.source)) == 8][:9]  # of one length: no padding
one_batch, another = (
    tokenizer.batch([pair.source for pair in eight[:1] + rest])[0] for rest in (eight[1:5], eight[5:])
)
date = tokenizer.batch([eight[0].target], bos=True)[0]
changed = date.clone()
changed[0, -1] = date[0, 1]


@torch.no_grad()
def moved():
    """How far a date's vectors move with its batch, and its first row with its last token; shares of their length."""
    memory, beside = model.encode(one_batch)[0], model.encode(another)[0]
    before, after = (model.decode(ids, memory=memory[None])[0, 0] for ids in (date, changed))
    return ((memory - beside).norm() / memory.norm()).item(), ((before - after).norm() / before.norm()).item()


# %%
print("                   a date, among    the first row, with")
print("                   other dates      another last token")
for name, axes in (("over the features", 2), ("over the batch", 0), ("over time", 1)):
    with with_norm(over(axes)):
        companions, future = moved()
    print(f"{name:18}{companions:13.0%}{future:21.0%}")
    assert (companions > 0.1) == (axes == 0) and (future > 0.01) == (axes == 1)

# %% [markdown]
# Over the batch, a date's vectors depend on the other dates beside it. Over time, each token's vector is made with
# the mean of all, later ones included: the future leaks past the causal mask. **So the 92 % promise too much: they
# were reached next to tokens that do not exist yet when the model writes.** (Mostly it did not peek at the answer:
# see "Deeper" below.) Of the three axes, only the *features* leave each token to itself.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: and without the cache?
#
# Does the cache alone do it? We let the model read the right beginning of a translation at once, with nothing after
# it, and ask for the next token. The norms are over time, and all dates have one length:

# %% tags=["deeper"]
lengths = {}
for row in range(300):
    lengths.setdefault((source_mask[row].sum().item(), target_mask[row].sum().item()), []).append(row)
rows = max(lengths.values(), key=len)
ids, read = targets[rows][:, : target_mask[rows[0]].sum()], sources[rows][:, : source_mask[rows[0]].sum()]

# %% tags=["deeper"]
with with_norm(over(1)), torch.no_grad():
    whole = (model(read, ids[:, :-1]).argmax(dim=-1) == ids[:, 1:]).float().mean(dim=0).tolist()
    behind, foreign = [], []
    for t in range(1, 6):
        alone, mixed = ids[:, :t], torch.cat((ids[:, :t], ids.roll(1, dims=0)[:, t:-1]), dim=1)  # another date's rest
        for found, begun in ((behind, alone), (foreign, mixed)):
            found.append((model(read, begun)[:, t - 1].argmax(dim=-1) == ids[:, t]).float().mean().item())
print(f"right of tokens 1 to 5, of {len(rows)} dates")
print("with the rest of the translation behind them:", *(f"{share:5.0%}" for share in whole[:5]))
print("with another date's rest behind them:        ", *(f"{share:5.0%}" for share in foreign))
print("with nothing behind them:                    ", *(f"{share:5.0%}" for share in behind))
assert behind[2] < 0.4 and behind[3] < 0.1 and min(whole[:4]) > 0.7 and round(min(foreign), 2) == 0.73

# %% [markdown] tags=["deeper"]
# Without the cache it goes wrong as well: all five tokens fall, the fourth from 87 % to 0 %. But what the model
# lacks is mostly *some* later tokens, and they need not be the right ones. This shows at tokens 3 and 4, the year's
# last two digits, which differ from date to date: with *another* date's rest behind them, 73 and 83 % still come
# out right.

# %% [markdown]
# ## 2. One token, one mean, one deviation
#
# What does a norm over the features do to a token? Here are two tokens as they reach the first norm of the encoder,
# 64 numbers each. Look for what stays when a norm subtracts and divides:
#
# ![Two vectors of 64 numbers as bars, of the tokens Sunday and November. As they arrive: mean 0.39 and deviation 1.62 for
# Sunday, mean 0.49 and deviation 1.25 for November. Minus its mean, each has mean 0. Divided by its deviation, each has mean 0 and
# deviation 1, and the same pattern as before.](figures/07_layer_norm_steps.svg)
#
# The pattern of the bars stays; the mean becomes 0, the deviation 1. This is the layer norm of Ba, Kiros and Hinton
# (2016). Write $x$ for the $D$ numbers of one token, $x_j$ for one of them:
#
# $$\mu = \frac1D \sum_{j=1}^{D} x_j \qquad \text{var} = \frac1D \sum_{j=1}^{D} (x_j - \mu)^2$$
#
# $$\sigma = \sqrt{\text{var} + \epsilon} \qquad \hat x_j = \frac{x_j - \mu}{\sigma}$$
#
# $\epsilon$ (`eps`, here $10^{-5}$) is there for a token whose features are all equal: without it, $0/0$. With loops,
# for a small tensor:

# %%
B, T, D, eps = 2, 3, 4, 1e-5
x = 2 * torch.randn(B, T, D) + 1  # (B, T, D), neither centred nor of size 1
normalised = torch.zeros(B, T, D)
for b in range(B):
    for t in range(T):
        mu = sum(x[b, t]) / D
        var = sum((number - mu) ** 2 for number in x[b, t]) / D
        for j in range(D):
            normalised[b, t, j] = (x[b, t, j] - mu) / (var + eps) ** 0.5

# %% [markdown]
# To do all tokens at once, take the mean over the last axis, and keep that axis with size 1, so that it broadcasts.
# Vectors need not keep this mean and deviation. A scale $\gamma$ (`gamma`) and a shift $\beta$ (`beta`) are learnt,
# with one number for each *feature*: $y_j = \gamma_j \hat x_j + \beta_j$. They begin at 1 and 0.


# %%
class OurNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps, self.gamma, self.beta = eps, nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mu = x.mean(dim=-1, keepdim=True)  # (B, T, 1)
        var = x.var(dim=-1, keepdim=True, unbiased=False)  # (B, T, 1); torch would divide by D - 1
        return self.gamma * (x - mu) / (var + self.eps).sqrt() + self.beta


norm = OurNorm(D)
assert torch.allclose(norm(x), normalised, atol=1e-6) and torch.allclose(norm(x), F.layer_norm(x, (D,)), atol=1e-6)
with torch.no_grad():
    y = 3 * norm(x) + 1  # gamma = 3, beta = 1
print(f"gamma 3, beta 1: mean {y[0, 0].mean():.2f}, deviation {y[0, 0].std(unbiased=False):.2f}")

# %% [markdown]
# So it is $\mu$ and $\sigma$ that normalise. They are not learnt; each token has its own. $\gamma$ and $\beta$ are
# learnt, the same for all tokens, and may well undo the tidy size.
#
# ## 3. What a layer norm cannot see
#
# What the two steps remove cannot be read from the norm's output. What do they remove? With $D = 3$ you can see it.
# Subtracting the mean is a *projection*: it removes $\mu\,(1, 1, 1)$, the part of $x$ along the direction
# $(1, 1, 1)$, and all that is left lies in a plane. Dividing that by $\sigma$ makes its mean square 1, its length
# $\sqrt D$ (but for $\epsilon$): it lies on a *sphere*. Plane and sphere meet in a circle. Follow 200 random
# points; each keeps its colour. The plane is grey, the direction $(1, 1, 1)$ dotted. The second panel looks along
# the plane and shows it as a line; the third looks along $(1, 1, 1)$:

# %%
points = torch.randn(200, 3) * torch.tensor([1.3, 1.0, 0.6]) + torch.tensor([0.5, 1.0, 0.0])
flat = points - points.mean(dim=-1, keepdim=True)
circle = F.layer_norm(points, (3,))
ones = torch.ones(3) / 3**0.5  # the direction (1, 1, 1), of length 1
assert ((circle @ ones).abs() < 1e-5).all()
assert torch.allclose(circle.norm(dim=-1), torch.full((200,), 3**0.5), atol=0.05)

# %% jupyter={"source_hidden": true}
fig, panels = plt.subplots(1, 3, figsize=(9, 2.9), subplot_kw={"projection": "3d", "proj_type": "ortho"})
u, v = torch.tensor([1.0, -1.0, 0.0]) / 2**0.5, torch.tensor([1.0, 1.0, -2.0]) / 6**0.5  # they span the plane
plane = torch.stack([2.6 * (a * u + b * v) for a, b in ((1, 1), (1, -1), (-1, -1), (-1, 1))])
titles = "x: anywhere", "x - mean: a plane", "divided by sigma: a circle"
views = (12, -20), (0, -45), (35.264, 45)  # from anywhere; along the plane; along (1, 1, 1)
for panel, cloud, title, (elev, azim) in zip(panels, (points, flat, circle), titles, views, strict=True):
    panel.view_init(elev=elev, azim=azim)
    panel.plot_trisurf(*plane.T, triangles=[[0, 1, 2], [0, 2, 3]], color="#9AA5B1", alpha=0.3, linewidth=0)
    panel.scatter(*cloud.T, s=7, c=points[:, 0], cmap="viridis")
    panel.plot(*torch.stack((-2.6 * ones, 2.6 * ones)).T, color="grey", linestyle=":")
    panel.set_title(title, loc="center", y=1.1)
    for j, name in enumerate("xyz", start=1):
        panel.set(**{f"{name}lim": (-3.3, 3.3), f"{name}ticks": (-2, 0, 2), f"{name}ticklabels": ()})
        getattr(panel, f"set_{name}label")(f"$x_{j}$", labelpad=-12)
    panel.set_box_aspect((1, 1, 1), zoom=1.05 if cloud is circle else 1.2)

# %% [markdown]
# Two things are forgotten: where $x$ stood along $(1, 1, 1)$, and how long it was within the plane. That is an
# **invariance**: nothing changes when *one* number is added to all features of a token, or (but for $\epsilon$)
# when all are multiplied by one positive number. And a *different* number for each feature, the same at every
# token?

# %%
bias = torch.randn(D)
size = norm(x).abs().mean()
for name, changed_x in (
    ("5 added to all features", x + 5),
    ("all times 5", 5 * x),
    ("a number for each feature", x + bias),
):
    print(f"{name:26} the output changes by {((norm(changed_x) - norm(x)).abs().mean() / size).item():4.0%}")

# %% [markdown]
# The output changes. A linear layer's bias adds such numbers, and only their part along $(1, \dots, 1)$ is lost.
#
# <details><summary>Deeper: a norm that swallows a bias whole</summary>
#
# **Batch normalisation** or batch norm (Ioffe, Szegedy 2015) is known from image models. In training it takes the
# mean of each *feature* over many examples, as our norm over the batch did, and any bias is subtracted with that
# mean. (In use it takes a mean kept from training.)
#
# </details>
#
# ## 4. Backwards, by hand
#
# Training sends a gradient back through each norm. What gradient reaches $x$, when $\mu$ and $\sigma$ depend on it?
# Let $g_j$ be the gradient of the loss with respect to $y_j = \gamma_j \hat x_j + \beta_j$.
#
# **Step 1: to the parameters.** All tokens share one $\gamma_j$ and one $\beta_j$. So their gradients are sums over
# batch and time, with each token's own $g_j$ and $\hat x_j$:
#
# $$\text{grad}_{\beta_j} = \sum_{b,t} g_j \qquad \text{grad}_{\gamma_j} = \sum_{b,t} g_j\, \hat x_j$$
#
# What goes on to $\hat x_j$ is $h_j = g_j \gamma_j$.
#
# **Step 2: one feature moves all.** Push $x_j$ up a little. It moves every $\hat x_i$ of its token, in three ways:
#
# | way | what it adds to $\hat x_i$ |
# |---|---|
# | directly, if $i = j$ | $1/\sigma$ |
# | the mean rises: $\dfrac{\partial\mu}{\partial x_j} = \dfrac1D$ | $-\dfrac{1}{D\,\sigma}$ |
# | the deviation changes: $\dfrac{\partial\sigma}{\partial x_j} = \dfrac{\hat x_j}{D}$ | $-\dfrac{\hat x_i\, \hat x_j}{D\,\sigma}$ |
#
# The third row says: a feature far above the mean ($\hat x_j$ large) stretches the deviation when it rises, and
# everything shrinks. (Far below, the opposite.)
#
# <details><summary>Where the third row comes from. Try it yourself first</summary>
#
# Differentiate $\sigma^2 = \frac1D \sum_i (x_i - \mu)^2 + \epsilon$ on both sides:
#
# $$2\sigma\, \frac{\partial \sigma}{\partial x_j} = \frac{2}{D}(x_j - \mu)
# \qquad\Longrightarrow\qquad \frac{\partial \sigma}{\partial x_j} = \frac{\hat x_j}{D} .$$
#
# ($\mu$ moves too, but that adds nothing: the $x_i - \mu$ sum to 0.) And when $\sigma$ rises, $\hat x_i$ changes by
# $\partial \hat x_i/\partial\sigma = -\hat x_i/\sigma$. The third row is the product of the two.
#
# </details>
#
# **Step 3: add them up.** With $\delta_{ij} = 1$ if $i = j$ and else 0:
#
# $$\frac{\partial \hat x_i}{\partial x_j} = \frac1\sigma \left( \delta_{ij} - \frac1D - \frac{\hat x_i\, \hat x_j}{D} \right)$$
#
# For one token that is a $D \times D$ matrix. Does PyTorch find the same?


# %%
def jacobian(x):
    """(D,) -> (D, D): row i, column j says how far the normalised x_i moves when x_j does."""
    sigma = (x.var(unbiased=False) + eps).sqrt()
    z = (x - x.mean()) / sigma
    return (torch.eye(len(x)) - 1 / len(x) - torch.outer(z, z) / len(x)) / sigma


token = x[0, 0].double()
wanted = torch.autograd.functional.jacobian(lambda x: F.layer_norm(x, (D,), eps=eps), token)
difference = (jacobian(token) - wanted).abs().max()
print(f"numbers up to {wanted.abs().max():.2f}; ours are off by less than 1e-10")
assert difference < 1e-10

# %% [markdown]
# Compare the matrix with section 3. When a gradient is multiplied by it, the second term removes the part along
# $(1, \dots, 1)$, and the third the part along $\hat x$. **Along the directions that the norm forgets, no gradient
# comes back** (but for $\epsilon$). And everything is divided by $\sigma$: a vector ten times as long gets a tenth
# of the gradient.

# %%
J, long, z = jacobian(token), jacobian(10 * token), F.layer_norm(token, (D,))
h = torch.randn(D, dtype=torch.float64)  # any gradient
shift, stretch = abs((h @ J).sum()), abs(h @ J @ z)
print("the gradient's part along (1, ..., 1): below 1e-9")
print("its part along the normalised x:       below 1e-3 (what is left comes from eps)")
print(f"the Jacobian at 10 x:                  {long.norm() / J.norm():.2f} as large as at x")
assert shift < 1e-9 and stretch < 1e-3

# %% [markdown]
# **Step 4: multiply by $h_i$ and sum over $i$.** The gradient of one $x_j$ is
# $\sum_i h_i\, \partial \hat x_i / \partial x_j$. Sum each of the three terms by itself, and no matrix
# is needed. That is the second exercise.
#
# ## 5. Does the mean matter?
#
# A layer norm subtracts, then divides. Does it need to subtract? **RMSNorm** (Zhang, Sennrich 2019), made to save
# time and used by Llama and its relatives, only divides, by the root of the mean square (no projection, only the
# sphere):
#
# $$y_j = \gamma_j\, \frac{x_j}{\sqrt{\frac1D \sum_i x_i^2 + \epsilon}}$$
#
# Where the mean is 0, the two norms agree:

# %%
tokens = torch.randn(2, 3, 64)
centred = tokens - tokens.mean(dim=-1, keepdim=True)
apart = [(RMSNorm(64)(some) - LayerNorm(64)(some)).abs().max().item() for some in (centred, tokens)]
print(f"RMSNorm and LayerNorm differ by {apart[0]:.4f} where the mean is 0, and by more than 0.1 where it is not")
assert apart[0] < 1e-4 and apart[1] > 0.1

# %% [markdown]
# We put RMSNorm into the trained translator in place of its layer norms. We keep their $\gamma$ and, for this test,
# their $\beta$ (RMSNorm has none).
#
# Would the translator notice a mean at all? As a control we add one on purpose: just before each norm, a quarter of
# the vector's deviation is added to each of its features. A layer norm would take that off again; RMSNorm lets it
# pass, and the next norm gets another quarter.


# %%
def rms_forward(added):
    def forward(self, x):
        x = x + added * x.std(dim=-1, keepdim=True, unbiased=False)
        return F.rms_norm(x, x.shape[-1:], self.gamma, self.eps) + self.beta

    return forward


rms = []
for words, added in (("RMSNorm", 0), ("RMSNorm, with a mean added", 0.25)):
    with with_norm(rms_forward(added)):
        rms.append(exact_match(model, tokenizer, held_out))
    print(f"{words:27}{rms[-1]:4.0%} of the dates right")
assert rms[0] > 0.95 and rms[1] < 0.2

# %% [markdown]
# With RMSNorm nearly all dates survive, but a mean added at every norm is noticed. So how much of a mean is there
# to take off? At each of the ten norms we divide the squared mean by the mean square, both averaged over all
# tokens, padding included. This is the share along $(1, \dots, 1)$. Along a random direction it would be $1/64$ on
# average (dotted). Where does our translator have more? The control is three untrained translators.


# %%
@torch.no_grad()
def share_of_the_mean(some):
    """For each sub-layer's norm, from the bottom up: mean(x)^2 as a share of mean(x^2), over all tokens."""
    shares = {}

    def note(norm, inputs):
        shares[norm] = (inputs[0].mean(dim=-1).square().mean() / inputs[0].square().mean()).item()

    norms = [part.norm for part in some.modules() if isinstance(part, Residual)]
    hooks = [part.register_forward_pre_hook(note) for part in norms]
    some(sources, targets[:, :-1], source_mask)
    for hook in hooks:
        hook.remove()
    return [shares[part] for part in norms]


# %%
_ = torch.manual_seed(0)
trained = share_of_the_mean(model)
fresh = [share_of_the_mean(Transformer(model.config).eval()) for _ in range(3)]

# %% jupyter={"source_hidden": true}
ax = plt.subplots(figsize=(8, 3.4))[1]
names = [f"{stack} {block}, {part}" for stack, parts in (("encoder", ("self", "feed-forward")),
         ("decoder", ("self", "cross", "feed-forward"))) for block in (1, 2) for part in parts]  # fmt: skip
kinds = (fresh, "o", "grey", "untrained"), ([trained], "D", plots.COLORS[5], "our translator")
for rows, marker, color, name in kinds:
    for row in rows:
        label = name if row is rows[0] else None
        ax.plot([100 * share for share in row], names, marker, color=color, alpha=0.7, label=label)
ax.axvline(100 / 64, color="grey", linestyle=":")
ax.invert_yaxis()
ax.set(xlim=(0, 13), xlabel="the mean's share of the mean square (%); dotted: a random direction")
ax.set_title("Hardly a mean, except at the first norm of each stack")
_ = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% jupyter={"source_hidden": true}
# Checks what the next cell says
first = {0, 4}  # the first norm of each stack
assert all((trained[i] > 0.03) if i in first else (trained[i] < 0.01) for i in range(10))
assert all((row[i] > 0.03) if i in first else (row[i] < 0.03) for row in fresh for i in range(10))

# %% [markdown]
# **At eight of the ten norms the square of the mean is less than 1 % of the mean square.** The three untrained
# models stay below 3 % there, mostly left of the dotted line. Each of these norms gets what an earlier norm has
# just *centred* (but for its $\gamma$ and $\beta$), plus the output of a sub-layer, which nothing centres. At the
# first norm of each stack neither part has been centred. (The first "Deeper" below looks at these two.)
#
# What about a translator that *never had* the mean taken off? We trained some with RMSNorm from the first step on.
# They started slower and ended with nearly as low a loss. (That is one small task, at one learning rate: see the
# second "Deeper" below.)
#
# **So our translator hardly needs the subtraction:** without it 98 % of the dates come out right, and at eight of
# its norms there is almost no mean.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: the first norm of each stack
#
# The vectors that reach these two norms contain the positions of [lesson 08](08_positions.ipynb). Half of the
# numbers of a position are cosines, most of them near 1 in texts this short (lesson 08 draws them). Does the mean
# come from the positions? We measure untrained models without positions. And does the translator need to have this
# mean taken off? We put RMSNorm into these two places alone.

# %% jupyter={"source_hidden": true} tags=["deeper"]
placeless = [share_of_the_mean(Transformer(replace(model.config, positions="none")).eval()) for _ in range(3)]
print("untrained: the mean's share, three models each")
for i, stack in ((0, "encoder"), (4, "decoder")):
    pair = [sorted(row[i] for row in rows) for rows in (fresh, placeless)]
    listed = [" ".join(f"{share:5.1%}" for share in shares) for shares in pair]
    print(f"first norm of the {stack}: with positions {listed[0]:18}  without {listed[1]}")
    assert 0.18 < median(pair[1]) / median(pair[0]) < 0.22
norms = [part.norm for part in model.modules() if isinstance(part, Residual)]
as_before, rms_there = LayerNorm.forward, rms_forward(0)


def two_without_mean(self, x):
    return (rms_there if norms.index(self) in first else as_before)(self, x)


with with_norm(two_without_mean):
    share = exact_match(model, tokenizer, held_out)
print(f"RMSNorm at these two alone: {share:.1%} of the dates right, as before: {written['as trained'][0]:.1%}")
assert share == written["as trained"][0] == 299 / 300

# %% [markdown] tags=["deeper"]
# Without positions, the share at these norms falls to about a fifth (medians of three untrained models). So before
# training most of this share comes from the positions. And in the trained translator the mean can stay: with
# RMSNorm at these two norms, as many dates come out right as before.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: without the mean from the first step on
#
# An RMSNorm leaves out the shift as well as the mean. So `experiments/mean_left_out.py` trains three kinds of
# translator: with a layer norm, with a layer norm whose $\beta$ stays at 0, and with RMSNorm. Each line is one seed,
# with the norm in one of two places, pre-norm or post-norm, which the next section compares. Is the loss highest with
# RMSNorm?

# %% jupyter={"source_hidden": true} tags=["deeper"]
left_out = recorded("mean_left_out")["result"]
kinds = {"layer": "layer norm", "layer without shift": "layer norm,\nbeta 0", "rms": "RMSNorm"}
fig_axes = plt.subplots(1, 2, figsize=(9, 3.4))
for look, panel in zip((0, 2), fig_axes[1], strict=True):
    for place, color, style in (("post", plots.COLORS[5], "o-"), ("pre", plots.COLORS[0], "s--")):
        for seed in range(5):
            row = [left_out["losses"][place][kind][seed][look] for kind in kinds]
            label = f"{place}-norm" if seed == 0 else None
            panel.plot(list(kinds.values()), row, style, color=color, alpha=0.7, label=label)
    panel.set(ylim=(0, None), title=f"after {left_out['looks'][look]} steps")
fig_axes[1][0].set_ylabel("loss on 300 unseen dates"), fig_axes[1][1].legend(loc="lower right")
title = "RMSNorm leaves the mean in: slower at the start, nearly as good at the end"
_ = fig_axes[0].suptitle(title, x=0.01, ha="left", fontsize=11)
final = [[left_out["losses"][place][kind][seed][2] for kind in kinds] for place in ("post", "pre") for seed in range(5)]
ratios = [rms / full - 1 for full, _, rms in final]
print(f"after 400 steps, RMSNorm's loss against layer norm's, seed by seed: {min(ratios):+.0%} to {max(ratios):+.0%}")

# %% jupyter={"source_hidden": true} tags=["deeper"]
# Checks what the next cell says
early = [[left_out["losses"][place][kind][seed][0] for kind in kinds] for place in ("post", "pre") for seed in range(5)]
behind_by = [rms - max(others) for *others, rms in early]
assert min(behind_by) > 0 and min(min(right) for kind in left_out["right"].values() for right in kind.values()) > 0.996
assert (round(min(ratios), 2), round(max(ratios), 2), sum(ratio < 0 for ratio in ratios)) == (-0.03, 0.12, 2)
assert max(max(row) for row in final[:5]) < min(min(row) for row in final[5:])  # post below pre, section 6

# %% [markdown] tags=["deeper"]
# After 100 steps RMSNorm has a higher loss than either of the others, with each seed, in both places. After 400
# steps its loss is at most 12 % above layer norm's with the same seed, and in two of the ten pairs below layer
# norm's. With $\beta$ at 0 alone, the loss is about as far from layer norm's (see the plot). So the difference at
# the end cannot be put down to the mean alone.

# %% [markdown]
# ## 6. Before or after?
#
# That was the *how*; now the *where*. [Lesson 06](06_residual.ipynb) drew two places. In **post-norm** (the
# Transformer of 2017, and our translator) the norm stands on the line, after each plus sign: it takes the sum. In
# **pre-norm** (GPT-2, Llama and most models since) it stands on the branch, in front of the sub-layer, and the line
# meets nothing but additions. In pre-norm nothing normalises the sum, which tends to grow from block to block, so
# such a stack usually has one **final norm** at its end.
#
# Which of the two trains? `experiments/norm_position.py` trains six narrow blocks on a small task, "say the token
# before this one", for 300 steps. It tries five learning rates, with and without **warm-up** (the rate rises slowly
# to its full height, here over the first 100 steps), with five seeds each. All else is the same, but for the final
# norm, which only pre-norm has. The task has 8 tokens, so chance has a loss of $\ln 8 = 2.08$; a run has *trained* if
# it ends below half of that.
#
# At a rate of 0.01, which place *needs* the warm-up?

# %%
predict("07_layer_norm.warm_up")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
kept = recorded("norm_position")["result"]
rates, half, seeds = kept["rates"], kept["chance"] / 2, len(kept["sizes"]["seeds"])
assert round(kept["chance"], 2) == 2.08 and len(rates) == 5 and seeds == 5 and kept["sizes"]["steps"] == 300
ends = {}  # (place, warm) -> for each rate the losses at the end, one for each seed
for row in kept["rows"]:
    ends.setdefault((row["norm_position"], row["warm_up"] > 0), []).append(row["last_losses"])
trained = {name: sum(max(losses) < half for losses in of_rates) for name, of_rates in ends.items()}

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fig, panels = plt.subplots(1, 2, figsize=(9, 3.5), sharey=True)
for panel, place in zip(panels, ("pre", "post"), strict=True):
    for warm, shift in ((False, 0.93), (True, 1.07)):
        color, name = plots.COLORS[0 if warm else 5], "with warm-up" if warm else "without"
        across = [rate * shift for rate, losses in zip(rates, ends[place, warm], strict=True) for _ in losses]
        fill = {"facecolors": "none"} if warm else {}
        losses = [max(loss, 1e-3) for row in ends[place, warm] for loss in row]
        panel.scatter(across, losses, s=28, edgecolors=color, color=None if warm else color, label=name, **fill)
    panel.axhline(half, color="grey", linestyle=":")
    panel.set(xscale="log", yscale="log", xlabel="learning rate (five tried, 0.0003 to 0.03)")
    panel.set_title(
        f"{place}-norm: without warm-up all seeds train at\n{trained[place, False]} of 5 rates, with it at {trained[place, True]}"
    )
panels[0].set_ylabel("loss after 300 steps (nats),\nless than 0.001 drawn at 0.001")
panels[0].text(rates[0], 1.15 * half, "half of chance", color="grey", fontsize=9)
_ = panels[0].legend(loc="lower left")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
at = {name: max(of_rates[rates.index(1e-2)]) for name, of_rates in ends.items()}
needs = [place for place in ("pre", "post") if at[place, False] > half > at[place, True]]
predict("07_layer_norm.warm_up", actual=needs[0] if len(needs) == 1 else "both" if needs else "neither")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks what the next cell says
assert trained["pre", False] == 5 and trained["pre", True] == 4 and min(ends["post", False][3]) > 1.9
assert trained["post", False] == 3 and trained["post", True] == 4 and min(ends["post", False][4]) > 1.9
assert sum(loss > half for loss in ends["pre", True][4]) == 1 and min(ends["post", True][4]) > 1.9
assert all(max(losses) < 0.06 for losses in ends["pre", False][1:])
assert all(
    warm > cold
    for place in ("pre", "post")
    for warm, cold in zip(ends[place, True][0], ends[place, False][0], strict=True)
)

# %% [markdown]
# <details><summary>What do you see? Open after your guess</summary>
#
# Pre-norm trains at every rate tried, with every seed, without any warm-up. Post-norm without warm-up does not
# train at the two largest: all ten runs end near chance. Warm-up gives it one of the two back: the largest rate at
# which all seeds train rises from 0.003 to 0.01.
#
# In pre-norm a warm-up has no rate to win back, as all five train without. At the largest, one of five seeds even
# fails with it. Nor is warm-up free: in both places, all seeds end higher with it at the smallest rate. (Xiong et
# al. (2020) found in translation, too, that post-norm wants a warm-up and pre-norm can do without.) But post-norm
# is not simply the worse place: in the last "Deeper" of section 5, on dates and at one rate, each post-norm
# translator has a lower loss after 400 steps than each pre-norm one.
#
# **So pre-norm needs less care on this small task; post-norm asks for a smaller rate or a warm-up.**
#
# </details>
#
# Here is the same, live and short: 60 steps at 0.01 without warm-up, next to the record.

# %% jupyter={"outputs_hidden": true}
norm_position = experiment("norm_position")
print("The loss after 60 steps:")
for place in ("pre", "post"):
    live = norm_position.losses(place, warm_up=0, rate=1e-2, seed=0, steps=60)
    row = next(row for row in kept["rows"] if (row["norm_position"], row["warm_up"], row["rate"]) == (place, 0, 1e-2))
    ours, theirs = (sum(losses[50:60]) / 10 for losses in (live, row["first_seed"]))
    print(f"{place}-norm: live ≈ {ours:.2f}, recorded {theirs:.2f}; chance is 2.08")
    assert abs(ours - theirs) < 0.4
    assert (ours < half) == (theirs < half)

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: does the warm-up help because it comes first? (Open after your guess)
#
# A warm-up does two things: it lowers the rate for a third of all steps, and these steps come first. Which of the
# two helps? We train post-norm at 0.01 once more, with the same rates in the opposite order: the full rate first,
# the small ones at the end. And perhaps without a warm-up it is only slow? We also give it twice as many steps.

# %% jupyter={"source_hidden": true} tags=["deeper"]
controls = recorded("norm_position_controls")["result"]
post = {warm: ends["post", warm][rates.index(1e-2)] for warm in (True, False)}
print("The loss at the end, a seed each:")
for name, row in (
    ("warm-up", post[True]), ("small rates at the end", controls["small rates at the end"]),
    ("no warm-up", post[False]), ("no warm-up, 600 steps", controls["without warm-up, more steps"]),
):  # fmt: skip
    print(f"{name:25}", " ".join(f"{loss:.2f}" for loss in row))
assert max(post[True]) < half < min(controls["small rates at the end"] + controls["without warm-up, more steps"])

# %% [markdown] tags=["deeper"]
# The small rates help when they come *first* and not when they come last, and twice the time does not help (three
# seeds, at this rate). So what do the first steps do? After 0 to 60 of them we look at three things:
#
# * the size of the gradient with respect to the line's vectors, at the bottom relative to the top;
# * the size of a branch, relative to the line that it is added to (the median of the twelve branches);
# * which share of a branch's mean square belongs to its mean over all tokens, the part that is the same for all
#   (again the median).

# %% jupyter={"source_hidden": true} tags=["deeper"]
line = recorded("norm_position_gradients")["result"]


def medians(*names):
    """Print what was recorded after 0, 5, 20 and 60 steps."""
    print(f"{'Medians of five seeds, after':54}       0       5      20      60 steps")
    for name in names:
        for what, words in (
            ("gradient", "gradient, bottom / top"), ("branch", "size, branch / line"),
            ("same for all tokens", "branch: same for all tokens"),
        ):  # fmt: skip
            middle = [median(run[what][i] for run in line[name]) for i in (0, 2, 3, 4)]
            said = name if what == "gradient" else ""  # once
            print(f"{said:25}{words:29}" + "".join(f"{value:8.3f}" for value in middle))


medians("pre-norm", "post-norm", "post-norm, warm-up")

# %% jupyter={"source_hidden": true} tags=["deeper"]
# Checks what the next cell says
gradients = {name: [run["gradient"] for run in runs] for name, runs in line.items()}
assert max(row[2] for row in gradients["post-norm"]) < 0.06 < 0.08 < min(map(min, gradients["post-norm, warm-up"]))
assert min(map(min, gradients["pre-norm"])) > 1.3 and min(run["branch"][2] for run in line["post-norm"]) > 1
assert max(max(run["branch"]) for run in line["pre-norm"]) < 0.4
assert max(max(run["branch"][:5]) for run in line["post-norm, warm-up"]) < 0.95
same = {name: [run["same for all tokens"] for run in runs] for name, runs in line.items()}
assert min(row[2] for name in ("pre-norm", "post-norm") for row in same[name]) > 0.89
assert max(row[2] for row in same["post-norm, warm-up"]) < 0.8 and max(row[4] for row in same["pre-norm"]) < 0.2

# %% [markdown] tags=["deeper"]
# After five steps without warm-up nearly all that a branch adds is the same for every token, in both places. So it
# says little about any one of them.
#
# * *Pre-norm* learns all the same. The branches are small beside the line, and the line carries each token's own
#   vector past them. At every step measured, the gradient is larger at the bottom than at the top. After 60 steps
#   most of what a branch adds differs between tokens.
# * In *post-norm* the branches have outgrown the line. In the median the gradient at the bottom is 0.005 times that
#   at the top, later next to nothing.
# * With a *warm-up* the rate is still rising in these 60 steps. The branches hardly grow, and the gradient dips and
#   comes back.
#
# Is it the lost gradient, then, that keeps post-norm from learning? We recorded post-norm once more, without
# warm-up, and subtracted from each branch the part that is the same for all tokens:

# %% jupyter={"source_hidden": true} tags=["deeper"]
medians("post-norm, same part off")
ends_off = [run["loss"] for run in line["post-norm, same part off"]]
print(f"loss after 300 steps, five seeds: {min(ends_off):.2f} to {max(ends_off):.2f}; chance is 2.08")
assert min(min(row[:4]) for row in gradients["post-norm, same part off"]) > 0.7 and min(ends_off) > 1.9

# %% [markdown] tags=["deeper"]
# Up to 20 steps the gradient now arrives, with every seed. (At step 100, recorded but not printed here, most seeds
# have lost it, too.) Still no seed ends below 1.9. So this stack fails without losing its gradient early. (Whether
# this altered stack could learn at all, say with a warm-up, was not tried.) In both stacks that fail, the branches
# outgrow the line. Whether that is the cause is not tested here.
#
# Two papers look for causes: Xiong et al. (2020) in the large gradients near the output of a fresh post-norm stack,
# Liu et al. (2020) in how strongly the output depends on the branches.

# %% [markdown]
# ## 7. Play
#
# Choose what is averaged over in this cube of 3 samples (texts), 4 positions (tokens) and 5 features. Click a number
# and move it, with the slider or by dragging it up and down (or focus the input and use the arrow keys, `+` and `-`).
# Outputs that moved light up. (The explorer counts from 0.)
#
# 1. Over which axes does one changed number move the *most* outputs? Guess before you try all five.
# 2. Over *batch and time*, which outputs of the changed position itself do *not* move? Why not?
# 3. Over *features*, set the number first to -0.9, then to 4. What do the other four outputs of its position do?

# %%
explorer = NormExplorer()
explorer

# %% jupyter={"outputs_hidden": true, "source_hidden": true}
# Checks the answers
reach = {}
for axes in ("features", "time", "batch", "batch and time", "time and features"):
    reach[axes] = int(NormExplorer(over=axes, cell=[1, 2, 1], value=3.0).changed.sum())
assert max(reach, key=reach.get) == "time and features" and (reach["time and features"], reach["features"]) == (20, 5)
mates = NormExplorer(over="batch and time", cell=[1, 2, 1], value=3.0).changed[1, 2]
assert mates.tolist() == [False, True, False, False, False] and explorer.cube[1][2][1] == -0.9
position = torch.tensor(explorer.cube)[1, 2].repeat(2, 1)  # (2, 5): as it was, and with a large feature
position[1, 1] = 4.0
was, now = F.layer_norm(position, (5,))[:, [0, 2, 3, 4]]  # the other four
assert (now < was).all() and now.max() - now.min() < was.max() - was.min()

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. Over *time and features*: all 20 numbers of the sample share one mean. 2\. The other four
# features: over batch and time, each feature has its own mean and deviation. 3\. All four sink and come closer
# together: one large feature raises $\mu$ and $\sigma$ for all of them.
#
# </details>
#
# ## 8. What people get wrong
#
# **Two slips in the deviation** are $\epsilon$ outside the root, and a division by $D - 1$ (torch's default). On
# ordinary vectors of width 64 neither is off by one per cent. So test small variances and narrow vectors:

# %%
slips = {
    "eps outside the root": lambda var, n: var.sqrt() + eps,
    "divided by D - 1": lambda var, n: (var * n / (n - 1) + eps).sqrt(),
}
print("off by (at most)      width 64   variance near eps   width 4")
for name, below in slips.items():
    off = []
    for vectors in (2 * torch.randn(6, 64), torch.randn(6, 64) / 300, 2 * torch.randn(6, 4)):
        var = vectors.var(dim=-1, unbiased=False)
        off.append(((var + eps).sqrt() / below(var, vectors.shape[1]) - 1).abs().max().item())
    print(f"{name:20}{off[0]:10.1%}{off[1]:20.1%}{off[2]:10.1%}")

# %% [markdown]
# **Dropout after the norm.** **Dropout** zeroes some numbers at random during training. It belongs on the *branch*,
# before the addition. After a post-norm it zeroes numbers of the line itself, and no later sub-layer can read them.
# After 24 sub-layers, how close is a vector's direction to the one without dropout? The branches are random, about
# as large as PyTorch starts them (gain 0.25, [lesson 06](06_residual.ipynb)):


# %%
def branch(x, w_1, w_2):
    return 0.25 * 2**0.5 * ((x @ w_1).relu() @ w_2)


_ = torch.manual_seed(0)
drop, tidy = nn.Dropout(0.1), nn.LayerNorm(256)
without = on_branch = after = tidy(torch.randn(64, 256))
for _ in range(24):
    parts = torch.randn(2, 256, 256) / 16
    without, on_branch = tidy(without + branch(without, *parts)), tidy(on_branch + drop(branch(on_branch, *parts)))
    after = drop(tidy(after + branch(after, *parts)))
cosines = [F.cosine_similarity(x_out, without).mean().item() for x_out in (on_branch, after)]
print("cosine with the stack that has no dropout:")
print(f"{cosines[0]:.1f} with dropout on the branch, {cosines[1]:.1f} with dropout after the norm")
assert cosines[0] > cosines[1] + 0.4

# %% [markdown]
# ## 9. What you have now
#
# Put your own layer norm into the translator in place of its ten norms, and translate:

# %%
with with_norm(OurNorm.forward):
    for date in ("Friday, March 13, 2026", "Monday, December 31, 1999"):
        print(date, "->", translate(model, tokenizer, [date])[0])
    share = exact_match(model, tokenizer, held_out)
print(f"{share:.1%} of the dates are right, as before: {written['as trained'][0]:.1%}")
assert abs(share - written["as trained"][0]) < 0.01

# %% [markdown]
# In the package, `LayerNorm` and `RMSNorm` call torch's own functions. `Residual` holds a norm, its place and the
# dropout. A sub-layer that adds 0 shows the place:

# %%
x, norm, silent = torch.randn(2, 3, 64), LayerNorm(64), torch.zeros_like
for place, wanted, words in (("pre", x, "x as it was"), ("post", norm(x), "x normalised")):
    difference = (Residual(norm, place)(x, silent) - wanted).abs().max()
    assert difference < 1e-5
    print(f"{place}: {words}, to within 0.00001")

# %% [markdown]
# ## 10. Check yourself
#
# <details><summary>Somebody takes the statistics over time and reports: "92 % of next tokens right, so it nearly works." What do you
# ask?</summary>
#
# Whether it can write, one token at a time. And whether the first row stays as it is when the last token changes: the mean over
# time lets every row see the whole text.
#
# </details>
#
# <details><summary>Somebody multiplies the last matrix of a branch by 10, in a pre-norm and in a post-norm model. Does the norm
# take it back?</summary>
#
# Not in pre-norm: the norm comes before the branch, so its output is added ten times as large as it was. Not in
# post-norm either: the norm scales the *sum* of line and branch, in which the branch is now ten times as large.
#
# </details>
#
# <details><summary>Why does a post-norm stack need no final norm?</summary>
#
# Its last layer ends with one: what leaves it has just been normalised.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/07_layer_norm/layer_norm.ipynb): three core questions, then optional ones.
#
# ## Takeaways
#
# * Take mean and deviation over the *features* of each token: of the three axes, only this one lets a norm treat each
#   token by itself.
# * Forwards, the part along $(1, \dots, 1)$ is removed and the rest put on a sphere; then $\gamma$ and $\beta$ scale
#   and shift. Backwards, the gradient has no part along what was forgotten, and is divided by $\sigma$.
# * At eight of the translator's ten norms there is hardly a mean to take off. Translators that never had it taken
#   off started slower, and ended nearly as well.
# * On one small task, pre-norm (with a final norm) trained at all five rates without warm-up. Post-norm trained up to
#   a rate of 0.003 without it, and up to 0.01 with it.
#
# **Papers.** Ioffe, Szegedy (2015), [arXiv:1502.03167](https://arxiv.org/abs/1502.03167): batch norm. Ba, Kiros, Hinton
# (2016), [arXiv:1607.06450](https://arxiv.org/abs/1607.06450): layer norm. Zhang, Sennrich (2019),
# [arXiv:1910.07467](https://arxiv.org/abs/1910.07467): RMSNorm. Xiong et al. (2020),
# [arXiv:2002.04745](https://arxiv.org/abs/2002.04745): pre- and post-norm. Liu et al. (2020),
# [arXiv:2004.08249](https://arxiv.org/abs/2004.08249): why post-norm starts so badly.
#
# Previous: [06 Residual](06_residual.ipynb). Next: [08 Positions](08_positions.ipynb).
