// One rung of the ladder: its name, what it wrote token by token, and the bars of the chosen place.

import { html, panel } from "./kit.js";
import { walkable } from "./ladder_walk.js";

// Gives draw(answer, progress, place), and with it likeliest(): the first bar in words.
export function rungCard(parent, name, about, write, go) {
  const section = panel(parent, name, about, { class: "rung" });
  const line = html(section, "div", { class: "line" }), note = html(section, "div", { class: "soft note" });
  const list = html(section, "ol"), rest = html(section, "div", { class: "soft rest" });
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
    list.replaceChildren();
    rest.textContent = "";
    first = "nothing yet";
    if (!answer) return;
    const { places, n_before } = answer, last = places.findLast(({ at }) => at <= place) ?? places[0];
    const i = places.findIndex(({ at }) => at === last.at);
    chosen = i - n_before;
    walk.mark(chosen);
    drawBars(places[i]);
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

  function drawBars({ rows, own, n }) {
    rows.forEach(([label, share], i) => bar(list, write(label), share, own?.[2] === i + 1));
    const left = n - rows.length, share = Math.max(0, 1 - rows.reduce((sum, [, one]) => sum + one, 0));
    const others = left > 0 ? `${left.toLocaleString("en")} other tokens: ${percent(share)}. ` : "";
    const far = own && own[2] > rows.length ? `▸ ${write(own[0])} ${percent(own[1])}, rank ${own[2].toLocaleString("en")}` : "";
    rest.textContent = others;
    if (far) html(rest, "div", { class: "far" }, far);
    first = `${write(rows[0][0])} ${percent(rows[0][1])}`;
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

function bar(parent, label, share, isOwn) {
  const row = html(parent, "li", { class: `row${isOwn ? " own" : ""}` });
  html(row, "span", { class: "key" }, `${isOwn ? "▸ " : ""}${label}`);
  html(html(row, "span", { class: "bar" }), "span", { style: `width: ${100 * share}%` });
  html(row, "span", { class: "share" }, percent(share));
}

function percent(share) {
  return share > 0.9995 ? ">99.9 %" : share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`;
}
