# %% [markdown]
# # 05 Feed-forward
#
# **Attention lets a token look at other tokens. What is left for it to do alone?**
#
# ![The translator drawn from its configuration: the encoder reads "Sunday, November 22, 2026", the decoder has written
# 2 0 2 6 nián and is about to write 1. The feed-forward part of each of its four blocks is lit; in every block it is the
# last.](figures/05_feed_forward_where.svg)
#
# In [lesson 02](02_attention.ipynb) the translator found the token `November`, and attention handed over what it had to
# offer. Every block of the drawing then ends with the lit part, which looks at no other token. It turns the vector that
# stands at `November` into another, without a glance at `Sunday` or `2026`. And it has more parameters than any attention
# (section 8).
#
# Why would a model need a part that looks nowhere? First you take it away. Then you build it from two small units, and ask
# what the units of the trained translator know. You will be able to
#
# * solve a puzzle of two bits by hand, and say what made it possible;
# * write the layer, with every shape, and explain what a single unit does in it;
# * test a claim of the kind "this unit knows November".
#
# About 45 minutes. It builds on [02 Attention](02_attention.ipynb) and [04 Multi-head](04_multi_head.ipynb).

# %%
import matplotlib.pyplot as plt
import torch
import torch.nn.functional as F

from transformer_lab import FeedForward, MultiHeadAttention, Transformer, exact_match, load, switch_off, translate
from transformer_lab.analysis.access import patched
from transformer_lab.data import dates
from transformer_lab.experiments import experiment, recorded
from transformer_lab.grading import predict
from transformer_lab.viz import CostExplorer, model_cost, plots

plots.use_style()
_ = torch.manual_seed(0)

# %% [markdown]
# ## 1. Break it
#
# Can the translator do without the lit parts? What comes out of one is added to what went in ([lesson 06](06_residual.ipynb)
# is about this addition), so a silent part adds zeros. We silence all four, and leave all attention as it was learnt:

# %%
model, tokenizer = load("dates")
held_out = dates.held_out_pairs(300)
whole = exact_match(model, tokenizer, held_out)
some = ["Sunday, November 22, 2026", "Friday, March 13, 2026"]
with switch_off(model, "feed-forward"):
    without = exact_match(model, tokenizer, held_out)
    for date in some:
        print(date, "->", translate(model, tokenizer, [date])[0][:16], "...")
print(f"right: {without:.0%} of 300 dates; with all four parts {whole:.1%}")

# %% [markdown]
# The translator stammers. Is that because the parts are gone, or only because zeros are new to what comes after them? Let
# each of the four say its *average* output instead, whatever comes in:

# %% jupyter={"source_hidden": true}
layers = {f"{kind} {number}": block.feed_forward for kind in ("encoder", "decoder")
          for number, block in enumerate(getattr(model, kind).blocks, start=1)}  # fmt: skip
source, source_mask = tokenizer.batch([pair.source for pair in held_out])
target, target_mask = tokenizer.batch([pair.target for pair in held_out], bos=True, eos=True)
target, target_mask = target[:, :-1], target_mask[:, :-1]
said = {}
hooks = [layer.register_forward_hook(lambda _, inputs, output, name=name: said.update({name: output}))
         for name, layer in layers.items()]  # fmt: skip
with torch.no_grad():
    model(source, target, source_mask, target_mask)
for hook in hooks:
    hook.remove()
average = {name: out[source_mask if "encoder" in name else target_mask].mean(dim=0) for name, out in said.items()}

# %% jupyter={"source_hidden": true}
with patched((layers[name], "forward", lambda x, mean=mean: mean.expand_as(x)) for name, mean in average.items()):
    share = exact_match(model, tokenizer, held_out)
print(f"each part says its average: {share:.0%} of 300 dates are right")
assert share == without == 0

# %% [markdown]
# It is not only the zeros: with the averages, too, no date is right. (A model that *never had* such parts is another
# matter; [lesson 09](09_block.ipynb) trains one.) But what do the parts do that attention does not?
#
# ## 2. Two facts about one token
#
# Can attention alone combine two facts about a token? The smallest test is **XOR**, the exclusive or. One token holds two
# bits, $a$ and $b$. If exactly one of them is on, the answer is 1, otherwise 0. We take six attention layers, each with its
# own parameters and each added to its input. (There are no norms, and no other tokens.)

# %%
bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])  # (4 tokens, 2 bits)
xor = torch.tensor([0.0, 1.0, 1.0, 0.0])  # what is wanted of each

# %% [markdown]
# Can the parameters be chosen so that one of the two output numbers is the XOR?

# %%
predict("05_feed_forward.xor")


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def stacked(layers):
    """(4, 2) bits -> (4, 2): four sequences of one token, through layers that are each added to their input"""
    x = bits[:, None]  # (4, 1, 2)
    for layer in layers:
        x = x + layer(x)
    return x[:, 0].detach()


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def gap(out):
    """How far f(0,0) + f(1,1) is from f(0,1) + f(1,0)."""
    return (out[0] + out[3] - out[1] - out[2]).abs().max().item()


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
attention_only, with_layer, size = [], [], 0.0
for seed in range(100):
    _ = torch.manual_seed(seed)
    attentions = [MultiHeadAttention(d_model=2, n_heads=1) for _ in range(6)]
    out = stacked(attentions)
    attention_only.append(gap(out))
    size = max(size, out.abs().max().item())
    with_layer.append(gap(stacked([*attentions[:5], FeedForward(2, 8)])))
print("100 networks with random parameters, none of them trained. f(a, b) is what a network answers.")
print(f"XOR wants f(0,1) + f(1,0) to be {gap(xor[:, None]):.0f} more than f(0,0) + f(1,1). How far apart are they?")
print(f"six attentions: {max(attention_only):.4f} at most (their outputs reach ≈ {size:.1f})")
print(f"five attentions, one feed-forward layer: up to ≈ {max(with_layer):.1f}, so no longer tied to 0")
assert max(attention_only) < 5e-5 and abs(size - 7.6) < 0.3
assert abs(max(with_layer) - 0.4) < 0.1

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
predict("05_feed_forward.xor", actual="no" if max(attention_only) < 1e-4 else "yes")

# %% [markdown]
# <details><summary>Why? Open after your guess</summary>
#
# A head hands over a weighted *average* of values, and each value comes from a token's vector by one matrix
# ([lesson 04](04_multi_head.ipynb)). A single token can look only at itself, with weight 1, so the softmax has nothing to
# decide. What remains is a matrix and a bias, and six of them in a row are still one matrix and one bias. Every such $f$ has
#
# $$f(0,0) + f(1,1) = f(0,1) + f(1,0),$$
#
# because on both sides each bit is switched on once. XOR has $0 + 0$ on the left and $1 + 1$ on the right. The hundred networks
# agree with the argument, and no training can change it. Put one feed-forward layer in, and the two sides come apart.
#
# (With several tokens the softmax does decide something, and norms are not linear either: see section 6.)
#
# </details>

# %% [markdown]
# How would *you* do it, with a pencil? Here are the four inputs as points in the plane, orange where XOR is 1:
#
# ![The four inputs as points in a plane with the axes a and b. 0 1 and 1 0 are orange, 0 0 and 1 1 are white. Two dashed straight lines
# each have one white point on the side of the orange ones.](figures/05_feed_forward_points.svg)
#
# No straight line has orange on one side and white on the other. But you may squeeze, stretch or fold the *paper*. The
# points go with it, never one alone, and two may land on the same spot. Copy the drawing, and find a way that lets
# *one* straight line do it. Then enter below where your points lie now, and run the next two cells:

# %%
sheet = {"0 0": (0, 0), "0 1": (0, 1), "1 0": (1, 0), "1 1": (1, 1)}  # as they lie at first: move them

# %% jupyter={"source_hidden": true}
places = torch.tensor(list(sheet.values()), dtype=torch.float)
places = (places - places.mean(dim=0)) / places.std()  # in the middle of the paper, whatever its size
lines = torch.randn(100_000, 3, generator=torch.Generator().manual_seed(0))  # drawn by lot
parted = ((lines[:, :2] @ places.T + lines[:, 2:] > 0) == xor.bool()).sum(dim=1)
print(f"The best of 100,000 straight lines has {parted.max()} of your 4 points on the right side.")

# %% [markdown]
# <details><summary>One way, when you have tried</summary>
#
# First squeeze the plane onto a line, so that only the sum $a + b$ counts: 10 and 01 become the same point. Then bend
# this line where the sum is 1. (To fold the paper along $a = b$ is another way.)
#
# ![On the left the four inputs in the plane, 0 1 and 1 0 in orange, 0 0 and 1 1 in white. A dotted line joins the two orange points.
# On the right what two hidden units make of them: all points have been moved along the dotted line until only their sum a + b
# counts, and the line that is left has been bent where the sum is 1. 0 0 lies at its beginning, 1 0 and 0 1 together at the bend, 1 1 at the
# end, and one straight line, dashed, parts the orange point from the white ones.](figures/05_feed_forward_fold.svg)
#
# </details>
#
# A network does it with numbers. Two **hidden units** read the bits, and the output reads the units:

# %%
w_1, b_1 = torch.tensor([[1.0, 1.0], [1.0, 1.0]]), torch.tensor([0.0, -1.0])  # (2 units, 2 bits), (2 units,)
w_2 = torch.tensor([[1.0, -2.0]])  # (1 output, 2 units)
hidden = torch.relu(bits @ w_1.T + b_1)
output = (hidden @ w_2.T)[:, 0]
for (a, b), units, y in zip(bits.int().tolist(), hidden.int().tolist(), output.int().tolist(), strict=True):
    print(f"a, b = {a}, {b}   unit 1 says {units[0]}, unit 2 says {units[1]}   output {y}")
assert torch.equal(output, xor)

# %% [markdown]
# Unit 1 counts the bits that are on: $a + b$. Unit 2 notices when *both* are on: it computes $a + b - 1$ and cuts off
# what is negative, so it is silent until the sum passes 1. The cut of a number $z$, $\max(0, z)$, is called **ReLU**,
# and we call the bend that it makes a *fold*. The output is unit 1 minus twice unit 2. So a unit **detects** something,
# and then it **writes** something. How do two such units become the lit part?
#
# ## 3. From one unit to the layer
#
# The layer has more units. A token's vector `x` has $D = 64$ numbers, and there are $d_\text{ff} = 256$ hidden units.
# Each unit $j$ owns three things:
#
# * a row of $W_1$, shape $(d_\text{ff}, D)$: what it detects. The dot product with `x` says how well `x` agrees with it;
# * a number of $b_1$, shape $(d_\text{ff},)$: a head start, or a threshold if it is negative;
# * a column of $W_2$, shape $(D, d_\text{ff})$: what it writes when it *fires* (ends above 0). The further
#   above, the more it writes.
#
# Here are two of the units at `November`. Which one writes?
#
# ![Two of the 256 hidden units at the token November, with numbers as bars, up for plus and down for minus. Each compares its
# row of W_1 with the token's vector x. For unit 115 the
# dot product and its bias make 1.7; the ReLU lets it through, and 1.7 times its column of W_2 is added to the output. For unit 34 they
# make -1.6; the ReLU makes 0 of it, and the unit writes nothing.](figures/05_feed_forward_unit.svg)
#
# Unit 115 fires and writes; unit 34 ends below 0 and stays silent. (A last bias, $b_2$, is written whatever
# fires. The matrices lie here as PyTorch's `nn.Linear` stores them, so we write $W_1 x$, not $x W_1$ as in earlier
# lessons.)
#
# The same 256 units serve every token, and no arrow leads from one token to another:
#
# ![Three of the ten English tokens, Sunday, November and 2, each in a row of its own. From left to right: its vector x of 64
# numbers; an arrow up, W_1, b_1 and ReLU, to 256 hidden units, about half of them white, that is silent; an arrow down,
# W_2 and b_2, to the 64 numbers that are added to x. The same matrices serve every row, and no arrow leads from one row to
# another.](figures/05_feed_forward_alone.svg)
#
# Let us take `November` by itself, in block 1 of the encoder, and do by hand what the layer does. A **hook**, a function that
# PyTorch calls when a module runs, fetches what goes in and what comes out:

# %%
source, _ = tokenizer.batch(["Sunday, November 22, 2026"])
words = tokenizer.tokens(source[0].tolist())
layer, seen = model.encoder.blocks[0].feed_forward, {}
hook = layer.register_forward_hook(lambda _, inputs, output: seen.update(x=inputs[0][0], y=output[0]))
with torch.no_grad():
    model.encode(source)
hook.remove()
x, y = seen["x"], seen["y"]  # (10 tokens, 64) both

# %%
w_1, b_1, w_2, b_2 = (parameter.detach() for parameter in layer.parameters())
output, firing = b_2.clone(), 0
for j in range(256):
    amount = torch.relu(w_1[j] @ x[2] + b_1[j])  # one number: how strongly unit j fires at November
    output = output + amount * w_2[:, j]  # so much of what it writes
    firing += int(amount > 0)

print(f"units that fire at {words[2]}: ≈ {firing} of 256")
difference, largest = (output - y[2]).abs().max(), y[2].abs().max()
print(f"our output and the model's differ by {difference:.4f}; the largest number is {largest:.1f}")
assert abs(firing - 127) <= 2 and difference < 1e-5

# %% [markdown]
# Our loop writes what the layer writes. All units at once take two products of a matrix with a vector, each with a
# bias, and between them the **activation function**, here ReLU:
#
# $$\text{FFN}(x) = W_2\,\text{act}(W_1 x + b_1) + b_2$$
#
# In code, for one token:


# %%
def feed_forward(x, w_1, b_1, w_2, b_2):
    """(D,) -> (D,): one token"""
    hidden = torch.relu(w_1 @ x + b_1)  # (d_ff,)
    return w_2 @ hidden + b_2


outputs = torch.stack([feed_forward(token, w_1, b_1, w_2, b_2) for token in x])  # (10 tokens, 64)
difference = (outputs - y).abs().max()
print(f"for all ten tokens, one after the other: they differ by {difference:.4f}")
assert difference < 1e-5

# %% [markdown]
# All tokens at once take two products of matrices. How to write these for any number of texts and tokens is the first
# exercise.
#
# This is the **feed-forward layer**, also called the **MLP** (multilayer perceptron) of a block.
#
# <details><summary>Deeper: attention to a fixed dictionary</summary>
#
# The layer looks like attention to a fixed dictionary: the rows of $W_1$ are keys, the columns of $W_2$ are values, and
# the token's vector is the query. But there is no softmax to make the units compete, so any number of them can fire.
# Geva et al. (2021) call it a **key-value memory**.
#
# </details>
#
# ## 4. Alone
#
# Is `November` really alone in the layer, as drawn? Send it through without its nine
# neighbours, and do the same with the attention of the same block:

# %%
attention, embedded = model.encoder.blocks[0].attention, model.embedding(source)[0][0].detach()
shift = {}
for name, part, vectors in (("attention", attention, embedded), ("feed-forward", layer, x)):
    with torch.no_grad():
        in_company, by_itself = part(vectors[None])[0, 2], part(vectors[None, 2:3])[0, 0]
    shift[name] = (in_company - by_itself).norm() / in_company.norm()
    print(f"{name:13} November's output without its neighbours moves by ≈ {shift[name]:.2f} of its length")
assert abs(shift["attention"] - 1.1) < 0.02
assert shift["feed-forward"] < 1e-5

# %% [markdown]
# So a block divides the work: **attention moves information between tokens, and the feed-forward layer works on what has
# arrived, at each token alone.** The word for that is **position-wise**. What do the units look for?
#
# <details><summary>Deeper: two other ways to say it</summary>
#
# *Shuffling commutes.* Shuffle the tokens, apply the layer, and you get its output, shuffled in the same way. That does not
# prove that tokens never meet: attention without mask and positions has the same property ([lesson 08](08_positions.ipynb)).
# It says that tokens are treated *alike*, not that they are kept *apart*.
#
# *A convolution of width 1.* The same matrices slide over the text and see one token at a time. Some texts and older code
# write the layer as two `Conv1d` with a kernel of 1; GPT-2's code calls its matrices `Conv1D`.
#
# </details>
#
# ## 5. Does a unit know November?
#
# If units are detectors, what do they detect? In the encoder's first feed-forward layer we look for each month's favourite:
# the unit whose response to this month's name lies furthest above its mean at the eleven others. Then comes the
# test: of all months, does this unit really fire most at its own?

# %%
dates_500 = dates.held_out_pairs(500)
sources, source_mask = tokenizer.batch([pair.source for pair in dates_500])
vocabulary = tokenizer.tokens(torch.arange(model.config.vocab_size))
months = ["January", "February", "March", "April", "May", "June",
          "July", "August", "September", "October", "November", "December"]  # fmt: skip


# %%
def responses(model):
    """(12 months, 256): how strongly each unit fires at each month's name, on average"""
    sums = []
    hook = model.encoder.blocks[0].feed_forward.w_1.register_forward_hook(lambda m, inputs, out: sums.append(out))
    with torch.no_grad():
        model.encode(sources, source_mask)
    hook.remove()
    fired = sums[0].relu()
    return torch.stack([fired[sources == vocabulary.index(month)].mean(dim=0) for month in months])


def preference(response):
    """(12, 256): a unit's response to a month, less its mean response to the eleven others"""
    return response - (response.sum(dim=0) - response) / 11


# %%
trained = responses(model)
favourites = preference(trained).argmax(dim=1)
faithful = (trained[:, favourites].argmax(dim=0) == torch.arange(12)).sum().item()
print(f"{faithful} of 12 favourites fire most at their own month")
shown = [f"{month} {r:.1f}" for month, r in zip(months, trained[:, favourites[10]], strict=True) if r > 0.05]
print("November's favourite fires at", ", ".join(shown))
assert faithful >= 10

# %% [markdown]
# Nearly all of them do. It is tempting to write: *the layer has learnt a detector for each month*. But what would the same cell
# show if that were **not** true? Run it on a translator that has learnt nothing, with random numbers in all its matrices:

# %%
untrained = []
for seed in range(6):
    _ = torch.manual_seed(seed)
    untrained.append(responses(Transformer(model.config).eval()))

counts = []
for response in untrained:
    units = preference(response).argmax(dim=1)
    counts.append((response[:, units].argmax(dim=0) == torch.arange(12)).sum().item())
print("untrained, six seeds:", ", ".join(map(str, counts)), "of 12")
assert min(counts) >= 9

# %% [markdown]
# If it took training to make such units, only the left picture would have a bright diagonal:

# %% jupyter={"source_hidden": true}
figure, panels = plt.subplots(1, 2, figsize=(8, 4.4), sharey=True)
for panel, response, name, count in zip(
    panels, (trained, untrained[0]), ("trained", "untrained"), (faithful, counts[0]), strict=True
):
    units = preference(response).argmax(dim=1)
    panel.imshow(response[:, units] / response[:, units].amax(dim=0), cmap="viridis", vmin=0, vmax=1)
    panel.set(xlabel="favourite unit of each month", xticks=range(12), xticklabels=[month[:3] for month in months])
    panel.tick_params(axis="x", rotation=90)
    panel.set_title(f"{name}: {count} of 12 on the diagonal")
    panel.grid(visible=False)
_ = panels[0].set(yticks=range(12), yticklabels=months, ylabel="token read")
_ = figure.suptitle(
    "With training and without: a bright diagonal (columns divided by their largest number)", x=0.02, ha="left"
)

# %% [markdown]
# **An untrained model has its November unit too.** Among 256 random detectors there is nearly always one that happens
# to agree with a given word better than with its rivals. We chose the best of many and then admired how good it was.
# Statisticians call this trap **multiple comparisons**. Such a count cannot tell what the model has learnt.
#
# So watching units is not enough. Let us do something to them. For each month we take not one favourite but five.
# (Some are shared, so that makes 53 units, a fifth of the layer.) We silence them all: whatever comes in, they say 0.
# How many of 500 dates will now come out wrong?

# %%
predict("05_feed_forward.months")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
targets, target_mask = tokenizer.batch([pair.target for pair in dates_500], bos=True, eos=True)
first_layer = model.encoder.blocks[0].feed_forward


def silence(units):
    """A hook that makes these hidden units say 0; what b_2 writes stays."""
    return first_layer.w_1.register_forward_hook(lambda m, inputs, out: out.index_fill(-1, units, 0.0))


@torch.inference_mode()
def right_without(units, n=500):
    """Share of n dates of which every next token is right while these hidden units say 0."""
    hook = silence(units)
    said = model(sources[:n], targets[:n, :-1], source_mask[:n], target_mask[:n, :-1]).argmax(dim=-1)
    hook.remove()
    return ((said == targets[:n, 1:]) | ~target_mask[:n, 1:]).all(dim=1).float().mean().item()


# %% jupyter={"source_hidden": true, "outputs_hidden": true}
def drawn(chances, n):
    """Five draws of n units; a unit with twice the chance is drawn about twice as often."""
    return [chances.multinomial(n, generator=torch.Generator().manual_seed(seed)) for seed in range(5)]


busy = trained.mean(dim=0) + 0.001  # how much a unit fires at months
sizes, by_month, by_chance, by_busy = [], [], [], []
for each in (1, 2, 5, 10, 20):
    units = preference(trained).topk(each, dim=1).indices.unique()
    sizes.append(len(units))
    by_month.append(100 * right_without(units))
    by_chance.append([100 * right_without(units) for units in drawn(torch.ones(256), len(units))])
    by_busy.append([100 * right_without(units) for units in drawn(busy, len(units))])

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
everything = 100 * right_without(torch.arange(256))
with patched([(first_layer, "forward", lambda x: average["encoder 1"].expand_as(x))]):
    says_average = 100 * right_without(torch.arange(0))
whole_200 = 100 * right_without(torch.arange(0), 200)
alone = [100 * right_without(torch.tensor([unit]), 200) for unit in range(256)]  # 200 dates each

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
axes = plt.subplots(figsize=(7, 3.2))[1]
axes.plot(sizes, by_month, "o-", color=plots.COLORS[1], label="the months' favourites")
axes.plot(256, everything, "o", color="grey")
axes.annotate("all 256", (256, everything), (-8, 0), textcoords="offset points", ha="right", va="center")
draws = (by_chance, "x", "as many at random, five draws", 0), (by_busy, "+", "the same, busy ones more often", 2)
for kind, mark, label, color in draws:
    across = [size for size in sizes for _ in range(5)]
    axes.plot(across, [share for shares in kind for share in shares], mark, color=plots.COLORS[color], label=label)
axes.set(xlabel="hidden units silenced, of 256 in encoder block 1", ylabel="dates right (%)", ylim=(0, 105))
axes.set_title(f"{sizes[2]} favourites silent: {by_month[2]:.1f} % right. All 256 silent: {everything:.0f} %")
_ = axes.legend(loc="lower left")

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
print(f"all 256 units silent: ≈ {everything:.0f} % right; the layer says its average: ≈ {says_average:.0f} % right")
print("each of the 256 units silenced by itself, with 200 dates:")
print(f"in the worst case ≈ {min(alone):.1f} % of them are right; with all 256 at work {whole_200:.1f} %")
assert min(alone) > 98
assert sizes[2] == 53 and by_month[2] > 98 and min(by_chance[2]) > 98 and 30 < everything < 40
assert abs(says_average - everything) < 3  # so it is not the zeros
assert sizes[4] == 160 and by_month[4] < min(by_chance[4]) < by_month[4] + 8
assert min(by_busy[4]) - 3 < by_month[4] < max(by_busy[4]) < min(by_chance[4]) + 4

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
lost = right_without(torch.arange(0)) - by_month[2] / 100
predict("05_feed_forward.months", actual="hardly any" if lost < 0.05 else "about a fifth" if lost < 0.4 else "most")

# %% [markdown]
# <details><summary>What it shows. Open after your guess</summary>
#
# A fifth of the layer falls silent, and with it the favourites of all months. Yet 99.8 % of the 500 dates are right, as
# many as lesson 02 had with the whole model and the same dates. With as many units drawn at random (the crosses) it is
# much the same.
#
# Still, the layer is needed: with all its units silent, two thirds of the dates go wrong. (As in section 1 it is not
# only the zeros: about as many go wrong when the layer says its average output instead.) No single unit matters much
# by itself: we have silenced each of the 256 alone, and the last line of the output shows the worst case. With 160
# units silent (twenty favourites a month), the favourites' dot lies below all five crosses. But it lies near the
# lowest of the plus signs. These are five draws that favour *busy* units, which fire much on average over the months.
#
# Perhaps a month is told by a pattern over many units, and each unit takes part in many patterns. That is called a
# **distributed representation**. We have not shown it: we have seen that this model can spare many units of this
# layer. So do not read a hidden unit as a word unless silencing it has harmed that word, and little else.
#
# This is one small layer of one small model. In other models single units with a clear job have been reported. Of each
# report, ask how many units were searched, and what was done to the one that was found.
#
# </details>
#
# ## 6. Would more attention do?
#
# XOR on one token was a severe test. In a text there are many tokens, the softmax has much to decide, and real stacks have
# norms, which are not linear either. Can more attention make up for the missing layer?
#
# Without biases, one attention has $4 D^2$ parameters (four matrices), and one feed-forward layer with
# $d_\text{ff} = 4D$ has $8 D^2$. So a block, attention and feed-forward (AF), weighs as much as three attentions
# (AAA). Both are to learn a table by heart: 256 questions $(a, b)$, with $a$ and $b$ from 0 to 15. Each has one of
# 16 answers, drawn at random, so guessing gets one in 16 right. A token is one question and needs no other, so this
# is the feed-forward layer's home ground.
#
# Here are five seeds of each (`experiments/feed_forward_table.py`). How soon do they know the table?

# %% jupyter={"source_hidden": true}
kept = recorded("feed_forward_table")["result"]
final = {plan: 100 * torch.tensor(kept["plans"][plan])[:, -1] for plan in ("AF", "AAA")}  # (5 seeds,) each
axes = plt.subplots(figsize=(7, 3.2))[1]
for color, plan in zip(plots.COLORS, final, strict=False):
    for seed, run in enumerate(kept["plans"][plan]):
        label = None if seed else f"{plan} (one line per seed)"
        axes.plot(kept["steps"], [100 * share for share in run], color=color, alpha=0.8, label=label)
axes.set(xlabel="training steps", ylabel="right answers (%)", ylim=(0, 105))
title = f"after 600 steps: AF {final['AF'].mean():.0f} %, AAA {final['AAA'].mean():.0f} %"
axes.set_title(f"Equal parameters, learning rate 0.003, {title}", fontsize=10)
_ = axes.legend(loc="lower right")

# %% [markdown]
# **At this learning rate, AF learns the table in 600 steps, and AAA about half of it, with as many parameters.** (The
# attentions had not finished: their lines still rise. A third of the table takes no layer at all, and at a larger rate the
# attentions get further: see Deeper.) For this work, which needs no other token, attention was the slower use of parameters.

# %% [markdown] jp-MarkdownHeadingCollapsed=true tags=["deeper"]
# ### Deeper: no layer at all, a larger learning rate, and a live run
#
# A text is four questions, and $D$ is 16. A token's vector is the sum of three learnt ones, for its $a$, its $b$ and
# its place. Each layer gets its input through a norm and is added to it. How much of the table is right without any
# layer? And do the attentions catch up at a larger learning rate?

# %% jupyter={"source_hidden": true} tags=["deeper"]
controls = recorded("feed_forward_controls")["result"]["right"]
larger = {kind: sum(by_rate["0.01"]) / 5 for kind, by_rate in controls.items()}
usual = {plan: shares.mean() / 100 for plan, shares in final.items()} | {
    "nothing": sum(controls["nothing"]["0.003"]) / 5
}
names = {"nothing": "no layer at all", "AAA": "three attentions", "AF": "attention and feed-forward"}
print("right after 600 steps (mean of five seeds)    rate 0.003   rate 0.01")
for kind, words in names.items():
    print(f"{words:46}{usual[kind]:7.0%}{larger[kind]:12.0%}")
assert (final["AF"] >= 99.5).all() and ((final["AAA"] > 40) & (final["AAA"] < 70)).all()
assert all(run[-1] > run[-2] + 0.02 for run in kept["plans"]["AAA"])  # the lines of AAA still rise

# %% [markdown] tags=["deeper"]
# A stack without any layer can still add up what it has learnt of $a$ and of $b$, and that alone gets a third of the table or
# a little more. Three attentions get further, and further still at the larger rate, but do not catch up in 600 steps.
#
# Here are two seeds live, for 200 steps:

# %% tags=["deeper"]
table = experiment("feed_forward_table")
print("parameters of the layers:", table.weights_of_layers("AF"), "and", table.weights_of_layers("AAA"))
blocks, attentions = ([table.train(plan, seed=seed, steps=200)[-1] for seed in (3, 4)] for plan in ("AF", "AAA"))
print(f"right after 200 steps: AF ≈ {sum(blocks) / 2:.0%}, AAA ≈ {sum(attentions) / 2:.0%} (mean of seeds 3 and 4)")
assert abs(sum(blocks) / 2 - 0.54) < 0.12
assert abs(sum(attentions) / 2 - 0.3) < 0.08

# %% [markdown]
# ## 7. Other folds: GELU, SiLU, and gates
#
# Must the fold be ReLU, which bends sharply? Three are common, and the last two are softer:
#
# * **ReLU**, $\max(0, z)$, in the Transformer of 2017 and our translator;
# * **GELU**, $z$ times the share of the standard normal distribution (mean 0, deviation 1) that lies below $z$, in
#   BERT and GPT-2. (GPT-2 approximates it with a *tanh*, a soft step from -1 to 1: question 2 of the exercises.)
# * **SiLU**, $z$ times the **sigmoid** $\sigma(z) = 1 / (1 + e^{-z})$, a soft step from 0 to 1, in Llama and its
#   relatives.
#
# Where do the three differ?

# %% jupyter={"source_hidden": true}
z = torch.linspace(-4, 4, 801)
curves = {"ReLU": F.relu(z), "GELU": F.gelu(z), "SiLU": F.silu(z)}
axes = plt.subplots(figsize=(7, 3))[1]
for line, (name, curve) in zip(("-", "--", ":"), curves.items(), strict=True):
    axes.plot(z, curve, line, label=name)
axes.set(xlabel="z", ylabel="act(z)", title="Three folds: a large z passes almost unchanged")
_ = axes.legend()

# %% [markdown]
# At 0 all three agree. ReLU and the softer two differ most about 1 to either side of it. Left of 0, GELU and SiLU dip a
# little below zero.
#
# **Gating** gives each unit a second detector. One says how much there is to write; the other (`w_gate` below), through
# SiLU, says how far the gate is open; and the two are multiplied. (SiLU has no upper end, so this gate can also
# amplify.) This is **SwiGLU**, the layer of Llama and of many models since. Shazeer (2020) found it better by trial, at
# equal numbers of parameters, and says frankly that he has no explanation. A gated layer has three matrices instead of
# two, so its inner width is often made smaller. The exercises ask by how much.

# %%
for name, shown in (("relu", FeedForward(64, 256)), ("swiglu", FeedForward(64, 256, activation="swiglu"))):
    print(
        f"{name:7}",
        *(f"{key[:-7]} {tuple(value.shape)} " for key, value in shown.named_parameters() if value.ndim == 2),
    )

# %% [markdown]
# ## 8. What it costs
#
# How much of a block is this layer? Let us count one block of a language model, matrices only, as it reads $T$ tokens. A
# **FLOP** is one multiplication or one addition, so a parameter that is used once costs 2.
#
# | part | parameters | FLOPs |
# |---|---|---|
# | projections $W_Q$, $W_K$, $W_V$, $W_O$ | $4 D^2$ | $8\,T D^2$ |
# | scores, and mixing the values | none | $4\,T^2 D$ |
# | feed-forward, $d_\text{ff} = 4D$ | $8 D^2$ | $16\,T D^2$ |
#
# The scores are $T \cdot T$ dot products of vectors that are, all heads together, $D$ wide. Mixing costs the same
# again. (Every pair of tokens is counted, as without a mask.) By the column of parameters, two thirds of this
# block's parameters are in the part that looks nowhere. How does the famous quadratic cost of attention compare
# with that part? For GPT-2 small ($D = 768$):

# %%
print("tokens   scores and mixing / feed-forward, in FLOPs")
for T in (128, 1024, 8192):
    flops = model_cost(d_model=768, d_ff=4 * 768, T=T)["flops"]
    print(f"{T:6}   {flops['scores and mix'] / flops['feed-forward']:.2f}")

# %% [markdown]
# Of these lengths, only at 8,192 tokens does the quadratic part cost more than the layer. The two are equal where
# $4\,T^2 D = 16\,T D^2$, at $T = 4D$, here 3,072 tokens.
#
# **Play.** The explorer starts as GPT-2 at its full length. Each slider is a size; the bars and lines follow.
#
# 1. Which of the controls changes neither bar? What does it change?
# 2. Choose the vocabulary of Llama 3 and make the model small: `d_model` 256, 6 layers. Where are its parameters?

# %%
explorer = CostExplorer()
explorer

# %% [markdown]
# <details><summary>Answers, when you have tried</summary>
#
# 1\. *heads*: they cut $D$ and leave every product as large as before. Only the number of attention weights changes.
# 2\. Most of them, 87 %, are in the embedding, although here the same matrix serves again for the output.
#
# </details>

# %% jupyter={"source_hidden": true}
small = model_cost(256, 1024, 1024, 6, vocab_size=128_256)["parameters"]
assert round(100 * small["embedding and logits"] / sum(small.values())) == 87

# In a decoder block of the translator, which has a cross-attention, half of the matrices' parameters are feed-forward.
matrices = {name: p.numel() for name, p in model.decoder.blocks[0].named_parameters() if p.ndim == 2}
assert 2 * sum(n for name, n in matrices.items() if "feed_forward" in name) == sum(matrices.values())

# %% [markdown]
# ## 9. What people get wrong
#
# **An activation after the last projection too.** It looks thorough, and the shape is right. But now the layer can write
# nothing below zero. A model that is *trained* with it may get along. Our translator was not, and here it gets a ReLU
# behind all four layers:

# %%
with patched((layer, "forward", lambda x, forward=layer.forward: forward(x).relu()) for layer in layers.values()):
    share = exact_match(model, tokenizer, held_out)
print(f"a ReLU behind each of the four: {share:.0%} of the dates are right; as trained {whole:.1%}")
assert 0.8 < share < 0.9

# %% jupyter={"source_hidden": true, "outputs_hidden": true}
# Checks "may get along": trained with the ReLU at the end and without, the mean of each control.
ends = recorded("feed_forward_controls")["result"]["at the end"]
for control in ("table, 300 steps", "32 sub-layers"):
    plain, relu = (sum(ends[last][control]) / 5 for last in ("nothing", "ReLU"))
    assert -0.01 < plain - relu < 0.04

# %% [markdown]
# No error is raised, and most dates are still right. So when you load somebody's weights into your code, compare an output
# with theirs, number by number, and not only how often it is right.
#
# ## 10. What you have now
#
# What is left for a token to do alone? To combine what it holds, with two products and a fold between them. Here your
# function stands in all four places of the translator, with the learnt parameters, and gets one token at a time:


# %%
def yours(layer):
    """The layer's forward, computed by your function, token by token: (..., D) -> (..., D)"""
    weights = layer.w_1.weight, layer.w_1.bias, layer.w_2.weight, layer.w_2.bias
    return lambda x: torch.stack([feed_forward(token, *weights) for token in x.flatten(0, -2)]).view(x.shape)


with patched((layer, "forward", yours(layer)) for layer in layers.values()):
    for date in [*some, "Monday, December 31, 1999"]:
        print(date, "->", translate(model, tokenizer, [date])[0])
    print(f"{exact_match(model, tokenizer, held_out):.1%} of the dates are right, as before: {whole:.1%}")

# %% [markdown]
# In the package the layer is `transformer_lab.FeedForward`, with ReLU, both GELUs and SwiGLU. Its `forward` for the plain case
# is one line: two calls of `nn.Linear` with an activation between them.
#
# ## 11. Check yourself
#
# <details><summary>In section 2, take six linear layers with biases instead of the six attentions. Can they compute
# XOR?</summary>
#
# No. They too amount to one matrix and one bias. It takes a fold between two of them.
#
# </details>
#
# <details><summary>A colleague shows a unit that fires at French names more than at any others. What do you ask for?</summary>
#
# How many units were searched, and what the best of as many units shows in an untrained model. Then silence the unit (and some
# random ones): do French names suffer, and only they?
#
# </details>
#
# Now the [exercises of this lesson](../exercises/05_feed_forward/feed_forward.ipynb): three core questions, then optional ones.
#
# ## Takeaways
#
# * $W_2\,\text{act}(W_1 x + b_1) + b_2$: rows of $W_1$ detect, columns of $W_2$ write, and the activation between them folds.
#   With neither a fold nor norms, attentions cannot even compute XOR on a single token.
# * Attention moves information between tokens; the feed-forward layer works on each token alone.
# * The best of 256 units looks like a specialist even in an untrained model. To learn whether a unit matters, change it.
# * With $d_\text{ff} = 4D$ and no gate, two thirds of the parameters of a language model's block are here (of a block
#   with cross-attention, half). Counted without a mask, the quadratic part of attention takes as many FLOPs as this
#   layer only at $T = 4D$.
#
# **Papers.** Vaswani et al. (2017), [arXiv:1706.03762](https://arxiv.org/abs/1706.03762), section 3.3. Hendrycks, Gimpel
# (2016), [arXiv:1606.08415](https://arxiv.org/abs/1606.08415): GELU. Shazeer (2020),
# [arXiv:2002.05202](https://arxiv.org/abs/2002.05202): gated layers. Geva et al. (2021),
# [arXiv:2012.14913](https://arxiv.org/abs/2012.14913): key-value memories. Dong, Cordonnier, Loukas (2021),
# [arXiv:2103.03404](https://arxiv.org/abs/2103.03404): what becomes of attention stacked without the layer.
#
# Previous: [04 Multi-head](04_multi_head.ipynb). Next: [06 Residual](06_residual.ipynb).
