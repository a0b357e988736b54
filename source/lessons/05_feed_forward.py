# %% [markdown]
# # 05 Feed-forward
#
# **You will build the other half of every block, the small network that works at each position alone, and find out why attention needs it and what it costs.**
#
# After this lesson you will be able to
#
# * show what attention alone cannot compute, and solve it with two hidden units;
# * write the layer, $W_2\,\text{act}(W_1 x + b_1) + b_2$, plain and gated, with every shape named;
# * tell a layer that mixes positions from one that does not;
# * say where a block's parameters and FLOPs are, and at which length attention's map overtakes the layer;
# * recognise a broken feed-forward layer by its symptoms.
#
# About 50 minutes. It builds on [02 Attention](02_attention.ipynb), [03 Masks](03_masks.ipynb) and
# [04 Multi-head](04_multi_head.ipynb). Every term and letter: [glossary](glossary.ipynb).

# %%

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from torch import nn

from transformer_lab import exact_match, load, switch_off, translate
from transformer_lab.analysis.access import patched
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.viz import CostExplorer, model_cost, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# The translator of [lesson 00](00_start_here.ipynb) turns English dates into Chinese ones. It has an *encoder* of two
# blocks, which reads, and a *decoder* of two blocks, which writes. Each of the four blocks ends with a feed-forward layer.
# What comes out of it is added to what went in (the addition is lesson 06); so a layer that says nothing adds 0. We make
# all four say nothing.

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
whole = exact_match(model, tokenizer, held_out)
with switch_off(model, "feed-forward"):
    without = exact_match(model, tokenizer, held_out)
    written = translate(model, tokenizer, ["May 10, 1965"])[0]
print("at least 98 % right with its feed-forward layers:", whole >= 0.98, "| not one date without them:", without == 0)
most = max(written.count(character) for character in set(written))
print("without them, it writes for May 10, 1965 mostly one character again and again:", most > len(written) / 2)

# %% [markdown]
# All attention is still in place, and alone it is of no use. (This model learnt *with* its layers; section 6 trains
# without them.) Now we silence **one** layer at a time. Blocks are counted from 0.
# Which layer can the translator least do without? Put `"encoder 0"`, `"encoder 1"`, `"decoder 0"` or `"decoder 1"` in place
# of `None`.

# %%
predict("05_feed_forward.layer", None)

# %% jupyter={"outputs_hidden": true}
layers = {f"{kind} {i}": block.feed_forward for kind in ("encoder", "decoder")
          for i, block in enumerate(getattr(model, kind).blocks)}  # fmt: skip
right = {"whole": whole}
for name, layer in layers.items():
    with patched([(layer, "forward", torch.zeros_like)]):  # the layer says 0
        right[name] = exact_match(model, tokenizer, held_out)

worst = min(layers, key=right.get)
title = f"Without the layer of {worst}, {100 * right[worst]:.0f} % of the dates are right"
_ = plots.shares(plt.subplots(figsize=(7, 2.4))[1], right, title)

# %% jupyter={"outputs_hidden": true}
predict("05_feed_forward.layer", actual=worst)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("without any one layer, between a tenth and nine tenths of the dates are right:",
      all(0.1 < right[name] < 0.9 for name in layers))  # fmt: skip

# %% [markdown]
# Every layer is missed, the decoder's first one most. What do they do that attention does not?
#
# ## 2. What attention computes
#
# Recall two facts of lessons 02 and 04. The output of a head is a weighted *average* of values, so it never leaves their
# hull, the region between them. And the values are *linear* in the hidden states: $v = x W_V$. So with the attention
# weights held fixed, a stack of attentions is **one** linear map. Let `x` hold $T$ = 6 positions of width $D$ = 8, one a
# row, and put one attention on another:

# %%
from transformer_lab import GPT, FeedForward, MultiHeadAttention, TransformerConfig

T, D = 6, 8
x = torch.randn(T, D)
weights_1, weights_2 = torch.randn(T, T).softmax(dim=-1), torch.randn(T, T).softmax(dim=-1)  # (T, T)
w_v1, w_v2 = torch.randn(D, D), torch.randn(D, D)

two_layers = weights_2 @ (weights_1 @ x @ w_v1) @ w_v2
one_layer = (weights_2 @ weights_1) @ x @ (w_v1 @ w_v2)
assert torch.allclose(two_layers, one_layer, atol=1e-4)
print("rows of the joint weights sum to 1:", torch.allclose((weights_2 @ weights_1).sum(dim=-1), torch.ones(T)))

# %% [markdown]
# Nothing was gained by the second layer that a single one could not have. But the attention weights themselves do depend
# on `x`, through the softmax, and not linearly. Is that bend enough?
#
# Take the smallest case, **one** token that holds two bits, $a$ and $b$, and ask for XOR: 1 if exactly one of them is 1.
# Six layers of attention, each added to its input: can *any* setting of their weights give XOR?

# %%
predict("05_feed_forward.xor", None)  # "yes" or "no"


# %%
class OnlyAttention(nn.Module):
    """Six attentions, each added to its input, on one token: (4, 2) bits -> (4, 2)."""

    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(MultiHeadAttention(d_model=2, n_heads=1) for _ in range(6))

    def forward(self, bits):
        x = bits[:, None]  # (4, 1, 2): four sequences of one token
        for layer in self.layers:
            x = x + layer(x)
        return x[:, 0]


bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
xor = torch.tensor([0.0, 1.0, 1.0, 0.0])

# %% jupyter={"outputs_hidden": true}
print("f(0,0) + f(1,1) = f(0,1) + f(1,0)?")
same = []
for seed in range(100):
    _ = torch.manual_seed(seed)
    out = OnlyAttention()(bits)
    same.append(torch.allclose(out[0] + out[3], out[1] + out[2], atol=1e-4))
print("for 100 networks of 100:", all(same), "| for XOR:", bool(xor[0] + xor[3] == xor[1] + xor[2]))

# %% jupyter={"outputs_hidden": true}
predict("05_feed_forward.xor", actual="no" if all(same) else "yes")

# %% [markdown]
# One token can only look at itself, with weight 1: the softmax has no choice left. What remains, $f$, is a linear map of
# the two bits with a shift (from the biases), and the additions keep it one. Such an $f$ has
# $f(0,0) + f(1,1) = f(0,1) + f(1,0)$, whatever its weights. XOR has $0 + 0$ on the left and $1 + 1$ on the right. No
# training can close that gap. (With several tokens the softmax does bend; section 6 measures how far that carries.)
#
# What is missing is a *bend*. Let two **hidden units** each compute a sum and cut it off at zero:

# %%
w_1, b_1 = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.tensor([0.0, -1.0])  # (2 units, 2 bits), (2 units,)
w_2 = torch.tensor([[1.0, -2.0]])  # (1 output, 2 units)
hidden = torch.relu(bits @ w_1.T + b_1)  # unit 0: a + b.   unit 1: fires only when both bits are 1
assert torch.equal((hidden @ w_2.T)[:, 0], xor)
hidden

# %% [markdown]
# Unit 0 counts the bits, unit 1 notices "both", and the output is unit 0 less twice unit 1. That is the
# whole idea: **detect** something, then **write** something.
#
# ## 3. From one unit to the layer
#
# One position has a hidden state `x` of width $D$. The layer has `d_ff` hidden units (the inner width). Unit $j$ owns
#
# * a row of $W_1$ `(d_ff, D)`: what it looks for, its *detector*;
# * a number of $b_1$ `(d_ff,)`: how easily it fires;
# * a column of $W_2$ `(D, d_ff)`: what it *writes* when it fires.
#
# (Rows and columns as torch's `nn.Linear` stores them; in code the product is `x @ w.T`.) As a loop, with an activation
# that decides how much of a sum counts, here ReLU, $\max(0, z)$:

# %%
_ = torch.manual_seed(0)
D, d_ff, T = 8, 32, 6
w_1, b_1 = torch.randn(d_ff, D), torch.randn(d_ff)
w_2, b_2 = torch.randn(D, d_ff), torch.randn(D)  # b_2 is a shift at the end
x = torch.randn(T, D)

output = b_2.clone()
for j in range(d_ff):
    amount = torch.relu(w_1[j] @ x[0] + b_1[j])  # one number: how strongly unit j fires at position 0
    output = output + amount * w_2[:, j]
output.shape

# %% [markdown]
# All units at once are two products of a matrix with a vector, $W_2\,\text{act}(W_1 x + b_1) + b_2$. All positions at once
# are two matrix products, with the same weights in every row:


# %%
def feed_forward(x, w_1, b_1, w_2, b_2, activation=torch.relu):
    """(T, D) -> (T, D)"""
    hidden = activation(x @ w_1.T + b_1)  # (T, d_ff)
    return hidden @ w_2.T + b_2


assert torch.allclose(feed_forward(x, w_1, b_1, w_2, b_2)[0], output, atol=1e-4)

# %% [markdown]
# It reads like attention with a fixed dictionary. Rows of $W_1$ are the *keys*, columns of $W_2$ the *values*, and the
# activation takes the place of the softmax: no competition, no sum to 1, so the result is not held in a hull. Geva et al.
# (2021) call the layer a key-value memory.
#
# Look into the translator: how strongly do hidden units of its first encoder layer fire at the names of the months?
# For each month we take the unit that prefers it most: its mean response to that month, less that to the others.

# %%
ids, mask = tokenizer.batch([pair.source for pair in held_out])
seen = {}
hook = model.encoder.blocks[0].feed_forward.w_1.register_forward_hook(lambda m, i, out: seen.update(sums=out))
with torch.no_grad():
    model.encode(ids, mask)
hook.remove()
fired, tokens = seen["sums"].relu()[mask], ids[mask]  # (all tokens, 256 units), (all tokens,)
print("of all units at all tokens, fewer than half fire:", ((fired > 0).float().mean() < 0.5).item())

# %%
months = ["January", "February", "March", "April", "May", "June",
          "July", "August", "September", "October", "November", "December"]  # fmt: skip
names = tokenizer.tokens(torch.arange(model.config.vocab_size))
response = torch.stack([fired[tokens == names.index(month)].mean(dim=0) for month in months])  # (12 months, 256)
others = (response.sum(dim=0) - response) / 11
units = (response - others).argmax(dim=-1)  # for each month the unit that prefers it most
top = (response[:, units].argmax(dim=0) == torch.arange(12)).sum().item()
axes = plt.subplots(figsize=(7, 5))[1]
_ = plots.matrix(axes, response[:, units], months, units.tolist(), f"{top} of 12 units fire most at their own month",
                 "token read", "hidden unit (in the cells: its mean activation)")  # fmt: skip

# %% [markdown]
# The diagonal is bright, for we looked for units that prefer one month. The rest is not dark, and a unit may fire more at
# another month than at its own: a unit serves several tokens, and a token is known by a *pattern* of units. Do not read a
# hidden unit as a word.
#
# ## 4. Position-wise
#
# The layer sees one position at a time. A first test that comes to mind: **shuffle** the positions. For which of
# the two is it the same whether you shuffle before the layer or after it: for the feed-forward layer, or for attention
# (without mask and positions)?

# %%
predict("05_feed_forward.shuffle", None)  # "only the feed-forward layer", "only attention", "both" or "neither"

# %% jupyter={"outputs_hidden": true}
layer, attention = FeedForward(d_model=8, d_ff=32), MultiHeadAttention(d_model=8, n_heads=2)
x, order = torch.randn(1, 6, 8), torch.tensor([4, 2, 5, 0, 3, 1])  # (B, T, D)
print("shuffle first or last, the same?")
commutes = {name: torch.allclose(f(x[:, order]), f(x)[:, order], atol=1e-5)
            for name, f in (("feed-forward", layer), ("attention", attention))}  # fmt: skip
print(commutes)

# %% jupyter={"outputs_hidden": true}
verdict = {(True, True): "both", (True, False): "only the feed-forward layer",
           (False, True): "only attention", (False, False): "neither"}  # fmt: skip
predict("05_feed_forward.shuffle", actual=verdict[tuple(commutes.values())])

# %% [markdown]
# Both. Shuffling shows that a layer treats all positions *alike*, and attention does (lesson 08 is about that). It does
# not show that positions are *apart*. For that, change one position and look at the others, as you did in lesson 03:

# %%
changed = x.clone()
changed[:, 2] = torch.randn(8)  # other numbers; the same number added to all would not move a norm (lesson 07)
for name, f in (("feed-forward", layer), ("attention", attention)):
    moved = (f(changed) - f(x)).abs().amax(dim=-1)[0] > 1e-6
    print(f"{name:13} positions whose output moved:", moved.nonzero().flatten().tolist())

# %% [markdown]
# So the work is shared out. **Attention moves information between positions; the feed-forward layer works on what has
# arrived.** Some texts call the layer a convolution of width 1. It is one:

# %%
as_convolution = F.conv1d(x.transpose(1, 2), layer.w_1.weight[..., None], layer.w_1.bias).relu()  # (B, d_ff, T)
as_convolution = F.conv1d(as_convolution, layer.w_2.weight[..., None], layer.w_2.bias).transpose(1, 2)
assert torch.allclose(as_convolution, layer(x), atol=1e-5)

# %% [markdown]
# ## 5. The bend: ReLU, GELU, gates
#
# Three bends are in common use.
#
# * **ReLU**, $\max(0, z)$: the Transformer of 2017, our translator.
# * **GELU**, $z\,\Phi(z)$, where $\Phi(z)$ is the share of a normal distribution below $z$: BERT. GPT-2 was trained with its
#   approximation $\frac{z}{2}\left(1 + \tanh\left[\sqrt{2/\pi}\,(z + 0.044715\,z^3)\right]\right)$.
# * **SiLU**, $z\,\sigma(z)$ with the sigmoid $\sigma$: inside the gate of Llama and its relatives.

# %%
z = torch.linspace(-4, 4, 801)
curves = {"ReLU": F.relu(z), "GELU": F.gelu(z), "SiLU": F.silu(z), "tanh (not GPT-2's)": z.tanh()}
fig, (left, right_axes) = plt.subplots(1, 2, figsize=(9, 3.2))
for line, (name, curve) in zip(("-", "--", ":", "-."), curves.items(), strict=True):
    left.plot(z, curve, line, label=name)
gap = F.gelu(z) - F.gelu(z, approximate="tanh")
right_axes.plot(z, gap)
left.set(xlabel="z", ylabel="act(z)", title="Three bends; tanh is no relative")
right_axes.set(xlabel="z", ylabel="exact - approximation")
right_axes.set_title(f"GELU and its approximation differ by at most {gap.abs().max().item():.0e}")
_ = left.legend()

# %% [markdown]
# The formula contains a tanh, and some texts take the tanh (or a sigmoid) for the activation of GPT-2 (M30; the numbers
# are this course's list of misconceptions). But a tanh is bounded by 1, and GELU is not:

# %%
inner = (2 / torch.pi) ** 0.5 * (z + 0.044715 * z**3)
gelu_tanh = z / 2 * (1 + inner.tanh())
assert torch.allclose(gelu_tanh, F.gelu(z, approximate="tanh"), atol=1e-6)
print("GPT-2's preset says:", TransformerConfig.preset("gpt2").activation,
      f"| at z = 4 it gives {gelu_tanh[-1]:.2f}, tanh {z.tanh()[-1]:.2f}, sigmoid {z.sigmoid()[-1]:.2f}")  # fmt: skip

# %% [markdown]
# A **gated** layer has a third matrix $W_\text{gate}$ `(d_ff, D)`. What $W_1$ gives stays linear, and is multiplied, unit by
# unit, by a gate. With SiLU in the gate this is SwiGLU. Shazeer (2020) found it better by trial, at equal numbers of
# weights, and offers no explanation:
#
# $$W_2\,\big(\text{silu}(W_\text{gate}\,x) \cdot W_1 x\big)$$

# %%
gated = FeedForward(d_model=8, d_ff=32, activation="swiglu", bias=False)
gate, value = x @ gated.w_gate.weight.T, x @ gated.w_1.weight.T  # (B, T, d_ff) each
assert torch.allclose((F.silu(gate) * value) @ gated.w_2.weight.T, gated(x), atol=1e-6)

# %% [markdown]
# **How wide?** Usually `d_ff` $= 4D$: the layer then has $8 D^2$ weights. A gated layer has three matrices; for the same
# number of weights its inner width is $\frac{2}{3} \cdot 4 D = \frac{8}{3} D$, rounded to something a machine likes. For
# SmolLM2, of width 576, it is exactly that:

# %%
config = TransformerConfig.preset("smollm2-135m")
print(f"{config.activation}: {config.d_ff} = 8/3 x {config.d_model}")
assert 3 * config.d_model * config.d_ff == 8 * config.d_model**2

# %% [markdown]
# ## 6. Does attention really need it? A measurement
#
# With many tokens the softmax can bend something too, and real stacks have norms, which also are not linear. So perhaps
# more attention makes up for the missing layer. Test it at **equal parameters**. One attention has $4 D^2$ weights, one
# feed-forward layer $8 D^2$: a block (A then F) weighs as much as three attentions (AAA), two blocks as much as six.
#
# The task is a table learnt by heart. Each of 4 positions holds a question $(a, b)$ of its own, $a$ and $b$ from 0 to 15; the
# answer stands in a fixed random table of 16 x 16. No position needs another. $D$ is 16; all stacks have residuals, norms and
# the same learning rate. Chance is 1 in 16.
# First a small slice, live:

# %%
table = experiment("feed_forward_table")
train, weights_of_layers = table.train, table.weights_of_layers

print("weights:", weights_of_layers("AF"), "and", weights_of_layers("AAA"))
block, attentions = train("AF", steps=300)[-1], train("AAA", steps=300)[-1]
print("after 300 steps the block is ahead by more than 30 points:", block - attentions > 0.3)

# %% [markdown]
# And all of it, recorded: three seeds, 600 steps, and on the right the block with inner widths from 0 (left out) to $8D$.

# %%
kept = recorded("feed_forward_table")["result"]
final = {plan: 100 * torch.tensor(runs)[:, -1] for plan, runs in kept["plans"].items()}  # (3 seeds,) each
kept["steps"]

# %%
fig, (left, right_axes) = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True)
for line, (plan, runs) in zip(("-", "--", "-", "--"), kept["plans"].items(), strict=True):
    for seed, run in enumerate(runs):
        left.plot(kept["steps"], [100 * share for share in run], line, alpha=0.8, label=plan if not seed else None,
                  color=plots.COLORS[list(final).index(plan)])  # fmt: skip
left.set(xlabel="training steps", ylabel="right answers (%)")
left.set_title(f"A block: {final['AF'].mean():.0f} %. Three attentions: {final['AAA'].mean():.0f} %")
for marker, (width, runs) in zip("ov^sD", kept["widths"].items(), strict=True):
    mean = 100 * torch.tensor(runs).mean(dim=0)
    right_axes.plot(kept["steps"], mean, marker=marker, label=f"{width} D")
right_axes.set(xlabel="training steps", title="The wider, the faster (mean of three seeds)")
left.set_ylim(0, 105)
_ = left.legend(ncols=2, loc="lower right"), right_axes.legend(title="inner width", ncols=3, loc="lower right")

# %% jupyter={"source_hidden": true}
# Checks what the next paragraph says
widths = {width: torch.tensor(runs).mean(dim=0) for width, runs in kept["widths"].items()}
assert all((final[plan] >= 99.5).all() for plan in ("AF", "AFAF"))
assert all(((final[plan] > 40) & (final[plan] < 70)).all() for plan in ("AAA", "AAAAAA"))
assert final["AAAAAA"].mean() > final["AAA"].mean() > 100 * widths["0"][-1]
assert all(sum(widths[a]) < sum(widths[b]) for a, b in zip("0124", "1248", strict=True))

# %% [markdown]
# On the left, every run with feed-forward layers ends with at least 99.5 % of the table. Attention alone, at the same
# number of weights, ends between 40 and 70 %. That is far above chance, and six attentions do better than three: the
# softmax and the norms do bend, only dearly.
# On a smaller table, or with much more time, attention alone may get there. The claim is not "impossible", except for one
# token alone and without norms; it is "a poor use of parameters".
#
# On the right the stacks are not equal: a wider layer has more weights, and learns the table sooner. Geva et al. (2021)
# read the layers of large models in the same way, as memories.
#
# ## 7. Where parameters and FLOPs are
#
# Count for one block, matrices only, on one sequence of $T$ tokens. A FLOP is one multiplication or one addition; a
# weight that works once costs 2.
#
# | part | weights | FLOPs |
# |---|---|---|
# | projections Q, K, V, O | $4 D^2$ | $8\,T D^2$ |
# | scores and mix | none | $2 \cdot 2\,T^2 D$ |
# | feed-forward, `d_ff` $= 4D$ | $8 D^2$ | $16\,T D^2$ |
#
# Two thirds of a block's weights are in the feed-forward layer. Scores are $T \cdot T$ dot products of vectors that are,
# all heads together, $D$ wide; the mix costs the same again. That is the quadratic part of attention, the only line with
# $T^2$. From which $T$ on does it cost as much as the feed-forward layer?

# %%
predict("05_feed_forward.crossing", None)  # "T = d_model", "T = 4 d_model" or "T = 4 d_model^2"

# %% jupyter={"outputs_hidden": true}
D = 256
costs = {T: model_cost(D, 4 * D, T)["flops"] for T in (D, 4 * D, 4 * D**2)}
print("scores and mix / feed-forward, at three lengths:")
for T, flops in costs.items():
    print(f"T = {T:7,}   {flops['scores and mix'] / flops['feed-forward']:.2f}")

# %% jupyter={"outputs_hidden": true}
even = min(costs, key=lambda T: abs(costs[T]["scores and mix"] / costs[T]["feed-forward"] - 1))
predict("05_feed_forward.crossing", actual={D: "T = d_model", 4 * D: "T = 4 d_model"}.get(even, "T = 4 d_model^2"))

# %% [markdown]
# Set the two lines equal: $4\,T^2 D = 4\,T D\,d_\text{ff}$, so $T = d_\text{ff}$, and that is $4D$. (Gated, with three
# matrices: $T = \frac{3}{2} d_\text{ff}$; at $d_\text{ff} = \frac{8}{3} D$ this is $4D$ again.) Until then the "quadratic
# cost of attention" is the smaller part of the bill.
#
# Do not believe a formula that has not been counted. Torch counts FLOPs as a model runs. Our blocks use a fused attention
# kernel, and on a CPU the counter does not know it: it reports the map as free. So we let attention write out its two
# products, as in lesson 02, and count both ways:

# %%
from torch.utils.flop_counter import FlopCounterMode

from transformer_lab import replace_attention, scaled_dot_product_attention

D, T = 64, 256  # T = 4 D
one_block = GPT(TransformerConfig(vocab_size=10, d_model=D, d_ff=4 * D, n_layers=1, max_len=T, bias=False))
ids = torch.zeros(1, T, dtype=torch.int64)
with FlopCounterMode(display=False) as fused:
    _ = one_block(ids)
with replace_attention(one_block, scaled_dot_product_attention), FlopCounterMode(display=False) as explicit:
    _ = one_block(ids)
print("the fused kernel's map is not counted:", explicit.get_total_flops() - fused.get_total_flops() == 4 * T**2 * D)

# %%
counted = {name: sum(ops.values()) for name, ops in explicit.get_flop_counts().items()}
attention, layer = (counted[f"GPT.decoder.blocks.0.{part}"] for part in ("attention", "feed_forward"))
assert attention == 8 * T * D**2 + 4 * T**2 * D and layer == 16 * T * D**2
print("at T = 4 D, map and layer cost the same:", attention - 8 * T * D**2 == layer)

# %% [markdown]
# FLOPs are not seconds: softmax and memory traffic cost time and count nothing here (lesson 17).
#
# And a whole model? Add the embedding, `vocab_size` vectors of width $D$, which serves as the output layer too. For GPT-2
# our matrices miss less than 1 % of the parameters (biases, norms, positions):

# %%
config = TransformerConfig.preset("gpt2")
with torch.device("meta"):  # shapes only: no memory is used
    n_parameters = sum(p.numel() for p in GPT(config).parameters())
ours = model_cost(config.d_model, config.d_ff, 1024, config.n_layers, vocab_size=config.vocab_size)["parameters"]
print(f"GPT-2: {n_parameters / 1e6:.0f} million parameters; in matrices {sum(ours.values()) / 1e6:.0f} million")
assert 0.99 < sum(ours.values()) / n_parameters < 1

# %% [markdown]
# ## 8. Play
#
# It starts as GPT-2 at its full length. Each slider is a size; the bars and lines follow.
#
# 1. Move $T$ until scores and mix cost as much as the feed-forward layers. Then double `d_model`. Where is that $T$ now?
# 2. Which of the controls changes neither bar? What does it change?
# 3. Choose the vocabulary of Llama 3 and make the model small: `d_model` 256, 6 layers. Where are its parameters?
# 4. Press *reset*. From which $T$ on do scores and mix take more than half of *all* FLOPs? Is it sooner in a wider model?

# %%
explorer = CostExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. At 3,072, which is `d_ff`; then at 6,144: in proportion to the width. 2\. *heads*: they cut $D$ and leave every product
# as large as before; only the maps become more. 3\. Nearly all in the embedding. This is why small models have small
# vocabularies, or share the matrix, as here. 4\. From 7,168 on, the slider's first step above half. No, later.
#
# </details>

# %%
small = model_cost(256, 1024, 1024, 6, vocab_size=128_256)["parameters"]
assert small["embedding and logits"] / sum(small.values()) > 0.85
for D in (768, 1536):
    flops = model_cost(D, 4 * D, 4 * D, 12)["flops"]
    assert flops["scores and mix"] == flops["feed-forward"]
for D, T, more in ((768, 6144, False), (768, 7168, True), (1536, 7168, False)):
    flops = model_cost(D, 4 * D, T, 12, vocab_size=50_257)["flops"]
    assert (flops["scores and mix"] > sum(flops.values()) / 2) == more

# %% [markdown]
# ## 9. What people get wrong
#
# **Half a layer** (M28). Three variants are in print: the second projection forgotten, an inner width of $D$, an activation
# after the last projection. Each returns the right shape. Count their weights, and look at what they can write.

# %%
_ = torch.manual_seed(0)
D = 64
up, down, square = nn.Linear(D, 4 * D), nn.Linear(4 * D, D), nn.Linear(D, D)
variants = {
    "as it should be": nn.Sequential(up, nn.ReLU(), down),
    "no second projection": nn.Sequential(square, nn.ReLU()),
    "inner width D": nn.Sequential(square, nn.ReLU(), nn.Linear(D, D)),
    "activation at the end": nn.Sequential(up, nn.ReLU(), down, nn.ReLU()),
}
for name, variant in variants.items():
    matrices = sum(p.numel() for p in variant.parameters() if p.ndim == 2) // D**2
    print(f"{name:22} {matrices} D^2 weights, can write below zero: {(variant(torch.randn(500, D)) < 0).any().item()}")

# %% [markdown]
# A layer that only writes upwards can never take anything back: added layer after layer, the hidden states drift. Start
# from 0 and add what the layer makes of fresh noise, twelve times:

# %%
for name in ("as it should be", "activation at the end"):
    x = torch.zeros(500, D)
    for _ in range(12):
        x = x + variants[name](torch.randn(500, D))
    print(f"{name:22} more than a third of the numbers below zero: {((x < 0).float().mean() > 1 / 3).item()!s:5}",
          "| none:", not (x < 0).any())  # fmt: skip

# %% [markdown]
# **"The encoder is attention, the decoder is the feed-forward network"** (M29). Every block of both has both. Silence the
# encoder's layers alone, then the decoder's:

# %%
for kind in ("encoder", "decoder"):
    blocks = getattr(model, kind).blocks
    assert all(isinstance(b.feed_forward, FeedForward) and isinstance(b.attention, MultiHeadAttention) for b in blocks)
    with patched([(block.feed_forward, "forward", torch.zeros_like) for block in blocks]):
        print(f"below 15 % right without the {kind}'s layers:", exact_match(model, tokenizer, held_out) < 0.15)

# %% [markdown]
# The third, tanh for GELU (M30), was in section 5.
#
# ## 10. In the package
#
# What you derived is `transformer_lab.FeedForward`, with ReLU, both GELUs and SwiGLU. With its weights, your function gives
# the same numbers; and it is the layer that the translator runs.

# %%
layer = model.encoder.blocks[0].feed_forward
x = torch.randn(2, 5, 64)
by_hand = feed_forward(x, layer.w_1.weight, layer.w_1.bias, layer.w_2.weight, layer.w_2.bias)
assert torch.allclose(by_hand, layer(x), atol=1e-5)
for name, activation in (("gelu", F.gelu), ("gelu_tanh", lambda z: F.gelu(z, approximate="tanh"))):
    other = FeedForward(64, 256, activation=name)
    weights = other.w_1.weight, other.w_1.bias, other.w_2.weight, other.w_2.bias
    assert torch.allclose(feed_forward(x, *weights, activation), other(x), atol=1e-5)

# %% [markdown]
# ## 11. Check yourself
#
# <details><summary>A colleague drops the activation "to save time". What is left of the layer?</summary>
#
# $W_2 W_1 x$ and a shift: one linear map. Its $8 D^2$ weights can do no more than $D^2$, and one token alone cannot compute
# XOR (section 2).
#
# </details>
#
# <details><summary>Unmasked attention passes the shuffle test. What does the test show, and what does it not show?</summary>
#
# That all positions are treated alike. Not that they are apart: change one position and look at the others.
#
# </details>
#
# <details><summary>A model has $D$ = 1024, `d_ff` = 4096, and reads 2,048 tokens. Which costs more FLOPs, the attention maps
# or the feed-forward layers?</summary>
#
# The layers, twice as much: the maps catch up at $T$ = `d_ff` = 4,096.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/05_feed_forward/feed_forward.ipynb): three core questions, then four
# more.
#
# ## Takeaways
#
# * $W_2\,\text{act}(W_1 x + b_1) + b_2$: rows of $W_1$ detect, columns of $W_2$ write. Inner width $4D$, or $\frac{8}{3} D$
#   when gated; nothing after the second projection.
# * Attention averages values that are linear in the hidden states. The feed-forward layer is where a position computes.
# * It works at each position alone. Shuffling does not prove that; changing one position does.
# * Two thirds of a block's weights are here. Attention's map costs as much only from $T = 4D$ on.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.3. Hendrycks, Gimpel
# (2016), [arXiv:1606.08415](https://arxiv.org/abs/1606.08415): GELU. Shazeer (2020),
# [arXiv:2002.05202](https://arxiv.org/abs/2002.05202): gated layers. Geva et al. (2021),
# [arXiv:2012.14913](https://arxiv.org/abs/2012.14913): key-value memories. Dong, Cordonnier, Loukas (2021),
# [arXiv:2103.03404](https://arxiv.org/abs/2103.03404): what becomes of attention stacked without the layer.
#
# Previous: [04 Multi-head](04_multi_head.ipynb). Next: [06 Residual](06_residual.ipynb).
