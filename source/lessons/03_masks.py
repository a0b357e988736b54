# %% [markdown]
# # 03 Masks
#
# **You will decide which token may see which, prove by experiment that it holds, and recognise the ways in which it fails.**
#
# After this lesson you will be able to
#
# * say what a mask does to the scores, and why it writes $-\infty$ there and no other number;
# * build a causal mask, a padding mask and both together, also when the queries are fewer than the keys;
# * find a leak in any model without reading its code;
# * say what must happen to a row that may see nothing, forwards and backwards;
# * convert between the three conventions in use, two of which are opposites.
#
# About 50 minutes. It builds on [lesson 02](02_attention.ipynb); every term and letter: [glossary](glossary.ipynb).

# %%
import math

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from transformer_lab import causal_mask, exact_match, load, replace_attention, scaled_dot_product_attention, switch_off
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.metrics import token_accuracy
from transformer_lab.viz import MaskExplorer, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# The trained translator has two kinds of mask. Where it *writes*, a **causal mask** hides from each Chinese token those that
# come after it. Where it *reads*, a **padding mask** hides filler: a batch is one tensor, so short dates are filled up with
# `[PAD]` to the length of the longest, and nobody should read that.
#
# We take one mask away at a time, train nothing again, and let the model translate 300 unseen dates as one batch. Which
# mask does it miss more? Put `"causal"`, `"padding"` or `"about the same"` in place of `None`.

# %%
predict("03_masks.break_mask", None)

# %% jupyter={"outputs_hidden": true}
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
right = {"both masks": exact_match(model, tokenizer, held_out)}


def ignoring(q, k, v, mask):
    return scaled_dot_product_attention(q, k, v)


with switch_off(model, "causal mask"):
    right["no causal mask"] = exact_match(model, tokenizer, held_out)
with replace_attention(model, ignoring, ("encoder", "cross")):
    right["no padding mask, 300 at once"] = exact_match(model, tokenizer, held_out)
    alone = [exact_match(model, tokenizer, [pair]) for pair in held_out[:40]]
right["no padding mask, one by one (40)"] = sum(alone) / len(alone)

# %% jupyter={"outputs_hidden": true}
causal, padding, one_by_one = list(right.values())[1:]
title = f"Unmasked padding costs {right['both masks'] - padding:.0%} of the dates, in a batch only"
_ = plots.shares(plt.subplots(figsize=(7, 2.4))[1], right, title)

# %% jupyter={"outputs_hidden": true}
missed = "about the same" if abs(causal - padding) < 0.1 else "causal" if causal < padding else "padding"
predict("03_masks.break_mask", actual=missed)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print(
    "without the causal mask above 95 %, without the padding mask below 80 % in a batch:", causal > 0.95, padding < 0.8
)
print("one by one above 90 %:", one_by_one > 0.9)

# %% [markdown]
# Two riddles. The **padding mask** is missed by the batch and not by the single date: the *same* date comes out differently
# according to what happens to stand beside it. A test on one example does not find that.
#
# The **causal mask** seems useless. But look at *how* we tested: the model wrote one token at a time. The newest token has
# nothing after it to hide, and what the older ones computed is kept (section 6), not computed again. Training works
# otherwise. It gives the model the whole correct translation at once, and asks at each token for the next. Let it read so:

# %%
source, source_mask = tokenizer.batch([pair.source for pair in held_out])
# bos and eos: with the tokens that begin and end a text
target, target_mask = tokenizer.batch([pair.target for pair in held_out], bos=True, eos=True)


def next_token_accuracy():
    """The share of next tokens that are right when the whole correct translation is read at once."""
    with torch.no_grad():
        logits = model(source, target[:, :-1], source_mask, target_mask[:, :-1])
    return token_accuracy(logits.argmax(dim=-1), target[:, 1:], target_mask[:, 1:])


print("with the causal mask, above 98 %:", next_token_accuracy() > 0.98)
with switch_off(model, "causal mask"):
    print("without it, below 80 %:", next_token_accuracy() < 0.8)

# %% [markdown]
# Now it is missed. It was *trained* with the future hidden, and a visible future confuses it. Why it was trained so is the
# subject of sections 3 and 4.
#
# ## 2. A mask takes keys off the list
#
# One query, five keys, and key 2 is not to be seen. What should its weights be? Those of attention over the list *without*
# key 2. That is the whole definition. Letters as in lesson 02: $T$ queries, $S$ keys, width $d$.

# %%
scores = torch.tensor([1.0, -0.5, 2.0, 0.0, 0.5])  # (S,)
allowed = torch.tensor([True, True, False, True, True])  # (S,): True where looking is allowed

removed = scores[allowed].softmax(dim=0)  # the list without key 2, (4,)
masked = scores.masked_fill(~allowed, -math.inf).softmax(dim=0)  # all five keys, (5,)
assert torch.allclose(masked[allowed], removed) and masked[2] == 0
print(masked.numpy().round(2))

# %% [markdown]
# A score of $-\infty$ does it: $e^{-\infty} = 0$ in the numerator *and in the sum under the fraction*, so the others share 1
# as if the key were not there. It must happen **before** the softmax. `allowed` is the **mask**; with a row for each query
# it has shape $(T, S)$, like the scores.
#
# ## 3. The causal mask: many texts in one pass
#
# A language model predicts each token from those before it. A text of $T$ tokens holds $T$ such tasks: predict token 1 from
# token 0, token 2 from tokens 0 and 1, and so on. The slow way runs attention on every beginning of the text:

# %%
T, d = 6, 8
q, k, v = torch.randn(T, d), torch.randn(T, d), torch.randn(T, d)
slow = torch.stack([scaled_dot_product_attention(q[i : i + 1], k[: i + 1], v[: i + 1])[0][0] for i in range(T)])
slow.shape

# %% [markdown]
# The fast way runs once, on everything, and hides from query $i$ all keys $j > i$: loop, then matrix.

# %%
allowed = torch.zeros(T, T, dtype=torch.bool)
for i in range(T):
    for j in range(T):
        allowed[i, j] = j <= i

assert torch.equal(allowed, torch.ones(T, T).tril().bool())
fast, weights = scaled_dot_product_attention(q, k, v, allowed)
assert torch.allclose(fast, slow, atol=1e-6)
_ = plots.matrix(plt.subplots(figsize=(4, 3))[1], weights, title="Each row is a text of its own")

# %% [markdown]
# That is the reason for the mask: **one pass gives $T$ predictions, each the same as if the text ended there.** Nothing is
# approximated: the assertion above compared one layer, and section 4 compares a whole model.
#
# ## 4. What happens without it
#
# Section 1 took the mask from a trained model. What becomes of a model that is *trained* without it?
#
# We train two small language models on Chinese dates, character by character, alike in everything, seeds included: one
# with its causal mask, one without (`experiments/causal_leak.py`: 300 steps, three seeds). The **loss** is the mean of
# $-\ln(\text{probability given to the right character})$, in nats. Where does it end without the mask, and what will such a
# model *write*? Texts are drawn character by character; we count those that look like a date.

# %%
predict("03_masks.leak_loss", None)  # against the model with a mask: "near 0", "the same" or "higher"

# %%
predict("03_masks.leak_text", None)  # dates among its texts: "nearly all", "about half" or "nearly none"

# %% jupyter={"outputs_hidden": true}
kept = recorded("causal_leak")["result"]
end = {name: sum(losses[-1] for losses in runs) / len(runs) for name, runs in kept["loss"].items()}
dates_written = {name: sum(shares) / len(shares) for name, shares in kept["well_formed"].items()}
fig, (left, right_axes) = plt.subplots(1, 2, figsize=(9, 3), width_ratios=(3, 2))
for color, (name, runs) in zip(plots.COLORS[:2], kept["loss"].items(), strict=True):
    for n, losses in enumerate(runs):
        left.plot(range(10, 301, 10), losses, color=color, label=None if n else name)
left.set(xlabel="training step", ylabel="loss (nats a character)", ylim=(0, None))
left.set_title(f"Without the mask the loss falls below {math.ceil(100 * end['without']) / 100} ...")
percent = [100 * share for share in dates_written.values()]
right_axes.bar(list(dates_written), percent, color=plots.COLORS[:2], width=0.5)
right_axes.set(ylabel="texts that are dates (%)", ylim=(0, 100))
right_axes.set_title(f"... and {dates_written['without']:.0%} of its texts are dates")
_ = left.legend()

# %% jupyter={"outputs_hidden": true}
ratio = end["without"] / end["with the mask"]
predict("03_masks.leak_loss", actual="near 0" if ratio < 0.1 else "higher" if ratio > 1.1 else "the same")

# %% jupyter={"outputs_hidden": true}
share = dates_written["without"]
predict("03_masks.leak_text", actual="nearly all" if share > 0.9 else "nearly none" if share < 0.1 else "about half")

# %% [markdown]
# <details><summary>Why? Open this after your guess</summary>
#
# The answer to task $i$ stands in the text itself, one place to the right. The model without a mask learnt to read it off,
# which needs no guess: hence a loss of nearly 0. Nobody can guess the digits of an unknown date, so the honest model stays
# well above 0. But while a model writes, the text ends where it asks. There is nothing to read off, and guessing is what it
# never had to learn. **A loss too good to be true is the first symptom of a leak.**
#
# </details>
#
# Here is a short run of both, live. The calls differ in one word.

# %%
leak = experiment("causal_leak")
mask_of, rows, train, well_formed, write = leak.mask_of, leak.rows, leak.train, leak.well_formed, leak.write

honest, honest_losses = train(causal=True, steps=120)
leaky, leaky_losses = train(causal=False, steps=120)

# %%
texts, leaky_texts = write(honest, causal=True), write(leaky, causal=False)
last = [sum(losses[-10:]) / 10 for losses in (honest_losses, leaky_losses)]
print("loss without the mask less than half of that with it:", last[1] < last[0] / 2)
print("of its own texts, dates: with the mask over 50 %:", well_formed(texts) > 0.5,
      "| without below 20 %:", well_formed(leaky_texts) < 0.2)  # fmt: skip

# %% [markdown]
# Print `texts[:5]` and `leaky_texts[:5]` to see what that looks like. How many next characters are right when the whole text
# stands there, and how many when it ends where the model asks?

# %%
inputs, labels = rows([pair.target for pair in held_out[:100]])  # (B, T), and the character after each
known = labels >= 0  # behind the end there is no next character


@torch.no_grad()
def shares_right(network):
    whole = network(inputs).argmax(dim=-1)
    ends = [network(inputs[:, : t + 1])[:, -1].argmax(dim=-1) for t in range(inputs.shape[1])]
    return [(guess == labels)[known].float().mean().item() for guess in (whole, torch.stack(ends, dim=1))]


# %%
honest_whole, honest_ends = shares_right(honest)
with mask_of(leaky, causal=False):
    leaky_whole, leaky_ends = shares_right(leaky)
print("with the mask, one pass and all beginnings differ by less than 1 %:", abs(honest_whole - honest_ends) < 0.01)
print("without: the whole text there, over 80 %:", leaky_whole > 0.8,
      "| text ends there, worse than with the mask:", leaky_ends < honest_ends)  # fmt: skip

# %% [markdown]
# The first line is section 3 for a whole model: with the mask, one pass gives what $T$ passes over the beginnings give.
#
# ## 5. Find a leak: perturb the future
#
# A leak raises no error and makes the loss look good. But there is a test that needs no knowledge of the model: **change
# token $j$, and see which outputs change.** If output $i$ moves for some $j > i$, something came back from the future.

# %%
ids = rows(["2026年11月22日"])[0]  # (1, T): the first token begins the text


@torch.no_grad()
def reach(model, ids):
    """(T, T): row i, column j is True if changing token j changes output i."""
    before, columns = model(ids)[0], []
    for j in range(ids.shape[1]):
        changed = ids.clone()
        changed[0, j] = (changed[0, j] + 5) % 10  # another character
        columns.append(((model(changed)[0] - before).abs() > 1e-4).any(dim=-1))
    return torch.stack(columns, dim=1)


# %%
_, axes = plt.subplots(1, 2, figsize=(7.5, 3.4))
for ax, (name, network, causal) in zip(axes, (("with", honest, True), ("without", leaky, False)), strict=True):
    with mask_of(network, causal):
        reached = reach(network, ids)
    leaks = reached.triu(1).sum().item()
    ax.imshow(reached, cmap="cividis", vmin=0, vmax=1)
    ax.grid(False)
    ax.set(xlabel="changed token j", ylabel="output i that moves (yellow)")
    ax.set_title(f"{name} the mask: {leaks} cells leak")
    assert (leaks == 0) == causal

# %% [markdown]
# Perturb the *future*. Changing an early token and seeing later outputs move proves nothing: they should.
#
# Is it enough to look for weights above the diagonal of the attention map? Take softmax over everything, *then* multiply
# the weights by the causal mask:


# %%
def masked_after(q, k, v, allowed):
    weights = (q @ k.T / math.sqrt(q.shape[1])).softmax(dim=-1) * allowed
    return weights @ v, weights


output, weights = masked_after(q, k, v, allowed)
print("weight on the future:", weights.triu(1).sum().item())

# %% [markdown]
# The map is clean. Does the last token still reach the first output?

# %%
predict("03_masks.clean_map", None)  # "yes" or "no"

# %% jupyter={"outputs_hidden": true}
other_k = k.clone()
other_k[-1] += 1.0
moved = not torch.allclose(masked_after(q, other_k, v, allowed)[0][0], output[0], atol=1e-4)
predict("03_masks.clean_map", actual="yes" if moved else "no")

# %% [markdown]
# <details><summary>How it gets there</summary>
#
# $\text{weight}_{00} = e^{s_{00}} / \sum_j e^{s_{0j}}$, where $s_{0j}$ is the score of query 0 with key $j$. The future keys
# are gone from the map, but not from the sum under the fraction. Any step that mixes positions can leak so: a norm whose mean
# runs over time, a convolution. So test *outputs*, not maps.
#
# </details>
#
# ## 6. Fewer queries than keys
#
# While a model writes, it keeps the keys and values of the tokens already read in a **cache**: only the $T$ newest tokens
# ask, but there are $S \ge T$ keys. The newest query is the newest token, so the **last query meets the last key**. Query
# $i$ stands at position $S - T + i$:

# %%
T, S = 2, 5
allowed = torch.zeros(T, S, dtype=torch.bool)
for i in range(T):
    for j in range(S):
        allowed[i, j] = j <= S - T + i

assert torch.equal(allowed, torch.ones(T, S).tril(diagonal=S - T).bool())
assert torch.equal(allowed, causal_mask(T, S))  # the package's
print(allowed.int().numpy())

# %% [markdown]
# This must give the last two rows of the full computation, and it does:

# %%
q, k, v = torch.randn(S, d), torch.randn(S, d), torch.randn(S, d)
full, _ = scaled_dot_product_attention(q, k, v, causal_mask(S, S))
cached, _ = scaled_dot_product_attention(q[-T:], k, v, allowed)
assert torch.allclose(cached, full[-T:], atol=1e-6)

# %% [markdown]
# PyTorch's `is_causal=True` puts the *first* query at the *first* key. With one-hot values the output shows the weights:

# %%
top_left = F.scaled_dot_product_attention(q[-T:], k, torch.eye(S), is_causal=True)
print((top_left > 0).int().numpy())

# %% [markdown]
# The two agree only when $T = S$, so a test without a cache does not tell them apart. The translator writes with a cache,
# $T = 1$. What becomes of its 300 dates if its decoder uses `is_causal=True`?

# %%
predict("03_masks.top_left", None)  # "all right", "about half" or "none right"


# %% jupyter={"outputs_hidden": true}
def first_meets_first(q, k, v, mask):
    return F.scaled_dot_product_attention(q, k, v, is_causal=True), None


with replace_attention(model, first_meets_first, ("decoder",)):
    share = exact_match(model, tokenizer, held_out)
predict("03_masks.top_left", actual="all right" if share > 0.9 else "none right" if share < 0.1 else "about half")

# %% [markdown]
# <details><summary>What the newest token saw</summary>
#
# One key: the first, the token that begins every text. It cannot know what has been written.
#
# </details>
#
# ## 7. Padding
#
# The tokenizer gives the batch and its token mask `(B, S)`, True at real tokens. Padding closes *columns*: no query, of any
# head, may look there. So the mask becomes `(B, 1, 1, S)`, and broadcasts against scores `(B, H, T, S)`, with $B$ texts and
# $H$ heads (side by side: lesson 04).

# %%
short, long = "May 3, 1931", "Wednesday, September 23, 2026"
one, _ = tokenizer.batch([short])
two, token_mask = tokenizer.batch([short, long])
print(token_mask.int().numpy(), tuple(token_mask[:, None, None, :].shape))

# %% [markdown]
# The right test is again a perturbation: the same date, alone and beside a longer one.

# %%
n = one.shape[1]
with torch.no_grad():
    by_itself, in_a_batch = model.encode(one)[0], model.encode(two, token_mask)[0, :n]
    with replace_attention(model, ignoring, ("encoder",)):
        ignored = model.encode(two, token_mask)[0, :n]
print("with the mask, equal to 1e-5:", torch.allclose(by_itself, in_a_batch, atol=1e-5))
print("mask ignored, some number moved by more than 0.5:", ((by_itself - ignored).abs().max() > 0.5).item())

# %% [markdown]
# That was the first riddle: in section 1 every short date read its padding. Rows of padded *queries* stay open. They compute
# something nobody reads, and the loss leaves them out.
#
# A decoder in a batch needs both masks at once. A key must be real **and** not in the future, so the masks are joined by
# `&`: `(B, 1, 1, S)` & `(T, S)` gives `(B, 1, T, S)`.

# %%
left_padded, left_mask = tokenizer.batch([short, long], side="left")
S = left_mask.shape[1]
both = left_mask[:, None, None, :] & causal_mask(S, S)
print(tuple(both.shape), "| keys allowed to each query of the short text:", both[0, 0].sum(dim=-1).tolist())

# %% [markdown]
# Texts are padded on the left when a batch goes on writing, so that each goes on where it ends. And then the first rows may
# see no key at all.
#
# ## 8. A row with no key
#
# Softmax over nothing is $0/0$: NaN. It does not stay where it arises. In the next layer that position is a key with weight
# 0 for all others, and $0 \cdot \text{NaN}$ is

# %%
q, k, v = torch.randn(4, d), torch.randn(4, d), torch.randn(4, d)
allowed = causal_mask(4, 4) & torch.tensor([False, True, True, True])  # key 0 is padding: query 0 sees nothing
weights = (q @ k.T / math.sqrt(d)).masked_fill(~allowed, -math.inf).softmax(dim=-1)
print("query 0:", weights[0].tolist(), "| 0 times NaN:", 0 * weights[0, 0].item())

# %% [markdown]
# A common cure adds $-\infty$ to the scores and turns NaN into 0 afterwards. The output is clean. What does the
# gradient with respect to the queries hold?

# %%
predict("03_masks.backward", None)  # "clean" or "NaN"


# %%
def added(scores, allowed):
    return (scores + torch.zeros(4, 4).masked_fill(~allowed, -math.inf)).softmax(-1).nan_to_num(0.0)


def large_number(scores, allowed):
    return scores.masked_fill(~allowed, -1e9).softmax(-1)


def our_rule(scores, allowed):
    weights = scores.masked_fill(~allowed, -math.inf).softmax(-1)
    return weights.masked_fill(~allowed.any(-1, keepdim=True), 0.0)


# %% jupyter={"outputs_hidden": true}
backward_nan = {}
print("Three rules for a row without a key:")
for rule in (added, large_number, our_rule):
    leaf = q.clone().requires_grad_()
    weights = rule(leaf @ k.T / math.sqrt(d), allowed)
    (weights @ v).sum().backward()
    backward_nan[rule] = leaf.grad.isnan().any().item()
    print(f"{rule.__name__:13} weights of query 0: {weights[0].tolist()}   NaN in the gradient: {backward_nan[rule]}")

# %% jupyter={"outputs_hidden": true}
predict("03_masks.backward", actual="NaN" if backward_nan[added] else "clean")

# %% [markdown]
# * `added` looks mended, and poisons the gradient: going back through that softmax multiplies 0 by NaN.
# * `large_number` averages over exactly what it must not see. No NaN, no error, and a leak.
# * `our_rule`: a row without a key gives **zeros**. The NaN arises here too; but `masked_fill` passes no gradient where it
#   wrote, and in that row it wrote everywhere.
#
# ## 9. Play
#
# Click a column: that key and its value change, and the outputs that move light up.
#
# 1. Causal, $T = S = 6$: which rows change when key 3 changes? Which key changes the fewest rows, and which the most?
# 2. Set $T = 3$, keep $S = 6$. Which outputs can key 5 change under each causal alignment? For which $T$ and $S$ does the
#    explorer count 0 cells that differ?
# 3. Find three different settings with a row that has no key.

# %%
explorer = MaskExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. Rows 3, 4, 5. Key 5 changes one row, key 0 all six. 2\. Last meets last: output 2 alone. First meets first: none; three
# newest keys are read by nobody. They agree exactly where $T = S$. 3\. Causal (last meets last) with $T > S$; causal with
# padding on the left; padding of all keys.
#
# </details>

# %%
for T, S in ((6, 6), (3, 6), (6, 3)):
    last, first = (MaskExplorer(T=T, S=S, kind=kind) for kind in ("causal", "top left"))
    differ = int((last.mask != first.mask).sum())
    print(f"T = {T}, S = {S}: {differ} cells differ; rows without a key: {last.empty_rows} and {first.empty_rows}")
for kind, n_padded in (("causal and padding", 2), ("padding", 6)):
    empty = MaskExplorer(kind=kind, n_padded=n_padded, side="left").empty_rows
    print(f"{kind}, {n_padded} on the left: rows without a key: {empty}")

# %% [markdown]
# ## 10. What people get wrong
#
# (M08 and M36: their numbers in this course's list of misconceptions. The exercises use them too.)
#
# **Something other than $-\infty$ before the softmax** (M08). Four ways, each put to the test of section 5: the last key
# changes; does output 0 move?

# %%
ways = {
    "-inf before": lambda s, allowed: s.masked_fill(~allowed, -math.inf).softmax(-1),
    "0 before": lambda s, allowed: (s * allowed).softmax(-1),
    "times 0 after": lambda s, allowed: s.softmax(-1) * allowed,
    "-10 before": lambda s, allowed: s.masked_fill(~allowed, -10.0).softmax(-1),
}
allowed, push = causal_mask(4, 4), torch.zeros(4, d)
push[-1] = 1.0  # added to the last key and to the last value
for name, way in ways.items():
    scores, pushed = q @ k.T / math.sqrt(d), q @ (k + push).T / math.sqrt(d)
    before, after = way(scores, allowed)[0] @ v, way(pushed, allowed)[0] @ (v + push)
    low = way(scores - 20.0, allowed)[0]  # row 0 with the same differences between scores, all of them low
    print(f"{name:14} output 0 moves: {not torch.equal(before, after)!s:5}   low scores: row 0 sums to {low.sum():.2f}, "
          f"{low[1:].sum():.2f} of it on the future")  # fmt: skip

# %% [markdown]
# $e^0 = 1$ is a weight like any other; $-10$ is a small score only beside larger ones. `times 0 after` could be mended by
# dividing each row by what is left of it. That is right on paper, until a blocked score is so far above the others that
# nothing is left:

# %%
far = torch.tensor([0.0, 1.0, 200.0])  # the last key is blocked
left = far.softmax(dim=0) * torch.tensor([1.0, 1.0, 0.0])
blocked = far.masked_fill(torch.tensor([False, False, True]), -math.inf)
print("divided by what is left:", (left / left.sum()).tolist(), "| -inf:", blocked.softmax(dim=0).numpy().round(2))

# %% [markdown]
# **The opposite polarity** (M36). Three conventions are in use:
#
# | where | allowed | blocked |
# |---|---|---|
# | `F.scaled_dot_product_attention`, this course | `True` | `False` |
# | `nn.MultiheadAttention`: `attn_mask`, `key_padding_mask` | `False` | `True` |
# | floats, *added* to the scores (both take them) | 0 | $-\infty$ |

# %%
heads = torch.nn.MultiheadAttention(embed_dim=8, num_heads=1, batch_first=True)
x = torch.randn(1, 4, 8)
for name, mask in (("allowed", allowed), ("~allowed", ~allowed)):
    _, weights = heads(x, x, x, attn_mask=mask)
    print(f"attn_mask={name:9} query 1 reads keys {weights[0, 1].nonzero().flatten().tolist()}, "
          f"the last query has NaN: {weights[0, -1].isnan().any().item()}")  # fmt: skip

# %% [markdown]
# Handed over as it is, our mask shows only the future. And `nn.MultiheadAttention` has no rule for a row without a key.
#
# **A mask accepted but ignored** (M36). You saw `ignoring` in section 1. A quieter one is `mask.float()`: numbers are
# *added*, and adding 0 or 1 blocks nothing.

# %%
with_mask = F.scaled_dot_product_attention(q, k, torch.eye(4), attn_mask=allowed)
as_floats = F.scaled_dot_product_attention(q, k, torch.eye(4), attn_mask=allowed.float())
print("query 0, keys with weight:", (with_mask[0] > 0).sum().item(), "| as floats:", (as_floats[0] > 0).sum().item())

# %% [markdown]
# ## 11. In the package
#
# `causal_mask(T, S)` and the `mask` of `scaled_dot_product_attention` are what you derived, rule for empty
# rows included; torch's fused function follows the same rule.

# %%
allowed = causal_mask(4, 4) & torch.tensor([False, True, True, True])
ours, weights = scaled_dot_product_attention(q, k, v, allowed)
assert torch.equal(weights, our_rule(q @ k.T / math.sqrt(d), allowed))
assert torch.allclose(ours, F.scaled_dot_product_attention(q, k, v, attn_mask=allowed), atol=1e-6)
assert ours[0].tolist() == [0.0] * d

# %% [markdown]
# The models take token masks `(B, S)` and do the rest. Two texts of the small language model, padded on the left, read at
# once and one token at a time with a cache:

# %%
ids = torch.cat((rows(["2026年11月22日"])[0], rows(["1931年5月3日星期日"])[0][:, :12]))
token_mask = torch.ones_like(ids).bool()
token_mask[0, :3] = False  # as if the first text were shorter
cache = honest.decoder.new_cache()
with torch.no_grad():
    whole = honest(ids, token_mask)
    steps = [honest(ids[:, t : t + 1], token_mask[:, : t + 1], cache=cache)[:, 0] for t in range(ids.shape[1])]
assert torch.allclose(torch.stack(steps, dim=1)[token_mask], whole[token_mask], atol=1e-4)
assert whole.isfinite().all()  # rows without a key among them

# %% [markdown]
# ## 12. Check yourself
#
# <details><summary>Your training loss drops to 0.01 in the first minutes. What do you test, and how?</summary>
#
# Whether the future leaks: change token $j$ and see whether any output before $j$ moves. If none does, look at the labels: are
# they shifted by one against the inputs?
#
# </details>
#
# <details><summary>A model passes all tests with one sentence, and gets worse in batches. What do you suspect?</summary>
#
# The padding mask: missing, upside down, on the wrong axis, or not handed on. Compare one sentence alone and beside a
# longer one.
#
# </details>
#
# <details><summary>Why is a row of zeros a better rule for an empty row than a row of equal weights?</summary>
#
# Equal weights read exactly what was forbidden, padding or future, and raise no alarm. Zeros add nothing.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/03_masks/masks.ipynb): three core questions, then four more.
#
# ## Takeaways
#
# * Masking a key means: the weights are those of the list without it. That takes $-\infty$ before the softmax.
# * The causal mask makes one pass equal to $T$ passes over all beginnings. Without it the loss is near 0 and the texts are
#   rubbish.
# * With a cache the last query meets the last key; `is_causal` means the first and the first.
# * Padding closes columns. Test it with a batch of unequal lengths.
# * A row without a key gives zeros; hiding a NaN afterwards may leave it in the gradient.
# * To find a leak, perturb the future and look at the outputs. It works on any model, and needs no look at its code.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.2.3: $-\infty$ before the
# softmax. Radford et al. (2019) and Brown et al. (2020), [arXiv:2005.14165](https://arxiv.org/abs/2005.14165): causal language
# models. Devlin et al. (2018), [arXiv:1810.04805](https://arxiv.org/abs/1810.04805): a model without the causal mask, and what
# it must do instead (lesson 14).
#
# Previous: [02 Attention](02_attention.ipynb). Next: [04 Many heads](04_multi_head.ipynb).
