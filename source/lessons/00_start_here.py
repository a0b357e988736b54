# %% [markdown]
# # 00 Start here
#
# **In a quarter of an hour you will have a trained Transformer in your hands, see what it looks at, and break it.**
#
# After this page you will be able to
#
# * use the course: run a notebook, commit to a guess, have an exercise graded;
# * read an attention map: which rows, which columns, what a cell says;
# * name the parts of a Transformer, and say which of them a trained model cannot do without.
#
# You need Python. You need no network: everything on these pages was installed with them.
#
# ## 1. Is everything here?
#
# Click into the cell below and press Shift+Enter: that runs it and goes to the next. Take the cells from top to bottom, one
# at a time. (*Run > Run All Cells* would show you every answer before your guess.)

# %% tags=["nbval-ignore-output"]
# output differs from machine to machine
from transformer_lab import doctor

print(doctor.report())

# %% [markdown]
# ## 2. A Transformer to play with
#
# This model translates English dates into Chinese. It was trained on 5,000 dates by `make demo`, which takes less than a
# minute without a GPU; you can do that yourself. Nobody told it what a month is.
#
# Run the cell, type another date and press Enter. Try `May 3, 1931`, `3 May 1931`, a wrong weekday (`Tuesday, November 20,
# 2026`), a day that does not exist (`February 30, 2026`). Does it know a calendar, or only words?

# %%
from transformer_lab import exact_match, load
from transformer_lab.viz import DateTranslator

model, tokenizer = load("dates")
translator = DateTranslator(model, tokenizer)
translator

# %% [markdown]
# **How to read it.** The model writes Chinese one token at a time, and each time it reads the English tokens with some
# *weight*. A row is a token being written, a column a token being read. Bright means a large weight; each row sums to 1.
# Point at a cell for its value. The model has two *layers*, one after the other, and in each four *heads*: attentions side by
# side, each free to look elsewhere. All eight are shown small, counted from 0; click one to see it large. 年 is year, 月
# month, 日 day, 星期日 Sunday; without a Chinese font you see *nian*, *yue*, *ri*, *xingqiri* instead.
#
# * The year stands last in English and first in Chinese. Where do you see that?
# * `November` is one token, `11` two. Which cells say so?
# * Choose something under *switched off*. Which parts does this date survive without?
#
# <details><summary>What there is to see</summary>
#
# The year's four digits are a short diagonal at the top right. The two rows before 月 are bright in the column `November`.
# The model copies February 30 and the wrong weekday: it knows words, no calendar. The last question is section 3.
#
# </details>
#
# ## 3. Break it, all of it
#
# One date is an anecdote. Take 500 dates that the model has never seen, switch off one part at a time, and count. A date
# counts only if every character is right. Nothing is trained again.
#
# | part | what goes when it is switched off | lesson |
# |---|---|---|
# | scale | one constant inside attention | 02 |
# | choice | attention gives every token the same weight | 02 |
# | causal mask | tokens already written see those written after them | 03 |
# | heads | all heads but the first fall silent | 04 |
# | feed-forward | the small network after each attention | 05 |
# | residual | what goes around each part, and is added to its output | 06 |
# | layer norm | bringing every vector back to one size | 07 |
# | positions | knowing where a token stands | 08 |
#
# One of these is hardly missed. Which? Commit yourself before you run on: put its name, in quotation marks, in place of
# `None`, for instance `"layer norm"`, and run the cell. The one after it takes a few seconds.

# %%
from transformer_lab.grading import predict

predict("00_start_here.part_off", None)

# %% jupyter={"outputs_hidden": true}
import matplotlib.pyplot as plt

from transformer_lab import switch_off
from transformer_lab.analysis.ablation import PARTS
from transformer_lab.data import dates
from transformer_lab.viz import plots

held_out = dates.held_out_pairs(500)
right = {"the whole model": exact_match(model, tokenizer, held_out)}
for part in PARTS:
    with switch_off(model, part):
        right[f"without {part}"] = exact_match(model, tokenizer, held_out)

plots.use_style()
lost = sum(share < 0.05 for share in right.values())
_ = plots.shares(
    plt.subplots(figsize=(7, 3.4))[1], right, f"Without {lost} of {len(PARTS)} parts, no date comes out right"
)

# %% jupyter={"outputs_hidden": true}
least_missed = max(PARTS, key=lambda part: right[f"without {part}"])
predict("00_start_here.part_off", actual=least_missed)

# %% [markdown]
# <details><summary>Why that part? Open this after your guess</summary>
#
# The causal mask does its work while the model *learns*: without it, training would let every position copy the token it
# must predict (lesson 03). The newest token has nothing after it to hide, so a trained model that writes from left to right
# hardly notices. "It still works when I take it away" does not show that a part is useless, only that this test does not
# need it.
#
# </details>
#
# Each lesson opens with such a break, and then finds out what the part is for.

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks the claims of this section
print("The claims of this section:")
print("the whole model gets at least 98 % right:", right["the whole model"] >= 0.98)
print("without a choice, below 10 %:", right["without choice"] < 0.1)
print("without the causal mask, above 90 %:", right["without causal mask"] > 0.9)

# %% [markdown]
# ## 4. How a lesson works
#
# * **Predict, run, explain.** Before an important cell you commit to a guess; the output below it stays folded until you
#   run it. A guess that turns out wrong is the moment at which you learn most. Guesses are kept on this machine, so that
#   the page can tell you later.
# * **Pictures and widgets.** In a running notebook the widgets are alive; before you run it, and on GitHub, you see a
#   picture of each.
# * **Exercises.** Each lesson has a notebook of its own for them. You write an answer, run the locked cell below it, and
#   a card tells you what your answer did, what is wrong with that, and where to look.
# * **Your answers are yours.** Nothing that updates the course writes over them. To start again with a clean notebook, run
#   `make reset LESSON=02` in the course's folder (without make: `.venv/bin/transformer-lab reset 02`); your answers are
#   kept beside it.
#
# **Your progress.** Of each question the best points, the number of tries and the day of the last one are kept beside your
# guesses, in small files of your own; your answers are not. None of it leaves this machine, and setting
# `TRANSFORMER_LAB_PROGRESS=off` keeps none. The cell below shows it lesson by lesson; in a terminal
# `.venv/bin/transformer-lab progress` does.

# %% tags=["nbval-ignore-output"]
# output differs with what you have done
from transformer_lab.grading import my_progress

my_progress()

# %% [markdown]
# ## 5. The map
#
# | | lesson | |
# |---|---|---|
# | **Part I** | **the parts** | |
# | 00 | Start here | this page |
# | 01 | [Toolkit](01_toolkit.ipynb): shapes, dot product, softmax, gradients | [exercises](../exercises/01_toolkit/toolkit.ipynb) |
# | 02 | [Attention](02_attention.ipynb) | [exercises](../exercises/02_attention/attention.ipynb) |
# | 03 | [Masks](03_masks.ipynb) | [exercises](../exercises/03_masks/masks.ipynb) |
# | 04 | [Many heads](04_multi_head.ipynb) | [exercises](../exercises/04_multi_head/multi_head.ipynb) |
# | 05 | [The feed-forward layer](05_feed_forward.ipynb) | [exercises](../exercises/05_feed_forward/feed_forward.ipynb) |
# | 06 | [Residual connections](06_residual.ipynb) | [exercises](../exercises/06_residual/residual.ipynb) |
# | 07 | [Layer normalisation](07_layer_norm.ipynb) | [exercises](../exercises/07_layer_norm/layer_norm.ipynb) |
# | 08 | [Positions](08_positions.ipynb) | [exercises](../exercises/08_positions/positions.ipynb) |
# | 09 | [The block](09_block.ipynb), and four model families from one configuration | [exercises](../exercises/09_block/block.ipynb) |
# | **Part II** | **the models** | to come |
# | 10-15 | tokens, encoder-decoder, training, GPT, BERT, fine-tuning | |
# | **Part III** | **the practice** | to come |
# | 16-18 | what heads do, scale, a clinic for broken Transformers | |
#
# Every term, with its symbol and the lesson that explains it, is in the [glossary](glossary.ipynb).
#
# The code of the lessons grows up in the package `transformer_lab` beside these notebooks: short files, meant to be read: `attention.py`, `layers.py`, `positions.py`, `blocks.py`, then `models.py`: the translator above, GPT and BERT from the same parts.
#
# Next: [01 Toolkit](01_toolkit.ipynb).
