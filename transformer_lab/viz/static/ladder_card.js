// One rung of the ladder: its name, what it wrote token by token, and the bars of the chosen place.

import { html, panel } from "./kit.js";
import { walkable } from "./ladder_walk.js";
import { tokenBars } from "./token_bars.js";

// Gives draw(answer, progress, place), and with it likeliest(): the first bar in words.
export function rungCard(parent, name, about, write, go) {
  const section = panel(parent, name, about, { class: "rung" });
  const line = html(section, "div", { class: "line" }), note = html(section, "div", { class: "soft note" });
  const bars = tokenBars(section, write);
  const walk = walkable(line, `what ${name} wrote, token by token`, pick);
  let shown = null, first = "nothing yet", chosen = -1;

  // Half characters share a place: the arrow keys go past all of them.
  function pick(i) {
    const tokens = tokensOf(shown), step = Math.sign(i - chosen);
    while (step && tokens[i + step] && tokens[i].at === tokens[chosen]?.at) i += step;
    go(tokens[i].at);
  }

  function draw(answer, progress, place) {
    if (shown !== answer || !answer) fill(answer, progress);
    bars.draw(null);
    first = "nothing yet";
    if (!answer) return;
    const { places, n_before } = answer, last = places.findLast(({ at }) => at <= place) ?? places[0];
    const i = places.findIndex(({ at }) => at === last.at);
    chosen = i - n_before;
    walk.mark(chosen);
    first = bars.draw(places[i]);
  }

  function fill(answer, progress) {
    shown = answer;
    section.classList.toggle("unfinished", !answer);
    note.textContent = answer ? remark(answer) : progress ? "…" : "not yet";
    if (!answer) {
      walk.fill([]);
      line.textContent = write(progress?.text.replaceAll("\n", "↵") ?? "");
      return;
    }
    const tokens = tokensOf(answer);
    walk.fill(tokens.map(({ piece, own }) => write(piece || own[0])), tokens.map(({ piece }) => (piece ? "" : "bare")));
  }

  draw.likeliest = () => first;
  return draw;
}

const tokensOf = ({ places, n_before }) => places.slice(n_before);

function remark({ places, n_before, is_over, n_unread }) {
  const n = places.length - n_before, end = is_over ? ", then it ended" : "";
  const unread = n_unread ? `; no room for the first ${n_unread} of the text` : "";
  return `${n} token${n === 1 ? "" : "s"}${end}${unread}`;
}
