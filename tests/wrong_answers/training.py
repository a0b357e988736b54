"""Lesson 13: answers to its exercises, wrong with the words their author must be told, and right.

attention.py says what the tables hold.
"""

import math

import torch
import torch.nn.functional as F

from careless import copying
from transformer_lab.training.adamw import AdamW

POINTS = {
    "13_training.adamw": 6,
    "13_training.accumulate": 6,
    "13_training.patients": 4,
    "13_training.more_patients": 4,
    "13_training.measures": 4,
    "13_training.schedule": 3,
}
ONE_WAY = ()
MISCONCEPTIONS = ("M41", "M42", "M43")


# adamw ------------------------------------------------------------------------------------------------------------


def adamw_by_hand(weight, gradients, rates, decay, beta1, beta2, eps):
    m, v, n = torch.zeros_like(weight), torch.zeros_like(weight), 0
    for gradient, rate in zip(gradients, rates, strict=True):
        if gradient is None:
            continue
        n += 1
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        update = m / (1 - beta1**n) / ((v / (1 - beta2**n)).sqrt() + eps)
        weight = weight - rate * (update + (decay * weight if weight.ndim > 1 else 0))
    return weight


def with_an_optimiser(kind):
    def adamw(weight, gradients, rates, decay, beta1, beta2, eps):
        weight = weight.clone().requires_grad_()
        decay = decay if weight.ndim >= 2 else 0.0
        optimiser = kind([weight], lr=0.0, betas=(beta1, beta2), eps=eps, weight_decay=decay)
        for gradient, rate in zip(gradients, rates, strict=True):
            weight.grad = gradient
            if hasattr(optimiser, "param_groups"):
                optimiser.param_groups[0]["lr"] = rate
            else:
                optimiser.lr = rate
            optimiser.step()
        return weight.detach()

    return adamw


def adamw_from_the_history(weight, gradients, rates, decay, beta1, beta2, eps):
    """The means as weighted means of all gradients so far, whose weights sum to 1."""
    seen = []

    def mean(values, beta):
        weights = torch.tensor([beta**age for age in reversed(range(len(values)))], dtype=values[0].dtype)
        return torch.tensordot(weights / weights.sum(), torch.stack(values), dims=1)

    for gradient, rate in zip(gradients, rates, strict=True):
        if gradient is not None:
            seen.append(gradient)
            size = mean([g.square() for g in seen], beta2).sqrt()
            shrunk = weight * (1 - rate * decay) if weight.ndim >= 2 else weight
            weight = shrunk - rate * mean(seen, beta1) / (size + eps)
    return weight


def adamw_in_place(weight, gradients, rates, decay, beta1, beta2, eps):
    """torch's order: everything into the root's factor, and the copy changed in place."""
    weight, m, v, t = weight.clone(), torch.zeros_like(weight), torch.zeros_like(weight), 0
    for i, gradient in enumerate(gradients):
        if gradient is None:
            continue
        t += 1
        if weight.dim() >= 2:
            weight.mul_(1 - rates[i] * decay)
        m.lerp_(gradient, 1 - beta1)
        v.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        denominator = v.sqrt() / math.sqrt(1 - beta2**t) + eps
        weight.addcdiv_(m, denominator, value=-rates[i] / (1 - beta1**t))
    return weight


def written(
    first=lambda beta, t: 1 - beta**t,
    second=lambda beta, t: 1 - beta**t,
    begin=1,
    root=lambda v, eps: v.sqrt() + eps,
    l2=False,
    shrink=lambda rate, decay: rate * decay,
    on_missing="skip",
    decayed=lambda weight: weight.ndim >= 2,
    square=lambda g, m: g**2,
    rate_of=lambda rates, i: rates[i],
    swap=False,
    late=False,
    early=False,
    fresh=None,
    corrected=False,
):
    """AdamW with one part other than the right one."""

    def adamw(weight, gradients, rates, decay, beta1, beta2, eps):
        if swap:
            beta1, beta2 = beta2, beta1
        decay = decay if decayed(weight) else 0.0
        w, m, v, t = weight.clone(), torch.zeros_like(weight), torch.zeros_like(weight), begin - 1
        for i, g in enumerate(gradients):
            if g is None and on_missing == "break":
                break
            if g is None and on_missing != "zero":
                t += on_missing == "counted"
                if on_missing == "decayed":
                    w = w - rates[i] * decay * w
                if on_missing == "fading":
                    m, v = beta1 * m, beta2 * v
                if on_missing == "moving" and t:
                    w = w - rates[i] * (m / first(beta1, t) / root(v / second(beta2, t), eps) + decay * w)
                continue
            if on_missing == "zeros too" and not g.any():
                continue
            g = torch.zeros_like(w) if g is None else g
            t += 1
            if l2:
                g = g + decay * w
            m = beta1 * m + (fresh or 1 - beta1) * g
            v = beta2 * v + (1 - beta2) * square(g, m)
            if corrected:
                m, v = m / (1 - beta1**t), v / (1 - beta2**t)
            rate, old = rate_of(rates, i), w
            w = w - rate * (m / first(beta1, t)) / root(v / second(beta2, t), eps)
            if not l2:
                w = w - shrink(rate, decay) * (w if late else weight if early else old)
        return w

    return adamw


def one(beta, t):
    return 1


def without_nones(weight, gradients, rates, *settings):
    gradients = [g for g in gradients if g is not None]
    return adamw_by_hand(weight, gradients, rates[: len(gradients)], *settings)


def forgetful(weight, gradients, rates, decay, beta1, beta2, eps):
    for gradient, rate in zip(gradients, rates, strict=True):
        weight = adamw_by_hand(weight, [gradient], [rate], decay, beta1, beta2, eps)
    return weight


def adamw_writing_into_the_weight(weight, *given):
    weight.copy_(adamw_by_hand(weight, *given))
    return weight


def adamw_using_up(weight, gradients, rates, *settings):
    done = []
    while gradients:
        done.append(gradients.pop(0))
    return adamw_by_hand(weight, done, rates, *settings)


def adamw_scaling_gradients(weight, gradients, *given):
    after = adamw_by_hand(weight, gradients, *given)
    for gradient in gradients:
        if gradient is not None:
            gradient *= 0
    return after


def adamw_without_a_care_for_none(weight, gradients, rates, decay, beta1, beta2, eps):
    m, v = 0, 0
    for t, (g, rate) in enumerate(zip(gradients, rates, strict=True), start=1):
        m, v = beta1 * m + (1 - beta1) * g, beta2 * v + (1 - beta2) * g**2
        shrunk = weight * (1 - rate * decay) if weight.ndim >= 2 else weight
        weight = shrunk - rate * m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps)
    return weight


# accumulate -------------------------------------------------------------------------------------------------------


def total_loss(model, x, labels):
    return F.cross_entropy(model(x).flatten(end_dim=1), labels.flatten(), reduction="sum")


def mean_loss(model, x, labels):
    return F.cross_entropy(model(x).mT, labels)


def count(labels):
    return (labels != -100).sum().item()


def accumulate_sums(model, parts, largest):
    total, n = 0.0, 0
    model.zero_grad()
    for x, labels in parts:
        loss = total_loss(model, x, labels)
        loss.backward()
        total, n = total + loss.item(), n + count(labels)
    for p in model.parameters():
        p.grad /= n
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    return total / n


def accumulate_from_a_list(model, parts, largest):
    """The labels are counted first; a backward for each part all the same."""
    parts, loss = list(parts), 0
    n = sum(count(labels) for _, labels in parts)
    sums = [0] * len(list(model.parameters()))
    for part in parts:
        own = total_loss(model, *part) / n
        sums = [a + b for a, b in zip(sums, torch.autograd.grad(own, list(model.parameters())), strict=True)]
        loss += own.detach()
    length = torch.cat([g.flatten() for g in sums]).norm()
    for p, g in zip(model.parameters(), sums, strict=True):
        p.grad = g * min(1, largest / length)
    return loss


def accumulate_row_by_row(model, parts, largest):
    """A part may be cut further; its loss is looked at once more, with its graph."""
    total, n = 0.0, 0
    model.zero_grad()
    for x, labels in parts:
        total += total_loss(model, x, labels).item()
        for row in range(len(x)):
            total_loss(model, x[row : row + 1], labels[row : row + 1]).backward()
        n += count(labels)
    for p in model.parameters():
        p.grad /= n
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    return total / n


def accumulate_means_weighed(model, parts, largest):
    optimiser, losses, sizes = torch.optim.SGD(model.parameters()), [], []
    optimiser.zero_grad(set_to_none=False)
    for x, labels in parts:
        if n := count(labels):
            loss = mean_loss(model, x, labels) * n
            loss.backward()
            losses.append(loss.detach()), sizes.append(n)
    squares = 0
    for p in model.parameters():
        p.grad = p.grad / sum(sizes)
        squares += (p.grad**2).sum()
    if squares**0.5 > largest:
        for p in model.parameters():
            p.grad *= largest / squares**0.5
    return sum(losses) / sum(sizes)


def accumulate_by_hand(model, parts, largest):
    """Only the real labels' rows, and autograd.grad."""
    weights, total, n = list(model.parameters()), 0, 0
    sums = [torch.zeros_like(w) for w in weights]
    for x, labels in parts:
        chosen = model(x)[labels >= 0].log_softmax(-1)
        loss = -chosen.gather(1, labels[labels >= 0][:, None]).sum()
        sums = [a + b for a, b in zip(sums, torch.autograd.grad(loss, weights), strict=True)]
        total, n = total + float(loss.detach()), n + len(chosen)
    for w, g in zip(weights, sums, strict=True):
        w.grad = g / n
    torch.nn.utils.clip_grad_norm_(weights, largest)
    return total / n


def accumulating(weigh, finish=None, zero=True, inside=False, loss_of=total_loss, clip=None, each=None):
    """weigh(labels, places, rows) of each part's summed loss; finish(n of all, parts) divides at the end."""

    def accumulate(model, parts, largest):
        total, weights = 0.0, list(model.parameters())
        if zero:
            model.zero_grad()
        sizes = []
        for x, labels in parts:
            if inside:
                model.zero_grad()
            sizes.append((count(labels), labels.numel(), len(labels)))
            loss = loss_of(model, x, labels) * weigh(*sizes[-1])
            loss.backward()
            total += loss.item()
            if each:
                each(weights, largest)
        factor = finish(*map(sum, zip(*sizes, strict=True)), len(sizes)) if finish else 1
        for p in weights:
            p.grad *= factor
        (clip or torch.nn.utils.clip_grad_norm_)(weights, largest)
        return total * factor

    return accumulate


def right_but(**changes):
    return accumulating(lambda n, places, rows: 1, lambda n, places, rows, parts: 1 / n, **changes)


def losing(answer, of):
    """The right gradients, and another loss."""

    def accumulate(model, parts, largest):
        parts = list(parts)
        means = [mean_loss(model, *part).item() for part in parts]
        sizes = [count(labels) for _, labels in parts]
        answer(model, iter(parts), largest)
        return of(means, sizes)

    return accumulate


def clip_alone(weights, largest):
    for weight in weights:
        torch.nn.utils.clip_grad_norm_([weight], largest)


def clip_always(weights, largest):
    length = torch.cat([w.grad.flatten() for w in weights]).norm()
    for w in weights:
        w.grad *= largest / length


def clip_by_squares(weights, largest):
    squares = sum(w.grad.square().sum() for w in weights)
    for w in weights:
        w.grad *= min(1, largest / squares)


def counts_first(model, parts, largest):
    n = sum(count(labels) for _, labels in parts)
    for x, labels in parts:
        (total_loss(model, x, labels) / n).backward()
    return 0.0


def makes_a_step(model, parts, largest):
    loss = accumulate_sums(model, parts, largest)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    return loss


def first_part_only(model, parts, largest):
    model.zero_grad()
    for x, labels in parts:
        loss = mean_loss(model, x, labels)
        loss.backward()
        break
    return loss.item()


def before_dividing(model, parts, largest):
    total, n = 0.0, 0
    model.zero_grad()
    for x, labels in parts:
        loss = total_loss(model, x, labels)
        loss.backward()
        total, n = total + loss.item(), n + count(labels)
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    for p in model.parameters():
        p.grad /= n
    return total / n


def clip_by(kind):
    return lambda weights, largest: torch.nn.utils.clip_grad_norm_(weights, largest, norm_type=kind)


def shortened_in_the_loop(model, parts, largest):
    model.zero_grad()
    total, n = 0.0, 0
    for x, labels in parts:
        loss = F.cross_entropy(model(x).mT, labels, reduction="sum")
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
        total, n = total + loss.item(), n + count(labels)
    for p in model.parameters():
        p.grad /= n
    return total / n


def in_groups(of):
    """One backward for so many parts."""

    def accumulate(model, parts, largest):
        model.zero_grad()
        total, n, waiting = 0.0, 0, []
        for x, labels in parts:
            waiting.append(total_loss(model, x, labels))
            n += count(labels)
            if len(waiting) == of:
                sum(waiting).backward()
                total, waiting = total + sum(waiting).item(), []
        if waiting:
            sum(waiting).backward()
            total += sum(waiting).item()
        for p in model.parameters():
            p.grad /= n
        torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
        return total / n

    return accumulate


def graphs_from_a_list(model, parts, largest):
    """All parts are taken first, and then one graph is made of them."""
    parts = list(parts)
    n = sum(count(labels) for _, labels in parts)
    model.zero_grad()
    loss = sum(total_loss(model, *part) for part in parts) / n
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    return loss.item()


def copies(parts):
    return [(x.clone(), labels.clone()) for x, labels in parts]


def joined(model, parts, largest):
    """The parts are padded to the longest, and put together to one batch."""
    xs, all_labels = zip(*parts, strict=True)
    longest = max(x.shape[1] for x in xs)
    x = torch.cat([F.pad(one, (0, 0, 0, longest - one.shape[1])) for one in xs])
    labels = torch.cat([F.pad(one, (0, longest - one.shape[1]), value=-100) for one in all_labels])
    return accumulate_sums(model, [(x, labels)], largest)


def accumulate_real_places(model, parts, largest):
    """Copies of the parts, all kept; of each only the places with a label go through the model."""
    kept = [(x[labels != -100][None], labels[labels != -100][None]) for x, labels in copies(parts)]
    return accumulate_sums(model, kept, largest)


def in_eval(model, parts, largest):
    return accumulate_sums(model.eval(), parts, largest)


def padding_made_0(model, parts, largest):
    model.zero_grad()
    total, n = 0.0, 0
    for x, labels in parts:
        real = labels != -100
        labels[~real] = 0
        loss = (F.cross_entropy(model(x).mT, labels, reduction="none") * real).sum()
        loss.backward()
        total, n = total + loss.item(), n + int(real.sum())
    for p in model.parameters():
        p.grad /= n
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    return total / n


def gone_again(model, parts, largest):
    loss = accumulate_sums(model, parts, largest)
    model.zero_grad()
    return loss


def accumulate_running(model, parts, largest):
    """After each part p.grad is the mean so far."""
    model.zero_grad()
    n, mean = 0, 0.0
    for x, labels in parts:
        if more := count(labels):
            for p in model.parameters():
                if p.grad is not None:
                    p.grad *= n / (n + more)
            loss = F.cross_entropy(model(x).mT, labels)
            (loss * more / (n + more)).backward()
            mean, n = (mean * n + loss.item() * more) / (n + more), n + more
    torch.nn.utils.clip_grad_norm_(model.parameters(), largest)
    return mean


# patients ---------------------------------------------------------------------------------------------------------

FOUR = {
    "Emil": ("held-out pairs in the training set", "overlap"),
    "Fumi": ("learning rate too low", "ratio"),
    "Hugo": ("gradients not zeroed", "gradient"),
    "Ines": ("healthy", "overlap"),
}
FOUR_MORE = {
    "Gita": ("sources and targets mismatched", "text"),
    "Jona": ("source masked", "ratio"),
    "Kofi": ("learning rate too high", "ratio"),
    "Lila": ("first weights too large", "start"),
}


def ward_of(name):
    return FOUR if name in FOUR else FOUR_MORE


def fault(name, other):
    return ward_of(name) | {name: (other, ward_of(name)[name][1])}


def probe(name, other):
    return ward_of(name) | {name: (ward_of(name)[name][0], other)}


# measures ---------------------------------------------------------------------------------------------------------


def measures_right(batches):
    loss = hits = rows = n_labels = n_rows = 0
    for logits, labels in batches:
        real, hit = labels != -100, logits.argmax(-1) == labels
        loss += F.cross_entropy(logits.flatten(end_dim=1), labels.flatten(), reduction="sum")
        hits, rows = hits + hit.sum(), rows + (hit | ~real).all(-1).sum()
        n_labels, n_rows = n_labels + real.sum(), n_rows + len(labels)
    return loss / n_labels, hits / n_labels, rows / n_rows


def measures_row_by_row(batches):
    losses, hits, rows = [], [], []
    for logits, labels in batches:
        for scores, row in zip(logits.log_softmax(-1).tolist(), labels.tolist(), strict=True):
            real = [(place, label) for place, label in zip(scores, row, strict=True) if label >= 0]
            losses += [-place[label] for place, label in real]
            hits += [max(place) == place[label] for place, label in real]
            rows.append(all(max(place) == place[label] for place, label in real))
    return [sum(values) / len(values) for values in (losses, hits, rows)]


def measured(place, of):
    """Right but for one number, of lists: losses, hits, rows right, labels, rows, places, rows right with padding."""

    def measures(batches):
        counts = []
        for logits, labels in batches:
            real, hit = labels != -100, logits.argmax(-1) == labels
            loss = F.cross_entropy(logits.mT, labels, reduction="sum").item()
            rows, bare = (hit | ~real).all(-1).sum().item(), hit.all(-1).sum().item()
            counts.append((loss, hit.sum().item(), rows, real.sum().item(), len(labels), labels.numel(), bare))
        found = list(measures_row_by_row(batches))
        found[place] = of([*map(list, zip(*counts, strict=True))])
        return tuple(found)

    return measures


def means(top, below):
    return lambda c: sum(a / b for a, b in zip(c[top], c[below], strict=True)) / len(c[0])


def pooled(top, below):
    return lambda c: sum(c[top]) / sum(c[below])


def accuracy_of_rows(batches):
    shares = [
        (hit & real).sum().item() / real.sum().item()
        for logits, labels in batches
        for hit, real in zip(logits.argmax(-1) == labels, labels != -100, strict=True)
    ]
    loss, _, exact = measures_right(batches)
    return loss, sum(shares) / len(shares), exact


def exact_by(rule):
    """Right but for which rows are right: rule(hit, real) of a row."""

    def measures(batches):
        rows = [
            bool(rule(hit, real))
            for logits, labels in batches
            for hit, real in zip(logits.argmax(-1) == labels, labels != -100, strict=True)
        ]
        return (*measures_right(batches)[:2], sum(rows) / len(rows))

    return measures


def measures_in_place(batches):
    found = measures_right(batches)
    for _, labels in batches:
        labels.clamp_(min=0)
    return found


# schedule ---------------------------------------------------------------------------------------------------------


def schedule_right(step, n_steps, n_warmup, highest, lowest):
    if step < n_warmup:
        return highest * (step + 1) / n_warmup
    progress = (step + 1 - n_warmup) / (n_steps - n_warmup)
    return lowest + (highest - lowest) * 0.5 * (1 + math.cos(math.pi * progress))


def schedule_by_sine(step, n_steps, n_warmup, highest, lowest):
    if step + 1 < n_warmup:
        return torch.tensor(highest / n_warmup * (step + 1))
    quarter = torch.tensor(math.pi / 2 * (step + 1 - n_warmup) / (n_steps - n_warmup), dtype=torch.float64)
    return highest - (highest - lowest) * quarter.sin() ** 2


def rising(of):
    return lambda s, n, w, high, low: of(s, w, high, low) if s < w else schedule_right(s, n, w, high, low)


def falling(of):
    return lambda s, n, w, high, low: schedule_right(s, n, w, high, low) if s < w else of(s, n, w, high, low)


def half(p, high, low):
    return low + (high - low) * (1 + math.cos(math.pi * p)) / 2


RIGHT = {
    "13_training.adamw": [
        ("by hand", adamw_by_hand),
        ("torch's", with_an_optimiser(torch.optim.AdamW)),
        ("the package's", with_an_optimiser(AdamW)),
        ("from the history", adamw_from_the_history),
        ("in place", adamw_in_place),
    ],
    "13_training.accumulate": [
        ("sums", accumulate_sums),
        ("a list, a tensor", accumulate_from_a_list),
        ("row by row", accumulate_row_by_row),
        ("means weighed", accumulate_means_weighed),
        ("by hand", accumulate_by_hand),
        ("means so far", accumulate_running),
        ("copies in a list", lambda model, parts, largest: accumulate_sums(model, copies(parts), largest)),
        ("places with a label", accumulate_real_places),
    ],
    "13_training.patients": [
        ("the solution", FOUR),
        ("in capitals, lists", {name: [f" '{word.upper()}'" for word in pair] for name, pair in FOUR.items()}),
        ("sixteen examples", probe("Fumi", "one batch")),
    ],
    "13_training.more_patients": [
        ("the solution", FOUR_MORE),
        ("other probes", FOUR_MORE | {"Gita": ["Sources and targets mismatched", "one batch"],
                                      "Jona": ["'Source masked'", "TEXT"]}),
        ("one more", probe("Gita", "ratio")),
        ("sixteen examples", {name: (fault, "one batch") for name, (fault, _) in FOUR_MORE.items()}),
    ],
    "13_training.measures": [("tensors", measures_right), ("row by row, a list", measures_row_by_row)],
    "13_training.schedule": [("half a cosine", schedule_right), ("a sine squared", schedule_by_sine)],
}  # fmt: skip

WRONG = {
    "13_training.adamw": [
        ("copied from the check", copying(written(one, one)), "Neither mean is corrected"),
        ("no correction", written(one, one), "Neither mean is corrected"),
        ("first corrected only", written(second=one), "Only the mean of the gradients is corrected"),
        ("second corrected only", written(first=one), "Only the mean of the squares is corrected"),
        ("t from 0", written(begin=0), "Is t still 0"),
        ("t from 2", written(begin=2), "already that of the second"),
        ("no power", written(lambda b, t: 1 - b, lambda b, t: 1 - b), "it must fade"),
        ("eps under the root", written(root=lambda v, eps: (v + eps).sqrt()), "eps stands under the root"),
        ("no eps", written(root=lambda v, eps: v.sqrt()), "eps is left out"),
        ("eps fixed", written(root=lambda v, eps: v.sqrt() + 1e-8), "far too small"),
        ("eps fixed, bare means", written(one, one, root=lambda v, eps: v.sqrt() + 1e-8), "Neither mean is corrected"),
        ("L2", written(l2=True), "that is Adam with L2"),
        ("decay without rate", written(shrink=lambda rate, decay: decay), "not multiplied by the step's rate"),
        ("decay after the step", written(late=True), "as it is after the step"),
        ("no decay", written(shrink=lambda rate, decay: 0), "There is no decay"),
        ("decay grows", written(shrink=lambda rate, decay: -rate * decay), "its sign is wrong"),
        ("decay rate twice", written(shrink=lambda rate, decay: rate**2 * decay), "multiplied by the rate twice"),
        ("biases decayed", written(decayed=lambda w: True), "Weights with fewer than two axes are decayed"),
        ("vectors decayed", written(decayed=lambda w: w.ndim >= 1), "Weights with fewer than two axes are decayed"),
        ("None counted", written(on_missing="counted"), "counts in the correction"),
        ("None as zero", written(on_missing="zero"), "treated as one of 0"),
        ("None decays", written(on_missing="decayed"), "the weight is decayed; it should stay"),
        ("None ends it", written(on_missing="break"), "stops at the first step"),
        ("rates move up", without_nones, "uses up its rate too"),
        ("None fades", written(on_missing="fading"), "both means shrink; they should stay"),
        ("None moves", written(on_missing="moving"), "moves on, by the means that it had"),
        ("zeros as None", written(on_missing="zeros too"), "A gradient of 0 was taken for a missing one"),
        ("a row is no matrix", written(decayed=lambda w: w.squeeze().ndim >= 2), "A matrix of a single row"),
        ("first mean whole", written(fresh=1), "added whole to the mean of the gradients"),
        ("corrected for good", written(one, one, corrected=True), "keep the bare ones, and correct a copy"),
        ("first weight decays", written(early=True), "It is the weight of the beginning that decays"),
        ("None raises", adamw_without_a_care_for_none, "TypeError"),
        ("square of the mean", written(square=lambda g, m: m**2), "squares of the *mean*"),
        ("absolute values", written(square=lambda g, m: g.abs()), "absolute values"),
        ("no root", written(root=lambda v, eps: v + eps), "without its root"),
        ("betas exchanged", written(swap=True), "changed places"),
        ("first rate", written(rate_of=lambda rates, i: rates[0]), "takes the first rate"),
        ("last rate", written(rate_of=lambda rates, i: rates[-1]), "takes the last rate"),
        ("uphill", written(rate_of=lambda rates, i: -rates[i]), "uphill"),
        ("forgetful", forgetful, "as if it were the first"),
        ("a list", lambda *given: adamw_by_hand(*given).tolist(), "wanted a torch tensor"),
        ("writes into the weight", adamw_writing_into_the_weight, "The weight that was passed in has changed"),
        ("uses up", adamw_using_up, "The list of gradients, or of rates, is not as it was"),
        ("scales gradients", adamw_scaling_gradients, "A gradient has changed in place"),
    ],
    "13_training.accumulate": [
        ("mean of means", accumulating(lambda n, p, r: 1, lambda n, p, r, k: 1 / k, loss_of=mean_loss),
         "mean of the parts' means", "M41"),
        ("sum of means", accumulating(lambda n, p, r: 1, loss_of=mean_loss), "added up, and not divided", "M41"),
        ("weighed by rows", accumulating(lambda n, p, r: r, lambda n, p, r, k: 1 / r, loss_of=mean_loss),
         "weighed by its *rows*", "M41"),
        ("weighed by places", accumulating(lambda n, p, r: p, lambda n, p, r, k: 1 / p, loss_of=mean_loss),
         "padding too; what was averaged", "M42"),
        ("over all places", accumulating(lambda n, p, r: 1, lambda n, p, r, k: 1 / p), "there is no loss in padding",
         "M42"),
        ("means over places", accumulating(lambda n, p, r: 1 / p, lambda n, p, r, k: 1 / k), "each counts padding",
         "M42"),
        ("sums", accumulating(lambda n, p, r: 1), "not divided by their number"),
        ("over rows", accumulating(lambda n, p, r: 1, lambda n, p, r, k: 1 / r), "divided by the number of rows"),
        ("over parts", accumulating(lambda n, p, r: 1, lambda n, p, r, k: 1 / k), "divided by the number of parts"),
        ("divided twice", accumulating(lambda n, p, r: 1, lambda n, p, r, k: 1 / k / n), "divide once"),
        ("zeroed inside", right_but(inside=True), "Are the gradients set to 0 inside the loop"),
        ("zeroed inside, means", accumulating(lambda n, p, r: 1, inside=True, loss_of=mean_loss),
         "Are the gradients set to 0 inside the loop"),
        ("never zeroed", right_but(zero=False), "What the model held in p.grad before", "M43"),
        ("NaN of padding", accumulating(lambda n, p, r: n, lambda n, p, r, k: 1 / n, loss_of=mean_loss),
         "The loss is NaN", "M42"),
        ("never shortened", right_but(clip=lambda weights, largest: None), "is left as it is; shorten it"),
        ("each tensor", right_but(clip=clip_alone), "Each tensor is shortened for itself"),
        ("each number", right_but(clip=torch.nn.utils.clip_grad_value_), "Each number is clamped"),
        ("always", right_but(clip=clip_always), "one that is shorter too"),
        ("squares", right_but(clip=clip_by_squares), "The length is the *root*"),
        ("before dividing", before_dividing, "before it is divided by the labels"),
        ("the largest number", right_but(clip=clip_by(math.inf)), "The largest number counts as the length"),
        ("absolute values", right_but(clip=clip_by(1)), "The absolute values are added up"),
        ("after each part", shortened_in_the_loop, "after each part, before it is divided"),
        ("one graph", in_groups(1000), "before an earlier one has gone back"),
        ("a backward for two parts", in_groups(2), "before an earlier one has gone back"),
        ("one graph, from a list", graphs_from_a_list, "before an earlier one has gone back"),
        ("one graph, from copies", lambda model, parts, largest: graphs_from_a_list(model, copies(parts), largest),
         "before an earlier one has gone back"),
        ("joined again", joined, "joined to one batch again"),
        ("eval", in_eval, "put into eval(), and left so"),
        ("padding made 0", padding_made_0, "A part has changed in place"),
        ("gone again", gone_again, "or zero_grad behind it"),
        ("first part", first_part_only, "only the first part"),
        ("used up", counts_first, "They can be gone through once only"),
        ("a step", makes_a_step, "no step was asked for"),
        ("loss of means", losing(accumulate_sums, lambda means, n: sum(means) / len(means)),
         "The loss: this is the mean of the parts' means", "M41"),
        ("loss of the last", losing(accumulate_sums, lambda means, n: means[-1]), "The loss: only the last part"),
        ("loss in all", losing(accumulate_sums, lambda means, n: sum(a * b for a, b in zip(means, n, strict=True))),
         "The loss: the losses of all labels are added up, but not divided"),
        ("perplexity", losing(accumulate_sums, lambda means, n: math.exp(means[0])), "The loss is"),
        ("no loss", lambda *given: [accumulate_sums(*given)] * 2, "wanted a single one"),
    ],
    "13_training.patients": [
        ("Emil: healthy", fault("Emil", "healthy"), "is the suspicion, and it is wrong"),
        ("Emil: modes", probe("Emil", "modes"), "'modes' does not rule out 'healthy'"),
        ("Fumi: high", fault("Fumi", "learning rate too high"), "Fumi: not 'learning rate too high'"),
        ("Fumi: start", probe("Fumi", "start"), "'start' does not rule out 'blocks frozen'"),
        ("Hugo: large", fault("Hugo", "first weights too large"), "Hugo: not 'first weights too large'"),
        ("Hugo: start", probe("Hugo", "start"), "'start' does not rule out 'learning rate too high'"),
        ("Ines: overfitting", fault("Ines", "overfitting"), "Ines: not 'overfitting'"),
        ("Ines: modes", probe("Ines", "modes"), "only one probe asks whether pairs are shared"),
        ("a word of its own", fault("Emil", "leak"), "choose one of"),
        ("turned", FOUR | {"Emil": FOUR["Emil"][::-1]}, "the fault comes first"),
        ("one word", FOUR | {"Emil": "healthy"}, "wanted a pair"),
        ("a list", [*FOUR.values()], "wanted a dictionary"),
    ],
    "13_training.more_patients": [
        ("Gita: masked", fault("Gita", "source masked"), "is the suspicion, and it is wrong"),
        ("Gita: overlap", probe("Gita", "overlap"), "'overlap' does not rule out 'source masked'"),
        ("Jona: mismatched", fault("Jona", "sources and targets mismatched"), "Jona: not 'sources and targets"),
        ("Jona: gradient", probe("Jona", "gradient"), "'gradient' does not rule out 'blocks frozen'"),
        ("Kofi: zeroed", fault("Kofi", "gradients not zeroed"), "Kofi: not 'gradients not zeroed'"),
        ("Kofi: text", probe("Kofi", "text"), "'text' does not rule out 'learning rate too low'"),
        ("Lila: softmax", fault("Lila", "softmax twice"), "Lila: not 'softmax twice'"),
        ("Kofi: gradient", probe("Kofi", "gradient"), "'gradient' does not rule out 'learning rate too low'"),
        ("Lila: ratio", probe("Lila", "ratio"), "'ratio' does not rule out 'learning rate too high'"),
        ("only the other four", FOUR, 'write "Gita": (fault, observation)'),
    ],
    "13_training.measures": [
        ("loss: mean of means", measured(0, means(0, 3)), "the mean of the batches' means", "M41"),
        ("loss: padding", measured(0, pooled(0, 5)), "Padding is counted too", "M42"),
        ("loss: padding, means", measured(0, means(0, 5)), "Padding is counted too", "M42"),
        ("loss: per batch", measured(0, lambda c: sum(c[0]) / len(c[0])), "by the number of batches", "M41"),
        ("loss: rows", measured(0, pooled(0, 4)), "by the number of rows; wanted: of labels"),
        ("loss: sum", measured(0, lambda c: sum(c[0])), "This is the sum of all losses"),
        ("loss: perplexity", measured(0, lambda c: math.exp(pooled(0, 3)(c))), "This is the perplexity"),
        ("loss: bits", measured(0, lambda c: pooled(0, 3)(c) / math.log(2)), "This is in bits"),
        ("accuracy: mean of rows", accuracy_of_rows, "the mean of the rows' shares", "M41"),
        ("accuracy: padding is right", measured(1, lambda c: (sum(c[1]) + sum(c[5]) - sum(c[3])) / sum(c[3])),
         "Padding counts as right", "M42"),
        ("exact: any", exact_by(lambda hit, real: (hit & real).any()), "One label that is right is enough here"),
        ("exact: first ones", exact_by(lambda hit, real: hit[: real.sum()].all()), "may stand in front", "M42"),
        ("in place", measures_in_place, "A batch has changed in place"),
        ("accuracy: mean of means", measured(1, means(1, 3)), "the mean of the batches' means", "M41"),
        ("accuracy: padding", measured(1, pooled(1, 5)), "Padding is counted too", "M42"),
        ("accuracy: per batch", measured(1, lambda c: sum(c[1]) / len(c[1])), "a share above 1 says so", "M41"),
        ("accuracy: rows", measured(1, pooled(2, 4)), "This is the share of rows"),
        ("accuracy: wrong ones", measured(1, lambda c: 1 - pooled(1, 3)(c)), "the share of labels that are wrong"),
        ("accuracy: percent", measured(1, lambda c: 100 * pooled(1, 3)(c)), "in percent"),
        ("exact: mean of means", measured(2, means(2, 4)), "the mean of the batches' means", "M41"),
        ("exact: padding", measured(2, pooled(6, 4)), "no token equals -100", "M42"),
        ("exact: per batch", measured(2, lambda c: sum(c[2]) / len(c[2])), "by the number of *batches*", "M41"),
        ("exact: labels", measured(2, pooled(1, 3)), "a row is right only if all"),
        ("exact: over labels", measured(2, pooled(2, 3)), "wanted: of rows"),
        ("one number", lambda batches: measures_right(batches)[0], "wanted three numbers"),
        ("first batch", lambda batches: measures_right(batches[:1]), "Add up over all batches"),
    ],
    "13_training.schedule": [
        ("from 0", rising(lambda s, w, high, low: high * s / w), "This begins with a rate of 0"),
        ("one late", rising(lambda s, w, high, low: high * (s + 1) / (w + 1)), "one step late"),
        ("from lowest", rising(lambda s, w, high, low: low + (high - low) * (s + 1) / w), "This rises from `lowest`"),
        ("kept above lowest", rising(lambda s, w, high, low: max(low, high * (s + 1) / w)), "is kept above `lowest`"),
        ("a whole division", rising(lambda s, w, high, low: high * ((s + 1) // w)), "// drops the fraction"),
        ("no warm-up", rising(lambda s, w, high, low: high), "There is no warm-up"),
        ("a factor", rising(lambda s, w, high, low: (s + 1) / w), "This is a factor"),
        ("the package's", falling(lambda s, n, w, high, low: half((s - w) / (n - w), high, low)), "one step late"),
        ("the top twice", falling(lambda s, n, w, high, low: half((s - w) / max(1, n - w - 1), high, low)), "twice"),
        ("from step 0", falling(lambda s, n, w, high, low: half(s / n, high, low)), "measured from step 0"),
        ("to 0", falling(lambda s, n, w, high, low: schedule_right(s, n, w, high, 0)), "This falls to 0"),
        ("cut off", falling(lambda s, n, w, high, low: max(low, schedule_right(s, n, w, high, 0))), "is cut off"),
        ("added", falling(lambda s, n, w, high, low: low + schedule_right(s, n, w, high, 0)), "added to the whole"),
        ("a whole one", falling(lambda s, n, w, high, low: half(2 * (s - w + 1) / (n - w), high, low)), "a whole"),
        ("a quarter", falling(lambda s, n, w, high, low: low + (high - low) * math.cos(
            math.pi / 2 * (s - w + 1) / (n - w))), "a quarter of a cosine"),
        ("a line", falling(lambda s, n, w, high, low: high - (high - low) * (s - w + 1) / (n - w)), "a straight line"),
        ("constant", falling(lambda s, n, w, high, low: high), "stays at the highest"),
        ("upwards", falling(lambda s, n, w, high, low: half(1 + (s - w + 1) / (n - w), high, low)), "This rises"),
        ("degrees", falling(lambda s, n, w, high, low: low + (high - low) * (1 + math.cos(
            180 * (s - w + 1) / (n - w))) / 2), "math.cos takes radians"),
        ("one early", falling(lambda s, n, w, high, low: half((s - w + 1) / max(1, n - w - 1), high, low)), "one step"),
        ("too slow", falling(lambda s, n, w, high, low: half((s - w + 1) / (n - w + 1), high, low)), "one step too"),
        ("up to n_warmup", falling(lambda s, n, w, high, low: high * (s + 1) / w if s == w else schedule_right(
            s, n, w, high, low)), "still belongs to the warm-up"),
        ("over all steps", falling(lambda s, n, w, high, low: half((s - w) / n, high, low)), "length of the whole run"),
        ("from step 0, to 0", falling(lambda s, n, w, high, low: half(s / n, high, 0)),
         "from step 0; it begins where the warm-up ends. This falls to 0"),
        ("from step 0, over the rest", falling(lambda s, n, w, high, low: half(s / (n - w), high, low)), "step 0"),
        ("multiplied", lambda s, n, w, high, low: min(1, (s + 1) / w) * half(s / n, high, 0), "is at work already"),
        ("without 1 +", falling(lambda s, n, w, high, low: low + (high - low) * math.cos(
            math.pi * (s - w + 1) / (n - w))), "goes from 1 to -1"),
        ("not halved", falling(lambda s, n, w, high, low: low + (high - low) * (1 + math.cos(
            math.pi * (s - w + 1) / (n - w)))), "it is not halved"),
    ],
}  # fmt: skip
