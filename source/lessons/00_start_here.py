# %% [markdown]
# # 00 Start here
#
# **What is inside a machine that translates, and which of its parts could it do without?**
#
# ![The translator, drawn from its configuration: on the left the encoder reads "Sunday, November 22, 2026" in two blocks of
# self-attention and feed-forward; on the right the decoder, with self-attention, cross-attention and feed-forward in each of
# two blocks, has written 2 0 2 6 nián and scores the next token, 1. Each of the six attentions has four heads.](figures/00_start_here_model.svg)
#
# This is a whole **Transformer**, small enough to look into: it turns English dates into Chinese ones. In the next quarter of an hour
# you will use it, watch where it looks, and break it, one part at a time. You will be able to
#
# * use the course: run a notebook, commit to a guess, find the exercises;
# * read an attention map: which rows, which columns, what a cell says;
# * say what the parts of a Transformer are called, and which of them this model can do without.
#
# About 15 minutes. You need Python. You need no network: everything on these pages was installed with them.
#
# ## 1. Is everything here?
#
# Click into the cell below and press Shift+Enter: that runs it and goes to the next. Take the cells from top to bottom, one
# at a time. (*Run > Run All Cells* would show you every answer before your guess.)

# %% tags=["nbval-ignore-output"]
# output differs from machine to machine
from transformer_lab import doctor

print(doctor.verdict())

# %% [markdown]
# If something is missing, it says what, and how to install it. (The folded cell below has the versions, for when you ask
# somebody for help.)

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["nbval-ignore-output"]
# output differs from machine to machine
print("On this machine:")
print(doctor.report())

# %% [markdown]
# ## 2. A Transformer to play with
#
# The model was trained on 5,000 dates by `make demo`, which takes about a minute without a GPU; you can do that yourself.
# Nobody explained months to it.
#
# It does not see letters. A text is cut into pieces, the **tokens**; each token of its vocabulary has a number, its id; and
# each id has a row in a table of learnt numbers, the **vector** from which the model starts:
#
# ![Sunday, November 22, 2026 as a text, as ten tokens (Sunday, comma, November, 2, 2, comma, 2, 0, 2, 6), as their ids (40, 8,
# 20, 5, 5, 8, 5, 6, 5, 15), and as ten vectors, of which the first 8 of 64 numbers are shown. Equal tokens have equal
# vectors.](figures/00_start_here_tokens.svg)
#
# The first drawing has two halves. The left one, the *encoder*, reads the English; the right one, the *decoder*, writes the
# Chinese. Each is a pile of **blocks**, built alike, each with numbers of its own. A token's vector goes in at the bottom, and
# every block changes it:
#
# * In an **attention** the token looks at other tokens and takes something over from them. (The decoder has one more, the
#   *cross*-attention: there the tokens written so far look at the English ones.)
# * In a **feed-forward** layer it works, alone, on what it has. (A **layer** is any step with numbers of its own to learn.)
#
# 年 is year, 月 month, 日 day, 星期日 Sunday; without a Chinese font you see *nian*, *yue*, *ri*, *xingqiri* instead.
#
# Run the cell, type another date and press Enter. Try `May 3, 1931`, `3 May 1931`, a wrong weekday (`Tuesday, November 20,
# 2026`), a day that does not exist (`February 30, 2026`). Does it check a date against a calendar?

# %%
from transformer_lab import exact_match, load
from transformer_lab.viz import DateTranslator

model, tokenizer = load("dates")
translator = DateTranslator(model, tokenizer, head=(1, 2))  # opens on block 2, head 3: the code counts from 0
translator

# %% [markdown]
# **How to read it.** The model writes Chinese one token at a time, and each time it reads the English tokens with some
# *weight*. A row is a token about to be written, a column a token being read (the picture says *query* and *key*; lesson 02
# tells why). Bright means a large weight (the colours go by its root, so small ones are seen too); each row
# sums to 1. Point at a cell for its value.
#
# Each of the six attentions of the first drawing looks in four ways at once, so there are 24 such pictures. What does the
# looking is called a **head**. The eight of the cross-attention, where Chinese reads English, are shown small; a click makes
# one of them the large picture. A menu leads to the others, in which the English tokens read each other (*encoder*), and the
# Chinese ones (*decoder*).
#
# * The year stands last in English and first in Chinese. Where do you see that?
# * `November` is one token, `11` two. In which heads are *both* rows that write a digit of the month bright at `November`?
#
# <details><summary>What there is to see</summary>
#
# In most heads, three or four of the year's four rows are brightest near the right end, where the year stands in English.
#
# Both rows of the month are bright in the column `November` in head 3 of block 2 and in head 1 of block 1; a few other heads
# have one bright row of the two.
#
# February 30 and a wrong weekday are copied as they stand: in what this model writes there is no sign that it compares a date with a
# calendar.
#
# </details>
#
# ## 3. Break it, all of it
#
# One date is an anecdote. Take 500 dates that the model has never seen (**held-out data**), switch off one part at a time, and
# count. A date counts only if every character is right (**exact match**). Nothing is trained again.
#
# | part | what goes when it is switched off | lesson |
# |---|---|---|
# | scale | one constant inside attention | 02 |
# | choice | attention gives every token the same weight | 02 |
# | causal mask | tokens already written see those written after them | 03 |
# | heads | all heads but the first say nothing, only zeros | 04 |
# | feed-forward | the small network after each attention says nothing, only zeros | 05 |
# | residual | what goes around each part, and is added to its output | 06 |
# | layer norm | bringing every vector back to one size | 07 |
# | positions | knowing where a token stands | 08 |
#
# Three of these look as if they could go without much harm:
#
# * the *scale*: it divides all numbers from which the weights are made by the same factor, so whichever was largest is still
#   the largest;
# * the *causal mask*: it hides later tokens from earlier ones, and the token that the model writes next is always the latest;
# * the *layer norm*: it sees to the size of the numbers, and what a vector says might lie in its direction.
#
# One of the three is badly missed. Which? Make your guess before you go on: run the cell, and click a part. (The cell after
# it takes a few seconds.)

# %%
from transformer_lab.grading import guessed, predict

predict("00_start_here.part_off")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
from transformer_lab import switch_off, translate
from transformer_lab.analysis.ablation import PARTS
from transformer_lab.data import dates

held_out = dates.held_out_pairs(500)
right = {"the whole model": exact_match(model, tokenizer, held_out, use_cache=False)}
kept = {}  # the same, by a program that keeps what it has computed for the tokens already written
for part in PARTS:
    with switch_off(model, part):
        right[f"without {part}"] = exact_match(model, tokenizer, held_out, use_cache=False)
        kept[part] = exact_match(model, tokenizer, held_out)
        if part == "causal mask":
            right["without causal mask, old work kept"] = kept[part]
            print("our date:", translate(model, tokenizer, ["Sunday, November 22, 2026"], use_cache=False)[0])

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
import matplotlib.pyplot as plt

from transformer_lab.viz import plots

plots.use_style()
lost = sum(right[f"without {part}"] < 0.05 for part in PARTS)
title = f"{lost} of {len(PARTS)} parts: without any one of them, hardly a date is right"
ax = plt.subplots(figsize=(8, 3.7))[1]
_ = plots.shares(ax, right, title, f"without {guessed('00_start_here.part_off')}")
ax.patches[list(right).index("without causal mask, old work kept")].set_color(plots.COLORS[2])
assert right["the whole model"] > 0.98 and right["without choice"] < 0.1 and lost == 5
assert right["without layer norm"] < 0.2 < 0.6 < right["without scale"] < 0.8
assert 0.65 < right["without causal mask"] < 0.85 and right["without causal mask, old work kept"] > 0.98
assert all(abs(kept[part] - right[f"without {part}"]) < 0.01 for part in PARTS if part != "causal mask")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
most_missed = min(("scale", "causal mask", "layer norm"), key=lambda part: right[f"without {part}"])
predict("00_start_here.part_off", actual=most_missed)

# %% [markdown]
# <details><summary>Why that part? Open this after your guess</summary>
#
# First the answer to our question: run as programs usually run it, this model could do without one of the eight parts, the
# causal mask. Without the scale two dates in three come out; without any of the other six, fewer than one in ten.
#
# Each layer norm hands its vectors on at the size that the next part has learnt to read. Take all of them away, and every part
# but the first of each half gets vectors of a size that it has never met. (A layer norm does more than set a size; lesson 07 takes it
# apart.) The argument about the scale fails too, if less badly. That about the causal mask fails only where the model reads
# everything anew before each token: see the riddle below. Lessons 02 and 03 show where they break.
#
# </details>
#
# <details><summary>And why has one part two bars? A riddle</summary>
#
# In our test the model reads everything again, English and Chinese, before it writes the next token. Without its causal mask
# it gets three dates in four right, and writes our own as `202年111月22日星期日`. But programs that write usually save work:
# they *keep* what has been computed for the tokens already written, and compute only the newest. For no other part does that
# change the count by even 1%. Here it does: the same model, the same part missing, and not one date is lost. Why does a model
# that keeps its old work not miss the causal mask? Think about it; lesson 03 has the answer. (How one tests decides what one
# finds.)
#
# </details>
#
# Two warnings for every such picture. All these parts were trained together: how a model does that *never had* one of them is
# another question, which later lessons ask. And where a part says only zeros, some of the damage may be the zeros' own. Lesson
# 02 compares kinds of silence for single heads, lesson 05 for the feed-forward; for the heads here we have not measured it.
#
# The widget above does the same for one date: choose something under *switched off*, and read what it writes then. Six
# lessons (02, 03 and 05 to 08) begin by breaking a part, and then find out what it is for.

# %% [markdown]
# ## 4. How a lesson works
#
# * **Predict, run, explain.** Before an important cell you commit to a guess with a click; your first one counts. The
#   output below it stays folded until you run it. A guess that turns out wrong is the moment at which you learn most.
# * **Exercises.** Each lesson has a notebook of its own for them. You write an answer, run the locked cell below it, and
#   a card tells you what your answer did, what is wrong with that, and where to look.
#
# <details><summary>Where your answers and your progress are kept, and how to start again</summary>
#
# Nothing that updates the course writes over your answers. To start again with a clean notebook, run `make reset LESSON=02` in
# the course's folder (without make: `.venv/bin/transformer-lab reset 02`); your answers are kept beside it.
#
# For each question the course keeps your best score, the number of tries and the date of the last one, and beside them your
# guesses, in small files on this machine. Your answers are not in these files: they stand in the notebooks. Nothing leaves the machine, and with
# `TRANSFORMER_LAB_PROGRESS=off` nothing is kept.
#
# </details>
#
# The cell below shows what you have done and where to go on; a click on a lesson opens it. (In a terminal:
# `.venv/bin/transformer-lab home`.)

# %% tags=["nbval-ignore-output"]
# output differs with what you have done
from transformer_lab import course_home

course_home()

# %% [markdown]
# ## 5. The map
#
# You will build the thing in the first drawing. Part I makes its parts, from the inside out, and puts them together in lesson
# 09; Part II makes models of it. (The block drawn here is today's usual one; our translator has its layer norms after the
# parts, as in 2017, and lesson 07 compares the two.)
#
# ![The map of the course. One block of a Transformer with the lesson that builds each part: embedding, 10; positions, 08; layer
# norm, 07; attention, 02, with masks, 03, and heads, 04; residual, 06; feed-forward, 05; the block, 09; decoding, 12. Part II:
# 11 a translator, 13 training, 14 GPT, 15 BERT, 16 fine-tuning. Part III: 17 heads, 18 scale, 19 deploy, 20 images, 21
# clinic.](figures/00_start_here_course.svg)
#
# <details><summary>All lessons, with what you build in each, and their exercises</summary>
#
# | lesson | you build | exercises |
# |---|---|---|
# | [01 Toolkit](01_toolkit.ipynb) | shapes, dot product, softmax, gradients | [7](../exercises/01_toolkit/toolkit.ipynb) |
# | [02 Attention](02_attention.ipynb) | how a token looks at others | [7](../exercises/02_attention/attention.ipynb) |
# | [03 Masks](03_masks.ipynb) | what a token must not see | [7](../exercises/03_masks/masks.ipynb) |
# | [04 Multi-head attention](04_multi_head.ipynb) | several looks side by side | [7](../exercises/04_multi_head/multi_head.ipynb) |
# | [05 Feed-forward](05_feed_forward.ipynb) | what a token does by itself | [7](../exercises/05_feed_forward/feed_forward.ipynb) |
# | [06 Residual](06_residual.ipynb) | how depth becomes possible | [7](../exercises/06_residual/residual.ipynb) |
# | [07 Layer norm](07_layer_norm.ipynb) | how numbers keep their size | [7](../exercises/07_layer_norm/layer_norm.ipynb) |
# | [08 Positions](08_positions.ipynb) | how a token knows where it stands | [8](../exercises/08_positions/positions.ipynb) |
# | [09 The block](09_block.ipynb) | all of it, and four model families | [7](../exercises/09_block/block.ipynb) |
# | [10 Tokens](10_tokens.ipynb) | text into numbers, and a table that writes | [6](../exercises/10_tokens/tokens.ipynb) |
# | [11 Encoder and decoder](11_encoder_decoder.ipynb) | a translator, and where it looks | [7](../exercises/11_encoder_decoder/encoder_decoder.ipynb) |
# | [12 Decoding](12_decoding.ipynb) | how a text is chosen, token by token | [8](../exercises/12_decoding/decoding.ipynb) |
# | [13 Training](13_training.ipynb) | AdamW, and what ails a run | [6](../exercises/13_training/training.ipynb) |
# | [14 GPT](14_gpt.ipynb) | a ladder of models, and examples that say what is meant | [7](../exercises/14_gpt/gpt.ipynb) |
# | [15 BERT](15_bert.ipynb) | hidden words, and a search engine that you keep | [6](../exercises/15_bert/bert.ipynb) |
# | [16 Fine-tuning](16_fine_tuning.ipynb) | an old model, taught something new by a few numbers | [6](../exercises/16_fine_tuning/fine_tuning.ipynb) |
#
# </details>
#
# Part III is being written. Every term, with its symbol and the lesson that explains it, is in the
# [glossary](glossary.ipynb). The code of the lessons is also a package, `transformer_lab`, in short files meant to be read:
# `attention.py`, `layers.py`, `positions.py`, `blocks.py`, then `models.py`.
#
# Next: [01 Toolkit](01_toolkit.ipynb).
