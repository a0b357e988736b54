// A sentence, the names that taggers find in it, and the tags of a chosen word. Traits: see entity_explorer.py.

import { button, choose, html, menu, once, panel, speaker, stage, watch } from "./kit.js";
import { rovingButtons } from "./roving_buttons.js";
import { textField } from "./text_field.js";
import { tokenBars } from "./token_bars.js";

const NAMES = ["taggers", "records", "text", "heard", "message", "word"];
const HINT = "Click a word to see its tags. A name's score is the lowest probability of its words.";
const ALONE = "To read a sentence of your own, run the cell in JupyterLab.";

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-entity");
  const drawText = textField(root, model, "input", () => (model.send ? HINT : `${HINT} ${ALONE}`));
  const drawMenu = sentencesSoFar(root, model);
  const body = html(root, "div", { class: "body" }), say = speaker(root);
  const cards = model.get("taggers").map(([name, about]) => [name, card(body, name, about, (word) => choose(model, { word }))]);

  function draw() {
    drawText();
    drawMenu();
    const record = model.get("records").at(-1), word = Math.min(model.get("word"), record.words.length - 1);
    const told = cards.map(([name, one]) => `${name}: ${one(record, record.found[name], word)}`);
    say(`${record.words[word]}: ${told.join("; ")}`);
  }
  return watch(model, NAMES, once(draw));
}

function sentencesSoFar(parent, model) {
  const place = html(parent, "div", { class: "controls" });
  let texts = null, list = null;
  return () => {
    const records = model.get("records"), now = JSON.stringify(records.map(({ text }) => text));
    if (texts === now) return;
    texts = now;
    const had = list?.box.contains(document.activeElement);
    list?.box.remove();
    list = menu(place, "sentences so far", records.map(({ text }, i) => [i, text]), (i) => goBack(model, i));
    list.draw(records.length - 1);
    if (had) list.input.focus();
  };
}

// To an earlier sentence, which becomes the latest: a kernel reads it again, and without one what it said is here.
function goBack(model, i) {
  const records = model.get("records"), record = records[i], { text } = record;
  if (model.send) return choose(model, { text, message: "" });
  choose(model, { records: [...records.filter((one) => one !== record), record], text, heard: text, word: 0 });
}

const same = (a) => (b) => a.slice(0, 3).join() === b.slice(0, 3).join();

// One tagger's reading of the sentence. Gives draw(record, found, word), which returns the word's likeliest tag.
function card(parent, name, about, pick) {
  const section = panel(parent, name, about), line = html(section, "div", { class: "words", role: "group", "aria-label": `the words as ${name} tags them` });
  const verdict = html(section, "div", { class: "verdict" });
  const heading = html(section, "div", { class: "chosen" }), bars = tokenBars(section, String), rove = rovingButtons(line);
  let shown = null, buttons = [];

  function fill(record, { names }) {
    const had = line.contains(document.activeElement);
    line.replaceChildren();
    buttons = [];
    let box = line;
    record.words.forEach((word, n) => {
      const first = names.find((one) => one[1] === n), last = names.find((one) => one[2] === n);
      if (first) box = nameBox(line, first, record.truth);
      buttons.push(button(box, word, () => pick(n), { class: "word" }));
      if (!last) return;
      html(box, "small", {}, `${last[0]} ${last[3].toFixed(2)}${signOf(last, record.truth)}`);
      box = line;
    });
    rove(buttons);
    verdict.textContent = verdictOn(record, names);
    if (had) buttons[0].focus();
  }

  return (record, found, word) => {
    if (shown !== record.text) fill(record, found);
    shown = record.text;
    buttons.forEach((one, n) => one.setAttribute("aria-pressed", n === word));
    const { own } = found.places[word];
    heading.textContent = `the tags of “${record.words[word]}”${own ? `; right is ${own[0]}` : ""}`;
    return bars.draw(found.places[word]);
  };
}

function nameBox(line, one, truth) {
  const isWrong = truth && !truth.some(same(one));
  return html(line, "span", { class: `name ${one[0].replace(/\W/g, "")}${isWrong ? " wrong" : ""}` });
}

const signOf = (one, truth) => (!truth ? "" : truth.some(same(one)) ? " ✓" : " ✗");

// How many of the right names were found, how many others, and which were missed; where that is known.
function verdictOn({ words, truth }, names) {
  const counted = (n) => `${n} name${n === 1 ? "" : "s"}`;
  if (!truth) return names.length ? `${counted(names.length)} found` : "no name found";
  const right = names.filter((one) => truth.some(same(one))).length, wrong = names.length - right;
  const missed = truth.filter((one) => !names.some(same(one)));
  const list = missed.map(([kind, first, last]) => `${words.slice(first, last + 1).join(" ")} (${kind})`).join(", ");
  return `${right} of ${counted(truth.length)} found, ${wrong || "none"} wrong${list ? `; missed: ${list}` : ""}`;
}

export default { render };
