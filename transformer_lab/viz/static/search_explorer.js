// A question and what each search finds, side by side. Traits: see search_explorer.py.

import { choose, html, menu, once, panel, set, speaker, stage, watch } from "./kit.js";
import { textField } from "./text_field.js";

const NAMES = ["searches", "answers", "records", "text", "heard", "message"];
const QUICK = 150; // ms without a key after which the question is sent: an answer takes about 20
const MARKED = "Words of the question with four letters or more are marked where they stand.";
const ALONE = "To ask your own question, run the cell in JupyterLab; here are those that were asked before.";

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-search");
  const drawText = textField(root, model, "input", () => `${model.send ? "" : `${ALONE} `}${MARKED}`, { name: "question", pause: QUICK });
  const drawAsked = askedBefore(root, model);
  const quoted = model.send ? null : html(root, "blockquote");
  const body = html(root, "div", { class: "body panels" }), say = speaker(root);
  let shown = null;

  function draw() {
    drawText();
    drawAsked();
    const answers = model.get("answers");
    if (quoted) quoted.textContent = model.get("heard");
    if (shown === answers) return;
    shown = answers;
    body.replaceChildren();
    for (const [name, about] of model.get("searches")) column(body, name, about, answers);
    say(model.get("searches").map(([name]) => `${name}: ${inWords(answers[name])}`).join("; "));
  }
  return watch(model, NAMES, once(draw));
}

const inWords = ([first]) => (first ? `first ${first.title.join("")}, ${first.score.toFixed(2)}` : "nothing");

// A menu of the questions that were answered before.
function askedBefore(parent, model) {
  const place = html(parent, "div", { class: "controls" });
  let records = null, list = null;
  return () => {
    if (records !== model.get("records")) {
      records = model.get("records");
      const had = list?.box.contains(document.activeElement);
      list?.box.remove();
      list = menu(place, "asked so far", records.map(([question], i) => [i, question]), (i) => goBack(model, records[i]));
      if (had) list.input.focus();
    }
    list.draw(records.findIndex(([question]) => question === model.get("heard")));
  };
}

// To an earlier question: a kernel answers it again, and without one its answer is here.
function goBack(model, [question, answers]) {
  choose(model, model.send ? { text: question, message: "" } : { text: question, heard: question, answers });
}

function column(parent, name, about, answers) {
  const section = panel(parent, name, about), list = html(section, "ol");
  const hits = answers[name];
  if (!hits.length) html(section, "p", {}, "Nothing found: no passage has a score above 0.");
  hits.forEach((hit, i) => drawHit(html(list, "li"), hit, i, otherPlaces(hit, name, answers)));
}

// Where the other searches have the same passage.
function otherPlaces(hit, name, answers) {
  const key = ({ title, text }) => [title, text].map((parts) => parts.join("")).join("\n");
  return Object.entries(answers).filter(([other]) => other !== name).flatMap(([other, hits]) => {
    const place = hits.findIndex((one) => key(one) === key(hit));
    return place < 0 ? [] : [`no. ${place + 1} ${other}`];
  });
}

// A hit: the first is open, the others open at a click.
function drawHit(parent, { title, text, source, score }, i, others) {
  const details = html(parent, "details", i ? {} : { open: "" }), summary = html(details, "summary");
  const head = html(summary, "span", { class: "head" });
  write(html(head, "span", { class: "name" }), title);
  html(html(head, "span", { class: "bar" }), "span", { style: `width: ${100 * Math.min(1, score)}%` });
  html(head, "span", { class: "score" }, score.toFixed(2));
  const words = new Set([title, text].flatMap((parts) => parts.filter((_, n) => n % 2)).map((word) => word.toLowerCase()));
  const shares = words.size ? `in common: ${[...words].map((word) => `“${word}”`).join(", ")}` : "no marked word in common";
  html(summary, "small", {}, [shares, ...others].join(" · "));
  const passage = html(details, "pre");
  set(passage, { tabindex: 0, role: "group", "aria-label": `passage ${i + 1}` });
  write(passage, text);
  if (source) html(details, "small", { class: "source" }, `from ${source}`);
}

// Every second piece is a word of the question.
function write(parent, pieces) {
  pieces.forEach((piece, n) => piece && html(parent, n % 2 ? "mark" : "span", {}, piece));
}

export default { render };
