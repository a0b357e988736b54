// A line of pieces of text, one of which is chosen: by a click, or with the arrow keys.

import { html, set } from "./kit.js";

let lines = 0;
// Gives { fill(texts, classes), mark(index) }; pick(index) is called when a reader chooses.
export function walkable(line, name, pick) {
  const id = `tl-line-${Date.now().toString(36)}-${lines++}`;
  let here = -1, pieces = [];
  set(line, { tabindex: 0, role: "group", "aria-label": name });

  line.addEventListener("click", ({ target }) => {
    const i = pieces.indexOf(target.closest(".piece"));
    if (i >= 0) pick(i);
  });
  line.addEventListener("keydown", (event) => {
    const next = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: pieces.length - 1 }[event.key];
    if (next === undefined || !pieces.length) return;
    event.preventDefault();
    pick(Math.max(0, Math.min(next, pieces.length - 1)));
  });

  function fill(texts, classes = []) {
    line.replaceChildren();
    here = -1;
    pieces = texts.map((text, i) => html(line, "span", {
      class: `piece colour${i % 2} ${classes[i] ?? ""}`, role: "option", id: `${id}-${i}`, "aria-selected": false,
      ...(text.trim() ? {} : { "aria-label": "space" }) }, text));
    set(line, { role: pieces.length ? "listbox" : "group" });
    line.removeAttribute("aria-activedescendant");
  }

  function mark(index) {
    if (index === here) return;
    pieces[here]?.setAttribute("aria-selected", false);
    here = index;
    const at = pieces[index];
    if (!at) return line.removeAttribute("aria-activedescendant");
    at.setAttribute("aria-selected", true);
    line.setAttribute("aria-activedescendant", at.id);
    const top = at.offsetTop - line.offsetTop, bottom = top + at.offsetHeight;
    if (top < line.scrollTop) line.scrollTop = top;
    else if (bottom > line.scrollTop + line.clientHeight) line.scrollTop = bottom - line.clientHeight;
  }

  return { fill, mark };
}
