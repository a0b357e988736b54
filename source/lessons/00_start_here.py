# %% [markdown]
# # 00 Start here
#
# **What is inside a machine that translates, and which of its parts could it do without?**
#
# ![The translator, drawn from its configuration: on the left the encoder reads "Sunday, November 22, 2026" in two blocks of
# self-attention and feed-forward; on the right the decoder, with self-attention, cross-attention and feed-forward in each of
# two blocks, has written 2 0 2 6 nián and scores the next token, 1. Each of the six attentions has four heads.](figures/00_start_here_model.svg)
#
# This is a whole **Transformer**, small enough to look into: it turns English dates into Chinese ones. GPT and BERT
# are Transformers, too; in lessons 14 and 15 you train small ones. Here you use this one, watch where it looks, and
# break it, one part at a time. After that you can
#
# * use the course: run a notebook, commit to a guess, find the exercises;
# * read an **attention map**: which rows, which columns, what a cell says;
# * say what the parts of a Transformer are called, and which of them this model can do without.
#
# About 15 minutes. You need some Python and, from lesson 01 on, derivatives as taught at school, but no network.
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
# If something is missing, the cell says what, and how to install it. (The folded cell lists the versions.)

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["nbval-ignore-output"]
# output differs from machine to machine
print("On this machine:")
print(doctor.report())

# %% [markdown]
# ## 2. A Transformer to play with
#
# Our model learnt from 5,000 dates, in about a minute and without a GPU (`make demo` does it again). Nobody explained months to
# it. 年 is year, 月 month, 日 day, 星期日 Sunday; without a Chinese font you see *nian*, *yue*, *ri*, *xingqiri* instead.
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
# **How to read it.** The model does not see letters. A text is cut into pieces, the **tokens**. The model writes Chinese one
# token at a time, and each time it reads each English token with a *weight* from 0 to 1. Here a row is one step of
# writing, labelled with the token written; a column is a token being read (the picture says *query* and *key*; lesson
# 02 tells why). The weights of a row sum to 1. Bright means a large weight (on a square-root scale, so that small
# ones show). Point at a cell for its value.
#
# The part that looks is called a **head**; the model has 24. The eight through which Chinese reads English are shown
# small; a click enlarges one. A menu leads to the others: in the *encoder* the English tokens read each other, in the
# *decoder* the Chinese ones do.
#
# * The year stands last in English and first in Chinese. Where do you see that?
# * `November` is one token, `11` two. In which heads is `November` bright in *both* rows of the month, `1` and `1`?
#
# <details><summary>What there is to see</summary>
#
# In most of the eight heads, three or four of the year's four rows are brightest in the last four columns, where
# English has the year.
#
# Both rows of the month are bright in the column `November` in head 3 of block 2 and in head 1 of block 1; a few other heads
# have one bright row of the two.
#
# It does not check dates against a calendar, at least not here: February 30 and the wrong weekday are copied as they
# stand.
#
# </details>
#
# ## 3. What is inside
#
# Each token that the model knows has a number for a name, its id. Each id has a row in the embedding, a table of
# learnt numbers; this row is the token's first **vector**:
#
# ![Sunday, November 22, 2026 as a text, as ten tokens (Sunday, comma, November, 2, 2, comma, 2, 0, 2, 6), as their ids (40, 8,
# 20, 5, 5, 8, 5, 6, 5, 15), and as ten vectors, of which the first 8 of 64 numbers are shown, the darker, the
# further from 0. Equal tokens have equal vectors.](figures/00_start_here_tokens.svg)
#
# All four 2s have equal vectors here. Where each token stands is added next (lesson 08).
#
# Back to the first drawing: on the left the *encoder* reads the English; on the right the *decoder* writes
# the Chinese. Each is a stack of two **blocks**, built alike but with different learnt numbers. A token's vector goes
# in at the bottom, and every block changes it. At the top of the decoder the last token's vector gives a score to
# each possible next token. Each block has these parts:
#
# * In an **attention** each token looks at other tokens (and itself) and takes something from them, through four
#   heads at once. (The decoder has a second one, the *cross*-attention: there the Chinese tokens look at what the
#   encoder made of the English ones.)
# * In a **feed-forward** layer a small network changes each token's vector, without looking at other tokens. (A
#   **layer** is a step with learnt numbers, but "a model with two layers" usually has two *blocks*.)
#
# Around each part, a *residual* adds the part's input to its output; then a *layer norm* brings every vector to about
# the same size. (Lessons 06 and 07; the drawing leaves both out.)
#
# ## 4. Break it, all of it
#
# One date proves little. Take 500 dates that the model has never seen (**held-out data**), switch off one part at a
# time, and count. A date counts only if every character is right (**exact match**). Nothing is trained again. The
# parts (not all are boxes of the drawing):
#
# | part | what switching it off does | lesson |
# |---|---|---|
# | scale | one constant inside attention is left out | 02 |
# | choice | attention gives every token the same weight | 02 |
# | causal mask | tokens already written see those written after them | 03 |
# | heads | in each attention, every head but the first gives only zeros | 04 |
# | feed-forward | the small network at the end of each block gives only zeros | 05 |
# | residual | a part's input is no longer added to its output | 06 |
# | layer norm | vectors are no longer brought back to one size | 07 |
# | positions | no token knows where it stands | 08 |
#
# Three of these look harmless to remove:
#
# * the *scale*: it divides the numbers that become the weights, all by the same factor, so the largest stays the
#   largest;
# * the *causal mask*: it hides later tokens from earlier ones, but nothing from the last one, from which the next
#   token is computed;
# * the *layer norm*: it brings vectors to one size, and perhaps only a vector's direction carries what it says.
#
# Removing one of the three does far more harm than either of the others. Which? Run the cell and click a
# part; only your first click counts. Then run the three folded cells below it: that unfolds what they show. (The
# first takes a few seconds.)

# %%
from transformer_lab.grading import guessed, predict

predict("00_start_here.part_off")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
from transformer_lab import switch_off, translate
from transformer_lab.analysis.ablation import PARTS
from transformer_lab.data import dates

held_out, our_date, right = dates.held_out_pairs(500), "Sunday, November 22, 2026", {}


def measure(name, use_cache=False):
    """Print the share of dates right, and the first 18 characters of ours."""
    right[name] = exact_match(model, tokenizer, held_out, use_cache=use_cache)
    written = translate(model, tokenizer, [our_date], use_cache=use_cache)[0][:18]
    print(f"{name:35}{100 * right[name]:5.1f} %   {written}")


print(f"How many of {len(held_out)} dates are right, and the translation of {our_date} (first 18 characters):")
measure("the whole model")
for part in PARTS:
    with switch_off(model, part):
        measure(f"without {part}")
        if part == "causal mask":  # again, by a program that keeps what it has computed for the tokens already written
            measure("without causal mask, old work kept", use_cache=True)

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
import matplotlib.pyplot as plt

from transformer_lab.viz import plots

plots.use_style()
lost = sum(right[f"without {part}"] < 0.1 for part in PARTS)
title = f"Without any one of {lost} parts, fewer than one date in ten is right"
ax = plt.subplots(figsize=(8, 3.7))[1]
_ = plots.shares(ax, right, title, f"without {guessed('00_start_here.part_off')}")
ax.patches[list(right).index("without causal mask, old work kept")].set_color(plots.COLORS[2])
for label, share in zip(ax.texts, right.values(), strict=True):
    label.set_text(f"{share:.1%}".replace("%", " %") if 0.99 < share < 1 else label.get_text())
assert right["the whole model"] > 0.98 and right["without choice"] < 0.1 and lost == 6
assert right["without layer norm"] < 0.2 < 0.6 < right["without scale"] < 0.8
assert 0.65 < right["without causal mask"] < 0.85
assert right["without causal mask, old work kept"] == right["the whole model"]

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
most_missed = min(("scale", "causal mask", "layer norm"), key=lambda part: right[f"without {part}"])
predict("00_start_here.part_off", actual=most_missed)

# %% [markdown]
# <details><summary>Why that part, and which one could the model do without? Open this after your guess</summary>
#
# The parts of this model learnt from vectors that a layer norm had brought to one size. Without the norms they get
# vectors of other sizes: that is probably why fewer than one date in ten is right. Lesson 07 takes the layer norm
# apart.
#
# Removing either of the other two does less harm. Without the scale, about two dates in three are right. Without the
# causal mask, about three in four are; in the run with old work kept, as many as with the whole model (the riddle
# below is about that). Without any one of the other five parts, none of the 500 dates is right.
#
# Which of these eight parts could this model do without? In our test only the causal mask, and only if the program
# keeps its old work. (The other seven were tested only in a program that computes everything again.)
#
# </details>
#
# <details><summary>And why has one part two bars? A riddle</summary>
#
# For the first of the two bars, the decoder reads all the Chinese written so far again before each new token. Without
# its causal mask the model gets about three dates in four right, and writes our date as `202年111月22日星期日`. But programs
# that write usually save work: they *keep* what has been computed for the tokens already written, and compute only
# the newest. Do that, and the same model, with the same part missing, gets as many dates right as the whole model.
# Why can a model that keeps its old work do without the causal mask? Think about it; lesson 03 has the answer.
#
# </details>
#
# In the widget of section 2 (no old work is kept), choose a part under *switched off*, and read the answer.
#
# One warning: these parts learnt together. What a model trained without one of them can do is another question, for
# later lessons.

# %% [markdown]
# ## 5. How a lesson works
#
# * **Predict, run, explain.** As in section 4, you commit to a guess before an important cell, and then run what
#   follows. A wrong guess is no loss: it shows you what to look at.
# * **Exercises.** Each lesson from 01 on has an exercise notebook, linked in section 6. You write an answer and run
#   the locked cell below it. A card tells you what your answer did and, if it is wrong, why, and where to look.
# * **Reference.** Every term, with its symbol and the lesson that explains it, is in the [glossary](glossary.ipynb).
#   The code of the lessons is also a package, `transformer_lab`, in short files to be read in this order:
#   `attention.py`, `layers.py`, `positions.py`, `blocks.py`, `models.py`.
#
# <details><summary>Where your answers and your progress are kept, and how to start again</summary>
#
# An update of the course does not write over your answers. To start again with a clean notebook, run `make reset LESSON=02` in
# the course's folder (without make: `.venv/bin/transformer-lab reset 02`); your answers are kept beside it.
#
# For each question the course keeps your best score, the number of tries and the date of the last one, together with your
# guesses, in small files on this machine. Your answers themselves stand in the notebooks. Nothing leaves the machine, and with
# `TRANSFORMER_LAB_PROGRESS=off` nothing is kept. In a terminal, `.venv/bin/transformer-lab home` shows your progress.
#
# </details>
#
# ## 6. The map
#
# You will build what the first drawing shows. In Part I of the map below you build the parts, from the inside out;
# lesson 09 puts them together. In Part II you build whole models; lessons 10 and 12 (grey) explain how text goes
# in and comes out. The map shows the block in use today; in our translator, as in 2017, layer norms come after the
# parts (lesson 07).
#
# ![The map of the course. One block of a Transformer with the lesson that builds each part: embedding, 10; positions, 08; layer
# norm, 07; attention, 02, with masks, 03, and heads, 04; residual, 06; feed-forward, 05; the block, 09; decoding, 12. Part II:
# 11 a translator, 13 training, 14 GPT, 15 BERT, 16 fine-tuning. Part III, being written: 17 heads, 18 scale, 19 deploy,
# 20 images, 21 clinic.](figures/00_start_here_course.svg)
#
# <details><summary>All lessons, with what you build in each, and their exercises</summary>
#
# | lesson | you build | exercises |
# |---|---|---|
# | [01 Toolkit](01_toolkit.ipynb) | shapes, dot product, softmax, gradients | [7](../exercises/01_toolkit/toolkit.ipynb) |
# | [02 Attention](02_attention.ipynb) | how a token looks at others | [8](../exercises/02_attention/attention.ipynb) |
# | [03 Masks](03_masks.ipynb) | what a token must not see | [7](../exercises/03_masks/masks.ipynb) |
# | [04 Multi-head attention](04_multi_head.ipynb) | several looks side by side | [7](../exercises/04_multi_head/multi_head.ipynb) |
# | [05 Feed-forward](05_feed_forward.ipynb) | what a token does by itself | [7](../exercises/05_feed_forward/feed_forward.ipynb) |
# | [06 Residual](06_residual.ipynb) | how depth becomes possible | [7](../exercises/06_residual/residual.ipynb) |
# | [07 Layer norm](07_layer_norm.ipynb) | how numbers keep their size | [7](../exercises/07_layer_norm/layer_norm.ipynb) |
# | [08 Positions](08_positions.ipynb) | how a token knows where it stands | [8](../exercises/08_positions/positions.ipynb) |
# | [09 The block](09_block.ipynb) | all of it, and four model families | [8](../exercises/09_block/block.ipynb) |
# | [10 Tokens](10_tokens.ipynb) | text into numbers, and a table that writes | [7](../exercises/10_tokens/tokens.ipynb) |
# | [11 Encoder and decoder](11_encoder_decoder.ipynb) | a translator, and where it looks | [8](../exercises/11_encoder_decoder/encoder_decoder.ipynb) |
# | [12 Decoding](12_decoding.ipynb) | how a text is chosen, token by token | [8](../exercises/12_decoding/decoding.ipynb) |
# | [13 Training](13_training.ipynb) | AdamW, and what goes wrong in a run | [6](../exercises/13_training/training.ipynb) |
# | [14 GPT](14_gpt.ipynb) | a ladder of models, and examples that say what is meant | [7](../exercises/14_gpt/gpt.ipynb) |
# | [15 BERT](15_bert.ipynb) | hidden words, and a search engine that you keep | [6](../exercises/15_bert/bert.ipynb) |
# | [16 Fine-tuning](16_fine_tuning.ipynb) | an old model, taught something new by a few numbers | [6](../exercises/16_fine_tuning/fine_tuning.ipynb) |
#
# </details>
#
# The cell below shows what you have done and where to go on; a click on a lesson opens it.

# %% tags=["nbval-ignore-output"]
# output differs with what you have done
from transformer_lab import course_home

course_home()

# %% [markdown]
# Next: [01 Toolkit](01_toolkit.ipynb), which opens with five questions that tell you whether you need it.
