// What a reader takes away: the selection as a line of Python, for an answer that survives a restart, and a picture.

import { button, html } from "./kit.js";

const TYPES = { png: "image/png", svg: "image/svg+xml", html: "text/html" };

export function footer(parent, state) {
  const root = html(parent, "div", { class: "footer" }), line = html(root, "code");
  copyButton(root, line);
  if (state.model.send) saveButtons(root, state);
  state.on("selection", () => {
    const { layer, head, query, key } = state.selection;
    const cell = query === null ? "" : `, "query": ${query}, "key": ${key}`;
    line.textContent = `selection = {"layer": ${layer}, "head": ${head}${cell}}`;
  });
  state.on("file", download);
}

function copyButton(parent, line) {
  const copy = async () => {
    await navigator.clipboard?.writeText(line.textContent).catch(() => {});
    const range = document.createRange(); // where nothing may write to the clipboard, it is at least selected
    range.selectNodeContents(line);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    copied.textContent = "copied";
    setTimeout(() => (copied.textContent = ""), 2000);
  };
  button(parent, "copy", copy, { "aria-label": "copy the selection as a line of Python" });
  const copied = html(parent, "span", { class: "soft", role: "status" });
}

// The kernel draws the file, and sends it.
function saveButtons(parent, state) {
  const root = html(parent, "span", { class: "save" });
  root.append("save as ");
  for (const format of Object.keys(TYPES)) {
    const name = format.toUpperCase();
    button(root, name, () => state.model.send({ save: format }), { "aria-label": `save as ${name}` });
  }
}

function download(format, bytes) {
  const url = URL.createObjectURL(new Blob([bytes], { type: TYPES[format] }));
  Object.assign(document.createElement("a"), { href: url, download: `attention.${format}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
