# %% [markdown]
# # 08 Positions
#
# **How does a model know that 1965 is not 5691?**
#
# ![The translator drawn from its configuration. The encoder reads "Sunday, November 22, 2026", the decoder has written
# 2 0 2 6 nián and is about to write 1. Only the lowest box of each side is lit, where tokens become vectors and positions
# are added.](figures/08_positions_where.svg)
#
# The translator reads a year digit by digit: 1, 9, 6, 5. The year 5691 is made of the same four tokens, so something must
# tell each token where it stands. That happens in the lit boxes, before the first block, and it is a single addition. But
# what is added?
#
# We try the obvious ways, and then build what the designers of 2017 chose, which looks like a clock. Then we set the
# clock of a trained model one place forward, and see what it writes.
#
# A second question decides how long a text a model can read: what does it do at a place **where no token stood in
# training**? You will be able to
#
# * test whether a layer notices the order of its tokens, and prove why attention alone does not;
# * derive the clock, and the schemes that took its place in newer models;
# * say at which places a scheme is defined, and measure where it works.
#
# About 55 minutes. It builds on [02 Attention](02_attention.ipynb), [03 Masks](03_masks.ipynb) and
# [04 Multi-head attention](04_multi_head.ipynb).

# %%
import math
import re
from contextlib import contextmanager

import matplotlib.pyplot as plt
import torch

from transformer_lab import BERT, GPT, TransformerConfig, exact_match, load, switch_off, translate
from transformer_lab.analysis.access import patched
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.positions import AlibiPositions, RotaryPositions, rotate
from transformer_lab.viz import RotaryExplorer, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# Does our trained translator need its positions? We take them away from its *encoder*, the side that reads. That
# side still reads the same tokens, and the decoder, which writes, keeps its own positions. Some words need no
# place: `November` is a month wherever it stands. How many of 300 dates will still be right?

# %%
predict("08_positions.break")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
encode = model.encode


def read_without_positions(*texts):
    with switch_off(model, "positions"):
        return encode(*texts)


without_order = [(model, "encode", read_without_positions)]
right = {"whole": exact_match(model, tokenizer, held_out)}
with patched(without_order):
    right["encoder without positions"] = exact_match(model, tokenizer, held_out)
share = right["encoder without positions"]
title = f"Read without positions, {share:.0%} of the dates are right"
_ = plots.shares(plt.subplots(figsize=(7, 1.6))[1], right, title)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
predict("08_positions.break", actual="over half" if share > 0.5 else "2 % to half" if share >= 0.02 else "under 2 %")

# %% [markdown]
# And what does it write? We try two years with the same digits, and then the first date with all its tokens in reverse
# order. (Run the cell and open its output after your guess.)

# %% jupyter={"outputs_hidden": true}
date, other = "Sunday, November 22, 2026", "Sunday, November 22, 2062"
backwards = " ".join(tokenizer.tokens(tokenizer.encode(date))[::-1])
texts = [date, other, backwards]
whole = translate(model, tokenizer, texts)
with patched(without_order):
    unordered = translate(model, tokenizer, texts)
for text, *both in zip(texts, whole, unordered, strict=True):
    print(f"{text}\n    whole: {both[0]}   without: {both[1]}")

with switch_off(model, "positions"):  # in the decoder, too
    print(f"without any positions: {translate(model, tokenizer, [date])[0]}")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Counts what survives in the 300 dates
with patched(without_order):
    unordered = translate(model, tokenizer, [pair.source for pair in held_out])
left = dict.fromkeys(("year", "month", "day", "weekday"), 0)
for text, pair in zip(unordered, held_out, strict=True):
    said, wanted = (re.match(r"(\d*)年(\d*)月(\d*)日(.*)", line) for line in (text, pair.target))
    for part, was, now in zip(left, wanted.groups(), said.groups() if said else [None] * 4, strict=True):
        left[part] += was == now != ""
asked = [text for text, pair in zip(unordered, held_out, strict=True) if "星期" in pair.target]
stopped = sum(text.endswith("日") and "星期" not in text for text in asked)
print(f"right of 300: {left}; a weekday was wanted in {len(asked)}, and {stopped} of these end after 日")
assert len(asked) == 100 and abs(stopped - 92) < 4
assert all(abs(left[part] - n) < 4 for part, n in zip(left, (11, 260, 52, 8), strict=True))

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# Without positions all three texts get *the same* translation, and 2026 and 2062 have become one year. To this encoder the
# English is a **bag of words**: the tokens are there, but their order is gone. (The last line is what you get if the decoder
# loses its positions, too.)
#
# Of the 300 dates, 260 keep their month, which is always a word here. But the digits no longer tell which number
# they belong to: the day is right in 52, the year in 11. Of the 100 weekdays, which are words as well, only 8
# survive: the other 92 translations stop before the weekday.
#
# Does a trained model just miss something it has come to rely on? [Lesson 09](09_block.ipynb) trains a translator
# that never had positions, on either side. It gets 18 to 21 % of the dates right. Its twin with positions, trained
# for as many steps, gets all of them (three seeds).
#
# </details>
#
# ## 2. What attention makes of a shuffled text
#
# Must something tell attention the order, or can it notice by itself that its tokens have changed places? Take $T$ tokens
# with vectors `x` of shape $(T, D)$, and one head of width $d$ without a mask. Reordering the rows of `x` means multiplying
# it from the left by a **permutation matrix** $P$, with a single 1 in each row and column. Its transpose puts the rows back,
# $P^\top P = I$.
#
# 1. Projections act on each row alone. So the queries of $Px$ are the old ones, reordered: $(Px)W_Q = P\,(xW_Q) = Pq$. The
#    same holds for keys and values.
# 2. Scores $s = qk^\top / \sqrt{d}$ become $(Pq)(Pk)^\top / \sqrt{d} = P s P^\top$: rows and columns are reordered.
# 3. Softmax looks at one row at a time, in whatever order its numbers stand: weights $w$ become $P w P^\top$.
# 4. The output $wv$ becomes $P w P^\top P v = P\,(wv)$, since the two matrices in the middle cancel.
#
# So the whole head, call it $f$, obeys $f(Px) = P f(x)$. Reorder the input, and each token gets *the very output it had
# before*, at its new place. That is **permutation equivariance**. Skips, norms and feed-forward layers treat each token
# alone, so a whole encoder inherits it.
#
# We test it on two untrained encoders, one without positions and one with those that we are about to build. Each reads
# twelve tokens, then the same twelve shuffled. (The package calls its encoder `BERT`, its decoder `GPT`.)


# %%
def moved_by_shuffling(scheme):
    """By how much outputs differ from the old ones, put in the new order; and how large they are."""
    torch.manual_seed(0)
    encoder = BERT(TransformerConfig(vocab_size=50, positions=scheme)).eval()
    ids, order = torch.randint(50, (1, 12)), torch.randperm(12)
    with torch.no_grad():
        outputs = encoder(ids)
        return (encoder(ids[:, order]) - outputs[:, order]).abs().max(), outputs.abs().max()


for scheme in ("none", "sinusoidal"):
    moved, size = moved_by_shuffling(scheme)
    print(f"{scheme:12} outputs differ by {moved:.1f} of {size:.1f}")
    assert moved < 1e-4 or scheme != "none"

# %% [markdown]
# Without positions the outputs are the same up to rounding. Training cannot change that: the proof holds for any weights.
#
# **And a decoder?** Its causal mask (lesson 03) lets each token see only itself and those before it. We shuffle the first
# eleven of twelve tokens and leave the last one in its place. Does its output notice? Neither model has positions:


# %%
def last_output_moves(kind):
    torch.manual_seed(0)
    model = kind(TransformerConfig(vocab_size=50, positions="none")).eval()
    ids = torch.randint(50, (1, 12))
    shuffled = torch.cat((ids[:, torch.randperm(11)], ids[:, 11:]), dim=1)
    with torch.no_grad():
        before, after = model(ids)[:, -1], model(shuffled)[:, -1]
    return (after - before).abs().max(), before.abs().max()


for name, kind in (("encoder, no mask", BERT), ("decoder, causal mask", GPT)):
    moved, size = last_output_moves(kind)
    print(f"{name:22} the last output moves by {moved:.2f} of {size:.2f}")

# %% [markdown]
# The decoder notices. The proof breaks at step 3: the scores are reordered, but the mask stays where it is. So "a
# Transformer without positions cannot know the order" is true of encoders, but not of every decoder. (The last
# token sees all twelve in either order. How can it notice? Question 7 of the exercises tries one block and two.)
#
# <details><summary>Deeper: how a decoder could even read the place itself</summary>
#
# The token at place $t$ averages over the $t + 1$ tokens up to its own. Suppose that every text begins with the same token,
# that this token has the value 1 and all others 0, and that all scores are equal. Then the averages are 1, 1/2, 1/3, 1/4,
# ..., and each one tells its place.
#
# </details>
#
# So an encoder, at least, must be told where its tokens stand.
#
# ## 3. The obvious ways, tried
#
# What can we add to a token's vector, so that it says where the token stands?
#
# ![Ten positions. First row: t itself, a bar that grows without end. Second row: t divided by T for a text of ten tokens,
# 0.0, 0.1, 0.2 and so on. Third row: the same for five tokens, 0.0, 0.2, 0.4, 0.6, 0.8. Position 2 is marked: the same place
# has the numbers 0.2 and 0.4.](figures/08_positions_numbers.svg)
#
# **Add $t$ itself** to each number of the vector. We take two words of the trained translator whose vectors have little in
# common. How alike do they become? (The cosine of the angle between them is 1 if they point the same way.)

# %%
ids = [tokenizer.encode(word)[0] for word in ("November", "Sunday")]
november, sunday = 8 * model.embedding.tokens.weight.detach()[ids]  # 8 is the root of 64, as in the model
for t in (0, 1, 3, 9, 100):
    cosine = torch.cosine_similarity(november + t, sunday + t, dim=0)
    print(f"at place {t:3}: cosine of November and Sunday {cosine:.2f}")

# %% [markdown]
# At place 9 the two sums, before any norm, point nearly the same way: the place shouts the word down.
#
# **Add $t/T$**, which never exceeds 1. But the same place has different numbers in different texts, as the drawing
# shows. And a decoder does not know $T$: it has yet to write the rest. **Divide by a fixed maximum**, say 32?
# Neighbours then differ by 0.03, and look alike.
#
# **Add the binary digits of $t$.** Eight features, each 0 or 1, count to 255. They do not grow, no two places have
# the same eight, and $T$ does not occur. In the upper half of the drawing, go from 6 to 7, and then to 8:
#
# ![Ten positions. Above, their binary digits, ones, twos, fours and eights, as boxes with 0 or 1: from 7 to 8 all four digits
# change. Below, three clock hands with a turn in 4, 8 and 16 positions: from 7 to 8 every hand moves on by its usual
# step.](figures/08_positions_hands.svg)
#
# From 6 to 7 one digit changes, from 7 to 8 all four: neighbours can look like strangers.
#
# Each way has a flaw. Do they fail, then? The Deeper part at the end of this section trains a small decoder with
# each, to repeat the token before. Some ways help little, or not at all. But at the end of 16 tokens the digits,
# written eight times over, are learnt well, and so are rows of plain noise, one for each place. The clock of the
# next section does no better.
#
# **What, then, is the clock for?** In it *one step further* is one matrix, the same everywhere. Its designers hoped
# that this would make offsets easy to learn. Which of these ways have such a matrix? For 256 places we fit the
# matrix, with a bias, that best takes each place's numbers to the next. We print how much of the variation it leaves
# unexplained:


# %%
def unexplained(rows):
    """rows (n, features): the share of the next row's variance that the best linear step from this row misses."""
    here, following = rows[:-1].double(), rows[1:].double()
    here = torch.cat((here, torch.ones(len(here), 1)), dim=1)  # the bias
    step = torch.linalg.lstsq(here, following, driver="gelsd").solution  # this driver bears columns that are much alike
    return ((following - here @ step).pow(2).sum() / (following - following.mean(dim=0)).pow(2).sum()).item()


t = torch.arange(256)
digits = (t[:, None] >> torch.arange(8)) & 1  # (256, 8), shifted right by 0 to 7 digits
for name, rows in (("t itself", t[:, None]), ("binary digits", digits), ("random rows", torch.randn(256, 8))):
    print(f"{name:14} {unexplained(rows):.0%}")

# %% [markdown]
# $t$ itself has one step, "add 1", but it grows without end. The digits stay small, and they have different *speeds*: the ones
# change fast and tell neighbours apart, the eights change slowly and tell distant places apart. What they lack is the one
# step.
#
# To have that too, let each digit glide like a hand that turns, as in the drawing's lower half above. A hand is two
# numbers, the sine and the cosine of its angle from twelve o'clock: how far its tip is to the right, and how far
# up.
#
# <details><summary>Deeper: why two numbers, and why the ones have no hand in the drawing</summary>
#
# The sine alone would not do: in each turn it passes each value twice, once rising and once falling. The ones have no hand
# there, since with a turn in 2 it would only flip to and fro.
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: do the obvious ways fail?
#
# `experiments/position_ways.py` adds the numbers of each way to the words of a small decoder and trains it for 150
# steps on texts of 8 to 32 tokens, with five seeds. Its task is to repeat the token just before this one, so only
# the place matters. A word has 64 numbers of about the size 1.
#
# For comparison there are *nothing*, *the clock* of the next section, and *random rows*: a row of noise for each place, drawn
# once and never trained. Which ways get further than *nothing*?

# %% jupyter={"source_hidden": true} tags=["deeper"]
ways = recorded("position_ways")["result"]["accuracy"]
fig, ax = plt.subplots(figsize=(7.5, 3.7))
for row, way in enumerate(ways):
    color = plots.COLORS[1] if way == "the clock" else "grey" if way in ("nothing", "random rows") else plots.COLORS[0]
    ax.plot([100 * at_16 for at_16, _ in ways[way]], [row] * len(ways[way]), "o", ms=5, color=color, clip_on=False)
ax.set(xlim=(0, 102), xlabel="right at the last 8 of 16 tokens (%); a dot is a seed", yticks=range(len(ways)))
ax.set_yticklabels(ways)
ax.invert_yaxis()
_ = fig.suptitle("One token back, after 150 steps: rows of noise do better than the clock", fontsize=12)

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["deeper"]
# Checks what is said of the figure, seed by seed
at_16 = {way: [seed[0] for seed in seeds] for way, seeds in ways.items()}
assert all(abs(a - b) < 0.01 for a, b in zip(at_16["nothing"], at_16["t, to every number"], strict=True))
assert min(at_16["t, to one number"]) > 0.98 and max(at_16["t/32, to one number"]) < 0.55
assert max(at_16["binary digits, once"]) < 0.8 and min(at_16["binary digits, 8 times"]) > 0.99
assert min(at_16["t/32, to all, with signs"]) > 0.95 and max(at_16["t/32, to all, with signs"]) < 0.985
assert min(at_16["random rows"]) > 0.99 and all(0.97 < share < 0.99 for share in at_16["the clock"])

# %% [markdown] tags=["deeper"]
# **$t$ in every number** does just what *nothing* does, with every seed. This decoder is pre-norm (lesson 06): a norm stands
# in front of each sub-layer and subtracts what all features share, and the place with it. (In post-norm, as in our
# translator, the first attention would still see it.) *Nothing* is far above guessing, 1 in 80: it is a decoder, and
# section 2 showed that those can notice order. In *one* number $t$ survives the norm, and is learnt well.
#
# **Faint numbers are hardly heard.** $t/32$ in one number is the same as $t$ there, only 32 times smaller, and it
# helps little; $t/T$ helps a little more. The binary digits, each once, are not learnt well, either. Written eight
# times over, they are. And so is $t/32$, if it is written into all 64 numbers, with a plus or a minus drawn once
# for each, so that no norm subtracts it. Neighbours are then eight times as far apart as with one number, since
# $\sqrt{64} = 8$.
#
# And **random rows**, in which no order can be seen, get more than 99 % right. So numbers that grow were not fatal
# here, nor were neighbours that look like strangers, and the clock has no lead. A step that is the same everywhere
# is not needed, either: the digits have none. (The noise of this trial, 32 rows of 64 numbers, does have one.)
#
# The figure shows texts of 16 tokens. (At the end of 32 tokens, which are recorded but not shown, every way gets less
# right, and the noise is far behind the digits.)

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["deeper"]
# Checks what is said of the trial's own size, 32 places and 64 numbers (there even noise has such a step)
assert unexplained(torch.randn(32, 64)) < 1e-9 and unexplained(digits[:32].repeat(1, 8)) > 0.4

# %% [markdown]
# ## 4. The clock
#
# We want a vector that stays small, differs from place to place, and has one step that is the same everywhere.
# **Sinusoidal positions** (Vaswani et al. 2017) are a clock with $D/2$ hands. From one place to the next, hand $i$ (from 0 to
# $D/2 - 1$) turns by $\omega_i$ radians, its **frequency**. Its two numbers are a pair of features of $p_t$, the vector that
# is added at place $t$:
#
# $$\omega_i = 10000^{-2i/D}, \qquad p_{t,\,2i} = \sin(t\,\omega_i), \qquad p_{t,\,2i+1} = \cos(t\,\omega_i).$$
#
# (The 10,000 is a choice: the slowest hand should not come full circle within the texts that the model will read.)
#
# We build the table and look for its best linear step, as before. Each column of the figure below is a place; compare
# how fast the colours change at top and bottom.


# %%
def clock(t, D):
    """The vector of place t, a list of D numbers"""
    features = []
    for i in range(D // 2):
        angle = t / 10_000 ** (2 * i / D)
        features += [math.sin(angle), math.cos(angle)]
    return features


table = torch.tensor([clock(t, 64) for t in range(256)])  # (256, 64), a row for each place
frequency = 10_000 ** (-2 * torch.arange(32) / 64)  # (32,)
turn = 2 * math.pi / frequency
print(f"a whole turn takes {turn[0]:.1f} places for the first hand, {turn[-1]:,.0f} for the last")
for D in (8, 64):  # 8 features, as the digits had, and the translator's 64
    left = unexplained(torch.tensor([clock(t, D) for t in range(256)]))
    print(f"with {D:2} features the best linear step leaves {left:.0%} unexplained")
    assert left < 1e-6

# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
for ax, part, name in zip(
    axes, (0, 1), ("sines (features 0, 2, 4, ...)", "cosines (features 1, 3, 5, ...)"), strict=True
):
    image = ax.imshow(table[:128, part::2].T, cmap="viridis", aspect="auto", vmin=-1, vmax=1)
    ax.set_title(name)
    ax.set(xlabel="position")
    ax.grid(False)
axes[0].set_ylabel("hand, from the fastest")
fig.suptitle("The clock, place by place: fast hands above, slow ones below", fontsize=12)
_ = fig.colorbar(image, ax=axes, label="value")

# %% [markdown]
# The fast hands change from place to place, while the slowest hardly move in 128. And the best step leaves nothing
# unexplained. We know its matrix: to go $k$ places further, turn each pair by the angle $k\omega_i$, wherever you start.
#
# Turning two clocks by the same angles changes no angle between them. So their dot product depends on the **relative
# position** alone, the offset $m - n$:
#
# $$p_m \cdot p_n = \sum_i \big(\sin m\omega_i \sin n\omega_i + \cos m\omega_i \cos n\omega_i\big) = \sum_i \cos\big((m - n)\,\omega_i\big).$$
#
# (For $m = n$ it is $D/2$, here 32: each hand adds $\cos 0 = 1$.)

# %%
for m, n in ((10, 3), (97, 90), (207, 200), (10, 9)):
    print(f"places {m:3} and {n:3}: product {table[m] @ table[n]:.1f} of {table[m] @ table[m]:.0f}")

# %% [markdown]
# Any way of giving each place a vector is called a **positional encoding**. With **learned positions** (GPT-2, BERT) the
# table is a matrix of parameters, `max_len` rows of $D$ numbers, and training finds it. It can hold any pattern, but it has
# no row beyond its last:

# %%
decoder = GPT(TransformerConfig(vocab_size=50, positions="learned", max_len=32))
try:
    decoder(torch.zeros(1, 33, dtype=torch.long))
except ValueError as error:
    print(error)

# %% [markdown]
# ## 5. One place forward
#
# The clock was made so that offsets are easy to see, and the translator was trained with it. Does the translator go by
# offsets? To find out, we give the trained model other positions:


# %%
def with_table(rows):
    """A context in which the translator adds these rows (places, 64) as positions, on both sides."""

    def add_places(x, places):
        return x + rows[places[:, -x.shape[1] :]]  # with a cache, x holds the newest tokens only

    return patched([(model.embedding.positions, "forward", add_places)])


# %% jupyter={"source_hidden": true}
@contextmanager
def with_tables(of_encoder, of_decoder):
    """The same, with different rows for each side."""

    def read(*texts):
        with with_table(of_encoder):
            return encode(*texts)

    with with_table(of_decoder), patched([(model, "encode", read)]):
        yield


# %% [markdown]
# We set its clock *one place forward*: token 0 gets the vector of place 1, token 1 that of place 2, and so on, in encoder and
# decoder alike. Every offset between any two tokens stays as it was. How many of 300 dates will be right?

# %%
predict("08_positions.shift")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
right = {"as trained": exact_match(model, tokenizer, held_out)}
for name, of_encoder, of_decoder in (
    ("both clocks 1 forward", 1, 1),
    ("the encoder's alone", 1, 0),
    ("the decoder's alone", 0, 1),
):
    with with_tables(table[of_encoder:], table[of_decoder:]):
        right[name] = exact_match(model, tokenizer, held_out)
        print(f"{name:22}", *translate(model, tokenizer, [date, other]))
assert right["the decoder's alone"] < 0.02 and 0.75 < right["the encoder's alone"] < 0.9
with with_tables(table, table[1:]):
    said = translate(model, tokenizer, [pair.source for pair in held_out])
lost = [{pair.target[:i] + pair.target[i + 1 :] for i in range(4)} for pair in held_out]  # one digit of the year
short = sum(text in ways for text, ways in zip(said, lost, strict=True))
print(f"the decoder's alone: ≈ {short} of 300 are right but for a digit that the year has lost")
assert abs(short - 298) < 3

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
share = right["both clocks 1 forward"]
_ = plots.shares(plt.subplots(figsize=(7, 2.1))[1], right, f"With both clocks one place forward, {share:.0%} are right")
assert share < 0.02

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
predict("08_positions.shift", actual="over half" if share > 0.5 else "2 % to half" if share >= 0.02 else "under 2 %")

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# The bar shows 0 %. Yet no offset has changed, and nearly all of these vectors are old friends: in training they
# stood one token further on. Both years lose a digit. (With the encoder's clock alone set forward, about five dates
# in six are still right. With the decoder's alone, the bar shows 0 %, too: 298 of 300 are right but for a digit
# that the year has lost.)
#
# A model that went by offsets alone would have noticed nothing. **Offsets can be read from the clock, and still
# what this translator writes depends on the places themselves.** In training every text began at place 0, so the
# model could learn to rely on the places.
#
# </details>
#
# The products of the clock's vectors depend on offsets alone. But the vectors are *added to words*, and scores are products of
# the sums. Call the words' vectors $x_m$ and $x_n$. Even before any projection there are four dot products,
#
# $$(x_m + p_m) \cdot (x_n + p_n) = x_m \cdot x_n + x_m \cdot p_n + p_m \cdot x_n + p_m \cdot p_n ,$$
#
# and the two in the middle mix *what* with *where*. Of the three with a $p$, only the last depends on the offset
# alone. With $W_Q$ and $W_K$ between its vectors, as in a model, even that one can depend on the places.
#
# Must we add? The drawing shows three points at which order can enter:
#
# ![The way from the word November to attention's output. First its vector x: here sinusoidal and learned positions add a
# vector. Then, inside each attention of each block, q, k and v: rotary turns q and k before they meet. Then the score: ALiBi
# adds a number to it before the softmax. Nothing is done to v.](figures/08_positions_places.svg)
#
# The first way acts once, before block 1. The other two act in each attention, and leave `x` alone. With those, can
# the place drop out of the scores, so that only the offset counts?
#
# ## 6. Rotary: turn the query and the key
#
# **Rotary positions** (RoPE, Su et al. 2021) keep the turning and drop the adding. Take two features of a query as an arrow in
# the plane, and the same two features of a key as another. Turn each arrow by an angle that grows with its token's place.
# Compare the second circle with the third:
#
# ![Three circles with two arrows each, q and k. Not turned: 70 degrees from k to q. With q at place 5 and k at place 2: 122
# degrees, offset 3. With q at 25 and k at 22: both arrows point elsewhere, but there are again 122 degrees between
# them.](figures/08_positions_rotary.svg)
#
# Each arrow's direction depends on its place. The angle between the two, and so their dot product, depends on the
# offset alone. In symbols: let $R_m$ be the rotation by the angle $m\omega$. The transpose turns back, so
# $R_m^\top R_n = R_{n-m}$, and
#
# $$(R_m q)\cdot(R_n k) = q^\top R_m^\top R_n\, k = q^\top R_{n-m}\, k .$$


# %%
def rotation(angle):
    return torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


q, k, omega = torch.randn(2), torch.randn(2), 0.3
for m, n in ((5, 2), (25, 22), (105, 102), (5, 4)):
    score = (rotation(m * omega) @ q) @ (rotation(n * omega) @ k)
    assert torch.allclose(score, q @ rotation((n - m) * omega) @ k, atol=1e-4)
    print(f"q at {m:3}, k at {n:3}: score {score:.3f}")

# %% [markdown]
# Set this clock one place forward, and *no score changes*, whatever the weights.
#
# A head of width `d_head` (the $d$ of section 2) has `d_head / 2` such pairs, each with its own frequency,
# $\omega_i = \theta^{-2i/d_{head}}$. The base $\theta$ is 10,000 in the paper. Which features form a pair is a
# convention: the paper takes neighbours, $2i$ with $2i + 1$. This package, like Llama in Hugging Face's library,
# takes feature $i$ with $i + d_{head}/2$. We turn one vector, pair by pair, and compare with the package:


# %%
def turn_one(x, t, theta=10_000):
    """x (d_head,) at place t"""
    half, turned = len(x) // 2, x.clone()
    for i in range(half):
        pair = torch.stack((x[i], x[i + half]))
        turned[i], turned[i + half] = rotation(t * theta ** (-2 * i / len(x))) @ pair
    return turned


def turn_all(x, places):
    """x (T, d_head) at places (T,), by the package"""
    cos, sin = RotaryPositions(x.shape[-1], theta=10_000).rotation(places[None], x.dtype)
    return rotate(x[None, None], cos, sin)[0, 0]


x, places = torch.randn(48, 16), torch.arange(48)
ours = torch.stack([turn_one(x[t], t) for t in range(48)])
difference = (ours - turn_all(x, places)).abs().max()
assert difference < 1e-4
print("ours and the package's differ by less than 0.0001")

# %% [markdown]
# The *values* are not turned. Here positions help to decide how much of a value is handed over, not what it is.
#
# ### Play
#
# The eight dials are eight pairs. Here q and k are the same vector: at place 0 all arrows point to the right. The number under
# each dial is what the pair adds to the score.
#
# 1. Lock the offset and move one slider. The arrows turn; what stays the same?
# 2. Unlock, and put q at 101 and k at 1. Which dials have noticed that the two are far apart, and which have not?
# 3. Leave q at 101. Find two keys, one at least twenty places further away than the other, of which the further one scores
#    higher.

# %%
explorer = RotaryExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. The score, and what each pair adds to it. 2\. Pair 3 has made half a turn and shows the distance most clearly.
# The arrows of pairs 6 and 7 have hardly parted. And pair 0, the fastest, has turned almost 16 times and is back
# near its start: like a seconds hand, it cannot say which minute it is. 3\. A key 58 back scores higher than one 22
# back, for instance: the curve falls on the whole, but in waves.
#
# </details>
#
# ## 7. ALiBi: far costs points
#
# What if we say it bluntly: the further away a key, the lower its score? **ALiBi** (attention with linear biases, Press et
# al. 2021) does just that. Each head has one fixed number, its slope, and a score loses that much for every step from the query
# to the key. With the query at place $i$, the key at $j$, and heads counted by $h$ from 1 to $H$:
#
# $$\text{score}_{ij} = \frac{q_i \cdot k_j}{\sqrt{d_{head}}} - \text{slope}_h\,|i - j|, \quad \text{slope}_h = 2^{-8h/H}.$$
#
# So the heads differ. In the first of eight, slope 1/2, a key ten steps back loses 5 points: in the softmax its
# exponential is multiplied by $e^{-5}$, less than a hundredth. In the last head, slope 1/256, the same key loses
# only 0.04. At which distance is the exponential halved, head by head?
#
# <details><summary>Deeper: where the formula comes from, and where it does not hold</summary>
#
# These slopes are for $H$ a power of two. Press et al. wrote the formula for decoders, where $j \le i$ and the distance is
# $i - j$; taking $|i - j|$ for encoders is an extension.
#
# </details>

# %%
slopes = AlibiPositions(8).slopes
halves = math.log(2) / slopes  # e^(-slope * distance) = 1/2
print("halved every", *(f"{distance:.0f}" for distance in halves), "tokens")
assert torch.allclose(slopes, torch.tensor([2.0**-h for h in range(1, 9)]))

# %% [markdown]
# So the first head has the strongest bias towards the nearest tokens.
#
# **All five side by side.** Every place gets the *same* vector, as query and key at once: whatever differs between scores is
# then position. (The learned table is shown before training, as noise.) Where every diagonal has one colour, only the offset
# counts:

# %% jupyter={"source_hidden": true}
torch.manual_seed(1)
T, width, root = 48, 64, 8
at, same = torch.arange(T), torch.randn(width).expand(T, width)
waves, fresh, turned = same + table[:T], same + torch.randn(T, width), turn_all(same, at)
panels = {
    "none": same @ same.T / root,
    "sinusoidal": waves @ waves.T / root,
    "learned, at first": fresh @ fresh.T / root,
    "rotary": turned @ turned.T / root,
    "ALiBi, head 3 of 8": same @ same.T / root + AlibiPositions(8).bias(at[None], at[None])[0, 2],
}


# %%
def uneven(scores):
    """scores (T, T): the largest difference between neighbours on a diagonal, 0 if only the offset counts"""
    return (scores[1:, 1:] - scores[:-1, :-1]).abs().max().item()


# %% jupyter={"source_hidden": true}
fig, axes = plt.subplots(1, 5, figsize=(11, 2.9), sharey=True)
for ax, (name, scores) in zip(axes, panels.items(), strict=True):
    image = ax.imshow(scores - scores.diagonal().mean(), cmap="viridis", vmin=-8, vmax=2)
    counts = "nothing counts" if name == "none" else "offset only" if uneven(scores) < 1e-3 else "also the place"
    ax.set_title(f"{name}\n{counts}")
    ax.set(xlabel="place of the key", xticks=[0, 20, 40], yticks=[0, 20, 40])
    ax.grid(False)
axes[0].set_ylabel("place of the query")
_ = fig.colorbar(image, ax=axes, label="score, less the\ndiagonal's mean", shrink=0.8, extend="min")
assert [name for name, scores in panels.items() if uneven(scores) < 1e-3] == ["none", "rotary", "ALiBi, head 3 of 8"]

# %% [markdown]
# In rotary and ALiBi only the offset counts, as in the clock's own products (section 4). Once the clock is added to
# a word, the place counts, too, through the middle terms of section 5.
#
# ## 8. Longer than anything in training
#
# Now the second question. Short texts are cheap to train on, but users bring longer ones. Coping with those is called
# **length extrapolation**. All schemes but the learned table are *defined* at any place. Do they *work* there? Two tasks:
#
# * **local**: repeat the token just before this one. Only the *place* matters. Guessing is right once in 80 times.
# * **retrieval**: hidden among filler are four tokens, each standing for a name with its number. Each of the last
#   eight tokens asks for one name's number. Only the *content* matters.
#
# Small decoders of two blocks are trained for 300 steps on texts of 32 tokens, five seeds each
# (`experiments/position_lengths.py`), and then asked at the last eight places of 32, 64 and 128 tokens. One token
# back is one token back at every place, and rotary sees only offsets (section 6). How much of the *local* task will a
# rotary model get right at 128?

# %%
predict("08_positions.longer")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
kept = recorded("position_lengths")["result"]
lengths, accuracy = kept["lengths"], kept["accuracy"]
schemes = {"none": "none", "sinusoidal": "sinusoidal", "learned": "learned", "rotary": "rotary", "alibi": "ALiBi"}


def shares_right(task, scheme, column):
    """Each seed's accuracy at lengths[column]; empty where a model cannot run."""
    return [row[column] for row in accuracy[task][scheme] if row[column] is not None]


def mean(task, scheme, column):
    found = shares_right(task, scheme, column)
    return sum(found) / len(found)


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def draw_runs(ax, task, scheme):
    """A dot for each seed, a line through their means."""
    runs = [c for c in range(3) if shares_right(task, scheme, c)]
    ax.plot(runs, [100 * mean(task, scheme, c) for c in runs], color=plots.COLORS[0])
    for c in runs:
        dots = [100 * share for share in shares_right(task, scheme, c)]
        ax.plot([c] * len(dots), dots, "o", color=plots.COLORS[0], ms=4)
        share = mean(task, scheme, c)
        place = {"ha": "center", "zorder": 3, "bbox": {"facecolor": "white", "edgecolor": "none", "pad": 0.5}}
        ax.text(c + 0.2 * (share < 0.4), max(dots) + 12, f"{share:.0%}", **place)  # beside a line that falls
    if len(runs) < 3:
        ax.text(1.5, 50, "cannot\nrun", ha="center", va="center", color="grey")
    ax.set(xlim=(-0.45, 2.45), ylim=(-4, 124), xticks=range(3), xticklabels=lengths)


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fig, axes = plt.subplots(2, 5, figsize=(11, 4.8), sharex=True, sharey=True)
for row, task in zip(axes, accuracy, strict=True):
    row[0].set_ylabel(f"{task}: right (%)")
    for ax, scheme in zip(row, schemes, strict=True):
        draw_runs(ax, task, scheme)
for ax, name in zip(axes[0], schemes.values(), strict=True):
    ax.set_title(name)
fig.supxlabel("tokens (trained on 32); a dot is a seed", fontsize=10)
title = "Trained on 32 tokens, asked at 128: only ALiBi keeps the local task; without positions, retrieval is best"
_ = fig.suptitle(title, fontsize=12)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
rotary = mean("local", "rotary", 2)
predict("08_positions.longer", actual="over 80 %" if rotary > 0.8 else "40 to 80 %" if rotary >= 0.4 else "under 40 %")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks what is said of the figure, below and in the takeaways
assert kept["steps"] == 300 and all(mean(task, s, 0) > 0.98 for task in accuracy for s in schemes if s != "none")
assert mean("local", "sinusoidal", 1) < 0.03 and round(mean("retrieval", "sinusoidal", 1), 2) == 0.99
assert 0.8 < mean("local", "rotary", 1) < 0.95
assert mean("local", "rotary", 2) < 0.25 and min(mean("local", "alibi", c) for c in range(3)) > 0.99
assert min(shares_right("retrieval", "none", 2)) > 0.98
others = [shares_right("retrieval", s, 2) for s in ("sinusoidal", "alibi")]
assert all(max(found) < min(shares_right("retrieval", "none", 2)) for found in others)
assert all(max(shares_right("retrieval", "rotary", 2)) < min(found) for found in others)
never_had = {part: recorded("parts")["result"][part]["never had"] for part in ("positions", "nothing")}
assert [round(share, 2) for share in sorted(never_had["positions"])] == [0.18, 0.19, 0.21]  # section 1
assert min(never_had["nothing"]) == 1

# %% [markdown]
# <details><summary>What there is to see. Open after your guess</summary>
#
# * **Sinusoidal**, at 64, is hardly better than guessing in the local task. The clock shows a time at place 60, but
#   no token ever stood there in training. Where only content matters, it still gets 99 %. So where the place
#   matters, a scheme that is *defined* need not *work*.
# * **Rotary** holds on for a while. At 128 it has lost most of the local task, too.
# * **ALiBi** keeps the local task at all three lengths.
# * In retrieval, at 128, the models **without positions** are best and those with **rotary** worst, with every seed.
#   **Learned** cannot run beyond 32.
#
# Why does rotary fail at 128, if one back is one back everywhere? The Deeper part below takes it apart: keys at
# offsets that it has never met hurt it. All this is no verdict on rotary, which Llama and its relatives use: at 32,
# the length of training, it solves both tasks, as the other three schemes do.
#
# </details>
#
# These are small models, trained briefly, on two extreme tasks; real text needs place and content.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: the same models, with fewer keys to read
#
# To a rotary model two things are new at 128: offsets of 32 and more, and four times as many keys. We take them
# apart (`experiments/position_window.py`). The same models answer again, but now a query may read only 32 keys, as
# many as in training: either the nearest 32, or itself, its neighbour and 30 random *far* ones, with offsets of 32
# and more. How much of the task will each bring back?

# %% jupyter={"source_hidden": true} tags=["deeper"]
window = recorded("position_window")["result"]
readings = {"all keys": "all 128 keys", "near": "nearest 32", "far": "two + 30 far", "two": "the two alone"}
fig, axes = plt.subplots(1, 2, figsize=(9, 2.6), sharey=True)
for ax, (scheme, rows) in zip(axes, window.items(), strict=True):
    color = plots.COLORS[0 if scheme == "rotary" else 5]
    for place, name in enumerate(readings):
        ax.plot([100 * row[name] for row in rows], [place] * len(rows), "o", ms=5, color=color, clip_on=False)
    ax.set(xlim=(0, 102), xlabel="right (%); a dot is a model", yticks=range(4), yticklabels=readings.values())
    ax.set_title(scheme)
axes[0].set_ylim(3.5, -0.5)
_ = fig.suptitle("Local task at 128, trained on 32: far keys hurt rotary, near ones do not", fontsize=12)

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["deeper"]
near, far, everything = ([row[name] for row in window["rotary"]] for name in ("near", "far", "all keys"))
assert len(near) == 5 and min(near) > 0.98 and max(everything) < 0.4
assert min(row["two"] for row in window["rotary"]) == 1 and min(row["two"] for row in window["sinusoidal"]) > 0.985
assert [round(edge(row), 2) for row in (far, everything) for edge in (min, max)] == [0.67, 0.83, 0.13, 0.35]
assert all(a > b > c for a, b, c in zip(near, far, everything, strict=True))
assert max(row["near"] for row in window["sinusoidal"]) < 0.1

# %% [markdown] tags=["deeper"]
# **The near keys bring it back.** With the nearest 32, rotary is right again, at places that it has never seen. So new *places*
# do not hurt it.
#
# **The far ones hurt.** Thirty of them, at *offsets* never met in training, leave 67 to 83 % right. (Reading fewer
# near keys is not the reason: if a query reads only itself and its neighbour, in the last row, each rotary model
# gets everything right.) The first row reads all the far ones, and is worst, with 13 to 35 %.
#
# The sinusoidal models fail even with the nearest 32: at these new places a query no longer finds its neighbour
# among them. (With nothing but itself and its neighbour to choose from, they get 99 %.)
#
# For longer texts, some rescale rotary's places (Chen et al. 2023), or raise $\theta$, so that large offsets look
# like known ones, and then train a little longer.
#
# The folded cell runs a slice of `experiments/position_lengths.py` here and now: ALiBi for 130 steps instead of
# 300.

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["deeper"]
now = experiment("position_lengths").run_slice()
print("ALiBi, the local task, after 130 steps; right at the worst of three lengths:")
print(f"≈ {min(now):.1%}")
assert all(abs(a - b) < 0.1 for a, b in zip(now, kept["slice"], strict=True))

# %% [markdown]
# ## 9. What people get wrong
#
# **The exponent.** One finds $i/D$ in print where $2i/D$ is meant. A favourite test of a table is "products depend on
# the offset only". Does it find the slip? (The first number says by how much the products of one offset differ at
# most, from one place to the next.)

# %%
halved = torch.tensor([clock(t, 128)[:64] for t in range(256)])  # exponents 2i/128 = i/64
for name, rows in (("2i/D", table), ("i/D", halved)):
    with with_table(rows):
        share = exact_match(model, tokenizer, held_out)
    print(f"{name:5} differ by {uneven(rows @ rows.T):.2f}; {share:.0%} of the dates are right")

# %% [markdown]
# It does not: a clock with any speeds passes that test. But this model was trained with one clock. Compare the *values* with
# the formula.
#
# **Rotary in the wrong place.** In most libraries, and here, keys that come from a cache have been turned already,
# and values are never turned. What if somebody turns the cached keys once more, or the values? We move a text 100
# places to the right, which should change nothing. (In the last line `k` stands in for the values.)

# %%
torch.manual_seed(0)
content, weights = torch.randn(2, 16), torch.randn(24, 24).softmax(dim=-1)
q, k = (vector.expand(24, 16) for vector in content)
for name, scores in (
    ("right", lambda at: turn_all(q, at) @ turn_all(k, at).T),
    ("keys turned twice", lambda at: turn_all(q, at) @ turn_all(turn_all(k, at), at).T),
    ("values turned", lambda at: weights @ turn_all(k, at)),
):
    before, after = scores(torch.arange(24)), scores(torch.arange(24) + 100)
    print(f"{name:18} moves by up to {(after - before).abs().max():.2f} of {before.abs().max():.2f}")

# %% [markdown]
# ## 10. What you have now
#
# You have a clock that tells 1965 from 1956. Put the one from section 4 into the translator again (section 9
# rounded to 100 %):

# %%
with with_table(table):
    print(f"{exact_match(model, tokenizer, held_out):.1%} of the dates are right")
    for text in ("Monday, May 10, 1965", "May 10, 1956", "Dec 31, 1999"):
        print(f"{text:22}", translate(model, tokenizer, [text])[0])

# %% [markdown]
# Try other dates. In the package, `positions.py` holds the four schemes, and `NoPositions`. Each scheme fills in one
# of three methods, for the three points of section 5's drawing: `forward` adds to `x`, `rotation` turns `q` and `k`,
# `bias` is added to the scores.
#
# ## 11. Check yourself
#
# <details><summary>An encoder without positions is equivariant. Is its output the same for each order of the
# tokens?</summary>
#
# No: that would be *invariance*. Each token keeps its output and takes it along to its new place. Whatever ignores
# the order of these outputs is invariant: their mean, or what the decoder of section 1 wrote, the same date for all
# three texts.
#
# </details>
#
# <details><summary>Rotary turns q and k by absolute positions. Why is it called a relative scheme?</summary>
#
# The two meet in a product, and there the rotations cancel up to the offset: $R_m^\top R_n = R_{n-m}$.
#
# </details>
#
# <details><summary>A model with the clock was trained on 512 tokens. Its table has 4096 rows. How long a text may it
# read?</summary>
#
# It *runs* up to 4096. How far it works has to be measured. At twice its length, the small model of section 8 failed in the
# task that needs the place, and not in the one that does not.
#
# </details>
#
# Now do the [exercises of this lesson](../exercises/08_positions/positions.ipynb): three core questions, then optional ones.
#
# ## Takeaways
#
# * Without a mask or positions, $f(Px) = P f(x)$: attention sees a bag. A causal decoder can infer some order without positions.
# * The clock's hands glide where digits jump, so that one step further is the same rotation everywhere. A small model
#   learnt places without such a step, too: from binary digits, written eight times.
# * Sinusoidal and learned positions are added once. Rotary turns q and k, ALiBi lowers the score, in each attention.
# * Offsets can be read from the clock, but what the translator wrote depended on the places. A scheme that is
#   defined at a place need not work there. So measure.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.5. Gehring et al.
# (2017), [arXiv:1705.03122](https://arxiv.org/abs/1705.03122): learned positions. Su et al. (2021),
# [arXiv:2104.09864](https://arxiv.org/abs/2104.09864): rotary. Press et al. (2021),
# [arXiv:2108.12409](https://arxiv.org/abs/2108.12409): ALiBi. Chen et al. (2023),
# [arXiv:2306.15595](https://arxiv.org/abs/2306.15595): longer rotary models. Haviv et al. (2022),
# [arXiv:2203.16634](https://arxiv.org/abs/2203.16634): decoders without positions.
#
# Previous: [07 Layer norm](07_layer_norm.ipynb). Next: [09 The block](09_block.ipynb).
