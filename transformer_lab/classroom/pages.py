"""The report's pages: plain HTML without scripts, every text from outside escaped."""

import html
from urllib.parse import quote

from .trusted import card

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # nothing on a page runs, and nothing is fetched
STYLE = """
:root { color-scheme: light dark }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em;
  overflow-wrap: anywhere }
table { border-collapse: collapse; margin: 1em 0; width: 100% }
th, td { text-align: left; padding: 4px 12px 4px 0; vertical-align: top; border-bottom: 1px solid #8884 }
.number { text-align: right; white-space: nowrap }
.name { white-space: nowrap }
th { overflow-wrap: normal }
.bar { display: inline-block; width: 8em; height: .8em; background: #8883; border-radius: 3px }
.bar span { display: block; height: 100%; background: #2e7d32; border-radius: 3px }
.none { color: #c62828; font-weight: 600 }
@media (prefers-color-scheme: dark) { .none { color: #ff8a80 } .bar span { background: #66bb6a } }
h2 { margin-top: 2em }
"""


def page(title: str, body: str) -> str:
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escaped(title)}</title>'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style></head>\n'
        f"<body><h1>{escaped(title)}</h1>\n{body}</body></html>\n"
    )


def escaped(text: str) -> str:
    return html.escape(str(text))


def table(headings: list[tuple[str, bool]], rows: list[list[str]]) -> str:
    """A table of cells that are HTML already; headings say which columns are numbers."""
    kinds = [' class="number"' if number else "" for _, number in headings]
    head = "".join(f'<th scope="col"{kind}>{name}</th>' for (name, _), kind in zip(headings, kinds, strict=True))
    body = "".join(
        "<tr>" + "".join(f"<td{kind}>{cell}</td>" for cell, kind in zip(row, kinds, strict=True)) + "</tr>\n"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def learners_page(student: str, results: list, points: dict) -> str:
    """The cards of one learner, drawn anew from their data."""
    parts = []
    for one in results:
        possible = sum(verdict["possible"] for verdict in one.verdicts.values())
        total = points.get((one.assignment, one.student), one.points)
        parts.append(f"<h2>{escaped(one.assignment)}: {total:g} of {possible:g} points</h2>")
        if total != one.points:
            parts.append(f"<p>The checks gave {one.points:g}; your teacher changed that.</p>")
        if one.stopped:
            parts.append(f"<p><strong>Your notebook did not run to its end.</strong> {escaped(one.stopped)}</p>")
        parts += [card(verdict) for verdict in one.verdicts.values()]
    return page(student, "\n".join(parts))


def teachers_page(assignments: list, waiting: list, points: dict) -> str:
    """What the class knows, question by question; who was stopped; everybody's points."""
    parts = ["<p>The table behind this page is <a href='grades.csv'>grades.csv</a>.</p>"]
    if waiting:
        parts.append(f"<p class='none'>{len(waiting)} submissions are not graded yet: run the command grade again.</p>")
    for one in assignments:
        parts += [f"<h2>{escaped(one.name)}</h2>", overview(one), questions(one), stopped(one), learners(one, points)]
    if not assignments:
        parts.append("<p>Nothing is graded yet.</p>")
    return page("The class", "\n".join(parts))


def overview(assignment) -> str:
    unsolved = [short(question.name) for question in assignment.questions if not question.solved]
    text = f"{len(assignment.results)} learners, {assignment.possible:g} points possible."
    if unsolved:
        text += f" <span class='none'>Nobody has solved {escaped(', '.join(unsolved))}.</span>"
    return f"<p>{text}</p>"


def questions(assignment) -> str:
    rows = []
    for one in assignment.questions:
        n = len(one.points)
        share = 100 * one.mean / one.possible if one.possible else 0
        bar = f'<span class="bar"><span style="width: {share:.0f}%"></span></span>'
        solved = f"{one.solved} of {n}"
        fault = f"{escaped(one.fault)} <em>({one.faulty} of {one.tried} who tried)</em>" if one.fault else ""
        solved = solved if one.solved else f"<span class='none'>{solved}</span>"
        rows.append(
            [
                f'<span class="name">{escaped(short(one.name))}</span>',
                bar,
                f"{one.mean:.1f} of {one.possible:g}",
                solved,
                fault,
            ]
        )
    headings = [("question", False), ("mean", False), ("points", True), ("solved", True), ("most common fault", False)]
    return table(headings, rows)


def stopped(assignment) -> str:
    rows = [[link(one.student), "<br>".join(map(escaped, one.halts))] for one in assignment.results if one.halts]
    if not rows:
        return "<p>No submission was stopped.</p>"
    return f"<h3>Stopped, or not to be graded</h3>{table([('learner', False), ('why', False)], rows)}"


def learners(assignment, points: dict) -> str:
    ranked = sorted(assignment.results, key=lambda one: one.student.casefold())
    rows = [
        [link(one.student), f"{points.get((assignment.name, one.student), one.points):g}",
         escaped(one.handed_in), escaped("; ".join(remarks(one))), f"{one.seconds:g}"]
        for one in ranked
    ]  # fmt: skip
    headings = [
        ("learner", False),
        ("points", True),
        ("handed in (UTC)", False),
        ("remarks", False),
        ("seconds of computing", True),
    ]
    return f"<details><summary>All learners</summary>{table(headings, rows)}</details>"


def remarks(one) -> list[str]:
    """What a teacher may want to look at in a submission."""
    replaced = sorted({name for verdict in one.verdicts.values() for name in verdict["replaced"]})
    looked = any("Looked" in line["message"] for verdict in one.verdicts.values() for line in verdict["feedback"])
    told = [f"replaced {', '.join(replaced)[:200]} (graded with the originals)"] if replaced else []
    return told + (["an answer tried to look at the checks that called it"] if looked else [])


def short(question: str) -> str:
    return question.partition(".")[2]


def link(student: str) -> str:
    return f'<a href="learners/{quote(student)}.html">{escaped(student)}</a>'
