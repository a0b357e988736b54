# %% [markdown]
# # Exercises: 09 The block
#
# Write your answer where a cell says `raise NotImplementedError` or `None`, run it, then run the locked cell below. It
# tells you what your answer did and where to look. Run it as often as you like; nothing is sent anywhere. Do not copy or
# split the locked cells: a teacher's grading could not read the notebook any more.
#
# Questions 1-3 are the core (about 30 minutes). 4-8 are optional. Letters as in the lesson: $B$ sequences, $T$ tokens
# each, $L$ layers, $H$ heads; `x (B, T, d_model)`. Functions and modules leave what they are given as it is, lists and
# dictionaries too, keep the dtype, and let all gradients through; outputs are compared to four digits, whole numbers
# exactly. Outside of questions 6 and 8, what torch or the package has for what is asked is accepted as an answer; you learn
# more without. Back to the [lesson](../../notebooks/09_block.ipynb).

# %%
import torch
from torch import nn

from transformer_lab import BERT, GPT, Transformer, TransformerConfig

# %% [markdown]
# ## Question 1: assemble a block
# *5 points, difficulty 2 of 5, about 10 minutes*
#
# You are given two parts, modules that turn `(B, T, d_model)` into `(B, T, d_model)`: `attention` and `feed_forward`.
# Write the class `Block`, a **pre-norm** block: `Block(d_model, attention, feed_forward)` keeps the two parts, makes two
# LayerNorms of its own (`nn.LayerNorm(d_model)`, or one that you write, with scales 1 and shifts 0 at first), and its
# `forward(x)` gives `(B, T, d_model)`. No dropout.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Follow one number of x on its way through the block. Which operations does it meet on the bare path, if pre-norm
# leaves that path alone? What does each part read?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# $x \leftarrow x + \text{attention}(\text{norm}_1(x))$, then $x \leftarrow x + \text{feed\_forward}(\text{norm}_2(x))$;
# every term is `(B, T, d_model)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# def __init__(self, d_model, attention, feed_forward):
#     super().__init__()
#     self.attention, self.feed_forward = ...
#     self.norm_1, self.norm_2 = ...
#
# def forward(self, x):
#     x = x + ...
#     return x + ...
# ```
#
# </details>


# %% answer="Block"
class Block(nn.Module):
    """A pre-norm block of the two parts given, with two norms of its own"""

    def __init__(self, d_model, attention, feed_forward):
        ### BEGIN SOLUTION
        super().__init__()
        self.attention, self.feed_forward = attention, feed_forward
        self.norm_1, self.norm_2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        x = x + self.attention(self.norm_1(x))
        return x + self.feed_forward(self.norm_2(x))
        ### END SOLUTION


# %% check="Block" points=5
from transformer_lab.grading import grade

grade("09_block.Block", Block)

# %% [markdown]
# ## Question 2: a stack
# *4 points, difficulty 2 of 5, about 8 minutes*
#
# `make_block()` gives a new block, with new weights, at every call. Write `Stack(n_layers, d_model, make_block)`: a module
# of `n_layers` blocks, each from a call of its own, and one `nn.LayerNorm(d_model)`. Its `forward(x)` sends x through the
# blocks in the order in which they were made, and then through the norm.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Which container shows its modules to `parameters()`? And is `[make_block()] * 3` three blocks, or one seen three times?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# $x_l = \text{block}_l(x_{l-1})$ for $l = 1 \ldots L$, output $= \text{norm}(x_L)$; all of shape `(B, T, d_model)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# self.blocks = nn.ModuleList(... for _ in range(n_layers))
# self.norm = ...
#
# for block in self.blocks:
#     x = ...
# return ...
# ```
#
# </details>


# %% answer="Stack"
class Stack(nn.Module):
    """n_layers blocks, one after the other, then a norm"""

    def __init__(self, n_layers, d_model, make_block):
        ### BEGIN SOLUTION
        super().__init__()
        self.blocks = nn.ModuleList(make_block() for _ in range(n_layers))
        self.norm = nn.LayerNorm(d_model)
        ### END SOLUTION

    def forward(self, x):
        ### BEGIN SOLUTION
        for block in self.blocks:
            x = block(x)
        return self.norm(x)
        ### END SOLUTION


# %% check="Stack" points=4
from transformer_lab.grading import grade

grade("09_block.Stack", Stack)

# %% [markdown]
# ## Question 3: whose weights are these?
# *4 points, difficulty 4 of 5, about 12 minutes*
#
# A file of weights without its config: only names and shapes. Four such lists:


# %%
def listing(model):
    return {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}


presets = {"first": (Transformer, "vaswani2017"), "second": (GPT, "gpt2"), "third": (BERT, "minilm")}
presets["fourth"] = (GPT, "smollm2-135m")
with torch.device("meta"):  # shapes without memory
    lists = {name: listing(model(TransformerConfig.preset(preset))) for name, (model, preset) in presets.items()}
for name, shapes in lists.items():
    shown = [item for item in shapes.items() if "blocks." not in item[0] or ".5." in item[0]]
    print(name, *shown, sep="\n    ")

# %% [markdown]
# Write `identify(shapes)`. It gets such a list, a dictionary {name: shape}, and gives a dictionary with these keys:
#
# * `family`: `"encoder-decoder"`, `"GPT-2"`, `"BERT"` or `"Llama"`, spelled like this;
# * `n_layers` (of one stack), `d_model`, `d_ff`, `vocab_size`;
# * `group`: how many query heads share a key, n_heads / n_kv_heads.
#
# The models that it meets have other sizes, and their names come in any order. A Llama may or may not share keys between heads,
# and may or may not have an output layer of its own. A BERT may have a pooler or a head for masked words. (`nn.Linear` keeps its
# matrix as (outputs, inputs).)
#
# **One more question, by thought alone** (`heads_known`): some newer models (Qwen3, for one) put a norm on each
# head's queries, behind W_Q, with one vector of scales that all heads share. Suppose that a list holds
# `w_q.weight (4096, 4096)` and beside it `q_norm.weight (128,)`. Can n_heads be read off that list, `"yes"` or
# `"no"`?
#
# <details><summary>Hint 1: a nudge</summary>
#
# Print `lists["first"].keys()` beside `lists["fourth"].keys()`. Which names does only one family have? And what does a norm
# of one head's query divide by its size?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `embedding.tokens.weight (vocab_size, d_model)`, `w_q.weight (n_heads · d_head, d_model)`,
# `w_k.weight (n_kv_heads · d_head, d_model)`, `w_1.weight (d_ff, d_model)`; layers are numbered from 0.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# names = " ".join(shapes)
# if "cross_attention" in names: family = ...
# stack = ...                                  # "encoder" or "decoder"
# layers = {int(name.split(".")[2]) for name in shapes if ...}
# return dict(family=family, n_layers=len(layers), ...)
# ```
#
# </details>


# %% answer="identify"
def identify(shapes):
    """{name: shape} -> {"family", "n_layers", "d_model", "d_ff", "vocab_size", "group"}"""
    ### BEGIN SOLUTION
    names = " ".join(shapes)
    stack = "encoder" if "encoder." in names else "decoder"
    family = "BERT" if stack == "encoder" else "Llama" if "w_gate" in names else "GPT-2"
    family = "encoder-decoder" if "cross_attention" in names else family
    layers = {int(name.split(".")[2]) for name in shapes if name.startswith(f"{stack}.blocks.")}
    vocab_size, d_model = shapes["embedding.tokens.weight"]
    block = f"{stack}.blocks.0"
    d_ff, _ = shapes[f"{block}.feed_forward.w_1.weight"]
    q, k = (shapes[f"{block}.attention.w_{letter}.weight"][0] for letter in "qk")
    sizes = dict(d_model=d_model, d_ff=d_ff, vocab_size=vocab_size)
    return dict(family=family, n_layers=len(layers), group=q // k, **sizes)
    ### END SOLUTION


# %% answer="heads_known"
heads_known = None  # "yes" or "no"
### BEGIN SOLUTION
heads_known = "yes"
### END SOLUTION

# %% check="identify" points=4
from transformer_lab.grading import grade

grade("09_block.identify", identify, heads_known)

# %% [markdown]
# ## Question 4: the memory of a cache
# *Optional: 3 points, difficulty 2 of 5, about 6 minutes*
#
# A decoder that writes token by token keeps, in every layer, the keys and values of all $S$ tokens read so far, so as
# not to compute them again (lesson 03 draws this cache). Write `cache_bytes(config, B, S, bytes_per_number)`: how
# many bytes that takes for $B$ sequences. (A head is `config.head_width` numbers wide, which need not be d_model /
# n_heads.)
#
# <details><summary>Hint 1: a nudge</summary>
#
# What is kept are keys and values, not queries and not scores. Which heads have a key of their own?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# In each of $L$ layers two tensors `(B, n_kv_heads, S, head_width)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# n_kv_heads = ...                    # config.n_kv_heads may be None
# return 2 * ... * bytes_per_number
# ```
#
# </details>


# %% answer="cache_bytes"
def cache_bytes(config, B, S, bytes_per_number):
    """Bytes of the keys and values of S tokens, for B sequences"""
    ### BEGIN SOLUTION
    n_kv_heads = config.n_kv_heads or config.n_heads
    return 2 * config.n_layers * B * n_kv_heads * S * config.head_width * bytes_per_number
    ### END SOLUTION


# %% check="cache_bytes" points=3
from transformer_lab.grading import grade

grade("09_block.cache_bytes", cache_bytes)

# %% [markdown]
# ## Question 5: FLOPs of a forward pass
# *Optional: 4 points, difficulty 3 of 5, about 10 minutes*
#
# Write `forward_flops(config, T)`: the FLOPs of all matrix products when a GPT with this config reads one sequence of
# $T$ tokens and gives logits at all of them. A product of `(n, k)` and `(k, m)` costs $2nkm$. Count the attention
# core in full, $T \times T$, as if nothing were saved by the causal mask; leave out biases, norms, softmax and
# activations. (For the width of a head, see question 4.) The check lets torch's own counter watch the package's
# model.
#
# <details><summary>Hint 1: a nudge</summary>
#
# A matrix of weights with $n$ entries costs $2n$ for each token it is applied to. Which two products hold no weights?
# Which table of weights is never multiplied with?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# For one layer: $2T$ times the entries of its matrices; scores `(T, d_head) @ (d_head, T)` and mix
# `(T, T) @ (T, d_head)` in each of $H$ heads. Once: the logits, `(T, d_model) @ (d_model, vocab_size)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# matrices = ...                       # entries of W_Q, W_K, W_V, W_O, W_1, W_2 (and W_gate)
# core = ...                           # two products for each head
# return config.n_layers * (2 * T * matrices + core) + ...
# ```
#
# </details>


# %% answer="forward_flops"
def forward_flops(config, T):
    """FLOPs of the matrix products of one forward pass over T tokens"""
    ### BEGIN SOLUTION
    D, q = config.d_model, config.n_heads * config.head_width
    k = (config.n_kv_heads or config.n_heads) * config.head_width
    matrices = 2 * D * q + 2 * D * k + (3 if config.activation == "swiglu" else 2) * D * config.d_ff
    core = 4 * T * T * q
    return config.n_layers * (2 * T * matrices + core) + 2 * T * D * config.vocab_size
    ### END SOLUTION


# %% check="forward_flops" points=4
from transformer_lab.grading import grade

grade("09_block.forward_flops", forward_flops)

# %% [markdown]
# ## Question 6: how many parameters?
# *Optional: 6 points, difficulty 4 of 5, about 18 minutes*
#
# Write `count_parameters(config, family)`: the number of parameters, as one whole number, of the package's model with this
# `TransformerConfig`. `family` is `"GPT"` (a decoder; by config also Llama), `"BERT"` (an encoder) or `"Transformer"`
# (encoder and decoder). By arithmetic: from the config's fields alone, without building the model. (You may build small
# ones to compare.)
#
# Begin with GPT-2's options, run the check, and add one option at a time: each check names the one it is about.
#
# | field | what it adds |
# |---|---|
# | `vocab_size`, `tie_embeddings` | one row each in the embedding; a Transformer has one embedding, which both stacks share; untied, as many rows again in an output layer without bias (not in BERT) |
# | `positions`, `max_len` | `"learned"`: one table (max_len, d_model), and in a Transformer still one, which both stacks share; every other scheme: nothing |
# | `n_heads`, `n_kv_heads`, `head_width` | $W_Q$ and $W_O$ have n_heads · head_width rows or columns, $W_K$ and $W_V$ n_kv_heads · head_width (`None`: n_heads) |
# | `d_ff`, `activation` | two matrices; with `"swiglu"` one more, as large as the first |
# | `bias` | one on every linear layer of a block |
# | `norm`, `norm_position` | `"layer"`: gamma and beta, `"rms"`: gamma; one for each part; `"pre"`: one more at the end of each stack |
# | `n_segments`, `norm_embeddings`, `pooler`, `masked_lm_head` | BERT's: a table; a norm; a linear layer (d_model, d_model) with bias; that again, a norm, and vocab_size biases |
#
# <details><summary>Hint 1: a nudge</summary>
#
# A block of a decoder that looks at an encoder has three parts, each with a norm. Everything else is a sum.
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# With $q$ = n_heads · head_width, $k$ = n_kv_heads · head_width: attention $= 2 D q + 2 D k$, its biases $q + 2k + D$;
# feed-forward $= 2 D\, d_{ff}$ (gated: 3), its biases $d_{ff} + D$ (gated: $2 d_{ff} + D$); a LayerNorm $2D$.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# attention = ...
# feed_forward = ...
# norm = ...
# block = attention + feed_forward + 2 * norm
# stack = config.n_layers * block + ...          # the norm at its end
# total = embedding + positions + stack
# if family == "Transformer": total += ...       # a second stack, with cross-attention
# ```
#
# </details>


# %% answer="count_parameters"
def count_parameters(config, family):
    """The number of parameters of a "GPT", a "BERT" or a "Transformer" with this config"""
    ### BEGIN SOLUTION
    D, L, b, norm = config.d_model, config.n_layers, int(config.bias), config.d_model * (1 + (config.norm == "layer"))
    q, k = (heads * config.head_width for heads in (config.n_heads, config.n_kv_heads or config.n_heads))
    attention, gates = 2 * D * (q + k) + b * (q + 2 * k + D), 1 + (config.activation == "swiglu")
    feed_forward = (gates + 1) * D * config.d_ff + b * (gates * config.d_ff + D)
    stack = L * (attention + feed_forward + 2 * norm) + norm * (config.norm_position == "pre")
    total = D * (config.vocab_size + config.max_len * (config.positions == "learned") + config.n_segments)
    total += stack + norm * config.norm_embeddings
    if family == "Transformer":
        total += stack + L * (attention + norm)
    if family == "BERT":
        total += config.pooler * (D * D + D) + config.masked_lm_head * (D * D + D + norm + config.vocab_size)
    elif not config.tie_embeddings:
        total += D * config.vocab_size
    return total
    ### END SOLUTION


# %% check="count_parameters" points=6
from transformer_lab.grading import grade

grade("09_block.count_parameters", count_parameters)

# %% [markdown]
# ## Question 7: three broken assemblies
# *Optional: 3 points, difficulty 3 of 5, about 10 minutes*
#
# Three assemblies, each with one fault, and all different. They run, give the right shapes, and can be trained; what
# each is meant to be stands in its first line. For each assembly, pick its fault from the first table, and from the
# second the observation that is true of this one, false of the other two, and false of all three once they are right
# (write the tests that you need into a cell of your own). Both tables offer more than is needed. Write the words as
# they stand there, in quotation marks (capital letters do not matter).
#
# | fault | what it means |
# |---|---|
# | `"side by side"` | both parts of a block read what the block was given |
# | `"norm after the addition"` | a post-norm block, where a pre-norm one is meant |
# | `"skip from the start"` | the second addition adds what the block was given |
# | `"level by level"` | each block of the decoder reads what the block beside it in the encoder gives |
# | `"reads its own text"` | cross-attention looks at the target, and the source is lost |
# | `"only the last block counts"` | what the blocks before it give is dropped |
# | `"positions by sequence"` | all tokens of a sequence get one position, and each sequence another |
# | `"positions in every block"` | the table is added again before each block |
#
# | observation | how to make it |
# |---|---|
# | `"another attention, and the feed-forward layer is given the same"` | keep what `feed_forward` is called with |
# | `"with the feed-forward layer silent, attention changes nothing"` | `torch.zeros_like` as the feed-forward layer |
# | `"with the last decoder block silent, the last encoder block changes nothing"` | a silent one gives back the x that it gets |
# | `"another source changes nothing"` | for what takes a source |
# | `"another first block changes nothing"` | for what takes one list of blocks |
# | `"one text twice in a batch gives two different outputs"` | two rows that are alike |
# | `"one token, alone in its batch, comes out right"` | B = 1 and T = 1; write what is meant beside it |
#
# Last, mend `c`: `repaired(ids, tokens, positions, blocks, norm)` returns what `broken_c` is meant to, changed as little as
# possible.


# %%
def broken_a(x, attention, feed_forward, norm_1, norm_2):
    """Meant: a pre-norm block"""
    gathered = attention(norm_1(x))
    return x + gathered + feed_forward(norm_2(x))


# %%
def broken_b(source, target, encoder, decoder):
    """Meant: the encoder's blocks read the source; the decoder's write, and look at what the encoder has read.
    encoder: functions of x; decoder: as many functions of (x, memory)"""
    memory, x = source, target
    for read, write in zip(encoder, decoder, strict=True):
        memory = read(memory)
        x = write(x, memory)
    return x


# %%
def broken_c(ids, tokens, positions, blocks, norm):
    """Meant: from ids (B, T) to logits (B, T, vocab_size). tokens: an nn.Embedding, the output layer too;
    positions: a table (max_len, d_model)"""
    x = tokens(ids) + positions[: ids.shape[0], None]
    for block in blocks:
        x = block(x)
    return norm(x) @ tokens.weight.T


# %%
_ = torch.manual_seed(0)
D, ids = 16, torch.randint(9, (2, 5))
x, source, norm_1, norm_2 = torch.randn(2, 5, D), torch.randn(2, 7, D), nn.LayerNorm(D), nn.LayerNorm(D)
tokens, positions = nn.Embedding(9, D), torch.randn(8, D)


def mix(x, memory=None):
    """A stand-in for attention: each token gets the mean of what it looks at."""
    return x + (x if memory is None else memory).mean(dim=1, keepdim=True)


print("a:", tuple(broken_a(x, mix, torch.cos, norm_1, norm_2).shape))
print("b:", tuple(broken_b(source, x, [mix, torch.cos], [mix, mix]).shape))
print("c:", tuple(broken_c(ids, tokens, positions, [mix, torch.cos], norm_1).shape))

# %% [markdown]
# <details><summary>Hint 1: a nudge</summary>
#
# a: through which line does what attention has gathered come to the feed-forward layer? b: what has the encoder read by the time
# that the first block of the decoder looks at it? c: which position do two tokens of one sequence get?
#
# </details>
# <details><summary>Hint 2: where to look</summary>
#
# a: what norm 2 is given. b: how often the loop has gone round when `write` is called. c: which axis of `ids` counts tokens.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# for attention in (mix, torch.sin):
#     broken_a(x, attention, lambda given: print(given.sum()) or given, norm_1, norm_2)
# silent = lambda x, memory: x
# broken_b(source, x, [mix, ...], [mix, silent])      # and with another second block in the encoder
# broken_c(torch.stack((ids[0], ids[0])), ...)
# ```
#
# </details>

# %% answer="diagnoses"
diagnoses = {  # of each assembly: (fault, observation)
    "a": (None, None),
    "b": (None, None),
    "c": (None, None),
}
### BEGIN SOLUTION
diagnoses = {
    "a": ("side by side", "another attention, and the feed-forward layer is given the same"),
    "b": ("level by level", "with the last decoder block silent, the last encoder block changes nothing"),
    "c": ("positions by sequence", "one text twice in a batch gives two different outputs"),
}
### END SOLUTION


# %% answer="repaired"
def repaired(ids, tokens, positions, blocks, norm):
    """broken_c, mended"""
    ### BEGIN SOLUTION
    x = tokens(ids) + positions[: ids.shape[1]]
    for block in blocks:
        x = block(x)
    return norm(x) @ tokens.weight.T
    ### END SOLUTION


# %% check="repair" points=3
from transformer_lab.grading import grade

grade("09_block.repair", diagnoses, repaired)

# %% [markdown]
# ## Question 8: a whole language model
# *Optional, stretch: 5 points, difficulty 3 of 5, about 15 minutes*
#
# Eight lessons of parts; now a whole model. Write `LanguageModel(config, make_block)`, a decoder-only model that computes what
# the package's `GPT(config)` does. The check puts the parameters of such a GPT into yours and compares the logits, so yours
# keeps its parts under these names, and has no parameters beside theirs:
#
# | name | what it is |
# |---|---|
# | `tokens` | the embedding, an `nn.Embedding` with `config.vocab_size` rows of `config.d_model` numbers |
# | `positions` | learned ones, added to the token vectors: an `nn.Embedding` with `config.max_len` rows, counted from 0 |
# | `blocks` | an `nn.ModuleList` of `config.n_layers` blocks, each from a call of `make_block()` of its own |
# | `norm` | an `nn.LayerNorm(config.d_model)`, behind the last block |
# | `output` | only where `config.tie_embeddings` is False: an `nn.Linear` without bias that makes the logits. Where it is True, the rows of `tokens` do |
#
# `make_block()` gives a pre-norm block with new weights. It is called as `block(x, mask)`, where `mask (T, T)` is True where the
# token of the row may look at that of the column.
#
# `forward(ids)` takes `ids (B, T)`, whole numbers, with $T$ at most `config.max_len`, and gives logits `(B, T,
# vocab_size)`. The logits of a token score the next token, so no token may see those after it. Where
# `config.scale_embeddings` is True, the token vectors, and they alone, are multiplied by $\sqrt{d_{model}}$. No
# dropout. A model of the package, such as `GPT`, may not be in it.
#
# <details><summary>Hint 1: a nudge</summary>
#
# Follow one id on its way to its logits, and write down which part it meets at each step. What of lesson 03 keeps a token from
# seeing the next one? Which of the five names are used once for each text, and which one perhaps twice?
#
# </details>
# <details><summary>Hint 2: the formula with shapes</summary>
#
# `tokens(ids)` `(B, T, d_model)`, perhaps scaled, plus the first $T$ positions `(T, d_model)`; $L$ times `x = block(x, mask)`, with
# a mask `(T, T)` that is True on and below the diagonal; the norm; logits = that times the rows of `tokens` or of `output`, both
# `(vocab_size, d_model)`.
#
# </details>
# <details><summary>Hint 3: a skeleton</summary>
#
# ```python
# self.scale = ... if config.scale_embeddings else 1
# self.output = None if config.tie_embeddings else ...
#
# x = ... + self.positions(torch.arange(...))
# mask = torch.ones(..., dtype=torch.bool)....
# return nn.functional.linear(..., (self.output or ...).weight)
# ```
#
# </details>


# %% answer="LanguageModel"
class LanguageModel(nn.Module):
    """From ids (B, T) to logits (B, T, vocab_size), as the package's GPT"""

    def __init__(self, config, make_block):
        ### BEGIN SOLUTION
        super().__init__()
        self.scale = config.d_model**0.5 if config.scale_embeddings else 1
        self.tokens, self.positions = (nn.Embedding(n, config.d_model) for n in (config.vocab_size, config.max_len))
        self.blocks = nn.ModuleList(make_block() for _ in range(config.n_layers))
        self.norm = nn.LayerNorm(config.d_model)
        self.output = None if config.tie_embeddings else nn.Linear(config.d_model, config.vocab_size, bias=False)
        ### END SOLUTION

    def forward(self, ids):
        ### BEGIN SOLUTION
        T = ids.shape[1]
        x = self.tokens(ids) * self.scale + self.positions(torch.arange(T))
        mask = torch.ones(T, T, dtype=torch.bool).tril()
        for block in self.blocks:
            x = block(x, mask)
        return nn.functional.linear(self.norm(x), (self.output or self.tokens).weight)
        ### END SOLUTION


# %% [markdown]
# To try it, with the package's blocks:
#
# ```python
# from transformer_lab import blocks
#
# config = TransformerConfig(vocab_size=11, positions="learned")
# model = LanguageModel(config, lambda: blocks.Block(config))
# model(torch.tensor([[3, 1, 4, 1, 5]])).shape, sum(p.numel() for p in model.parameters())
# ```

# %% check="LanguageModel" points=5
from transformer_lab.grading import grade

grade("09_block.LanguageModel", LanguageModel)

# %% [markdown]
# Back to the [lesson](../../notebooks/09_block.ipynb), or to the [start](../../notebooks/00_start_here.ipynb).
