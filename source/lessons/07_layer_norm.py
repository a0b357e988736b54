# %% [markdown]
# # 07 Layer norm
#
# **You will derive the layer norm forwards and backwards by hand, and measure which axis, and which place, it must have.**
#
# After this lesson you will be able to
#
# * say over which axis the mean and the variance are taken, and find out by perturbation which axis a layer really uses;
# * derive the backward pass in four steps, and check it in float64;
# * name what a layer norm cannot see (its invariances), from a picture: a projection, then a sphere;
# * tell layer norm, RMSNorm and batch norm apart;
# * choose between pre-norm and post-norm, and say where the final norm, the warm-up and the dropout belong.
#
# About 50 minutes. It builds on lessons 02 to 06, above all on [06 Residual](06_residual.ipynb). Every term and letter:
# [glossary](glossary.ipynb).

# %%
from unittest import mock

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from transformer_lab import LayerNorm, Residual, RMSNorm, exact_match, load, record_residual_stream, switch_off
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.viz import NormExplorer, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# Around every attention and every feed-forward layer of the date translator stands a layer norm. It brings each vector
# back to one size: subtract a *mean*, divide by a *standard deviation*. We break it without training anything again:
#
# * **no norm**: every vector passes as it is;
# * **over the batch**: mean and deviation are taken over the sentences of the batch instead of the features of a vector;
# * **over time**: they are taken over the positions of a sentence.
#
# In the last two, tidy numbers of mean 0 and variance 1 still come out. So which hurts more, `"no norm"` or
# `"over the batch"`? (Or is it `"about the same"`?) Put your guess in place of `None`.

# %%
predict("07_layer_norm.break_axis", None)

# %% [markdown]
# The names in this code (`gamma`, `beta`, `eps`) belong to section 2. What counts here is `axes`: over what is averaged.


# %%
def over(axes):
    """The forward method of a layer norm, its statistics taken over these axes of (B, T, D)."""

    def forward(self, x):
        mean, variance = x.mean(axes, keepdim=True), x.var(axes, keepdim=True, unbiased=False)
        return self.gamma * (x - mean) / (variance + self.eps).sqrt() + self.beta

    return forward


def patched(axes):
    return mock.patch.object(LayerNorm, "forward", over(axes))


model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)

# %% jupyter={"outputs_hidden": true}
right = {"whole": exact_match(model, tokenizer, held_out)}
with switch_off(model, "layer norm"):
    right["no norm"] = exact_match(model, tokenizer, held_out)
for name, axes in (("over the features", 2), ("over the batch", 0), ("over time", 1)):
    with patched(axes):
        right[name] = exact_match(model, tokenizer, held_out)

without, batch, time = right["no norm"], right["over the batch"], right["over time"]
title = f"No norm leaves {without:.0%} of the dates, the wrong axes {max(batch, time):.0%}"
_ = plots.shares(plt.subplots(figsize=(7, 2.6))[1], right, title)

# %% jupyter={"outputs_hidden": true}
worse = "about the same" if abs(without - batch) < 0.05 else "over the batch" if batch < without else "no norm"
predict("07_layer_norm.break_axis", actual=worse)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("at least 98 % whole, and the same over the features:", min(right["whole"], right["over the features"]) >= 0.98)
print("without a norm a few dates survive:", 0.02 < without < 0.6)
print("over a wrong axis, none:", max(batch, time) < 0.02)

# %% [markdown]
# The bar *over the features* is our own code with the right axis: as good as the whole model, so the test is fair.
# Numbers of a tidy size are not the point, then. What went wrong is worse than a lower score. Take the encoder's vectors
# of *one* date, in a batch with four other dates, and then with four different ones (all eight tokens long, so there is
# no padding). And change the *last* token that the decoder has written: no earlier position may notice (lesson 03).

# %%
sources = [ids for ids in (tokenizer.encode(pair.source) for pair in held_out) if len(ids) == 8][:9]
first_four, other_four = torch.tensor(sources[:5]), torch.tensor(sources[:1] + sources[5:])
written, _ = tokenizer.batch([held_out[0].target], bos=True)
changed = written.clone()
changed[0, -1] = written[0, 1]


# %%
@torch.no_grad()
def symptoms():
    memory = model.encode(first_four)
    companions = (memory[0] - model.encode(other_four)[0]).abs().max() > 1e-4
    rows = [model.decode(ids, memory=memory[:1])[0, 0] for ids in (written, changed)]
    return companions.item(), ((rows[0] - rows[1]).abs().max() > 1e-4).item()


for name, axes in (("features", 2), ("batch", 0), ("time", 1)):
    with patched(axes):
        company, future = symptoms()
    print(f"over {name:9} a date depends on its companions: {company!s:6} its first position sees the last: {future}")

# %% [markdown]
# Over the batch, a date's translation depends on who else is being translated. Over time, the causal mask is undone
# behind its back. Over the features neither happens: every position is left to itself.
#
# ## 2. One position, one mean, one deviation
#
# Hidden states have shape $(B, T, D)$: batch, positions, features. The layer norm (Ba, Kiros, Hinton 2016) takes the $D$
# numbers of *one* position of *one* sample. Write $x$ for them, $x_j$ for one of them:
#
# $$\mu = \frac1D \sum_{j=1}^{D} x_j \qquad \text{var} = \frac1D \sum_{j=1}^{D} (x_j - \mu)^2 \qquad
# \sigma = \sqrt{\text{var} + \epsilon} \qquad \hat x_j = \frac{x_j - \mu}{\sigma}$$
#
# $\epsilon$ (`eps`, here $10^{-5}$) is there for the position whose features are all equal: without it, $0/0$.

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
# All positions at once: reduce over the last axis, and keep it as size 1 so that it broadcasts.

# %%
mu = x.mean(dim=-1, keepdim=True)  # (B, T, 1)
var = (x - mu).square().mean(dim=-1, keepdim=True)  # (B, T, 1)
assert torch.allclose((x - mu) / (var + eps).sqrt(), normalised, atol=1e-6)
assert torch.allclose(var, x.var(dim=-1, keepdim=True, unbiased=False), atol=1e-6)  # torch's default divides by D - 1
mu.shape, var.shape, normalised.shape

# %% [markdown]
# Must every vector have mean 0 and variance 1 for ever? No: two learnt vectors of width $D$, a scale $\gamma$ (`gamma`) and a
# shift $\beta$ (`beta`), one number for each *feature*, follow: $y_j = \gamma_j \hat x_j + \beta_j$. They start at 1 and 0.


# %%
class OurNorm(nn.Module):
    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.eps, self.gamma, self.beta = eps, nn.Parameter(torch.ones(d_model)), nn.Parameter(torch.zeros(d_model))

    def forward(self, x):
        mu, var = x.mean(dim=-1, keepdim=True), x.var(dim=-1, keepdim=True, unbiased=False)
        return self.gamma * (x - mu) / (var + self.eps).sqrt() + self.beta


norm = OurNorm(D)
assert torch.allclose(norm(x), normalised, atol=1e-6)
assert torch.allclose(norm(x), F.layer_norm(x, (D,)), atol=1e-6)

# %% [markdown]
# Who normalises here? $\mu$ and $\sigma$, computed afresh from every position. $\gamma$ and $\beta$ do not (M22): they are
# parameters, the same for every position, and they may well undo the tidy size. (Numbers such as M22 count the
# misconceptions this course has collected from print.)

# %%
with torch.no_grad():
    y = 3 * norm(x) + 1  # gamma = 3, beta = 1
print(f"mean {y[0, 0].mean():.2f}, standard deviation {y[0, 0].std(unbiased=False):.2f}")

# %% [markdown]
# ## 3. What it cannot see
#
# Two steps, two pictures. Subtracting the mean is a *projection*: it removes the part of $x$ along $(1, 1, \dots, 1)$.
# Dividing by $\sigma$ puts what is left on a *sphere* of radius $\sqrt D$, since its mean square is 1. With $D = 3$ you can see
# it: the projection leaves a plane, and plane and sphere meet in a circle.

# %%
points = torch.randn(200, 3) * torch.tensor([1.3, 1.0, 0.6]) + torch.tensor([0.5, 1.0, 0.0])
flat = points - points.mean(dim=-1, keepdim=True)
circle = F.layer_norm(points, (3,))

ones = torch.ones(3) / 3**0.5  # the direction (1, 1, 1), of length 1
projection = torch.eye(3) - torch.outer(ones, ones)
assert torch.allclose(points @ projection, flat, atol=1e-6)
assert ((circle @ ones).abs() < 1e-5).all()
assert torch.allclose(circle.norm(dim=-1), torch.full((200,), 3**0.5), atol=0.05)

# %%
fig, panels = plt.subplots(1, 3, figsize=(9, 3.3), subplot_kw={"projection": "3d"})
titles = "x: anywhere", "x - mean: on a plane", "normalised: on a circle"
for panel, cloud, title in zip(panels, (points, flat, circle), titles, strict=True):
    panel.scatter(*cloud.T, s=6, c=points[:, 0], cmap="viridis")
    panel.plot(*torch.stack((-3 * ones, 3 * ones)).T, color="grey", linestyle=":")
    panel.set_title(title)
    for j, name in enumerate("xyz", start=1):
        panel.set(**{f"{name}lim": (-3.5, 3.5), f"{name}ticks": (-3, 3)})
        getattr(panel, f"set_{name}label")(f"$x_{j}$", labelpad=-8)
    panel.view_init(elev=10, azim=-30)

# %% [markdown]
# The dotted line is the direction $(1, 1, 1)$; colour is the first feature of $x$.
#
# Two dimensions are gone: where $x$ stood along $(1, 1, 1)$, and how far from it. So the output stays when all features
# of a position are shifted by one number, or multiplied by one positive number. What if a *different* number is added to
# each feature, the same at every position, as a bias does?

# %%
predict("07_layer_norm.shift", None)  # the layer norm's output "changes" or "stays"

# %% jupyter={"outputs_hidden": true}
bias = torch.randn(D)
print("What moves the output?")
for name, other in (
    ("x + 5", x + 5),
    ("5 x", 5 * x),
    ("-x", -x),
    ("x + bias", x + bias),
    ("x in another order", x.flip(-1)),
):
    print(f"{name:20}", "stays" if torch.allclose(norm(other), norm(x), atol=1e-4) else "changes")
shifted = "stays" if torch.allclose(norm(x + bias), norm(x), atol=1e-4) else "changes"

# %% jupyter={"outputs_hidden": true}
predict("07_layer_norm.shift", actual=shifted)

# %% [markdown]
# A bias is no shift along $(1, \dots, 1)$, so it survives. (It is *batch* norm, whose mean is taken feature by feature,
# that swallows a bias.) And "5 x stays" holds only while the variance is far above $\epsilon$:

# %%
for factor in (1.0, 1e-2, 1e-4):
    print(f"x times {factor:g}: the output's mean square is {norm(factor * x).square().mean().item():.2f}")

# %% [markdown]
# ## 4. Backwards, by hand
#
# Let $g_j$ be the gradient of the loss with respect to $y_j$. Three gradients are wanted.
#
# **Step 1.** $y_j = \gamma_j \hat x_j + \beta_j$, and one $\gamma_j$ serves *every* position. So sum over batch and positions:
# $\text{grad}_\beta = \sum_{b,t} g$ and $\text{grad}_\gamma = \sum_{b,t} g\, \hat x$. On to $\hat x$ goes $h_j = g_j \gamma_j$.
#
# **Step 2.** A single $x_j$ moves *every* $\hat x_i$ of its position, on three paths:
#
# | path | what it does to $\hat x_i$ |
# |---|---|
# | directly, if $i = j$ | $1/\sigma$ |
# | through the mean: $\partial\mu/\partial x_j = 1/D$ | $-\dfrac{1}{D\,\sigma}$ |
# | through the deviation: $\partial\sigma/\partial x_j = \hat x_j / D$ | $-\dfrac{\hat x_i\, \hat x_j}{D\,\sigma}$ |
#
# The third from $\hat x_i = (x_i - \mu)/\sigma$: a change of $\sigma$ counts $-\hat x_i/\sigma$. (That $x_j$ also
# moves $\mu$ inside $\sigma$ changes nothing there: the deviations sum to 0.) Is $\partial\sigma/\partial x_j$
# right? Nudge one feature and look. (float64 from here on: differences need the digits.)


# %%
def statistics(x):
    """(..., D) -> normalised (..., D), sigma (..., 1)"""
    centred = x - x.mean(dim=-1, keepdim=True)
    sigma = (centred.square().mean(dim=-1, keepdim=True) + eps).sqrt()
    return centred / sigma, sigma


row, j, nudge = x[0, 0].double(), 2, torch.zeros(D, dtype=torch.float64)
nudge[j] = 1e-6
slope = (statistics(row + nudge)[1] - statistics(row - nudge)[1]) / 2e-6
assert torch.allclose(slope, statistics(row)[0][j] / D, atol=1e-8)

# %% [markdown]
# **Step 3.** The three paths add up to the Jacobian, $D \times D$, with $\delta_{ij} = 1$ if $i = j$ and else 0:
#
# $$\frac{\partial \hat x_i}{\partial x_j} = \frac1\sigma \left( \delta_{ij} - \frac1D - \frac{\hat x_i\, \hat x_j}{D} \right)$$

# %%
z, sigma = statistics(row)
jacobian = (torch.eye(D, dtype=torch.float64) - 1 / D - torch.outer(z, z) / D) / sigma
assert torch.allclose(jacobian, torch.autograd.functional.jacobian(lambda row: statistics(row)[0], row))
print(
    "symmetric:",
    torch.allclose(jacobian, jacobian.T),
    "  rank:",
    torch.linalg.matrix_rank(jacobian, atol=1e-4).item(),
    "of",
    D,
)

# %% [markdown]
# The rank is $D - 2$ (but for $\epsilon$): the two directions of section 3 are gone here too.
#
# **Step 4.** Multiply by $h$ from the left. $\sum_i h_i / D$ is a mean, and so is $\sum_i h_i \hat x_i / D$. No matrix is left:
#
# $$\text{grad}_x = \frac{1}{\sigma} \Big( h - \operatorname{mean}(h) - \hat x \operatorname{mean}(h\, \hat x) \Big)$$
#
# Before you run it: let $\gamma$ be 1, and let every $g_j$ of a position be the same number. What reaches $x$?

# %%
predict("07_layer_norm.backward", None)  # "the same gradient", "a smaller gradient" or "nothing"


# %%
def backward(g, x, gamma):
    """g, x (..., D), gamma (D,) -> the gradients of x (..., D), gamma (D,) and beta (D,)"""
    z, sigma = statistics(x)
    h = g * gamma
    grad_x = (h - h.mean(dim=-1, keepdim=True) - z * (h * z).mean(dim=-1, keepdim=True)) / sigma
    positions = tuple(range(x.ndim - 1))
    return grad_x, (g * z).sum(dim=positions), g.sum(dim=positions)


# %%
x64 = x.double().requires_grad_()
gamma, beta = (torch.randn(D, dtype=torch.float64, requires_grad=True) for _ in range(2))
g = torch.randn(B, T, D, dtype=torch.float64)
wanted = torch.autograd.grad(F.layer_norm(x64, (D,), gamma, beta, eps), (x64, gamma, beta), g)
for ours, theirs in zip(backward(g, x64.detach(), gamma.detach()), wanted, strict=True):
    assert torch.allclose(ours, theirs, atol=1e-10)

# %% jupyter={"outputs_hidden": true}
reaches = backward(torch.ones_like(g), x64.detach(), torch.ones(D).double())[0].abs().max()
predict(
    "07_layer_norm.backward",
    actual="nothing" if reaches < 1e-10 else "the same gradient" if reaches > 0.9 else "a smaller gradient",
)

# %% [markdown]
# With $\gamma = 1$ no $x$ can change the mean of a position's outputs, so asking for a change of it is asking for nothing.
# As an operation of its own, ours passes `gradcheck`, which compares with finite differences in every direction:


# %%
class ByHand(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, gamma, beta):
        ctx.save_for_backward(x, gamma)  # ctx carries what backward will need
        return gamma * statistics(x)[0] + beta

    @staticmethod
    def backward(ctx, g):
        return backward(g, *ctx.saved_tensors)


print("gradcheck:", torch.autograd.gradcheck(ByHand.apply, (x64, gamma, beta)))

# %% [markdown]
# Read the formula once more. The gradient is divided by $\sigma$: a vector ten times as long gets a tenth of it. And it has no
# part along $(1, \dots, 1)$ and (almost) none along $\hat x$, so a step can *turn* $x$ but not just lengthen it:

# %%
grad_x, long = backward(g, x64.detach(), gamma.detach())[0], backward(g, 10 * x64.detach(), gamma.detach())[0]
print("sums to 0 over the features:", (grad_x.sum(dim=-1).abs() < 1e-10).all().item())
print("orthogonal to the normalised x:", ((grad_x * statistics(x64)[0]).sum(dim=-1).abs() < 1e-3).all().item())
print(f"ten times as long, the gradient is {(long.norm() / grad_x.norm()).item():.2f} of it")

# %% [markdown]
# ## 5. RMSNorm: half of it
#
# Llama and its kin leave the mean in: $y = \gamma\, x / \sqrt{\operatorname{mean}(x^2) + \epsilon}$, no $\beta$ (Zhang, Sennrich 2019).
# No projection, only the sphere. It is blind to a scale, but not to a shift. How much does the mean matter? Put RMSNorm's
# statistic into the translator, its own $\gamma$ and $\beta$ kept, with nothing trained again.


# %%
def rms_forward(self, x):
    return self.gamma * x / (x.square().mean(dim=-1, keepdim=True) + self.eps).sqrt() + self.beta


with mock.patch.object(LayerNorm, "forward", rms_forward):
    print("at least 95 % of the dates are still right:", exact_match(model, tokenizer, held_out) >= 0.95)
rms = RMSNorm(D)
print(
    "scale:", torch.allclose(rms(5 * x), rms(x), atol=1e-4), "  shift:", torch.allclose(rms(x + 5), rms(x), atol=1e-4)
)

# %% [markdown]
# ## 6. Before or after?
#
# Let $F$ be attention or the feed-forward layer. Lesson 06 gave it a skip. Where does the norm go?
#
# | | formula | what the skip carries to the end |
# |---|---|---|
# | **post-norm** (Vaswani et al. 2017) | $x \leftarrow \operatorname{LN}(x + F(x))$ | $x$, normalised again at each layer |
# | **pre-norm** (GPT-2, Llama) | $x \leftarrow x + F(\operatorname{LN}(x))$ | $x$ itself, plus all branches |
#
# Sources mix them up (M23), some within one page. The translator is post-norm. Other arrangements exist, a norm on both
# sides of $F$ for instance; they must be chosen, not stumbled into. One thing follows at once. In pre-norm nobody
# normalises the sum, so it grows (lesson 06), and a pre-norm stack needs one **final norm** after its last layer.
# Here is the standard deviation of the hidden states after each of 6 untrained blocks:

# %%
norm_position = experiment("norm_position")
ids = torch.randint(8, (16, 8), generator=torch.Generator().manual_seed(0))
sizes = {}
for place in ("pre", "post"):
    untrained = norm_position.model(place, seed=0)
    with record_residual_stream(untrained) as stream, torch.no_grad():
        untrained(ids)
    sizes[place] = [x.std(dim=-1).mean().item() for x in stream["decoder"]]
    print(f"{place:5} ends with a norm of its own:", isinstance(untrained.decoder.norm, LayerNorm))

# %%
growth = sizes["pre"][-1] / sizes["pre"][0]
assert growth > 1.3 and max(sizes["post"][1:]) < 1.1
ax = plt.subplots(figsize=(6, 2.6))[1]
for marker, (place, values) in zip("os", sizes.items(), strict=True):
    ax.plot(values, marker=marker, label=f"{place}-norm")
ax.set(xlabel="blocks passed", ylabel="standard deviation", ylim=(0, None))
ax.set_title(f"Pre-norm's sum grows {growth:.1f} times, post-norm's stays at 1")
_ = ax.legend()

# %% [markdown]
# Now the question that matters: which trains? `experiments/norm_position.py` trains 6 blocks of width 32 on a small task,
# "say the token before this one" with 8 tokens, for 300 steps of AdamW (Adam with weight decay): both places, with and
# without **warm-up** (the learning rate rises over the first 100 steps), five learning rates, two seeds. Pure chance has a
# loss of $\ln 8 = 2.08$. We say that a run *trained* if its last 20 losses average below half of that. At a rate of 0.01,
# which place *needs* the warm-up?

# %%
predict("07_layer_norm.warm_up", None)  # "pre", "post", "both" or "neither"

# %%
kept = recorded("norm_position")["result"]
rates, half = kept["rates"], kept["chance"] / 2
assert round(kept["chance"], 2) == 2.08 and len(rates) == 5
assert kept["sizes"] == {"layers": 6, "width": 32, "steps": 300, "warm_up": 100, "last": 20, "seeds": [0, 1]}
worst, trained = {}, {}  # of the two seeds the worse; at how many rates it trained
for row in kept["rows"]:
    worst.setdefault((row["norm_position"], row["warm_up"] > 0), []).append(max(row["last_losses"]))
for name, losses in worst.items():
    trained[name] = sum(loss < half for loss in losses)

# %% jupyter={"outputs_hidden": true}
ax = plt.subplots(figsize=(7.5, 3.4))[1]
for (place, warm), losses in worst.items():
    label = f"{place}-norm, {'warm-up' if warm else 'no warm-up'}: {trained[place, warm]} of 5"
    style = {"color": plots.COLORS[place == "post"], "linestyle": "--" if warm else "-"}
    ax.plot(rates, losses, marker="s" if place == "post" else "o", label=label, **style)
ax.axhline(half, color="grey", linestyle=":", label="half of chance: trained below")
ax.set(xscale="log", xlabel="learning rate", ylabel="loss at the end (nats), worse seed")
ax.set_title(
    f"Without warm-up pre-norm trains at {trained['pre', False]} of 5 rates, post-norm at {trained['post', False]}"
)
_ = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5), title="rates that train")

# %% jupyter={"outputs_hidden": true}
at = {name: losses[rates.index(1e-2)] for name, losses in worst.items()}
needs = [place for place in ("pre", "post") if at[place, False] > half > at[place, True]]
predict("07_layer_norm.warm_up", actual=needs[0] if len(needs) == 1 else "both" if needs else "neither")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("pre-norm without warm-up trains at all five rates:", trained["pre", False] == 5)
print("post-norm at the two largest rates, no warm-up: at chance:", min(worst["post", False][3:]) > 2 * half - 0.15)
print("with warm-up post-norm trains at one rate more:", trained["post", True] == trained["post", False] + 1)
print("smallest rate: with warm-up both end higher:",
      all(worst[place, True][0] > 1.5 * worst[place, False][0] for place in ("pre", "post")))  # fmt: skip

# %% [markdown]
# <details><summary>Read the four lines, then open this</summary>
#
# Pre-norm trains at every rate tried. Post-norm does not train at the two largest ones: it ends where it began, at chance.
# Warm-up saves one of the two for it. Warm-up is not free: at the smallest rate it costs both too many of their 300 steps,
# and at the largest it did not help pre-norm (one of two seeds failed). This is one small task and one optimiser. That
# post-norm wants a warm-up, and pre-norm does not, Xiong et al. (2020) found in translation too.
#
# </details>
#
# The same, live and short: 60 steps at 0.01, no warm-up.

# %%
for place in ("pre", "post"):
    live = norm_position.losses(place, warm_up=0, rate=1e-2, seed=0, steps=60)
    row = next(row for row in kept["rows"] if (row["norm_position"], row["warm_up"], row["rate"]) == (place, 0, 1e-2))
    last = [sum(losses[50:60]) / 10 for losses in (live, row["first_seed"])]
    print(f"{place:5} below half of chance after 60 steps: live {last[0] < half!s:6} recorded {last[1] < half}")

# %% [markdown]
# Why is the start so delicate? A first step of Adam moves *every* weight by about the learning rate, however small its
# gradient. What differs is how far the outputs follow. We take one step at the first rate of the warm-up, 0.01 / 100, and
# look how far the 6 blocks' outputs move, as a share of their length.

# %%
moved = {"pre": [], "post": []}
for place, seed in ((place, seed) for place in moved for seed in range(3)):
    fresh = norm_position.model(place, seed)
    before = fresh.decode(ids).detach()
    F.cross_entropy(fresh(ids)[:, 1:].flatten(0, 1), ids[:, :-1].flatten()).backward()
    torch.optim.AdamW(fresh.parameters(), lr=1e-2 / 100).step()
    moved[place].append(((fresh.decode(ids) - before).norm() / before.norm()).item())
print("post-norm's outputs move at least 1.5 times as far, each of 3 seeds:",
      all(post > 1.5 * pre for pre, post in zip(moved["pre"], moved["post"], strict=True)))  # fmt: skip

# %% [markdown]
# In pre-norm each branch is a small part of a grown sum, so its change is a small change. In post-norm every layer's sum is
# brought back to size 1, and a branch stays a large share of it: changes add up through the layers (Liu et al. 2020).
#
# ## 7. Play
#
# A cube of 3 samples, 4 positions, 5 features. Choose what is averaged over; click a number and move it, by the slider or
# by dragging it up and down (or focus the input and use the arrow keys, `+` and `-`). Outputs that moved light up.
#
# 1. Over which axes does one changed number move the *most* outputs? And over which does it reach neither another sample
#    nor another position? Guess the first below.
# 2. Over *time*: is there anything wrong to see in the *other samples*? Where must you look to notice?
# 3. Over *batch and time*, which outputs of the changed position itself do *not* move? Why not?
# 4. Over *features*, move the number from -0.9, where it began, to 4. What do the other four outputs of its position do?

# %%
predict("07_layer_norm.farthest", None)  # "features", "time", "batch", "batch and time" or "time and features"

# %%
explorer = NormExplorer()
explorer

# %% jupyter={"outputs_hidden": true}
reach = {}
for axes in ("features", "time", "batch", "batch and time", "time and features"):
    moved_outputs = NormExplorer(over=axes, cell=[1, 2, 1], value=3.0).changed  # (3, 4, 5): True where one moved
    reach[axes] = int(moved_outputs.sum())
    moved_outputs[1, 2] = False  # the changed position itself may move
    assert moved_outputs.any() == (axes != "features")  # over all others it reaches elsewhere
predict("07_layer_norm.farthest", actual=max(reach, key=reach.get))

# %% jupyter={"outputs_hidden": true, "source_hidden": true}
# Checks the answers to questions 1, 3 and 4
assert (reach["time and features"], reach["batch and time"], reach["features"]) == (20, 12, 5)
mates = NormExplorer(over="batch and time", cell=[1, 2, 1], value=3.0).changed[1, 2]
assert mates.tolist() == [False, True, False, False, False] and explorer.cube[1][2][1] == -0.9
position = torch.tensor(explorer.cube)[1, 2].repeat(2, 1)  # (2, 5): as it was, and with a large feature
position[1, 1] = 4.0
was, now = F.layer_norm(position, (5,))[:, [0, 2, 3, 4]]  # the other four
assert (now < was).all() and now.max() - now.min() < was.max() - was.min()

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. Over *time and features*: all 20 numbers of the sample share one mean. Only over the *features* does it stay at its
# own position. 2\. Nothing: over time, samples are independent. Only another *position* of the same sample shows the
# mistake. 3\. The other four features: each feature has its own mean and deviation there. 4\. All four sink and come closer
# together: one large feature raises $\mu$ and $\sigma$ for all of them.
#
# </details>
#
# ## 8. What people get wrong
#
# **Statistics over time, "tested" with a batch of one** (M20). With one sample no other sample can leak in; and with several,
# none does. Whoever tests only that is satisfied. Another *position* tells:


# %%
def wrong(x):
    return (x - x.mean(dim=1, keepdim=True)) / (x.var(dim=1, keepdim=True, unbiased=False) + eps).sqrt()


probe = torch.randn(3, 4, 5)
other_sample, other_position = probe.clone(), probe.clone()
other_sample[1] += 1.0 + torch.randn(4, 5)
other_position[0, 3] += 1.0
right_norm = OurNorm(5)
for name, layer in (("over the features", right_norm), ("over time", wrong)):
    leaks = [not torch.allclose(layer(other)[0, 0], layer(probe)[0, 0]) for other in (other_sample, other_position)]
    print(f"{name:18} another sample moves it: {leaks[0]!s:6} another position moves it: {leaks[1]}")
print(
    "shape, mean and variance of the whole give nothing away:",
    f"{wrong(probe).mean().abs():.1f} {wrong(probe).var():.1f}",
)

# %% [markdown]
# **Three slips in the denominator** (M21): the variance for its root, $\epsilon$ outside the root, the unbiased variance.
# On vectors of ordinary size two of them hide. So test where the variance is near $\epsilon$, too. Is any vector off by 2 %
# or more?

# %%
slips = {
    "variance for its root": lambda var, n: var + eps,
    "eps outside the root": lambda var, n: var.sqrt() + eps,
    "unbiased variance": lambda var, n: (var * n / (n - 1) + eps).sqrt(),
}
ordinary = 2 * torch.randn(6, 64)
for name, below in slips.items():
    off = []
    for vectors in (ordinary, ordinary / 600):  # variances near 4, and near eps
        centred = vectors - vectors.mean(dim=-1, keepdim=True)
        var = centred.square().mean(dim=-1, keepdim=True)
        off.append(((var + eps).sqrt() / below(var, 64) - 1).abs().max().item())
    print(f"{name:22} ordinary vectors: off by 2 % or more: {off[0] > 0.02!s:6} var near eps: {off[1] > 0.02}")

# %% [markdown]
# The unbiased variance hides in both columns, for at this width the two estimators nearly agree. At a small one they do not:

# %%
print("off by", ", ".join(f"{1 - ((n - 1) / n) ** 0.5:.1%} at D = {n}" for n in (64, 4)))

# %% [markdown]
# **Dropout after the norm** (M24). Dropout zeroes some numbers and enlarges the rest. On the *branch*, before the addition,
# it makes one sub-layer unreliable. After the norm of a post-norm layer it hits the *skip* too: what is lost there is lost
# for every later layer. How much of a vector's direction survives 24 layers whose branches say nothing at all?

# %%
drop, plain = nn.Dropout(0.1), torch.randn(64, 256)
branch = after = F.layer_norm(plain, (256,))
for _ in range(24):
    silent = torch.zeros_like(plain)  # F(x) = 0: a layer that has nothing to add
    branch = F.layer_norm(branch + drop(silent), (256,))
    after = drop(F.layer_norm(after + silent, (256,)))
for name, x_out in (("on the branch", branch), ("after the norm", after)):
    cosine = F.cosine_similarity(x_out, plain - plain.mean(dim=-1, keepdim=True)).mean().item()
    print(f"dropout {name:15} cosine with the start: {cosine:.1f}")

# %% [markdown]
# ## 9. In the package
#
# `LayerNorm` and `RMSNorm` do this in torch's one fused step; `Residual` holds the norm, its place and the dropout.

# %%
x = torch.randn(2, 3, 64)
ours, theirs, trained = OurNorm(64), LayerNorm(64), model.encoder.blocks[0].attention_residual.norm
for module in (ours, theirs):
    module.load_state_dict(trained.state_dict())
assert torch.allclose(ours(x), theirs(x), atol=1e-5)
rms = RMSNorm(64)
assert torch.allclose(rms(x), x / (x.square().mean(dim=-1, keepdim=True) + rms.eps).sqrt(), atol=1e-5)

branch = nn.Linear(64, 64)
for place, wanted in (("pre", x + branch(theirs(x))), ("post", theirs(x + branch(x)))):
    assert torch.allclose(Residual(theirs, place, dropout=0.0)(x, branch), wanted, atol=1e-6)

# %% [markdown]
# ## 10. Check yourself
#
# <details><summary>A layer norm stands after a linear layer with a bias. Is the bias useless, as it is before a batch
# norm?</summary>
#
# No. The mean is taken over the features of one position, and the bias gives each feature another number. Only the part
# of the bias along $(1, \dots, 1)$ is lost.
#
# </details>
#
# <details><summary>Somebody multiplies the last matrix of a branch by 10, in a pre-norm and in a post-norm model. Does the norm
# take it back?</summary>
#
# Not in pre-norm: the branch comes after the norm, and its output is ten times as large a part of the sum. Not in
# post-norm either: the norm scales the *sum* $x + F(x)$, in which the branch now drowns the skip.
#
# </details>
#
# <details><summary>Why does a post-norm stack need no final norm?</summary>
#
# Its last layer ends with one: the output of $\operatorname{LN}(x + F(x))$ is normalised.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/07_layer_norm/layer_norm.ipynb): three core questions, then four more.
#
# ## Takeaways
#
# * Mean and deviation over the *features* of each position: the only choice that keeps samples and positions independent.
#   Perturb another position to find out what a layer does.
# * Forwards, a projection off $(1, \dots, 1)$, then a sphere; $\gamma$ and $\beta$ only scale and shift. A shift or a
#   positive scale of the whole vector is invisible, a shift per feature is not.
# * Backwards, $(h - \operatorname{mean}(h) - \hat x \operatorname{mean}(h \hat x)) / \sigma$: both statistics move with $x$.
# * Pre-norm, with a final norm, trains over a wide range of rates; post-norm wants warm-up and a small rate. Dropout
#   belongs on the branch.
#
# **Papers.** Ioffe, Szegedy (2015), [arXiv:1502.03167](https://arxiv.org/abs/1502.03167): batch norm. Ba, Kiros, Hinton
# (2016), [arXiv:1607.06450](https://arxiv.org/abs/1607.06450): layer norm. Zhang, Sennrich (2019),
# [arXiv:1910.07467](https://arxiv.org/abs/1910.07467): RMSNorm. Xiong et al. (2020),
# [arXiv:2002.04745](https://arxiv.org/abs/2002.04745): pre- and post-norm. Liu et al. (2020),
# [arXiv:2004.08249](https://arxiv.org/abs/2004.08249): why post-norm starts so badly.
#
# Previous: [06 Residual](06_residual.ipynb). Next: [08 Positions](08_positions.ipynb).
