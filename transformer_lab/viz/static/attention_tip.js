// AttentionView's label at the cell: the number that the read-out has, where the reader is looking.

import { valueAt } from "./attention_readout.js";
import { html } from "./kit.js";

const GAP = 5; // pixels between the cell and its label

// root: the whole view, within which the label stays. It is for eyes alone: the read-out says the same aloud.
export function valueTip(root, { scroller, field, corner }, state) {
  const tip = html(root, "div", { class: "tip", "aria-hidden": "true" });

  function draw() {
    tip.hidden = !state.isHere || !state.cell;
    if (tip.hidden) return;
    tip.textContent = valueAt(state, state.cell);
    place();
  }

  // Above the cell, or below it where that would hide the tokens; nowhere while the cell is scrolled out of sight.
  function place() {
    if (tip.hidden || !state.cell) return;
    const view = root.getBoundingClientRect(), box = boxOf(state.cell, field, state), seen = partSeen(scroller, corner);
    const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2;
    const isSeen = x > seen.left && x < seen.right && y > seen.top && y < seen.bottom;
    tip.style.visibility = isSeen ? "" : "hidden";
    const above = box.top - GAP - tip.offsetHeight, left = x - view.left - tip.offsetWidth / 2;
    tip.style.left = `${Math.max(0, Math.min(left, view.width - tip.offsetWidth))}px`;
    tip.style.top = `${(above < seen.top ? box.bottom + GAP : above) - view.top}px`;
  }

  state.on("hot", draw);
  state.on("answer", draw);
  scroller.addEventListener("scroll", place);
  const watching = new ResizeObserver(place); // also when the view is first laid out
  watching.observe(root);
  watching.observe(scroller);
  state.on("end", () => watching.disconnect());
}

// Where a cell is on the screen.
function boxOf({ query, key }, field, { T, S }) {
  const { left, top, width, height } = field.getBoundingClientRect();
  return {
    left: left + (key / S) * width, right: left + ((key + 1) / S) * width,
    top: top + (query / T) * height, bottom: top + ((query + 1) / T) * height,
  };
}

// Where the map is seen: the tokens above it and to its left stay while it scrolls.
function partSeen(scroller, corner) {
  const outer = scroller.getBoundingClientRect();
  return {
    left: outer.left + corner.offsetWidth, top: outer.top + corner.offsetHeight, right: outer.right, bottom: outer.bottom,
  };
}
