// One text down a ladder of language models: what each writes, and its next token at a chosen place. Traits: see
// ladder_explorer.py.

import { inLetters } from "./in_letters.js";
import { rungCard } from "./ladder_card.js";
import { button, choose, html, menu, once, patience, slider, speaker, stage, watch } from "./kit.js";
import { walkable } from "./ladder_walk.js";
import { textField } from "./text_field.js";

const NAMES = ["rungs", "answers", "answered", "progress", "records", "stops", "romanised", "text", "heard", "message",
  "temperature", "seed", "place"];

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-ladder");
  const drawText = textField(root, model, "textarea", () => "");
  const settings = settingsRow(root, model);
  const life = signOfLife(root);
  const body = html(root, "div", { class: "body" });
  const write = (text) => inLetters(text, model.get("romanised"));
  const drawPrompt = promptLine(body, model, write), drawPlace = placeSlider(body, model, write);
  const cards = html(body, "div", { class: "cards" }), say = speaker(root);
  const go = (place) => choose(model, { place });
  let made = null, names = "";

  function draw() {
    drawText();
    settings();
    const given = model.get("rungs"), answers = model.get("answers"), progress = model.get("progress");
    if (names !== JSON.stringify(given)) {
      names = JSON.stringify(given);
      cards.replaceChildren();
      made = given.map(([name, about]) => [name, rungCard(cards, name, about, write, go)]);
    }
    const asked = ["text", "temperature", "seed"].map((name) => model.get(name));
    const isAsking = JSON.stringify(asked) !== JSON.stringify(model.get("answered"));
    root.classList.toggle("asking", isAsking);
    life(isAsking, progress);
    drawPrompt();
    drawPlace(answers);
    for (const [name, card] of made) card(answers[name], progress.name === name ? progress : null, model.get("place"));
    if (!isAsking && !progress.name) say(cards.textContent && spoken(made, model, write));
  }
  return watch(model, NAMES, once(draw));
}

// Who is at work; and, unsaid to those who listen, how far it is and for how many seconds.
function signOfLife(parent) {
  const line = html(parent, "div", { class: "soft life" });
  const status = html(line, "span", { class: "status", role: "status" }), count = html(line, "span", { class: "count" });
  let ticking = null, who = "", since = 0;
  const tell = patience((text) => status.textContent === text || (status.textContent = text));
  return (isAsking, { name, n }) => {
    clearInterval(ticking);
    count.textContent = "";
    tell(isAsking, name ? `${name} ${n ? "is writing" : "reads the text"}` : "");
    if (isAsking || name !== who) [who, since] = [isAsking ? "" : name, Date.now()];
    if (isAsking || !name) return;
    const tick = () => {
      const seconds = Math.floor((Date.now() - since) / 1000);
      count.textContent = `${n ? `: ${n} token${n === 1 ? "" : "s"}` : ""}${seconds ? `, ${seconds} s` : ""}`;
      if (!line.isConnected) clearInterval(ticking);
    };
    tick();
    ticking = setInterval(tick, 1000);
  };
}

const start = (text, place) => [...text].slice(0, place).join("");

// The place that is shown: in the text, Python may have chosen one within a word.
function shownPlace(model) {
  const stops = model.get("stops"), place = model.get("place");
  return place > stops.at(-1) ? place : stops.findLast((stop) => stop <= place) ?? stops[0];
}

// After which characters the bars stand, in words.
function placeInWords(model, write) {
  const heard = model.get("heard"), place = shownPlace(model), n = place - [...heard].length;
  if (n > 0) return `${n} character${n === 1 ? "" : "s"} on`;
  const before = [...start(heard, place)];
  return `after “${before.length > 24 ? "…" : ""}${write(before.slice(-24).join("").replaceAll("\n", "↵"))}”`;
}

function spoken(made, model, write) {
  const likeliest = made.map(([name, card]) => `${name}: ${card.likeliest()}`);
  return `The next token ${placeInWords(model, write)}: ${likeliest.join("; ")}.`;
}

// Temperature and seed, where there is a kernel, and what has been written before.
function settingsRow(parent, model) {
  const row = html(parent, "div", { class: "controls" });
  const heat = model.send && slider(row, "temperature", { min: 0, max: 2, step: 0.1 }, (temperature) => choose(model, { temperature }));
  const told = html(row, "span", { class: "told" });
  const next = model.send && button(row, "another seed", () => choose(model, { seed: model.get("seed") + 1 }));
  let records = null, list = null;
  return () => {
    const [, temperature, seed] = model.get("answered");
    const drawn = temperature === 0 ? "always the likeliest token" : `drawn with seed ${model.send ? model.get("seed") : seed}`;
    heat?.draw(model.get("temperature"));
    told.textContent = model.send ? drawn : `temperature ${temperature}, ${drawn}`;
    if (next) next.disabled = model.get("temperature") === 0;
    if (records !== model.get("records")) {
      records = model.get("records");
      const had = list?.box.contains(document.activeElement);
      list?.box.remove();
      list = model.send || records.length > 1 ? menu(row, "written so far", records.map(nameOf), (i) => goBack(model, records[i])) : null;
      if (had) list.input.focus();
    }
    const key = JSON.stringify(model.get("answered"));
    if (list) list.draw(records.findIndex((one) => JSON.stringify(one.slice(0, 3)) === key));
  };
}

function nameOf([text, temperature, seed], i) {
  const signs = [...text.replaceAll("\n", "↵")], short = signs.length > 20 ? `…${signs.slice(-20).join("")}` : signs.join("");
  return [i, `${temperature ? `temperature ${temperature}, seed ${seed}` : "the likeliest"}: “${short}”`];
}

// To what was written before: a kernel has kept it, and without one all of it is here.
function goBack(model, [text, temperature, seed, answers, stops]) {
  if (model.send) return choose(model, { text, temperature, seed, message: "" });
  choose(model, { text, heard: text, temperature, seed, answers, answered: [text, temperature, seed], stops, place: stops.at(-1) });
}

// The text, word by word: behind each a place can be chosen.
function promptLine(parent, model, write) {
  const line = html(parent, "div", { class: "prompt" });
  let shown = null;
  const walk = walkable(line, "the text: choose the word after which to look", (i) => choose(model, { place: model.get("stops")[i] }));
  return () => {
    const stops = model.get("stops"), heard = [...model.get("heard")];
    if (shown !== stops) {
      shown = stops;
      walk.fill(stops.map((stop, i) => write(heard.slice(i ? stops[i - 1] : 0, stop).join(""))));
    }
    walk.mark(stops.indexOf(shownPlace(model)));
  };
}

// Every place there is: behind the words of the text, and behind each character that was written.
function placeSlider(parent, model, write) {
  let all = [0];
  const control = slider(parent, "place", { min: 0, max: 1 }, (i) => choose(model, { place: all[i] }));
  const about = html(parent, "div", { class: "soft about-place" });
  return (answers) => {
    const stops = model.get("stops"), n = stops.at(-1);
    const last = Math.max(n, ...Object.values(answers).map(({ places }) => places.at(-1)?.at ?? 0));
    all = [...stops, ...Array.from({ length: last - n }, (_, i) => n + 1 + i)];
    control.input.max = all.length - 1;
    control.draw(Math.max(0, all.findLastIndex((one) => one <= model.get("place"))));
    const words = placeInWords(model, write), isBehind = model.get("place") > n;
    control.shown.textContent = words;
    control.input.setAttribute("aria-valuetext", words);
    const [, temperature] = model.get("answered");
    const read = isBehind ? "Here each model has also read what it wrote itself." : "All models have read the same.";
    const own = model.get("place") < n ? "what stands there in the text" : "the token that the model took";
    const heat = temperature === 0 ? "" : ` The bars are after temperature ${temperature}.`;
    about.textContent = `${read} ▸ is ${own}.${heat}`;
  };
}

export default { render };
