"""Lesson 14: answers to its exercises, wrong with the words their author must be told, and right.

attention.py says what the tables hold.
"""

import math
import random
from collections import defaultdict

import torch
import torch.nn.functional as F

from careless import squeezed, widened
from diagnoses import Diagnosed
from transformer_lab import generate
from transformer_lab.scoring import windows

POINTS = {
    "14_gpt.perplexity": 6,
    "14_gpt.answers": 6,
    "14_gpt.diagnose": 5,
    "14_gpt.continued": 4,
    "14_gpt.shared_keys": 3,
    "14_gpt.discounted": 3,
    "14_gpt.what_counts": 3,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M48", "M49", "M50")


# perplexity -------------------------------------------------------------------------------------------------------


def spans(T, window, stride):
    """The pieces, as places from and up to."""
    start = 0
    while True:
        yield start, min(start + window, T)
        if start + window >= T:
            return
        start += stride


def perplexity_by_places(nats_of, ids, window, stride):
    """A dictionary of what each place costs, in which the first word stands."""
    cost = {}
    for start, end in spans(len(ids), window, stride):
        for place, nats in enumerate(nats_of(ids[start:end]), start=start + 1):
            cost.setdefault(place, nats)
    return math.exp(math.fsum(cost.values()) / len(cost))


def perplexity_by_the_packages_windows(nats_of, ids, window, stride):
    total, n = 0.0, 0
    for start, first, end in windows(len(ids), window - 1, stride):  # there the last id of a piece is not read
        new = nats_of(ids[start:end])[first - start - 1 :]
        total, n = total + sum(new), n + len(new)
    return math.e ** (total / n)


def perplexity_by_ends(nats_of, ids, window, stride):
    """As it is mostly written: how many ids each piece judges, from the end of the piece before."""
    total, before = torch.tensor(0.0, dtype=torch.float64), 0
    for start in range(0, len(ids), stride):
        end = min(start + window, len(ids))
        fresh = end - max(before, 1)
        nats = torch.tensor(nats_of(ids[start:end]), dtype=torch.float64)
        total, before = total + nats[len(nats) - fresh :].sum(), end
        if end == len(ids):
            break
    return (total / (len(ids) - 1)).exp()


def judging(known=lambda n, start, end, window, stride: n - start, finish=None, pieces=spans):
    """known: how many numbers of a piece are passed over, when n have counted; finish(lists of costs, T) -> the end."""

    def perplexity(nats_of, ids, window, stride):
        lists, n = [], 0
        for start, end in pieces(len(ids), window, stride):
            new = nats_of(ids[start:end])
            new = new[max(0, known(n, start, end, window, stride)) :]
            lists, n = [*lists, new], n + len(new)
        lists = [one for one in lists if len(one)]
        return (finish or overall)(lists, len(ids))

    return perplexity


def overall(lists, T):
    costs = sum(lists, [])
    return math.exp(sum(costs) / len(costs))


def mean(numbers):
    return sum(numbers) / len(numbers)


def nothing_known(n, start, end, window, stride):
    return 0


def last_word(nats_of, ids, window, stride):
    cost = {}
    for start, end in spans(len(ids), window, stride):
        cost.update(enumerate(nats_of(ids[start:end]), start=start + 1))
    return math.exp(mean(list(cost.values())))


def never_ending(nats_of, ids, window, stride):
    cost = {}
    for start in range(0, len(ids), stride):
        for place, nats in enumerate(nats_of(ids[start : start + window]), start=start + 1):
            cost.setdefault(place, nats)
    return math.exp(mean(list(cost.values())))


def asked_twice(nats_of, ids, window, stride):
    nats_of(ids[:window])
    return perplexity_by_places(nats_of, ids, window, stride)


def using_ids_up(nats_of, ids, window, stride):
    got = perplexity_by_places(nats_of, list(ids), window, stride)
    ids.clear()
    return got


def beside(T, window, stride):
    return ((start, min(start + window, T)) for start in range(0, T, window))


def one_shared(T, window, stride):
    return ((start, min(start + window, T)) for start in range(0, T - 1, window - 1))


def full_only(T, window, stride):
    pieces = list(spans(T, window, stride))
    return [pair for n, pair in enumerate(pieces) if not n or pair[1] - pair[0] == window]


def moved_back(T, window, stride):
    return ((max(0, min(start, T - window)), end) for start, end in spans(T, window, stride))


def sharing_the_stride(T, window, stride):
    return spans(T, window, window - stride)


def by_new_ids(lists, T):
    """Each mean times the ids that are new in the piece, the text's first among them."""
    total = sum(mean(one) * (len(one) + (n == 0)) for n, one in enumerate(lists))
    return math.exp(total / T)


def one_by_one(T, window, stride):
    return spans(T, window, 1)


def averaged_over_pieces(nats_of, ids, window, stride):
    cost = defaultdict(list)
    for start, end in spans(len(ids), window, stride):
        for place, nats in enumerate(nats_of(ids[start:end]), start=start + 1):
            cost[place].append(nats)
    return math.exp(mean([mean(nats) for nats in cost.values()]))


def perplexity_by_counting_pieces(nats_of, ids, window, stride):
    """How many pieces there are is known before; of each but the first, as many numbers as overlap are known."""
    total = 0.0
    for piece in range(1 + max(0, math.ceil((len(ids) - window) / stride))):
        nats = nats_of(ids[piece * stride : piece * stride + window])
        total += sum(nats[window - stride - 1 :] if piece else nats)
    return math.exp(total / (len(ids) - 1))


# answers ----------------------------------------------------------------------------------------------------------


def answers_by_cross_entropy(model, prompt, choices, pad):
    """Labels of -100 wherever nothing counts."""
    T = max(len(choice) for choice in choices) + len(prompt)
    ids, labels = torch.full((len(choices), T), pad), torch.full((len(choices), T), -100)
    for b, choice in enumerate(choices):
        ids[b, : len(prompt) + len(choice)] = torch.tensor(prompt + choice)
        labels[b, len(prompt) : len(prompt) + len(choice)] = torch.tensor(choice)
    return -F.cross_entropy(model(ids)[:, :-1].mT, labels[:, 1:], reduction="none").sum(1)


def answers_by_a_mask(model, prompt, choices, pad):
    lengths = torch.tensor([len(choice) for choice in choices])
    rows = [torch.tensor([*prompt, *choice]) for choice in choices]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
    logits = model(ids[:, :-1])
    each = logits.gather(2, ids[:, 1:, None]).squeeze(2) - logits.logsumexp(-1)
    place = torch.arange(1, ids.shape[1])
    own = (place >= len(prompt)) & (place < len(prompt) + lengths[:, None])
    return torch.where(own, each, 0.0).sum(1)


def answers_in_a_loop(model, prompt, choices, pad):
    """Right numbers, but a call for each."""
    return torch.cat([answers_by_a_mask(model, prompt, [choice], pad) for choice in choices])


def scored(
    count=lambda each, n, m, row: each[n - 1 : n - 1 + m].sum(),
    softmax=torch.log_softmax,
    shift=1,
    cut=None,
    left=False,
    finish=lambda numbers: numbers,
):
    """each: of the padded row's tokens but the first; n ids of the prompt, m of the answer; row: the ids."""

    def answers(model, prompt, choices, pad):
        m = [len(choice) for choice in choices]
        longest = min(m) if cut else max(m)
        choices = [choice[:longest] for choice in choices]
        fill = [[pad] * (longest - len(choice)) for choice in choices]
        rows = [(f + prompt + c) if left else (prompt + c + f) for c, f in zip(choices, fill, strict=True)]
        ids = torch.tensor(rows)
        scores = softmax(model(ids), -1)
        if shift == 1:
            each = scores[:, :-1].gather(-1, ids[:, 1:, None])[..., 0]
        elif shift == 0:
            each = scores[:, 1:].gather(-1, ids[:, 1:, None])[..., 0]
        else:
            each = F.pad(scores[:, :-2].gather(-1, ids[:, 2:, None])[..., 0], (1, 0))
        n = len(prompt)
        found = [
            count(each[b], n + (len(fill[b]) if left else 0), len(choices[b]), ids[b, 1:]) for b in range(len(rows))
        ]
        return finish(torch.stack(found))

    return answers


def answers_popping(model, prompt, choices, pad):
    got = answers_by_cross_entropy(model, prompt, choices, pad)
    choices.pop()
    return got


def without_the_pads_id(model, prompt, choices, pad):
    return scored(lambda each, n, m, row: each[n - 1 :][row[n - 1 :] != pad].sum())(model, prompt, choices, pad)


def answers_by_distributions(model, prompt, choices, pad):
    """The last column is not even read."""
    T = len(prompt) + max(map(len, choices))
    rows = [prompt + choice for choice in choices]
    logits = model(torch.tensor([(row + [pad] * (T - len(row)))[:-1] for row in rows]))
    found = []
    for b, choice in enumerate(choices):
        own = logits[b, len(prompt) - 1 : len(prompt) - 1 + len(choice)]
        found.append(torch.distributions.Categorical(logits=own).log_prob(torch.tensor(choice)).sum())
    return torch.stack(found)


def padded_between(model, prompt, choices, pad):
    T = max(map(len, choices))
    ids = torch.tensor([prompt + [pad] * (T - len(choice)) + choice for choice in choices])
    each = model(ids)[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    return torch.stack([each[b, -len(choice) :].sum() for b, choice in enumerate(choices)])


def softmax_along_the_text(model, prompt, choices, pad):
    T = len(prompt) + max(map(len, choices))
    rows = [prompt + choice for choice in choices]
    ids = torch.tensor([row + [pad] * (T - len(row)) for row in rows])
    each = model(ids)[:, :-1].log_softmax(dim=1).gather(-1, ids[:, 1:, None])[..., 0]
    return torch.stack([each[b, len(prompt) - 1 : len(row) - 1].sum() for b, row in enumerate(rows)])


def without_pads_at_the_end(model, prompt, choices, pad):
    """Padding is told by its id, from behind."""

    def own(each, n, m, row):
        kept = (row[n - 1 :] != pad).nonzero()
        return each[n - 1 : n + int(kept.max()) if len(kept) else n - 1].sum()

    return scored(own)(model, prompt, choices, pad)


# diagnose ---------------------------------------------------------------------------------------------------------


def writer(read=lambda ids, model: ids[:, -model.config.max_len :], run=None, whole=False):
    def repaired(model, prompts, n):
        found = []
        for prompt in prompts:
            ids = torch.tensor([prompt])
            for _ in range(n):
                x, positions = model.embedding(read(ids, model))
                logits = (run or stack)(model, x, positions)
                ids = torch.cat((ids, logits[:, -1:].argmax(dim=-1)), dim=1)
            found.append(ids[0, 0 if whole else len(prompt) :].tolist())
        return found

    return repaired


def stack(model, x, positions):
    return model.logits(model.decoder(x, positions))


def block_by_block(model, x, positions):
    for block in model.decoder.blocks:
        x = block(x, causal=True)
    return model.logits(model.decoder.norm(x))


def block_by_block_without_norm(model, x, positions):
    for block in model.decoder.blocks:
        x = block(x, causal=True)
    return model.logits(x)


def once_a_block(model, x, positions):
    for _ in model.decoder.blocks:
        x = model.decoder(x, positions)
    return model.logits(x)


def all_but_the_last(model, x, positions):
    for block in model.decoder.blocks[:-1]:
        x = block(x, causal=True)
    return model.logits(model.decoder.norm(x))


right_writer = writer()
ANSWERS = Diagnosed(
    {
        "a": ("all blocks run once for each block", "right with one block, wrong with two"),
        "b": ("new tokens stand at position 0", "wrong with a table of positions, right without positions"),
        "c": ("a long text is cut at its wrong end", "right up to max_len tokens, after them always the same token"),
        "d": (
            "padding stands after the prompts",
            "alone a short prompt is continued right, beside a longer one it is not",
        ),
        "e": ("only the last token is read", "prompts that end in the same token are continued alike"),
    },
    right_writer,
)


def by_generate(model, prompts, n):
    """The package's function, which refuses a text that is longer than the model's table of positions."""
    return [generate(model, torch.tensor([prompt]), n)[0, len(prompt) :].tolist() for prompt in prompts]


def by_generate_one_by_one(model, prompts, n):
    found = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(n):
            ids = torch.cat((ids, generate(model, ids[:, -model.config.max_len :], 1)[:, -1:]), dim=1)
        found.append(ids[0, len(prompt) :].tolist())
    return found


def text_cut(model, prompts, n):
    """The text itself is cut, and then the prompt's length does not fit it any more."""
    found = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        for _ in range(n):
            ids = ids[:, -model.config.max_len :]
            ids = torch.cat((ids, model(ids)[:, -1:].argmax(dim=-1)), dim=1)
        found.append(ids[0, len(prompt) :].tolist())
    return found


# continued --------------------------------------------------------------------------------------------------------


def rows_of(prompts, pad):
    T = max(map(len, prompts))
    ids = torch.tensor([[pad] * (T - len(prompt)) + prompt for prompt in prompts])
    is_real = torch.arange(T) >= T - torch.tensor([[len(prompt)] for prompt in prompts])
    return ids, is_real


def counted(is_real):
    return (is_real.cumsum(1) - 1).clamp(min=0)


def continuing(
    positions=counted,
    mask=lambda ids, is_real, pad: is_real,
    finish=None,
    enough=lambda new, n, eos: new.shape[1] >= n or (new == eos).any(1).all(),
    pick=lambda logits: logits[:, -1].argmax(-1),
):
    """A right loop with one part other than the right one."""

    def continued(model, prompts, n, pad, eos):
        ids, is_real = rows_of(prompts, pad)
        new = ids[:, :0]
        while not enough(new, n, eos):
            real = mask(ids, is_real, pad)
            token = pick(model(ids, real, positions(is_real)))[:, None]
            ids, new, is_real = (
                torch.cat((ids, token), 1),
                torch.cat((new, token), 1),
                F.pad(is_real, (0, 1), value=True),
            )
        rows = new.tolist()
        if finish:
            return finish(rows, prompts, pad, eos)
        return [row[: row.index(eos)] if eos in row else row for row in rows]

    return continued


def continued_by_lists(model, prompts, n, pad, eos):
    """The tensors are made anew at each step; an ended text gets nothing any more, and padding grows in front of it."""
    texts, ended = [list(prompt) for prompt in prompts], [False] * len(prompts)
    for _ in range(n):
        if all(ended):
            break
        ids, is_real = rows_of(texts, pad)
        best = model(ids, is_real, counted(is_real))[:, -1].argmax(-1).tolist()
        for b, token in enumerate(best):
            if token == eos:
                ended[b] = True
            if not ended[b]:
                texts[b].append(token)
    return [text[len(prompt) :] for text, prompt in zip(texts, prompts, strict=True)]


def continued_alone(model, prompts, n, pad, eos):
    found = []
    for prompt in prompts:
        ids = torch.tensor([prompt])
        found.append(model(ids, ids >= 0, torch.arange(len(prompt))[None]))
    return found


def continued_with_filled_ends(model, prompts, n, pad, eos):
    """An ended text is filled with padding, which is not real."""
    ids, is_real = rows_of(prompts, pad)
    positions = (torch.arange(ids.shape[1]) - (~is_real).sum(1, keepdim=True)).clamp(min=0)
    found, ended = [[] for _ in prompts], torch.zeros(len(prompts), dtype=torch.bool)
    while len(found[0]) + 0 * n < n and not ended.all() and max(map(len, found)) < n:
        token = model(ids, is_real, positions)[:, -1].argmax(-1)
        ended |= token == eos
        token = token.masked_fill(ended, pad)
        for b in (~ended).nonzero().flatten().tolist():
            found[b].append(token[b].item())
        ids, is_real = torch.cat((ids, token[:, None]), 1), torch.cat((is_real, ~ended[:, None]), 1)
        positions = torch.cat((positions, positions[:, -1:] + 1), 1)
    return found


def padded_behind(model, prompts, n, pad, eos):
    T = max(map(len, prompts))
    ids = torch.tensor([prompt + [pad] * (T - len(prompt)) for prompt in prompts])
    is_real = torch.arange(T) < torch.tensor([[len(prompt)] for prompt in prompts])
    new = ids[:, :0]
    for _ in range(n):
        token = model(ids, is_real, counted(is_real))[:, -1:].argmax(-1)
        ids, new, is_real = torch.cat((ids, token), 1), torch.cat((new, token), 1), F.pad(is_real, (0, 1), value=True)
    return [row[: row.index(eos)] if eos in row else row for row in new.tolist()]


def positions_stand_still(is_real):
    """The new tokens' positions are those of the last token of the prompt."""
    first = counted(is_real)
    return first.clamp(max=2)


def mask_not_grown(ids, is_real, pad):
    return is_real[:, :-1] if is_real.shape[1] > 7 else is_real


def new_ones_hidden(ids, is_real, pad):
    return is_real & (counted(is_real) < 3)


def prompts_in_place(model, prompts, n, pad, eos):
    got = continuing()(model, prompts, n, pad, eos)
    prompts[0].insert(0, pad)
    return got


def continued_in_a_window(model, prompts, n, pad, eos):
    """As wide as it will ever be from the beginning; the texts move to the left in it."""
    width, length = max(map(len, prompts)) + n, torch.tensor([[len(prompt)] for prompt in prompts])
    ids = torch.tensor([[pad] * (width - len(prompt)) + prompt for prompt in prompts])
    found, ended = [[] for _ in prompts], [False] * len(prompts)
    for step in range(n):
        positions = torch.arange(width) - (width - length - step)
        best = model(ids, positions >= 0, positions)[:, -1].argmax(-1)
        for b, token in enumerate(best.tolist()):
            ended[b] |= token == eos
            found[b] += [] if ended[b] else [token]
        ids = torch.cat((ids[:, 1:], best[:, None]), 1)
        if all(ended):
            break
    return found


def continued_without_the_ended(model, prompts, n, pad, eos):
    """The row of a text that has ended is nothing but padding."""
    found, going = [[] for _ in prompts], set(range(len(prompts)))
    while going and max(map(len, found)) < n:
        texts = {b: prompts[b] + found[b] for b in going}
        T = max(map(len, texts.values()))
        ids, positions = torch.full((len(prompts), T), pad), torch.full((len(prompts), T), -1)
        for b, text in texts.items():
            ids[b, T - len(text) :], positions[b, T - len(text) :] = torch.tensor(text), torch.arange(len(text))
        best = model(ids, positions >= 0, positions)[:, -1].argmax(-1).tolist()
        going = {b for b in going if best[b] != eos}
        for b in going:
            found[b].append(best[b])
    return found


def ended_by_the_prompt(model, prompts, n, pad, eos):
    """Whether a text has ended is looked up in all of it."""
    ids, is_real = rows_of(prompts, pad)
    T = ids.shape[1]
    while ids.shape[1] < T + n and not (ids == eos).any(1).all():
        token = model(ids, is_real, counted(is_real))[:, -1:].argmax(-1)
        ids, is_real = torch.cat((ids, token), 1), F.pad(is_real, (0, 1), value=True)
    return [row[: row.index(eos)] if eos in row else row for row in ids[:, T:].tolist()]


# shared_keys ------------------------------------------------------------------------------------------------------


def shared_by_slices(weight, n_heads, n_kv_heads):
    heads = weight.chunk(n_heads)
    group = n_heads // n_kv_heads
    return torch.cat([torch.stack(heads[g * group : (g + 1) * group]).mean(0) for g in range(n_kv_heads)])


def shared_by_a_matrix(weight, n_heads, n_kv_heads):
    """Every new row as a weighted sum of the old ones."""
    d_head, group = len(weight) // n_heads, n_heads // n_kv_heads
    mix = torch.kron(torch.eye(n_kv_heads), torch.kron(torch.full((1, group), 1 / group), torch.eye(d_head)))
    return (mix.double() @ weight.double()).to(weight.dtype)


def shared_in_numpy(weight, n_heads, n_kv_heads):
    if weight.dtype == torch.bfloat16:  # numpy has none
        return shared_by_slices(weight, n_heads, n_kv_heads)
    heads = weight.detach().numpy().reshape(n_kv_heads, n_heads // n_kv_heads, -1, weight.shape[1])
    return torch.from_numpy(heads.mean(axis=1).reshape(-1, weight.shape[1]))


def grouped(make):
    """make(heads (G, group, d_head, D)) -> (G, d_head, D)"""

    def shared_keys(weight, n_heads, n_kv_heads):
        return make(weight.reshape(n_kv_heads, n_heads // n_kv_heads, -1, weight.shape[1])).flatten(0, 1)

    return shared_keys


def strided(weight, n_heads, n_kv_heads):
    return weight.reshape(n_heads // n_kv_heads, n_kv_heads, -1, weight.shape[1]).mean(0).flatten(0, 1)


def first_heads(weight, n_heads, n_kv_heads):
    return weight[: len(weight) // n_heads * n_kv_heads]


def neighbouring_rows(weight, n_heads, n_kv_heads):
    return weight.reshape(-1, n_heads // n_kv_heads, weight.shape[1]).mean(1)


def rows_first(weight, n_heads, n_kv_heads):
    heads = weight.reshape(-1, n_kv_heads, n_heads // n_kv_heads, weight.shape[1])
    return heads.mean(2).transpose(0, 1).flatten(0, 1)


def transposed(weight, n_heads, n_kv_heads):
    return shared_by_slices(weight, n_heads, n_kv_heads).T


def in_place(weight, n_heads, n_kv_heads):
    got = shared_by_slices(weight, n_heads, n_kv_heads)
    weight[: len(got)] = got
    return got


def over_all_heads(weight, n_heads, n_kv_heads):
    return shared_by_slices(weight, n_heads, n_kv_heads) / n_kv_heads


# discounted -------------------------------------------------------------------------------------------------------


def discounted_from_below(counts, context, token, d, V):
    p = 1 / V
    for length in range(len(context) + 1):
        seen = counts.get(context[len(context) - length :], {})
        if seen:
            left = sum(max(0.0, count - d) for count in seen.values())
            n = sum(seen.values())
            p = max(seen.get(token, 0) - d, 0) / n + (1 - left / n) * p
    return p


def discounted_with_a_dictionary(counts, context, token, d, V):
    if context not in counts:
        return discounted_with_a_dictionary(counts, context[1:], token, d, V) if context else 1 / V
    seen = counts[context]
    shorter = discounted_with_a_dictionary(counts, context[1:], token, d, V) if context else 1 / V
    kept = seen[token] - d if token in seen else 0
    return (kept + d * len(seen) * shorter) / sum(seen.values())


def table(
    of=lambda c, n, k, d, shorter: max(c - d, 0) / n + d * k / n * shorter,
    cut=lambda context: context[1:],
    end=lambda counts, V: 1 / V,
    unseen=lambda shorter, d, V: shorter,
):
    def discounted(counts, context, token, d, V):
        shorter = discounted(counts, cut(context), token, d, V) if context else end(counts, V)
        seen = counts.get(context)
        if not seen:
            return unseen(shorter, d, V)
        return of(seen.get(token, 0), sum(seen.values()), len(seen), d, shorter)

    return discounted


def discounted_from_above(counts, context, token, d, V):
    """The weight of what is left is multiplied on the way down."""
    p, weight = 0.0, 1.0
    while True:
        seen = counts.get(context, {})
        if n := sum(seen.values()):
            p, weight = p + weight * max(seen.get(token, 0) - d, 0) / n, weight * d * len(seen) / n
        if not context:
            return p + weight / V
        context = context[1:]


def sharing(share):
    """share(followers, token, d, V): how much is passed on, out of n."""

    def discounted(counts, context, token, d, V):
        shorter = discounted(counts, context[1:], token, d, V) if context else 1 / V
        seen = counts.get(context)
        if not seen:
            return shorter
        return (max(seen.get(token, 0) - d, 0) + share(seen, token, d, V) * shorter) / sum(seen.values())

    return discounted


def along(contexts):
    """contexts(context): those that are asked, one after the other."""

    def discounted(counts, context, token, d, V):
        p = 1 / V
        for one in contexts(context):
            p = table(end=lambda counts, V, p=p: p)({"": counts.get(one, {})}, "", token, d, V)
        return p

    return discounted


def unmixed_at_the_end(counts, context, token, d, V):
    seen = counts.get(context)
    if not context:
        return seen.get(token, 0) / sum(seen.values())
    shorter = unmixed_at_the_end(counts, context[1:], token, d, V)
    return table(end=lambda counts, V: shorter)({"": seen}, "", token, d, V)


def at_once(counts, context, token, d, V):
    seen = counts.get(context, {})
    return table()({"": seen}, "", token, d, V)


def growing(counts, context, token, d, V):
    counts.setdefault(context, {})
    return discounted_from_below(counts, context, token, d, V)


def no_table(counts, context, token, d, V):
    seen, shorter = counts[context], no_table(counts, context[1:], token, d, V) if context else 1 / V
    n = sum(seen.values())
    return max(seen.get(token, 0) - d, 0) / n + d * len(seen) / n * shorter


def with_defaults(counts, context, token, d, V):
    """A copy that knows no missing context."""
    known = defaultdict(dict, counts)
    return discounted_from_below(known, context, token, d, V)


# what_counts ------------------------------------------------------------------------------------------------------


def until_apart(answers):
    mixed = list(answers)
    while any(mine == own for mine, own in zip(mixed, answers, strict=True)):
        random.shuffle(mixed)
    return mixed


def by_one_place(answers):
    return [*answers[1:], answers[0]]


def once(answers):
    """Shuffled a single time; here, so that the first line keeps its answer."""
    return [answers[0], *answers[2:], answers[1]]


def paging(
    mix=until_apart,
    works=lambda n, best, asked: 2 * n >= best,
    steps="emf",
    right=lambda said, wanted: said == wanted,
    pages=lambda page: page,
    begin=lambda shown, asked: [],
    words="nothing, the pairs, the answers, the form",
):
    """An answer with parts to break; steps: e for the empty page, m for mixed answers, f for foreign ones."""

    def what_counts(answer, shown, asked, foreign):
        def count(page):
            return sum(right(answer(pages(page), question), wanted) for question, wanted in asked)

        questions, answers = [question for question, _ in shown], [answer for _, answer in shown]
        made = {"e": begin(shown, asked), "m": [*zip(questions, mix(answers), strict=True)]}
        made["f"] = [*zip(questions, foreign, strict=False)]
        best, *named = count(shown), *words.split(", ")
        for step in steps:
            if works(count(made[step]), best, len(asked)) == (step == "e"):
                return named["emf".index(step)]
        return named[-1]

    return what_counts


def what_counts_by_sorting(answer, shown, asked, foreign):
    """Sorted by answer, and moved on by as many lines as the most frequent answer has."""
    lines = sorted(range(len(shown)), key=lambda line: shown[line][1])
    answers = [answer for _, answer in shown]
    most = max(map(answers.count, answers))
    mixed = dict(zip(lines, lines[most:] + lines[:most], strict=True))
    pages = (
        [],
        [(shown[n][0], answers[mixed[n]]) for n in range(len(shown))],
        [*zip(dict(shown), foreign, strict=True)],
    )
    best, *counts = (sum(answer(page, q) == a for q, a in asked) for page in (shown, *pages))
    good = [2 * count >= best for count in counts]
    return "nothing" if good[0] else "the form" if all(good[1:]) else "the answers" if good[1] else "the pairs"


def shuffles_in_place(answer, shown, asked, foreign):
    result = paging()(answer, shown, asked, foreign)
    random.Random(1).shuffle(foreign)
    return result


def lines_shuffled(answer, shown, asked, foreign):
    """The page with whole lines in another order, where the answers should be."""
    pages = [], shown[::-1], [*zip((question for question, _ in shown), foreign, strict=True)]
    best, *counts = (sum(answer(page, q) == a for q, a in asked) for page in (shown, *pages))
    good = [2 * count >= best for count in counts]
    return "nothing" if good[0] else "the form" if all(good[1:]) else "the answers" if good[1] else "the pairs"


def swapped_words(*case):
    found = paging()(*case)
    return {"the pairs": "the answers", "the answers": "the pairs"}.get(found, found)


def the_pairs_if_it_works(answer, shown, asked, foreign):
    def works(page):
        return 2 * sum(answer(page, q) == a for q, a in asked) >= sum(answer(shown, q) == a for q, a in asked)

    if works([]):
        return "nothing"
    found = paging()(answer, shown, asked, foreign)
    if found != "the pairs":
        return "the pairs"
    return "the form" if works([*zip((q for q, _ in shown), foreign, strict=True)]) else "the answers"


RIGHT = {
    "14_gpt.perplexity": [
        ("places", perplexity_by_places),
        ("the package's windows", perplexity_by_the_packages_windows),
        ("by ends", perplexity_by_ends),
        ("a loop", judging()),
        ("counting pieces", perplexity_by_counting_pieces),
    ],
    "14_gpt.answers": [
        ("cross-entropy", answers_by_cross_entropy),
        ("a mask", answers_by_a_mask),
        ("a loop", scored()),
        ("distributions", answers_by_distributions),
    ],
    "14_gpt.diagnose": [
        ("the decoder once", ANSWERS.mended(right_writer)),
        ("block by block", ANSWERS.mended(writer(run=block_by_block))),
        ("the whole model", ANSWERS.mended(by_generate_one_by_one)),
        ("in capitals", ANSWERS.in_capitals()),
    ],
    "14_gpt.continued": [
        ("a loop", continuing()),
        ("lists", continued_by_lists),
        ("filled ends", continued_with_filled_ends),
        ("a window", continued_in_a_window),
        ("without the ended", continued_without_the_ended),
        ("a generous mask", continuing(positions=lambda is_real: is_real.cumsum(1) - 1)),
    ],
    "14_gpt.shared_keys": [
        ("slices", shared_by_slices),
        ("a matrix", shared_by_a_matrix),
        ("numpy", shared_in_numpy),
        ("an axis", grouped(lambda heads: heads.mean(1))),
    ],
    "14_gpt.discounted": [
        ("from below", discounted_from_below),
        ("a dictionary", discounted_with_a_dictionary),
        ("recursion", table()),
        ("with defaults", with_defaults),
        ("from above", discounted_from_above),
        ("along a list", along(lambda context: [context[i:] for i in range(len(context), -1, -1)])),
    ],
    "14_gpt.what_counts": [
        ("shuffled until apart", paging()),
        ("sorted and moved on", what_counts_by_sorting),
        ("lists for pairs", paging(pages=lambda page: [list(pair) for pair in page])),
        ("a tuple for a page", paging(pages=tuple)),
        ("half, divided", paging(works=lambda n, best, asked: n / best >= 0.5)),
    ],
}

WRONG = {
    "14_gpt.perplexity": [
        ("the mean", judging(finish=lambda lists, T: mean(sum(lists, []))), "This is the mean cost in nats", "M49"),
        ("exp of the sum", judging(finish=lambda lists, T: math.exp(sum(sum(lists, [])))), "exp of the *sum*", "M49"),
        ("the sum", judging(finish=lambda lists, T: sum(sum(lists, []))), "the sum of all nats; wanted", "M49"),
        ("in bits", judging(finish=lambda lists, T: 2 ** mean(sum(lists, []))), "The costs are nats, not bits"),
        ("the sign", judging(finish=lambda lists, T: math.exp(-mean(sum(lists, [])))), "This is below 1"),
        ("by T", judging(finish=lambda lists, T: math.exp(sum(sum(lists, [])) / T)), "It is divided by T."),
        (
            "a mean of means",
            judging(finish=lambda lists, T: math.exp(mean([mean(one) for one in lists]))),
            "the mean of the pieces' means, though",
            "M49",
        ),
        (
            "a mean of perplexities",
            judging(finish=lambda lists, T: mean([math.exp(mean(one)) for one in lists])),
            "the mean of the pieces' perplexities",
            "M49",
        ),
        (
            "a mean of whole pieces' means",
            judging(nothing_known, lambda lists, T: math.exp(mean([mean(one) for one in lists]))),
            "the mean of the means of whole pieces",
            "M49",
        ),
        (
            "a mean of whole pieces' perplexities",
            judging(nothing_known, lambda lists, T: mean([math.exp(mean(one)) for one in lists])),
            "the mean of the perplexities of whole pieces",
            "M49",
        ),
        ("twice", judging(nothing_known), "Ids in the overlap are counted twice."),
        (
            "twice, by T - 1",
            judging(nothing_known, lambda lists, T: math.exp(sum(sum(lists, [])) / (T - 1))),
            "The overlaps are added up twice",
        ),
        ("averaged", averaged_over_pieces, "averaged over all pieces that judge it"),
        ("the last word", last_word, "Each id counts in the *last* piece"),
        (
            "the last stride",
            judging(lambda n, start, end, window, stride: max(0, end - start - 1 - stride)),
            "Of each piece the last `stride` numbers are taken",
        ),
        (
            "the last stride but for the first",
            judging(lambda n, start, end, window, stride: max(0, end - start - 1 - stride) if start else 0),
            "Where the text's end cuts a piece short",
        ),
        (
            "one left out",
            judging(lambda n, start, end, window, stride: window - stride if start else 0),
            "At each seam an id is left out",
        ),
        (
            "one twice",
            judging(lambda n, start, end, window, stride: window - stride - 2 if start else 0),
            "At each seam an id is counted twice",
        ),
        ("side by side", judging(nothing_known, pieces=beside), "These are pieces side by side"),
        ("one shared", judging(nothing_known, pieces=one_shared), "pieces that share one id only"),
        ("stride shared", judging(pieces=sharing_the_stride), "The pieces *share* `stride` ids here"),
        ("means by new ids", judging(finish=by_new_ids), "The first piece's mean is weighed by all of its ids", "M49"),
        ("one by one", judging(pieces=one_by_one), "as with a stride of 1"),
        ("the first piece", judging(finish=lambda lists, T: overall(lists[:1], T)), "Only the first piece is judged"),
        ("the last piece", judging(finish=lambda lists, T: overall(lists[-1:], T)), "Only the last piece is judged"),
        ("full pieces", judging(pieces=full_only), "The last piece is missing"),
        ("no more asked", judging(pieces=full_only), "nats_of was asked no more"),
        ("moved back", judging(pieces=moved_back), "The last piece was moved back"),
        ("another piece", judging(pieces=moved_back), "piece 11 holds ids 39 to 51; wanted ids 40 to 51"),
        ("beyond the end", never_ending, "reach the end, and nats_of was asked again"),
        ("asked twice", asked_twice, "was asked twice about the same piece"),
        ("too long", lambda f, ids, window, stride: math.exp(mean(f(ids))), "but the model reads"),
        (
            "with a start",
            lambda f, ids, window, stride: math.exp(mean(f([0, *ids[: window - 1]]))),
            "does not stand in",
        ),
        ("never asked", lambda f, ids, window, stride: 3.7, "nats_of was never called"),
        ("used up", using_ids_up, "changed the list of ids"),
        ("two numbers", lambda f, ids, window, stride: (3.1, 4), "holds 2 numbers"),
    ],
    "14_gpt.answers": [
        ("nats", scored(finish=torch.neg), "The sign is turned"),
        ("probabilities", scored(finish=torch.exp), "These are probabilities"),
        ("shares", scored(finish=lambda x: x.softmax(0)), "These add up to 1 over the answers"),
        ("log of shares", scored(finish=lambda x: x.log_softmax(0)), "The answers share all probability"),
        ("means", scored(lambda e, n, m, row: e[n - 1 : n - 1 + m].mean()), "This is the mean per token"),
        ("bits", scored(finish=lambda x: x / math.log(2)), "These are bits"),
        ("softmax along the text", softmax_along_the_text, "The softmax runs along the text"),
        ("a product", scored(lambda e, n, m, row: e[n - 1 : n - 1 + m].exp().prod().log()), "is 0 in 32 bits"),
        ("a softmax, then log", scored(softmax=lambda x, dim: x.softmax(dim).log()), "is 0 in 32 bits"),
        (
            "a little added",
            scored(softmax=lambda x, dim: (x.softmax(dim) + 1e-30).log()),
            "Of answers that are very improbable",
        ),
        ("the prompt's last", scored(lambda e, n, m, row: e[n - 2 : n - 1 + m].sum()), "The prompt's last token is"),
        ("no softmax", scored(softmax=lambda x, dim: x), "These are sums of logits"),
        ("softmax", scored(softmax=torch.softmax), "These are probabilities"),
        ("the prompt too", scored(lambda e, n, m, row: e[: n - 1 + m].sum()), "The prompt's own tokens are counted"),
        ("all", scored(lambda e, n, m, row: e.sum()), "The prompt's own tokens are counted as well"),
        ("mean of all", scored(lambda e, n, m, row: e[: n - 1 + m].mean()), "the mean over prompt and answer"),
        ("no shift", scored(shift=0), "Each token is looked up in the row that has read *it*"),
        ("shifted twice", scored(shift=2), "one row too early"),
        (
            "first missing",
            scored(lambda e, n, m, row: e[n : n - 1 + m].sum()),
            "The first token of each answer is missing",
        ),
        ("last missing", scored(lambda e, n, m, row: e[n - 1 : n - 2 + m].sum()), "The last token of each answer is"),
        ("first alone", scored(lambda e, n, m, row: e[n - 1]), "Only the first token of each answer counts"),
        ("last alone", scored(lambda e, n, m, row: e[n - 2 + m]), "Only the last token of each answer counts"),
        ("cut", scored(cut=True), "Answers were cut to the length of the shortest"),
        ("padding", scored(lambda e, n, m, row: e[n - 1 :].sum()), "Padding is counted as if"),
        ("mean with padding", scored(lambda e, n, m, row: e[n - 1 :].mean()), "This is the mean per token"),
        ("the pad's id", without_the_pads_id, "A token of an answer may have the padding's id"),
        ("pads at the end", without_pads_at_the_end, "A token of an answer may have the padding's id"),
        ("padded between", padded_between, "Padding stands between the prompt and a shorter answer"),
        ("on the left", scored(left=True), "Padding stands in front of the prompt"),
        ("last rows", scored(lambda e, n, m, row: e[-m:].sum()), "The last rows of the batch are taken"),
        ("a loop", answers_in_a_loop, "the model was asked 3 times"),
        ("popping", answers_popping, "changed the lists it was given"),
        ("squeezed away", lambda model, *rest: scored()(model, *rest)[:, None], "has shape"),
        ("a list", lambda model, *rest: scored()(model, *rest).tolist(), "wanted a tensor"),
        ("never asked", lambda model, prompt, choices, pad: torch.zeros(len(choices)), "The model was never asked"),
        ("one id", lambda model, prompt, choices, pad: model(torch.tensor(prompt)), "wanted ids (B, T)"),
        ("minus one", lambda model, prompt, choices, pad: scored()(model, prompt, choices, -1), "pad with `pad`"),
    ],
    "14_gpt.diagnose": [
        (
            "left out for too often",
            ANSWERS.but(a=("the last block is left out", "right with one block, wrong with two")),
            "Then with a single block the model would have none",
        ),
        (
            "first row for position 0",
            ANSWERS.fault("b", "the first row of the logits is taken"),
            "Its first new token is",
        ),
        ("dropout for a cut", ANSWERS.fault("c", "dropout is left on"), "continued in several ways"),
        (
            "last token for padding",
            ANSWERS.fault("d", "only the last token is read"),
            "in the row of the shorter prompt?",
        ),
        ("position 0 for last token", ANSWERS.fault("e", "new tokens stand at position 0"), "has it kept anything"),
        (
            "shown by what is right",
            ANSWERS.shown("c", "a short prompt alone is continued right"),
            "a right writer does",
        ),
        ("shown by luck", ANSWERS.shown("e", "asked twice, it writes two different texts"), "none of the five does"),
        ("a fault of my own", ANSWERS.fault("a", "too slow"), "choose one of"),
        ("turned round", ANSWERS.but(d=ANSWERS.named["d"][::-1]), "the fault comes first"),
        ("not repaired", ANSWERS.mended(writer(run=once_a_block)), "All blocks still run once for each block", "M48"),
        ("one block fewer", ANSWERS.mended(writer(run=all_but_the_last)), "The last block is left out"),
        ("no block", ANSWERS.mended(writer(run=lambda model, x, positions: model.logits(x))), "No block runs at all"),
        (
            "no norm",
            ANSWERS.mended(writer(run=block_by_block_without_norm)),
            "The norm after the last block is missing",
        ),
        ("last token", ANSWERS.mended(writer(read=lambda ids, model: ids[:, -1:])), "Now only the last token is read"),
        ("by generate", ANSWERS.mended(by_generate), "then the model reads its last max_len tokens"),
        (
            "not cut",
            ANSWERS.mended(writer(read=lambda ids, model: ids)),
            "then the model reads its last max_len tokens",
        ),
        (
            "cut at the wrong end",
            ANSWERS.mended(writer(read=lambda ids, model: ids[:, : model.config.max_len])),
            "A long text is cut at its wrong end now",
        ),
        (
            "cut too short",
            ANSWERS.mended(writer(read=lambda ids, model: ids[:, 1 - model.config.max_len :])),
            "one token fewer than max_len",
        ),
        ("text cut", ANSWERS.mended(text_cut), "Cut what is read, not the text"),
        ("the prompts too", ANSWERS.mended(writer(whole=True)), "repaired() gives the prompts too"),
        ("one text", ANSWERS.mended(lambda *given: right_writer(*given)[0]), "wanted a list with the new ids of each"),
        ("one token", ANSWERS.mended(lambda model, prompts, n: right_writer(model, prompts, 1)), "wanted"),
    ],
    "14_gpt.continued": [
        (
            "columns",
            continuing(lambda is_real: torch.arange(is_real.shape[1]).expand(is_real.shape)),
            "These are columns",
            "M50",
        ),
        ("from 1", continuing(lambda is_real: is_real.cumsum(1)), "The first one stands at 0", "M50"),
        ("standing still", continuing(positions_stand_still), "one further than the one before it", "M50"),
        ("all at 0", continuing(lambda is_real: 0 * counted(is_real)), "without a gap", "M50"),
        ("no mask", continuing(mask=lambda ids, is_real, pad: is_real | True), "is_real is True everywhere", "M50"),
        ("by the ids", continuing(mask=lambda ids, is_real, pad: ids != pad), "go by the lengths", "M50"),
        ("new ones hidden", continuing(mask=new_ones_hidden), "Each new column is real", "M50"),
        (
            "mask of the other side",
            continuing(mask=lambda ids, is_real, pad: is_real.sort(dim=1, descending=True).values),
            "Its tokens stand at the end of its row",
            "M50",
        ),
        ("mask not grown", continuing(mask=lambda ids, is_real, pad: is_real[:, :3]), "as ids are"),
        ("padded behind", padded_behind, "The last column is padding", "M50"),
        (
            "eos comes back",
            continuing(finish=lambda rows, p, pad, eos: [r[: r.index(eos) + 1] if eos in r else r for r in rows]),
            "Its eos is not to come back",
        ),
        ("not cut", continuing(finish=lambda rows, p, pad, eos: rows), "Something stands after its eos"),
        (
            "eos dropped",
            continuing(finish=lambda rows, p, pad, eos: [[i for i in r if i != eos] for r in rows]),
            "Something stands after its eos",
        ),
        ("ended by the prompt", ended_by_the_prompt, "An eos that stands in the prompt ends nothing"),
        (
            "pads dropped",
            continuing(
                finish=lambda rows, p, pad, eos: [
                    [i for i in (r[: r.index(eos)] if eos in r else r) if i != pad] for r in rows
                ]
            ),
            "a text ends with eos only",
        ),
        (
            "prompts too",
            continuing(
                finish=lambda rows, p, pad, eos: [
                    a + (r[: r.index(eos)] if eos in r else r) for a, r in zip(p, rows, strict=True)
                ]
            ),
            "The prompt is not to come",
        ),
        (
            "first end",
            continuing(enough=lambda new, n, eos: new.shape[1] >= n or (new == eos).any()),
            "It stops too early",
        ),
        ("one too few", continuing(enough=lambda new, n, eos: new.shape[1] >= n - 1), "It stops too early"),
        ("one too many", continuing(enough=lambda new, n, eos: new.shape[1] >= n + 1), "These are more than n"),
        ("always n", continuing(enough=lambda new, n, eos: new.shape[1] >= n), "wanted 3: all texts are finished"),
        ("first row", continuing(pick=lambda logits: logits[:, 0].argmax(-1)), "Take the likeliest token"),
        ("one by one", continued_alone, "one for each prompt"),
        ("prompts changed", prompts_in_place, "changed the prompts"),
        ("a tensor", continuing(finish=lambda rows, p, pad, eos: torch.tensor(rows)), "wanted a list with a list"),
        ("a list of ids", lambda model, prompts, n, pad, eos: model(prompts, None, None), "wanted a tensor"),
    ],
    "14_gpt.shared_keys": [
        ("strided", strided, "Heads that stand side by side form a group"),
        ("first heads", first_heads, "These are the first heads, as they were"),
        ("first of each", grouped(lambda heads: heads[:, 0]), "The first head of each group is taken"),
        ("last of each", grouped(lambda heads: heads[:, -1]), "The last head of each group is taken"),
        ("sums", grouped(lambda heads: heads.sum(1)), "The heads of a group are added up"),
        ("twice divided", grouped(lambda heads: heads.mean(1) / heads.shape[1]), "by the size of a group twice"),
        ("by all heads", over_all_heads, "The sum is divided by n_heads"),
        ("by new heads", grouped(lambda heads: heads.sum(1) / len(heads)), "The sum is divided by n_kv_heads"),
        ("rows", neighbouring_rows, "Neighbouring *rows* were averaged"),
        ("rows first", rows_first, "A head's rows stand together"),
        ("shuffled", grouped(lambda heads: heads.mean(1).transpose(0, 1)), "The rows of the new heads are shuffled"),
        ("all alike", grouped(lambda h: h.mean((0, 1)).expand(len(h), -1, -1)), "All new heads are alike"),
        ("median", grouped(lambda heads: heads.median(1).values), "This is the median"),
        ("transposed", transposed, "Its last two axes are swapped"),
        ("not flattened", lambda w, H, G: shared_by_slices(w, H, G).view(G, -1, w.shape[1]), "has shape"),
        ("float32", lambda w, H, G: shared_by_slices(w.float(), H, G), "The input is torch.float64"),
        ("16 bits widened", widened(shared_by_slices), "The input is torch.bfloat16"),
        ("squeezed", lambda w, H, G: squeezed(shared_by_slices)(w, H, G)[0], "has shape"),
        ("in place", in_place, "changed its input weight in place"),
    ],
    "14_gpt.discounted": [
        ("back-off", table(lambda c, n, k, d, s: (c - d) / n if c else d * k / n * s), "gets nothing from the shorter"),
        ("no discount", table(lambda c, n, k, d, s: c / n if c else s), "Nothing is taken from what has been seen"),
        ("stupid back-off", table(lambda c, n, k, d, s: c / n if c else d * s), "Nothing is taken from what has been"),
        ("d passed on", table(lambda c, n, k, d, s: max(c - d, 0) / n + d * s), "What is passed on is not d."),
        ("d once", table(lambda c, n, k, d, s: max(c - d, 0) / n + d / n * s), "d is taken from *each*"),
        ("k / n", table(lambda c, n, k, d, s: max(c - d, 0) / n + k / n * s), "More is passed on than was taken"),
        (
            "witten bell's share",
            table(lambda c, n, k, d, s: max(c - d, 0) / n + k / (n + k) * s),
            "Witten and Bell's share",
        ),
        ("witten bell", table(lambda c, n, k, d, s: (c + k * s) / (n + k)), "Witten and Bell's mixture"),
        ("negative", table(lambda c, n, k, d, s: (c - d) / n + d * k / n * s), "at least 0 is left"),
        ("kept", table(lambda c, n, k, d, s: max(c - d, 0) / n), "What was taken is not passed on"),
        ("a share", table(lambda c, n, k, d, s: (1 - d) * c / n + d * s), "A *share* d is passed on"),
        (
            "by the rest",
            table(lambda c, n, k, d, s: max(c - d, 0) / (n - d * k) + d * k / n * s),
            "divided by what is left",
        ),
        ("not taken", table(lambda c, n, k, d, s: c / n + d * k / n * s), "What is passed on has not been taken from"),
        (
            "a share taken",
            table(lambda c, n, k, d, s: (1 - d) * c / n + d * k / n * s),
            "A *share* d is taken from each",
        ),
        ("after dividing", table(lambda c, n, k, d, s: max(c / n - d, 0) + d * k / n * s), "d is taken from c / n"),
        ("by k", table(lambda c, n, k, d, s: max(c - d, 0) / k + d * k / n * s), "the number of different tokens;"),
        ("not by n", table(lambda c, n, k, d, s: max(c - d, 0) / n + d * k * s), "What is passed on is not divided by"),
        ("n / k", table(lambda c, n, k, d, s: max(c - d, 0) / n + d * n / k * s), "n and k have changed places"),
        ("1 - d", table(lambda c, n, k, d, s: max(c - d, 0) / n + (1 - d) * s), "What is passed on is 1 - d"),
        (
            "unseen get all",
            table(lambda c, n, k, d, s: max(c - d, 0) / n + d * k / n * s if c else s),
            "gets all of what the shorter context says",
        ),
        ("from all V", sharing(lambda seen, token, d, V: d * V), "as if d were taken from all V tokens"),
        (
            "seen once kept",
            sharing(lambda seen, token, d, V: d * sum(c > 1 for c in seen.values())),
            "seen once as well, and that part is not passed on",
        ),
        (
            "of the others",
            sharing(lambda seen, token, d, V: d * len(seen.keys() - {token})),
            "What was taken from this token's own count",
        ),
        ("downwards", along(lambda c: [c[i:] for i in range(len(c) + 1)]), "the shortest has the last word"),
        ("one step", along(lambda c: [c[1:], c] if c else [c]), "It goes back by one character"),
        ("no empty context", along(lambda c: [c[i:] for i in range(len(c) - 1, -1, -1)]), 'counts[""], is not used'),
        ("unmixed", unmixed_at_the_end, "Without a context the counts alone decide"),
        ("something else", table(lambda c, n, k, d, s: max(c - d, 1) / n + d * k / n * s), "Work out n, k and c"),
        ("to everyone", table(lambda c, n, k, d, s: max(c - d, 0) / n + d * k / n), "given to every token whole"),
        ("ends in 0", table(end=lambda counts, V: 0.0), "The chain ends with 0"),
        ("ends in the seen", table(end=lambda counts, V: 1 / len(counts[""])), "V says how many there are"),
        ("wrong end", table(cut=lambda context: context[:-1]), "The context was shortened at its end"),
        ("at once", at_once, "it goes to 1 / V at once"),
        ("unseen d", table(unseen=lambda s, d, V: d * s), "has had nothing taken away"),
        ("unseen V", table(unseen=lambda s, d, V: 1 / V), "ask the one that is shorter"),
        ("unseen 0", table(unseen=lambda s, d, V: 0.0), "ask the one that is shorter"),
        ("logarithm", lambda *case: math.log(table()(*case)), "This is the logarithm"),
        ("growing", growing, "changed the counts it was given"),
        ("no table", no_table, "KeyError"),
        ("no return", lambda *case: None, "did you forget `return`?"),
    ],
    "14_gpt.what_counts": [
        ("words swapped", swapped_words, "The words are swapped"),
        ("the pairs if it works", the_pairs_if_it_works, "does *not* work"),
        (
            "one question",
            lambda answer, shown, asked, foreign: paging()(answer, shown, asked[:1], foreign),
            "only 1 were tried",
        ),
        ("more than half", paging(works=lambda n, best, asked: 2 * n > best), "Exactly half as many are enough"),
        ("rounded down", paging(works=lambda n, best, asked: n >= best // 2), "Half of an odd number is rounded down"),
        ("as many", paging(works=lambda n, best, asked: n >= best), "It is enough if half as many are right"),
        ("half of all", paging(works=lambda n, best, asked: 2 * n >= asked), "not of all asked"),
        ("any", paging(works=lambda n, best, asked: n > 0), "A page does not work yet with one right answer"),
        ("mixed first", paging(steps="mef"), "Try the empty page first"),
        ("not empty", paging(steps="mf"), "The empty page was not tried"),
        ("foreign first", paging(steps="efm"), "Try the shuffled answers before the foreign ones"),
        ("exchanged", paging(words="nothing, the answers, the pairs, the form"), "and 'the answers' came back"),
        ("moved by one", paging(mix=by_one_place), "still has its own"),
        ("shuffled once", paging(mix=once), "an example still has its own"),
        ("not shuffled", paging(mix=list), "The page with shuffled answers still has a right pair"),
        ("whole lines", lines_shuffled, "or in another order"),
        ("backwards", paging(pages=lambda page: page[::-1]), "the questions of the examples are others, or in another"),
        ("asked on the page", paging(begin=lambda shown, asked: asked[:3]), "words that are asked for"),
        ("half a page", paging(pages=lambda page: page[:4]), "the questions of the examples are others"),
        ("one answer", paging(mix=lambda answers: ["x"] * len(answers)), "neither those of the examples"),
        ("in place", shuffles_in_place, "changed its input foreign"),
        ("a text", paging(pages=lambda page: str(page)), "wanted a list of pairs"),
        ("a number", lambda answer, shown, asked, foreign: 2, "gives 2; wanted one of"),
        ("always the pairs", lambda answer, shown, asked, foreign: "the pairs", "and 'the pairs' came back"),
        ("no return", lambda *case: None, "did you forget `return`?"),
    ],
}
