# %% [markdown]
# # Glossary 术语表
#
# **Every letter and every term of the course, each in a line, with its Chinese name.**
#
# Back to [00 Start here](00_start_here.ipynb).
#
# * You met a letter: section 1. You met an English word: section 2. You know the Chinese word: section 3.
# * Ctrl+F (on a Mac Cmd+F) finds a term in either language. The lists are here before anything is run.
# * The last column is the lesson that introduces the term. A number without a link is a lesson still to come.
#
# ## 1. Letters
#
# The same in formulas, code and prose. The first table holds sizes of axes, the second the rest.
# $V$ is in both: values in the formula of attention, a size in a count.
#
# | letter | size of | in a config | lesson |
# |---|---|---|---|
# | $B$ | the batch: how many sequences | | [01](01_toolkit.ipynb) |
# | $T$ | query (target) positions | at most `max_len` | [01](01_toolkit.ipynb) |
# | $S$ | key (source) positions | at most `max_len` | [01](01_toolkit.ipynb) |
# | $D$ | a hidden state: the model's width | `d_model` | [01](01_toolkit.ipynb) |
# | $H$ | the heads: how many side by side | `n_heads` | [01](01_toolkit.ipynb) |
# | | the heads of keys and values, when queries share them | `n_kv_heads` | [04](04_multi_head.ipynb) |
# | $L$ | the stack: how many layers (blocks) | `n_layers` | [01](01_toolkit.ipynb) |
# | $d_\text{head}$ | one head's queries and keys, mostly $D / H$; short $d$ where there is one head | `d_head` | [01](01_toolkit.ipynb) |
# | $d_\text{value}$, $e$ | one value, where its width is not $d$ | | [02](02_attention.ipynb) |
# | $d_\text{ff}$ | the inside of a feed-forward layer | `d_ff` | [05](05_feed_forward.ipynb) |
# | $V$ | the vocabulary, in a count or a loss | `vocab_size` | [09](09_block.ipynb) |
#
# | letter | what it is | lesson |
# |---|---|---|
# | $x$ | hidden states, of shape $(B, T, D)$; in the toolkit: any input | [01](01_toolkit.ipynb) |
# | $z$ | scores in a softmax, or the input of an activation | [01](01_toolkit.ipynb) |
# | $p$, $y$ | probabilities; the one-hot target. With a position as index, $p_t$ is a positional vector | [01](01_toolkit.ipynb) |
# | $Q, K, V$ | queries $(T, d_\text{head})$, keys $(S, d_\text{head})$ and values, in the formula of attention | [02](02_attention.ipynb) |
# | $W_Q, W_K, W_V$ | the matrices that make queries, keys and values | [02](02_attention.ipynb) |
# | $W_O$ | the output projection, which mixes the heads | [04](04_multi_head.ipynb) |
# | $W_1, W_2$ | the two matrices of a feed-forward layer | [05](05_feed_forward.ipynb) |
# | $F$ | a part with a skip around it: $x + F(x)$ | [06](06_residual.ipynb) |
# | $I$, $J$ | the identity matrix; a Jacobian | [01](01_toolkit.ipynb) |
# | $\mu$, $\sigma$ | mean and standard deviation over the $D$ features of a vector. $\sigma(z)$ is the sigmoid | [07](07_layer_norm.ipynb) |
# | $\gamma$, $\beta$ | the learnt scale and shift of a layer norm | [07](07_layer_norm.ipynb) |
# | $\epsilon$ | a small number under the root that keeps a division safe | [07](07_layer_norm.ipynb) |
# | $P$ | a permutation matrix | [08](08_positions.ipynb) |
# | $\omega_i$, $\theta$ | the frequency of pair $i$; the base of the frequencies, mostly 10000 | [08](08_positions.ipynb) |
# | $N$ | the number of parameters | [09](09_block.ipynb) |
#
# Shapes: hidden states $(B, T, D)$; split into heads $(B, H, T, d_\text{head})$; attention weights $(B, H, T, S)$, queries in
# rows and keys in columns. A mask is True where attention is allowed.
#
# ## 2. Terms by the English alphabet

# %%
from transformer_lab.glossary import table

table(by="english")

# %% [markdown]
# ## 3. The same terms by pinyin 按拼音排序
#
# A syllable a character; tones do not count in the order. Where Chinese texts keep the Latin word, so does the list.

# %%
table(by="pinyin")

# %% [markdown]
# Back to [00 Start here](00_start_here.ipynb).
