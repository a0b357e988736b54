// One text and its tokens by up to three tokenizers; a slider over the merges. Traits: see tokenizer_explorer.py.

import { inLetters } from "./in_letters.js";
import { choose, html, once, panel, set, slider, speaker, stage, watch } from "./kit.js";
import { textField } from "./text_field.js";
import { labelOf, piecesOf, replayed } from "./token_pieces.js";

const HINT = "Point at a token, or walk along a list with the arrow keys: its bytes are written here, and all tokens that share a letter with it are framed.";
const N_COLOURS = 4; // enough to tell neighbours apart, and no more is meant
const counted = (n, thing) => `${n.toLocaleString("en")} ${thing}${n === 1 ? "" : "s"}`;
const hexadecimal = (bytes) => bytes.map((byte) => byte.toString(16).toUpperCase().padStart(2, "0")).join(" ");

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-tokens");
  const drawText = textField(root, model, "textarea", () => lengths(model));
  const quoted = model.send ? null : html(root, "blockquote");
  const panels = html(root, "div", { class: "panels body" });
  const readOut = html(root, "div", { class: "read-out" }), say = speaker(root);
  let columns = [], given = null, chosen = null; // chosen: { column, index }

  function draw() {
    drawText();
    if (quoted) quoted.textContent = model.get("heard");
    if (given !== model.get("readings")) {
      given = model.get("readings");
      const names = given.map(({ name }) => name);
      if (String(columns.map(({ name }) => name)) !== String(names)) {
        panels.replaceChildren();
        columns = names.map((name, i) => column(panels, model, name, (index) => choosePiece(i, index)));
      }
      chosen = null;
    }
    columns.forEach((one, i) => one.draw(given[i]));
    drawChosen();
  }

  function choosePiece(column, index) {
    chosen = { column, index };
    drawChosen();
  }

  // The chosen token, its letters in the other columns, and what is said of it.
  function drawChosen() {
    const piece = chosen && columns[chosen.column].pieces[chosen.index];
    columns.forEach((one, i) => one.mark(piece, chosen?.column === i ? chosen.index : null));
    readOut.textContent = piece ? describe(piece, columns[chosen.column].name, model) : HINT;
    if (piece) say(readOut.textContent);
  }

  return watch(model, ["readings", "characters", "text", "heard", "message", "merges"], once(draw));
}

function lengths(model) {
  const text = model.get("heard"), bytes = new TextEncoder().encode(text).length;
  return text ? `${counted([...text].length, "character")}, ${counted(bytes, "byte")} in UTF-8` : "an empty text: no characters, no tokens";
}

function describe({ id, label, bytes, start, end, isUnknown }, name, model) {
  const held = bytes.length ? `${counted(bytes.length, "byte")}, ${hexadecimal(bytes)}` : "it stands for no part of the text";
  const letters = [...model.get("heard")].slice(start, end).join("");
  const lost = isUnknown ? `; it stands for ‘${letters}’, which this tokenizer does not know` : "";
  const place = end > start + 1 ? `characters ${start + 1} to ${end}` : `character ${end}`;
  return `${name}: ‘${written(model, label)}’ has the id ${id}; ${held}${bytes.length ? `; ${place} of the text` : ""}${lost}.`;
}

const written = (model, label) => inLetters(label, model.get("romanised"));

// One tokenizer: how many tokens, the tokens, and the slider. Gives { name, pieces, draw(reading), mark(piece, index) }.
function column(parent, model, name, show) {
  const section = panel(parent, name, ""), about = section.querySelector("small");
  const count = html(section, "div", { class: "count" });
  const chips = html(section, "div", { class: "chips", tabindex: 0, "aria-label": `tokens by ${name}` });
  const merges = mergeSlider(section, model, name);
  const made = { name, pieces: [], draw, mark };
  let here = 0, reading = null, drawn = "";

  chips.addEventListener("pointerover", (event) => point(event.target));
  chips.addEventListener("click", (event) => point(event.target));
  chips.addEventListener("focus", () => made.pieces.length && go(here));
  chips.addEventListener("keydown", (event) => {
    const next = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1,
      Home: 0, End: made.pieces.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    if (next >= 0 && next < made.pieces.length) go(next);
  });

  function point(target) {
    const chip = target.closest(".chip");
    if (chip) go([...chips.children].indexOf(chip));
  }

  function go(index) {
    here = index;
    show(index);
  }

  function draw(given) {
    const used = model.get("merges")[name] ?? 0, now = JSON.stringify([given.joins.length, used]);
    if (reading === given && drawn === now) return;
    [reading, drawn] = [given, now];
    const { tokens, last, next } = replayed(given, used);
    made.pieces = piecesOf(given, tokens, model.get("heard"), model.get("characters"));
    here = Math.max(0, Math.min(here, made.pieces.length - 1));
    about.textContent = `${counted(vocabulary(given, used), "token")} in the vocabulary`;
    drawCount(count, given, made.pieces, model);
    chips.replaceChildren();
    made.pieces.forEach((piece, i) => chip(chips, piece, i, `${merges.id}-${i}`, model));
    set(chips, { role: made.pieces.length ? "listbox" : "group" });
    merges.draw(given, used, [last, next].map((one) => one && {
      ...one, parts: one.parts.map((part) => written(model, labelOf(part, model.get("heard"), model.get("characters")))) }));
  }

  function mark(piece, index) {
    [...chips.children].forEach((one, i) => {
      const { start, end } = made.pieces[i];
      one.setAttribute("aria-selected", i === index);
      one.classList.toggle("linked", Boolean(piece) && piece.start < end && start < piece.end);
    });
    const at = index !== null && chips.children[index];
    if (!at) return;
    chips.setAttribute("aria-activedescendant", at.id);
    const [top, bottom] = [at.offsetTop - chips.offsetTop, at.offsetTop - chips.offsetTop + at.offsetHeight];
    if (top < chips.scrollTop) chips.scrollTop = top;
    else if (bottom > chips.scrollTop + chips.clientHeight) chips.scrollTop = bottom - chips.clientHeight;
  }

  return made;
}

const vocabulary = ({ n_tokens, n_merges }, used) => n_tokens - (n_merges ? n_merges - used : 0);

function drawCount(parent, reading, pieces, model) {
  parent.replaceChildren();
  html(parent, "strong", {}, counted(pieces.length, "token"));
  const n = [...model.get("heard")].length, unknown = pieces.filter(({ isUnknown }) => isUnknown).length;
  if (pieces.length) parent.append(`, ${(n / pieces.length).toFixed(2)} characters each`);
  const lost = [unknown ? `${unknown} unknown` : "", reading.is_whole ? "" : "decodes to another text"];
  html(parent, "div", {}, lost.filter(Boolean).join("; "));
}

function chip(parent, { id, label, isUnknown }, i, name, model) {
  const one = html(parent, "span", { class: `chip colour${i % N_COLOURS}${isUnknown ? " unknown" : ""}`, role: "option",
    id: name, "aria-selected": false });
  html(one, "span", { class: "label" }, written(model, label));
  html(one, "span", { class: "id" }, String(id));
}

// A slider whose stops are the numbers of merges at which something in this text is joined.
function mergeSlider(parent, model, name) {
  let stops = [0];
  const control = slider(parent, "merges", { min: 0, max: 1 }, (i) => (
    choose(model, { merges: { ...model.get("merges"), [name]: stops[i] } })), (i) => stops[i].toLocaleString("en"));
  const told = html(parent, "div", { class: "told" });
  return {
    id: control.input.id,
    draw({ joins, n_merges }, used, [last, next]) {
      if (!n_merges) [control.box, told].forEach((one) => one.remove());
      else if (!told.isConnected) parent.append(control.box, told);
      stops = [...new Set([0, ...joins.map(([merges]) => merges), n_merges])];
      set(control.input, { max: stops.length - 1 });
      control.draw(stops.findLastIndex((stop) => stop <= used));
      control.shown.textContent = `${used.toLocaleString("en")} of ${n_merges.toLocaleString("en")}`;
      const joined = ({ merges, parts: [a, b] }) => `merge ${merges.toLocaleString("en")}, ‘${a}’ + ‘${b}’`;
      told.replaceChildren();
      html(told, "div", {}, last ? `last joined here: ${joined(last)}` : "nothing is joined: each token is a byte");
      html(told, "div", {}, next ? `next: ${joined(next)}` : "the other merges join nothing here");
    },
  };
}

export default { render };
