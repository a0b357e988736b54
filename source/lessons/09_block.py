# %% [markdown]
# # 09 The block
#
# **You will put the parts of lessons 02-08 together to a block, a stack and a model, and turn one config into four
# families.** (Every term and letter: [glossary](glossary.ipynb).)
#
# After this lesson you will be able to
#
# * assemble a pre-norm and a post-norm block, and say what each leaves on the residual path;
# * build the whole way from token ids to logits, and check every step against the package;
# * read in a config what tells GPT-2, BERT, Llama and the Transformer of 2017 apart;
# * count parameters and FLOPs by formula, and check the count;
# * tell "the trained model breaks without it" from "no model can be trained without it".
#
# About 50 minutes. It builds on lessons [02](02_attention.ipynb), [03](03_masks.ipynb), [04](04_multi_head.ipynb),
# [05](05_feed_forward.ipynb), [06](06_residual.ipynb), [07](07_layer_norm.ipynb) and [08](08_positions.ipynb).

# %%
import math
from contextlib import nullcontext

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from transformer_lab import BERT, GPT, Transformer, TransformerConfig, exact_match, load, replace_attention, switch_off
from transformer_lab.analysis.ablation import PARTS
from transformer_lab.attention import MultiHeadAttention, scaled_dot_product_attention
from transformer_lab.blocks import Block, Stack
from transformer_lab.data import dates
from transformer_lab.experiments import recorded
from transformer_lab.grading import predict
from transformer_lab.layers import FeedForward, LayerNorm
from transformer_lab.viz import FamilyExplorer, parameters_by_part, plots

# %%
plots.use_style()
_ = torch.manual_seed(0)
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
print("at least 98 % of the dates are right:", exact_match(model, tokenizer, held_out) >= 0.98)

# %% [markdown]
# ## 1. Break it
#
# Each of lessons 02-08 broke its own part of the translator. Here are all eight parts in one picture, among them lesson
# 02's "choice": without it every key weighs the same. Each part is switched off everywhere in the trained model, and
# nothing is trained again. One of these four costs *not a single date*: the `"scale"` (lesson 02), the `"causal mask"`
# (03), the `"heads"` but one (04), the `"layer norm"` (07). Which?

# %%
predict("09_block.harmless", None)

# %% [markdown]
# Exact match has a floor: two models with no date right look equal. So we take a second measure. We let the decoder read
# the *right* target and ask how surprised it is by each next token: the mean negative log-probability, in nats. Guessing
# evenly among the 55 tokens costs $\ln 55 = 4.0$ nats.

# %%
ids = [tokenizer.encode(pair.target) for pair in held_out]
source, source_mask = tokenizer.batch([pair.source for pair in held_out])
target, _ = tokenizer.pad([[tokenizer.bos_id, *row] for row in ids])
labels, is_real = tokenizer.pad([[*row, tokenizer.eos_id] for row in ids])


@torch.no_grad()
def nats():
    """Mean surprise at each token of the right targets, each read with those before it."""
    logits = model(source, target, source_mask)  # (300, T, 55)
    return nn.functional.cross_entropy(logits[is_real], labels[is_real]).item()


# %%
dates_right, surprise = {}, {}
for part in ("nothing", *PARTS):
    with nullcontext() if part == "nothing" else switch_off(model, part):
        dates_right[part], surprise[part] = exact_match(model, tokenizer, held_out), nats()
by_damage = sorted(surprise, key=surprise.get)

# %% jupyter={"outputs_hidden": true}
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
left.barh(by_damage, [100 * dates_right[part] for part in by_damage], color=plots.COLORS[0])
right.barh(by_damage, [surprise[part] for part in by_damage], color=plots.COLORS[1])
right.axvline(math.log(55), color="grey", linestyle=":", label="guessing evenly")
left.set(
    xlim=(0, 112),
    xlabel="dates translated exactly (%)",
    ylabel="switched off",
    title="Dates: five parts end at the floor",
)
right.set(xlabel="surprise (nats a token)", title=f"Nats: worst without the {by_damage[-1]}")
right.legend(loc="upper right", bbox_to_anchor=(0.95, 0.98))
left.bar_label(left.containers[0], fmt="%.0f", padding=3)
left.invert_yaxis()
assert sum(value < 0.02 for value in dates_right.values()) == 5 and model.config.vocab_size == 55

# %% jupyter={"outputs_hidden": true}
parts = ("scale", "causal mask", "heads", "layer norm")
free = [part for part in parts if dates_right[part] >= dates_right["nothing"]]
assert len(free) == 1
predict("09_block.harmless", actual=free[0])

# %% [markdown]
# <details><summary>Why does the causal mask cost no date, and yet nats? Think first, then open</summary>
#
# When the translator *writes*, the newest token is the last one: there is no future to hide. (What the earlier tokens
# computed is kept in a cache, lesson 13, and never computed again with later tokens in sight.) When it *reads* a whole
# target at once, as in training, every position sees its future without the mask, which it never learnt to handle.
#
# </details>
#
# The picture shows what *this* trained model leans on. It does not show what a Transformer *needs*. For that, somebody must
# train models that never had the part. Of the eight parts, how many can a new translator do without, and still get at
# least 95 % of the dates right?

# %%
predict("09_block.never_had", None)  # "none", "one to three" or "four or more"

# %% [markdown]
# Eight trainings take minutes, so they are recorded (`experiments/parts.py`: 400 steps each, one seed). Our live numbers
# must agree with its first column.

# %% jupyter={"outputs_hidden": true}
kept = recorded("parts")["result"]
for part in kept:
    assert abs(kept[part]["removed"] - dates_right[part]) < 0.03, part
never = {part: kept[part]["never had"][0] for part in by_damage}
without = [part for part in PARTS if never[part] >= 0.95]
fig, ax = plt.subplots(figsize=(7, 4.2))
for offset, (name, shares) in enumerate({"taken from the trained model": dates_right, "never had it": never}.items()):
    places = [row + 0.36 * offset for row in range(len(by_damage))]
    bars = ax.barh(places, [100 * shares[part] for part in by_damage], height=0.34, label=name)
    ax.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
ax.set_yticks([row + 0.18 for row in range(len(by_damage))], by_damage)
ax.set(xlabel="dates translated exactly (%)", title=f"{len(without)} of 8 parts can be done without, if trained so")
ax.invert_yaxis()
_ = ax.legend(loc="lower center", bbox_to_anchor=(0.5, -0.36), ncol=2)

# %% jupyter={"outputs_hidden": true}
found = "none" if not without else "one to three" if len(without) < 4 else "four or more"
predict("09_block.never_had", actual=found)

# %% jupyter={"outputs_hidden": true}
print("The claims of this section:")
print("done without:", ", ".join(without))
print("below half of the dates, trained without:", ", ".join(part for part in PARTS if never[part] < 0.5))

# %% [markdown]
# Two questions, two answers. Without the **causal mask** the trained model writes on as before, but a new one learns
# nothing of use: in training it reads off the token it should predict (lesson 03). The **feed-forward layers** are the
# other way round. The trained model is lost without them; a new one learns the task all the same. Do not read
# "superfluous" into it: this task is small, the stack is 2 blocks deep, and one seed tells all from nothing and no
# more. Scale and norm earn their place in width and depth (lessons 02, 06, 07).
#
# ## 2. A block
#
# Now build. $x$ holds one vector of width $D$ for each of $T$ tokens in each of $B$ sequences. A block has two parts:
# **attention** lets positions exchange, the **feed-forward layer** works on each position alone. Around each stands a
# **residual** connection and a **norm**. First by hand, line by line, with the norm in front of each part:

# %%
B, T, D, H = 2, 5, 64, 4
attention, feed_forward = MultiHeadAttention(D, H), FeedForward(D, 4 * D, "gelu")
norm_1, norm_2 = LayerNorm(D), LayerNorm(D)

x = torch.randn(B, T, D)
y = norm_1(x)  # (B, T, D) what attention reads
y = attention(y, causal=True)  # (B, T, D) what it has to say
x_1 = x + y  # (B, T, D) said to x, which is still there
y = feed_forward(norm_2(x_1))  # (B, T, D), inside (B, T, 4 D)
output = x_1 + y
x.shape, output.shape

# %% [markdown]
# Input and output have the same shape: that is why blocks can be stacked. Two lines say it all. With the norm in front
# ("pre-norm", GPT-2 and Llama) or behind the addition ("post-norm", 2017 and BERT):
#
# | | pre-norm | post-norm |
# |---|---|---|
# | attention | $x \leftarrow x + \text{attention}(\text{norm}_1(x))$ | $x \leftarrow \text{norm}_1(x + \text{attention}(x))$ |
# | feed-forward | $x \leftarrow x + \text{ff}(\text{norm}_2(x))$ | $x \leftarrow \text{norm}_2(x + \text{ff}(x))$ |


# %%
def pre_norm(x, attention, feed_forward, norm_1, norm_2):
    x = x + attention(norm_1(x))
    return x + feed_forward(norm_2(x))


def post_norm(x, attention, feed_forward, norm_1, norm_2):
    x = norm_1(x + attention(x))
    return norm_2(x + feed_forward(x))


def causal(x):
    return attention(x, causal=True)


assert torch.equal(pre_norm(x, causal, feed_forward, norm_1, norm_2), output)

# %% [markdown]
# The package has *one* class `Block` for both; the config says which. Its parts, put into our two lines, give its output:

# %%
for position, by_hand in (("pre", pre_norm), ("post", post_norm)):
    block = Block(TransformerConfig(vocab_size=50, d_model=D, n_heads=H, norm_position=position))
    norms = [block.attention_residual.norm, block.feed_forward_residual.norm]
    assert torch.allclose(by_hand(x, block.attention, block.feed_forward, *norms), block(x), atol=1e-6)

# %% [markdown]
# What is the difference *along a stack*? Measure the size of $x$ (its root mean square) after each of 12 untrained blocks.

# %%
sizes = {}
for position in ("pre", "post"):
    torch.manual_seed(0)
    blocks = Stack(TransformerConfig(vocab_size=50, d_model=D, n_heads=H, n_layers=12, norm_position=position)).blocks
    x, sizes[position] = torch.randn(16, 20, D), [1.0]
    for block in blocks:
        x = block(x).detach()
        sizes[position].append(x.square().mean().sqrt().item())

fig, ax = plt.subplots(figsize=(6, 2.8))
for position, marker in (("pre", "o"), ("post", "s")):
    ax.plot(range(13), sizes[position], marker=marker, label=f"{position}-norm")
ax.set(xlabel="blocks passed", ylabel="root mean square of x", ylim=(0, None))
ax.set_title(f"Pre-norm: x grows to {sizes['pre'][-1]:.1f}; post-norm: it is set back to {sizes['post'][-1]:.1f}")
_ = ax.legend()
assert sizes["pre"][-1] > 1.2 and abs(sizes["post"][-1] - 1) < 0.01

# %% [markdown]
# Pre-norm never touches the sum: every part *adds*, and $x$ grows. So a pre-norm stack ends with one more norm, the
# **final norm**; a post-norm stack has none. (Why pre-norm trains more easily at depth: lesson 07.)
#
# ## 3. From ids to logits
#
# A language model is a stack with two ends. In: each token id becomes a row of a table, plus a position (lesson 08).
# Out: the **logits**, one score for each token of the vocabulary, are dot products of the hidden state, which is $x$ at
# the end of the stack, with a vector for each token. If those vectors are the rows of the embedding again, the two are
# **tied**. (The model of 2017 also multiplies token vectors by $\sqrt{D}$; GPT-2 does not, so we switch
# `scale_embeddings` off.)

# %%
V, L = 50, 3
config = TransformerConfig(vocab_size=V, d_model=D, n_heads=H, n_layers=L, max_len=32, positions="learned",
                           scale_embeddings=False)  # fmt: skip
torch.manual_seed(0)
gpt = GPT(config).eval()
ids = torch.randint(V, (B, T))


def logits_by_hand(ids):
    """(B, T) -> (B, T, V)"""
    x = gpt.embedding.tokens.weight[ids]  # (B, T, D)
    x = x + gpt.embedding.positions.table[: ids.shape[1]]  # + (T, D)
    for block in gpt.decoder.blocks:
        x = block(x, causal=True)  # (B, T, D), L times
    x = gpt.decoder.norm(x)  # the final norm
    return x @ gpt.embedding.tokens.weight.T  # (B, T, V)


assert torch.allclose(logits_by_hand(ids), gpt(ids), atol=1e-5)

# %% [markdown]
# That is the package's whole `GPT`. Two quick tests catch most assembly errors. A fresh model knows nothing, so its loss
# must be near $\ln V$; and changing the *last* token must not move any earlier logit.

# %%
batch = torch.randint(V, (64, 20))
with torch.no_grad():
    loss = nn.functional.cross_entropy(gpt(batch)[:, :-1].flatten(0, 1), batch[:, 1:].flatten()).item()
    changed = ids.clone()
    changed[:, -1] = (changed[:, -1] + 1) % V
    moved = (gpt(ids) - gpt(changed)).abs().amax(dim=(0, 2))
print(f"fresh loss {loss:.1f}, ln V = {math.log(V):.1f}")
print("positions whose logits moved:", (moved > 1e-6).nonzero().flatten().tolist(), "of", T)

# %% [markdown]
# ## 4. Does the order matter?
#
# Are blocks exchangeable? We rebuild the trained translator's stacks with the same blocks in another order, or one left out
# or twice. It has 2 blocks in the encoder and 2 in the decoder. Where does swapping the two hurt more?

# %%
predict("09_block.order", None)  # "encoder", "decoder" or "neither"


# %%
def reordered(stack, order):
    """Exact match while the stack runs its blocks in this order (counted from 1)."""
    blocks = stack.blocks
    try:
        stack.blocks = nn.ModuleList(blocks[i - 1] for i in order)
        return exact_match(model, tokenizer, held_out)
    finally:
        stack.blocks = blocks


orders = {"1 2\n(trained)": (1, 2), "2 1": (2, 1), "1": (1,), "2": (2,), "1 1 2": (1, 1, 2), "1 2 2": (1, 2, 2)}
rows = {name: [reordered(stack, order) for order in orders.values()]
        for name, stack in (("encoder", model.encoder), ("decoder", model.decoder))}  # fmt: skip

# %% jupyter={"outputs_hidden": true}
fig, ax = plt.subplots(figsize=(7, 2.2))
swapped = {name: shares[1] for name, shares in rows.items()}
title = f"Share of dates right; swapped: {swapped['encoder']:.2f} and {swapped['decoder']:.2f}"
_ = plots.matrix(ax, list(rows.values()), list(rows), list(orders), title, "stack", "its blocks, in this order")

# %% jupyter={"outputs_hidden": true}
gap = swapped["encoder"] - swapped["decoder"]
predict("09_block.order", actual="neither" if abs(gap) < 0.1 else "decoder" if gap > 0 else "encoder")

# %% [markdown]
# The shapes fit in every order; the numbers do not. Blocks are built alike, and training gives each its own place. Within a
# block it is the same: with the feed-forward layer *before* attention, the trained model is lost.


# %%
def feed_forward_first(self, x, mask=None, causal=False, rotation=None, memory=None, memory_mask=None, cache=None):
    """Block.forward with its last line moved to the front."""
    own, of_memory = cache or (None, None)
    x = self.feed_forward_residual(x, self.feed_forward)
    x = self.attention_residual(x, lambda x: self.attention(x, mask=mask, causal=causal, rotation=rotation, cache=own))
    if self.cross_attention is not None:
        x = self.cross_residual(x, lambda x: self.cross_attention(x, memory=memory, mask=memory_mask, cache=of_memory))
    return x


forward, Block.forward = Block.forward, feed_forward_first
print("below 5 % of the dates are right:", exact_match(model, tokenizer, held_out) < 0.05)
Block.forward = forward

# %% [markdown]
# That says nothing against training a model with another order from the start. It is the difference of section 1 again.
#
# ## 5. One config, four families
#
# Nothing above was specific to GPT. The package's config has a field for every choice that lessons 02-08 left open. Here
# are four published models. (`n_kv_heads` None: each query head has keys and values of its own, lesson 04.)

# %%
published = {"2017": "vaswani2017", "GPT-2": "gpt2", "MiniLM (BERT)": "minilm", "SmolLM2 (Llama)": "smollm2-135m"}
configs = {name: TransformerConfig.preset(preset) for name, preset in published.items()}
fields = ("norm_position", "norm", "positions", "activation", "bias", "n_kv_heads", "norm_embeddings")
print(" " * 17 + "".join(f"{name:17}" for name in configs))
for field in (*fields, "d_model", "n_heads", "n_layers", "d_ff", "vocab_size"):
    print(f"{field:17}" + "".join(f"{getattr(config, field)!s:17}" for config in configs.values()))

# %% [markdown]
# What remains is which stacks there are: an encoder sees in both directions, a decoder is causal, and a decoder that looks
# at an encoder has a cross-attention in each block. That is the choice of the class: `Transformer` (both), `GPT` (decoder),
# `BERT` (encoder). Below it, all four are made of the same few classes:

# %%
classes = {"2017": Transformer, "GPT-2": GPT, "MiniLM (BERT)": BERT, "SmolLM2 (Llama)": GPT}
with torch.device("meta"):  # shapes only, no memory: the largest would take half a gigabyte
    built = {name: classes[name](config) for name, config in configs.items()}
ignored = ("Linear", "Dropout", "Identity", "NoPositions")  # the last two stand where nothing is to be done
for name, one in built.items():
    made_of = {type(module).__name__ for module in one.modules()} - {type(one).__name__, "ModuleList"}
    print(f"{name:16}", *sorted(kind for kind in made_of if kind not in ignored))

# %% [markdown]
# So families are not kinds of block. They are answers to the same few questions. From GPT-2 to Llama's style, for instance,
# and leaving sizes aside:

# %%
gpt2, llama = configs["GPT-2"], configs["SmolLM2 (Llama)"]
for field in (*fields, "tie_embeddings", "scale_embeddings"):
    if getattr(gpt2, field) != getattr(llama, field):
        print(f"{field:12} {getattr(gpt2, field)!s:10} -> {getattr(llama, field)}")

# %% [markdown]
# Five words.
#
# ## 6. Counting parameters
#
# Count a block of GPT-2: width $D$, feed-forward width $4D$, every linear layer with a bias.
#
# | part | matrices | biases, scales, shifts |
# |---|---|---|
# | $W_Q, W_K, W_V, W_O$ | $4 D^2$ | $4 D$ |
# | $W_1, W_2$ | $2 \cdot 4 D^2$ | $4D + D$ |
# | two LayerNorms | | $2 \cdot 2D$ |
# | **sum** | $12 D^2$ | $13 D$ |
#
# $L$ of them, the final norm ($2D$), $V$ token vectors and max_len positions:
#
# $$N = L\,(12 D^2 + 13 D) + 2D + (V + \text{max\_len})\, D$$

# %%
config = configs["GPT-2"]
V, D, L = config.vocab_size, config.d_model, config.n_layers
by_formula = L * (12 * D**2 + 13 * D) + 2 * D + (V + config.max_len) * D
assert by_formula == sum(parameter.numel() for parameter in built["GPT-2"].parameters())
print(f"GPT-2 small: {by_formula:,}")

# %% [markdown]
# The number of heads is not in it: $H$ heads of width $D/H$ share one $D \times D$ matrix (lesson 04). Where do most of
# GPT-2's parameters sit?

# %%
predict("09_block.where", None)  # "embeddings", "attention" or "feed-forward"

# %% jupyter={"outputs_hidden": true}
kinds = {name: type(one).__name__ for name, one in built.items()}
parts = {name: parameters_by_part(config, kinds[name]) for name, config in configs.items()}
for name, one in built.items():
    assert sum(parts[name].values()) == sum(parameter.numel() for parameter in one.parameters())

colours = FamilyExplorer().choices["colours"]
fig, ax = plt.subplots(figsize=(8, 2.6))
for i, sizes in enumerate(parts.values()):
    left = 0
    for colour, (part, size) in enumerate(sizes.items()):
        ax.barh(i, size / 1e6, left=left / 1e6, color=colours[colour], label=None if i else part)
        left += size
ax.set_yticks(range(len(parts)), parts)
shares = {name: sizes["feed-forward"] / sum(sizes.values()) for name, sizes in parts.items()}
ax.set(xlabel="million parameters", title=f"GPT-2: {shares['GPT-2']:.0%} are in the feed-forward layers")
ax.invert_yaxis()
_ = ax.legend(loc="center left", bbox_to_anchor=(1, 0.5))

# %% jupyter={"outputs_hidden": true}
gpt2 = parts["GPT-2"]
grouped = {"embeddings": gpt2["token embedding"] + gpt2["positions and segments"]}
grouped |= {part: gpt2[part] for part in ("attention", "feed-forward")}
predict("09_block.where", actual=max(grouped, key=grouped.get))

# %% [markdown]
# How do the shares move when a model grows? A block grows with $D^2$, the embedding only with $D$:

# %%
widths = FamilyExplorer().choices["widths"]
grown = [FamilyExplorer(d_model=width) for width in widths]
fig, ax = plt.subplots(figsize=(7, 2.8))
for part in (0, 2, 3):
    name = list(grown[0].parameters)[part]
    ax.plot(
        widths, [100 * one.parameters[name] / one.total for one in grown], marker="o", color=colours[part], label=name
    )
first, last = (one.parameters["token embedding"] / one.total for one in (grown[0], grown[-1]))
ax.set(xscale="log", xlabel="width d_model (12 layers, GPT-2's vocabulary)", ylabel="share of the parameters (%)")
ax.set_title(f"The embedding's share falls from {first:.0%} to {last:.0%}; two thirds of a block are feed-forward")
_ = ax.legend()
assert round(grown[-1].parameters["feed-forward"] / (grown[-1].total * (1 - last)), 2) == 0.67

# %% [markdown]
# ## 7. Counting FLOPs
#
# A product of an $(n, k)$ and a $(k, m)$ matrix takes $nm$ sums of $k$ products: $2nkm$ FLOPs, a multiplication and an
# addition being two. So a matrix costs 2 FLOPs an entry *for each token*. For $T$ tokens:
#
# * the matrices of the blocks: $2T \cdot 12 D^2$ a layer; the logits: $2T \cdot VD$, once;
# * the **core** of attention, scores and mix, has no weights: $2 \cdot 2 T^2 D$ a layer. It grows with $T^2$.
#
# From which $T$ on does GPT-2's core ($D = 768$) cost more than the matrices of its blocks?

# %%
predict("09_block.core", None)  # "below 1,000 tokens", "1,000 to 5,000 tokens" or "above 5,000 tokens"


# %%
def flops(T):
    """(matrices of the blocks, core, logits) of GPT-2 for one sequence of T tokens"""
    return L * 2 * T * 12 * D**2, L * 4 * T**2 * D, 2 * T * V * D


def counted(model, T):
    """What torch counts while the model reads T tokens."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.zeros(1, T, dtype=torch.long, device=next(model.parameters()).device))
    return counter.get_total_flops()


with replace_attention(built["GPT-2"], scaled_dot_product_attention):  # the core as two products
    for T in (64, 512):
        assert sum(flops(T)) == counted(built["GPT-2"], T)
print(f"one pass over 512 tokens: {sum(flops(512)) / 1e9:.0f} GFLOPs")

# %% jupyter={"outputs_hidden": true}
lengths = [2**i for i in range(6, 16)]
crossing = next(T for T in range(1, 100_000) if flops(T)[1] > flops(T)[0])
fig, ax = plt.subplots(figsize=(6, 2.8))
for i, (name, style) in enumerate({"matrices of the blocks": "-", "core": "--", "logits": ":"}.items()):
    ax.plot(lengths, [flops(T)[i] / T / 1e6 for T in lengths], style, label=name)
ax.set(xscale="log", yscale="log", xlabel="tokens T", ylabel="MFLOPs for each token")
ax.set_title(f"GPT-2: the core overtakes the matrices beyond T = {crossing - 1:,}")
_ = ax.legend()
assert crossing - 1 == 6 * D and config.max_len == 1024

# %% jupyter={"outputs_hidden": true}
options = "below 1,000 tokens", "1,000 to 5,000 tokens", "above 5,000 tokens"
predict("09_block.core", actual=options[(crossing > 1000) + (crossing > 5000)])

# %% [markdown]
# $4 T^2 D > 24\, T D^2$ as soon as $T > 6D$. GPT-2 never gets there: it reads at most 1,024 tokens. A model as wide as
# 8,192 gets there at 49,152.
#
# One warning about counters. On the CPU, the counter of the torch used here does not know the fused attention kernel,
# and counts its core as nothing. Check what a tool counts before you quote it:

# %%
small = GPT(TransformerConfig.preset("nano", vocab_size=50)).eval()
fused = counted(small, 32)
with replace_attention(small, scaled_dot_product_attention):
    explicit = counted(small, 32)
core = small.config.n_layers * 4 * 32**2 * small.config.d_model
print("missing from the count of the fused model, exactly the core:", explicit - fused == core)

# %% [markdown]
# ## 8. Play
#
# Choose a family, then its sizes. Left the choices and the shapes of the weights, in the middle one block with the shape on
# every arrow, right all parameters.
#
# 1. GPT-2 small: what does tying the output to the embedding save, in per cent of the *untied* model?
# 2. GPT-2 at its width of 768: how many layers until token embedding and positions are below 10 %?
# 3. Move the heads H of GPT-2. What changes in the block, and what in the bars? Back at H = 12, move "heads of k, v" alone,
#    to 1. How many per cent of attention's parameters are left?
# 4. SmolLM2 has about as many parameters as GPT-2 small, but 30 layers. What pays for them?

# %%
explorer = FamilyExplorer()
explorer

# %%
tied, untied = (FamilyExplorer(tied=choice).total for choice in (True, False))


def embedding_share(n_layers):
    one = FamilyExplorer(n_layers=n_layers)
    return (one.parameters["token embedding"] + one.parameters["positions and segments"]) / one.total


enough = next(n for n in range(1, 97) if embedding_share(n) < 0.1)

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. 24 %. 2\. 51 layers: the embeddings are a fixed cost. 3\. H changes the shapes of q, k, v and of the weights, and no
# bar at all. With one head of k, v 54 % are left: $W_K$ and $W_V$ are narrower, and only attention shrinks. 4\. A smaller
# width, 576 for 768, which alone makes a block 0.56 of GPT-2's; with keys and values shared it is 0.50.
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("tying saves 24 %:", round(100 * (1 - tied / untied)) == 24, "| 51 layers:", enough == 51)
one_kv = FamilyExplorer(n_kv_heads=1).parameters["attention"] / FamilyExplorer().parameters["attention"]
a_block = [(parts[name]["attention"] + parts[name]["feed-forward"]) / configs[name].n_layers for name in published]
print("one head of k, v leaves 54 %:", round(100 * one_kv) == 54)
print("a block of SmolLM2 is 0.50 of GPT-2's:", round(a_block[3] / a_block[1], 2) == 0.5)
print("H changes no bar:", FamilyExplorer(n_heads=4, n_kv_heads=4).parameters == FamilyExplorer().parameters)
print("(576 / 768)^2 is 0.56:", round((576 / 768) ** 2, 2) == 0.56, "| 6 x 8,192 is 49,152:", 6 * 8192 == 49_152)

# %% [markdown]
# ## 9. What people get wrong
#
# **`[block] * L`.** Python repeats a *reference*. How many parameters have six layers made in this way, compared with six
# blocks?

# %%
predict("09_block.shared", None)  # "the same" or "six times" as many in the six blocks

# %% jupyter={"outputs_hidden": true}
config = TransformerConfig(vocab_size=50, d_model=64, n_heads=4)
shared, own = nn.ModuleList([Block(config)] * 6), nn.ModuleList(Block(config) for _ in range(6))
numbers = [sum(parameter.numel() for parameter in blocks.parameters()) for blocks in (shared, own)]
predict("09_block.shared", actual="six times" if numbers[1] == 6 * numbers[0] else "the same")

# %% [markdown]
# It runs and it trains: one set of weights, applied six times. (Some models share on purpose: Lan et al. 2019.) A plain
# Python list of six blocks is the opposite slip: six sets of weights, none of which an optimiser finds.


# %%
class Hidden(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [Block(config) for _ in range(6)]


print("parameters in a plain list:", len(list(Hidden().parameters())))

# %% [markdown]
# **"Add & Norm" read as stacking** (M19): the figure of 2017 is taken to say that the outputs of layers are added up. Add
# is the residual addition *inside* a block; a stack hands $x$ from block to block. Adding up side by side gives one wide
# layer. It cannot even tell the order of its blocks:

# %%
x, blocks = torch.randn(2, 5, 64), list(own)


def stacked(blocks):
    y = x
    for block in blocks:
        y = block(y)
    return y


def added_up(blocks):
    return sum(block(x) for block in blocks)


for make in (stacked, added_up):
    print(
        f"{make.__name__:9} blocks reversed, same output:", torch.allclose(make(blocks), make(blocks[::-1]), atol=1e-4)
    )

# %% [markdown]
# **"The encoder is attention, the decoder is the feed-forward network"** (M29). Every block has both. Take the encoder's
# feed-forward layers and the decoder's attentions from the translator, as that sentence says, and see:

# %%
silent = [block.feed_forward for block in model.encoder.blocks]
silent += [part for block in model.decoder.blocks for part in (block.attention, block.cross_attention)]
hooks = [part.register_forward_hook(lambda part, inputs, output: 0 * output) for part in silent]
print("dates still right:", f"{exact_match(model, tokenizer, held_out):.0%}")
for hook in hooks:
    hook.remove()
print("with both everywhere, at least 98 %:", exact_match(model, tokenizer, held_out) >= 0.98)

# %% [markdown]
# ## 10. In the package
#
# `transformer_lab/blocks.py` holds `Embedding`, `Block` and `Stack`; `models.py` puts them together to the three classes, in
# a few lines each. The translator is one of them. Here is its whole way by hand, both stacks:

# %%
source, target = source[:4], target[:4]  # (4, S), (4, T)
source_mask = source_mask[:4]
with torch.no_grad():
    memory, positions = model.embedding(source, source_mask)  # positions: for rotary models, not used here
    for block in model.encoder.blocks:
        memory = block(memory, source_mask[:, None, None, :])  # (4, S, D)
    y, positions = model.embedding(target)
    for block in model.decoder.blocks:
        y = block(y, causal=True, memory=memory, memory_mask=source_mask[:, None, None, :])  # (4, T, D)
    logits = y @ model.embedding.tokens.weight.T  # (4, T, 55); post-norm: no final norm
    assert torch.allclose(logits, model(source, target, source_mask), atol=1e-4)
logits.shape

# %% [markdown]
# That a config gives the *published* models is proved with their weights: the package's tests compare logits with the
# reference implementations, and lessons 13 and 14 load SmolLM2 and MiniLM into these very classes.
#
# ## 11. Check yourself
#
# <details><summary>Why does a pre-norm stack need a final norm, and a post-norm stack none?</summary>
#
# Pre-norm normalises what a part reads, never the sum itself, and the sum grows from block to block. In post-norm the last
# thing a block does is to normalise.
#
# </details>
#
# <details><summary>You double the width D, and d_ff with it, and keep everything else. What happens to the parameters of
# the blocks, of the embedding, and to the core's FLOPs?</summary>
#
# About four times (the matrices exactly; biases and norms only double), twice, twice.
#
# </details>
#
# <details><summary>A part is switched off in a trained model and nothing breaks. Is the part useless?</summary>
#
# No. It may be needed in training (the causal mask), on other inputs, or in a larger model; and another part may stand in
# for it.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/09_block/block.ipynb): three core questions, then four more.
#
# ## Takeaways
#
# * A block: attention and feed-forward layer, each with a residual connection and a norm. Same shape in and out.
# * Pre-norm leaves the sum alone and needs a final norm; post-norm normalises the sum.
# * Four families are one set of parts; the config, and which stacks there are, tell them apart.
# * A GPT-2 block has $12D^2 + 13D$ parameters; a matrix costs 2 FLOPs an entry and token; the core $4T^2D$ a layer.
# * What a trained model leans on and what a model needs are two questions.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), figure 1. Devlin et al. (2018),
# [arXiv:1810.04805](https://arxiv.org/abs/1810.04805): BERT. Wang et al. (2020),
# [arXiv:2002.10957](https://arxiv.org/abs/2002.10957): MiniLM. Touvron et al. (2023),
# [arXiv:2302.13971](https://arxiv.org/abs/2302.13971): Llama. Ben Allal et al. (2025),
# [arXiv:2502.02737](https://arxiv.org/abs/2502.02737): SmolLM2. Xiong et al. (2020),
# [arXiv:2002.04745](https://arxiv.org/abs/2002.04745): pre- and post-norm. Lan et al. (2019),
# [arXiv:1909.11942](https://arxiv.org/abs/1909.11942): layers that share weights. Radford et al. (2019) is GPT-2's report
# and has no arXiv number.
#
# Previous: [08 Positions](08_positions.ipynb). Next: 10 Tokens.
