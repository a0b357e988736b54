# %% [markdown]
# # 09 The block
#
# **Is that all? Are GPT-2, BERT and Llama made of nothing but the parts of lessons 02 to 08, and does a model need every one
# of them?**
#
# ![The Transformer of 2017, drawn from its configuration, with the lesson that built each part. Left the encoder, six blocks:
# self-attention with 8 heads of 64 (lessons 02 and 04), a feed-forward layer 512, 2048, 512 (05), around each a residual path
# (06) and after it a layer norm (07); below, token vectors and sinusoidal positions (08). Right the decoder, six blocks with
# masked self-attention (03), cross-attention to the encoder's vectors (02) and feed-forward; above, the scores of the next
# token.](figures/09_block_whole.svg)
#
# You have built the parts of this picture one by one. It is redrawn from figure 1 of *Attention Is All You Need*,
# the paper of 2017 that named the Transformer. Only its two ends are still to be written: from ids to vectors,
# and from vectors to scores.
#
# Now we put it all together: one block, a whole translator, the models that everybody talks about. On the way we
# take the parts out again, one at a time. At the end a model that you have trained writes something of its own. You
# will be able to
#
# * follow a whole Transformer, written out by hand, from token ids to the next token;
# * read the configuration of a published model, and say what sets it apart from another;
# * count what a model will cost, in parameters and in arithmetic, before you build it.
#
# About 55 minutes. It builds on lessons [02](02_attention.ipynb) to [08](08_positions.ipynb).

# %%
import math
from contextlib import nullcontext
from dataclasses import asdict, replace

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

# %%
from transformer_lab import BERT, GPT, Transformer, TransformerConfig, exact_match, load, switch_off
from transformer_lab.analysis.ablation import PARTS
from transformer_lab.analysis.access import replace_attention
from transformer_lab.attention import scaled_dot_product_attention
from transformer_lab.data import dates
from transformer_lab.data.tokenizers import CharacterTokenizer
from transformer_lab.experiments import recorded
from transformer_lab.generation import generate
from transformer_lab.glossary import TERMS
from transformer_lab.grading import predict
from transformer_lab.layers import Residual
from transformer_lab.viz import FamilyExplorer, ModelTour, parameters_by_part, plots

plots.use_style()
_ = torch.manual_seed(0)
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)

# %% [markdown]
# ## 1. One block, by hand
#
# How do the parts fit together? Here is block 1 of the translator's encoder as it reads `Sunday, November 22,
# 2026`: ten tokens, each a vector of 64 numbers.
#
# ![One block, from below: x of shape (1, 10, 64) goes into self-attention with 4 heads of 16, where each token gathers from the
# others; a path around it brings x to a plus, then comes a layer norm. The same again with the feed-forward layer, 64, 256, 64,
# where each token works by itself. Beside it four lines: y = attention(x), x = norm_1(x + y), y = feed_forward(x), x =
# norm_2(x + y), each of shape (1, 10, 64).](figures/09_block_block.svg)
#
# In **attention** a token gathers from the others; in the **feed-forward layer** it works alone on what it has
# gathered. Around each goes a residual path, and after each comes a norm. That makes a **block**. We run the
# drawing's four lines with the trained model's parts, and compare the result with what the model's own block
# gives:

# %%
block = model.encoder.blocks[0]  # block 1: Python counts from 0
attention, feed_forward = block.attention, block.feed_forward
norm_1, norm_2 = block.attention_residual.norm, block.feed_forward_residual.norm
source, _ = tokenizer.batch(["Sunday, November 22, 2026"])

with torch.no_grad():
    x, _ = model.embedding(source)
    given = x
    y = attention(x)
    x = norm_1(x + y)
    y = feed_forward(x)
    x = norm_2(x + y)
    difference = (x - block(given)).abs().max()
assert difference < 1e-4
print("went in:", tuple(given.shape), "  came out:", tuple(x.shape))
print(f"numbers up to {x.abs().max():.1f}, differences below 0.0001")

# %% [markdown]
# The four lines are the block. What comes out has the shape of what went in, so you can put a block on top of a
# block: a **stack**.
#
# One choice is left: where the norm stands. The translator and BERT put it *after* the plus (post-norm), GPT-2 and
# Llama *in front of* each part (pre-norm). Do you recall which of the two trained without a warm-up at every rate
# we tried, and which usually has one more norm after the last block?
#
# <details><summary>The two, line by line</summary>
#
# Pre-norm, both times.
#
# | | post-norm (2017, BERT) | pre-norm (GPT-2, Llama) |
# |---|---|---|
# | attention | $x \leftarrow \text{norm}_1(x + \text{attention}(x))$ | $x \leftarrow x + \text{attention}(\text{norm}_1(x))$ |
# | feed-forward | $x \leftarrow \text{norm}_2(x + \text{ff}(x))$ | $x \leftarrow x + \text{ff}(\text{norm}_2(x))$ |
# | after the last block | nothing | one more norm |
#
# Lesson [07](07_layer_norm.ipynb) measured at which learning rates each of them trains; lesson
# [06](06_residual.ipynb) drew the path that pre-norm leaves free: within the blocks the sum is only ever added
# to, and never normalised.
#
# </details>
#
# ## 2. A translator, by hand
#
# Stacks turn vectors into vectors. How do ids get in, and how does the next token come out? Back to the first
# drawing, with two blocks in each stack instead of six.
#
# * **Below**, each id picks its row from a table, whose numbers began with variance 1/64 ([lesson
#   01](01_toolkit.ipynb)). The row is multiplied by $\sqrt{64} = 8$: in a new table its numbers then have variance 1.
#   Then the position is added.
# * **Above**, a token's vector is compared with every row of *the same table*, by dot products: the better it
#   agrees with a row, the higher that row's token scores. These scores of all 55 tokens of the **vocabulary** are
#   the **logits**. Using one table for both ends is called **weight tying**.
#
# All the rest is two loops. (With one sentence at a time, there is no padding to mask.)

# %%
table, places = model.embedding.tokens.weight, model.embedding.positions.table  # (55, 64), (64, 64)
factor = math.sqrt(64)


def embed(ids):
    """(B, T) -> (B, T, 64)"""
    return factor * table[ids] + places[: ids.shape[1]]


def encode(ids):
    """(B, S) -> (B, S, 64): one vector for each token of the source"""
    x = embed(ids)
    for block in model.encoder.blocks:
        x = block.attention_residual.norm(x + block.attention(x))
        x = block.feed_forward_residual.norm(x + block.feed_forward(x))
    return x


# %%
def decode(ids, memory):
    """(B, T), (B, S, 64) -> logits (B, T, 55)"""
    x = embed(ids)
    for block in model.decoder.blocks:
        x = block.attention_residual.norm(x + block.attention(x, causal=True))
        x = block.cross_residual.norm(x + block.cross_attention(x, memory=memory))
        x = block.feed_forward_residual.norm(x + block.feed_forward(x))
    return x @ table.T


target, _ = tokenizer.batch(["2026年11月22日星期日"], bos=True)
with torch.no_grad():
    ours, theirs = decode(target, encode(source)), model(source, target)
assert (ours - theirs).abs().max() < 1e-3
print(f"logits up to {theirs.abs().max():.1f}, differences below 0.001")

# %% [markdown]
# Our logits agree with the model's. To write, the translator reads the English once, then picks the token with
# the highest score, again and again, until that is the token for the end:


# %%
@torch.no_grad()
def write(text):
    memory = encode(tokenizer.batch([text])[0])
    ids = torch.tensor([[tokenizer.bos_id]])
    while ids[0, -1] != tokenizer.eos_id and ids.shape[1] < 14:
        best = decode(ids, memory)[:, -1:].argmax(dim=-1)
        ids = torch.cat((ids, best), dim=1)
    return tokenizer.decode(ids[0, 1:].tolist())


birthdays = ["Sunday, November 22, 2026", "Friday, March 13, 2026"]
for text in birthdays:
    print(f"{text:26}", write(text))

# %% [markdown]
# There it is: a translator, put together from parts that you know. Put your own birthday in.
#
# Now leave out a detail, the factor 8. The shapes still fit, and nothing complains:

# %%
factor = 1
for text in birthdays:
    print(f"{text:26}", write(text))
factor = math.sqrt(64)

# %% [markdown]
# It loses the thread before the year is written. The detail is part of the model.
#
# **What about the order of the blocks?** All blocks of a stack are built alike, and the shapes fit in any order. Swap the two
# of the encoder, or the two of the decoder. Which swap costs this translator more dates?

# %%
predict("09_block.order")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def swapped(stack):
    """Exact match, and a sample, while the stack runs its two blocks in the other order."""
    blocks = stack.blocks
    try:
        stack.blocks = nn.ModuleList([blocks[1], blocks[0]])
        return exact_match(model, tokenizer, held_out), write(birthdays[0])
    finally:
        stack.blocks = blocks


rows = {name: swapped(stack) for name, stack in (("encoder", model.encoder), ("decoder", model.decoder))}
for name, (share, sample) in rows.items():
    print(f"blocks of the {name} swapped: {share:.0%} of the dates are right; our example becomes {sample}")
assert 0.1 < rows["encoder"][0] < 0.3 and rows["decoder"][0] == 0
gap = rows["encoder"][0] - rows["decoder"][0]
predict("09_block.order", actual="neither" if abs(gap) < 0.1 else "decoder" if gap > 0 else "encoder")

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# The decoder's. With its blocks swapped it stammers, and no date is right. With the encoder's swapped, a fifth of the dates
# survives; our example has lost one digit and the weekday.
#
# So the blocks are built alike, and yet in this trained model each has its own place.
#
# </details>
#
# ## 3. Which of the parts does it need?
#
# Our translator is whole. Which of its parts could it spare? Here each of eight parts in turn is switched off in
# the trained model. Look for the bars that vanish. The names of three parts need a word:
#
# * without *scale*, the scores of attention are not divided by $\sqrt{16}$ ([lesson 02](02_attention.ipynb)); the
#   factor 8 of section 2 stays;
# * without *choice*, attention gives the same weight to all tokens that it may see;
# * without *heads*, only the first head of each attention gives an output; the other three give zeros.

# %% jupyter={"source_hidden": true}
dates_right = {}
for part in ("nothing", *PARTS):
    with nullcontext() if part == "nothing" else switch_off(model, part):
        dates_right[part] = exact_match(model, tokenizer, held_out)
taken = sorted(dates_right, key=dates_right.get, reverse=True)
fatal = sum(dates_right[part] < 0.02 for part in PARTS)
title = f"Taken from the trained model, {fatal} of 8 parts leave hardly a date right"
_ = plots.shares(plt.subplots(figsize=(7, 2.8))[1], {part: dates_right[part] for part in taken}, title)
assert fatal == 5 and dates_right["causal mask"] == dates_right["nothing"]

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks what is said below: `write`, which keeps nothing, with the mask and without
masked, shares = decode, {}
for part in ("nothing", "causal mask"):
    with nullcontext() if part == "nothing" else switch_off(model, part):
        decode = lambda ids, memory: model.logits(model.decode(ids, memory=memory))  # noqa: E731
        shares[part] = sum(write(pair.source) == pair.target for pair in held_out) / len(held_out)
decode = masked
print(f"write, without the causal mask: {shares['causal mask']:.0%} of the dates are right")
assert shares["nothing"] > 0.98 and 0.72 < shares["causal mask"] < 0.75

# %% [markdown]
# Take away any one of five parts, and hardly a date is right. The causal mask is not missed, with the cache that
# `exact_match` uses.
#
# <details><summary>Deeper: why does the causal mask cost nothing here?</summary>
#
# `exact_match` keeps what it has computed for the tokens before, and there is no later token to hide. Our `write`
# of section 2 computes everything anew. Without the mask, the earlier tokens see later ones, and `write` gets
# only 73 % of the dates.
#
# </details>
#
# Does every translator need the parts that ours cannot spare? Or has only ours, trained with them, come to lean
# on them? Both would look like this. So we trained translators that *never had* one of the parts: three seeds for
# each part, for 400 steps (`experiments/parts.py`). Sizes, data, learning rate and warm-up are the same for all,
# and gradients that are too long are shortened (*clipped*).
#
# Two answers you know: without the causal mask, a model hardly learns to write (lesson 03), and without positions
# it gets a fifth of the dates (lesson 08). How many of the *other six* parts can a new translator do without, one
# at a time, and get 95 % of the dates right after these 400 steps?

# %%
predict("09_block.never_had")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
kept = recorded("parts")["result"]
never = {part: kept[part]["never had"] for part in taken}
without = [part for part in PARTS if min(never[part]) >= 0.95]
for part in taken:  # what was recorded is what this notebook measures
    assert abs(kept[part]["removed"] - dates_right[part]) < 0.03 and len(never[part]) == 3

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fig, ax = plt.subplots(figsize=(7, 4.2))
rows = range(len(taken))
ax.barh(
    rows, [100 * dates_right[part] for part in taken], height=0.55, alpha=0.45, label="taken from the trained model"
)
for seed in range(3):
    name = "never had it: three models" if not seed else None
    ax.plot([100 * never[part][seed] for part in taken], rows, "o", color=plots.COLORS[1], label=name, clip_on=False)
ax.set(yticks=rows, yticklabels=taken, xlim=(0, 102), xlabel="dates translated exactly (%)")
ax.set_title(f"In 400 steps, {len(without)} of 8 parts can be done without on this task, if never had")
ax.invert_yaxis()
_ = ax.legend(loc="lower center", bbox_to_anchor=(0.45, -0.34), ncol=2)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
others = [part for part in without if part not in ("causal mask", "positions")]
found = "none" if not others else "one or two" if len(others) < 3 else "three or more"
predict("09_block.never_had", actual=found)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
assert set(without) == {"scale", "heads", "feed-forward", "layer norm"}
assert max(never["causal mask"] + never["residual"]) == 0 and 0.35 < min(never["choice"]) < max(never["choice"]) < 0.5
assert 0.15 < min(never["positions"]) < max(never["positions"]) < 0.25 and min(never["nothing"]) > 0.99

# %% [markdown]
# <details><summary>What does it show? Open after your guess</summary>
#
# **Four**: the feed-forward layer, the norm (with a warm-up and clipped gradients), all heads but one, and the
# scale of attention. Without any one of the first three the trained model gets few dates or none, as the bars
# show, and yet new models learn the dates without it.
#
# The **causal mask** is the opposite. The trained model does not miss it in `exact_match`, which keeps what was
# computed for the tokens before. A new model does not learn to write without it: in training it may copy the
# token that it should predict ([lesson 03](03_masks.ipynb)).
#
# Without the residual path, the positions, or the choice where to look, the new translators got at most half of the
# dates right after 400 steps.
#
# Do not conclude that the first four are superfluous. The task is small, and the stacks are two blocks deep. Stacks of 32
# sub-layers did need a norm, or a smaller start ([lesson 06](06_residual.ipynb)). Where a table was to be learnt by heart,
# attention with a feed-forward layer learnt more of it than three attentions of the same size
# ([lesson 05](05_feed_forward.ipynb)).
#
# </details>
#
# An **ablation** ([lesson 02](02_attention.ipynb)) can answer two questions. *Taken away* asks what this model
# leans on. *Never had it* asks what a model can learn without, in the time that it gets. Whenever you read about an
# ablation, ask which of the two it was.
#
# ## 4. Who may look where
#
# So much for our translator. Are GPT-2 and BERT made of the same parts? Some details differ, such as where the
# norm stands. So do the answers to two questions: may a token look ahead, and is there a second text to look at?
#
# ![Three models drawn from their configurations. GPT-2, 124 million parameters: one stack of 12 blocks, each token looks back
# only, it writes the next token. BERT, 109 million: one stack of 12 blocks, each token looks both ways, it gives a vector for
# each token. The Transformer of 2017, 63 million: an encoder of 6 blocks that looks both ways, and a decoder of 6 that looks
# back and, by cross-attention, at the encoder. Residual paths and norms are not drawn.](figures/09_block_families.svg)
#
# * A model that *writes* is trained at all places of a text at once. So each place looks back only, or it would
#   see the token that it must predict. That is a **decoder**; alone, without cross-attention, it is a **GPT**.
# * A model that *reads* may look both ways. That is an **encoder**; alone it is a **BERT**.
# * A model that reads one text to write another can have both, joined by cross-attention: the model of 2017.
#
# We build four published models from their settings (*configs*), as shapes without numbers, to save memory.
# (MiniLM is a small BERT, SmolLM2 a small Llama.) Does any of them have a part that is not from lessons 02 to 08?

# %%
published = {
    "2017": (Transformer, "vaswani2017"),
    "GPT-2": (GPT, "gpt2"),
    "MiniLM, a BERT": (BERT, "minilm"),
    "SmolLM2, a Llama": (GPT, "smollm2-135m"),
}
configs = {name: TransformerConfig.preset(preset) for name, (_, preset) in published.items()}
with torch.device("meta"):  # shapes only
    built = {name: family(configs[name]) for name, (family, _) in published.items()}


# %% jupyter={"source_hidden": true}
def parts(module, path=""):
    """(place, part) for each part. What only holds others is opened, of a list the first only: its blocks are alike."""
    for name, child in module.named_children():
        holds = isinstance(child, nn.ModuleList | Residual) or type(child).__module__ == "transformer_lab.blocks"
        if not holds or isinstance(child, Residual):
            yield f"{path}{name}", child
        if holds:
            yield from parts(child[:1] if isinstance(child, nn.ModuleList) else child, f"{path}{name}.")


# %% jupyter={"source_hidden": true}
lessons = {f"transformer_lab.{file}" for file in ("attention", "layers", "positions")}  # what lessons 02 to 08 built
for name, one in built.items():
    found = [pair for pair in parts(one) if type(pair[1]).__name__ not in ("Dropout", "Identity", "NoPositions")]
    known = {type(part).__name__ for _, part in found if type(part).__module__ in lessons}
    new = [place for place, part in found if type(part).__module__ not in lessons]
    print(
        f"{name}\n    from lessons 02 to 08:  {', '.join(sorted(known))}\n    anything else:          {', '.join(new)}"
    )
    assert new == ["embedding.tokens", *(["embedding.segments", "pooler"] if "BERT" in name else [])]
    ends = {place for place, _ in found if ".blocks." not in place}
    assert ("embedding.norm" in ends) == ("BERT" in name)

# %% [markdown]
# `embedding.tokens` is the table of section 2. Dropout left aside, of these four only the BERT has more than you have
# built, and it is little: a second table and a norm below the blocks, and a matrix above them.
#
# <details><summary>Deeper: what the BERT has at its ends</summary>
#
# * `segments`, a second table with a row for each of two texts. The row is added as positions are, so that the
#   model can tell a question from its answer.
# * A layer norm in a new place, after the embedding. (You know its class, so it is not listed under "anything
#   else".)
# * `pooler`, one more matrix at the exit, and a tanh after it.
#
# (The BERT that was published first also has a head that guesses masked words: [lesson 15](15_bert.ipynb).)
#
# </details>
#
# GPT-2 and SmolLM2 both look back only. What sets them apart?
#
# ## 5. From GPT-2 to Llama
#
# GPT-2 appeared in 2019, Llama in 2023. What became of the block in between? SmolLM2 is built in the style of the
# later Llamas. Here is where its config differs from GPT-2's, leaving aside sizes and the base of rotary's
# frequencies:

# %%
numbers = ("vocab_size", "d_model", "n_heads", "n_layers", "d_ff", "max_len", "rope_theta")
gpt2, llama = asdict(configs["GPT-2"]), asdict(configs["SmolLM2, a Llama"])
changed = [field for field in gpt2 if gpt2[field] != llama[field] and field not in numbers]
print(f"{'':11}  GPT-2        Llama's style")
for field in changed:
    print(f"{field:11}  {gpt2[field]!s:11}  {llama[field]}")
assert len(changed) == 5

# %% [markdown]
# Five lines, and you have met each of them:
#
# * `n_kv_heads`: the query heads share three heads of keys and values, so that a cache keeps less
#   (**grouped-query attention**, [lesson 04](04_multi_head.ipynb));
# * `norm`: divide a vector by its size and leave its mean in, to save time ([lesson 07](07_layer_norm.ipynb));
# * `activation`: a gate in the feed-forward layer, found better by trial ([lesson 05](05_feed_forward.ipynb));
# * `positions`: turn queries and keys, so that places enter a score as offsets only ([lesson
#   08](08_positions.ipynb));
# * `bias`: linear layers without one.
#
# So is that all? For these four, yes, but for a few small things at the two ends of the BERT. Does a model need
# every part? For one small task, section 3 answered that: a trained translator leans on nearly all its parts, and
# yet a new one can learn the task without any one of four of them. This does not tell us what a large model
# needs.
#
# ## 6. What does it cost?
#
# Now for the sizes, which cost money. Count the parameters in one block of GPT-2, of width $D = 768$. Attention
# has four matrices $D \times D$, and the feed-forward layer two of $D \times 4D$: together $12 D^2$. Biases and
# norms add $13 D$, which is next to nothing. There are $L = 12$ blocks, a final norm, and a row for each of $V$
# tokens and each of the 1,024 positions:
#
# $$N = L\,(12 D^2 + 13 D) + 2D + (V + 1024)\, D$$

# %%
config = configs["GPT-2"]
V, D, L = config.vocab_size, config.d_model, config.n_layers
by_formula = L * (12 * D**2 + 13 * D) + 2 * D + (V + config.max_len) * D
print(f"GPT-2 small, by the formula: {by_formula:,} parameters")
assert by_formula == sum(parameter.numel() for parameter in built["GPT-2"].parameters())

# %% jupyter={"source_hidden": true}
print("of all parameters        embeddings  attention  feed-forward")
for name, (family, _) in published.items():
    sizes = parameters_by_part(configs[name], family.__name__)
    total = sum(sizes.values())
    assert total == sum(parameter.numel() for parameter in built[name].parameters())
    embeddings = sizes["token embedding"] + sizes["positions and segments"]
    three = embeddings / total, sizes["attention"] / total, sizes["feed-forward"] / total
    print(f"{name:17}{total / 1e6:4.0f} M  {three[0]:10.0%}{three[1]:11.0%}{three[2]:14.0%}")

# %% [markdown]
# In a small model a large vocabulary weighs heavily: half of MiniLM is embeddings.
#
# **Arithmetic.** A number in a matrix is used once for each token, in one multiplication and one addition: 2
# FLOPs (floating-point operations) per parameter and token. Twice the tokens cost twice as much.
#
# The **core of attention** has no parameters and still costs: two products, queries with keys and weights with
# values. It compares all tokens with all, so twice the tokens cost four times as much. "Attention is quadratic",
# people say, "so it is what makes long texts expensive."
#
# Let GPT-2 read the longest text that it can, 1,024 tokens. Which takes more FLOPs: the core, in all twelve blocks
# together, or the logits, one product with the token table at the very end? (Count matrix products only, and every
# pair of tokens, hidden by the mask or not.)

# %%
predict("09_block.core")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def flops(T):
    """(matrices of the blocks, core, logits) of GPT-2 for one sequence of T tokens"""
    return L * 2 * T * 12 * D**2, L * 4 * T**2 * D, 2 * T * V * D


with replace_attention(built["GPT-2"], scaled_dot_product_attention):  # two products that torch's counter can see
    for T in (64, 512):
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            built["GPT-2"](torch.zeros(1, T, dtype=torch.long, device="meta"))
        assert sum(flops(T)) == counter.get_total_flops()

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
lengths = [2**i for i in range(6, 16)]
crossing = next(T for T in range(1, 100_000) if flops(T)[1] > flops(T)[0])
fig, ax = plt.subplots(figsize=(7, 3))
for i, (name, style) in enumerate({"matrices of the blocks": "-", "core of attention": "--", "logits": ":"}.items()):
    ax.plot(lengths, [flops(T)[i] / T / 1e6 for T in lengths], style, label=name)
ax.axvspan(config.max_len, lengths[-1], color="grey", alpha=0.15, label="longer than GPT-2 reads")
ax.set(xscale="log", yscale="log", xlabel="tokens T", ylabel="MFLOPs for each token", xlim=(64, lengths[-1]))
matrices, core, logits = (one / config.max_len / 1e6 for one in flops(config.max_len))
ax.set_title(
    f"GPT-2 small at 1,024 tokens: core {core:.0f}, logits {logits:.0f}, matrices {matrices:.0f} MFLOPs a token"
)
_ = ax.legend(fontsize=8)
assert crossing - 1 == 6 * D and config.max_len == 1024
assert [round(one) for one in (matrices, core, logits)] == [170, 38, 77] and V // 24 == 2094  # what is said below

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
larger = "the core" if core > 1.2 * logits else "the logits" if logits > 1.2 * core else "about the same"
predict("09_block.core", actual=larger)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The logits, and they take twice as much. At 1,024 tokens each token costs 170 million FLOPs in the matrices of the blocks,
# 77 million in the logits and 38 million in the core: the quadratic part is the smallest of the three.
#
# But what the core costs *for each token* grows with the length of the text. What the matrices and the logits cost
# for each token does not. For $T$ tokens the core of all twelve blocks costs $48\,T^2 D$ FLOPs, their matrices $2T
# \cdot 144 D^2$, and the logits $2T \cdot VD$. So the core overtakes the logits at $T = V/24$, some 2,100 tokens, and
# the matrices at $T = 6D$, 4,608 tokens, 4.5 times as far as GPT-2 can read.
#
# Quadratic is right. Whether it matters depends on the length, *and on the width* $D$. (FLOPs are not seconds, and
# memory is a third question: lessons to come.)
#
# </details>
#
# ## 7. Play
#
# Choose a family, then its sizes. On the left are the settings and the shapes of the matrices, in the middle a
# block with its shapes, and on the right all parameters. (The still picture shows the last two.)
#
# 1. GPT-2 small: switch weight tying off, then on again. By how many per cent does tying make the model smaller?
# 2. Move the heads H of GPT-2. What changes in the block, and what in the bars? Back at H = 12, move "heads of k, v"
#   alone, to 1. How many per cent of attention's parameters are left?
# 3. SmolLM2 has 30 blocks, GPT-2 small 12. How can it have nearly as few parameters?

# %%
explorer = FamilyExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. 24 %.
#
# 2\. H changes the shapes of q, k, v and of the attention weights, and no bar at all. With one head of k, v 54 %
# are left: $W_K$ and $W_V$ are narrower.
#
# 3\. Its blocks are smaller. With a width of 576 instead of 768, and shared keys and values, each has half as many
# parameters as a block of GPT-2. Its table is smaller, too. So 30 blocks and a table make 134.5 million, where GPT-2
# has 124.4.
#
# </details>

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
tied, untied = (FamilyExplorer(tied=choice).total for choice in (True, False))
assert round(100 * (1 - tied / untied)) == 24 and flops(1024)[1] < flops(1024)[0] / 4
assert FamilyExplorer(n_heads=4, n_kv_heads=4).parameters == FamilyExplorer().parameters

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
one_kv = FamilyExplorer(n_kv_heads=1).parameters["attention"] / FamilyExplorer().parameters["attention"]
a_block = []
for name in ("SmolLM2, a Llama", "GPT-2"):
    sizes = parameters_by_part(configs[name], "GPT")
    a_block.append((sizes["attention"] + sizes["feed-forward"]) / configs[name].n_layers)
    n_parameters = sum(p.numel() for p in built[name].parameters()) / 1e6
    assert round(n_parameters, 1) == {"SmolLM2, a Llama": 134.5, "GPT-2": 124.4}[name]
assert round(100 * one_kv) == 54 and round(a_block[0] / a_block[1], 2) == 0.5
assert [round(block * n / 1e6) for block, n in zip(a_block, (30, 12), strict=True)] == [106, 85]

# %% [markdown]
# ## 8. What people get wrong
#
# **"The weights load, so the config is right."** Loading checks only names and shapes. Here three translators take
# the trained one's weights without a complaint. Only the first is cut into heads as the trained one is:

# %%
for n_heads in (4, 8, 2):
    other = Transformer(replace(model.config, n_heads=n_heads)).eval()
    other.load_state_dict(model.state_dict())
    share = exact_match(other, tokenizer, held_out)
    print(f"{n_heads} heads: {share:4.0%} of the dates are right")
    assert share > 0.98 if n_heads == 4 else share < 0.6

# %% [markdown]
# The same numbers, cut into other heads, are another model. It still gets some dates right, and no error is
# reported. After loading somebody's weights, compare an output with theirs.
#
# ## 9. What you have now
#
# Now make a GPT in the style of GPT-2, no larger than the translator. It learns the English terms of this
# course's [glossary](glossary.ipynb), letter by letter:

# %%
terms = [term.english for term in TERMS]
letters = CharacterTokenizer.train(terms)
texts, is_real = letters.batch(terms, bos=True, eos=True)
reads, writes, counts = texts[:, :-1], texts[:, 1:], is_real[:, 1:]
in_gpt2_style = TransformerConfig.preset("gpt2", vocab_size=len(letters), d_model=64, n_heads=4, n_layers=2, d_ff=256)


def loss_of(writer, rows):
    return nn.functional.cross_entropy(writer(reads[rows])[counts[rows]], writes[rows][counts[rows]])


# %%
def trained(config, steps=400):
    """A new model, trained on the terms; some ten seconds."""
    torch.manual_seed(0)
    writer = GPT(config)
    optimizer = torch.optim.AdamW(writer.parameters(), lr=3e-3)  # lesson 13 takes it apart
    for _ in range(steps):
        loss = loss_of(writer, torch.randint(len(reads), (32,)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return writer.eval()


def invented(writer, n=40):
    """What it writes, each letter drawn with the model's own probability (temperature 1); only terms that are new."""
    start = torch.full((n, 1), letters.bos_id)
    ids = generate(writer, start, 28, temperature=1.0, seed=0, stop=letters.eos_id, pad_id=letters.pad_id)
    return [text for text in map(letters.decode, ids.tolist()) if text not in terms]


# %% tags=["nbval-ignore-output"]
# output differs from machine to machine: what is drawn depends on the last digits
new = invented(trained(in_gpt2_style))
print(f"{40 - len(new)} of the 40 stand in the glossary. Some of the others:")
print(*new[:20], sep=", ")

# %% [markdown]
# Which of them would you look up? (Terms from the glossary are left out, since the model may know them by heart:
# see [lesson 13](13_training.ipynb).) Llama's style is five settings away:

# %% tags=["nbval-ignore-output"]
# output differs from machine to machine
in_llama_style = replace(in_gpt2_style, norm="rms", activation="swiglu", positions="rotary", bias=False, n_kv_heads=2)
print(*invented(trained(in_llama_style))[:20], sep=", ")

# %% [markdown]
# Two families, and not a line of the training changed. GPT-2, too, learnt to predict the next token, from more
# text and with more and wider blocks.
#
# **The whole way, once more.** To end Part I, here is the translator with all its stations, from the ids to the
# next token. We begin at the token 年, which ends the year.
#
# * **Left**, from above: the embedding, then a row for each block. A coloured bar shows how much a part added;
#   the number is the length of the vector after the block. "Could say" is the token that would be named if the
#   model ended there (the logit lens of [lesson 06](06_residual.ipynb)).
# * **Next to it**, for one part of a block (click a bar): in an attention, what the token reads there and with
#   which weights; in the decoder, what could be said now. (The still picture shows only the last attention of 年,
#   and what is said at the end.)
#
# Now choose 日, and go through the parts of block 2: at which of them does the model find out that it must not end
# yet, because a weekday is still to come?

# %%
tour = ModelTour(model, tokenizer, "Sunday, November 22, 2026")
tour.token = 5  # the decoder has read [BOS] 2 0 2 6 年
tour

# %% [markdown]
# <details><summary>Answer, when you have tried</summary>
#
# At cross-attention. After the self-attention before it, the likeliest token is [EOS], the end; after
# cross-attention, which reads the English, it is 星期日. Is that reading the cause? Silence this one
# cross-attention, and the model says [EOS]. Take the weekday out of the English, and it says [EOS] too.
#
# </details>


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the answer, and its controls
def said_after_day(tour):
    """The likeliest token at 日, station by station."""
    shown, at = tour.stacks[-1], tour.journeys["decoder"].tokens.index("日")
    return [shown["words"][step[at][0]] for step in shown["said"]["ids"]]


first, control = said_after_day(tour), said_after_day(ModelTour(model, tokenizer, "November 22, 2026"))
assert first[0] == "日" and first[4:] == ["[EOS]", "星期日", "星期日"] and control[4:] == ["[EOS]"] * 3
source, target = tokenizer.batch([birthdays[0]])[0], tokenizer.batch(["2026年11月22日"], bos=True)[0]
reading = model.decoder.blocks[1].cross_attention
silenced = reading.register_forward_hook(lambda part, given, out: torch.zeros_like(out))
with torch.no_grad():
    said = model(source, target)[0, -1].argmax().item()
silenced.remove()
assert said == tokenizer.eos_id

# %% [markdown]
# In the package the same stations stand in `transformer_lab/blocks.py` (`Embedding`, `Block`, `Stack`) and
# `models.py` (`Transformer`, `GPT`, `BERT`). Open them: you will find your own steps there.
#
# ## 10. Check yourself
#
# <details><summary>A list of weights holds `w_q.weight (512, 512)`. How many heads has the model?</summary>
#
# The list does not say. In section 8, models with 4, 8 and 2 heads took the same weights.
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
# Now do the [exercises of this lesson](../exercises/09_block/block.ipynb): three core questions, then optional ones.
#
# ## Takeaways
#
# * A block is attention and a feed-forward layer, each with a residual path and a norm. What comes out has the shape of what
#   went in, so blocks stack.
# * GPT looks back, BERT looks both ways, the model of 2017 does both in two stacks. Their blocks share most of
#   their parts.
# * From GPT-2 to Llama's style, as SmolLM2 has it: five settings, and size.
# * A block of GPT-2 has $12D^2 + 13D$ parameters; the core overtakes the matrices at $T = 6D$.
# * What a trained model leans on and what a model can learn without are two questions. The second asks for training without
#   the part, and its answer holds for as many steps as were run.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762): figure 1. Press and Wolf (2016),
# [arXiv:1608.05859](https://arxiv.org/abs/1608.05859): weight tying. Devlin et al. (2018),
# [arXiv:1810.04805](https://arxiv.org/abs/1810.04805): BERT. Wang et al. (2020),
# [arXiv:2002.10957](https://arxiv.org/abs/2002.10957): MiniLM. Touvron et al. (2023),
# [arXiv:2302.13971](https://arxiv.org/abs/2302.13971): Llama. Ben Allal et al. (2025),
# [arXiv:2502.02737](https://arxiv.org/abs/2502.02737): SmolLM2. Radford et al. (2019) is GPT-2's report, *Language Models are
# Unsupervised Multitask Learners*, and has no arXiv number.
#
# Previous: [08 Positions](08_positions.ipynb). Next: [10 Tokens](10_tokens.ipynb).
