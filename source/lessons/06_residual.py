# %% [markdown]
# # 06 The residual connection
#
# **One addition lets a network be 64 layers deep. You will derive what it changes, and measure what it does not cure.**
#
# After this lesson you will be able to
#
# * derive the Jacobian of a layer with a skip, $I + J$, and read a stack as a sum over paths;
# * predict the size of signal and gradient after $L$ layers, with and without skips and norms, and check it;
# * start a deep stack so that it does not grow, and say why the factor is $1/\sqrt{2L}$;
# * read the residual stream of a model: what each layer writes, and what could be said after it;
# * recognise broken skips by their symptoms.
#
# About 50 minutes. It builds on lessons 02 to [05](05_feed_forward.ipynb) (a block is attention, then a feed-forward layer)
# and on variance and the chain rule from [lesson 01](01_toolkit.ipynb). Every term and letter: [glossary](glossary.ipynb).

# %%
import math
from collections import Counter
from functools import partial
from itertools import pairwise, product
from statistics import median

import matplotlib.pyplot as plt
import torch

# %%
from transformer_lab import GPT, FeedForward, TransformerConfig, exact_match, load, record_residual_stream, switch_off
from transformer_lab.analysis.access import patched
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
# In a Transformer each attention and each feed-forward layer is a **sub-layer**: it takes the hidden states `x` of shape
# $(B, T, D)$ and gives something of the same shape. Call it $F$. What goes on to the next sub-layer is not $F(x)$ but
#
# $$x + F(x) .$$
#
# (A norm stands beside it, before $F$ or after the sum; until section 4 leave it out.)
# The path on which `x` itself goes around $F$ is the **skip**; the addition is the *residual connection*. The date
# translator has two encoder blocks of two sub-layers and two decoder blocks of three: ten skips. Take them all away:

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
print("with its skips, at least 98 % of the dates are right:", exact_match(model, tokenizer, held_out) >= 0.98)
with switch_off(model, "residual"):
    print("without, not one:", exact_match(model, tokenizer, held_out) == 0)

# %% [markdown]
# That was to be feared. Now be gentle: take away *one* of the ten, leave nine, and do so for each in turn. In how many of
# the ten cases are at least 90 % of the dates still right? Write `"none"`, `"some"` (1 to 4) or `"most"` (5 or more).

# %%
predict("06_residual.one_skip", None)


# %% jupyter={"outputs_hidden": true}
def without_skip(residual, x, sublayer):
    return residual.norm(sublayer(x))  # with it: residual.norm(x + sublayer(x))


kinds = {
    "attention_residual": "self-attention", "cross_residual": "cross-attention", "feed_forward_residual": "feed-forward",
}  # fmt: skip
skips = {name: part for name, part in model.named_modules() if isinstance(part, Residual)}
right = {}
for name, part in skips.items():
    place, _, block, path = name.split(".")
    with patched([(part, "forward", partial(without_skip, part))]):
        right[f"{place} {int(block) + 1}, {kinds[path]}"] = exact_match(model, tokenizer, held_out[:100])

title = f"One skip of ten removed: at most {100 * max(right.values()):.0f} % of the dates are still right"
_ = plots.shares(plt.subplots(figsize=(7, 3.2))[1], right, title)

# %% jupyter={"outputs_hidden": true}
kept = sum(share >= 0.9 for share in right.values())
predict("06_residual.one_skip", actual="none" if kept == 0 else "some" if kept < 5 else "most")

# %% [markdown]
# This model is shallow, and it was trained with its skips; of course it misses them. (Section 9 comes back to the one that
# it misses least.) The harder question is why we *train* with them. For that we need depth.
#
# ## 2. A layer that only adds a change
#
# What can go wrong in depth shows in plain numbers. Let each of 64 layers multiply what it gets by 0.9, or by 1.1:

# %%
for factor in (0.9, 1.1):
    x = 1.0
    for _ in range(64):
        x = factor * x
    print(f"64 layers that multiply by {factor}: {x:.2g}")

# %% [markdown]
# A product of 64 factors is tiny or huge unless all are close to 1. A skip makes a factor close to 1 the *default*: a layer
# that adds a tenth of what it gets multiplies by 1.1, one that adds nothing multiplies by exactly 1. So nothing vanishes; that
# 1.1 is still too much over 64 layers will come back in sections 4 to 6.
#
# Now vectors, and for $F$ the feed-forward layer of lesson 05. At the start of training its matrices are random. Suppose
# that the worst has happened and it says nothing at all: its last matrix is 0.

# %%
B, T, D = 2, 5, 64
x = torch.randn(B, T, D)
sublayer = FeedForward(D, 4 * D)
torch.nn.init.zeros_(sublayer.w_2.weight), torch.nn.init.zeros_(sublayer.w_2.bias)

print("no skip: everything is lost:", (sublayer(x) == 0).all().item())
print("skip: everything is kept:   ", torch.equal(x + sublayer(x), x))

# %% [markdown]
# A plain layer must *learn* to hand on what it need not change. A layer with a skip hands it on for nothing, and learns
# only the change: the *residue*, hence the name (He et al., 2015). The one thing it asks for: $F(x)$ must have the shape of
# `x`. So $D$ is the same all the way up.
#
# ## 3. The Jacobian: $I + J$
#
# Training needs the way back. The **Jacobian** $J$ of $F$ at a point is the $D \times D$ table $J_{ij} = \partial F_i /
# \partial x_j$: how much output $i$ moves when input $j$ moves. The chain rule multiplies the gradient by $J^\top$ as it
# passes back through $F$. The derivative of $x + F(x)$ is the derivative of $x$, the identity matrix $I$, plus $J$:

# %%
sublayer = FeedForward(D, 4 * D)
jacobian = torch.autograd.functional.jacobian
point = torch.randn(D)
J = jacobian(sublayer, point)  # (D, D)
identity = torch.eye(D)
assert torch.allclose(jacobian(lambda x: x + sublayer(x), point), identity + J, atol=1e-6)
J.shape

# %% [markdown]
# In a stack the Jacobians are multiplied, the last one in front. Three layers: $(I + J_3)(I + J_2)(I + J_1)$. Without
# skips: $J_3 J_2 J_1$. Multiply the brackets out and you get a sum: at each layer the gradient either goes *through*
# ($J$) or *around* ($I$).

# %%
Js, after = [], point
for _ in range(3):
    layer = FeedForward(D, 4 * D)
    Js.append(jacobian(layer, after))
    after = (after + layer(after)).detach()

paths = []
for through in product((False, True), repeat=3):
    path = identity
    for J, goes_through in zip(Js, through, strict=True):
        path = J @ path if goes_through else path
    paths.append(path)

assert torch.allclose(sum(paths), (identity + Js[2]) @ (identity + Js[1]) @ (identity + Js[0]), atol=1e-6)
print(len(paths), "paths; the first is the identity:", torch.equal(paths[0], identity))

# %% [markdown]
# So $L$ layers with skips are $2^L$ paths of every length from 0 to $L$ (Veit et al., 2016); $L$ layers without are one
# path, the longest. On the shortest path the gradient at the top reaches the first layer *unchanged*, whatever the others do.
#
# That is what a skip is for. It does not save work, though "residuals reduce computation" is in print (number M16 on our
# list of misconceptions). Count:

# %%
from torch.utils.flop_counter import FlopCounterMode

with FlopCounterMode(display=False) as counter:
    sublayer(x)
in_matrices, added = counter.get_total_flops(), x.numel()
print(f"F(x): {in_matrices:,} operations in its two matrices")
print(f"x + F(x): {added} additions more, {100 * added / in_matrices:.1f} %")

# %% [markdown]
# ## 4. Gradient and signal through 64 layers
#
# Now the measurement. We want layers whose size we control. A **branch** of gain `branch` is a random feed-forward layer
# whose output is, on average, `branch` times as large as its input. (ReLU keeps half of the mean square, so the second
# matrix makes up for it with a factor 2.)


# %%
wide = torch.float64  # 64 layers make numbers that 32 bits cannot hold


def new_branch(D, branch):
    """A fresh random F: (B, D) -> (B, D); the mean square of its output is branch^2 times that of its input."""
    w_1 = torch.randn(D, D, dtype=wide) / math.sqrt(D)
    w_2 = torch.randn(D, D, dtype=wide) * math.sqrt(2 / D)
    return lambda x: branch * ((x @ w_1).relu() @ w_2)


x = torch.randn(256, D, dtype=wide)
gains = [(new_branch(D, 0.5)(x).square().mean() / x.square().mean()).sqrt().item() for _ in range(20)]
print(f"gain asked for: 0.5, measured over 20 branches: {sum(gains) / len(gains):.1f}")


# %% [markdown]
# Four ways to put a branch into a stack: with and without a skip, with and without a norm. `norm` is a box for now: it
# shifts and scales each vector to mean 0 and variance 1. [Lesson 07](07_layer_norm.ipynb) opens it.


# %%
def norm(x):
    return torch.nn.functional.layer_norm(x, x.shape[-1:])


ways = {
    "no skip": lambda x, f: f(x),
    "norm only": lambda x, f: norm(f(x)),
    "skip": lambda x, f: x + f(x),
    "skip + norm": lambda x, f: x + f(norm(x)),  # "pre-norm": the norm stands on the branch
}


# %%
def send(way, L, branch, seed=0):
    """The states x_0 ... x_L, each (32, D), of 32 random inputs; and the gradient at each of them."""
    torch.manual_seed(seed)
    states = [torch.randn(32, D, dtype=wide, requires_grad=True)]
    for _ in range(L):
        states.append(way(states[-1], new_branch(D, branch)))
    loss = (states[-1] * torch.randn(32, D, dtype=wide)).sum()  # a random direction stands for the loss
    return [x.detach() for x in states], torch.autograd.grad(loss, states)


# %% [markdown]
# Take a modest branch, gain 0.5, and compare the gradient at the *first* layer's input with that at the last layer's
# output. Without a skip each layer halves it: $0.5^{64}$, nothing. With a skip, but no norm, the gradient at layer 1...

# %%
predict("06_residual.gradient", None)  # "vanishes", "stays within a factor of 10" or "explodes"


# %%
def alike(x):
    """How alike different inputs have become: the mean cosine of all pairs of rows (1: the same direction)."""
    x = x / x.norm(dim=-1, keepdim=True)
    n = len(x)
    return ((x @ x.T).sum().item() - n) / (n * n - n)


L, seeds = 64, range(3)
gradient, likeness = {}, {}
for name, way in ways.items():
    runs = [send(way, L, 0.5, seed) for seed in seeds]
    sizes = [[(g.norm() / gs[-1].norm()).item() for g in gs] for _, gs in runs]
    gradient[name] = [median(column) for column in zip(*sizes, strict=True)]
    likeness[name] = [median(column) for column in zip(*[[alike(x) for x in xs] for xs, _ in runs], strict=True)]

# %% jupyter={"outputs_hidden": true}
fig, (size_axes, alike_axes) = plt.subplots(1, 2, figsize=(9.5, 3.6))
names = ("no skip", "norm only", "skip", "skip + norm", "post-norm", "no skip, unit gain")
look = {name: dict(color=c, marker=m, label=name) for name, c, m in zip(names, plots.COLORS, "osv^DP", strict=False)}
for name in ways:
    size_axes.plot(gradient[name], markevery=8, **look[name])
    alike_axes.plot(likeness[name], markevery=8, **look[name])
powers = {name: round(math.log10(sizes[0])) for name, sizes in gradient.items()}
size_axes.set(yscale="log", xlabel="after layer", ylabel="gradient, relative to the last layer's")
size_axes.set_title(f"At the start: no skip $10^{{{powers['no skip']}}}$, skip $10^{{{powers['skip']}}}$, norms near 1")
alike_axes.set(xlabel="after layer", ylabel="mean cosine of different inputs")
alike_axes.set_title(f"Only skip + norm keeps inputs apart: {likeness['skip + norm'][-1]:.1f}")
_ = size_axes.legend(), alike_axes.legend()

# %% jupyter={"outputs_hidden": true}
first = gradient["skip"][0]
predict(
    "06_residual.gradient",
    actual="vanishes" if first < 0.1 else "explodes" if first > 10 else "stays within a factor of 10",
)

# %% [markdown]
# <details><summary>Left: the gradient, to be read from right to left; at 0 it is that at layer 1's input. Right: how alike
# different inputs have become. Read the four lines in both, then open this</summary>
#
# * **no skip**: the gradient dies on its way down, and all inputs end up in one direction: the network cannot tell them
#   apart.
# * **norm only**: the gradient has the right *size*. But the inputs are one again, so it says the same about all of
#   them. Right size is not enough.
# * **skip**: nothing dies; the gradient *grows*, by a thousand. The identity passes, and the branches pile up on top.
# * **skip + norm**: size near 1, and inputs still apart.
#
# Why do inputs become alike at all? ReLU leaves no negative numbers, so any two hidden layers lean the same way, and what
# comes out of a branch is more alike than what went in (the first steps of *no skip* show it best).
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("no skip: the gradient falls below 1e-15:", gradient["no skip"][0] < 1e-15)
print("skip: it grows to hundreds or thousands:", 100 < gradient["skip"][0] < 10_000)
print(
    "norm only, skip + norm: within a factor of 10:",
    all(0.1 < gradient[n][0] < 10 for n in ("norm only", "skip + norm")),
)
print("alike above 0.9 in all but skip + norm:", all(likeness[n][-1] > 0.9 for n in ways if n != "skip + norm"),
      likeness["skip + norm"][-1] < 0.75)  # fmt: skip

# %% [markdown]
# The norm alone keeps the *size* and loses the *content*. The skip alone hands everything on, but its branches grow with `x`
# until they drown it: skips cure vanishing, not exploding (M17). Together they keep both. Where the norm stands matters: *after*
# the addition ("post-norm", `norm(x + f(x))`, as in the translator and the paper of 2017) the norm's own Jacobian is multiplied
# onto $I + J$ at every layer, and no path is quite free.
#
# ## 5. How large does `x` get?
#
# The growth can be predicted. Let the branches have gain 1, their weights fresh and independent, of mean 0. Then $x$ and
# $F(x)$ are uncorrelated, and variances of uncorrelated things add (lesson 01):
#
# * **skip**: $\operatorname{var}(x + F(x)) = \operatorname{var}(x) + \operatorname{var}(x)$. It doubles at each layer: $2^L$.
# * **skip + norm** (pre-norm): the branch sees variance 1, whatever `x` has, so each layer adds...
#
# If `x` starts with variance 1, what is it after 64 pre-norm layers?

# %%
predict("06_residual.variance", None)  # "1", "65" or "2^64"


# %%
ways["post-norm"] = lambda x, f: norm(x + f(x))
wanted = {
    "skip": [2.0**layer for layer in range(L + 1)],
    "skip + norm": [1.0 + layer for layer in range(L + 1)],
    "post-norm": [1.0] * (L + 1),
}
variance = {}
for name in wanted:
    runs = [[x.var().item() for x in send(ways[name], L, 1.0, seed)[0]] for seed in range(5)]
    variance[name] = [median(column) for column in zip(*runs, strict=True)]

# %% jupyter={"outputs_hidden": true}
fig, ax = plt.subplots(figsize=(7, 3.4))
for name, line in wanted.items():
    ax.plot(line, color=look[name]["color"], linestyle="--", alpha=0.6)
    ax.plot(variance[name], markevery=8, linestyle="none", **look[name])
ax.set(yscale="log", xlabel="after layer", ylabel="variance of x")
doublings, last = math.log2(variance["skip"][-1]), variance["skip + norm"][-1]
ax.set_title(f"Branches of gain 1, 64 layers: skips 2^{doublings:.0f}, pre-norm {last:.0f}, post-norm 1")
_ = ax.legend(title="marks measured, dashes derived")

# %% jupyter={"outputs_hidden": true}
predict(
    "06_residual.variance",
    actual=min(("1", 1), ("65", 65), ("2^64", 2.0**64), key=lambda o: abs(math.log(last / o[1])))[0],
)

# %% [markdown]
# Each pre-norm layer adds 1: after $L$ layers, $1 + L$. Under post-norm it is 1 by construction.
#
# With any gain, and on the way back: the backward pass is also a sum of two uncorrelated parts, $I$ and $J$. So with a skip
# and no norm the mean square of signal *and* gradient is multiplied by $1 + \text{branch}^2$ at each layer. In pre-norm `x` has
# variance $1 + l\,\text{branch}^2$ after layer $l$; the norm divides by the root of that, and so does its Jacobian, roughly.
# So layer $l + 1$ multiplies the gradient's mean square by $1 + \text{branch}^2 / (1 + l\,\text{branch}^2)$, and the product over all layers telescopes to
# $1 + L\,\text{branch}^2$: mild growth, no more. Check both on the gradients of section 4:

# %%
derived = {
    "skip": (1 + 0.5**2) ** (64 / 2),
    "skip + norm": (1 + 64 * 0.5**2) ** (1 / 2),
}  # sizes: roots of mean squares
for name, size in derived.items():
    ratio = gradient[name][0] / size
    print(f"gradient at layer 1, {name:11}  derived {size:6.1f}, measured within a factor of 2: {0.5 < ratio < 2}")

# %% [markdown]
# ## 6. A start that does not grow
#
# A Transformer of $L$ blocks has $2L$ branches: attention and feed-forward. Multiply each branch by $\text{branch}$, and
# the variance becomes $1 + 2L \cdot \text{branch}^2$ (pre-norm). To keep the total at a constant, choose
#
# $$\text{branch} = \frac{1}{\sqrt{2L}} .$$
#
# The *square* adds up, so the root is in the factor; $1/2L$ would make the branches needlessly mute. GPT-2 does this at
# initialisation, and only there (Radford et al., 2019). It scales the **last** matrix of each branch ($W_O$ of attention,
# $W_2$ of the feed-forward layer), because that alone scales what is *written* by the branch.

# %%
for L in (4, 16, 64):
    for name, branch in (("1", 1.0), ("1 / sqrt(2L)", 1 / math.sqrt(2 * L)), ("1 / (2L)", 1 / (2 * L))):
        runs = [send(ways["skip + norm"], 2 * L, branch, seed)[0][-1].var().item() for seed in seeds]
        print(f"L = {L:2}: branch gain {name:13} final variance about {2 ** round(math.log2(median(runs)))}")

# %% [markdown]
# (Rounded to a power of two.) A more radical start sets the last matrix to 0: section 2. Then every block is the identity
# and the Jacobian is exactly $I$; the exercises ask which matrices can learn from there.
#
# ## 7. Does it train?
#
# Sizes are an argument, training is the proof. One small task (16 numbers in, one of 8 classes out), $L$ feed-forward layers
# of width 32, put together in five ways: the four above, and "no skip" once more with layers initialised to gain 1, so that
# the plain stack gets its best start. (A pre-norm stack gets one last norm: section 11.) Everything else is equal, and each
# way has the better of two learning rates. The gradient of *norm only* has the right size. At $L = 32$, will it train...

# %%
predict("06_residual.trains", None)  # "as well as with skips", "worse, but better than guessing" or "not at all"

# %% jupyter={"outputs_hidden": true}
kept = recorded("residual_depth")  # python experiments/residual_depth.py
result = kept["result"]
fig, ax = plt.subplots(figsize=(7, 3.4))
for name, by_depth in result["accuracy"].items():
    ax.plot(list(by_depth), [100 * median(tried["accuracy"]) for tried in by_depth.values()], **look[name])
guess = 100 * result["commonest class"]
ax.axhline(guess, color="grey", linestyle=":", label="always the commonest class")
ax.set(xlabel="layers L", ylabel="right on unseen inputs (%)", ylim=(0, 100))
deep = {name: 100 * median(by_depth["32"]["accuracy"]) for name, by_depth in result["accuracy"].items()}
ax.set_title(f"32 layers: {deep['skip']:.0f} % with skips, {deep['norm only']:.0f} % with a norm alone")
_ = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% jupyter={"outputs_hidden": true}
fair, only = deep["skip"], deep["norm only"]
choices = ("not at all", "worse, but better than guessing", "as well as with skips")
predict("06_residual.trains", actual=choices[(only > guess + 5) + (only > fair - 5)])

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section (32 layers):")
print("no skip: as good as guessing:", abs(deep["no skip"] - guess) < 5, "| norm only too:", abs(only - guess) < 5)
print("no skip, started well: between guessing and skips:", guess + 10 < deep["no skip, unit gain"] < fair - 20)
print("skip, and skip + norm: within 3 points of 2 layers, or better:",
      all(deep[n] > 100 * median(result["accuracy"][n]["2"]["accuracy"]) - 3 for n in ("skip", "skip + norm")))  # fmt: skip

# %% [markdown]
# With skips, 32 layers train as well as 2. A good start helps the plain stack and does not save it. And "norm only"? Look at
# the same networks *before* training, at their outputs for 64 different inputs:

# %%
depth = experiment("residual_depth")
Deep, train = depth.Deep, depth.train

torch.manual_seed(0)
inputs = torch.randn(64, 16)
for name in ("no skip", "norm only", "skip", "skip + norm"):
    same = median(alike(Deep(name, L=32)(inputs)) for _ in range(5))
    print(f"{name:12} outputs for different inputs: {'one and the same' if same > 0.999 else 'different'}")
gain = FeedForward(32, 32)(torch.randn(64, 32)).std().item()
print("gain of a feed-forward layer as PyTorch makes it: between 0.2 and 0.35:", 0.2 < gain < 0.35)

# %% [markdown]
# "Norm only" gives one answer to every question, so there is nothing to tell the classes apart by. And *skip* without a norm
# holds here because the branches start small. Do not take our word for the training: here is a slice, live, with half the
# steps.

# %%
live = {way: train(way, L=8, learning_rate=3e-3, seed=0, steps=125) for way in ("no skip", "skip")}
print("8 layers: the skip is ahead by more than 10 points:", live["skip"] > live["no skip"] + 0.1)

# %% [markdown]
# ## 8. Play
#
# Now multiply the skip too: $\text{skip} \cdot x + \text{branch} \cdot F(x)$. The two parts are uncorrelated, so the mean
# square is multiplied by $\text{skip}^2 + \text{branch}^2$ a layer, without a norm. The explorer draws this formula, and those
# of section 5 for the norms.
#
# 1. Depth 32, branch 0.5, no norm. What is the *smallest* skip gain that leaves layer 1 one per cent of the gradient? Keep
#    the number: an exercise asks for it. Then move the branch to 0.05. Is 0.9 enough? At depth 64?
# 2. Skip 1, branch 1, no norm. At which depth does the variance pass one million? Choose pre-norm: and now?
# 3. Post-norm, skip 0. Signal and gradient look perfect. Which number says that it is no good?

# %%
explorer = DepthExplorer()
explorer

# %% [markdown]
# <details><summary>Answers to all but the first number, when you have tried</summary>
#
# 1\. With the small branch 0.9 is enough at depth 32, not at 64. 2\. At 20: $2^{20}$ is the first power of two above a
# million. Pre-norm reaches 65 at most. 3\. *On the skips alone*: 0. All of the gradient has gone through random layers, none
# came as it was. That is "norm only".
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the answers above: through_layers(depth, skip, branch, norm) gives variances, gradients, the share of the skips
at_layer_1 = {depth: through_layers(depth, 0.9, 0.05)[1][0] for depth in (32, 64)}
variances = through_layers(64, 1, 1)[0]
assert at_layer_1[32] > 0.01 > at_layer_1[64] and variances[19] < 1e6 < variances[20]
assert abs(through_layers(64, 1, 1, "pre")[0][-1] - 65) < 1e-6 and through_layers(64, 0, 1, "post")[2] == 0

# %% [markdown]
# ## 9. The stream is a sum
#
# Follow `x` up a pre-norm stack: what leaves the last block is what entered the first, plus what each sub-layer wrote. Call
# `x` the **residual stream**. In a fresh GPT of 6 blocks (pre-norm is our default):

# %%
gpt = GPT(TransformerConfig(vocab_size=50, n_layers=6, norm_position="pre"))
written = []  # the output of each residual's dropout is what it is about to add
hooks = [part.dropout.register_forward_hook(lambda module, inputs, output: written.append(output))
         for part in gpt.modules() if isinstance(part, Residual)]  # fmt: skip
with record_residual_stream(gpt) as stream, torch.no_grad():
    gpt(torch.randint(50, (2, 7)))
for hook in hooks:
    hook.remove()

enters, leaves = stream["decoder"][0], stream["decoder"][-1]  # (B, T, D)
assert torch.allclose(enters + sum(written), leaves, atol=1e-5)
print(len(written), "sub-layers wrote into it")

# %% [markdown]
# So every layer reads and writes *one* space, and later layers can use or undo what earlier ones wrote. How much do the
# layers of the trained translator write? (It is post-norm: after each addition the stream is brought back to size.)

# %%
pairs = dates.held_out_pairs(300)
source, source_mask = tokenizer.batch([pair.source for pair in pairs])
target, target_mask = tokenizer.batch([pair.target for pair in pairs], bos=True, eos=True)
share = {}


def note(name, module, inputs, output):
    x, sublayer = inputs
    share[name] = (sublayer(x).norm(dim=-1) / x.norm(dim=-1)).median().item()


hooks = [part.register_forward_hook(partial(note, name)) for name, part in zip(right, skips.values(), strict=True)]
with record_residual_stream(model) as stream, torch.no_grad():
    model(source, target[:, :-1], source_mask, target_mask[:, :-1])
for hook in hooks:
    hook.remove()

# %%
fig, ax = plt.subplots(figsize=(7, 3.2))
bars = ax.barh(list(right), [share[name] for name in right], height=0.6)
ax.bar_label(bars, fmt="%.1f", padding=3)
ax.invert_yaxis()
ax.set(xlabel="size of what is written / size of what was there (median)", xlim=(0, 1.6))
_ = ax.set_title(
    f"A trained sub-layer writes {min(share.values()):.1f} to {max(share.values()):.1f} times what is there"
)

# %%
loudest, second = sorted(share, key=share.get)[:-3:-1]
print(f"the loudest writer, {loudest}, is the one whose skip is missed least:", loudest == max(right, key=right.get))
print(f"without the skip of the second loudest, {second}, {right[second]:.0%} of the dates are right")

# %% [markdown]
# Loud is not the same as needed: the loudest sub-layer can lose `x` almost without harm, and the second, nearly as loud,
# cannot.
#
# One space also means that you can *read out early*. Pretend that the decoder ends after fewer blocks, and ask the output
# layer which token comes next. This is called the **logit lens**. Beside it stands a control that cannot read at all: a table
# that knows only the position and the token before, and says what followed most often in 5,000 other dates.

# %%
gold, real = target[:, 1:], target_mask[:, 1:]
for blocks, x in enumerate(stream["decoder"]):
    said = model.logits(x).argmax(dim=-1)
    print(f"after {blocks} decoder blocks the next token is right: {(said == gold)[real].double().mean():4.0%}")

followed = Counter()
for pair in dates.training_pairs(5000, seed=0):
    row = [tokenizer.bos_id, *tokenizer.encode(pair.target), tokenizer.eos_id]
    followed.update((position, *both) for position, both in enumerate(pairwise(row)))
table = {}
for (position, before, after), _ in sorted(followed.items(), key=lambda item: item[1]):
    table[position, before] = after  # the most frequent one is written last
said = torch.tensor([[table.get(place, -1) for place in enumerate(row)] for row in target[:, :-1].tolist()])
print(f"a table that never sees the English:            {(said == gold)[real].double().mean():4.0%}")

# %% [markdown]
# After one block the readout is worse than the table: what it gets right says nothing of this date. Without the control we
# would have read far too much into the middle line.
#
# ## 10. What people get wrong
#
# Three mistakes that are in print. Each runs without an error.
#
# **$H' = H + H$** (M14): the formula adds the input to *itself*; what the sub-layer said is dropped. It fails in two ways,
# one for each place of the norm:

# %%
f, x = FeedForward(D, 4 * D), torch.randn(8, D, requires_grad=True)
_ = f(norm(x))  # computed, and then forgotten
pre, post = x + x, norm(x + x)
(pre.sum() + post.sum()).backward()
print("pre-norm:  doubled:", torch.equal(pre, 2 * x), "| the layer learns anything:", f.w_1.weight.grad is not None)
print("post-norm: as if nothing stood there:", torch.allclose(post, norm(x), atol=1e-4))

# %% [markdown]
# Under post-norm nothing even grows: the norm undoes the doubling, and the "layer" is a silent no-op.
#
# **The wrong thing added, or the skip dressed up** (M15, M18). The output added to the *query*, that is to $x W_Q$; or to
# *itself*; a learnt matrix on the skip; a matrix after the addition. In each, $I$ is gone, and what passes is a product of
# matrices again. 64 layers, branches of gain 0.25, matrices as PyTorch makes them:


# %%
def matrix(x):
    return torch.nn.Linear(D, D, bias=False, dtype=x.dtype)(x)  # a fresh one at each call


mistakes = {
    "x + F(x), right": lambda x, f: x + f(x),
    "query + F(x), or W x + F(x)": lambda x, f: matrix(x) + f(x),
    "F(x) + F(x)": lambda x, f: f(x) + f(x),
    "W (x + F(x))": lambda x, f: matrix(x + f(x)),
}


# %%
for name, way in mistakes.items():
    runs = [send(way, 64, 0.25, seed)[1] for seed in seeds]
    left = median((g[0].norm() / g[-1].norm()).item() for g in runs)
    size = "more than 1" if left > 1 else "less than 1e-10" if left < 1e-10 else f"{left:.0e}"
    print(f"{name:28} gradient left at layer 1: {size}")

# %%
runs = [send(mistakes["F(x) + F(x)"], 64, 0.5, seed) for seed in seeds]
arrives = median((g[0].norm() / g[-1].norm()).item() for _, g in runs)
print("F(x) + F(x), gain 0.5: more than 1 % of the gradient arrives (2 times 0.5 is 1):", arrives > 0.01)
print("but all inputs are alike, as with norm only:", median(alike(states[-1]) for states, _ in runs) > 0.95)

# %% [markdown]
# Is it only that PyTorch's matrices are small? Take one that keeps every length, a rotation, and pre-norm, which keeps the size
# of everything. Does layer 1 still hear what the last layer was told?


# %%
def rotated(x):
    return x @ torch.linalg.qr(torch.randn(D, D, dtype=x.dtype)).Q


for name, skip in (("x", lambda x: x), ("x rotated", rotated)):
    runs = [send(lambda x, f, skip=skip: skip(x) + f(norm(x)), 64, 0.25, seed)[1] for seed in seeds]
    heard = median(torch.cosine_similarity(g[0], g[-1], dim=-1).mean().item() for g in runs)
    says = "above 0.3" if heard > 0.3 else "below 0.1" if heard < 0.1 else f"{heard:.1f}"
    print(f"the skip carries {name:9}  cosine of the gradients at both ends: {says}")

# %% [markdown]
# With the rotations the direction of the gradient at layer 1 says nothing about that at the top. It is not lost for good,
# but each layer would have to *learn* to turn it back. The identity needs no learning.
#
# ## 11. In the package
#
# `transformer_lab.Residual(norm, norm_position)` is called with `x` and the sub-layer, and knows both places of the norm:

# %%
x, f, layer_norm = torch.randn(B, T, D), FeedForward(D, 4 * D), torch.nn.LayerNorm(D)
assert torch.equal(Residual(layer_norm, "pre")(x, f), x + f(layer_norm(x)))
assert torch.equal(Residual(layer_norm, "post")(x, f), layer_norm(x + f(x)))
assert torch.equal(Residual(layer_norm, "pre", dropout=1.0)(x, f), x)

# %% [markdown]
# Dropout falls on what is *written*, never on the skip: when all of it is dropped, `x` arrives whole. A pre-norm stack
# leaves its sum unnormalised, and every branch adds to it (section 5), so `Stack` ends with one last norm; a post-norm stack
# needs none.
#
# ## 12. Check yourself
#
# <details><summary>Figures of the Transformer say "Add & Norm" after each sub-layer. What is added to what? Is that what
# makes the network deep?</summary>
#
# The sub-layer's output is added to the sub-layer's own *input*, then normalised. Depth is something else: $L$ blocks
# stacked, one after the other (M19). The addition is what makes that depth trainable.
#
# </details>
#
# <details><summary>The gradient has the same size at all 64 layers of a stack. Will it train?</summary>
#
# Not for certain: "norm only" had that too. Size says nothing about content. Ask also whether different inputs are still
# different at the top.
#
# </details>
#
# <details><summary>Why is each branch scaled by $1/\sqrt{2L}$, and not by $1/2L$?</summary>
#
# Independent branches add their *variances*. $2L$ of them with variance $1/2L$ add up to 1; the factor is the root of that.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/06_residual/residual.ipynb): three core questions, then four more.
#
# ## Takeaways
#
# * $x + F(x)$ has the Jacobian $I + J$: $L$ layers are $2^L$ paths, and the shortest hands the gradient on unchanged.
# * Skips cure vanishing. With branches of gain 1, variance grows as $2^L$ with skips alone, as $1 + L$ in pre-norm, not at all
#   in post-norm.
# * Size is not content: a norm without skips keeps the first, loses the second, and does not train 32 layers.
# * Start $2L$ branches at $1/\sqrt{2L}$, by their last matrices. All layers read and write one stream.
#
# **Papers.** He et al. (2015), [arXiv:1512.03385](https://arxiv.org/abs/1512.03385): the residual connection; He et al.
# (2016), [arXiv:1603.05027](https://arxiv.org/abs/1603.05027): why the skip must be the identity. Veit et al. (2016),
# [arXiv:1605.06431](https://arxiv.org/abs/1605.06431): paths. Zhang et al. (2019),
# [arXiv:1901.09321](https://arxiv.org/abs/1901.09321): initialisation without a norm. Xiong et al. (2020),
# [arXiv:2002.04745](https://arxiv.org/abs/2002.04745): pre-norm and post-norm.
#
# Previous: [05 Feed-forward](05_feed_forward.ipynb). Next: [07 Layer norm](07_layer_norm.ipynb).
