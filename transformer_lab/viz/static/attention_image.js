// The image whose patches AttentionView's tokens are: what the patch that is pointed at reads stays bright. It is for eyes
// and pointers; by keyboard the same patches are the tokens of the text.

import { strongest } from "./attention_measures.js";
import { shareOf } from "./attention_scale.js";
import { html } from "./kit.js";

const DARKEST = 85; // per cent of black over a patch that is not read

export function readImage(parent, state) {
  const root = html(parent, "div", { class: "image" });
  let patches = [];
  state.on("shown", () => {
    const { src, rows, columns, first } = state.get("_image") ?? {};
    root.replaceChildren();
    root.hidden = !src;
    patches = root.hidden ? [] : Array.from({ length: rows * columns }, (_, i) => patch(i + first, state));
    if (root.hidden) return;
    html(root, "img", { src, alt: "the image that the model reads, its brightness rescaled" });
    const style = `grid-template-columns: repeat(${columns}, 1fr)`;
    html(root, "div", { class: "patches", "aria-hidden": "true", style }).append(...patches.map(({ node }) => node));
  });
  state.on("hot", () => state.isHere && patches.forEach((one) => lightPatch(one, state)));
}

function patch(i, state) {
  const node = document.createElement("div"), cell = () => ({ query: i, key: strongest(state, "query", i) });
  node.addEventListener("pointerenter", () => state.isHere && state.point(cell(), "query"));
  node.addEventListener("pointerleave", () => state.point(null));
  node.addEventListener("click", () => state.isHere && state.choose(cell()));
  return { node, i };
}

// Until a token is spoken of, nothing is dark.
function lightPatch({ node, i }, state) {
  const { cell, byKey, scale } = state;
  const share = cell ? shareOf(state.row(byKey ? i : cell.query)[byKey ? cell.key : i], scale) : 1;
  node.style.background = `rgb(0 0 0 / ${Math.round(DARKEST * (1 - share))}%)`;
  node.classList.toggle("asks", cell?.[byKey ? "key" : "query"] === i);
}
