# %% [markdown]
# # 03 Masks
#
# **How can a model learn to guess the next character from a text in which that character already stands?**
#
# ![The translator drawn from its configuration, with all attentions lit and a small mask beside each. In the decoder's
# self-attention the mask is a triangle, which hides what comes later. In the encoder's self-attention and in the
# cross-attention it is a table whose last column is closed, which hides padding.](figures/03_masks_where.svg)
#
# While the translator learns, it reads the correct translation, and not what it would have written itself (this is
# called **teacher forcing**). It gets all of it at once, and at every token it is asked for the next one. But the
# next one stands right there, one place further on. A **mask** keeps the model from looking: a table that says which
# token may look at which. In this lesson you build two masks, and train a model that *may* look, to see what becomes
# of it.
#
# You will be able to
#
# * hide tokens from attention, and say what becomes of the other weights;
# * test whether a model sees the future, without reading its code;
# * make masks for texts of different lengths, and for a model that writes.
#
# About 50 minutes. It builds on [lesson 02](02_attention.ipynb); [lesson 01](01_toolkit.ipynb) says what a loss is.

# %%
import math
import statistics

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from transformer_lab import causal_mask, exact_match, load, replace_attention, scaled_dot_product_attention, switch_off
from transformer_lab.analysis.access import patched
from transformer_lab.analysis.recording import record_heads
from transformer_lab.attention import explicit_attention
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.generation import generate
from transformer_lab.grading import predict
from transformer_lab.metrics import token_accuracy
from transformer_lab.viz import MaskExplorer, plots

# %%
plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# How much does the translator need its two masks? The **causal mask** hides from each Chinese token the tokens that
# come after it. The **padding mask** hides **padding**: the texts of a batch form one tensor, so the shorter ones are
# filled up with meaningless `[PAD]` tokens to the length of the longest.
#
# We take away one mask at a time, without any new training, and let the model translate 300 unseen dates in one batch.
# Before each token it computes everything anew. One result you know: without its causal mask the translator of
# [lesson 00](00_start_here.ipynb) got about a quarter of the dates wrong. Which mask does it miss more? Run the two cells,
# and click your guess.

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)


def text(ids):
    return "".join(tokenizer.tokens(ids.tolist()))


def ignoring(q, k, v, mask):
    """Attention that reads every key, whatever the mask says."""
    return scaled_dot_product_attention(q, k, v)


# %%
predict("03_masks.break_mask")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
anew = {"use_cache": False}  # everything is computed again before each token
right = {"both masks": exact_match(model, tokenizer, held_out, **anew)}
with switch_off(model, "causal mask"):
    right["no causal mask"] = exact_match(model, tokenizer, held_out, **anew)
    right["no causal mask, old work kept"] = exact_match(model, tokenizer, held_out)
with replace_attention(model, ignoring, ("encoder", "cross")):
    right["no padding mask, 300 at once"] = exact_match(model, tokenizer, held_out, **anew)
    alone = [exact_match(model, tokenizer, [pair], **anew) for pair in held_out[:60]]
right["no padding mask, one by one (60)"] = sum(alone) / len(alone)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
causal, kept, padding, one_by_one = list(right.values())[1:]
title = f"Without the padding mask {right['both masks'] - padding:.0%} of the dates are lost,\nbut only in a batch"
ax = plt.subplots(figsize=(7, 2.7))[1]
_ = plots.shares(ax, right, title)
for label, share in zip(ax.texts, right.values(), strict=True):
    label.set_text(f"{share:.1%}".replace("%", " %") if 0.99 < share < 1 else label.get_text())
assert abs(causal - 0.73) < 0.04 and padding < 0.65 and min(kept, one_by_one) > 0.95

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
missed = "about the same" if abs(causal - padding) < 0.1 else "causal" if causal < padding else "padding"
predict("03_masks.break_mask", actual=missed)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# Without its mask, padding is read like any other token. A date that is translated alone has no padding. So the *same* date
# comes out right or wrong depending on what happens to stand next to it in the batch, and a test with single dates never
# finds that.
#
# </details>
#
# The second bar and the third are the riddle of lesson 00: both lack the causal mask. But in the third the program
# keeps what it has computed for the tokens already written, and the dates come out right. Section 6 solves the
# riddle.
#
# Why was this model trained with the future hidden? Would a model that may see everything from the start not learn
# more? Section 4 trains one.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: does it do better with the correct translation in front of it?
#
# So far the model was writing. While it learns, it has the whole correct translation in front of it. Let it read that
# now, with the causal mask and without.

# %% tags=["deeper"]
source, source_mask = tokenizer.batch([pair.source for pair in held_out])
# bos and eos: with the tokens that begin and end a text
target, target_mask = tokenizer.batch([pair.target for pair in held_out], bos=True, eos=True)


@torch.no_grad()
def read_whole():
    """The likeliest next token at each token of the whole correct translation, and the share that is right."""
    # It reads all tokens but the last, and must name all but the first
    guesses = model(source, target[:, :-1], source_mask, target_mask[:, :-1]).argmax(dim=-1)
    return guesses, token_accuracy(guesses, target[:, 1:], target_mask[:, 1:])


# %% tags=["deeper"]
masked, share_masked = read_whole()
with switch_off(model, "causal mask"):
    unmasked, share_unmasked = read_whole()
real = target_mask[0, 1:]
print("it should say            ", text(target[0, 1:][real]))
print("with the mask            ", text(masked[0][real]))
print("without the causal mask  ", text(unmasked[0][real]))
print(f"next tokens right, of all dates: with the mask {share_masked:.1%}, without ≈ {share_unmasked:.0%}")
assert share_masked > 0.99 and abs(share_unmasked - 0.455) < 0.03

# %% [markdown] tags=["deeper"]
# Now each answer stands in plain sight, one place to the right, and the model does *worse*: it ends this text before
# it has begun. In training the future was always hidden from it, so it could not learn to copy from there.

# %% [markdown]
# ## 2. A mask removes keys from the list
#
# First the tool: how does one hide a token? In lesson 02 a head looked for the month, and the code below has its
# scores for the first five English tokens. Suppose that it must not see `November`. Then its weights should be those
# of attention over a list without `November`. That is the whole definition of masking.
#
# To do this without a new list for every query, two ideas come to mind: set the score to 0, or set the weight to 0.
# The last row of the table is the goal:

# %%
words = ["Sunday", ",", "November", "2", "2"]
scores = torch.tensor([0.1, 1.0, 6.8, 3.2, 3.4])
hidden = torch.tensor([False, False, True, False, False])
ways = {
    "nothing hidden": scores.softmax(dim=0),
    "score set to 0": scores.masked_fill(hidden, 0.0).softmax(dim=0),
    "weight set to 0": scores.softmax(dim=0).masked_fill(hidden, 0.0),
    "not in the list": scores[~hidden].softmax(dim=0),
}
table = {name: [f"{weight:.2f}" for weight in (*weights, weights.sum())] for name, weights in ways.items()}
table["not in the list"].insert(2, "")
for name, row in {"": [*words, "sum"], **table}.items():
    print(f"{name:15}", *(f"{cell:>{width}}" for cell, width in zip(row, (6, 5, 9, 5, 5, 5), strict=True)))

# %% [markdown]
# * **A score of 0** is a score like any other, since $e^0 = 1$: `November` is still read. (If all other scores were
#   negative, it would be read most.)
# * **A weight of 0** comes too late: `November` is gone, but it has already taken its share of the sum in the
#   denominator, and 0.06 is left for all the others.
#
# One could divide by what is left. But if the score of the hidden key is much larger still, what is left is rounded
# to 0, and we divide 0 by 0. Better is a score whose exponential is exactly 0:

# %%
masked_scores = scores.masked_fill(hidden, -math.inf)
print(masked_scores.softmax(dim=0).numpy().round(2))
assert torch.allclose(masked_scores.softmax(dim=0)[~hidden], ways["not in the list"])

# %% [markdown]
# $e^{-\infty} = 0$, in the numerator *and* in the denominator. So masking means: **write $-\infty$ before the softmax.** The
# mask says where. It has a row for each of $T$ queries and a column for each of $S$ keys, and in this course it is `True`
# where looking is *allowed*. (Some of torch's classes have it the other way round: section 9.)
#
# ## 3. Many texts in one pass
#
# Which keys should be hidden from a model that learns to write? A **language model** guesses each token from those
# before it. To learn this from `2026年1...` it has to be asked six times: what comes first, what after `2`, what after
# `20`, and so on. One could run it on six texts, each a little longer than the last. The causal mask makes them the six
# rows of one:
#
# ![Six queries in rows, six keys in columns: begin, 2, 0, 2, 6, nián. Query 1 sees only begin and must guess 2. Query 2 sees
# begin and 2 and must guess 0. Each query sees one key more; query 6 sees all six and must guess the 1 of the month. What lies
# to the right of a query is grey.](figures/03_masks_beginnings.svg)
#
# Query $i$ sees keys $1$ to $i$. Here is the mask as a loop and as a matrix (Python counts from 0):

# %%
T = 13
allowed = torch.zeros(T, T, dtype=torch.bool)
for i in range(T):
    for j in range(T):
        allowed[i, j] = j <= i

assert torch.equal(allowed, torch.ones(T, T).tril().bool())  # tril: the lower triangle
assert torch.equal(allowed, causal_mask(T))  # the package's

# %% [markdown]
# Is one pass really as good as many? We ask the whole translator for its scores of the next token: once with the
# whole text in one pass, and once with the thirteen beginnings, one pass each.

# %%
english, _ = tokenizer.batch(["Sunday, November 22, 2026"])
chinese, _ = tokenizer.batch(["2026年11月22日星期日"], bos=True)  # (1, 13)
with torch.no_grad():
    one_pass = model(english, chinese)[0]  # (13, 55): a score for each token
    passes = torch.stack([model(english, chinese[:, : t + 1])[0, -1] for t in range(T)])
difference = (one_pass - passes).abs().max()
assert difference < 1e-4
print(f"scores up to {one_pass.abs().max():.0f}; the two differ by less than 0.0001")

# %% [markdown]
# **One pass gives as many predictions as there are tokens, each the same as if the text ended there.** So a
# Transformer with this mask can learn from every token of a text at once. The next token stands in the text, but it
# is hidden from the query that must guess it.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: the mask in a head of the translator
#
# We fetch the queries and keys of a head of its decoder as in lesson 02, mask the scores ourselves, and compare. In the
# picture look to the right of the diagonal. (A row is named after the token that has just been read, and weights
# below 0.05 are not written.)

# %% tags=["deeper"]
with record_heads(model) as heads, torch.no_grad():
    model(english, chinese)
seen = heads["decoder"][0]  # the decoder's self-attention in block 1; we take the first of its four heads
scores = seen.queries[0] @ seen.keys[0].T / math.sqrt(16)  # (13, 13)
weights = scores.masked_fill(~allowed, -math.inf).softmax(dim=-1)
difference = (weights - seen.weights[0]).abs().max()
assert difference < 1e-5
print("the model's weights and ours differ by less than 0.00001")

# %% jupyter={"source_hidden": true} tags=["deeper"]
names = ["begin", "2", "0", "2", "6", "nián", "1", "1", "yuè", "2", "2", "rì", "xīngqīrì"]
ax = plt.subplots(figsize=(6.4, 5.4))[1]
plots.matrix(ax, weights, names, names, row_name="query: has just been read", column_name="key")
_ = [number.set_visible(float(number.get_text()) >= 0.05) for number in ax.texts]  # smaller ones are left blank
ax.imshow(torch.where(allowed, torch.nan, 1.0), cmap="Greys", vmin=0, vmax=4)
_ = ax.set_title("Block 1, head 1 of the decoder: nothing right of\nthe diagonal, where keys are hidden (grey)")

# %% [markdown]
# ## 4. And if it is not hidden?
#
# Does a model learn more when it may see everything? We train two small language models on Chinese dates, character by
# character. Size, data, their order and the parameters at the start are the same. One has its causal mask, the other has
# none.
#
# How low can a loss go without reading ahead? The texts are 3,000 different days, drawn at random from 200 years,
# and a third of them, again at random, name the weekday. Even a perfect reader must guess, and pays for it
# ([lesson 01](01_toolkit.ipynb)):
#
# * A reader who knows dates and the calendar must guess which of 73,049 days comes, and whether its weekday follows:
#   $\ln 73049 + 0.64$ nats a text. (Guessing *whether*, with the probabilities 1/3 and 2/3, costs 0.64 on average.)
# * A reader who knows all texts by heart must guess which of them comes: $\ln 3000$.
#
# Shared out among the characters of a text:

# %%
texts = [pair.target for pair in dates.training_pairs(3000)]
length = sum(len(text) + 1 for text in texts) / len(texts)  # and the sign for the end
n_texts, n_days = len(set(texts)), (dates.LAST - dates.FIRST).days + 1
whether = -sum(share * math.log(share) for share in (1 / 3, 2 / 3))  # whether a weekday follows
nats = {"knows dates and the calendar": math.log(n_days) + whether, "knows all texts by heart": math.log(n_texts)}
print(f"at best, in nats               a text   a character (of {length:.1f})")
for words, cost in nats.items():
    print(f"{words:29}{cost:8.1f}{cost / length:14.2f}")
any_day, by_heart = (cost / length for cost in nats.values())

# %% [markdown]
# Where do the losses of the two models end, compared with these two bounds? (`experiments/causal_leak.py`: five seeds each.)

# %% jupyter={"source_hidden": true}
record = recorded("causal_leak")["result"]
end = {name: sum(losses[-1] for losses in runs) / len(runs) for name, runs in record["loss"].items()}
ax = plt.subplots(figsize=(7, 3))[1]
for color, (name, runs) in zip(plots.COLORS[:2], record["loss"].items(), strict=True):
    for n, losses in enumerate(runs):
        ax.plot(range(10, 301, 10), losses, color=color, label=None if n else name)
ax.axhline(any_day, color="grey", linestyle="--", label="knows dates and the calendar")
ax.axhline(by_heart, color="grey", linestyle=":", label="knows all texts by heart")
ax.set(xlabel="training step", ylabel="loss (nats a character)", ylim=(0, None))
ax.set_title(f"After 300 steps: with the mask {end['with the mask']:.2f}, without {end['without']:.3f}")
_ = ax.legend()

# %% [markdown]
# With the mask the loss ends a little above the dashed line. Without the mask it goes far below what anyone can reach by
# guessing. By this measure it is by far the better model.
#
# So let the models write: each character is drawn with the model's probabilities. Of 200 texts by a model without a
# mask, how many look like a date?

# %%
predict("03_masks.leak_text")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
print("share of dates among 200 texts, five models each:")
for name, shares in record["well_formed"].items():
    print(f"{name:15}", *(f"{share:6.1%}" for share in shares))
print("share of characters that repeat the one before:")
for name, shares in record["repeats"].items():
    print(f"{name:15}", *(f"{share:6.0%}" for share in shares))
for name, examples in record["examples"].items():
    print(f"\n{name}, they write for example")
    for written in dict.fromkeys(text for some in examples for text in some[:2]):
        print(f"    {written!r}")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
share = statistics.mean(record["well_formed"]["without"])
predict("03_masks.leak_text", actual="nearly all" if share > 0.9 else "nearly none" if share < 0.1 else "about half")
repeats = {name: (round(100 * min(of)), round(100 * max(of))) for name, of in record["repeats"].items()}
assert repeats == {"with the mask": (2, 3), "without": (62, 96)}  # what the text says

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# Look at what it writes: mostly the newest character once more. In the five models without a mask, 62 to 96 % of the
# characters repeat the one before; with the mask it is 2 to 3 %. (An empty text is a repeat as well: the sign that
# begins a text also ends it.) The two drawings below show what such a model lacks.
#
# </details>
#
# In training, the model with the mask has to guess, and the other can read:
#
# ![The text begin 2 0 2 6 nián 1 1 yuè, twice; at nián the question: what comes next? Trained with the mask: arrows come from
# the five tokens before it, and those after it are grey; it has to guess. Trained without: arrows come from all tokens, also
# from the 1 directly after it, which is framed and is the answer.](figures/03_masks_training.svg)
#
# While they write, the text ends where they ask. For the model with the mask it always seemed to end there.
#
# ![The same text while it is being written: after nián there is nothing yet. For the model with the mask nothing is missing.
# For the model without one there is nothing where the answer used to stand.](figures/03_masks_writing.svg)
#
# If a model can somehow read what it is asked to predict, that is a **leak**. Is that what happens here? We train one
# model of each kind ourselves, for 120 steps instead of the 300 above. Then we exchange the third or the fourth digit
# of the year for another. (The first two are 19 or 20 in all our dates.) Does the guess at the place before it become
# the new digit?

# %%
leak = experiment("causal_leak")
honest, _ = leak.train(causal=True, steps=120)
leaky, _ = leak.train(causal=False, steps=120)
inputs, labels = leak.rows([pair.target for pair in held_out[:100]])  # (B, T), and the character after each


# %% jupyter={"source_hidden": true}
@torch.no_grad()
def follows(network):
    """How often the guess becomes the new digit when the digit that it should guess is exchanged."""
    hits = []
    for place in (3, 4):  # the year's digits are inputs[:, 1:5]
        changed = inputs.clone()
        changed[:, place] = changed[:, place] % 10 + 1  # ids 1 to 10 are the digits
        hits.append((network(changed)[:, place - 1].argmax(dim=-1) == changed[:, place]).float().mean().item())
    return sum(hits) / 2


# %% jupyter={"source_hidden": true}
honest_follows = follows(honest)
with leak.mask_of(leaky, causal=False):
    leaky_follows = follows(leaky)
print("the guess becomes the new digit")
print(f"with the mask   ≈ {honest_follows:.0%}")
print(f"without         ≈ {leaky_follows:.0%}")
assert abs(honest_follows - 0.1) < 0.1
assert leaky_follows > 0.75

# %% [markdown]
# Without the mask it mostly does: the model copies. With the mask it hits the new digit about as often as chance
# would, one time in ten.
#
# The loss had warned us: **a loss that is too good to be true is the first symptom of a leak like this one.**

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: does it guess where it cannot read?
#
# We ask each of the two for the next character twice: with the whole text in front of it, as in training, and with a text
# that ends where it is asked. For comparison, a table that knows only the place in the text, and always says what was most
# frequent there.

# %% jupyter={"source_hidden": true} tags=["deeper"]
known = labels >= 0  # behind the end there is no next character


@torch.no_grad()
def shares_right(network):
    whole = network(inputs).argmax(dim=-1)
    ends = [network(inputs[:, : t + 1])[:, -1].argmax(dim=-1) for t in range(inputs.shape[1])]
    return [(guess == labels)[known].float().mean().item() for guess in (whole, torch.stack(ends, dim=1))]


_, learnt = leak.rows(texts)
most_frequent = torch.stack([column[column >= 0].mode().values for column in learnt.T])[: labels.shape[1]]
by_place = (most_frequent == labels)[known].float().mean()

# %% jupyter={"source_hidden": true} tags=["deeper"]
honest_whole, honest_ends = shares_right(honest)
with leak.mask_of(leaky, causal=False):
    leaky_whole, leaky_ends = shares_right(leaky)
print("trained for 120 steps   whole text   text ends there (one seed)")
print(f"with the mask           ≈ {honest_whole:<11.0%}≈ {honest_ends:.0%}")
print(f"without                 ≈ {leaky_whole:<11.0%}≈ {leaky_ends:.0%}")
print(f"a table of the place                   {by_place:.0%}")
assert abs(honest_whole - 0.56) < 0.04 and abs(honest_whole - honest_ends) < 0.01
assert leaky_whole > 0.9
assert leaky_ends < by_place
assert abs(honest_ends - 0.56) < 0.04

# %% [markdown] tags=["deeper"]
# With the mask both columns agree: that is section 3 once more. Without it the model is nearly always right as long as the
# answer stands there. Where it does not, the model is worse than a table that has seen nothing of the text.

# %% [markdown]
# ## 5. Find a leak: perturb the future
#
# Here we knew how low an honest loss can be. Mostly nobody knows, and a leak raises no error. How do we find one all the
# same? The **perturbation test** asks only for inputs and outputs: change token $j$, and see which outputs change. If an
# output *before* $j$ moves, something came back from the future. In a **causal** model none ever does. (Call `model.eval()`
# first: some parts of a model act at random while it trains. And try several texts: one may happen not to show the leak.)
#
# Twelve tokens make 66 pairs of an output and a later token. In the picture they lie to the right of the diagonal:

# %%
ids = leak.rows(["2026年11月22日"])[0]  # (1, T)


@torch.no_grad()
def reach(network, ids):
    """(T, T): row i, column j says by how much output i moves when token j is changed."""
    before, columns = network(ids)[0], []
    for j in range(ids.shape[1]):
        changed = ids.clone()
        changed[0, j] = (changed[0, j] + 5) % 10  # another character
        columns.append((network(changed)[0] - before).abs().amax(dim=-1))
    return torch.stack(columns, dim=1)


# %% jupyter={"source_hidden": true}
names = ["begin", "2", "0", "2", "6", "nián", "1", "1", "yuè", "2", "2", "rì"]
_, axes = plt.subplots(2, 1, figsize=(5, 8.4))
for ax, (name, network, causal) in zip(axes, (("With", honest, True), ("Without", leaky, False)), strict=True):
    with leak.mask_of(network, causal):
        moved = reach(network, ids)
    leaks = (moved.triu(1) > 1e-4).sum().item()
    image = ax.imshow(moved.where(moved > 1e-4, torch.nan), cmap="YlOrBr", norm="log", clim=(0.01, 10))
    ax.grid(False)
    ax.set_xticks(range(12), names, rotation=60)
    ax.set_yticks(range(12), names)
    ax.set(xlabel="token that is changed", ylabel="output at this token (white: it stays)")
    ax.set_title(f"{name} mask: {leaks} of 66 pairs leak")
    assert leaks == (0 if causal else 66)
_ = ax.figure.colorbar(image, ax=axes, shrink=0.8, label="change of the scores (log scale)")

# %% [markdown]
# With the mask no pair leaks, without it all 66 do. (Below the diagonal both models move, as they should: later
# outputs read earlier tokens.) We have found the leak without reading any code.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: is it not enough to look at the weights?
#
# Could we not see whether any weight lies to the right of the diagonal? Take the second idea of section 2: softmax first,
# then weights of 0 for the future. We change the last key, and look at the first output:

# %% tags=["deeper"]
q, k, v = torch.randn(6, 8), torch.randn(6, 8), torch.randn(6, 8)
pushed = k.clone()
pushed[-1] += 1.0  # change the last key
print("                          on the future  output 1 moves")
for name, late in (("-inf before the softmax", False), ("0 after the softmax", True)):
    outputs = []
    for keys in (k, pushed):
        scores = q @ keys.T / math.sqrt(8)
        early = scores.masked_fill(~allowed[:6, :6], -math.inf).softmax(dim=-1)
        weights = scores.softmax(dim=-1).tril() if late else early
        outputs.append(weights @ v)
    moved = (outputs[1] - outputs[0])[0].norm() / outputs[0][0].norm()
    print(f"{name:26}{weights.triu(1).sum():13.2f}{moved:16.1%}")

# %% [markdown] tags=["deeper"]
# No weight lies on the future. But the last key still has its share in the denominator, and through it changes the
# first output. So test *outputs*, not where the weights lie.

# %% [markdown]
# ## 6. What the mask gives back: the cache
#
# Must a model that writes a hundred tokens read the whole text again for each of them? No. Thanks to the causal mask,
# no token that is already there looks at a new one. So nothing about it can change: not its vector in any block, not
# its key, not its value. (This section's Deeper part tests the keys.) All of it can be computed once and kept. That
# is the **KV cache**. With it only the newest token asks: for the thirteen tokens of section 3 that makes 13 queries
# instead of 1 + 2 + ... + 13 = 91.
#
# ![Two tables of seven tokens, the last one new. With the mask: a triangle; the new token adds one row, and no old row reads it,
# so none changes. Without: the table is full; every old row reads the new token, so everything must be computed
# again.](figures/03_masks_cache.svg)
#
# **The riddle of section 1.** The translator had lost its causal mask, and yet with a cache its dates came out right. Why?
#
# * **With a cache** an old token is never asked again. When it was new it read only what stood before it, and its
#   keys and values are kept. So the cache itself hides the future.
# * **Without a cache** the old tokens are computed again. Each now reads those after it, and comes out of block 1 as
#   something else. In block 2 the newest token reads *them*.
#
# If that is the reason, all the harm is done in block 1. What old tokens read in block 2 reaches nobody: there is no
# block 3, and only the newest token's output is used. We take the mask away in one block at a time:

# %% jupyter={"source_hidden": true}
blocks, shares = model.decoder.blocks, {}
for name, opened in (("block 1", blocks[:1]), ("block 2", blocks[1:]), ("both", blocks)):
    with patched((block.attention, "attend", explicit_attention(ignoring)) for block in opened):
        shares[name] = exact_match(model, tokenizer, held_out, use_cache=False)
        kept = exact_match(model, tokenizer, held_out)
print("no causal mask in    dates right")
for name, share in shares.items():
    print(f"{name:20} ≈ {share:.0%}")
print(f"both, with a cache   ≈ {kept:.0%}")
assert abs(shares["block 1"] - 0.73) < 0.04
assert shares["block 2"] > 0.98
assert abs(shares["both"] - 0.73) < 0.04
assert kept > 0.98

# %% [markdown]
# And so it is: without a cache, the translator misses its mask only in block 1.
#
# When only the newest tokens ask, what does the mask look like? Here are the rows of the three newest of six tokens:

# %%
print(causal_mask(6)[-3:].int().numpy())  # the last three rows of the triangle
assert torch.equal(causal_mask(6)[-3:], causal_mask(3, 6))  # what the package gives for 3 queries and 6 keys

# %% [markdown]
# Three queries, six keys, and **the last query meets the last key.** If the newest token asks alone, its mask is the last row.
#
# With the flag `is_causal=True` PyTorch's own attention function draws the triangle itself. The translator writes
# with a cache: one query at a time, and more keys with every token. What becomes of its 300 dates if its decoder uses
# this flag?

# %%
predict("03_masks.top_left")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def by_flag(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True), None


with replace_attention(model, by_flag, ("decoder",)):
    share = exact_match(model, tokenizer, held_out)
    said = generate(model, chinese[:, :1], 14, source=english, stop=tokenizer.eos_id)
print(f"Right: {share:.0%} of 300 dates. The translation of Sunday, November 22, 2026:")
print(text(said[0, 1:]))
q, k = torch.randn(3, 8), torch.randn(6, 8)
flagged, _ = by_flag(q, k, torch.eye(6), None)  # values that are one-hot: the output shows the weights
print("With the flag, three queries may read of six keys:")
print((flagged > 0).int().numpy())
predict("03_masks.top_left", actual="all right" if share > 0.9 else "none right" if share < 0.1 else "about half")

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# With this flag the *first* query meets the *first* key, as the little table shows. While the translator writes, its
# only query is the first, and the only key that it may see is the first: the token that begins every text. Of all
# that it has written, it knows just the newest token and its place, which the query's own vector holds.
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: do the old keys stay as they are?
#
# We give our two models of section 4 eight tokens, then a ninth, and see by how much the keys of the first eight change.


# %% jupyter={"source_hidden": true} tags=["deeper"]
@torch.no_grad()
def keys_of(network, ids, block):
    seen = {}
    layer = network.decoder.blocks[block].attention.w_k
    handle = layer.register_forward_hook(lambda module, inputs, keys: seen.update(keys=keys[0]))
    network(ids)
    handle.remove()
    return seen["keys"]


def change(network, block):
    """By how much the keys of eight tokens change when a ninth comes, relative to their size."""
    old, new = (keys_of(network, ids[:, :n], block)[:8] for n in (8, 9))
    return ((new - old).norm() / old.norm()).item()


# %% jupyter={"source_hidden": true} tags=["deeper"]
with_mask = [change(honest, block) for block in (0, 1)]
with leak.mask_of(leaky, causal=False):
    without = [change(leaky, block) for block in (0, 1)]
print("the old keys change by   in block 1   in block 2")
print(f"with the mask            {with_mask[0]:<13.0%}{with_mask[1]:.0%}")
print(f"without                  {without[0]:<11.0%}≈ {without[1]:.0%}")
assert max(*with_mask, without[0]) < 1e-5 and abs(without[1] - 0.12) < 0.08

# %% [markdown] tags=["deeper"]
# In block 1 a key depends on its own token and its place alone, mask or no mask. From block 2 on it depends on everything that
# its token has read, and there the mask makes the difference.

# %% [markdown]
# ## 7. Padding in a batch
#
# Now the other mask: how do we make a date independent of its neighbours in the batch? The tokenizer gives the tokens
# of a batch, and with them a table of which ones are real:

# %%
short, long = "May 3, 1931", "Wednesday, September 23, 2026"
alone, _ = tokenizer.batch([short])
batch, real = tokenizer.batch([short, long])  # (B, S) both
for row in batch:
    print(*tokenizer.tokens(row.tolist()))
print(real.int().numpy())

# %% [markdown]
# The padding mask closes *columns*: a key that is padding is closed to every query of its text, in every head. Scores have the
# shape `(B, H, T, S)`, for `B` texts and `H` heads ([lesson 04](04_multi_head.ipynb)). So the mask `(B, S)` gets two axes of
# size 1 in the middle, and broadcasting does the rest. Rows stay open: what padding asks is computed, and nobody reads it.
#
# The test is again a perturbation: the same date, alone and next to a longer one.

# %%
n = alone.shape[1]
with torch.no_grad():
    by_itself, beside = model.encode(alone)[0], model.encode(batch, real)[0, :n]
    with replace_attention(model, ignoring, ("encoder",)):
        unmasked = model.encode(batch, real)[0, :n]
size = by_itself.abs().max()
print(f"numbers up to {size:.1f}; with the mask they change by less than 0.0001")
print(f"mask ignored: by up to ≈ {(by_itself - unmasked).abs().max():.1f}")
assert (by_itself - beside).abs().max() < 1e-4 and abs((by_itself - unmasked).abs().max() - 2) < 1

# %% [markdown]
# With the mask the longer neighbour does not change what the encoder gives for this date.
#
# A decoder whose batch is padded on the left needs both masks at once: a key must be real *and* must not lie in the
# future. When a model is to continue several texts of different lengths, they are padded on the *left*, so that all
# of them end at the same place. Here is the mask of a text of two tokens in a batch of length four:

# %%
real_tokens = torch.tensor([False, False, True, True])
print((causal_mask(4) & real_tokens).int().numpy())

# %% [markdown]
# The first two queries may see no key at all. What is the softmax of nothing?

# %%
nothing = torch.full((3,), -math.inf).softmax(dim=0)
print(nothing.tolist(), "   multiplied by 0:", (0 * nothing).tolist())

# %% [markdown]
# It is 0/0, **NaN** ("not a number"), and NaN is infectious. In the next block nobody may read this padding: as a key
# it gets weight 0. But 0 times NaN is NaN, and so it reaches every token of its text. Such a row reads nothing, so
# our rule is: **a row without a key gives zeros.**

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: three rules for a row without a key, forwards and backwards
#
# One common cure adds $-\infty$ to the scores, and writes 0 over the NaN afterwards. Another uses a large negative number
# instead of $-\infty$. The third is ours. Key 1 is padding, so query 1 sees nothing:

# %% tags=["deeper"]
q, k, v = torch.randn(4, 8), torch.randn(4, 8), torch.randn(4, 8)
allowed = causal_mask(4) & torch.tensor([False, True, True, True])


def added(q, k):
    scores = q @ k.T / math.sqrt(8) + torch.zeros(4, 4).masked_fill(~allowed, -math.inf)
    return scores.softmax(dim=-1).nan_to_num(0.0)


def large_number(q, k):
    return (q @ k.T / math.sqrt(8)).masked_fill(~allowed, -1e9).softmax(dim=-1)


def the_package(q, k):
    return scaled_dot_product_attention(q, k, v, allowed)[1]


# %% tags=["deeper"]
print("              weights of query 1        queries with NaN  keys with NaN")
for rule in (added, large_number, the_package):
    leaves = [vectors.clone().requires_grad_() for vectors in (q, k)]
    weights = rule(*leaves)
    (weights @ v).sum().backward()
    bad = [[str(i + 1) for i in range(4) if leaf.grad[i].isnan().any()] for leaf in leaves]
    of_queries, of_keys = (", ".join(numbers) or "none" for numbers in bad)
    print(f"{rule.__name__:14}{weights[0].tolist()!s:26}{of_queries:18}{of_keys}")
    assert bad == ([["1"], ["1", "2", "3", "4"]] if rule is added else [[], []])

# %% [markdown] tags=["deeper"]
# * `added` looks repaired, and the NaN comes back in the gradient: on the way back through that softmax, 0 is
#   multiplied by NaN. Every key has NaN, since query 1 has met them all, so after one step all of $W_K$ would be NaN.
#   (Written with `masked_fill` instead of a sum, the scores that were overwritten pass no gradient back, and no NaN
#   either.)
# * `large_number` raises no alarm at all: query 1 averages over exactly what it must not see.
# * `the_package` keeps our rule, forwards and backwards. How? You will write it in question 2 of the exercises.

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["deeper"]
# Checks the sentence in brackets.
leaves = [vectors.clone().requires_grad_() for vectors in (q, k, v)]
weights = (leaves[0] @ leaves[1].T / math.sqrt(8)).masked_fill(~allowed, -math.inf).softmax(dim=-1)
(weights.nan_to_num(0.0) @ leaves[2]).sum().backward()
assert not any(leaf.grad.isnan().any() for leaf in leaves)

# %% [markdown]
# ## 8. Play
#
# Click a column: its key and value change, and the outputs that move light up. (The explorer counts from 0.)
#
# 1. Causal, $T = S = 6$: which outputs change when key 1 changes? Which key changes the fewest, and which the most?
# 2. Set $T = 3$, keep $S = 6$. Which outputs can key 5 change when the last query meets the last key? And when the first meets
#    the first?
# 3. Find three different settings in which some row has no key.

# %%
explorer = MaskExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. All but output 0. Key 5 changes one output, key 0 all six. 2\. Last meets last: output 2 alone. First meets first: none; the
# three newest keys are read by nobody. 3\. Causal (last meets last) with more queries than keys; causal with padding on the
# left; padding of all keys.
#
# </details>
#
# ## 9. What people get wrong
#
# **The other polarity.** Here and in torch's `F.scaled_dot_product_attention`, `True` means *allowed*. In torch's
# `nn.MultiheadAttention`, and in its Transformer layers built on it, `True` means *blocked*, in `attn_mask` as in
# `key_padding_mask` (`True` at padding). Give `nn.MultiheadAttention` our mask unchanged, and see what the queries read:

# %%
theirs = torch.nn.MultiheadAttention(embed_dim=8, num_heads=1, batch_first=True)
x = torch.randn(1, 4, 8)
_, weights = theirs(x, x, x, attn_mask=causal_mask(4))
for i in range(4):
    keys = [j + 1 for j in range(4) if weights[0, i, j] > 0]
    print(f"query {i + 1} reads keys {keys}", "   and its weights are NaN" * bool(weights[0, i].isnan().any()))

# %% [markdown]
# Queries 1 to 3 read only the future, and query 4 has nothing to read.
#
# **A mask made of numbers.** Both functions also take floats, but these are *added* to the scores: 0 where a key is allowed,
# $-\infty$ where it is blocked. A mask of booleans that has been turned into the floats 0 and 1 is accepted, and
# blocks nothing.

# %%
q, k = torch.randn(4, 8), torch.randn(4, 8)
for name, mask in (("booleans", causal_mask(4)), ("the same as 0 and 1", causal_mask(4).float()), ("no mask", None)):
    weights = F.scaled_dot_product_attention(q, k, torch.eye(4), attn_mask=mask)
    print(f"{name:20} weight on the future, in all: {weights.triu(1).sum():.2f}")

# %% [markdown]
# (The added 1 only makes the allowed keys somewhat likelier, so the second sum is smaller than the third.)
#
# ## 10. What you have now
#
# You have a language model of your own, trained above for 120 steps. Begin a text, and let the model continue it six
# times. (`True`: with its causal mask and a cache.)


# %% tags=["nbval-ignore-output"]
# output differs with rounding, as the model was trained just now
year = "1999年"  # write your own year here
print(*leak.goes_on(honest, True, 6, year), sep="\n")

# %% [markdown]
# What you derived is in the package, as `causal_mask` and as the `mask` of `scaled_dot_product_attention`. Section 3
# compares both with our own lines, the second in its Deeper part. The models take the tokenizer's table of real
# tokens and do the rest.

# %% [markdown]
# ## 11. Check yourself
#
# <details><summary>Your training loss drops to 0.01 in the first minutes. What do you test, and how?</summary>
#
# Whether the future leaks: change token $j$ and see whether any output before $j$ moves. If none does, look at the labels: are
# they shifted by one against the inputs?
#
# </details>
#
# <details><summary>A model is right on every single sentence, and gets worse in batches. What do you suspect?</summary>
#
# The padding mask: missing, inverted, on the wrong axis, or not passed on. Compare a short sentence alone and next to a
# longer one.
#
# </details>
#
# <details><summary>A model was trained to read in both directions. Why does a cache change what it computes while it
# writes?</summary>
#
# Without a cache its old tokens read the new one. In block 1 a key depends on its own token and place alone, but from
# block 2 on old keys and values change with every token that is added. A cache keeps them as they were, as if there
# were a causal mask.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/03_masks/masks.ipynb): a warm-up, three core questions, then
# optional ones.
#
# ## Takeaways
#
# * To mask a key is to remove it from the list: $-\infty$ *before* the softmax. For a row without any key, our rule
#   is zeros.
# * The causal mask makes one pass equal to many passes over all beginnings. Trained without it, our model read its answers:
#   its loss fell below what guessing can reach, and hardly any text that it wrote from nothing was a date.
# * To find a leak, perturb the future and look at the outputs.
# * Because old tokens never look at new ones, their keys and values can be kept. With a cache the last query meets the last key.
# * Padding closes columns. Test it with texts of different lengths.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.3: $-\infty$ before the
# softmax. Brown et al. (2020), [arXiv:2005.14165](https://arxiv.org/abs/2005.14165): a causal language model, grown large.
# Devlin et al. (2018), [arXiv:1810.04805](https://arxiv.org/abs/1810.04805): a model without the causal mask, and what it must
# do instead.
#
# Previous: [02 Attention](02_attention.ipynb). Next: [04 Multi-head attention](04_multi_head.ipynb).
