// AttentionView's legend: what the numbers are, which colour stands for which, and what is exactly 0.

import { paint } from "./attention_paint.js";
import { difference } from "./attention_numbers.js";
import { html } from "./kit.js";

const STEPS = 256;

export function legend(parent, state) {
  const root = html(parent, "div", { class: "legend" });
  state.on("shown", () => {
    root.replaceChildren();
    html(root, "span", { class: "soft" }, meaning(state));
    ramp(root, state);
    if (!state.signed && state.weights.some((weight) => weight === 0)) maskEntry(root, state);
  });
}

function meaning({ signed, byNorm }) {
  if (signed) return "difference of weights";
  return byNorm ? "weight \u00d7 norm of the value" : "attention weight";
}

// The colours from the lowest to the highest number, and three numbers below them.
function ramp(parent, { signed, byNorm, scale }) {
  const { low, high } = scale;
  const root = html(parent, "div", { class: "scale" });
  const numbers = Float32Array.from({ length: STEPS }, (_, i) => low + (i / (STEPS - 1)) * (high - low));
  if (low === 0) numbers[0] = 1e-9; // exactly 0 would be left out
  paint(html(root, "canvas"), numbers, 1, STEPS, scale);
  const ticks = html(root, "div", { class: "ticks soft" });
  const write = signed ? difference(2) : byNorm ? (value) => value.toFixed(2) : String;
  for (const end of [low, (low + high) / 2, high]) html(ticks, "span", {}, write(end));
}

function maskEntry(parent, { firstKeyHidden }) {
  const entry = html(parent, "span", { class: "soft mask-entry" });
  html(entry, "span", { class: "swatch masked" });
  entry.append(firstKeyHidden ? "exactly 0 (masked), and the first key" : "exactly 0 (masked)");
}
