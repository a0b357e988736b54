// Write a text token by token against a model's probabilities; draws and beams. Traits: see decoding_explorer.py.

import { inLetters } from "./in_letters.js";
import { inPercent, nextToken } from "./decoding_next.js";
import { beamPanel } from "./decoding_beams.js";
import { button, choose, html, once, panel, patience, signed, speaker, stage, watch } from "./kit.js";
import { textField } from "./text_field.js";

const NO_KERNEL = "A saved page keeps what was written and searched; to go on takes a notebook.";
const NAMES = ["step", "logits", "search", "draws", "answered", "romanised", "text", "heard", "message", "written",
  "temperature", "top_k", "top_p", "min_p", "beams", "length_penalty"];

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-decoding");
  const drawText = textField(root, model, "textarea", () => model.get("about"));
  const quoted = model.send ? null : html(root, "blockquote");
  const body = html(root, "div", { class: "body" });
  const write = (label) => inLetters(label, model.get("romanised"));
  const drawWritten = writtenLine(body, model, write);
  const status = html(body, "div", { class: "soft", role: "status" });
  const panels = html(body, "div", { class: "panels" });
  const drawNext = nextToken(panels, model, write), drawDraws = drawsPanel(panels, model, write);
  const drawBeams = beamPanel(body, model, write), say = speaker(root);
  const tell = patience((text) => (status.textContent = text), "");

  function draw() {
    drawText();
    if (quoted) quoted.textContent = model.get("heard");
    const asked = ["written", "beams", "length_penalty"].map((name) => model.get(name));
    const isAsking = JSON.stringify(asked) !== JSON.stringify(model.get("answered"));
    root.classList.toggle("asking", isAsking);
    tell(isAsking);
    const told = drawWritten();
    drawNext();
    drawDraws();
    drawBeams();
    say(told);
  }
  return watch(model, NAMES, once(draw));
}

// What is written so far, how probable it is beside greedy's, and how it goes on.
function writtenLine(parent, model, write) {
  const line = html(parent, "div", { class: "written" }), told = html(parent, "div", { class: "told" });
  const change = (written) => choose(model, { written });
  const now = () => model.get("written"), step = () => model.get("step");
  const buttons = model.send && html(parent, "div", { class: "buttons" });
  const made = buttons && {
    likeliest: button(buttons, "write the likeliest", () => change([...now(), step().ids[0]])),
    draw: button(buttons, "draw one", () => model.send({ draw: "one" })),
    undo: button(buttons, "undo", () => change(now().slice(0, -1))),
    restart: button(buttons, "start again", () => change([])),
  };
  return () => {
    const { labels, log_probs, ids } = step();
    line.replaceChildren();
    html(line, "span", { class: "who" }, "written so far:");
    labels.forEach((label, i) => {
      const chip = html(line, "span", { class: "chip" });
      html(chip, "span", { class: "label" }, write(label));
      html(chip, "span", { class: "share" }, inPercent(Math.exp(log_probs[i])));
    });
    if (!labels.length) html(line, "span", { class: "soft" }, "nothing");
    told.textContent = now().length || model.send ? verdict(step(), model.get("search").greedy) : NO_KERNEL;
    if (made) {
      made.likeliest.disabled = made.draw.disabled = !ids.length;
      made.undo.disabled = made.restart.disabled = !labels.length;
    }
    return told.textContent;
  };
}

function verdict({ labels, log_probs, is_over, is_full }, greedy) {
  const n = labels.length, own = log_probs.reduce((sum, one) => sum + one, 0), m = Math.min(n, greedy.length);
  if (!n) return "Choose the first token.";
  const end = is_over ? " The text has ended." : is_full ? " There is no room for more." : "";
  const count = n === 1 ? "1 token" : `${n} tokens`, theirs = greedy[m - 1];
  const other = m < n ? `greedy decoding ended after ${m} with ${signed(theirs, 2)}` : `greedy decoding's first ${m}: ${signed(theirs, 2)}`;
  return `${count}: log-probability ${signed(own, 2)}; ${other}.${end}`;
}

// Ten texts that begin with what is written.
function drawsPanel(parent, model, write) {
  const section = panel(parent, "ten draws", "whole texts, drawn at these settings from what is written", { class: "draws" });
  const status = html(section, "div", { class: "soft", role: "status" });
  const ask = model.send && button(section, "draw ten texts", () => {
    model.send({ draw: "ten" });
    status.textContent = "drawing …";
  });
  const list = html(section, "ol");
  let shown = null;
  return () => {
    const draws = model.get("draws");
    section.hidden = !model.send && !draws.texts;
    if (ask) ask.disabled = !model.get("step").ids.length;
    if (shown === draws) return;
    shown = draws;
    list.replaceChildren();
    status.textContent = draws.texts ? `drawn at ${settingsOf(draws.settings)}; with their log-probabilities` : "";
    for (const { text, times, total, is_finished } of draws.texts ?? []) {
      const line = html(list, "li");
      html(line, "span", { class: "times" }, `${times} ×`);
      html(line, "span", { class: "text" }, (write(text) || "(nothing)") + (is_finished ? "" : " …"));
      html(line, "span", { class: "share" }, signed(total, 2));
    }
  };
}

function settingsOf(settings) {
  const names = { temperature: "temperature", top_k: "top-k", top_p: "top-p", min_p: "min-p" };
  return Object.entries(settings).filter(([, value]) => value !== null).map(([name, value]) => `${names[name]} ${value}`).join(", ");
}

export default { render };
