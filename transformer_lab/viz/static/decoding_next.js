// The next token: bars of the likeliest, each to be chosen, and the sliders that change the distribution.

import { filtered } from "./decoding_filters.js";
import { choose, html, panel, slider } from "./kit.js";

const ROWS = 12;
const OFF = "off";
const CHOICES = {
  temperature: [...Array(21).keys()].map((i) => i / 10),
  top_k: [1, 2, 3, 5, 10, 20, 50, 100, null],
  top_p: [...[...Array(19).keys()].map((i) => (i + 1) / 20), null],
  min_p: [null, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1],
};

export function nextToken(parent, model, write) {
  const section = panel(parent, "the next token", "the likeliest, after temperature and filters; what these cut is hatched", { class: "next" });
  const list = html(section, "ol"), rest = html(section, "div", { class: "soft rest" });
  const controls = html(section, "div", { class: "settings" });
  const names = { temperature: "temperature", top_k: "top-k", top_p: "top-p", min_p: "min-p" };
  const sliders = Object.entries(names).map(([trait, name]) => settingSlider(controls, model, trait, name));
  return () => {
    sliders.forEach((one) => one());
    const logits = numbersOf(model.get("logits")), step = model.get("step"), had = list.contains(document.activeElement);
    list.replaceChildren();
    rest.textContent = logits.length ? "" : "Nothing follows.";
    if (!logits.length) return;
    const settings = Object.fromEntries(Object.keys(names).map((trait) => [trait, model.get(trait)]));
    const seen = filtered(logits, settings), shown = step.names.slice(0, ROWS);
    shown.forEach((name, i) => {
      const pick = () => choose(model, { written: [...model.get("written"), step.ids[i]] });
      bar(list, write(name), seen, i, model.send ? pick : null);
    });
    if (had) list.querySelector("button")?.focus({ preventScroll: true });
    rest.textContent = summary(seen, shown.length);
  };
}

function bar(list, name, { before, after, n }, i, pick) {
  const row = html(html(list, "li"), pick ? "button" : "div", { class: `row${i < n ? "" : " cut"}` });
  if (pick) {
    row.type = "button";
    row.addEventListener("click", pick);
  }
  html(row, "span", { class: "key" }, name);
  const share = i < n ? after(i) : before[i];
  html(html(row, "span", { class: "bar" }), "span", { style: `width: ${100 * share}%` });
  html(row, "span", { class: "share" }, i < n ? inPercent(share) : `cut (${inPercent(share)})`);
}

function summary({ before, n, kept, after }, rows) {
  const N = before.length, others = N - rows;
  let share = 0;
  for (let i = rows; i < n; i++) share += after(i);
  const more = others <= 0 ? "" : `${others.toLocaleString("en")} other tokens: ${n > rows ? inPercent(share) : "cut"}. `;
  return n === N ? more : `${more}${n.toLocaleString("en")} of ${N.toLocaleString("en")} kept, which had ${inPercent(kept)}.`;
}

function settingSlider(parent, model, trait, name) {
  const values = CHOICES[trait], say = (value) => (value === null ? OFF : String(value));
  const control = slider(parent, name, { min: 0, max: values.length - 1 }, (i) => choose(model, { [trait]: values[i] }), (i) => say(values[i]));
  return () => {
    const value = model.get(trait);
    control.draw(nearest(values, value));
    control.shown.textContent = say(value); // Python may set what the slider has no place for
    control.input.setAttribute("aria-valuetext", say(value));
  };
}

function nearest(values, value) {
  if (value === null) return values.indexOf(null);
  const distances = values.map((one) => (one === null ? Infinity : Math.abs(one - value)));
  return distances.indexOf(Math.min(...distances));
}

// float32, little-endian, at any place of a message
const numbersOf = (view) => new Float32Array(view.buffer.slice(view.byteOffset, view.byteOffset + view.byteLength));

export function inPercent(share) {
  return share === 1 ? "100 %" : share > 0.9995 ? ">99.9 %" : share < 0.0005 ? "<0.1 %" : `${(100 * share).toFixed(1)} %`;
}
