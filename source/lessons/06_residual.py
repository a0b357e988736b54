# %% [markdown]
# # 06 The residual connection
#
# **Why can more layers make a network worse, and how does one plus sign cure it?**
#
# ![The translator drawn from its configuration. Around each of its ten sub-layers, four in the encoder and six in the
# decoder, an orange arrow leads from what goes in to what comes out: a path that does not pass through the
# sub-layer.](figures/06_residual_where.svg)
#
# Look inside our translator, and you find the orange arrows of this drawing. Each of them carries a part's input
# around that part, and adds it to the part's output.
#
# In this lesson you stack up to 64 parts and measure what becomes of the signal on its way up and of the gradient on
# its way down. Then we train stacks of 32. In one of those without arrows, the gradient at the start reaches the
# bottom all the same. Will it learn? You will be able to
#
# * predict how large signal and gradient are after many layers, and check it;
# * say what the addition cures, and what it does not;
# * read what a model would say if it ended early, without being fooled.
#
# About 55 minutes. It builds on lessons 02 to [05](05_feed_forward.ipynb), and on variance and the chain rule from
# [lesson 01](01_toolkit.ipynb).

# %%
import math
from collections import Counter
from functools import partial
from itertools import pairwise, product
from statistics import median

import matplotlib.pyplot as plt
import torch

# %%
from transformer_lab import GPT, FeedForward, TransformerConfig, exact_match, load, translate
from transformer_lab.analysis.ablation import switch_off
from transformer_lab.analysis.access import patched
from transformer_lab.analysis.recording import record_residual_stream
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.layers import Residual
from transformer_lab.viz import DepthExplorer, plots, through_layers

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# Every attention and every feed-forward layer is a **sub-layer**: it takes hidden states `x` of shape $(B, T, D)$ and
# returns something of the same shape. Call it $F$. What goes on is not $F(x)$, but
#
# $$x + F(x)$$
#
# The path on which `x` goes around $F$ is the **skip connection**, or skip for short. The path through $F$ is the
# **branch**. Both together, with the addition, are the **residual connection**.
#
# ![Left a residual connection: from x an orange line, the skip, goes straight up to a plus; next to it a branch leaves the line,
# passes through the sub-layer F and ends at the plus; x + F(x) goes on. Right the same without its skip: x can only
# pass through F, and F(x) goes on.](figures/06_residual_one.svg)
#
# The translator has ten skips. We take all ten away and leave its parameters as they are:

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
whole = exact_match(model, tokenizer, held_out)
with switch_off(model, "residual"):
    without = exact_match(model, tokenizer, held_out)
print(f"dates right: {whole:.1%} with its skips, {without:.1%} without")
assert whole > 0.98 and without == 0

# %% [markdown]
# That was to be expected: these parameters were trained together with the skips. To find out why one *trains* with
# skips, we have to train without.
#
# ## 2. Deeper, and worse
#
# A small task: 16 numbers go in, and one of 8 classes is right. We stack $L$ sub-layers of width 32, each a
# feed-forward layer of [lesson 05](05_feed_forward.ipynb) with 32 hidden units, and with no skips. (One linear layer
# leads in, one leads out.) `experiments/residual_depth.py` trained such stacks for 250 steps with Adam, an optimiser
# that fits the step of each parameter to its recent gradients. How many new inputs do they get right? (Medians of
# five seeds, best of three learning rates.)

# %%
record = recorded("residual_depth")["result"]
accuracy, guessing = record["accuracy"], record["commonest class"]
for L, run in accuracy["no skip"].items():
    print(f"{L:>2} sub-layers, no skips: {median(run['accuracy']):.0%} right")
print(f"always the commonest class: {guessing:.0%}")

# %% [markdown]
# The deeper, the worse: 32 do no better than guessing. Did they learn their examples by heart, and fail only on new
# ones? We train two of the stacks again, live, and ask about the inputs that they were trained with:

# %%
depth = experiment("residual_depth")
seen, _ = depth.task()  # 5,000 inputs and their classes
rates = {L: accuracy["no skip"][str(L)]["learning rate"] for L in (2, 32)}
again = {L: depth.share_right(depth.fitted("no skip", L, rate, seed=0), *seen) for L, rate in rates.items()}
print(f"right of what was seen in training: ≈ {again[2]:.0%} with 2 sub-layers, ≈ {again[32]:.0%} with 32")
assert abs(again[2] - 0.7) < 0.05
assert abs(again[32] - 0.2) < 0.04

# %% [markdown]
# No: the deep one has not even learnt these. Yet it can do whatever a stack of 2 can do: two sub-layers do the
# work, and the other thirty hand on what they get. (With identity matrices, the first bias lifts all numbers above 0,
# where a ReLU changes nothing, and the second takes that off again.) So a good answer exists. Training does not find
# it, not even in four times as many steps:

# %%
controls = recorded("residual_controls")["result"]
print("32 sub-layers, no skips, 1,000 steps, one run at each rate:", *(f"{share:.0%}" for share in controls["long"]))
assert max(controls["long"]) < guessing + 0.03

# %% [markdown]
# Is it so hard to hand something on? Take a sub-layer that writes nothing at all: its last matrix is 0. What reaches
# the next one, without a skip and with one? (By *size* this lesson always means the root of the mean square.)


# %%
def size(x):
    """The root of the mean square of the numbers in x."""
    return x.square().mean().sqrt().item()


B, T, D = 2, 5, 64
x = torch.randn(B, T, D)
silent = FeedForward(D, 4 * D)
torch.nn.init.zeros_(silent.w_2.weight), torch.nn.init.zeros_(silent.w_2.bias)

print(f"x has size {size(x):.2f}. What goes on without a skip: {size(silent(x)):.2f}; ", end="")
print(f"with a skip: {size(x + silent(x)):.2f}")
assert torch.equal(x + silent(x), x)

# %% [markdown]
# Without a skip, a sub-layer must *learn* to hand on what it need not change: two matrices with a ReLU between them
# must become a copying machine. With a skip, it has to learn only the *change*, the residue. Hence the name (He et
# al., 2015). The price: $F(x)$ must have the shape of `x`.
#
# That was the way up. What does the plus sign do on the way back?
#
# ## 3. The ways of a gradient
#
# The **Jacobian** $J$ of $F$ says how much each output moves when an input moves:
# $J_{ij} = \partial F_i / \partial x_j$. By the chain rule a gradient $g$, written as a row, becomes $gJ$ when it
# passes through $F$. The Jacobian of the skip is the identity matrix $I$, so that of $x + F(x)$ is $I + J$:

# %%
sublayers = [FeedForward(D, 4 * D) for _ in range(3)]
jacobian = torch.autograd.functional.jacobian
point, identity = torch.randn(D), torch.eye(D)
J = jacobian(sublayers[0], point)  # (D, D)
with_skip = jacobian(lambda x: x + sublayers[0](x), point)
assert torch.allclose(with_skip, identity + J, atol=1e-6)
print(f"mean of the diagonal: {J.diagonal().mean():5.2f} for F, {with_skip.diagonal().mean():.2f} for x + F(x)")

# %% [markdown]
# In a stack the Jacobians are multiplied. Without skips three sub-layers give $J_3 J_2 J_1$. With skips they give
# $(I + J_3)(I + J_2)(I + J_1)$. Multiply that out, and you get eight terms. Each is a path, which at every
# sub-layer goes either *through* ($J$) or *around* ($I$):
#
# ![The eight paths of a gradient from the top, on the left, down through three sub-layers, J3 first and J1 last. One goes around all
# three and leaves the gradient as it was. Three go through one; three go through two; one goes through all three.
# Without skips there is only the last one. With skips the gradient is the sum of all
# eight.](figures/06_residual_paths.svg)
#
# Do the eight paths add up to the product?

# %%
Js, state = [], point
for sublayer in sublayers:
    Js.append(jacobian(sublayer, state))
    state = (state + sublayer(state)).detach()

paths = []
for through in product((False, True), repeat=3):
    path = identity
    for J, goes_through in zip(Js, through, strict=True):
        path = J @ path if goes_through else path
    paths.append(path)

at_once = (identity + Js[2]) @ (identity + Js[1]) @ (identity + Js[0])
assert torch.allclose(sum(paths), at_once, atol=1e-6)
print(f"{len(paths)} paths; their sum is the product, to within 0.000001")

# %% [markdown]
# And how much of a gradient is left after the first path, all the way around, and after the last, all the way
# through?

# %%
gradient = torch.randn(1000, D)  # random gradients at the top, each of size 1
left = [size(gradient @ path) for path in (paths[0], paths[-1])]
print(f"a gradient of size 1 leaves the first path with {left[0]:.1f}, the last with ≈ {left[1]:.2f}")
assert abs(left[0] - 1) < 0.02
assert 0.005 < left[1] < 0.02

# %% [markdown]
# So $L$ sub-layers with skips are $2^L$ paths, of lengths from 0 to $L$ (Veit et al., 2016). On the shortest the
# gradient reaches the first sub-layer *as it was*. Without skips only the longest is left.
#
# ## 4. Down through 64 sub-layers
#
# For a deep stack we need sub-layers whose output has a size that we control. Here is a random feed-forward layer
# of a given **gain**: with gain 0.5 its output is, on average, half as large as its input. (A ReLU keeps half of
# the mean square; the 2 under the second root makes up for that.)

# %%
wide = torch.float64  # 64 sub-layers make numbers that 32 bits cannot hold


def new_branch(D, gain):
    """A fresh random F: (B, D) -> (B, D); the mean square of its output is gain^2 times that of its input."""
    w_1 = torch.randn(D, D, dtype=wide) / math.sqrt(D)
    w_2 = torch.randn(D, D, dtype=wide) * math.sqrt(2 / D)
    return lambda x: gain * ((x @ w_1).relu() @ w_2)


x = torch.randn(256, D, dtype=wide)
gains = [size(new_branch(D, 0.5)(x)) / size(x) for _ in range(20)]
print(f"gain asked for: 0.5, measured with 20 branches ≈ {sum(gains) / len(gains):.2f}")
assert abs(sum(gains) / len(gains) - 0.5) < 0.03

# %% [markdown]
# And we need the norm. For now it is a box that gives each vector mean 0 and variance 1; [lesson
# 07](07_layer_norm.ipynb) opens it. It can stand after the addition (**post-norm**, as in our translator) or in
# front of $F$ (**pre-norm**, as in nearly all large models today).
#
# ![Two residual streams side by side, as thick orange lines upwards. Left, post-norm: a branch leaves the line, passes through
# the sub-layer F and is added, and then the line itself passes through a norm. Right, pre-norm: the norm stands on
# the branch, in front of F, and on the line there is nothing but additions.](figures/06_residual_placed.svg)
#
# Here are five ways to go past a sub-layer `f`, two without a skip and three with one:


# %%
def norm(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


ways = {
    "no skip": lambda x, f: f(x),
    "norm only": lambda x, f: norm(f(x)),
    "skip": lambda x, f: x + f(x),
    "pre-norm": lambda x, f: x + f(norm(x)),
    "post-norm": lambda x, f: norm(x + f(x)),
}


# %%
def send(way, L, gain, seed=0):
    """The states x_0 ... x_L, each (32, D), of 32 random inputs; and the gradient at each of them."""
    torch.manual_seed(seed)
    states = [torch.randn(32, D, dtype=wide, requires_grad=True)]
    for _ in range(L):
        states.append(way(states[-1], new_branch(D, gain)))
    loss = (states[-1] * torch.randn(32, D, dtype=wide)).sum()  # a random direction stands for the loss
    return [x.detach() for x in states], torch.autograd.grad(loss, states)


# %% [markdown]
# We take a gain of 0.5, and compare the gradient at the very bottom with that at the top. Without a skip each of
# the 64 sub-layers about halves it, too: $0.5^{64}$, next to nothing. And with a *skip*, but no norm, what happens
# to the gradient on its way down?

# %%
predict("06_residual.gradient")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
L, seeds = 64, range(5)
look = {name: dict(color=c, marker=m, label=name) for name, c, m in zip(ways, plots.COLORS, "osv^D", strict=False)}
gradient = {}
for name, way in ways.items():
    sizes = [[size(g) / size(gs[-1]) for g in gs] for _, gs in (send(way, L, 0.5, seed) for seed in seeds)]
    gradient[name] = [median(column) for column in zip(*sizes, strict=True)]
assert gradient["no skip"][0] < 1e-15 and 500 < gradient["skip"][0] < 4000
assert all(0.1 < gradient[name][0] < 10 for name in ("norm only", "pre-norm", "post-norm"))

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
(fig, panels) = plt.subplots(1, 2, figsize=(9, 3.4))
for name in ways:
    for panel in panels:
        panel.plot(gradient[name][::-1], markevery=8, **look[name])  # from the top down
power = round(math.log10(gradient["no skip"][0]))
panels[0].set(ylabel="gradient, relative to the top", title=f"no skip: down to $10^{{{power}}}$")
panels[1].set(
    ylim=(0.1, 3000),
    title=f"closer: skip alone {gradient['skip'][0]:,.0f} times, pre-norm {gradient['pre-norm'][0]:.0f}",
)
for panel in panels:
    panel.set(yscale="log", xlabel="sub-layers passed on the way down, of 64")
_ = panels[0].legend(loc="lower left"), fig.suptitle("Fresh branches of gain 0.5", x=0.01, ha="left")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
first = gradient["skip"][0]
predict(
    "06_residual.gradient",
    actual="vanishes" if first < 0.1 else "explodes" if first > 10 else "stays within a factor of 10",
)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# In each panel the gradient begins at the left, at the top of the stack, and goes down through 64 sub-layers. With a
# *skip* and no norm, the path around everything is there, and the gradient does not vanish. But all the other paths
# are added to it, and the sum grows at every sub-layer. **Here skips cure vanishing, but bring exploding.** (The
# search terms are **vanishing gradient** and **exploding gradient**.)
#
# With a norm the gradient arrives within a factor of 10 of its size at the top, even without a skip. (The lines are
# medians of five seeds; a single stack can be further off.) We come back to that in section 6.
#
# </details>
#
# ## 5. How large, exactly?
#
# Can we predict these numbers? Where the covariance is 0, variances add (lesson 01); such numbers are called
# *uncorrelated*. Are $x$ and what a fresh random branch makes of it uncorrelated? We ask 20 branches of gain 0.5:

# %%
x, rows = torch.randn(1000, D, dtype=wide), []
for _ in range(20):
    f_x = new_branch(D, 0.5)(x)
    correlation = torch.corrcoef(torch.stack((x.flatten(), f_x.flatten())))[0, 1]
    rows.append([correlation.item(), f_x.var().item(), (x + f_x).var().item()])
_, of_branch, of_sum = (sum(column) / 20 for column in zip(*rows, strict=True))
largest = max(abs(row[0]) for row in rows)
print(f"x and F(x): correlation ≈ {largest:.2f} at most, variances 1 and ≈ {of_branch:.2f}; of the sum ≈ {of_sum:.2f}")
assert largest < 0.06
assert abs(of_branch - 0.25) < 0.03
assert abs(of_sum - 1.25) < 0.05

# %% [markdown]
# Nearly. So take any gain $b$, start from variance 1, and add variances. (Without a skip each sub-layer multiplies
# the variance, and the gradient's mean square, by $b^2$.)
#
# **Skip alone.** The branch adds $b^2$ times the variance that is there:
#
# $$\operatorname{var}(x + F(x)) = \operatorname{var}(x) + b^2 \operatorname{var}(x) = (1 + b^2)\operatorname{var}(x)$$
#
# After $L$ sub-layers it is $(1 + b^2)^L$: compound interest.
#
# **Pre-norm.** Call the `x` after $l$ sub-layers $x_l$. Now the branch sees a vector of variance 1, whatever $x_l$
# is. Each branch adds the same amount:
#
# $$\operatorname{var}(x_{l+1}) = \operatorname{var}(x_l) + b^2 \qquad\Rightarrow\qquad \operatorname{var}(x_L) = 1 + L\,b^2$$
#
# **Post-norm.** Each sum has variance $1 + b^2$, and the norm brings it back to 1.
#
# **And the gradient?** In all three, its mean square is multiplied on the way down by about the same factor as the
# variance of `x` on the way up.
#
# <details><summary>Deeper: why by the same factor? In pre-norm, nearly everything cancels</summary>
#
# *Skip alone:* the gradient, too, is a sum of two uncorrelated parts, one around and one through, so each sub-layer
# multiplies its mean square by $1 + b^2$. *Post-norm:* the sum multiplies it by $1 + b^2$, too, and the norm
# divides it by the same number.
#
# *Pre-norm:* the norm in front of sub-layer $l + 1$ divides by the size of $x_l$, the root of $1 + l\,b^2$. On the
# way back it divides the gradient in the branch by the same number (nearly). So the branch adds less and less, and
# the mean square of the gradient grows by only
#
# $$1 + \frac{b^2}{1 + l\,b^2} = \frac{1 + (l+1)\,b^2}{1 + l\,b^2}$$
#
# Multiply this over all sub-layers, from $l = 0$ on:
#
# $$\frac{1 + b^2}{1} \cdot \frac{1 + 2b^2}{1 + b^2} \cdot \frac{1 + 3b^2}{1 + 2b^2} \cdots$$
#
# Each numerator is the next denominator. All that is left is the last numerator, $1 + L\,b^2$.
#
# </details>
#
# We compare the roots of these factors with the gradients in section 4, medians of five seeds:

# %%
derived = {"skip": (1 + 0.5**2) ** (64 / 2), "pre-norm": (1 + 64 * 0.5**2) ** (1 / 2), "post-norm": 1.0}
print("gradient at the bottom  derived  measured")
for name, expected in derived.items():
    print(f"{name:22}{expected:9.1f}{gradient[name][0]:10.1f}")
    assert 0.5 < gradient[name][0] / expected < 2

# %% [markdown]
# And the variance of `x`, with gain 1? If the formulas are right, the measured marks lie on their dashes:

# %% jupyter={"source_hidden": true}
wanted = {
    "skip": [2.0**n for n in range(L + 1)],
    "pre-norm": [1.0 + n for n in range(L + 1)],
    "post-norm": [1.0] * (L + 1),
}

# %% jupyter={"source_hidden": true}
variance, ax = {}, plt.subplots(figsize=(7, 3.2))[1]
for name, curve in wanted.items():
    runs = [[x.var().item() for x in send(ways[name], L, 1.0, seed)[0]] for seed in seeds]
    variance[name] = [median(column) for column in zip(*runs, strict=True)]
    ax.plot(curve, color=look[name]["color"], linestyle="--", alpha=0.6)
    ax.plot(variance[name], markevery=8, linestyle="none", **look[name])
ax.set(yscale="log", xlabel="sub-layers passed", ylabel="variance of x")
doublings = math.log2(variance["skip"][-1])
ax.set_title(
    f"Gain 1, 64 sub-layers: skip alone $2^{{{doublings:.0f}}}$, pre-norm {variance['pre-norm'][-1]:.0f}, post-norm 1"
)
_ = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
assert 60 < doublings < 67 and 50 < variance["pre-norm"][-1] < 75

# %% [markdown]
# They nearly do: skips alone double the variance at each sub-layer, pre-norm adds 1, post-norm keeps it. Another
# way not to explode is to shrink each branch's last matrix before training, as GPT-2 does (Radford et al., 2019;
# exercise 6).
#
# ## 6. Does it train?
#
# Sizes are an argument; training is the test. We train stacks of 32 sub-layers (section 4 had 64) on the task of
# section 2. We take each of the five ways, from PyTorch's **initialisation**, the small random numbers with which it
# makes a layer. (Pre-norm has one more norm here, after the last sub-layer, since no norm stands on its skips.)
#
# Watch *norm only*. In section 4 its median gradient stayed within a factor of 10, without any skip. Does such a
# stack learn? First, how much of the gradient arrives at the bottom here, before training? Medians of five seeds:

# %% jupyter={"source_hidden": true}
before = {
    name: median(depth.gradient_left(name, 32, seed) for seed in seeds) for name in (*ways, "norm only, no biases")
}
print("gradient at the bottom, relative to the top")
for name, ratio in before.items():
    print(f"{name.replace('no biases', 'biases begin at 0'):30}{ratio:8.2g}")
assert before["norm only"] < 0.1 and 0.2 < before["norm only, no biases"] < 5

# %% [markdown]
# *Norm only* keeps no more than a fortieth. The biases are to blame (section 4 had none): they make the vector
# longer, the norm divides by its length, and no gradient goes down through a bias. In the last line all biases
# begin at 0, and the gradient arrives three times as large as it set out, much as with skips.
#
# Take this last stack, and train it. (Training may move the biases.) After 250 steps, at the best of three learning
# rates: does it do as well as the stacks with skips, worse (but better than guessing), or does it not learn at all?

# %%
predict("06_residual.trains")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
results = {name: by_depth["32"] for name, by_depth in accuracy.items()} | controls["accuracy"]
deep = {name: [100 * share for share in run["accuracy"]] for name, run in results.items()}
mid = {name: median(dots) for name, dots in deep.items()}
assert mid["norm only"] < 100 * guessing + 5
assert all(round(mid[name]) == 74 for name in ("skip", "pre-norm", "post-norm"))
assert sum(dot < 100 * guessing + 1 for dot in deep["norm only, no biases"]) == 4

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fig, ax = plt.subplots(figsize=(7, 3.1))
rows = ["no skip", "norm only", "norm only, no biases", "skip", "pre-norm", "post-norm"]
for row, name in enumerate(rows):
    ax.plot(deep[name], [row] * 5, "o", color=look[name.partition(",")[0]]["color"], alpha=0.7)
    ax.text(98, row, f"{mid[name]:.0f} %", va="center", ha="right")
ax.axvline(100 * guessing, color="grey", linestyle=":")
ax.set(xlim=(0, 100), xlabel="right on unseen inputs (%); dotted: guessing; on the right: medians", ylim=(5.5, -0.5))
ax.set_yticks(range(6), [name.replace("no biases", "biases begin at 0") for name in rows])
title = f"Norm only, biases begin at 0: a gradient as with skips, {mid['norm only, no biases']:.0f} % right"
_ = ax.set_title(title + "\n32 sub-layers, 250 steps, best of the rates 3e-4, 1e-3, 3e-3", fontsize=10)

gradients = recorded("residual_gradients")["result"]
ratios, right = zip(*((run["ratio"][-1], run["right"]) for run in gradients["relu"]), strict=True)
print("norm only, biases begin at 0: its five seeds, trained again, after the 250 steps")
print("gradient at the bottom, relative to the top:", *(f"{ratio:8g}" for ratio in ratios))
print("right on unseen inputs:                     ", *(f"{share:8.0%}" for share in right))

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fair, only = mid["skip"], mid["norm only, no biases"]
choices = ("not at all", "worse, but better than guessing", "as well as with skips")
assert sorted(ratio < 0.01 for ratio in ratios) == [False, True, True, True, True]
dots = deep["norm only, no biases"]
assert ratios.index(max(ratios)) == right.index(max(right)) == dots.index(max(dots))
predict("06_residual.trains", actual=choices[(only > 100 * guessing + 5) + (only > fair - 5)])

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# Each dot is one training run. The three ways with skips get 74 % right. **Our *norm only* begins with about as
# much gradient as they do, and still, at these rates, four of its five seeds stay at guessing.**
#
# And those four do not keep their gradient: after the 250 steps less than a hundredth of it arrives at the bottom, as
# the lines above the figure say. In the other one (printed first) the gradient at the bottom is then 5.9 times that
# at the top, and 26 % are right. So the right size at the start is not enough.
#
# </details>
#
# And depth, with which we began?

# %%
print("as PyTorch starts them, median of five seeds")
print("sub-layers      2     8    32")
for name in ("no skip", "skip", "pre-norm", "post-norm"):
    print(f"{name:10}", *(f"{median(accuracy[name][L]['accuracy']):5.0%}" for L in ("2", "8", "32")))
assert all(median(accuracy[name]["32"]["accuracy"]) > 0.7 for name in ("skip", "pre-norm", "post-norm"))

# %% [markdown]
# With skips, from PyTorch's start, depth no longer does harm (nor much good): 32 sub-layers learn as much as 2.
#
# ### A closer look at *norm only*
#
# Would the right size be enough if it lasted, or is something else missing? Watch the inputs on their way up: 32 go
# through 64 fresh sub-layers of several gains, in all five ways. How alike are their vectors at the top? We take the
# mean cosine of all pairs: 1 means that all point in one direction. (Guess first: at gain 1, which way keeps them
# apart best? Then open the figure.)


# %%
def alike(x):
    """The mean cosine of all pairs of rows."""
    x = x / x.norm(dim=-1, keepdim=True)
    n = len(x)
    return ((x @ x.T).sum().item() - n) / (n * n - n)


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
gains, ax = (0.05, 0.125, 0.25, 0.5, 1.0), plt.subplots(figsize=(7, 3.2))[1]
likeness = {
    name: [median(alike(send(way, 64, gain, seed)[0][-1]) for seed in seeds) for gain in gains]
    for name, way in ways.items()
}
for name, line in likeness.items():  # two pairs coincide: larger marks behind smaller ones
    ax.plot(gains, line, **look[name] | {"markersize": 10 if name in ("no skip", "skip") else 5})
ax.set(xscale="log", xlabel="gain of the branches", ylabel="mean cosine at the top", ylim=(-0.05, 1.05))
ax.set_xticks(gains, [f"{gain:g}" for gain in gains], minor=False)
ax.xaxis.set_minor_locator(plt.NullLocator())
title = "64 fresh sub-layers with ReLU: without skips all inputs become one,"
ax.set_title(f"{title}\nwith skips it depends on the gain")
_ = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))
assert min(likeness["no skip"] + likeness["norm only"] + likeness["skip"][-1:]) > 0.95
assert likeness["pre-norm"][-1] < 0.75
assert all(abs(a - b) < 0.05 for a, b in zip(likeness["skip"], likeness["post-norm"], strict=True))

# %% [markdown]
# <details><summary>Which keeps them apart? Open after your guess</summary>
#
# Without skips, norm or no norm, all inputs end up in nearly one direction: before training, the top hardly tells one
# input from another. (A ReLU leaves no negative numbers, so the hidden vectors of any two inputs lean the same way,
# and more so high up in the stack.)
#
# With skips it depends on **how much a branch writes compared with the `x` that it is added to**. At gain 1 the
# inputs become nearly as much alike in *skip* and *post-norm*. In *pre-norm*, where `x` grows and the branches do
# not, they stay apart best.
#
# Is that what holds *norm only* back? At most in part. In the trial folded below, with tanh and another start, the
# inputs no longer lean the same way. We looked at the gradient before training and four times in it, and it had never
# shrunk. (It may have been too large at some looks: up to 110 times that at the top.) *Norm only* then gets 45 %
# right (the median); with ReLU and gain 1 it gets 25 %. But with skips the same tanh branches get 65 %.
#
# Without skips this stack also loses *directions*. Vectors of 32 numbers have room for 32 at right angles. Before
# training, 1.5 of them come through; with skips, 4.6 do. So without skips most random gradients at
# the top reach an input mainly along one line.
#
# **So besides the size, ask whether different inputs are still different at the top, and different gradients still
# different at the bottom.**
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: the trial, with tanh and with rotations
#
# If *norm only* is held back because all inputs lean the same way, it must learn more as soon as they do not. With
# tanh, which is negative as often as positive, they do not. Here is *norm only* with 32 sub-layers whose biases begin
# at 0, with ReLU (gain 1) and with tanh. (With tanh the first matrix of each sub-layer is 0.3 as large: a tanh of
# small numbers is nearly a straight line. That makes the gain smaller, so the tanh is not the only change.)

# %% jupyter={"source_hidden": true} tags=["deeper"]
print("            cosine   gradient   right, five seeds")
for name, words in (("", "ReLU"), (", small tanh", "tanh")):
    name = f"norm only, unit gain{name}"
    torch.manual_seed(0)
    tops = depth.Deep(name, 32).states(seen[0][:100])[-1].detach()
    first = median(depth.gradient_left(name, 32, seed) for seed in seeds)
    print(f"{words:12}{abs(alike(tops)):6.1f}{first:11.2g}  ", " ".join(f"{share:.0f} %" for share in deep[name]))
lasting = [ratio for run in gradients["tanh"] for ratio in run["ratio"]]
print(f"gradient with tanh, five seeds, before training and four times in it: {min(lasting):g} to {max(lasting):g}")
assert min(lasting) > 1 and round(mid["norm only, unit gain, small tanh"]) == 45

# %% [markdown] tags=["deeper"]
# *Norm only* now gets 45 % right (the median), in place of 25 %. The gradient had not shrunk at any of the five
# looks. (It may have been too large at some: up to 110 times that at the top.) With skips the same branches get 65 %
# (next table). What does the plus sign add?
#
# A mean cosine of 0 need not mean that inputs stay apart: vectors on one line have it too, if half of them point one
# way and half the other. So we now take the mean *without the signs*, which would be 1 on a line.
#
# And how many of the 32 directions come through the whole stack? The **singular values** of its Jacobian say by how
# much it stretches each of them. With their squares $s_i$ we count the directions by $(\sum s_i)^2 / \sum s_i^2$: 32
# if all are stretched alike, 1 if only one is left.
#
# As a control there are rotations (orthogonal matrices) in place of the random matrices: they turn vectors, and crush
# none. Here are four stacks with tanh, each at the best of three learning rates. (The first row is the tanh stack
# from above, run again, which does not give exactly the same numbers.)

# %% jupyter={"source_hidden": true} tags=["deeper"]
rotations = experiment("residual_rotations")


def without_signs(stack, name, seed):
    """The mean cosine at the top of 32 sub-layers, each taken without its sign."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        x = stack(name, 32).states(seen[0][:100])[-1].detach()
    x = x / x.norm(dim=-1, keepdim=True)
    return (x @ x.T).abs().mean().item()


# %% jupyter={"source_hidden": true} tags=["deeper"]
trial = {}
print("matrices    skips   |cosine|   directions   right, five seeds")
for kind, stacks in recorded("residual_rotations")["result"]["accuracy"].items():
    for name, by_rate in stacks.items():
        through = median(rotations.directions(name, rotations.MATRICES[kind], seed) for seed in seeds)
        squeezed = median(without_signs(rotations.MATRICES[kind], name, seed) for seed in seeds)
        runs = max(by_rate.values(), key=median)
        trial[kind, name[:4]] = through, median(runs), squeezed
        skip, shown = "no" if name.startswith("norm") else "yes", " ".join(f"{share:.0%}" for share in runs)
        print(f"{kind:12}{skip:6}{squeezed:8.1f}{through:12.1f}       {shown}")
crushed = trial.pop(("random", "norm"))
assert crushed[0] < 1.8 and crushed[1] < 0.5
assert {round(share, 2) for _, share, _ in trial.values()} == {0.64, 0.65} and round(crushed[0], 1) == 1.5
assert sorted(round(through, 1) for through, *_ in trial.values()) == [3.6, 4.6, 10.0]
assert crushed[2] > 0.6 and max(squeezed for *_, squeezed in trial.values()) < 0.5

# %% [markdown] tags=["deeper"]
# Random matrices without skips bring the inputs nearest to one line, some to one end of it and some to the other.
# They leave hardly more than one direction, so most random gradients at the top reach an input mainly along one line.
# And they learn least. Either cure will do: add skips, or start from rotations. (Saxe et al. (2013) trained deep
# networks without skips from such a start.) Both together gain nothing more. (These three stacks learn about equally
# well, whether 3.6 directions come through or 10: the count does not rank them.)

# %% [markdown]
# ### Skips alone: saved by a small start
#
# Is exploding, then, harmless? Above, skips do as well without a norm as with one. But they all began with PyTorch's
# initialisation, whose branches are small (the variances follow from section 5):

# %%
inputs = torch.randn(64, 32)
fresh = [(FeedForward(32, 32)(inputs).square().mean() / inputs.square().mean()).sqrt().item() for _ in range(20)]
gain = sum(fresh) / len(fresh)
print(f"gain of a feed-forward layer as PyTorch starts it ≈ {gain:.2f}")
print(f"variance after 32 sub-layers: {(1 + 0.26**2) ** 32:.0f}; with gain 1: {2**32:,}")
assert abs(gain - 0.26) < 0.03

# %% [markdown]
# We train once more, from gain 1. (The biases begin at 0.) Pre-norm has two kinds of norm that skips alone lack:
# one in front of each branch, and one after the last sub-layer. The third and fourth rows have one kind each:

# %% jupyter={"source_hidden": true}
stacks = {
    "no skip": "no skip, unit gain",
    "skip": "skip, unit gain",
    "skip, a norm after the last": "skip, unit gain, last norm",
    "skip, a norm in front of each": "pre-norm, unit gain, no last norm",
    "pre-norm: both": "pre-norm, unit gain",
    "post-norm": "post-norm, unit gain",
}
print(f"from gain 1: right, five seeds (guessing: {guessing:.0%})")
for words, name in stacks.items():
    print(f"{words:31}", " ".join(f"{share:.0f} %" for share in deep[name]))
assert mid["skip, unit gain"] < 100 * guessing + 10 < mid["no skip, unit gain"] - 5
assert mid["pre-norm, unit gain, no last norm"] > 60 and 35 < mid["post-norm, unit gain"] < 55

# %% [markdown]
# From this start, skips alone learn hardly better than guessing. Even *no skip* does better than that, and better
# than from PyTorch's start: this start does part of a skip's work. Pre-norm learns from either start; from this one,
# the norm in front of each branch is enough. The last norm alone gets half-way, and so does post-norm.
#
# ### So what does the plus sign cure?
#
# From PyTorch's start, our stack of 32 gets 74 % right with skips, 19 % without. In fresh stacks a skip keeps the
# gradient from vanishing, but so does *norm only* with biases that begin at 0, which hardly learnt. There, skips also
# keep different inputs different at the top, as long as the branches write little compared with what they are added
# to.
#
# ## 7. Play
#
# How weak may a skip be? We scale both paths: the parts of $\text{skip} \cdot x + \text{branch} \cdot F(x)$ are
# uncorrelated ($F$ has gain 1), so without a norm each sub-layer multiplies the mean square by $\text{skip}^2 +
# \text{branch}^2$. The explorer draws this, and the formulas of section 5 for the norms. (It says "layer" for a
# sub-layer.)
#
# 1. Depth 32, branch 0.5, no norm. What is the *smallest* skip gain with which one per cent of the gradient still
#    reaches the bottom? Keep the number for an exercise. Then move the branch to 0.05. Is a skip of 0.9 enough? And at
#    depth 64?
# 2. Skip 1, branch 1, no norm. At which depth does the variance pass one million? And with pre-norm?
# 3. Post-norm, depth 64, branch 0.5. With skip 1 and with skip 0, signal and gradient look perfect. Which number
#    tells the two apart? And what does it say of pre-norm?

# %%
explorer = DepthExplorer()
explorer

# %% [markdown]
# <details><summary>Answers to all but the first number, when you have tried</summary>
#
# 1\. With the small branch, 0.9 is enough at depth 32, but not at 64. 2\. At 20: $2^{20}$ is the first power of two
# above a million. Pre-norm reaches 65 at most. 3\. The number *on the skips alone*: how much of the gradient *at
# the top* reaches the bottom without passing through any branch. It is 0 with skip 0 (that is *norm only*), and
# less than a thousandth with skip 1: every norm on the line takes a part of it. (Our translator has post-norm,
# too.) In pre-norm no norm stands on the line, and the number is 1. What follows from this for training is a
# question of [lesson 07](07_layer_norm.ipynb).
#
# </details>

# %% jupyter={"source_hidden": true}
# Checks the answers above: through_layers(depth, skip, branch, norm) gives variances, gradients, the share of the skips
at_bottom = {depth: through_layers(depth, 0.9, 0.05)[1][0] for depth in (32, 64)}
variances = through_layers(64, 1, 1)[0]
assert at_bottom[32] > 0.01 > at_bottom[64] and variances[19] < 1e6 < variances[20]
assert abs(through_layers(64, 1, 1, "pre")[0][-1] - 65) < 1e-6 and through_layers(64, 0, 0.5, "post")[2] == 0
assert through_layers(64, 1, 0.5, "pre")[2] == 1 and 0.0005 < through_layers(64, 1, 0.5, "post")[2] < 0.001

# %% [markdown]
# ## 8. A stream that everybody reads and writes
#
# A stack's skips, put in a row, make one long line from its embedding to its top, the **residual stream** (Elhage
# et al., 2021). Every sub-layer reads from it and adds something to it. Here is a piece of the translator's, just
# before it writes the month. Compare what is there with what is added:
#
# ![The residual stream through the decoder's block 2 as a line, as thick as the vector is long. The vector has length 8.1.
# Self-attention reads it and writes 9.7: the sum has length 13.4, and a norm brings it back to 8.1. Cross-attention
# writes 5.8, the sum is 10.5, the norm makes it 8.0. Feed-forward writes 13.3, the sum is 16.8, after the norm it is
# 9.6.](figures/06_residual_stream.svg)
#
# What self-attention writes is more than a small correction: it is longer than what was there. In pre-norm no norm
# stands on the line. There the stream at the top *is* the sum of everything that was ever written to it.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: the sum, checked in a fresh pre-norm GPT
#
# A GPT is a decoder without an encoder ([lesson 14](14_gpt.ipynb)). This one has 6 blocks. (In the drawing above
# lengths do not add: 8.1 and 9.7 make 13.4, not 17.8. At right angles, as `x` and what a fresh branch adds nearly
# are, they would make 12.6, by Pythagoras. After the norms, lengths differ: a trained norm also rescales each number,
# [lesson 07](07_layer_norm.ipynb).)

# %% tags=["deeper"]
gpt = GPT(TransformerConfig(vocab_size=50, n_layers=6, norm_position="pre"))
written = []  # what a residual adds passes through its dropout (section 10), which changes nothing here
hooks = [part.dropout.register_forward_hook(lambda module, inputs, output: written.append(output))
         for part in gpt.modules() if isinstance(part, Residual)]  # fmt: skip
with record_residual_stream(gpt) as fresh, torch.no_grad():
    gpt(torch.randint(50, (2, 7)))
for hook in hooks:
    hook.remove()

enters, leaves = fresh["decoder"][0], fresh["decoder"][-1]  # (B, T, D)
difference = (enters + sum(written) - leaves).abs().max()
assert difference < 1e-5
print(f"embedding + what {len(written)} sub-layers wrote:")
print(f"the top of the stream (up to {leaves.abs().max():.0f}), to within 0.00001")

# %% [markdown]
# ### Reading the stream early
#
# If all sub-layers write to one stream, can we read it early? We pretend that the decoder ends after fewer blocks:
# take the stream there, give it to the output layer, and see which token it would write. This is the **logit lens**
# (nostalgebraist, 2020):

# %%
english, _ = tokenizer.batch(["Sunday, November 22, 2026"])
chinese, _ = tokenizer.batch(["2026年11月22日星期日"], bos=True, eos=True)
with record_residual_stream(model) as one, torch.no_grad():
    model(english, chinese[:, :-1])
for blocks, x in enumerate(one["decoder"]):
    said = model.logits(x).argmax(dim=-1)[0]
    print(f"after {blocks} block{'s' * (blocks != 1)}:".ljust(16), "".join(tokenizer.tokens(said.tolist())))

# %% [markdown]
# Before the first block the model repeats the token that it has just read. (Its output layer is the embedding's own
# matrix, where each vector agrees best with itself.) After two blocks it is right. And after one it looks like a date
# in the making: digits, and a 年 in its place. Does it already say something about *this* date?
#
# Two controls never see the date's English. One is a table: for each position and the token before, it gives the
# token that followed most often in 5,000 other dates. The other is the model itself with another date's English. The
# shares of next tokens that are right, when the Chinese so far is right:

# %% jupyter={"source_hidden": true}
source, source_mask = tokenizer.batch([pair.source for pair in held_out])
target, target_mask = tokenizer.batch([pair.target for pair in held_out], bos=True, eos=True)
with record_residual_stream(model) as stream, torch.no_grad():
    model(source, target[:, :-1], source_mask, target_mask[:, :-1])

# %% jupyter={"source_hidden": true}
gold, real = target[:, 1:], target_mask[:, 1:]
followed = Counter()
for pair in dates.training_pairs(5000, seed=0):
    row = [tokenizer.bos_id, *tokenizer.encode(pair.target), tokenizer.eos_id]
    followed.update((position, *both) for position, both in enumerate(pairwise(row)))
table = {}
for (position, before, after), _ in sorted(followed.items(), key=lambda item: item[1]):
    table[position, before] = after  # the most frequent one is written last
blind = torch.tensor([[table.get(place, -1) for place in enumerate(row)] for row in target[:, :-1].tolist()])

other = torch.arange(300).roll(1)  # another date's English for each
with record_residual_stream(model) as swapped, torch.no_grad():
    model(source[other], target[:, :-1], source_mask[other], target_mask[:, :-1])
readings = {"table, no English": blind}
for blocks in (1, 2):
    readings[f"after block {blocks}, right English"] = model.logits(stream["decoder"][blocks]).argmax(dim=-1)
    readings[f"after block {blocks}, wrong English"] = model.logits(swapped["decoder"][blocks]).argmax(dim=-1)

# %% jupyter={"source_hidden": true}
digits = torch.tensor([tokenizer.encode(str(digit))[0] for digit in range(10)])
of_digits = real & torch.isin(gold, digits)
found = {}
print("                                 all   digits")
for name, said in readings.items():
    found[name] = [(said == gold)[rows].double().mean().item() for rows in (real, of_digits)]
    print(f"{name:30}{found[name][0]:6.0%}{found[name][1]:9.0%}")
right_1, wrong_1 = found["after block 1, right English"], found["after block 1, wrong English"]
assert all(
    table > right > wrong for table, right, wrong in zip(found["table, no English"], right_1, wrong_1, strict=True)
)
assert all(right - wrong < 0.06 for right, wrong in zip(right_1, wrong_1, strict=True))

# %% [markdown]
# After block 1 the readout is *worse* than the table, and with the wrong English it is nearly as good as with the
# right one. So most of what it gets right does not come from *this* date's English. (Block 1 may have written more
# than the output layer can read.)
#
# ## 9. What people get wrong
#
# **Something on the skip.** A matrix $W$ on the skip, or after the addition, looks harmless. But then even the path
# around everything is a product of matrices. What is left of a gradient after 64 fresh sub-layers of gain 0.25, with
# each $W$ as PyTorch makes it?


# %%
def small(x):
    return torch.nn.Linear(D, D, bias=False, dtype=x.dtype)(x)  # as PyTorch makes it, a fresh one at each call


placed = {
    "x + F(x)": lambda x, f: x + f(x),
    "W x + F(x)": lambda x, f: small(x) + f(x),
    "W (x + F(x))": lambda x, f: small(x + f(x)),
}
print("gradient at the bottom, relative to the top, median of five seeds")
for name, way in placed.items():
    runs = [send(way, 64, 0.25, seed)[1] for seed in seeds]
    arrives = median(size(gs[0]) / size(gs[-1]) for gs in runs)
    print(f"{name:12} {arrives:6.1g}")
    assert arrives < 1e-10 if "W" in name else 3 < arrives < 15

# %% [markdown]
# With PyTorch's small matrices on the line the gradient is gone again. (Random ones of gain 1 keep its size, but
# lose directions: folded below.)

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: larger matrices, and the directions
#
# Of 64 directions at right angles, how many come through? We count them as in the folded trial of section 6, and add
# random matrices of gain 1. (The size, too, is now computed from the Jacobian, at one input, so it differs a little.)


# %% jupyter={"source_hidden": true} tags=["deeper"]
def left(way, seed):
    """What 64 sub-layers leave of a gradient: its size, and its directions."""

    def stack(x):
        torch.manual_seed(seed)
        for _ in range(64):
            x = way(x, new_branch(D, 0.25))
        return x

    torch.manual_seed(seed)
    squares = torch.linalg.svdvals(jacobian(stack, torch.randn(D, dtype=wide))).square()
    return squares.mean().sqrt().item(), (squares.sum().square() / squares.square().sum()).item()


# %% tags=["deeper"]
def of_gain_1(x):
    return x @ torch.randn(D, D, dtype=x.dtype) / math.sqrt(D)


placed["W (x + F(x)), gain 1"] = lambda x, f: of_gain_1(x + f(x))
remains = {}
for name, way in placed.items():
    remains[name] = [median(column) for column in zip(*(left(way, seed) for seed in seeds), strict=True)]
    print(f"{name:21} size {remains[name][0]:5.1g}   directions {remains[name][1]:.1f}")

# %% jupyter={"source_hidden": true} tags=["deeper"]
sizes, directions = zip(*remains.values(), strict=True)
assert max(sizes[1:3]) < 1e-10 and min(sizes[0], sizes[3]) > 3
assert 7 < directions[0] < 8 and directions[3] < 2.2

# %% [markdown] tags=["deeper"]
# With matrices of gain 1 after the addition the gradient's *size* is about that of the plain addition, but hardly two
# directions are left, not seven.

# %% [markdown]
# ## 10. What you have now
#
# You have one line of code. Put it into the translator, in place of all ten residuals of the package:


# %%
def yours(residual, x, sublayer):
    return residual.norm(x + sublayer(x))  # post-norm, as it was trained


skips = [part for part in model.modules() if isinstance(part, Residual)]
with patched([(part, "forward", partial(yours, part)) for part in skips]):
    for date in ("Friday, March 13, 2026", "Monday, December 31, 1999"):
        print(date, "->", translate(model, tokenizer, [date])[0])
    print(f"{exact_match(model, tokenizer, held_out):.1%} of the dates are right, as before: {whole:.1%}")

# %% [markdown]
# In the package it is `transformer_lab.Residual(norm, norm_position, dropout)`. It knows both places of the norm.
# In training, it sets some of the numbers that are *written* to 0, at random (dropout), but never anything on the
# skip. If all are 0, `x` arrives whole (in pre-norm).

# %%
x, f, layer_norm = torch.randn(B, T, D), FeedForward(D, 4 * D), torch.nn.LayerNorm(D)
assert torch.equal(Residual(layer_norm, "pre")(x, f), x + f(layer_norm(x)))
assert torch.equal(Residual(layer_norm, "post")(x, f), layer_norm(x + f(x)))
assert torch.equal(Residual(layer_norm, "pre", dropout=1.0)(x, f), x)
print("the same numbers as ours, with either place of the norm")

# %% [markdown]
# ## 11. Check yourself
#
# <details><summary>Figures of the Transformer say "Add & Norm" after each sub-layer. What is added to what?</summary>
#
# The sub-layer's output is added to the sub-layer's own *input*, then normalised.
#
# </details>
#
# <details><summary>Somebody says: "Residual connections save computation, because they skip layers." True?</summary>
#
# No. $F$ is computed all the same, and then there is one more addition for each number. What is saved is not work but
# the gradient.
#
# </details>
#
# <details><summary>In a fresh stack the gradient reaches the bottom without shrinking. Will it train?</summary>
#
# Not for certain. *Norm only* with biases that begin at 0 began with a gradient at the bottom three times that at the
# top, much as with skips, and hardly learnt. With tanh the gradient had not shrunk at any of five looks, and still
# the stack learnt less than with skips. (But it had grown up to 110 times, which may do harm, too.) Ask also whether
# different inputs are still different at the top, and different gradients still different at the bottom.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/06_residual/residual.ipynb): three core questions, then optional
# ones.
#
# ## Takeaways
#
# * With skips a sub-layer learns only a change. $x + F(x)$ has the Jacobian $I + J$: $L$ sub-layers are $2^L$ paths,
#   and on the shortest, if it has no norms, the gradient arrives as it was.
# * In fresh stacks skips cure vanishing, but may bring exploding. With branches of gain 1 the variance grows as $2^L$
#   with skips alone, as $1 + L$ in pre-norm, and not at all in post-norm. Our stack of 32 with skips alone learnt
#   from PyTorch's small start, but hardly from gain 1; pre-norm learnt from both.
# * The right size is not enough. With a norm, no skips and biases that begin at 0, our stack of 32 began with a
#   gradient of about the right size, and hardly learnt. Ask whether different inputs, and different gradients, stay
#   different.
# * All sub-layers read and write one residual stream. Reading it early needs a control that never sees the source.
#
# **Papers.** He et al. (2015), [arXiv:1512.03385](https://arxiv.org/abs/1512.03385): the residual connection; He et
# al. (2016), [arXiv:1603.05027](https://arxiv.org/abs/1603.05027): why the skip must be the identity. Veit et al.
# (2016), [arXiv:1605.06431](https://arxiv.org/abs/1605.06431): paths. Saxe et al. (2013),
# [arXiv:1312.6120](https://arxiv.org/abs/1312.6120): depth from rotations. Zhang et al. (2019),
# [arXiv:1901.09321](https://arxiv.org/abs/1901.09321): depth without a norm, by small branches. Xiong et al. (2020),
# [arXiv:2002.04745](https://arxiv.org/abs/2002.04745): pre-norm and post-norm. Elhage et al. (2021), *A Mathematical
# Framework for Transformer Circuits*: the residual stream. nostalgebraist (2020), *interpreting GPT: the logit lens*.
#
# Previous: [05 Feed-forward](05_feed_forward.ipynb). Next: [07 Layer norm](07_layer_norm.ipynb).
