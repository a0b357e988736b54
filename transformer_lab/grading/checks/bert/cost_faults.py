"""A text whose words are hidden one after the other, a model that reads both ways; and what mistakes make of a cost."""

import math

import torch
from torch import Tensor

from ....sentences import kind_of
from ...checking import Wrong
from ...draw import draw

D = 7


class Hidden:
    """A text of words of so many tokens, ends: how many tokens of no word stand before and behind them."""

    def __init__(self, lengths: tuple[int, ...], ends: tuple[int, int] = (1, 1), loud: bool = False):
        self.lengths, self.ends = list(lengths), ends
        V = self.V = draw.one_of(13, 17)
        self.mask = draw.one_of(2, 4)
        before, behind = ends
        numbers = [number for number, length in enumerate(lengths) for _ in range(length)]
        self.words = [None] * before + numbers + [None] * behind
        T = len(self.words)
        usual = [i for i in range(V) if i != self.mask]
        self.ids = [usual[i] for i in draw.integers(V - 1, T).tolist()]
        if len(lengths) > 1:  # one id stands in two words
            self.ids[before] = self.ids[before + len(numbers) - 1]
        self.embedding = draw.standard(V, D, dtype=torch.float64)
        self.places = 0.5 * draw.standard(T, D, dtype=torch.float64)
        self.own, self.others = (draw.standard(D, D, dtype=torch.float64) for _ in range(2))
        self.outer = draw.standard(D, V, dtype=torch.float64)
        if loud:
            self.outer = 60 * self.outer
        self.batches: list[Tensor] = []

    def model(self, ids) -> Tensor:
        """Logits (B, T, V)."""
        if not isinstance(ids, Tensor) or ids.ndim != 2 or ids.dtype != torch.int64:
            what = f"{ids.dtype} of shape {tuple(ids.shape)}" if isinstance(ids, Tensor) else f"{kind_of(ids)}"
            raise Wrong(f"The model was given {what}; wanted ids (B, T), a tensor of torch.int64.")
        if ids.shape[1] != len(self.ids):
            raise Wrong(
                f"The model was given rows of {ids.shape[1]} ids for a text of {len(self.ids)}. A hidden token is "
                "replaced by `mask`: nothing is taken out, and nothing put in."
            )
        if ids.numel() and not (int(ids.min()) >= 0 and int(ids.max()) < self.V):
            raise Wrong(f"The model was given the id {int(ids.min())}, or one above its vocabulary: hide with `mask`.")
        self.batches.append(ids.clone())
        return self.logits(ids).float()  # as the package's models

    def logits(self, ids: Tensor) -> Tensor:
        words = self.embedding[ids] + self.places
        others = (words.sum(1, keepdim=True) - words) / 3
        return torch.tanh(words @ self.own + others @ self.others) @ self.outer

    def of(self, word: int) -> Tensor:
        """Where the tokens of a word stand, (T,)."""
        return torch.tensor([one == word for one in self.words])

    def wanted(self) -> Tensor:
        return costs(self)

    def misread(self) -> str:
        """What about the rows of the batch is not as it should be, in words; an empty string if nothing is."""
        wanted = [
            torch.tensor(self.ids).masked_fill(self.of(word), self.mask).tolist() for word in range(len(self.lengths))
        ]
        for row in (row for batch in self.batches for row in batch.tolist()):
            if row not in wanted:
                hidden = [t for t, id in enumerate(row) if id == self.mask]
                if [id for t, id in enumerate(row) if t not in hidden] != [
                    id for t, id in enumerate(self.ids) if t not in hidden
                ]:
                    return f"the model was given {row}, for a text {self.ids} and the mask {self.mask}."
                return (
                    f"the model was given a row with the mask at {hidden or 'no place'}; the words stand at "
                    f"{[self.of(word).nonzero().flatten().tolist() for word in range(len(self.lengths))]}. "
                    "A row hides the places of one word, and no others."
                )
        return ""


def own(case: Hidden, word: int) -> Tensor:
    return case.of(word)


def inner(case: Hidden) -> Tensor:
    """Where tokens of words stand."""
    return torch.tensor([word is not None for word in case.words])


def same_ids(case: Hidden, word: int) -> Tensor:
    """Wherever an id of the word stands."""
    ids = torch.tensor(case.ids)
    return torch.isin(ids, ids[case.of(word)])


def up_to(case: Hidden, word: int) -> Tensor:
    return torch.tensor([one is not None and one <= word for one in case.words])


def from_here(case: Hidden, word: int) -> Tensor:
    return torch.tensor([one is not None and one >= word for one in case.words])


def and_behind(case: Hidden, word: int) -> Tensor:
    """The word, and whatever stands behind it, [SEP] too."""
    return torch.arange(len(case.ids)) >= int(case.of(word).nonzero()[0])


def costs(case: Hidden, hidden=own, shift=0, looked_up=None, scores=torch.log_softmax, axis=-1, finish=None) -> Tensor:
    """The specification; or with another part hidden, other rows read, other ids looked up.

    finish(scores of the word's tokens) -> its cost
    """
    found = []
    original = torch.tensor(case.ids)
    for word in range(len(case.lengths)):
        ids = original.masked_fill(hidden(case, word), case.mask)
        table = scores(case.logits(ids[None])[0], axis).roll(shift, 0)
        each = table.gather(-1, (ids if looked_up == "read" else original)[:, None])[:, 0][case.of(word)]
        found.append(finish(each) if finish else -each.sum())
    return torch.stack(found)


def token_by_token(case: Hidden, hidden=lambda places, t: places == t, finish=lambda each: each.sum()) -> Tensor:
    """Each token of a word in a row of its own. hidden(places of the word, a place of it) -> what is hidden."""
    original, found = torch.tensor(case.ids), []
    for word in range(len(case.lengths)):
        places = case.of(word).nonzero().flatten()
        each = []
        for t in places.tolist():
            ids = original.clone()
            ids[places[hidden(places, t)]] = case.mask
            each.append(-case.logits(ids[None])[0, t].log_softmax(-1)[case.ids[t]])
        found.append(finish(torch.stack(each)))
    return torch.stack(found)


def over_the_batch(case: Hidden) -> Tensor:
    original = torch.tensor(case.ids)
    rows = torch.stack([original.masked_fill(case.of(word), case.mask) for word in range(len(case.lengths))])
    table = case.logits(rows).log_softmax(0).gather(-1, original.expand(len(rows), -1)[..., None])[..., 0]
    return -torch.stack([table[word][case.of(word)].sum() for word in range(len(rows))])


def whole_row(case: Hidden, kept=None) -> Tensor:
    """All tokens of the row with the word hidden, or those that are kept."""
    original, found = torch.tensor(case.ids), []
    for word in range(len(case.lengths)):
        table = case.logits(original.masked_fill(case.of(word), case.mask)[None])[0].log_softmax(-1)
        each = table.gather(-1, original[:, None])[:, 0]
        found.append(-(each[kept(case)] if kept else each).sum())
    return torch.stack(found)


def others(case: Hidden) -> Tensor:
    """All tokens of the row but the word that is hidden."""
    return whole_row(case) - costs(case)


def entropy(case: Hidden) -> Tensor:
    found = []
    for word in range(len(case.lengths)):
        ids = torch.tensor(case.ids).masked_fill(case.of(word), case.mask)
        p = case.logits(ids[None])[0].softmax(-1)[case.of(word)]
        found.append(-(p * p.log()).sum())
    return torch.stack(found)


PIECES = "All tokens of a word are hidden together: each gives the others away."
# (formula of the text, words)
FAULTS = (
    (
        lambda x: costs(x, lambda case, word: torch.zeros(len(case.ids)).bool()),
        "Nothing is hidden: the model has read the very word that it is asked about.",
    ),
    (
        lambda x: costs(x, lambda case, word: inner(case)),
        "All words are hidden at once, in every row. Hide one word in each row: the others are what the model reads.",
    ),
    (
        lambda x: costs(x, lambda case, word: torch.ones(len(case.ids)).bool()),
        "Every token is hidden, in every row. Hide one word in each row: the others are what the model reads.",
    ),
    (lambda x: costs(x, lambda case, word: ~case.of(word)), "All but the word are hidden; wanted the other way round."),
    (
        lambda x: costs(x, lambda case, word: inner(case) & ~case.of(word)),
        "All other words are hidden, and the word itself is visible; wanted the other way round.",
    ),
    (
        lambda x: costs(x, from_here),
        "The words after it are hidden too, as a GPT would read. This model reads both ways: hide the one word only.",
    ),
    (
        lambda x: costs(x, and_behind),
        "Everything after it is hidden too, as a GPT would read. This model reads both ways: hide the one word only.",
    ),
    (
        lambda x: costs(x, up_to),
        "What was hidden in one row stays hidden in the next ones. Every row begins with the original ids.",
    ),
    (
        lambda x: costs(x, lambda case, word: case.of(word) | ~inner(case)),
        "The tokens of no word are hidden too, in every row. They stay visible.",
    ),
    (
        lambda x: costs(x, same_ids),
        "Where the same id stands in another word it is hidden too. Go by the places, not by the ids.",
    ),
    (
        lambda x: costs(x, shift=1),
        "Each token is looked up one row too early, as with a GPT. Here row t says what stands at place t.",
    ),
    (lambda x: costs(x, shift=-1), "Each token is looked up one row too late. Row t says what stands at place t."),
    (lambda x: costs(x, looked_up="read"), "This is the cost of the id `mask`. Look up the ids that were hidden."),
    (
        lambda x: costs(x, scores=lambda logits, axis: logits),
        "These are logits with the sign turned round. A cost comes from a probability: log_softmax comes first.",
    ),
    (
        lambda x: costs(x, scores=lambda logits, axis: logits, finish=lambda each: each.sum()),
        "These are logits. A cost comes from a probability: log_softmax comes first.",
    ),
    (lambda x: costs(x, axis=0), "The softmax goes along the text. It goes over the vocabulary, the last axis."),
    (over_the_batch, "The softmax goes along the batch. It goes over the vocabulary, the last axis."),
    (whole_row, "The tokens that were not hidden are counted too. A word's cost is made of its own tokens."),
    (others, "The tokens that were not hidden are counted, and not the word's own; wanted the other way round."),
    (
        lambda x: whole_row(x, inner),
        "The tokens of the other words are counted too. A word's cost is made of its own tokens.",
    ),
    (entropy, "This is the entropy of the model's guess: the word that stood there is not looked up."),
    (
        lambda x: costs(x, finish=lambda each: each.sum()),
        "These are log-probabilities, at most 0; a cost is minus that.",
    ),
    (lambda x: costs(x, finish=lambda each: -each.sum() / math.log(2)), "These are bits; wanted: nats."),
    (
        lambda x: costs(x, finish=lambda each: each.sum().exp()),
        "These are probabilities; wanted: minus their logarithm.",
    ),
    (
        lambda x: costs(x, finish=lambda each: (-each.sum()).exp()),
        "This is 1 / probability; wanted: minus the logarithm of the probability.",
    ),
    (
        lambda x: costs(x, finish=lambda each: 1 - each.sum().exp()),
        "This is 1 - probability; wanted: minus the logarithm of the probability.",
    ),
    (
        lambda x: costs(x, finish=lambda each: -each.exp().sum()),
        "These are probabilities with the sign turned round; the logarithm is missing.",
    ),
    (
        lambda x: costs(x, finish=lambda each: -each.mean()),
        "This is the mean over a word's tokens. The logarithm of a product is a sum.",
    ),
    (
        lambda x: costs(x, finish=lambda each: -each.exp().sum().log()),
        "The probabilities of a word's tokens are added up, and then the logarithm is taken; wanted: of their product.",
    ),
    (
        lambda x: costs(x, finish=lambda each: -each.exp().mean().log()),
        "The mean of the probabilities of a word's tokens is taken; wanted: their product.",
    ),
    (lambda x: costs(x, finish=lambda each: -each[0]), "Only the first token of each word counts."),
    (lambda x: costs(x, finish=lambda each: -each[-1]), "Only the last token of each word counts."),
    (
        lambda x: costs(x, finish=lambda each: -each.amin()),
        "Only the most improbable token of each word counts; wanted: all of them.",
    ),
    (
        lambda x: costs(x, finish=lambda each: -each.amax()),
        "Only the most probable token of each word counts; wanted: all of them.",
    ),
    (token_by_token, "A word's tokens are hidden one at a time. " + PIECES),
    (
        lambda x: token_by_token(x, finish=lambda each: each.mean()),
        "A word's tokens are hidden one at a time, and the mean is taken; wanted: the sum. " + PIECES,
    ),
    (
        lambda x: token_by_token(x, lambda places, t: places >= t),
        "A word's earlier tokens are visible while a later one is asked about. " + PIECES,
    ),
    (
        lambda x: token_by_token(x, lambda places, t: places <= t),
        "A word's later tokens are visible while an earlier one is asked about. " + PIECES,
    ),
    (lambda x: costs(x, lambda case, word: first_of(case, word)), "Only a word's first token is hidden. " + PIECES),
    (
        lambda x: costs(x, lambda case, word: first_of(case, word), finish=lambda each: -each[0]),
        "Only a word's first token is hidden, and counted. " + PIECES,
    ),
)


def first_of(case: Hidden, word: int) -> Tensor:
    return torch.arange(len(case.ids)) == int(case.of(word).nonzero()[0])
