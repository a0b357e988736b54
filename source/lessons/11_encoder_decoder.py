# %% [markdown]
# # 11 Encoder and decoder
#
# **How does one language become another?**
#
# ![A translator drawn from its configuration, with one block on each side. The encoder reads "ninety-seven thousand" and
# so on and hands over one vector for each token. The decoder has written "sieben und", and its lit cross-attention receives
# those vectors; the next token is "neunzig".](figures/11_encoder_decoder_where.svg)
#
# To say 97 in German you say *seven and ninety*: `siebenundneunzig`. So a translator that has just read *ninety-seven
# thousand, eight hundred and two* must begin with *seven*, and then go back for *ninety*. How does it know where to look?
#
# You know every part of this model. Here you train it, watch it find out where to look, and doubt what you see. You
# will be able to
#
# * say what passes between the two halves of a translator, and what it costs to make that smaller;
# * set up a translator's training, and tell apart two ways to run the translator;
# * test whether an attention map tells you what belongs to what.
#
# About 50 minutes. You need cross-attention ([lesson 02](02_attention.ipynb)), the causal mask
# ([lesson 03](03_masks.ipynb)) and your translator of [lesson 09](09_block.ipynb).

# %%
import random
from collections import Counter, defaultdict

import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F
from IPython.display import Markdown

from transformer_lab import Settings, Transformer, alignment_accuracy, exact_match, make_task, train, translate
from transformer_lab.analysis.recording import record_attention
from transformer_lab.data import numbers
from transformer_lab.data.pairs import TOKEN
from transformer_lab.experiments import recorded
from transformer_lab.generation import generate, translate_ids
from transformer_lab.grading import predict
from transformer_lab.tasks.task import IGNORED
from transformer_lab.tasks.translation import Translation
from transformer_lab.viz import AlignmentExplorer, plots

# %% [markdown]
# ## 1. Word for word
#
# Today's two languages are English and German, and all they can say is numbers from 0 to 999,999. There are 10,000
# pairs to learn from; others are held out for testing. German writes such a number as a single word; we cut it into
# its pieces. A program makes the pairs, so we know which word each piece translates:

# %%
plots.use_style()
# the model of the drawing, with random numbers in its matrices
task = make_task("numbers", n_layers=1, n_heads=1, tie_embeddings=False)
model, tokenizer = task.model, task.tokenizer
example = numbers.make_pair(97_802)
print(example.source, "->", example.target)
# TOKEN: a regular expression for one word or sign
for piece, place in zip(TOKEN.findall(example.target), example.alignment, strict=True):
    print(f"    {piece:8} {TOKEN.findall(example.source)[place]}")

# %% [markdown]
# Nearly everyone's first idea is a dictionary: replace each word by its translation. Ours has for each English word
# the German piece that most often belongs to it, and drops the words to which none belongs. How far does it get?

# %%
counts = defaultdict(Counter)
for pair in task.examples:
    english, german = TOKEN.findall(pair.source), TOKEN.findall(pair.target)
    for piece, place in zip(german, pair.alignment, strict=True):
        counts[english[place]][piece] += 1


def word_for_word(text):
    return " ".join(counts[word].most_common(1)[0][0] for word in TOKEN.findall(text) if word in counts)


held_out = [example] + [pair for pair in task.held_out if pair != example][:299]
by_dictionary = [word_for_word(pair.source) for pair in held_out]
right = sum(text == pair.target for text, pair in zip(by_dictionary, held_out, strict=True))
words = sum(
    sorted(text.split()) == sorted(pair.target.split()) for text, pair in zip(by_dictionary, held_out, strict=True)
)
print(example.source, "->", by_dictionary[0])
print(f"entirely right: {right} of 300 numbers")
print(f"all words right, in any order: {words}")

# %% [markdown]
# It finds nearly all the words, but in most numbers it puts them in the wrong order. In this drawing, look for the
# arrows that cross:
#
# ![The seven German pieces above the nine English tokens, joined by arrows. Sieben, und and neunzig come from seven, the hyphen
# and ninety: their three arrows cross. The other arrows run side by side, and the English comma and "and" have none.](figures/11_encoder_decoder_places.svg)
#
# So read the *whole* sentence first, and only then write: that is **sequence to sequence** learning (2014). One
# network, the **encoder**, reads; another, the **decoder**, writes one word at a time, from whatever the encoder
# hands over.
#
# ## 2. All in one vector
#
# What does the encoder hand over? In the first such models it was *one vector*. They read with a recurrent network, a
# loop that carries a single vector from word to word. The vector after the last word was all that the decoder ever
# saw of the source. Ours, too, can hand over one vector: the mean of the encoder's vectors (left) instead of all of
# them, the full **memory** (right). Everything else stays as it is:
#
# ![Two panels with the translator's own vectors for "November 22, 2026". Left: the eight vectors are drawn together into one,
# their mean, and one thick arrow leads from it to the decoder. Right: eight arrows lead from the eight vectors to the
# decoder.](figures/11_encoder_decoder_memory.svg)
#
# With one vector, cross-attention has nothing to choose from. We train five models of each kind on the dates of Part
# I, both kinds from the same first weights, with the same batches. After 400 steps those with the full memory have
# nearly all dates right. Those with one vector get 1200 steps. What share of the dates do they have right then?

# %%
predict("11_encoder_decoder.one_vector")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
result = recorded("one_vector")["result"]
kinds = {"full memory": plots.COLORS[0], "one vector": plots.COLORS[5]}


def at_end(task_name, kind, measure="exact_match"):
    """The mean over the five models at their last step."""
    return sum(run["evaluations"][-1][measure] for run in result[task_name][kind]) / 5


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
fig, (over_steps, over_lengths) = plt.subplots(1, 2, figsize=(9, 3.4))
lengths = (4, 8, 12, 16, 20, 24)
for kind, color in kinds.items():
    for n in range(5):
        style = dict(color=color, markersize=3, linewidth=1, label=None if n else kind)
        runs = result["dates"][kind][n]["evaluations"], result["copy"][kind][n]["evaluations"]
        over_steps.plot([one["step"] for one in runs[0]], [100 * one["exact_match"] for one in runs[0]], "o-", **style)
        over_lengths.plot(lengths, [100 * runs[1][-1][f"exact {length}"] for length in lengths], "o-", **style)
full, single = at_end("dates", "full memory"), at_end("dates", "one vector")
over_steps.set_title(f"Dates: full memory {full:.0%} after 400 steps,\none vector {single:.0%} after 1200")
over_steps.set(xlabel="training step", ylabel="dates right (%)")
over_lengths.set_title("Copying: from 12 symbols on, one vector fails")
over_lengths.set(xlabel="symbols to be copied (500 steps; one vector 1500)", ylabel="copies right (%)", xticks=lengths)
_ = over_steps.legend(loc="lower right"), over_lengths.legend()

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
reached = "hardly any" if single < 0.2 else "about half" if single < 0.75 else "three quarters or more"
predict("11_encoder_decoder.one_vector", actual=reached)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# **They learn, only far more slowly** (left; each line is one of five models of its kind). The models with the full
# memory first reach 90 % after 150 to 200 steps, those with one vector after 800 to 1000.
#
# **With one vector, longer lists come out wrong** (right). There is not much in a date: our 200 years have about
# 73,000 days, and it takes about 16 bits to say which. So we let the same two kinds of model copy lists of random
# symbols, drawn from twenty different ones. Lists of 4 to 24 symbols are 17 to 104 bits. With 4 symbols one vector
# does well, with 8 it gets some lists right, and from 12 on hardly any. With the full memory most copies are right at
# every length. (Bits and length grow together here, so this does not tell which of the two is to blame.)
#
# </details>
#
# So one vector can carry a date, but our models took long to learn how. With one vector, copies of twelve symbols
# were hardly ever right after 1500 steps. How does the decoder use *all* the vectors?
#
# ## 3. The memory
#
# Bahdanau et al. (2014) handed over the full memory. The decoder chooses from it afresh for each word it writes. The
# memory holds one vector for each source token, so it grows with the sentence:

# %%
for text in ("seventy-two", example.source):
    source, _ = tokenizer.batch([text])
    with torch.no_grad():
        print(f"{source.shape[1]} tokens: memory {tuple(model.encode(source).shape)}")

# %% [markdown]
# Choosing is the job of cross-attention. The decoder's vectors make the queries; the memory makes the keys and the
# values. The table of weights has a row for each German piece, one more for the end, and a column for each English
# token.
#
# In use, the encoder runs once for each sentence. The decoder runs once for each row of this table, and reads the
# same memory each time: what has been written changes the query, never the memory. So the decoder *can* look at
# *seven* first and at *ninety* later. How is it trained?
#
# ## 4. What it learns from
#
# When the decoder has read only the sign for the beginning, `[BOS]`, it should write `sieben`; when it has read
# `sieben`, it should write `und`; and so on, up to the end, `[EOS]`. So we give it the right translation, shifted by
# one place. Each place of the decoder is a *row*, as in the table of weights: it reads one piece, looks at the
# memory, and should write what the next row reads (upper half):
#
# ![The pieces sieben, und, neunzig, tausend. Above, shifted: the row that reads BOS writes sieben, the row that reads sieben writes und,
# and so on, up to EOS. Below, not shifted: each row writes the very token it reads.](figures/11_encoder_decoder_shift.svg)

# %%
batch = task.collate([example])  # makes one batch of tensors from pairs
reads, writes = (tokenizer.tokens(batch[name][0].tolist()) for name in ("target", "labels"))
for read, write in zip(reads, writes, strict=True):
    print(f"reads {read.strip():9} writes {write.strip()}")

# %% [markdown]
# The causal mask keeps each row from seeing the tokens that come later, so all eight rows can be trained in one pass.
# This is **teacher forcing**, as in [lesson 03](03_masks.ipynb): whatever the model would have written, the next row
# reads the right token.
#
# Now we train for 400 steps. Every 50 steps we look at what the model writes for three numbers that it is not trained
# on. The last is the odd one out: few of our numbers are below one thousand.

# %%
task.held_out = held_out
watched = [example.source, "three hundred and forty-one thousand and one", "seventy-two"]
assert not set(watched) & {pair.source for pair in task.examples}
kept, diary = {}, {}
small = sum("thousand" not in pair.source for pair in task.examples)
print(f"{small} of the {len(task.examples):,} numbers to learn from are below one thousand")


def look(step):
    kept[step] = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    diary[step] = translate(model, tokenizer, watched, max_new_tokens=12)


look(0)
every_50 = [lambda now: look(now.step) if now.step % 50 == 0 else None]
# listeners are called after every step
history = train(task, Settings(400, evaluate_every=50), listeners=every_50, progress=False)

# %% tags=["nbval-ignore-output"]
# output differs from machine to machine: what a half-trained model writes depends on rounding
for text, column in zip(watched, zip(*diary.values(), strict=True), strict=True):
    print(text)
    before = None
    for step, written in zip(diary, column, strict=True):
        if written != before:  # a line only where what it writes has changed
            print(f"    {step:3}  {written}")
        before = written

# %% [markdown]
# At step 0 it mixes the two languages, for they share one vocabulary. Then it learns what German numbers look like,
# and later which number is meant, though not always: in our run 341,001 has become 341,041, and 72 has become 72,072.
# Is it a poor translator?

# %%
share = exact_match(model, tokenizer, held_out)
print(f"≈ {share:.0%} of the 300 held-out numbers are right")
assert share > 0.9

# %% [markdown]
# Not for numbers drawn like those it learnt from: nearly all are right.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: why does 72 become 72,072?
#
# Because nearly all the numbers it has learnt from have thousands in them? Then a second model, trained in the same
# way but with 500 more small numbers, should get *other* small numbers right:

# %% tags=["deeper"]
below_1000 = [numbers.make_pair(n) for n in range(1000)]
random.Random(0).shuffle(below_1000)
more, asked = below_1000[:500], [pair for pair in below_1000[500:600] if pair not in task.examples]
kind = dict(n_layers=1, n_heads=1, tie_embeddings=False)
second = Translation(task.description, task.examples + more, held_out[:50], tokenizer, **kind)
train(second, Settings(400, evaluate_every=400), progress=False)
few, many = (exact_match(one, tokenizer, asked) for one in (model, second.model))
print(f"small numbers right: ≈ {few:.0%}, after 500 others of them ≈ {many:.0%}")
assert few < 0.5
assert many > 0.8

# %% [markdown] tags=["deeper"]
# It does. What the first model lacked was examples of small numbers.

# %% [markdown]
# ## 5. What people get wrong: no shift
#
# Forget the shift, and you have the lower half of section 4's drawing: the decoder is given the very token that it
# should write. Nothing complains, and the loss looks wonderful.

# %%
slip = make_task("numbers", n_layers=1, n_heads=1, tie_embeddings=False)
slip.held_out = held_out[:100]
shifted = slip.collate


def not_shifted(pairs):
    batch = shifted(pairs)
    # IGNORED is the label of padding, which does not count in the loss
    return batch | {"labels": batch["target"].masked_fill(~batch["target_mask"], IGNORED)}


slip.collate = not_shifted
careless = train(slip, Settings(100, evaluate_every=100), progress=False)
loss, usual = careless.evaluations[-1]["loss"], history.evaluations[1]["loss"]
print(f"loss after 100 steps: not shifted ≈ {loss:.3f}, shifted ≈ {usual:.2f}")
assert loss < 0.2
assert usual > 0.1
print("it writes:", *tokenizer.tokens(translate_ids(slip.model, tokenizer, [example.source], 8)[0, 1:].tolist()))

# %% [markdown]
# It has learnt to repeat what it has just read, and what it reads first is `[BOS]`. How could you have known before it wrote
# anything? Give it *somebody else's* English. A translator's loss must jump; the loss of a model that copies does not move:


# %%
@torch.no_grad()
def loss_of(network, batch, source_from):
    """The loss on the batch when text b reads the English of text b - source_from."""
    source, mask = (batch[name].roll(source_from, 0) for name in ("source", "source_mask"))
    logits = network(source, batch["target"], mask)
    return F.cross_entropy(logits.transpose(1, 2), batch["labels"], ignore_index=IGNORED).item()


ours, theirs = shifted(held_out), not_shifted(held_out)
usual_own, usual_other = (loss_of(model, ours, move) for move in (0, 1))
slip_own, slip_other = (loss_of(slip.model, theirs, move) for move in (0, 1))
print(f"shifted:      own English ≈ {usual_own:.2f}, somebody else's ≈ {usual_other:.1f}")
print(f"not shifted:  own English ≈ {slip_own:.2f}, somebody else's ≈ {slip_other:.2f}")
assert usual_own < 0.2
assert usual_other > 2
assert slip_own < 0.2
assert slip_other < 0.2

# %% [markdown]
# ## 6. Two ways to run it
#
# In training, the decoder reads the right translation. In use, nobody has that, and it reads what it has written
# itself: **free running**. Does the difference matter? We kept a copy of section 4's model every 50 steps, and take
# the half-trained one of step 150:


# %%
def at_step(step):
    young = Transformer(model.config).eval()
    young.load_state_dict(kept[step])
    return young


half = at_step(150)

# %% [markdown]
# It translates the 300 held-out numbers both ways. In which way does it get more numbers *entirely* right, every piece
# and the end?

# %%
predict("11_encoder_decoder.free_running")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
batch = task.collate(held_out)
labels, real = batch["labels"], batch["labels"] != IGNORED
with torch.no_grad():
    said = half(batch["source"], batch["target"], batch["source_mask"]).argmax(dim=-1)  # reads the right translation
written = translate_ids(half, tokenizer, [pair.source for pair in held_out], labels.shape[1])[:, 1:]  # reads its own
written = F.pad(written, (0, labels.shape[1] - written.shape[1]), value=IGNORED - 1)
right = {"teacher forcing": (said == labels) & real, "free running": (written == labels) & real}
entirely = {name: (hits | ~real).all(dim=1).sum().item() for name, hits in right.items()}
wrong = ~right["teacher forcing"] & real
later = real & (wrong.cumsum(dim=1) - wrong.int() > 0)  # the rows after a number's first mistake

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
after = {name: (hits & later).sum().item() / later.sum().item() for name, hits in right.items()}
forced, free = right
print(f"                               {forced:17}{free}")
print(f"entirely right, of 300         ≈ {entirely[forced]:<15}≈ {entirely[free]}")
print(f"after a mistake, pieces right  ≈ {after[forced]:<15.0%}≈ {after[free]:.0%}")
assert entirely[forced] == entirely[free]
assert 0 < entirely[free] < 300
assert after[forced] > 0.5
assert after[free] < after[forced] - 0.1

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
more = "exactly as many" if entirely[forced] == entirely[free] else "not as many"
predict("11_encoder_decoder.free_running", actual=more)

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# As long as every piece is right, what the model has written *is* the right translation, so both ways read the same and
# write the same. A number that is entirely right in one way is so in the other.
#
# The ways part at the first mistake. With teacher forcing the model is put back on the road, and gets most of the
# remaining pieces right. Left to itself it gets fewer of them. (We compare place by place, and that is strict: when one piece
# is left out, all that follow stand in the wrong place.)
#
# </details>
#
# So the share of right *pieces* under teacher forcing can flatter a model. The share of whole texts is the same both
# ways, as long as the likeliest piece is always taken.
#
# Our decoder cannot take a word back. It reads its mistake as it reads anything else, though in training it has never
# read one. This difference between training and use is called **exposure bias**.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: what does one wrong piece lead to?
#
# We give the trained model its first piece, once the right one, then three different wrong ones, and let it go on:

# %% tags=["deeper", "nbval-ignore-output"]
# output differs from machine to machine: it is a model's own text
source, _ = tokenizer.batch([example.source])
for first in ("sieben", "drei", " hundert", "neunzig"):  # "hundert" never comes first, so its token has a space
    start, _ = tokenizer.batch([first], bos=True)
    assert "[UNK]" not in tokenizer.tokens(start[0].tolist())
    ids = generate(model, start, 12, source=source, stop=tokenizer.eos_id)
    print(f"{first.strip():8} ->", tokenizer.decode(ids[0].tolist()).strip())

# %% [markdown] tags=["deeper"]
# In our run `drei` harmed no later piece, `hundert` cost only *und neunzig*, and `neunzig` led the decoder astray.

# %% [markdown]
# ## 7. The alignment appears
#
# Where does the decoder look when it writes a piece? The explorer shows the weights of the cross-attention's only
# head for our example. Each row is the next piece of the right text, each column an English token. The word that the
# piece translates is framed. Move the slider over the training steps.
#
# 1. At step 50, which rows have most of their weight on the word that they translate?
# 2. Follow the row of `tausend` from step 50 to the end. Does it come nearer to the word that it translates?
# 3. In the trained model, which rows look at a word that you would *not* have joined to the piece they write?
# 4. Write another text, such as `seventy-two` or `one million`. Where does it look when it is wrong?

# %% tags=["nbval-ignore-output"]
# output differs from machine to machine: it shows what a model writes
AlignmentExplorer(
    [(step, at_step(step)) for step in kept],
    tokenizer,
    example.source,
    pairs=[example, *task.examples, *held_out],
    reads="given",
    step=0,
)

# %% [markdown]
# <details><summary>Answers, when you have looked</summary>
#
# In our run (another processor trains another model):
#
# 1\. `sieben` and `hundert`. `neunzig` and `tausend` look at their words too, with about half their weight.
#
# 2\. No. At steps 50 and 100 it looks at *thousand*, and from step 150 on at the hyphen, while the translations become
# better.
#
# 3\. `tausend`, and `und` with about half its weight. The end looks somewhere as well, though there is nothing to translate.
#
# 4\. In `seventy-two` nothing says *tausend*, and yet the model writes it, with nearly all its weight on the hyphen: just as
# in our example, where it is right. `million` is an unknown word to the model, `[UNK]`, and it writes *ein* over and over
# with its weight on *one*.
#
# </details>

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: three of the steps side by side
#
# The words that are translated stand in frames:

# %% tags=["deeper"]
source, _ = tokenizer.batch([example.source])
reading, _ = tokenizer.batch([example.target], bos=True)
figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True)
for ax, step in zip(axes, (0, 50, 400), strict=True):
    young = at_step(step)
    with torch.no_grad(), record_attention(young) as maps:
        young(source, reading)
    image = ax.imshow(maps["cross"][0][0, 0], vmin=0, vmax=1, cmap="Blues")
    frame = dict(fill=False, edgecolor=plots.COLORS[5], linewidth=1.5)
    for row, column in enumerate(example.alignment):
        ax.add_patch(plt.Rectangle((column - 0.5, row - 0.5), 1, 1, **frame))
    ax.set_title(f"after {step} steps")
    ax.set_xticks(range(9), TOKEN.findall(example.source), rotation=60, fontsize=8)
    ax.set_yticks(range(8), [*TOKEN.findall(example.target), "the end"], fontsize=8)
    ax.grid(False)
_ = figure.colorbar(image, ax=axes, label="weight")

# %% [markdown]
# ### How many rows find their word?
#
# Nobody gave the model these alignments: it was only told which piece comes next. But we have them (known answers
# like these are called *gold*), so we can count. For what share of the German pieces does the token that they
# translate get the largest weight? This is the **alignment accuracy**. Does it grow with the share of numbers
# translated right?

# %%
by_chance = alignment_accuracy(at_step(0), tokenizer, held_out)
measured = {
    name: [one["metrics"][name] for one in history.evaluations] for name in ("exact_match", "alignment_accuracy")
}
steps = range(50, 401, 50)
ax = plt.subplots(figsize=(7, 3))[1]
for name, shares in measured.items():
    ax.plot(steps, [100 * share for share in shares], "o-", label=name.replace("_", " "))
ax.axhline(100 * by_chance, color="grey", linestyle=":", label="alignment accuracy, untrained")
ax.set(
    xlabel="training step", ylabel="%", title="One run: held-out numbers right, and rows that look at the right word"
)
_ = ax.legend()

# %% [markdown]
# The model finds most of the words by itself. But in our run its alignment accuracy stays at about three rows in
# four from step 150 on, while the translations go on getting better. What of the rows that look elsewhere?
#
# ## 8. Is attention alignment?
#
# "The model has learnt which word belongs to which": such captions stand under many pictures like ours. To test this,
# `experiments/alignment.py` trained five models like ours, from five seeds. Each dot is a model (grey: untrained), in
# the same order in each column. *Digits* includes the teens; *tens* are *zwanzig* to *neunzig*:

# %% jupyter={"source_hidden": true}
aligned = recorded("alignment")["result"]["models"]
columns = ["all", "digits", "tens", "und", "hundert", "tausend"]
shown = {"trained": ("accuracy", plots.COLORS[0]), "untrained": ("untrained", "grey")}
ax = plt.subplots(figsize=(7.5, 3.2))[1]
for name, (key, color) in shown.items():
    for x, column in enumerate(columns):
        shares = [100 * run[key][column] for run in aligned]
        places = [x + 0.08 * (number - 2) for number in range(5)]
        ax.plot(places, shares, "o", color=color, alpha=0.6, label=None if x else name)
ax.set(xticks=range(6), xticklabels=columns, ylabel="alignment accuracy (%)", ylim=(-3, 103))
ax.set_title("Five models with one head: what a row looks at depends on the word, and on the seed")
_ = ax.figure.legend(loc="outside lower center", ncols=3, fontsize=8)
print("numbers translated right:", *(f"{run['exact match']:.0%}" for run in aligned))

# %% [markdown]
# All five find digits and tens more often than not. With the other words it depends on the seed: two models nearly
# always look at the gold token of `und`, three hardly ever. (That `und` translates the hyphen is partly a
# convention of ours.)
#
# Yet all five translate about equally well. Does it matter where a row looks?
#
# As in lesson 02, we change something. First we **hide** one English token from a row, and let the other tokens share
# its weight. We do this in one random row of each number, with three tokens in turn:
#
# * the **gold** token, which the piece translates;
# * the row's **favourite**, the token with its largest weight: this is where the row *looks*;
# * as a control, **another** token, drawn from the rest.
#
# How many of the drawn digits and tens are still written right, in the five models together? In the upper half the
# rows look at gold: gold and favourite are the same token.

# %% jupyter={"source_hidden": true}
table = [("hidden:", "nothing", "gold", "favourite", "another", "(rows)"), ("---",) * 6]
for looked in ("at gold", "elsewhere"):  # five models together: rows that look at gold, and rows that look elsewhere
    for kind in ("digits", "tens"):
        rows = [run["silenced"][kind][looked] for run in aligned if looked in run["silenced"][kind]]
        n = sum(row[-1] for row in rows)
        shares = [sum(row[i] * row[-1] for row in rows) / n for i in range(4)]
        table.append((f"{kind}, looks {looked}", *(f"{share:.0%}" for share in shares), f"({n})"))
Markdown("\n".join(f"| {' | '.join(row)} |" for row in table))

# %% [markdown]
# ### Hide, or exchange
#
# In the upper half, hide the gold token, and most digits and tens come out wrong: here the picture tells the truth.
# In the lower half gold and favourite differ. Hide the *favourite*, and about a quarter of the digits and a third of
# the tens are lost. Hide the gold token there, and as many are right as with nothing hidden. So its vector does not
# matter?
#
# Hiding a token of small weight takes little away. A second test puts something in: we **exchange** one vector of the
# memory (below, right).
#
# ![Two panels, each with the decoder above the vectors of ninety, hyphen, seven, thousand. Left, hide it: the vector of ninety is
# crossed out, the others still reach the decoder. Right, exchange it: the vector of forty, from a second memory of forty, hyphen,
# seven, thousand, stands in the place of that of ninety; neunzig or vierzig?](figures/11_encoder_decoder_tests.svg)
#
# Let the encoder also read the number with another word in the gold place, *forty* instead of *ninety*. That gives a
# second memory. Put just one of its vectors in the same place in the first memory. If the row now writes the *other*
# word, this one vector is enough: it *turns the word*.
#
# In all five models we test rows of digits (here without the teens) and tens. Each writes the right word from the
# first memory, and another word from the whole second memory. First those that look at gold, then how many look
# elsewhere:

# %% jupyter={"source_hidden": true}
print("The other word comes out, if this vector is exchanged:")
for kind in ("digits", "tens"):
    found = [run["exchanged"][kind]["at gold"] for run in aligned]
    n = sum(one["rows"] for one in found)
    gold, other = (
        sum(one["writes the other"][name] * one["rows"] for one in found) / n for name in ("gold", "another")
    )
    print(f"    {kind + ', looks at gold':22} gold {gold:.0%}   another {other:.0%}   ({n:,} rows)")
looked = {where: sum(run["exchanged"][kind][where]["rows"] for run in aligned for kind in ("digits", "tens"))
          for where in ("at gold", "elsewhere")}  # fmt: skip
print(f"\nRows that look elsewhere: {looked['elsewhere']:,} of {sum(looked.values()):,}")
tens = aligned[0]["exchanged"]["tens"]["elsewhere"]
print(f"    of these, tens of model 0: {tens['rows']}")
print(f"    their weight on gold: {tens['weight of gold']:.0%}")
print(f"    still right, if gold is hidden: {tens['still right']['gold hidden']:.0%}")

# %% [markdown]
# Where a row looks at gold, the exchange agrees with hiding. The rows that look elsewhere form nine groups, each one
# model's digits or tens. Model 0 has only tens, a hundred rows: we take these. On average they give the gold token
# 5 % of their weight, and with this token hidden all are still right. Now we exchange its vector. How often does
# the other word come out?

# %%
predict("11_encoder_decoder.elsewhere")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
moved = tens["writes the other"]["gold"]
print("These 100 rows of model 0")
print(f"    the other word, if gold is exchanged: {100 * moved:.0f}")
print(f"    weight on gold: {tens['weight of gold']:.0%} before, {tens['weight of gold when exchanged']:.0%} after")
predict(
    "11_encoder_decoder.elsewhere",
    actual="hardly any" if moved < 0.2 else "about half" if moved < 0.75 else "three quarters or more",
)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# **In 85 of the 100 rows the other word comes out.** So what stands in the gold place can decide the word, although
# hiding it had made no word wrong. But its weight does not stay at 5 %: the new vector draws 68 % of the weight on
# average. An exchange changes the key too, and so it changes where the row looks.
#
# **Why could it be hidden, then?** Hiding takes away one reason *for* a word; another vector, or mere habit, may be
# reason enough. An exchange puts in a reason for *another* word.
#
# </details>
#
# In three of the nine groups (Deeper below) the *favourite's* vector turns the word in most rows, though the two
# numbers have the same word in that place. So a vector can hold what another token says.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: whose vector turns the word in each group?
#
# First the hundred rows once more: why could the gold token be hidden? What remains may be reason enough for a word:
# another vector, or mere habit. To see habit, we hide the gold token *and* take all the other vectors from the second
# memory. Then nothing in the memory says the old word any more:

# %% jupyter={"source_hidden": true} tags=["deeper"]
word, share = tens["most frequent word"][0]
print("The 100 rows of model 0")
print(f"    the old word, if gold is hidden and the rest exchanged: {100 * tens['still right']['by habit']:.0f}")
print(f"    most frequent old word: {word}, in {100 * share:.0f}")

# %% [markdown] tags=["deeper"]
# In 59 rows the old word is written all the same, perhaps out of habit: in 89 of the hundred rows this word is
# *neunzig*.
#
# Now all nine groups. Each line of the figure is one model's digits, or its tens, that look elsewhere; the top one is
# the hundred rows of model 0. The colour says whose vector is exchanged. The further right the dot, the more often
# the exchange turns the word.

# %% jupyter={"source_hidden": true} tags=["deeper"]
groups = [(f"model {model}, {kind} ({found['elsewhere']['rows']} rows)", found["elsewhere"])
          for model, run in enumerate(aligned) for kind, found in run["exchanged"].items()
          if found["elsewhere"]["rows"] >= 50]  # fmt: skip
groups.sort(key=lambda group: -group[1]["writes the other"]["favourite"])  # the first is drawn at the bottom
ax = plt.subplots(figsize=(7.5, 3.9))[1]
for name, color in (("gold", plots.COLORS[0]), ("favourite", plots.COLORS[5]), ("another", "grey")):
    shares = [100 * found["writes the other"][name] for _, found in groups]
    ax.plot(shares, range(len(groups)), "o", color=color, label=f"{name} exchanged", alpha=0.8)
ax.set_yticks(range(len(groups)), [name for name, _ in groups])
ax.set(xlabel="writes the other word (%)", xlim=(-4, 104))
ax.set_title(
    "Rows that look elsewhere: in some groups the gold token's vector\nturns the word, in others the favourite's"
)
ax.hlines([place + 0.5 for place in range(len(groups) - 1)], -4, 104, color="lightgrey", linewidth=0.7)
_ = ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=3, fontsize=8)

# %% jupyter={"source_hidden": true} tags=["deeper"]
still = [found["still right"]["gold hidden"] for _, found in groups]
print(f"With the gold token hidden, still right in each group: {min(still):.0%} or more")
# Checks what is said below
gold, favourite, another = ([found["writes the other"][name] for _, found in groups]
                            for name in ("gold", "favourite", "another"))  # fmt: skip
assert len(groups) == 9 and groups[-1][1] is tens and max(another) < 0.01
assert min(gold[5:]) > 0.59 and max(favourite[5:]) < 0.05  # the upper four
assert max(gold[:3]) < 0.25 and min(favourite[:3]) > 0.75  # the lower three

# %% [markdown] tags=["deeper"]
# Hiding the gold token changes next to nothing in any group. Exchanging tells the groups apart:
#
# * **Grey, the control:** exchange a vector that is neither the gold token's nor the favourite's, and the other word
#   hardly ever comes out.
# * **Upper four lines: the gold token's own vector turns the word** in most rows, the favourite's in hardly any.
# * **Lower three lines: the favourite's vector turns the word,** and the gold token's seldom does. Yet the favourite is a
#   word that both numbers have in the same place. So the encoder's self-attention must have carried the digit, or the
#   ten, into its vector.
# * **The two lines between:** each of the two vectors turns the word in some rows.

# %% [markdown]
# ### The weekday that is read from a comma
#
# In the dates of Part I, `Sunday, November 22, 2026` becomes `2026年11月22日星期日`, with 星期日 for *Sunday*. Five models as
# small as ours translate such dates (`experiments/date_alignment.py`). Where does each look when it writes the
# weekday: at its name, the comma after it, or another token? From a second memory, of the same date with the *next*
# weekday, we take the vector of the name, the comma, or all the rest. The last three columns say how often the next
# weekday then comes out:

# %% jupyter={"source_hidden": true}
of_dates = recorded("date_alignment")["result"]["models"]
table = [
    ("model", "looks at: the name", "the comma", "another", "exchanged: the name", "the comma", "all others"),
    ("---",) * 7,
]
for number, run in enumerate(of_dates):
    found = run["weekday"]
    shares = [found[of][place] for of in ("favourite", "exchanged") for place in ("name", "comma", "others")]
    table.append((str(number), *(f"{share:.0%}" for share in shares)))
# Checks what is said below
assert all(run["weekday"]["right"] == 1 for run in of_dates)
first, *_, last = (run["weekday"] for run in of_dates)
assert first["favourite"] == first["exchanged"] == {"name": 0, "comma": 1, "others": 0}
assert last["favourite"] == last["exchanged"] == {"name": 1, "comma": 0, "others": 0}
print("weekdays right:", *(f"{run['weekday']['right']:.0%}" for run in of_dates))
Markdown("\n".join(f"| {' | '.join(row)} |" for row in table))

# %% [markdown]
# All five write every weekday right. But model 0 **never looks at the name of the weekday**: in every tested date
# with a weekday, the *comma after the name* gets the largest weight. Exchange the comma's vector, and the next
# weekday comes out every time; exchange the name's, and it never does. The token is a comma, and its vector holds the
# weekday. In model 4 both the weight and the exchange point to the name.
#
# **So attention need not be alignment.** In the five number models, five in six of the tested rows (digits and tens)
# look at the word that they translate, and in nearly all of those the vector in that place turns the word. In the
# other sixth the picture may mislead. What a column is *called* and what its vector *holds* are two things, and a
# place that gets little weight with one vector in it may get much with another. Nor is hiding a safe test: a token
# that can be hidden without harm may still turn the word.

# %% [markdown]
# ## 9. In the package, and what you have now
#
# The whole translator is three lines: read, write, score. In the package they are `Transformer.forward`:


# %%
def translator(source, reads, source_mask=None):
    memory = model.encode(source, source_mask)
    hidden = model.decode(reads, memory=memory, memory_mask=source_mask)
    return model.logits(hidden)


batch = shifted(held_out)
with torch.no_grad():
    ours = translator(batch["source"], batch["target"], batch["source_mask"])
    theirs = model(batch["source"], batch["target"], batch["source_mask"])
assert (ours - theirs).abs().max() < 1e-4
print("the logits of both differ by less than 0.0001")

# %% [markdown]
# The shift of section 4 is made in `tasks/translation.py`; the loop is `training/loop.py` (lesson 13 opens it). Ask
# your translator for numbers that nobody says:

# %% tags=["nbval-ignore-output"]
# output differs from machine to machine: it is a model's own text
for text in ("ninety-eleven", "seven and ninety", "ninety hundred and two", "one thousand thousand", "two two two"):
    print(f"{text:24}", translate(model, tokenizer, [text], max_new_tokens=12)[0])

# %% [markdown]
# <details><summary>Deeper: another language</summary>
#
# It is one word away: `make_task("numbers", target="fr")`, where 97 is *quatre-vingt-dix-sept*; or
# `make_task("dates", target="de")`; or, with a file of your own, one pair a line, `make_task("pairs.tsv")`.
#
# </details>
#
# ## 10. Check yourself
#
# <details><summary>The cross-attention's weights, for our example and its translation: how many rows and columns? What is the sum of
# each row, and of each column?</summary>
#
# Eight rows (seven pieces and the end) and nine columns. Each row sums to 1. A column may sum to anything from 0 to 8:
# nothing makes the decoder look at every English word.
#
# </details>
#
# <details><summary>With teacher forcing 95 % of the pieces are right, and every number has 13 pieces. How many numbers can be
# entirely right, written freely?</summary>
#
# From 35 to 95 %. At worst each mistake spoils a different number, 13 · 5 % = 65 % of them; at best the mistakes crowd
# together, thirteen in each spoiled number.
#
# </details>
#
# <details><summary>A translator's loss falls to 0.001 within a minute, and it writes nothing sensible. Name two suspects, and say how
# you would catch them.</summary>
#
# The target is not shifted, or the causal mask is missing: in both cases the answer can be read off the input.
# Exchange the source: if the loss stays, the model does not read it. Exchange a token of the target: if the
# prediction of a row before it changes, the mask leaks.
#
# </details>
#
# Now the [exercises of this lesson](../exercises/11_encoder_decoder/encoder_decoder.ipynb): three core questions, then optional ones.
#
# ## Takeaways
#
# * The encoder reads once and hands over a memory, one vector for each source token. The decoder chooses from it
#   afresh for each piece it writes.
# * Through one vector (here the mean) our models learnt dates slowly, and long lists hardly at all.
# * Training uses a shift: read the translation from `[BOS]` on, write it up to `[EOS]`. If the likeliest piece is
#   always taken, teacher forcing and free running get equally many whole texts right. They differ only after a
#   mistake.
# * Alignment appears without being taught, here for most digits and tens. But attention need not be alignment: where
#   a row looks elsewhere, neither its weights nor hiding a token need tell whose vector turns the word. Exchange the
#   vector.
#
# **Papers.** Sutskever, Vinyals, Le (2014), [arXiv:1409.3215](https://arxiv.org/abs/1409.3215), and Cho et al. (2014),
# [arXiv:1406.1078](https://arxiv.org/abs/1406.1078): sequence to sequence through one vector. Cho et al. (2014),
# [arXiv:1409.1259](https://arxiv.org/abs/1409.1259): how that falls with length. Bahdanau, Cho, Bengio (2014),
# [arXiv:1409.0473](https://arxiv.org/abs/1409.0473): the memory, and the first alignment pictures. Vaswani et al. (2017),
# [arXiv:1706.03762](https://arxiv.org/abs/1706.03762). Koehn and Knowles (2017),
# [arXiv:1706.03872](https://arxiv.org/abs/1706.03872), section 3.5: attention that is not alignment. Jain and Wallace (2019),
# [arXiv:1902.10186](https://arxiv.org/abs/1902.10186), and Wiegreffe and Pinter (2019),
# [arXiv:1908.04626](https://arxiv.org/abs/1908.04626): does attention explain? Vig et al. (2020),
# [arXiv:2004.12265](https://arxiv.org/abs/2004.12265): vectors exchanged to find what carries what. Bengio et al. (2015),
# [arXiv:1506.03099](https://arxiv.org/abs/1506.03099): training a little of the time on the model's own text.
#
# Previous: [10 Tokens](10_tokens.ipynb). Next: [12 Decoding](12_decoding.ipynb).
