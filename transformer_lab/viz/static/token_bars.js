// The most likely tokens of a place as bars, the one that stands there marked with ▸.

import { html } from "./kit.js";

// Gives draw(place), which returns the first bar in words; null draws nothing. write(label): what is read of a label.
export function tokenBars(parent, write) {
  const list = html(parent, "ol", { class: "tl-bars" }), rest = html(parent, "div", { class: "tl-bars-rest" });
  return { draw(place) {
    list.replaceChildren();
    rest.textContent = "";
    if (!place) return "";
    const { rows, own, n } = place;
    rows.forEach(([label, share], i) => bar(list, write(label), share, own?.[2] === i + 1));
    const left = n - rows.length, share = Math.max(0, 1 - rows.reduce((sum, [, one]) => sum + one, 0));
    rest.textContent = left > 0 ? `${left.toLocaleString("en")} other tokens: ${percent(share)}. ` : "";
    const far = own && own[2] > rows.length ? `▸ ${write(own[0])} ${percent(own[1])}, rank ${own[2].toLocaleString("en")}` : "";
    if (far) html(rest, "div", { class: "outside" }, far); // not "far": Font Awesome, which JupyterLab has, styles that
    return `${write(rows[0][0])} ${percent(rows[0][1])}`;
  } };
}

function bar(parent, label, share, isOwn) {
  const row = html(parent, "li", { class: `row${isOwn ? " own" : ""}` });
  html(row, "span", { class: "key" }, `${isOwn ? "▸ " : ""}${label}`);
  html(html(row, "span", { class: "bar" }), "span", { style: `width: ${100 * share}%` });
  html(row, "span", { class: "share" }, percent(share));
}

export function percent(share) {
  return share > 0.9995 ? ">99.9 %" : share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`;
}
