# %% [markdown]
# # 15 BERT
#
# **What if a model may read both ways?**
#
# ![The line "we know that Jordan borders two lakes" twice. In a GPT only "we know that Jordan" leads to Jordan's
# vector: a person, a place, it cannot know. In a BERT arrows from all seven words lead to it: a place, for it borders
# something.](figures/15_bert_where.svg)
#
# A GPT writes, and whoever writes cannot look ahead: what comes next does not exist yet. But much of what we want
# from texts is not writing. Which paragraph of the manual answers my question? Who is mentioned in this letter? Here
# the whole text exists from the start, and a model that only looks back reads with a hand over the rest of the line.
#
# In 2018 BERT took the hand away. All it takes is leaving out a mask. But with the mask goes the exercise by which a
# GPT learns: to somebody who sees the whole text, "what comes next?" is no question. So what do we gain, and what can
# the model learn from instead? At the end you will have a search engine to keep. It looks for a paragraph by what it
# says and not by its words, in the documentation of Python or in a folder of your own English texts.
#
# You will be able to
#
# * say for which words of a text it matters that a model sees what comes after them;
# * train a model that sees the whole text, without anybody writing answers for it;
# * build a search by meaning, and find out how good it is.
#
# About 56 minutes. It builds on the masks of [lesson 03](03_masks.ipynb), the encoder of [lesson
# 11](11_encoder_decoder.ipynb) and SmolLM2 of [lesson 14](14_gpt.ipynb).

# %%
from textwrap import fill

import matplotlib.pyplot as plt
import torch

# %%
from transformer_lab import load
from transformer_lab.experiments import experiment, recorded
from transformer_lab.filling import fill_masks
from transformer_lab.grading import predict
from transformer_lab.search import SearchEngine, WordSearch, sentence_vectors
from transformer_lab.viz import FillExplorer, SearchExplorer, plots
from transformer_lab.viz.entity_explorer import names_in

plots.use_style()
both_ways, mask_rates = experiment("both_ways"), experiment("mask_rates")

# %% [markdown]
# ## 1. Person or place?
#
# For which words does it matter what comes after them? Read one word at a time, and say of each what it is. *We*.
# *Know*. *That*. *Jordan*. Well, is that a person or a country? The next word would tell: `we know that Jordan said
# nothing`, or `we know that Jordan borders two lakes`.
#
# A program made sentences with 28 names like Chad and Georgia. Each is a person in half of its sentences and a place
# in the other half, so the name says nothing by itself. In half of the sentences the deciding word comes *after* the
# name, as above, in the others *before* it: `our old uncle Jordan was in the news`, `the last train to Jordan was in
# the news`. The test combines names, deciding words and the rest in ways that did not occur in training.
#
# Two pupils learn from them. Both are a `Tagger`, an encoder with one linear layer on top that says of each word
# whether it names a person, a place, or neither. They begin with the same weights and read the same sentences in the
# same order. They differ in one thing: the first has a causal mask, the second has none.

# %%
taggers = {name: both_ways.learn(causal=name == "causal") for name in ("causal", "both ways")}  # about 8 seconds
pair = both_ways.same_beginning(taggers["causal"].test)

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
# output differs with the training: the causal tagger may err the other way round
for name, task in taggers.items():
    print(f"--- {name} ---")
    for sentence, tags in zip(pair, task.predict(pair), strict=True):
        shown = [word if tag == "O" else f"{word}/{tag}" for word, tag in zip(sentence.words[:-1], tags, strict=False)]
        print(" ".join(shown))
said = {name: [tags[one.place] for one, tags in zip(pair, task.predict(pair), strict=True)]
        for name, task in taggers.items()}  # fmt: skip
assert said["both ways"] == ["PERSON", "PLACE"] and len(set(said["causal"])) == 1

# %% [markdown]
# The causal tagger gives the same answer twice. Up to the name the two sentences are the same, and so is everything
# that it can see. One of its answers must be wrong, whatever it has learnt.
#
# Is it simply a poorer pupil? Here are 600 new sentences, and five such pairs of pupils, each pair with other initial
# weights and training sentences (recorded). Compare the causal tagger in the first two columns:

# %% jupyter={"source_hidden": true}
kept = recorded("both_ways")["result"]
cases = {"after": "deciding word\nafter the name", "before": "deciding word\nbefore it", "all words": "all words"}
ax = plt.subplots(figsize=(8, 3.2))[1]
for number, (name, rows) in enumerate(kept.items()):
    for place, case in enumerate(cases):
        x, dots = place + 0.24 * (number - 0.5), [row[case] for row in rows]
        ax.plot([x] * len(dots), dots, "o", color=f"C{number}", alpha=0.5, label=None if place else name)
        ax.plot([x - 0.08, x + 0.08], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
        print(f"{name:10} {case:10} {sum(dots) / len(dots):.3f}, lowest of five {min(dots):.3f}")
lazy = both_ways.always_o(taggers["causal"].test)
ax.plot([2], [lazy], "x", color="C3", label="says O everywhere")
print(f"says O everywhere, all words {lazy:.2f}")
ax.set_xticks(range(3), cases.values())
title = "600 sentences, five seeds: a causal mask costs half the names\nwhere the deciding word comes later, and none elsewhere"
ax.set(ylim=(0.4, 1.03), ylabel="right", title=title)
_ = ax.legend(loc="center right")

# %% [markdown]
# The causal tagger is no poorer pupil: where the deciding word comes *before* the name, it is always right. Where it
# comes *after* the name, the causal tagger is right about half the time, and the other one is always right.
#
# The third column nearly hides this difference. Counted over *all* words the causal tagger has 0.976, although it
# gets one name in four wrong. Most words name nothing (their tag is `O`), and whoever says `O` of every word has 0.91
# already. We shall come back to that in section 6.
#
# Each sentence ends with a full stop, which we have not counted so far. In training it had a tag, too: that of the
# name in its sentence. So at the full stop both taggers are asked once more whether it was a person or a place. By
# then the causal tagger has already got about a quarter of the names wrong. How often is it right at the full stop?
# Run the cell, and click your guess.

# %%
predict("15_bert.full_stop")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
for name, rows in kept.items():
    print(f"{name}, right at the full stop, five seeds:")
    print("    " + ", ".join(f"{row['full stop']:.3f}" for row in rows))
share = sum(row["full stop"] for row in kept["causal"]) / 5

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
answer = "nearly always" if share > 0.9 else "about half" if share < 0.65 else "about three quarters"
predict("15_bert.full_stop", actual=answer)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# Always, with each of the five seeds. At the full stop everything lies to the left. The causal tagger just cannot go
# back and write the answer into Jordan's own vector, which was finished before the next word was read.
#
# So it is not true that a model with a causal mask "cannot understand" such sentences. It can have the answer
# *later*, at a place where it was trained to be asked. This suggests that a question to a GPT should stand *after*
# the text ("In this sentence, is Jordan a person?"); we have not tested that. In a BERT you can take Jordan's own
# vector as it stands: what comes after is in it, too.
#
# </details>
#
# ## 2. How do you train a model that sees the answer?
#
# Our taggers had to be told what each name is. Here a program told them; in life people do, and they want to be paid.
# A GPT's exercise costs nothing, because a text is its own answer: **self-supervised learning**. Can a model that
# reads both ways have that, too? "What comes next?" will not do. You saw in [lesson 03](03_masks.ipynb) that without
# the mask the answer, one place to the right, need only be copied.
#
# So hide what you ask for. Cover a few words, and let the model say what stood there. This is **masked language
# modelling**. BERT (Bidirectional Encoder Representations from Transformers; Devlin et al. 2018) learnt in this way
# from books and Wikipedia. Then it was trained a little further for each of eleven tasks, and had the best results
# until then in all of them.
#
# To see whether it works we want gaps that can be filled with certainty: dates, in English and again in French
# (`samedi` is Saturday; each digit is a token of its own). The arrows show where each answer can be found:
#
# ![A date written twice: MASK, comma, October, 3, 1, equals, samedi, 3, 1, MASK. Above the first MASK stands what it
# should say, Saturday, with an arrow from samedi; above the last one octobre, with an arrow from October. The other
# words are read, and not asked for.](figures/15_bert_hidden.svg)
#
# Covering is two lines:


# %%
def hide(ids, rate):
    asked = torch.rand(ids.shape) < rate
    return ids.masked_fill(asked, mask_rates.MASK), ids.masked_fill(~asked, -100)


torch.manual_seed(4)
ids = mask_rates.ids_of(mask_rates.DATES[3])
rows = [[mask_rates.VOCABULARY[i] if i >= 0 else "." for i in row] for row in (ids, *hide(ids, 0.3))]
widths = [max(map(len, column)) + 2 for column in zip(*rows, strict=True)]
for name, row in zip(("the text", "it reads", "it should say"), rows, strict=True):
    print(f"{name:15}" + "".join(f"{word:{width}}" for word, width in zip(row, widths, strict=True)))

# %% [markdown]
# A dot stands for the label -100: nothing is asked here, and the loss leaves such places out. The model is an encoder
# again, with an output layer that scores every word of the vocabulary at every place, and the training loop is the
# one you know. Masked language modelling is an *exercise*, not a part of the model.
#
# We train a nano BERT on 2,362 dates, covered anew each time it reads them, and then look at dates that it never
# read. Does the model look across to the other half? The third date is the control: with the weekday hidden in both
# languages nothing gives it away.

# %%
task, evaluations = mask_rates.learn(way="100/0/0")  # hidden as above; 300 steps, about 10 seconds
gaps = ("[MASK] , October 3 1 = samedi 3 1 octobre", "Saturday , October 3 1 = samedi 3 1 [MASK]",
        "[MASK] , October 3 1 = [MASK] 3 1 octobre")  # fmt: skip

# %% jupyter={"source_hidden": true} tags=["nbval-ignore-output"]
# output differs with the training
rows = [mask_rates.ids_of(text.split()) for text in gaps]
for text, row, chances in zip(gaps, rows, task.chances(rows), strict=True):
    place = (row == mask_rates.MASK).nonzero()[0].item()
    best = chances[place].topk(3)
    listed = [f"{mask_rates.VOCABULARY[i]} {p:.2f}" for p, i in zip(best.values.tolist(), best.indices, strict=True)]
    print(text)
    print("    " + ", ".join(listed))
filled, both_hidden = (evaluations[-1][name] for name in ("filled", "both hidden"))
print(f"\ngaps in new dates (weekdays and months), share right: {filled:.2f}")
print(f"the same with the word hidden in both languages: {both_hidden:.2f}")
assert filled > 0.9 and both_hidden < 0.25

# %% [markdown]
# The gaps are filled. With the word hidden in both languages the model guesses among seven days or twelve months, and
# 0.10 are right: so the answer came from the other half of the line.
#
# **A word in plain sight.** Once it is trained, the model will read ordinary text, in which no word is covered. So
# let us cover nothing, and write a *wrong* word: `Monday , October 3 1 = samedi 3 1 octobre`. The model has an answer
# at every place, covered or not. How often is it the right word, here `Saturday`? (Recorded: the same training with
# five seeds; each model fills practically every gap.) Run the cell, and click your guess.

# %%
predict("15_bert.wrong_word")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
hidden = recorded("mask_rates")["result"]
questions = {
    "filled": "a gap\nis filled",
    "corrected": "a wrong word\nis corrected",
    "kept": "a right word is confirmed\n(its twin hidden)",
}
ax = plt.subplots(figsize=(8, 3.4))[1]
for number, (way, runs) in enumerate(hidden["ways"].items()):
    for place, question in enumerate(questions):
        dots, x = [run[-1][question] for run in runs], place + 0.2 * (number - 1.5)
        ax.plot([x] * len(dots), dots, "o", color=f"C{number}", alpha=0.5, label=None if place else way)
        ax.plot([x - 0.07, x + 0.07], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
ax.set_xticks(range(3), questions.values())
ax.legend(title="[MASK] / random / as it is", fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
title = "Dates, five seeds: random words teach it to correct wrong ones,\nwords left as they are teach it to confirm right ones"
_ = ax.set(title=title, ylim=(-0.05, 1.05), ylabel="right")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
print(f"{'[MASK]/random/as it is':24}{'filled':>12}{'corrected':>12}{'confirmed':>12}")
for way, runs in hidden["ways"].items():
    means = [sum(run[-1][question] for run in runs) / 5 for question in questions]
    print(f"{way:24}{means[0]:12.2f}{means[1]:12.2f}{means[2]:12.2f}")

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["nbval-ignore-output"]
# output differs with the training
said = task.said_of_wrong_words()
print(f"In the place of {said.total()} wrong words the model trained above expects most often:")
for word, count in said.most_common(4):
    print(f"    {count:4}  {word}")
assert said["the wrong word that stands there"] < 0.1 * said.total() and said["the right word"] < 0.45 * said.total()

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
noticed = sum(run[-1]["corrected"] for run in hidden["ways"]["100/0/0"]) / 5
answer = "nearly always" if noticed > 0.8 else "seldom" if noticed < 0.35 else "about half the time"
predict("15_bert.wrong_word", actual=answer)

# %% [markdown]
# <details><summary>What happened? Open after your guess</summary>
#
# About one time in four, though `samedi` stands in the same line. (Look at the blue dots in the middle of the
# figure.) The model that we trained for this page says `=` more often than the right word. The exercise never asked
# about a word that the model could see.
#
# So BERT covers in three ways, known as 80/10/10: of the words that are asked for, 80 % become [MASK], 10 % become
# some random word, and 10 % stay as they are. Now any word might be wrong, and the model needs an opinion on all of
# them. The other colours show what each part does:
#
# * Without *random* words (80/0/20) every visible word that was asked for had been right, and the model seldom
#   corrects a wrong one: 0.09 of the time, against 0.78 with 80/10/10.
# * Without words that *stay as they are* (80/20/0) nearly every visible word that was asked for had been wrong. The
#   model seldom confirms a right one while its twin in the other language is hidden: 0.08 of the time, against 0.75.
#
# All this is about models as they come out of the exercise. Once all of BERT was trained further for a task, its
# authors found 80/10/10 and [MASK] alone nearly alike.
#
# </details>
#
# So a text can be its own answer for this model, too. The price: a GPT is asked for every word of a text, and BERT
# was asked for 15 % of them.
#
# <details><summary>Deeper: how many words to hide, and BERT's second exercise</summary>
#
# BERT came in two sizes, 110 and 340 million parameters. For English, with models as large as the larger one, Wettig
# et al. (2022) found that hiding 40 % is better.
#
# The first BERT had another exercise, **next-sentence prediction**: do these two passages follow each other? The
# authors of RoBERTa (Liu et al. 2019) left it out and lost nothing by it.
#
# </details>
#
# ## 3. A model of the documentation
#
# Dates are a game with a right answer. What does the same exercise teach on real text? A BERT of two blocks comes
# with the course, trained on the documentation of Python. Compare its answers to the first two sentences, and then to
# the next two:

# %% tags=["nbval-ignore-output"]
# output differs where two words are nearly as likely
docs_bert, docs_tokenizer = load("docs-bert")
for text in (
    "[MASK] a copy of the string.",
    "[MASK] is the name of the file.",
    "Return [MASK] if the object is a string, otherwise return False.",
    "Return [MASK] if the object is a string, otherwise return True.",
    "Changed in version [MASK].8: added the argument.",
    "The cat sat on the [MASK].",
):
    (found,) = fill_masks(docs_bert, docs_tokenizer, text, k=4)
    print(text, "  ".join(f"{word.strip()} {p:.2f}" for word, p in found), sep="\n    ")

# %% [markdown]
# It speaks the language of manuals, and it looks to the right. Nothing stands before the first two gaps, so a GPT
# would have to say the same of both. This model says `Return` and `path`.
#
# The third answer is pleasing: a function that otherwise returns False returns True. Did it look at `False` for that?
# The fourth sentence is the control, and it says no. Before `otherwise return True` it is `True` again, no less
# likely. So look for the control before you admire an answer. (Cats sit on threads, by the way.)
#
# What did it look at, then? Hide other words yourself: click a word, and it is gone.

# %%
FillExplorer(docs_bert, docs_tokenizer, "Return [MASK] if the object is a string, otherwise return False.")

# %% [markdown]
# 1. Below each word stands its probability when you hide that word as well. Which are easy, and which hard?
# 2. Hide `False` as well, and hardly anything happens to `True`. Which word must you hide to change its probability?
# 3. Write a sentence about your breakfast, and hide its most important word.
#
# <details><summary>Answer to 2, when you have tried</summary>
#
# `Return` or `if`, its two neighbours. With `Return` hidden, too, the probability of `True` falls from 0.91 to 0.12,
# and with `if` hidden to 0.36. With any other word hidden it stays at 0.87 or more.
#
# </details>
#
# So the exercise teaches something about real text, though counting neighbours can do about as well (folded below).
# But what is such a model good for, if it does not write?

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: how often is it right?

# %% [markdown] tags=["deeper"]
# It is a small model, of half a million parameters, but it has read the documentation some thirty times, with other
# words hidden each time. Here it fills hidden tokens in documents that it never read, next to tables that only count:

# %% jupyter={"source_hidden": true} tags=["deeper"]
print("right at hidden tokens")
right = recorded("neighbour_tables")["result"]["right"]
names = {
    "most frequent": "table: most frequent token",
    "both neighbours": "table: both neighbours",
    "docs-bert": "docs-bert",
    "up to four, mixed": "table: up to four neighbours",
}
for name, shown in names.items():
    print(f"{shown:30} {right[name]['all']:.2f}")

# %% [markdown] tags=["deeper"]
# `docs-bert` fills not quite a third of them. A table that has counted which token stood between which two reaches
# 0.22. But patient counting comes close to this network: in the last line every run of up to four neighbours around
# the gap (one on the left and two on the right, say) has its own counts, and all of them vote, the longer runs with
# more weight.

# %% [markdown]
# ## 4. From words to one vector
#
# One use of a BERT is *finding*. For a search we want *one* vector for a whole paragraph, a **sentence vector**, so
# that a question can be compared with it by their cosine ([lesson 01](01_toolkit.ipynb)), which for vectors of length
# 1 is their dot product. The plainest way to make one is the mean of the tokens' vectors. It works, on two
# conditions.
#
# **Only real tokens may count.** Texts of a batch are filled up with [PAD], and the encoder has a vector for that,
# too. The drawing crosses it out. (The model is now MiniLM, the small BERT of [lesson 09](09_block.ipynb). Its
# tokenizer puts [CLS] before every text and [SEP] after it, and we count them as real tokens.)
#
# ![Two texts in one batch: "leave a loop." with two PAD tokens at the end, and "how do i stop it?". Above each token
# stands its vector. The vectors above PAD are crossed out: the first text becomes the mean of 6 vectors, the second the
# mean of 8, and the cosine says how alike the two means are.](figures/15_bert_mean.svg)

# %%
minilm, tokenizer = load("minilm")  # six blocks, 22 million parameters, in our class BERT
texts = ["Leave a loop.", "How do I stop a for statement before it has gone through the list?"]
ids, mask = tokenizer.pad([tokenizer.encode(text) for text in texts])
with torch.no_grad():
    tokens = minilm(ids, mask)  # (B, T, D)
real = mask[..., None]
mean = (tokens * real).sum(dim=1) / real.sum(dim=1)
vectors = mean / mean.norm(dim=-1, keepdim=True)
gap = (vectors - sentence_vectors(minilm, tokenizer, texts)).abs().max()
print(f"largest difference from the package's vectors: {gap:.4f}")
careless = torch.nn.functional.normalize(tokens.mean(dim=1), dim=-1)
alone = sentence_vectors(minilm, tokenizer, texts[:1])[0]
print(f"'{texts[0]}' in this batch and alone: cosine {vectors[0] @ alone:.3f}")
print(f"the same with the padding counted in: {careless[0] @ alone:.3f}")
assert vectors[0] @ alone > 0.999 and careless[0] @ alone < 0.99

# %% [markdown]
# With the padding counted in, a text's vector depends on the texts that happen to be in the same batch, and no error
# tells you. (The padding mask goes into the encoder as well, or real tokens would attend to padding.)
#
# **The model must be trained for it.** Filling gaps was BERT's **pre-training**, done once, before any task. Nothing
# in it says that paragraphs about the same thing should have similar vectors, and comparing texts by mean vectors of
# such a BERT works poorly (Reimers and Gurevych 2019). MiniLM (Wang et al. 2020) began as a small copy of such a
# model. Then it was shown a billion pairs of texts that belong together, such as a question and its answer, and had
# to pick the partner out of a crowd (Henderson et al. 2017).
#
# So we have one vector for any text. What can be found with it?
#
# ## 5. A search engine
#
# For a **semantic search** the documentation that comes with Python (what `help()` shows) was cut into 562 passages
# of about a hundred words. MiniLM has read each of them once, and their vectors are stored with the course. A
# question becomes a vector, too; one matrix product gives its cosine with every passage, and the largest ones win.
# (The drawing's third row comes at the end of this section.)
#
# ![Three rows. Once: the passages of the documentation go through MiniLM, and for each a vector of 384 numbers is stored.
# For each question: it goes through MiniLM and becomes one vector, which is multiplied with every stored row; from it
# an arrow leads to the cosines, of which the largest wins, and on to the best passage. For an answer: the passage and the question go into SmolLM2,
# which writes an answer; its source stands next to it, to be checked.](figures/15_bert_search.svg)
#
# Read the whole first hit by meaning: does it answer the question? (The list by words is a rival's, explained below.)

# %% tags=["nbval-ignore-output"]
# output differs from one Python to the next
engine = SearchEngine.of_python_docs()
by_words = WordSearch(engine.passages)
question = "How can I make sure that a file gets closed even if something goes wrong?"
for name, search in (("by meaning", engine), ("by words", by_words)):
    print(f"--- {name} ---")
    for hit in search.search(question, k=3):
        beginning = " ".join(hit.passage.text.split())[:76]
        print(f"{hit.score:.2f}  {hit.passage.title}\n      {beginning} ...")
print(f"\nThe first hit by meaning, whole:\n{engine.search(question)[0].passage.text}")

# %% [markdown]
# The first hit by meaning answers the question, in the second half of the paragraph. The second hit is about
# breakpoints, and the third, with nearly the same score, about `finally`, which answers the question as well. So a
# wrong passage can stand above a right one, and scores do not say where the right ones end.
#
# The rival is **TF-IDF** (term frequency, inverse document frequency), which compares words: a passage scores higher
# the more words it shares with the question; rare words count most (Spärck Jones 1972), and long passages are scaled
# down. It needs no model.
#
# Which one is better? A few nice examples prove nothing. So 50 questions were written by somebody who had seen
# neither search: 35 in everyday words that avoid those of the paragraph, and 15 that hold an exact name from it
# (`StopIteration.value`). For each, one paragraph was marked as the right one before anything was searched. For what
# share is it the first hit, and for what share among the first five (**recall@5**)? We measured once. Compare *words*
# with *MiniLM* in each half of the figure; *both* is the sum of the two scores:

# %% jupyter={"source_hidden": true}
record, recall = recorded("search_recall")["result"], experiment("search_recall").recall
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True)
kinds = {"paraphrase": "35 in other words: meaning finds more",
         "exact name": "15 with an exact name: words are 2 or 3 ahead"}  # fmt: skip
for ax, (kind, title) in zip(axes, kinds.items(), strict=True):
    for number, (name, places) in enumerate([*record["ranks"].items()][:3]):
        values = [recall(places, k, kind) for k in (1, 5)]
        bars = ax.bar([x + 0.27 * (number - 1) for x in range(2)], values, 0.25, color=f"C{number}", label=name)
        ax.bar_label(bars, fmt="%.2f", fontsize=8)
    ax.set_xticks(range(2), ["first hit", "among five"])
    ax.set(title=title, ylim=(0, 1.1))
axes[0].set_ylabel("share of questions")
_ = axes[0].legend(fontsize=8, loc="upper left")

# %% jupyter={"source_hidden": true}
print("all 50 questions")
for name, places in record["ranks"].items():
    print(f"{name:13} first hit {recall(places, 1):.2f}, among five {recall(places, 5):.2f}")
print("\nthe place of the right passage for three of them")
for number in (4, 0, 6):
    by_meaning, by_word = (record["ranks"][name][number] for name in ("MiniLM", "words"))
    asked = experiment("search_recall").QUESTIONS[number]["question"]
    print(f"{asked}\n    by meaning in place {by_meaning}, by words in place {by_word}")

# %% [markdown]
# **Where a question avoids the paragraph's words, meaning finds more:** of the 35 it has 14 among the first five, and
# the search by words has 4. That words fail here was built in; how much meaning finds was not. By meaning, the
# first of the three questions above has its passage (on `removesuffix`) in place 1, and the second (on `yield`) in
# place 155.
#
# **With exact names the search by words was ahead:** 12 of 15 in first place, against 9. With so few questions this
# may be luck.
#
# The sum, *both*, has all 15 among five, but only 1 of the 35 in first place, where meaning had 5. Real search
# engines combine the two with more care: **hybrid search**.
#
# <details><summary>Deeper: what in MiniLM does it? The other lines of the table</summary>
#
# The lines after *both* are controls. Of all 50 questions MiniLM finds 0.52 among the first five:
#
# * The mean of its word vectors, without any of its six blocks, has 0.20.
# * The same network with weights at random has 0.02: one question of the 50.
# * `docs-bert`, trained on this very documentation, but only to fill gaps, has 0.08. It is also more than forty times
#   smaller, and reads only the first 64 tokens of a passage. Its exercise, its size or this limit may be the reason.
#
# So the trained word vectors alone are not enough, and neither is the network without training. We have not shown
# that the *pairs* are needed (Reimers and Gurevych show that they help), nor that reading both ways is: no control
# here has a causal mask. (The *first token* comes in section 8.)
#
# </details>
#
# (MiniLM was trained on English. How five German questions fared is folded at the end of this section.)
#
# **An answer, with its source.** A search shows a text; people want an answer. So let a GPT, SmolLM2, read what was
# found, and answer from it (**retrieval-augmented generation**, RAG; Lewis et al. 2020). To see where an answer comes
# from, we made up sixteen notes of a household, which no model can know: `The cat Minou gets half a tin of mackerel
# at seven.` SmolLM2 reads, in its chat template, `Here is a note: ... Answer from this note.`, and then the question.
# Compare what it says without a note, with the one our search finds, and with a wrong one:

# %% tags=["nbval-ignore-output"]
# output differs where two tokens are nearly as likely
sources = experiment("sources")
notes = sources.search()  # SearchEngine.of(the sixteen notes, minilm, tokenizer)
smol, smol_tokenizer = load("smollm2")
asked = "Which town does grandpa come from?"
hit = notes.search(asked, k=1)[0]
print(f"found, {hit.score:.2f}: {hit.passage.text}\n")
wrong = sources.NOTES[11][0]
texts = {"without a note": "", "with the note found": hit.passage.text, f"with a wrong note ({wrong})": wrong}
for way, note in texts.items():
    print(f"{way}:", fill(sources.answer(smol, smol_tokenizer, sources.prompt(asked, note)), 76), sep="\n")

# %% [markdown]
# Without a note SmolLM2 makes something up, fluently. Given the right note, it calls the note incorrect, and then
# repeats it. With a wrong note it speaks of the bakery. Of sixteen answers with the right note (counted below) 12
# hold its key word and four do not. Without a note, or with a wrong one, none does. So show the passage next to the
# answer: people can read it, and need not trust the answer.

# %% [markdown] jp-MarkdownHeadingCollapsed=true
# ### Deeper: sixteen answers counted; misspelt questions; questions in German

# %% tags=["deeper"]
answers = recorded("sources")["result"]
found = sum(row["found"] == note[0] for row, note in zip(answers, sources.NOTES, strict=True))
print(f"The search found the right note for {found} of {len(answers)} questions.")
print(f"Right of all {len(answers)} questions (the note's key word, fixed beforehand, is in the answer):")
for way, note in (("alone", "without a note"), ("right", "with the right note"), ("wrong", "with a wrong note")):
    print(f"{note:20} {sum(row['right'][way] for row in answers)}")
assert all(row["right"]["found"] == row["right"]["right"] for row in answers)

# %% [markdown] tags=["deeper"]
# The search finds the right note for all sixteen questions (among sixteen short notes that is not hard). Two of
# SmolLM2's answers, cut after 24 tokens:
#
# * `What does the cat eat?` Without a note: *The cat's favorite food is usually a mix of cat food and a special type
#   of cat food called "cat food."*
# * `On which day is the doctor away?` With the right note, *Dr Lindqvist does not work on Tuesdays*: *The doctor is
#   currently away on a mission to deliver a medical emergency to a patient.*
#
# The last is one of four that had the right note in front of them and said something else. The answer about grandpa,
# which calls the note incorrect and then repeats it, counts as right.

# %% tags=["deeper"]
print("four words misspelt, three draws, all 50 questions, among five:")
for name, draws in record["errors"].items():
    print(f"{name:13} " + ", ".join(f"{recall(places, 5):.2f}" for places in draws["4"]))
print("\nfive questions, the place of the right one among five notes:")
for language, found in recorded("german_notes")["result"].items():
    scores = torch.tensor(found["cosines"])  # a row for each question
    right, wrong = scores.diag(), scores.masked_fill(torch.eye(5).bool(), -1).max()
    print(f"{language:9}", *found["places"], end="; ")
    print(f"scores: right {right.min():.2f} to {right.max():.2f}, wrong up to {wrong:.2f}")
print(" ".join(tokenizer.tokens(tokenizer.encode("Mülltonnen"))))

# %% [markdown] tags=["deeper"]
# **Misspelt.** Two letters swapped in four words of a question, as happens when one types, cost the search by meaning
# a quarter or more of what it finds. The search by words loses little, perhaps because many names were spared (only
# words made of letters alone were misspelt).
#
# **In German.** Five notes of a household and five questions, in English: each time the right note comes first. In
# German it comes first for one question of the five. And wrong notes have scores (up to 0.50) like those of right
# ones in English. The last line shows how a German word falls into splinters. We have not tested whether that is the
# reason.

# %% [markdown]
# ## 6. Who is who?
#
# Back to names, where reading both ways first paid off. Finding the persons, places and firms in a text is called
# **named entity recognition**, and an encoder with a linear layer on top is the usual way to do it. The first word of
# a name is tagged `B-PER`, `B-LOC` or `B-ORG` (begin), the others `I-...` (inside), everything else `O` (outside).
#
# Will it find names that nobody showed it? We trained a nano encoder, from nothing and not from a BERT, on 3,000
# sentences that a program made: 18 **templates**, sentences with gaps, filled with names from lists. The test has
# only new names: first in the same templates, then in six new ones.
#
# What counts is whole names, with the right beginning, end and kind. **Precision** $P$ is the share of the reported
# names that are right, **recall** $R$ the share of the true ones that were reported, and the **F1 score**,
# $2PR / (P + R)$, is high only if both are. Here is one of the new sentences, and what the first of five trained
# taggers says of it:
#
# ![The sentence "Sheppard makes shoes in Rwanda, but Malone wears none of them." Above it the true names: an organisation
# Sheppard, a place Rwanda, a person Malone. Below it what the tagger reports: an organisation "Sheppard makes shoes", a
# person Rwanda, a person "but", and a person Malone, which alone is right. So 9 of 13 tags are right, but of names the
# precision is 1 of 4, the recall 1 of 3, and F1 0.29.](figures/15_bert_names.svg)
#
# Most of its tags are right, and most of its names are wrong. Now the whole test. Compare the dots with the crosses
# (a tagger that says O everywhere), and then the same templates with the new ones:

# %% jupyter={"source_hidden": true}
entities = recorded("entity_templates")["result"]
figure, ax = plt.subplots(figsize=(8, 3.2))
measures = {"tokens": "tags right", "entities": "F1"}
for place, (kind, measure) in enumerate((k, m) for k in ("same templates", "new templates") for m in measures):
    dots = [runs[-1][f"{kind}, {measure}"] for runs in entities["runs"]]
    ax.plot([place] * len(dots), dots, "o", color="C0", alpha=0.5, label=None if place else "trained, five seeds")
    ax.plot([place - 0.15, place + 0.15], [sum(dots) / len(dots)] * 2, color="black", linewidth=2)
    lazy = entities["always O"][kind][measure]
    ax.plot([place], [lazy], "x", color="C3", label=None if place else "says O everywhere")
    print(f"{kind}, {measures[measure]:10} {sum(dots) / len(dots):.2f}, says O everywhere {lazy:.2f}")
ax.set_xticks(range(4), ["tags right,\nsame templates", "F1 of entities,\nsame templates",
                         "tags right,\nnew templates", "F1 of entities,\nnew templates"])  # fmt: skip
title = "A tagger of names, 1,000 steps, five seeds: in new templates F1 falls from 0.82 to 0.13"
ax.set(ylim=(-0.05, 1.05), title=title)
_ = ax.legend(loc="center left", fontsize=8)

# %% [markdown]
# The tagger that says O everywhere has 68 % of the tags right, and finds not one name. It is the 0.91 of section 1
# again: where most words are nothing, it is cheap to be right about nothing.
#
# In new templates F1 falls from 0.82 to 0.13. The names were new before, too; what is new now is the sentence around
# them, its order and also its words. And 0.49 of the tags are right, where saying O everywhere has 0.65. If you
# report one number, let it be F1: saying O everywhere has 0. Two more sentences, as the first of the five reads them:

# %% jupyter={"source_hidden": true}
for words, *both in entities["said"]["same templates"][:1] + entities["said"]["new templates"][1:2]:
    print(" ".join(words))
    for name, tags in zip(("true:", "said:"), both, strict=True):
        of_kind = {kind: [] for kind in ("PER", "LOC", "ORG")}
        for kind, first, last, _ in names_in(tags):
            of_kind[kind].append(" ".join(words[first : last + 1]))
        print("   ", name, "; ".join(f"{kind} {', '.join(found)}" for kind, found in of_kind.items() if found))
known = [run["known words"]["entities"] for run in recorded("known_words")["result"]]
print(f"\neight templates of known words, three seeds: F1 {min(known):.2f} to {max(known):.2f}")

# %% [markdown]
# The first one, in a template that it knows, is perfect. In the second there is a place called *grew*. The tagger
# seems to have learnt much about 18 templates, and little about what a name is. Was it only that the *words* were
# new? No: in new templates made of old words (last line) F1 is higher, but still less than half of 0.82.
#
# What would help? Perhaps a model that knew English before it saw the first template. That is lesson 16.
#
# ## 7. Play
#
# The search box. Type a question, and read what stands in the documentation about it.
#
# 1. Ask the same thing twice, once in the words of a programmer and once in those of a beginner. Which hits change?
# 2. Search for `StopIteration.value`. It is what becomes of a generator's `return`. Which search knows, and why?
# 3. Ask something that cannot be in there (`How do I bake bread?`), and then nonsense (`asdf qwer`). What are the
#    scores of the first hits? Below which score would you show nothing?
# 4. Find a question on which the search by meaning fails and the search by words does not.
#
# <details><summary>Answers to 2 and 3, when you have tried</summary>
#
# 2\. The search by words, for it compares the name letter for letter. Of our fifty questions `where does
# StopIteration.value come from` has its passage in place 1 by words, and in place 6 by meaning.
#
# 3\. With us the bread has 0.11, and the nonsense 0.27. Among our fifty questions a marked passage that came first
# had 0.38 or more; but first hits that were not the marked one reached 0.72. A threshold can keep out such nonsense,
# but not every wrong passage. Choose it on questions to which you know the answers.
#
# </details>

# %%
SearchExplorer(engine, questions=["How do I bake bread?", question, "What is the difference between is and ==?"])

# %% jupyter={"source_hidden": true, "outputs_hidden": true} tags=["nbval-ignore-output"]
# output differs from one Python to the next
bread, nonsense = (engine.search(text, k=1)[0].score for text in ("How do I bake bread?", "asdf qwer"))
first_hits = {True: [], False: []}
for one, place in zip(experiment("search_recall").QUESTIONS, record["ranks"]["MiniLM"], strict=True):
    first_hits[place == 1].append(engine.search(one["question"], k=1)[0].score)
print("The scores of first hits by meaning:")
print(f"bread {bread:.2f}, nonsense {nonsense:.2f}")
print(f"the marked passage {min(first_hits[True]):.2f} or more, others up to {max(first_hits[False]):.2f}")
assert max(bread, nonsense) < min(first_hits[True]) < max(first_hits[False])

# %% [markdown]
# ## 8. What people get wrong
#
# **"The vector of [CLS] is the meaning of the text."** It is often said that the vector of this first token stands
# for the whole. What that vector holds depends on the training. MiniLM was trained with the mean; with the vector of
# its first token instead, the search finds 0.34 of the questions among five, not 0.52 (the fourth line of the table
# in section 5). So look up which vector the training used, and take that one.
#
# **"The final result, on the validation set."** Whoever picks the best of ten checkpoints on some sentences, and
# reports its score on the same ones, reports a number that was chosen for being high. (By how much? That is the last
# question of the exercises.) So keep a third set, look at it only once, and let it be new in the way in which your
# users' sentences will be: think of 0.82 and 0.13 in section 6.
#
# ## 9. In the package
#
# `models.py` has the class `BERT`, `classifiers.py` the `Tagger`, `data/masking.py` covers words, `filling.py` fills
# gaps, `data/passages.py` cuts texts into passages, and `search.py` finds them.
#
# ## 10. What you have now
#
# A search engine of your own. In a terminal:
#
#     transformer-lab search "How do I leave two loops at once?"
#     transformer-lab search "when is the rent due" --in my_notes
#
# The second line searches the text files in a folder of yours (`.txt`, `.md`, `.html`, but no PDF), in English, and
# nothing leaves your machine. In Python it is one line, `SearchEngine.of_texts("my_notes")`.
#
# ## 11. Check yourself
#
# <details><summary>A colleague removes the causal mask of a GPT, goes on training, and the loss falls to 0.01. What
# happened?</summary>
#
# It reads the answer, and the small loss says nothing about what it could write. Without the mask it needs an exercise
# in which the answer is hidden.
#
# </details>
#
# <details><summary>The same text, sent to your encoder alone and in a batch with a longer one, has two different
# vectors. Where do you look?</summary>
#
# At the padding: whether the mask goes into the encoder, and whether the mean is over real tokens only.
#
# </details>
#
# <details><summary>A tagger of names reports 97 % of the tags right. What do you ask?</summary>
#
# How many would a tagger get right that says O everywhere? What is the F1 of whole entities? And do the test
# sentences have other templates, or only other names?
#
# </details>
#
# Now the [exercises of this lesson](../exercises/15_bert/bert.ipynb).
#
# ## Takeaways
#
# * Without the causal mask each word's vector has seen the whole text. In our sentences that mattered where the
#   deciding word comes after the name, and nowhere else; the causal model had the same answer later, at the full
#   stop.
# * A model that sees everything learns by filling in what was hidden. Now and then it is asked about a word in plain
#   sight, wrong or right, so that it has an opinion on what it sees, too.
# * One vector for a text can be the mean over its real tokens, from a model that was trained to bring together what
#   belongs together. On our questions it found more than words did where the wording differed, and less where an
#   exact name was given. Measure on questions that somebody else has written.
# * Count entities, not tags, and test on sentences that are new in the way that yours will be.
#
# **Papers.** Devlin et al. (2018), [arXiv:1810.04805](https://arxiv.org/abs/1810.04805): BERT. Liu et al. (2019),
# [arXiv:1907.11692](https://arxiv.org/abs/1907.11692): RoBERTa. Henderson et al. (2017),
# [arXiv:1705.00652](https://arxiv.org/abs/1705.00652): picking the partner out of a batch. Reimers and Gurevych (2019),
# [arXiv:1908.10084](https://arxiv.org/abs/1908.10084): Sentence-BERT. Lewis et al. (2020),
# [arXiv:2005.11401](https://arxiv.org/abs/2005.11401): answers from passages that were found (RAG). Wang et al. (2020),
# [arXiv:2002.10957](https://arxiv.org/abs/2002.10957): MiniLM. Wettig et al. (2022),
# [arXiv:2202.08005](https://arxiv.org/abs/2202.08005): how much to mask. Spärck Jones (1972), *A statistical
# interpretation of term specificity and its application in retrieval*.
#
# Previous: [14 GPT](14_gpt.ipynb). Next: [16 Fine-tuning](16_fine_tuning.ipynb).
