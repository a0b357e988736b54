"""Lesson 13: the checks of a learning rate that rises and falls."""

import math

from ...checking import Wrong, check
from ...draw import draw
from ..common import apart, fitting, one_number

SETTINGS = (100, 12, 0.003, 0.0002), (90, 7, 0.02, 0.003), (130, 9, 0.0011, 0.00013)


class schedule:
    answers = ("schedule(step, n_steps, n_warmup, highest, lowest)",)

    @check("the warm-up", 1)
    def warmup(schedule):
        n_steps, n_warmup, *rates = draw.one_of(*SETTINGS)
        judge(schedule, [(step, n_steps, n_warmup, *rates) for step in range(n_warmup)])

    @check("half a cosine", 1.5)
    def cosine(schedule):
        n_steps, n_warmup, *rates = draw.one_of(*SETTINGS)
        judge(schedule, [(step, n_steps, n_warmup, *rates) for step in range(n_warmup, n_steps, 5)])

    @check("the last steps, and short runs", 0.5)
    def ends(schedule):
        n_steps, n_warmup, *rates = draw.one_of(*SETTINGS)
        judge(schedule, [(n_steps - 2, n_steps, n_warmup, *rates), (n_steps - 1, n_steps, n_warmup, *rates)])
        judge(schedule, [(step, n_warmup + 1, n_warmup, *rates) for step in range(n_warmup + 1)])
        judge(schedule, [(step, 4, 1, *rates) for step in range(4)])


def falling(progress, step, n, w, high, low) -> float:
    """Half a cosine from high to low, by a progress from 0 to 1."""
    return low + (high - low) * (1 + math.cos(math.pi * progress(step, n, w))) / 2


def rate(step, n, w, high, low) -> float:
    """The specification."""
    if step < w:
        return high * (step + 1) / w
    return falling(lambda step, n, w: (step - w + 1) / (n - w), step, n, w, high, low)


def judge(schedule, cases: list[tuple]) -> None:
    answers = [one_number(schedule(*case), "schedule(...)") for case in cases]
    for case, got in zip(cases, answers, strict=True):
        wanted = rate(*case)
        if not math.isclose(got, wanted, rel_tol=1e-5):
            words = fitting(answers, cases, RISING if case[0] < case[2] else FALLING) or [""]
            yours, right = apart(got, wanted)
            raise Wrong(f"schedule{case} is {yours}; wanted {right}. {words[0]}".strip())


# (formula, what to tell those who use it), for the warm-up
RISING = (
    (lambda step, n, w, high, low: high * step / w, "This begins with a rate of 0: in step 0 nothing would be learnt."),
    (
        lambda step, n, w, high, low: high * (step + 1) / (w + 1),
        "This reaches the highest rate one step late: n_warmup steps rise, from step 0 to step n_warmup - 1.",
    ),
    (
        lambda step, n, w, high, low: high * step / max(1, w - 1),
        "This begins with a rate of 0, and takes n_warmup - 1 equal steps; wanted: n_warmup of them.",
    ),
    (
        lambda step, n, w, high, low: low + (high - low) * (step + 1) / w,
        "This rises from `lowest`; the warm-up rises from 0, in equal amounts, and `lowest` is where the cosine ends.",
    ),
    (
        lambda step, n, w, high, low: low + (high - low) * step / w,
        "This rises from `lowest`; the warm-up rises from 0, in equal amounts, and `lowest` is where the cosine ends.",
    ),
    (
        lambda step, n, w, high, low: max(low, high * (step + 1) / w),
        "The rate is kept above `lowest`; the warm-up begins below it, near 0. `lowest` is where the cosine ends.",
    ),
    (
        lambda step, n, w, high, low: high * ((step + 1) // w),
        "Until the last step of the warm-up the rate is 0: // drops the fraction. Divide with /.",
    ),
    (lambda step, n, w, high, low: high, "There is no warm-up: the highest rate stands in every step."),
    (lambda step, n, w, high, low: (step + 1) / w, "This is a factor; wanted: the rate itself, times `highest`."),
)
# The steps after it are a progress from 0 to 1, and a height by it. Of each: the right one, and how it is missed.
FROM_0 = "The cosine's way is measured from step 0; it begins where the warm-up ends."
WAY = "from step n_warmup - 1 to step n_steps - 1 it is n_steps - n_warmup steps."
WHOLE_RUN = f"The cosine's way is divided by the length of the whole run; {WAY}"
PROGRESSES = (
    (lambda step, n, w: (step - w + 1) / (n - w), ""),
    (
        lambda step, n, w: (step - w) / (n - w),
        "The cosine begins one step late and never reaches its end: its top is in step n_warmup - 1, and its end in "
        "step n_steps - 1.",
    ),
    (
        lambda step, n, w: (step - w) / max(1, n - w - 1),
        "The highest rate stands twice: the cosine is at its top in step n_warmup - 1, the last one of the warm-up.",
    ),
    *((of, FROM_0) for of in (
        lambda step, n, w: step / n,
        lambda step, n, w: (step + 1) / n,
        lambda step, n, w: step / (n - 1),
        lambda step, n, w: step / (n - w),
        lambda step, n, w: (step + 1) / (n - w),
    )),
    *((of, WHOLE_RUN) for of in (
        lambda step, n, w: (step - w) / n,
        lambda step, n, w: (step - w + 1) / n,
        lambda step, n, w: (step - w) / (n - 1),
        lambda step, n, w: (step - w + 1) / (n - 1),
    )),
    (lambda step, n, w: (step - w + 1) / max(1, n - w - 1), f"The end of the cosine comes one step early: {WAY}"),
    (lambda step, n, w: (step - w + 1) / (n - w + 1), f"The end of the cosine would come one step too late: {WAY}"),
    (lambda step, n, w: (step - w) / (n - w + 1), f"The cosine begins one step late and is too slow: {WAY}"),
    (lambda step, n, w: 2 * (step - w + 1) / (n - w), "This is a whole cosine, which rises again; wanted: half one."),
)  # fmt: skip


def half(p: float) -> float:
    return (1 + math.cos(math.pi * p)) / 2


LINE = "This falls along a straight line; wanted: half a cosine."
QUARTER = "This is a quarter of a cosine, which ends steeply; wanted: half of one, flat at both ends."
HEIGHTS = (
    (lambda p, high, low: low + (high - low) * half(p), ""),
    (lambda p, high, low: high * half(p), "This falls to 0; wanted: to `lowest`."),
    (
        lambda p, high, low: max(low, high * half(p)),
        "This falls towards 0 and is cut off at `lowest`; wanted: a cosine that ends at `lowest`.",
    ),
    (
        lambda p, high, low: low + high * half(p),
        "`lowest` is added to the whole; the cosine goes from `highest` to `lowest`, a way of highest - lowest.",
    ),
    (lambda p, high, low: low + (high - low) * 2 * half(p), "1 + cos goes from 2 to 0: it is not halved."),
    (
        lambda p, high, low: low + (high - low) * math.cos(math.pi * p),
        "The cosine alone goes from 1 to -1; wanted: half of 1 + cos, which goes from 1 to 0.",
    ),
    (
        lambda p, high, low: low + (high - low) * (1 + math.cos(180 * p)) / 2,
        "math.cos takes radians: half a turn is math.pi, not 180.",
    ),
    (lambda p, high, low: low + (high - low) * math.cos(math.pi * p / 2), QUARTER),
    (lambda p, high, low: high * math.cos(math.pi * p / 2), QUARTER),
    (lambda p, high, low: high - (high - low) * p, LINE),
    (lambda p, high, low: high * (1 - p), LINE),
    (lambda p, high, low: high, "After the warm-up the rate stays at the highest; wanted: half a cosine down."),
    (lambda p, high, low: low + (high - low) * (1 - half(p)), "This rises: the cosine's sign is wrong."),
    (lambda p, high, low: low / high + (1 - low / high) * half(p), "This is a factor; wanted: the rate itself."),
    (lambda p, high, low: half(p), "This is a factor; wanted: the rate itself, from `highest` to `lowest`."),
)
WAYS = [(*one, *other) for one in PROGRESSES for other in HEIGHTS]
WAYS.sort(key=lambda way: bool(way[1]) + bool(way[3]))  # one fault before two; the first of all is right
# (formula, what to tell those who use it), for the steps after the warm-up
FALLING = (
    (
        lambda step, n, w, high, low: high * (step + 1) / w if step == w else rate(step, n, w, high, low),
        "Step n_warmup still belongs to the warm-up here: its last one is n_warmup - 1, since the first one is 0.",
    ),
    *(
        (lambda step, n, w, *ends, p=p, of=of: of(p(step, n, w), *ends), f"{one} {other}".strip())
        for p, one, of, other in WAYS[1:]
    ),
)
# An answer may also multiply the two parts, in all steps.
RISING += tuple(
    (
        lambda step, n, w, *ends, p=p, of=of: (step + 1) / w * of(p(step, n, w), *ends),
        "The cosine is at work already; in the warm-up the rate rises in equal amounts.",
    )
    for p, _, of, _ in WAYS
)
