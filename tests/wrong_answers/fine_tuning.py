"""Lesson 16: answers to its exercises, wrong with the words their author must be told, and right.

attention.py says what the tables hold.
"""

import torch
import torch.nn.functional as F
from torch import nn

from careless import widened
from diagnoses import Diagnosed

POINTS = {
    "16_fine_tuning.served": 6,
    "16_fine_tuning.extracted": 6,
    "16_fine_tuning.answer_labels": 6,
    "16_fine_tuning.diagnose": 5,
    "16_fine_tuning.distilled": 4,
    "16_fine_tuning.preferred": 4,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M42",)


# served -----------------------------------------------------------------------------------------------------------


def serving(
    scale=lambda alpha, r, A, B, x: alpha / r,
    choose=lambda which, n: which,
    one=lambda x, A, B: x @ A.T @ B.T,
    old=F.linear,
    finish=lambda old, change: old + change,
    none=lambda old, x, bias: old,
):
    """Text by text, with one part other than the right one."""

    def served(x, weight, bias, A, B, alpha, which):
        found = []
        for text, lora in zip(x, choose(which, len(A)).tolist(), strict=True):
            before = old(text, weight, bias)
            if lora == -1:
                found.append(none(before, text, bias))
            else:
                change = scale(alpha, A.shape[1], A, B, x) * one(text, A[lora], B[lora])
                found.append(finish(before, change))
        return torch.stack(found)

    return served


def served_by_customers(x, weight, bias, A, B, alpha, which):
    """The texts of each customer together."""
    found = x @ weight.T + bias
    for lora in range(len(A)):
        mine = which == lora
        found[mine] += (alpha / A.shape[1]) * (x[mine] @ A[lora].T) @ B[lora].T
    return found


def served_with_a_weight_each(x, weight, bias, A, B, alpha, which):
    """Merged, for each text."""
    change = torch.cat((B @ A, torch.zeros_like(weight)[None]))  # -1 is the last one
    return torch.einsum("nti,noi->nto", x, weight + alpha / A.size(1) * change[which]) + bias


def served_with_a_lora_of_zeros(x, weight, bias, A, B, alpha, which):
    A, B = (torch.cat((one, torch.zeros_like(one[:1]))) for one in (A, B))
    return F.linear(x, weight, bias) + torch.bmm(torch.bmm(x, A[which].mT), B[which].mT) * (alpha / A.shape[1])


def served_by_a_product(x, weight, bias, A, B, alpha, which):
    rows = F.one_hot(which + 1, len(A) + 1)[:, 1:].to(x.dtype)
    change = torch.einsum("nk,nti,kri,kor->nto", rows, x, A, B)
    return x @ weight.mT + bias + alpha / A.shape[1] * change


def without_a_mask(x, weight, bias, A, B, alpha, which):
    return F.linear(x, weight, bias) + alpha / A.shape[1] * x @ A[which].mT @ B[which].mT


def first_for_none(x, weight, bias, A, B, alpha, which):
    return without_a_mask(x, weight, bias, A, B, alpha, which.clamp(min=0))


def written_into_weight(x, weight, bias, A, B, alpha, which):
    """The change of each text stays in the weight for the next one."""
    weight, found = weight.clone(), []
    for text, lora in zip(x, which.tolist(), strict=True):
        if lora >= 0:
            weight += alpha / A.shape[1] * B[lora] @ A[lora]
        found.append(F.linear(text, weight, bias))
    return torch.stack(found)


def written_into_the_callers_weight(x, weight, bias, A, B, alpha, which):
    found = []
    for text, lora in zip(x, which.tolist(), strict=True):
        if lora >= 0:
            weight += alpha / A.shape[1] * B[lora] @ A[lora]
        found.append(F.linear(text, weight, bias))
        if lora >= 0:
            weight -= alpha / A.shape[1] * B[lora] @ A[lora]
    return torch.stack(found)


def minus_ones_set_to_0(x, weight, bias, A, B, alpha, which):
    got = serving()(x, weight, bias, A, B, alpha, which)
    which[which < 0] = 0
    return got


def all_loras(x, weight, bias, A, B, alpha, which):
    return F.linear(x, weight, bias) + alpha / A.shape[1] * torch.einsum("nti,kri,kor->nto", x, A, B)


def a_bare_if(x, weight, bias, A, B, alpha, which):
    found = F.linear(x, weight, bias)
    for n, lora in enumerate(which.tolist()):
        if lora:
            found[n] += alpha / A.shape[1] * x[n] @ A[lora].T @ B[lora].T
    return found


def above_0(x, weight, bias, A, B, alpha, which):
    return F.linear(x, weight, bias) + alpha / A.shape[1] * x @ A[which].mT @ B[which].mT * (which > 0)[:, None, None]


def only_the_first_text(x, weight, bias, A, B, alpha, which):
    first = serving()(x, weight, bias, A, B, alpha, which)[:1]
    return torch.cat((first, F.linear(x[1:], weight, bias)))


def one_for_all(place):
    def served(x, weight, bias, A, B, alpha, which):
        return without_a_mask(x, weight, bias, A, B, alpha, which[place].expand(len(x)))

    return served


def not_put_back(x, weight, bias, A, B, alpha, which):
    order = which.argsort(stable=True)
    return serving()(x[order], weight, bias, A, B, alpha, which[order])


def last_lora_set_to_0(x, weight, bias, A, B, alpha, which):
    B[-1] = 0
    return without_a_mask(x, weight, bias, A, B, alpha, which)


def bias_in_the_lora(x, weight, bias, A, B, alpha, which):
    has_one = (which >= 0)[:, None, None]
    return serving()(x, weight, bias, A, B, alpha, which) + has_one * alpha / A.shape[1] * bias


def in_numbers_of_32_bits(*given):
    return serving()(*given).float()


# extracted --------------------------------------------------------------------------------------------------------


def taken(
    of=lambda before, after: after - before,
    count=lambda S, share: int(((S**2).cumsum(0) < share * (S**2).sum()).sum()) + 1,
    make=lambda U, S, Vh, r: (S[:r, None] * Vh[:r], U[:, :r]),
    guard=True,
):
    """A right way to take out a LoRA with one part other than the right one."""

    def extracted(before, after, share):
        U, S, Vh = torch.linalg.svd(of(before, after), full_matrices=False)
        r = 0 if guard and torch.equal(before, after) else count(S, share)
        return make(U, S, Vh, r)

    return extracted


def extracted_by_projection(before, after, share):
    """A spans the directions, B is what the change does to each."""
    change = after - before
    total = float((change.double() ** 2).sum())
    if total == 0:
        return change.new_zeros(0, change.shape[1]), change.new_zeros(change.shape[0], 0)
    Vh = torch.linalg.svd(change)[2]
    r = 1
    while float(((change @ Vh[:r].T).double() ** 2).sum()) < share * total:
        r += 1
    return Vh[:r], change @ Vh[:r].T


def extracted_by_eigenvalues(before, after, share):
    change = (after - before).double()
    squares, vectors = torch.linalg.eigh(change @ change.T)  # from the smallest on
    squares, vectors = squares.flip(0).clamp(min=0), vectors.flip(1)
    r, kept = 0, 0.0
    while kept < share * squares.sum():
        kept, r = kept + squares[r], r + 1
    B = vectors[:, :r]
    return (B.T @ change).to(before.dtype), B.to(before.dtype)


def extracted_by_roots(before, after, share):
    U, S, Vh = torch.linalg.svd(after - before, full_matrices=False)
    kept = (S.square().cumsum(0) / S.square().sum()).nan_to_num(1.0)
    r = int(torch.searchsorted(kept, torch.tensor(share, dtype=kept.dtype))) + 1 if S.any() else 0
    root = S[:r].sqrt()
    return root[:, None] * Vh[:r], U[:, :r] * root


def extracted_in_numpy(before, after, share):
    import numpy as np

    change = (after - before).numpy()
    U, S, Vh = np.linalg.svd(change, full_matrices=False)
    missing = np.append(np.cumsum(S[::-1] ** 2)[::-1], 0.0)
    r = int(np.argmax(missing <= (1 - share) * missing[0]))
    return torch.from_numpy(Vh[:r]), torch.from_numpy(U[:, :r] * S[:r])


def writing_into_after(before, after, share):
    return taken(of=lambda before, after: after.sub_(before))(before, after, share)


def zeros_of_32_bits(before, after, share):
    """Right, but where nothing has changed."""
    if torch.equal(before, after):
        return torch.zeros(0, before.shape[1]), torch.zeros(len(before), 0)
    return taken()(before, after, share)


def in_double_where_nothing_changed(before, after, share):
    A, B = taken()(before, after, share)
    return (A, B) if len(A) else (A.double(), B.double())


def of_singular(count):
    return taken(count=count)


def count_of(matrix, share):
    return int((energy(torch.linalg.svdvals(matrix)).cumsum(0) < share).sum()) + 1


def energy(S):
    return S**2 / (S**2).sum()


def in_single(before, after, share):
    return taken()(before.float(), after.float(), share)


# answer_labels ----------------------------------------------------------------------------------------------------


def labelling(
    learns=lambda role, dialogue, n: role == "assistant",
    whole=lambda start, ids, end: [-100, *ids, end],
    other=-100,
    move=lambda learnt: learnt[1:] + [-100],
    filled=-100,
    message=lambda start, ids, end: [start, *ids, end],
    left=False,
):
    """A right way with one part other than the right one. whole: what is learnt of an answer, as long as the answer."""

    def answer_labels(dialogues, start, end, pad):
        rows, labels = [], []
        for dialogue in dialogues:
            row, learnt = [], []
            for n, (role, ids) in enumerate(dialogue):
                written = message(start[role], ids, end)
                row += written
                learnt += whole(start[role], ids, end) if learns(role, dialogue, n) else [other] * len(written)
            rows.append(row)
            labels.append(move(learnt))
        T = max(map(len, rows))
        return filling(rows, T, pad, left), filling(labels, T, pad if filled == "pad" else filled, left)

    return answer_labels


def filling(rows, T, value, left):
    return torch.tensor([[value] * (T - len(row)) * left + row + [value] * (T - len(row)) * (not left) for row in rows])


def labels_of_ids(mark):
    """mark(ids, roles, real, start, end, pad) -> the labels; roles: 0 padding, 1 an answer, 2 its start, 3 others."""

    def answer_labels(dialogues, start, end, pad):
        rows, roles = [], []
        for dialogue in dialogues:
            row, kinds = [], []
            for role, ids in dialogue:
                row += [start[role], *ids, end]
                is_answer = role == "assistant"
                kinds += [2 if is_answer else 3] + [1 if is_answer else 3] * (len(ids) + 1)
            rows.append(row)
            roles.append(kinds)
        T = max(map(len, rows))
        ids, kinds = filling(rows, T, pad, False), filling(roles, T, 0, False)
        return ids, mark(ids, kinds, start, end, pad)

    return answer_labels


def moved(ids, kinds, start, end, pad):
    return ids.masked_fill(kinds != 1, -100).roll(-1, 1)  # a row never begins with an answer's own id


def by_a_scan(dialogues, start, end, pad):
    """From the written rows alone: between an answer's start and the next end."""
    rows = [[i for role, ids in dialogue for i in (start[role], *ids, end)] for dialogue in dialogues]
    T = max(map(len, rows))
    ids, labels = torch.full((len(rows), T), pad), torch.full((len(rows), T), -100)
    for b, row in enumerate(rows):
        ids[b, : len(row)] = torch.tensor(row)
        inside = False
        for t, one in enumerate(row[:-1]):
            inside = (inside and one != end) or one == start["assistant"]
            if inside:
                labels[b, t] = row[t + 1]
    return ids, labels


def ends_hidden(ids, kinds, start, end, pad):
    labels = moved(ids, kinds, start, end, pad)
    return labels.masked_fill(labels == pad, -100)


def everything(ids, kinds, start, end, pad):
    return F.pad(ids[:, 1:], (0, 1), value=-100)


def everything_real(ids, kinds, start, end, pad):
    return F.pad(ids.masked_fill(kinds == 0, -100)[:, 1:], (0, 1), value=-100)


def mask_behind(ids, kinds, start, end, pad):
    return everything(ids, kinds, start, end, pad).masked_fill(kinds != 1, -100)


def mask_ahead(ids, kinds, start, end, pad):
    return ids.masked_fill(F.pad(kinds[:, 1:], (0, 1)) != 1, -100)


def from_the_first_answer(ids, kinds, start, end, pad):
    labels = F.pad(ids[:, 1:], (0, 1), value=-100)
    begun = (kinds == 2).cumsum(1) > 0
    return labels.masked_fill(~begun | (F.pad(kinds[:, 1:], (0, 1)) == 0), -100)


def from_the_first_answer_with_padding(ids, kinds, start, end, pad):
    labels = F.pad(ids[:, 1:], (0, 1), value=-100)
    return labels.masked_fill((kinds == 2).cumsum(1) == 0, -100)


def padding_too(ids, kinds, start, end, pad):
    keep = (kinds == 1) | (kinds == 0)
    return F.pad(ids.masked_fill(~keep, -100)[:, 1:], (0, 1), value=-100)


def rolled(ids, kinds, start, end, pad):
    return ids.masked_fill(kinds == 0, -100).roll(-1, 1)


def into_the_ids(dialogues, start, end, pad):
    ids, labels = labelling()(dialogues, start, end, pad)
    return labels, labels


def the_last_end(dialogues, start, end, pad):
    """Every end but the one behind the dialogue is left out."""
    ids, labels = labelling()(dialogues, start, end, pad)
    for b, dialogue in enumerate(dialogues):
        T = sum(len(message) + 2 for _, message in dialogue)
        inner = (labels[b] == end) & (torch.arange(len(labels[b])) < T - 2)
        labels[b, inner] = -100
    return ids, labels


def without_system(dialogues, start, end, pad):
    return labelling()([[one for one in dialogue if one[0] != "system"] for dialogue in dialogues], start, end, pad)


def last_label(dialogues, start, end, pad):
    return labelling(move=lambda learnt: learnt[1:] + [pad])(dialogues, start, end, pad)


def cut_to_the_shortest(dialogues, start, end, pad):
    T = min(sum(len(ids) + 2 for _, ids in dialogue) for dialogue in dialogues)
    return tuple(one[:, :T] for one in labelling()(dialogues, start, end, pad))


def popping(dialogues, start, end, pad):
    got = labelling()(dialogues, start, end, pad)
    dialogues[0].pop()
    return got


def growing(dialogues, start, end, pad):
    got = labelling()(dialogues, start, end, pad)
    for dialogue in dialogues:
        for _, ids in dialogue:
            ids.append(end)
    return got


def last_of(role, dialogue, n):
    return role == "assistant" and "assistant" not in [one for one, _ in dialogue[n + 1 :]]


def first_of(role, dialogue, n):
    return role == "assistant" and "assistant" not in [one for one, _ in dialogue[:n]]


def by_names(dialogues, start, end, pad):
    """A dictionary, as libraries want it."""
    ids, labels = labelling()(dialogues, start, end, pad)
    return {"input_ids": ids, "labels": labels}


def second_of_each_pair(role, dialogue, n):
    return n > 0 and role == "assistant" and dialogue[n - 1][0] == "user"


# diagnose ---------------------------------------------------------------------------------------------------------


class RightLora(nn.Module):
    """BrokenD, mended: what was merged is not left in B."""

    def __init__(self, old, r, alpha):
        super().__init__()
        self.old, self.scale = old.requires_grad_(False), alpha / r
        self.A = nn.Parameter(torch.randn(r, old.in_features) / old.in_features**0.5)
        self.B = nn.Parameter(torch.zeros(old.out_features, r))

    def forward(self, x):
        return self.old(x) + self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B.zero_()


class Flagged(RightLora):
    merged = False

    def forward(self, x):
        return self.old(x) if self.merged else super().forward(x)

    def merge(self):
        if not self.merged:
            self.old.weight.data += self.scale * self.B.data @ self.A.data
        self.merged = True


class WithoutScale(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.scale = 0.0


class ByA(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight.copy_(self.old.weight + self.scale * self.B @ self.A)
        self.A.mul_(0)


class StillTwice(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A


class Unmerged(RightLora):
    def merge(self):
        pass


class Lost(RightLora):
    @torch.no_grad()
    def merge(self):
        self.B.zero_()
        self.old.weight += self.scale * self.B @ self.A


class Unscaled(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight += self.B @ self.A
        self.B.zero_()


class FlaggedInForward(RightLora):
    merged = False

    def forward(self, x):
        return self.old(x) if self.merged else super().forward(x)

    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.merged = True


class NoLora(RightLora):
    def forward(self, x):
        return self.old(x)


class Recorded(RightLora):
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B.zero_()


class Thawed(RightLora):
    def __init__(self, old, r, alpha):
        super().__init__(old, r, alpha)
        self.old.requires_grad_(True)


class AlphaAlone(RightLora):
    def __init__(self, old, r, alpha):
        super().__init__(old, r, alpha)
        self.scale = alpha


class BothZero(RightLora):
    def __init__(self, old, r, alpha):
        super().__init__(old, r, alpha)
        nn.init.zeros_(self.A)


class BothRandom(RightLora):
    def __init__(self, old, r, alpha):
        super().__init__(old, r, alpha)
        nn.init.normal_(self.B)


class RandomB(BothRandom):
    """Where A begins at 0, B may begin at random."""

    def __init__(self, old, r, alpha):
        super().__init__(old, r, alpha)
        nn.init.zeros_(self.A)


class Replacing(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight.copy_(self.scale * self.B @ self.A)


class Zeroing(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight.zero_()


class Halving(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * self.B @ self.A
        self.B /= 2


class PlainA(RightLora):
    def __init__(self, old, r, alpha):
        super().__init__(old, r, alpha)
        A = self.A.detach().clone()
        del self.A
        self.A = A.requires_grad_()


class Turned(RightLora):
    @torch.no_grad()
    def merge(self):
        self.old.weight += self.scale * (self.B @ self.A).T
        self.B.zero_()


class Subtracting(RightLora):
    merged = False

    def forward(self, x):
        sign = -1 if self.merged else 1
        return self.old(x) + sign * self.scale * x @ self.A.T @ self.B.T

    @torch.no_grad()
    def merge(self):
        if not self.merged:
            self.old.weight += self.scale * self.B @ self.A
        self.merged = True


class NoMerge(nn.Module):
    def __init__(self, old, r, alpha):
        super().__init__()
        self.inner = RightLora(old, r, alpha)
        self.A, self.B, self.old = self.inner.A, self.inner.B, old
        del self.inner

    def forward(self, x):
        return self.old(x) + 2 * x @ self.A.T @ self.B.T


STILL = "after training its outputs are still those of the old layer"
ANSWERS = Diagnosed(
    {
        "a": ("A and B both begin at 0", STILL),
        "b": ("the old layer is not frozen", "training changes its old weight"),
        "c": ("alpha is not divided by r", "with every row of A and column of B twice, it changes twice as much"),
        "d": ("after merging the change counts twice", "after merge() it gives other outputs than before"),
        "e": ("A is no parameter", "loaded into another one, its state_dict gives other outputs"),
    },
    RightLora,
)


# distilled --------------------------------------------------------------------------------------------------------


def kl(p_logits, q_logits):
    log_p, log_q = p_logits.log_softmax(-1), q_logits.log_softmax(-1)
    return log_p.exp() * (log_p - log_q)


def distilling(
    soft=lambda student, teacher, T: T**2 * kl(teacher / T, student / T).sum(-1).mean(),
    hard=lambda student, targets: F.cross_entropy(student, targets),
    guard=True,
    mix=lambda soft, hard, share: share * soft + (1 - share) * hard,
    detach=True,
):
    """Right but for one part. hard is given the labelled rows alone."""

    def distilled(student, teacher, targets, T, share):
        teacher = teacher.detach() if detach else teacher
        has_label = targets != -100
        labelled = student[has_label], targets[has_label]
        second = hard(*labelled) if has_label.any() or not guard else student.new_zeros(())
        return mix(soft(student, teacher, T), second, share)

    return distilled


def distilled_by_kl_div(student, teacher, targets, T, share):
    with torch.no_grad():
        p = F.softmax(teacher / T, dim=1)
    soft = F.kl_div(F.log_softmax(student / T, dim=1), p, reduction="batchmean") * T * T
    n = (targets != -100).sum()
    hard = F.cross_entropy(student, targets, ignore_index=-100, reduction="sum") / n.clamp(min=1)
    return share * soft + (1 - share) * hard


def distilled_by_cross_entropies(student, teacher, targets, T, share):
    """The cross-entropy of the two, less the teacher's entropy."""
    p = (teacher.detach() / T).softmax(-1)
    entropy = torch.special.entr(p).sum(-1).mean()
    hard = torch.nan_to_num(F.cross_entropy(student, targets), 0.0) if (targets >= 0).any() else 0
    return share * T**2 * (F.cross_entropy(student / T, p) - entropy) + (1 - share) * hard


def of_rows(choose):
    """The teacher's part over some of the rows: choose(has_label)."""

    def distilled(student, teacher, targets, T, share):
        rows = choose(targets != -100)
        right = distilling()(student, teacher, targets, T, 0.0)
        return share * T**2 * kl(teacher.detach()[rows] / T, student[rows] / T).sum(-1).mean() + (1 - share) * right

    return distilled


def hard_over_all(student, teacher, targets, T, share):
    costs = F.cross_entropy(student, targets, reduction="none")
    return distilling(hard=lambda *given: costs.mean())(student, teacher, targets, T, share)


def labels_at(T_of):
    def distilled(student, teacher, targets, T, share):
        return distilling(hard=lambda rows, labels: T_of(T) * F.cross_entropy(rows / T, labels))(
            student, teacher, targets, T, share
        )

    return distilled


def labels_of_teacher(student, teacher, targets, T, share):
    other = F.cross_entropy(teacher.detach(), targets)
    return distilling(hard=lambda *given: other)(student, teacher, targets, T, share)


def unlabelled_as_0(student, teacher, targets, T, share):
    other = F.cross_entropy(student, targets.clamp(min=0))
    return distilling(hard=lambda *given: other)(student, teacher, targets, T, share)


def classes_above_0(student, teacher, targets, T, share):
    return distilling()(student, teacher, targets.masked_fill(targets == 0, -100), T, share)


def labels_by_the_teacher(student, teacher, targets, T, share):
    other = F.cross_entropy(student, teacher.argmax(-1))
    return distilling(hard=lambda *given: other)(student, teacher, targets, T, share)


def whole_where_unlabelled(student, teacher, targets, T, share):
    return distilling()(student, teacher, targets, T, share if (targets != -100).any() else 1.0)


def nothing_where_unlabelled(student, teacher, targets, T, share):
    return distilling()(student, teacher, targets, T, share) * (targets != -100).any()


def squared_labels(student, teacher, targets, T, share):
    return distilling(hard=lambda *given: T**2 * F.cross_entropy(*given))(student, teacher, targets, T, share)


def row_by_row(student, teacher, targets, T, share):
    rows = T**2 * kl(teacher.detach() / T, student / T).sum(-1)
    costs = F.cross_entropy(student, targets, reduction="none")
    return torch.where(targets == -100, rows, share * rows + (1 - share) * costs).mean()


def logs_of_softmax(student, teacher, T):
    p, q = (teacher / T).softmax(-1), (student / T).softmax(-1)
    return T**2 * (p * (p.log() - q.log())).sum(-1).mean()


def clamped(student, teacher, T):
    p, q = ((one / T).softmax(-1).clamp(min=1e-12) for one in (teacher, student))
    return T**2 * (p * (p.log() - q.log())).sum(-1).mean()


def nan_put_away(student, teacher, targets, T, share):
    """F.cross_entropy's NaN becomes a 0, and its gradient is 0."""
    hard = torch.nan_to_num(F.cross_entropy(student, targets))
    return distilling(guard=False, hard=lambda *given: hard)(student, teacher, targets, T, share)


def losing_the_gradient(student, *rest):
    return torch.tensor(distilling()(student, *rest).item(), dtype=student.dtype)


def writing_over_targets(student, teacher, targets, T, share):
    got = distilling()(student, teacher, targets, T, share)
    targets[targets < 0] = 0
    return got


# preferred --------------------------------------------------------------------------------------------------------


def counted(logits, labels):
    return logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0] * (labels != -100)


def preferring(
    chance=lambda logits, labels: counted(logits, labels).sum(-1),
    gain=lambda new, old: new - old,
    gap=lambda gains: gains[0] - gains[1],
    loss=lambda g, beta: -F.logsigmoid(beta * g).mean(),
    detach=True,
):
    """Right but for one part."""

    def preferred(new, old, labels, beta):
        old = old.detach() if detach else old
        return loss(gap(gain(chance(new, labels), chance(old, labels))), beta)

    return preferred


def preferred_by_cross_entropy(new, old, labels, beta):
    """F.cross_entropy leaves out -100 by itself, and wants the tokens along axis 1."""
    nll = [F.cross_entropy(one.flatten(0, 2), labels.flatten(), reduction="none") for one in (new, old.detach())]
    gains = (nll[1] - nll[0]).view(labels.shape).sum(-1)
    return F.softplus(beta * (gains[1] - gains[0])).mean()


def preferred_pair_by_pair(new, old, labels, beta):
    old, costs = old.detach(), []
    for pair in range(labels.shape[1]):
        gains = []
        for side in (0, 1):
            where = (labels[side, pair] != -100).nonzero()[:, 0]
            ids = labels[side, pair, where]
            a, b = (one[side, pair, where].log_softmax(-1)[torch.arange(len(ids)), ids].sum() for one in (new, old))
            gains.append(a - b)
        costs.append(-F.logsigmoid(beta * (gains[0] - gains[1])))
    return torch.stack(costs).mean()


def without_old_gradients(new, old, labels, beta):
    with torch.no_grad():
        before = counted(old, labels).sum(-1)
    gains = counted(new, labels).sum(-1) - before
    return -F.logsigmoid(beta * (gains[0] - gains[1])).sum() / labels.shape[1]


def other_detached(new, *rest):
    return preferring()(torch.stack((new[0], new[1].detach())), *rest)


def writing_over_labels(new, old, labels, beta):
    loss = preferring()(new, old, labels, beta)
    labels.clamp_(min=0)
    return loss


def losing_its_gradient(new, *rest):
    return torch.tensor(preferring()(new, *rest).item(), dtype=new.dtype)


def along_the_places(logits, labels):
    return (logits.log_softmax(-2).gather(-1, labels.clamp(min=0)[..., None])[..., 0] * (labels != -100)).sum(-1)


def infinite_padding(logits, labels):
    each = logits.log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return (each.masked_fill(labels == -100, -torch.inf) * (labels != -100)).sum(-1)


RIGHT = {
    "16_fine_tuning.served": [
        ("text by text", serving()),
        ("by customers", served_by_customers),
        ("a weight each", served_with_a_weight_each),
        ("a LoRA of zeros", served_with_a_lora_of_zeros),
        ("a product", served_by_a_product),
    ],
    "16_fine_tuning.extracted": [
        ("projection", extracted_by_projection),
        ("eigenvalues", extracted_by_eigenvalues),
        ("roots", extracted_by_roots),
        ("numpy", extracted_in_numpy),
        ("a list", lambda *given: list(taken()(*given))),
    ],
    "16_fine_tuning.answer_labels": [
        ("lists", labelling()),
        ("a roll", labels_of_ids(moved)),
        ("a scan", by_a_scan),
        (
            "moved by padding",
            labels_of_ids(
                lambda ids, kinds, *rest: F.pad(ids.masked_fill(kinds != 1, -100)[:, 1:], (0, 1), value=-100)
            ),
        ),
    ],
    "16_fine_tuning.diagnose": [
        ("B is 0", ANSWERS.mended(RightLora)),
        ("A is 0", ANSWERS.mended(ByA)),
        ("a flag", ANSWERS.mended(Flagged)),
        ("B is random", ANSWERS.mended(RandomB)),
        ("no scale", ANSWERS.mended(WithoutScale)),
        ("in capitals", ANSWERS.in_capitals()),
    ],
    "16_fine_tuning.distilled": [
        ("by hand", distilling()),
        ("kl_div", distilled_by_kl_div),
        ("cross-entropies", distilled_by_cross_entropies),
        ("rows", of_rows(lambda has_label: has_label | True)),
        ("NaN put away", nan_put_away),
    ],
    "16_fine_tuning.preferred": [
        ("by hand", preferring()),
        ("cross-entropy", preferred_by_cross_entropy),
        ("pair by pair", preferred_pair_by_pair),
        ("no_grad", without_old_gradients),
    ],
}

WRONG = {
    "16_fine_tuning.served": [
        ("the old layer", lambda x, weight, bias, *rest: F.linear(x, weight, bias), "The LoRA does nothing here"),
        ("the LoRA alone", serving(finish=lambda old, change: change), "only what the LoRA adds"),
        ("no old weight", serving(old=lambda x, W, b: b.expand(len(x), -1)), "The old weight is missing"),
        ("no bias", serving(old=lambda x, W, b: x @ W.T), "The bias of the old layer is missing"),
        ("two biases", lambda x, W, b, *rest: serving()(x, W, b, *rest) + b, "The bias is added twice"),
        ("subtracted", serving(finish=torch.sub), "The LoRA is subtracted"),
        ("alpha", serving(lambda alpha, r, A, B, x: alpha), "alpha is not divided by r"),
        ("no scale", serving(lambda alpha, r, A, B, x: 1), "alpha / r is missing"),
        ("one by r", serving(lambda alpha, r, A, B, x: 1 / r), "alpha is missing"),
        ("times r", serving(lambda alpha, r, A, B, x: alpha * r), "alpha is multiplied by r"),
        ("turned over", serving(lambda alpha, r, A, B, x: r / alpha), "r is divided by alpha"),
        ("the root", serving(lambda alpha, r, A, B, x: alpha / r**0.5), "divided by the *root* of r"),
        ("squared", serving(lambda alpha, r, A, B, x: (alpha / r) ** 2), "alpha / r comes in twice"),
        ("by len(A)", serving(lambda alpha, r, A, B, x: alpha / len(A)), "by the number of LoRAs"),
        ("by d_in", serving(lambda alpha, r, A, B, x: alpha / A.shape[-1]), "alpha is divided by d_in"),
        ("by d_out", serving(lambda alpha, r, A, B, x: alpha / B.shape[1]), "alpha is divided by d_out"),
        ("by texts", serving(lambda alpha, r, A, B, x: alpha / len(x)), "by the number of texts"),
        ("by T", serving(lambda alpha, r, A, B, x: alpha / x.shape[1]), "alpha is divided by T"),
        ("rounded", serving(lambda alpha, r, A, B, x: alpha // r), "alpha / r is rounded down"),
        (
            "all of it scaled",
            lambda x, W, b, A, B, alpha, which: alpha / A.shape[1] * without_a_mask(x, W, b, A, B, A.shape[1], which),
            "alpha / r multiplies the old layer as well",
        ),
        (
            "the weight scaled",
            lambda x, W, b, A, B, alpha, which: (
                alpha / A.shape[1] * without_a_mask(x, W, 0 * b, A, B, A.shape[1], which) + b
            ),
            "alpha / r multiplies the old layer as well",
        ),
        (
            "the bias scaled",
            lambda x, W, b, A, B, alpha, which: without_a_mask(x, W, alpha / A.shape[1] * b, A, B, alpha, which),
            "alpha / r multiplies the bias as well",
        ),
        ("A and B exchanged", serving(one=lambda x, A, B: x @ B @ A), "cannot be multiplied"),
        ("a ReLU", serving(one=lambda x, A, B: (x @ A.T).relu() @ B.T), "A ReLU stands between A and B"),
        ("0 for none", serving(none=lambda old, x, b: 0 * old), "A text without a LoRA comes out as 0"),
        ("no bias for none", serving(none=lambda old, x, b: old - b), "A text without a LoRA gets no bias"),
        ("bias for none", serving(none=lambda old, x, b: 0 * old + b), "gets the bias alone"),
        ("the last for none", without_a_mask, "goes through the *last* LoRA"),
        ("the first for none", first_for_none, "the text goes through LoRA 0. It is"),
        ("abs for none", lambda *given: without_a_mask(*given[:-1], given[-1].abs()), "through LoRA 1. It is"),
        ("LoRA 0", serving(choose=lambda which, n: 0 * which), "All texts go through LoRA 0"),
        ("the first text's", one_for_all(0), "All texts go through the LoRA of the first text"),
        ("the last text's", one_for_all(-1), "All texts go through the LoRA of the last text"),
        ("in their order", serving(choose=lambda which, n: torch.arange(len(which)) % n), "look it up in which"),
        ("the one before", serving(choose=lambda which, n: (which - 1) % n), "goes through the LoRA before its own"),
        ("the one behind", serving(choose=lambda which, n: (which + 1) % n), "goes through the LoRA behind its own"),
        ("in reverse", serving(choose=lambda which, n: which.flip(0)), "The texts are taken in reverse"),
        ("all", all_loras, "Every text goes through all the LoRAs"),
        ("the mean", lambda x, W, b, A, B, alpha, w: all_loras(x, W, b, A, B, alpha / len(A), w), "mean of all"),
        ("into the weight", written_into_weight, "Each text also goes through the LoRAs of the texts before it"),
        ("into the caller's weight", written_into_the_callers_weight, "changed its input weight in place"),
        ("which changed", minus_ones_set_to_0, "changed its input which in place"),
        ("a bare if", a_bare_if, "LoRA 0 is never used"),
        ("above 0", above_0, "LoRA 0 is never used"),
        ("the first text", only_the_first_text, "Only the first text goes through its LoRA"),
        (
            "the first token",
            lambda x, W, b, *rest: torch.cat((serving()(x, W, b, *rest)[:, :1], F.linear(x, W, b)[:, 1:]), 1),
            "Only the first token of each text",
        ),
        ("not put back", not_put_back, "in the order of the LoRAs"),
        ("the last set to 0", last_lora_set_to_0, "The last LoRA does nothing"),
        ("bias in the LoRA", bias_in_the_lora, "The bias is in what alpha / r multiplies"),
        ("nothing back", lambda *given: None, "returned None"),
        ("one text", lambda *given: serving()(*given)[0], "has shape"),
        ("32 bits", in_numbers_of_32_bits, "The input is torch.float64"),
        ("16 bits widened", widened(serving()), "The input is torch.bfloat16"),
    ],
    "16_fine_tuning.extracted": [
        ("zeros of 32 bits", zeros_of_32_bits, "where nothing has changed A came back as torch.float32"),
        ("nothing in 64 bits", in_double_where_nothing_changed, "where nothing has changed A came back as"),
        ("two lists", lambda *given: [one.tolist() for one in taken()(*given)], "two tensors"),
        (
            "not squared",
            of_singular(lambda S, share: int((S.cumsum(0) < share * S.sum()).sum()) + 1),
            "each contributes its *square*",
        ),
        (
            "squared twice",
            of_singular(lambda S, share: int(((S**4).cumsum(0) < share * (S**4).sum()).sum()) + 1),
            "The squares are squared once more",
        ),
        ("of after", taken(of=lambda before, after: after), "B @ A stands for `after` itself"),
        (
            "the rank of after",
            lambda before, after, share: taken(count=lambda S, share: count_of(after, share))(before, after, share),
            "That is the rank of `after` itself",
        ),
        ("of before", taken(of=lambda before, after: before), "B @ A stands for `before`"),
        ("added", taken(of=lambda before, after: before + after), "B @ A stands for the sum of the two"),
        (
            "of after, not squared",
            taken(
                of=lambda before, after: after,
                count=lambda S, share: int((S.cumsum(0) < share * S.sum()).sum()) + 1,
            ),
            "B @ A stands for `after` itself",
        ),
        (
            "norm",
            of_singular(lambda S, share: int((energy(S).cumsum(0).sqrt() < share).sum()) + 1),
            "The root of the energy is compared",
        ),
        (
            "root of share",
            of_singular(lambda S, share: int((energy(S).cumsum(0) < share**0.5).sum()) + 1),
            "compared with the root of `share`",
        ),
        (
            "the norm of what is missing",
            of_singular(lambda S, share: int((((1 - energy(S).cumsum(0)).clamp(min=0)).sqrt() > 1 - share).sum()) + 1),
            "The *norm* of what is missing",
        ),
        ("one few", of_singular(lambda S, share: int((energy(S).cumsum(0) < share).sum())), "It is one too few"),
        (
            "index",
            of_singular(lambda S, share: int((energy(S).cumsum(0) >= share).int().argmax())),
            "counted from 0",
        ),
        ("one many", of_singular(lambda S, share: int((energy(S).cumsum(0) < share).sum()) + 2), "one too many"),
        (
            "ascending",
            of_singular(lambda S, share: int((energy(S).flip(0).cumsum(0) < share).sum()) + 1),
            "added up from the smallest on",
        ),
        (
            "the rest",
            of_singular(lambda S, share: int((energy(S).cumsum(0) < 1 - share).sum()) + 1),
            "the rank which keeps 1 - share",
        ),
        (
            "beside the largest",
            of_singular(lambda S, share: int((S / S[0] >= share).sum())),
            "Each singular value is compared with the largest",
        ),
        (
            "not small beside the largest",
            of_singular(lambda S, share: int((S / S[0] > 1 - share).sum())),
            "Each singular value is compared with the largest",
        ),
        (
            "a share of the number",
            of_singular(lambda S, share: int(share * len(S))),
            "a share of the *number* of singular values",
        ),
        (
            "not added up",
            of_singular(lambda S, share: int((energy(S) < share).sum()) + 1),
            "All singular values are kept",
        ),
        ("those above", of_singular(lambda S, share: int((energy(S).cumsum(0) >= share).sum())), "The sums that reach"),
        (
            "not divided",
            of_singular(lambda S, share: int(((S**2).cumsum(0) < share).sum()) + 1),
            "divide them by the whole energy first",
        ),
        ("all of them", of_singular(lambda S, share: len(S)), "All singular values are kept"),
        ("one", of_singular(lambda S, share: 1), "It is 1 whatever"),
        ("two", of_singular(lambda S, share: 2), "the best LoRA keeps only"),
        ("none", of_singular(lambda S, share: 0), "With rank 0 nothing"),
        ("no values", taken(make=lambda U, S, Vh, r: (Vh[:r], U[:, :r])), "The singular values are missing"),
        (
            "values twice",
            taken(make=lambda U, S, Vh, r: (S[:r, None] * Vh[:r], U[:, :r] * S[:r])),
            "The singular values come in twice",
        ),
        (
            "half roots",
            taken(make=lambda U, S, Vh, r: (S[:r, None].sqrt() * Vh[:r], U[:, :r])),
            "Only the roots of the singular values",
        ),
        ("turned round", taken(of=lambda before, after: before - after), "The sign is turned"),
        (
            "the last",
            taken(make=lambda U, S, Vh, r: (S[len(S) - r :, None] * Vh[len(S) - r :], U[:, len(S) - r :])),
            "The *last* r singular values",
        ),
        (
            "columns of V",
            taken(
                make=lambda U, S, Vh, r: (
                    S[:r, None] * (Vh.T if len(Vh) == Vh.shape[1] == len(U) else Vh)[:r],
                    U[:, :r],
                )
            ),
            "Where the matrix is square it is wrong",
        ),
        (
            "after itself",
            lambda before, after, share: taken(
                make=lambda U, S, Vh, r: (S[:r, None] * Vh[:r], U[:, :r]),
                of=lambda b, a: a,
                count=lambda S, s: len(taken()(before, after, share)[0]),
            )(before, after, share),
            "B @ A stands for `after` itself",
        ),
        (
            "divided by r",
            taken(make=lambda U, S, Vh, r: (S[:r, None] * Vh[:r] / r, U[:, :r])),
            "B @ A is divided by r",
        ),
        (
            "random",
            taken(make=lambda U, S, Vh, r: (torch.ones_like(Vh[:r]), U[:, :r])),
            "the best one keeps",
        ),
        ("no guard", taken(guard=False), "before and after are the same"),
        ("the other order", lambda *given: taken()(*given)[::-1], "They have changed places"),
        (
            "both transposed",
            lambda *given: tuple(one.T for one in taken()(*given)),
            "Both are transposed",
        ),
        (
            "V",
            taken(make=lambda U, S, Vh, r: ((S[:r, None] * Vh[:r]).T, U[:, :r])),
            "One of them is transposed",
        ),
        ("the rank", lambda *given: len(taken()(*given)[0]), "wanted the pair (A, B)"),
        ("three parts", lambda before, after, share: torch.linalg.svd(after - before), "wanted the pair (A, B)"),
        ("in place", writing_into_after, "changed its input after in place"),
        ("single precision", in_single, "The input is torch.float64"),
    ],
    "16_fine_tuning.answer_labels": [
        ("not moved", labelling(move=lambda learnt: learnt), "the id that the model has just read"),
        ("the wrong way", labelling(move=lambda learnt: [-100] + learnt[:-1]), "moved the wrong way"),
        ("twice", labelling(move=lambda learnt: learnt[2:] + [-100, -100]), "moved twice"),
        ("no end", labelling(whole=lambda s, ids, e: [-100, *ids, -100]), "The end behind an answer is not learnt"),
        ("the start", labelling(whole=lambda s, ids, e: [s, *ids, e]), "The start of an answer is learnt from as well"),
        (
            "start for end",
            labelling(whole=lambda s, ids, e: [s, *ids, -100]),
            "The start of an answer is learnt from, and its end is not",
        ),
        ("no first", labelling(whole=lambda s, ids, e: [-100, -100, *ids[1:], e]), "The first id of each answer"),
        ("no last", labelling(whole=lambda s, ids, e: [-100, *ids[:-1], -100, e]), "The last id of each answer is not"),
        (
            "neither last",
            labelling(whole=lambda s, ids, e: [-100, *ids[:-1], -100, -100]),
            "and its end are not learnt",
        ),
        ("the ends", labelling(whole=lambda s, ids, e: [-100] * len(ids) + [-100, e]), "Only the ends are learnt from"),
        ("questions", labelling(learns=lambda role, *rest: role == "user"), "The questions are learnt from, and"),
        (
            "all but answers",
            labelling(learns=lambda role, *rest: role != "assistant"),
            "learnt from",
        ),
        ("system", labelling(learns=lambda role, *rest: role != "user"), "The system's message is learnt from as well"),
        ("user too", labelling(learns=lambda role, *rest: role != "system"), "The questions are learnt from as well"),
        ("all messages", labelling(learns=lambda *given: True), "All messages are learnt from"),
        (
            "all messages, no end",
            labelling(learns=lambda *given: True, whole=lambda s, ids, e: [-100, *ids, -100]),
            "The ids of all messages are learnt from",
        ),
        ("everything", labels_of_ids(everything), "learnt from: the questions too"),
        ("everything in a batch", labels_of_ids(everything_real), "Everything is learnt from: the questions too"),
        ("a roll of everything", labels_of_ids(rolled), "torch.roll brings the first id"),
        ("the last answer", labelling(learns=last_of), "Only the last answer is learnt from"),
        ("the first answer", labelling(learns=first_of), "Only the first answer is learnt from"),
        ("behind a question", labelling(learns=second_of_each_pair), "Only an answer right behind a question"),
        ("the last message", labelling(learns=lambda role, all, n: n == len(all) - 1), "The last message is taken for"),
        ("every second", labelling(learns=lambda role, all, n: n % 2 == 1), "Every second message is taken for"),
        ("all but the last end", labelling(move=lambda x: x[1:-1] + [-100, -100]), "an answer that ends the dialogue"),
        ("one more", lambda *given: [F.pad(one, (0, 1)) for one in labelling()(*given)], "That is one too many"),
        ("from the first answer on", labels_of_ids(from_the_first_answer), "All that follows the first answer"),
        (
            "from the first answer on, with padding",
            labels_of_ids(from_the_first_answer_with_padding),
            "All that follows the first answer",
        ),
        ("padding", labels_of_ids(padding_too), "Padding is learnt from as well", "M42"),
        ("ends hidden", labels_of_ids(ends_hidden), "Where pad and end are the same id"),
        ("mask behind", labels_of_ids(mask_behind), "Whether a label counts is looked up at place t, and"),
        ("mask ahead", labels_of_ids(mask_ahead), "Whether a label counts is looked up at place t + 1"),
        ("nothing", labelling(learns=lambda *given: False), "Nothing is learnt from at all"),
        ("0", labelling(other=0, whole=lambda s, ids, e: [0, *ids, e], move=lambda x: x[1:] + [0], filled=0), "with 0"),
        (
            "-1",
            labelling(other=-1, whole=lambda s, ids, e: [-1, *ids, e], move=lambda x: x[1:] + [-1], filled=-1),
            "is marked with -1",
        ),
        ("filled with pad", labelling(filled="pad"), "fill up the rows of the labels"),
        ("filled with 0", labelling(filled=0), "fill up the rows of the labels"),
        ("padded in front", labelling(left=True), "The padding stands in front"),
        ("no template", labelling(message=lambda s, ids, e: list(ids)), "The template is missing"),
        ("no starts", labelling(message=lambda s, ids, e: [*ids, e]), "one of them is missing"),
        ("no ends", labelling(message=lambda s, ids, e: [s, *ids]), "one of them is missing"),
        (
            "ends first",
            labelling(message=lambda s, ids, e: [e, *ids, s]),
            "There stands the start of a message",
        ),
        ("-100 in the ids", into_the_ids, "-100 belongs into the labels"),
        ("cut", lambda *given: (labelling()(*given)[0], labelling()(*given)[1][:, :-1]), "The last column stays"),
        ("lists", lambda *given: tuple(one.tolist() for one in labelling()(*given)), "wanted a tensor"),
        ("a dictionary", by_names, "wanted two tensors"),
        ("labels alone", lambda *given: labelling()(*given)[1], "wanted two tensors"),
        ("float", lambda *given: tuple(one.float() for one in labelling()(*given)), "wanted torch.int64"),
        ("the last end", the_last_end, "Only the end of the whole dialogue is learnt"),
        ("no system", without_system, "The system's message is missing"),
        ("turned round", lambda *given: labelling()(*given)[::-1], "the ids come first"),
        ("cut to the shortest", cut_to_the_shortest, "The rows are cut to the shortest"),
        ("a last label", last_label, "Behind the last id of a text nothing is to be learnt"),
        ("popping", popping, "changed what it was given"),
        ("growing", growing, "changed what it was given"),
    ],
    "16_fine_tuning.diagnose": [
        ("random for 0", ANSWERS.fault("a", "A and B both begin at random"), "Work out the gradient of B where A is 0"),
        ("twice for not frozen", ANSWERS.fault("b", "after merging the change counts twice"), "require a gradient?"),
        ("transposed for alpha", ANSWERS.fault("c", "the change is transposed"), "it would not even run"),
        ("bias for twice", ANSWERS.fault("d", "the old bias is lost"), "when the weight holds the change already"),
        ("not frozen for no parameter", ANSWERS.fault("e", "the old layer is not frozen"), "Print its state_dict()"),
        ("0 for no parameter", ANSWERS.fault("e", "A and B both begin at 0"), "no step of training would move"),
        (
            "shown by what is right",
            ANSWERS.shown("a", "before training its outputs are those of the old layer"),
            "a right one shows that too",
        ),
        ("shown by luck", ANSWERS.shown("e", "asked twice, it gives two different outputs"), "none of the five does"),
        ("shown by another", ANSWERS.shown("b", STILL), "that is so where nothing is learnt"),
        ("a fault of my own", ANSWERS.fault("a", "too slow"), "choose one of"),
        ("turned round", ANSWERS.but(d=ANSWERS.named["d"][::-1]), "the fault comes first"),
        ("still twice", ANSWERS.mended(StillTwice), "the change counts twice, as it did"),
        ("never merged", ANSWERS.mended(Unmerged), "merge() is to put the change into it"),
        ("lost", ANSWERS.mended(Lost), "nothing is left of the change"),
        ("replaced", ANSWERS.mended(Replacing), "nothing is left of the old weight"),
        ("zeroed", ANSWERS.mended(Zeroing), "nothing is left of the old weight"),
        ("halved", ANSWERS.mended(Halving), "forward() still adds something to it"),
        ("unscaled", ANSWERS.mended(Unscaled), "not multiplied by alpha / r"),
        ("a flag in forward", ANSWERS.mended(FlaggedInForward), "A second merge() adds the change"),
        ("no LoRA", ANSWERS.mended(NoLora), "change nothing any more"),
        ("recorded", ANSWERS.mended(Recorded), "@torch.no_grad() above it"),
        ("thawed", ANSWERS.mended(Thawed), "wanted A and B alone"),
        ("alpha alone", ANSWERS.mended(AlphaAlone), "alpha is not divided by r any more"),
        ("both 0", ANSWERS.mended(BothZero), "A begins at 0, and so does B"),
        ("both random", ANSWERS.mended(BothRandom), "B begins at 0, as in BrokenD"),
        ("A is plain", ANSWERS.mended(PlainA), "Repaired has no parameter A"),
        ("turned", ANSWERS.mended(Turned), "must match the size"),
        ("subtracting", ANSWERS.mended(Subtracting), "does it subtract?"),
        ("no scale", ANSWERS.mended(NoMerge), "Before it is merged: forward(x)"),
        ("a tensor", ANSWERS.mended(lambda old, r, alpha: old.weight), "wanted a module"),
    ],
    "16_fine_tuning.preferred": [
        ("softmax along the places", preferring(along_the_places), "The softmax goes along the places"),
        ("-inf times 0", preferring(infinite_padding), "0 times -inf is NaN"),
        ("no old model", preferring(gain=lambda new, old: new), "The old model is missing"),
        ("added", preferring(gain=torch.add), "The old model's logarithm is added"),
        ("old less new", preferring(gain=lambda new, old: old - new), "The difference has the wrong sign"),
        ("ratio", preferring(gain=lambda new, old: (new - old).exp()), "The gain is a ratio of probabilities"),
        ("the other first", preferring(gap=lambda gains: gains[1] - gains[0]), "The difference has the wrong sign"),
        ("one answer", preferring(gap=lambda gains: gains[0]), "The answers that are not preferred do not come in"),
        ("both added", preferring(gap=lambda gains: gains.sum(0)), "The two gains of a pair are added"),
        (
            "averaged",
            preferring(lambda logits, labels: counted(logits, labels).sum(-1) / (labels != -100).sum(-1)),
            "The logarithms of an answer are averaged",
        ),
        ("by T", preferring(lambda *given: counted(*given).mean(-1)), "The logarithms of an answer are averaged"),
        (
            "padding counts",
            preferring(lambda logits, labels: counted(logits, labels.clamp(min=0)).sum(-1)),
            "Places with -100 count as if their label were token 0",
        ),
        (
            "token 0 is left out",
            preferring(lambda logits, labels: (counted(logits, labels) * (labels > 0)).sum(-1)),
            "Places whose label is token 0 are left out",
        ),
        (
            "logits",
            preferring(
                lambda logits, labels: (logits.gather(-1, labels.clamp(min=0)[..., None])[..., 0] * (labels >= 0)).sum(
                    -1
                )
            ),
            "The logits themselves are added up",
        ),
        (
            "probabilities",
            preferring(lambda logits, labels: (counted(logits, labels).exp() * (labels >= 0)).sum(-1)),
            "Probabilities are added up",
        ),
        (
            "moved",
            preferring(lambda logits, labels: counted(logits[..., :-1, :], labels[..., 1:]).sum(-1)),
            "The labels are moved by one place",
        ),
        ("no beta", preferring(loss=lambda g, beta: -F.logsigmoid(g).mean()), "beta is missing within the sigmoid"),
        ("by beta", preferring(loss=lambda g, beta: -F.logsigmoid(g / beta).mean()), "is divided by beta"),
        (
            "beta outside",
            preferring(loss=lambda g, beta: -beta * F.logsigmoid(g).mean()),
            "beta multiplies the loss",
        ),
        ("sign", preferring(loss=lambda g, beta: F.logsigmoid(beta * g).mean()), "The sign of the loss is turned"),
        ("no logarithm", preferring(loss=lambda g, beta: -(beta * g).sigmoid().mean()), "The logarithm is missing"),
        ("1 minus", preferring(loss=lambda g, beta: 1 - (beta * g).sigmoid().mean()), "The logarithm is missing"),
        ("no sigmoid", preferring(loss=lambda g, beta: -(beta * g).mean()), "sigmoid and its logarithm are missing"),
        ("a hinge", preferring(loss=lambda g, beta: (1 - beta * g).relu().mean()), "This is a hinge"),
        ("added up", preferring(loss=lambda g, beta: -F.logsigmoid(beta * g).sum()), "The pairs are added up"),
        (
            "by texts",
            preferring(loss=lambda g, beta: -F.logsigmoid(beta * g).sum() / (2 * len(g))),
            "by the number of texts",
        ),
        (
            "one for each pair",
            preferring(loss=lambda g, beta: -F.logsigmoid(beta * g)),
            "the loss has shape",
        ),
        (
            "the median pair",
            preferring(loss=lambda g, beta: -F.logsigmoid(beta * g).median()),
            "For one pair alone it is right",
        ),
        (
            "by the root of the length",
            preferring(chance=lambda logits, labels: counted(logits, labels).sum(-1) / (labels >= 0).sum(-1) ** 0.5),
            "Work out one pair by hand",
        ),
        (
            "log of sigmoid",
            preferring(loss=lambda g, beta: -(beta * g).sigmoid().log().mean()),
            "With logits of some thousands the loss is inf",
        ),
        (
            "a small number",
            preferring(loss=lambda g, beta: -((beta * g).sigmoid() + 1e-12).log().mean()),
            "Is something clamped",
        ),
        ("old learns", preferring(detach=False), "A gradient reaches the old model's logits"),
        ("the other detached", other_detached, "no gradient reaches the logits of the other answers"),
        ("labels changed", writing_over_labels, "changed its input labels in place"),
        ("no gradient", losing_its_gradient, "No gradient flows through the loss"),
        ("a number", lambda *given: preferring()(*given).item(), "The loss is a plain number"),
    ],
    "16_fine_tuning.distilled": [
        ("no T^2", distilling(lambda s, t, T: kl(t / T, s / T).sum(-1).mean()), "T^2 is missing"),
        ("T once", distilling(lambda s, t, T: T * kl(t / T, s / T).sum(-1).mean()), "It is multiplied by T; wanted"),
        ("by T^2", distilling(lambda s, t, T: kl(t / T, s / T).sum(-1).mean() / T**2), "It is divided by T^2"),
        ("the other way", distilling(lambda s, t, T: T**2 * kl(s / T, t / T).sum(-1).mean()), "runs the other way"),
        (
            "the other way, no T^2",
            distilling(lambda s, t, T: kl(s / T, t / T).sum(-1).mean()),
            "T^2 is missing",
        ),
        (
            "cross-entropy",
            distilling(lambda s, t, T: T**2 * F.cross_entropy(s / T, (t / T).softmax(-1))),
            "The term with ln p is missing",
        ),
        (
            "both ways",
            distilling(lambda s, t, T: T**2 * (kl(t / T, s / T) + kl(s / T, t / T)).sum(-1).mean() / 2),
            "The divergences of both directions are averaged",
        ),
        ("sign", distilling(lambda s, t, T: -(T**2) * kl(t / T, s / T).sum(-1).mean()), "The sign is turned"),
        (
            "cold student",
            distilling(lambda s, t, T: T**2 * kl(t / T, s).sum(-1).mean()),
            "The student's logits are not",
        ),
        (
            "cold teacher",
            distilling(lambda s, t, T: T**2 * kl(t, s / T).sum(-1).mean()),
            "The teacher's logits are not",
        ),
        ("cold", distilling(lambda s, t, T: T**2 * kl(t, s).sum(-1).mean()), "No logits are divided by T"),
        ("hot", distilling(lambda s, t, T: T**2 * kl(t * T, s * T).sum(-1).mean()), "multiplied by T; wanted: divided"),
        (
            "two softmaxes",
            distilling(lambda s, t, T: T**2 * kl(t / T, (s / T).softmax(-1)).sum(-1).mean()),
            "The student's logits go through two softmaxes",
        ),
        (
            "two softmaxes both",
            distilling(lambda s, t, T: T**2 * kl((t / T).softmax(-1), (s / T).softmax(-1)).sum(-1).mean()),
            "Both logits go through two softmaxes",
        ),
        (
            "mean of all",
            distilling(lambda s, t, T: T**2 * kl(t / T, s / T).mean()),
            "The mean is over rows and classes",
        ),
        ("summed", distilling(lambda s, t, T: T**2 * kl(t / T, s / T).sum()), "The rows are added up; wanted"),
        (
            "kl_div of probabilities",
            distilling(
                lambda s, t, T: T**2 * F.kl_div((s / T).softmax(-1), (t / T).softmax(-1), reduction="batchmean")
            ),
            "F.kl_div wants the logarithms",
        ),
        (
            "kl_div's mean",
            distilling(lambda s, t, T: T**2 * F.kl_div((s / T).log_softmax(-1), (t / T).softmax(-1))),
            "The mean is over rows and classes",
        ),
        (
            "kl_div turned round",
            distilling(
                lambda s, t, T: T**2 * F.kl_div((t / T).log_softmax(-1), (s / T).softmax(-1), reduction="batchmean")
            ),
            "runs the other way",
        ),
        (
            "along rows",
            distilling(lambda s, t, T: T**2 * kl(t.T / T, s.T / T).T.sum(-1).mean()),
            "along the rows of the",
        ),
        ("best class", distilling(lambda s, t, T: F.cross_entropy(s, t.argmax(-1))), "only its likeliest class"),
        ("squared logits", distilling(lambda s, t, T: F.mse_loss(s, t)), "quared differences of"),
        (
            "base 2",
            distilling(lambda s, t, T: T**2 * kl(t / T, s / T).sum(-1).mean() / torch.tensor(2.0).log()),
            "The logarithm is to the base 2",
        ),
        ("unlabelled rows", of_rows(lambda has_label: ~has_label), "Only rows without a label count"),
        ("labelled rows", of_rows(lambda has_label: has_label), "Only rows with a label count"),
        (
            "share turned",
            distilling(mix=lambda s, h, share: (1 - share) * s + share * h),
            "`share` belongs to the teacher's part",
        ),
        ("added", distilling(mix=lambda s, h, share: s + h), "though 1 - share is 0"),
        ("hard in full", distilling(mix=lambda s, h, share: share * s + h), "though 1 - share is 0"),
        ("soft in full", distilling(mix=lambda s, h, share: s + (1 - share) * h), "though share is 0"),
        ("share of both", distilling(mix=lambda s, h, share: share * (s + h)), "Nothing is left of the labels' part"),
        ("soft alone", distilling(mix=lambda s, h, share: share * s), "Nothing is left of the labels' part"),
        ("hard alone", distilling(mix=lambda s, h, share: (1 - share) * h), "Nothing is left of the teacher's part"),
        ("warm labels", labels_at(lambda T: 1), "The labels' part is computed at the temperature T; wanted"),
        ("warm labels, T^2", labels_at(lambda T: T**2), "and multiplied by T^2; it wants neither"),
        ("T^2 for labels", squared_labels, "which belongs to the teacher's alone"),
        ("labels over all rows", hard_over_all, "It is divided by the number of all rows"),
        (
            "labels summed",
            distilling(hard=lambda s, y: F.cross_entropy(s, y, reduction="sum")),
            "The costs of the rows are added up",
        ),
        ("labels of the teacher", labels_of_teacher, "compared with the teacher's logits"),
        ("unlabelled as 0", unlabelled_as_0, "count as if they were labelled 0"),
        ("classes above 0", classes_above_0, "Rows labelled 0 are left out"),
        ("labels by the teacher", labels_by_the_teacher, "The teacher's best class stands for the label"),
        ("whole where unlabelled", whole_where_unlabelled, "the teacher's part comes in whole"),
        ("whole where unlabelled, below", whole_where_unlabelled, "The loss is not right yet: the check above"),
        ("nothing where unlabelled", nothing_where_unlabelled, "Where no row has a label the loss is 0"),
        (
            "probabilities",
            distilling(hard=lambda s, y: F.cross_entropy(s.softmax(-1), y)),
            "it was given probabilities",
        ),
        ("row by row", row_by_row, "The mixture is made row by row"),
        ("half and half", distilling(mix=lambda s, h, share: (s + h) / 2), "wanted"),
        ("no guard", distilling(guard=False), "the loss is NaN"),
        (
            "two logarithms",
            distilling(lambda s, t, T: T**2 * F.kl_div((s / T).log_softmax(-1), (t / T).log_softmax(-1))),
            "the loss is NaN. Is a logarithm taken",
        ),
        ("logs of softmax", distilling(logs_of_softmax), "With logits of some thousands"),
        ("clamped", distilling(clamped), "Is something clamped"),
        ("no detach", distilling(detach=False), "it would learn from its student"),
        ("a number", lambda *given: distilling()(*given).item(), "The loss is a plain number"),
        ("no gradient", losing_the_gradient, "No gradient flows through the loss"),
        ("a loss for each row", lambda *given: distilling()(*given).expand(len(given[0])), "has shape"),
        ("targets changed", writing_over_targets, "changed its input targets in place"),
    ],
}
