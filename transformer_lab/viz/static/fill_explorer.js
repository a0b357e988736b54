// A sentence whose words can be hidden, and what a model expects in their place. Traits: see fill_explorer.py.

import { button, choose, html, menu, once, panel, patience, set, speaker, stage, watch } from "./kit.js";
import { rovingButtons } from "./roving_buttons.js";
import { textField } from "./text_field.js";
import { percent, tokenBars } from "./token_bars.js";

const NAMES = ["readings", "text", "heard", "message", "hidden"];
const MOST_HIDDEN = 6;
const HINT = "Click a word to hide it. Below each stands the probability that the model gives it when";
const ALONE = "This page can hide one word at a time, and words that were hidden together before it was saved.";
const keyOf = (hidden) => hidden.join(",");
const sorted = (numbers) => [...new Set(numbers)].sort((a, b) => a - b);

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-fill");
  const drawText = textField(root, model, "input", () => "");
  const drawControls = controls(root, model);
  const body = html(root, "div", { class: "body" });
  const hint = html(body, "p", { class: "soft" });
  const line = tokenButtons(body, (n) => toggle(model, n));
  const status = html(body, "div", { class: "soft status", role: "status" });
  const cards = html(body, "div", { class: "cards" }), say = speaker(root);
  const tell = patience((text) => (status.textContent = text));
  let told = "";

  function draw() {
    drawText();
    drawControls();
    const reading = model.get("readings").at(-1), hidden = model.get("hidden");
    const when = `${HINT} ${reading.fixed.length ? "it is hidden, too" : "it alone is hidden"}.`;
    hint.textContent = model.send ? when : `${when} ${ALONE}`;
    line.draw(reading, hidden);
    const places = hidden.length ? reading.answers[keyOf(hidden)] : [], waits = !places;
    root.classList.toggle("asking", waits);
    tell(waits);
    if (waits) return;
    const now = JSON.stringify([reading.text, hidden]);
    if (told === now) return;
    told = now;
    cards.replaceChildren();
    const best = hidden.map((n, i) => card(cards, places[i], `token ${n + 1} of ${reading.tokens.length}`));
    say(best.length ? `Expected: ${best.join("; ")}` : "Nothing is hidden.");
  }
  return watch(model, NAMES, once(draw));
}

// Hide a word or show it again; without a kernel, where the answer to several is not there, hide this one alone.
function toggle(model, n) {
  const { fixed, answers } = model.get("readings").at(-1), hidden = model.get("hidden"), isHidden = hidden.includes(n);
  if (fixed.includes(n) || (!isHidden && model.send && hidden.length - fixed.length >= MOST_HIDDEN)) return;
  const next = sorted(isHidden ? hidden.filter((one) => one !== n) : [...hidden, n]);
  const isKnown = model.send || !next.length || answers[keyOf(next)];
  choose(model, { hidden: isKnown ? next : sorted([...fixed, ...(isHidden ? [] : [n])]) });
}

// The texts so far, and a button that shows all words again.
function controls(parent, model) {
  const row = html(parent, "div", { class: "controls" }), place = html(row, "span", { class: "texts" });
  const clear = button(row, "show all words", () => choose(model, { hidden: model.get("readings").at(-1).fixed }));
  let texts = null, list = null;
  return () => {
    const readings = model.get("readings"), now = JSON.stringify(readings.map(({ text }) => text));
    clear.disabled = model.get("hidden").length === readings.at(-1).fixed.length;
    if (texts === now) return;
    texts = now;
    const had = list?.box.contains(document.activeElement);
    list?.box.remove();
    list = model.send || readings.length > 1 ? menu(place, "texts so far", readings.map(({ text }, i) => [i, text]), (i) => goBack(model, i)) : null;
    list?.draw(readings.length - 1);
    if (had) list.input.focus();
  };
}

// To an earlier text, which becomes the latest: a kernel reads it again, and without one its answers are here.
function goBack(model, i) {
  const readings = model.get("readings"), reading = readings[i], { text, fixed } = reading;
  if (model.send) return choose(model, { text, message: "" });
  choose(model, { readings: [...readings.filter((one) => one !== reading), reading], text, heard: text, hidden: fixed });
}

function tokenButtons(parent, press) {
  const line = html(parent, "div", { class: "tokens", role: "group", "aria-label": "the words of the text" });
  const rove = rovingButtons(line);
  let shown = null, chips = [];

  function fill({ tokens }) {
    const had = line.contains(document.activeElement);
    line.replaceChildren();
    chips = tokens.map((_, n) => button(line, "", () => press(n), { class: "token" }));
    rove(chips);
    if (had) chips[0].focus();
  }

  return { draw(reading, hidden) {
    if (shown !== reading.text) fill(reading);
    shown = reading.text;
    chips.forEach((chip, n) => {
      const isHidden = hidden.includes(n), share = aloneOf(reading, n);
      chip.replaceChildren();
      set(chip, { "aria-pressed": isHidden, style: `--share: ${Math.round(60 * (share ?? 0))}%` });
      html(chip, "span", { class: "word" }, isHidden ? "[MASK]" : reading.tokens[n]);
      html(chip, "small", {}, share === null ? "" : percent(share));
    });
  } };
}

// How likely the model holds a token to be when it is hidden by itself; null for one that is always hidden.
function aloneOf({ fixed, answers }, n) {
  const hidden = sorted([...fixed, n]);
  return answers[keyOf(hidden)][hidden.indexOf(n)].own?.[1] ?? null;
}

// The bars of a hidden word; gives the first in words. Readers count tokens from 1.
function card(parent, place, nth) {
  const section = panel(parent, place.own ? `instead of “${place.own[0]}”` : "in the place of [MASK]", nth, { class: "card" });
  return tokenBars(section, String).draw(place);
}

export default { render };
