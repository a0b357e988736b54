// DateTranslator's answer. Traits: text, part, kind (what is asked: the controls' own values, linked in the browser, so
// that they come without the kernel), heard (what is answered, in this order), large, latin, note.

import { html, patience, stage, watch } from "./kit.js";

function render({ model, el }) {
  const root = stage(el, "tl-answer");
  const lines = ["large", "latin", "note"].map((name) => [name, html(root, "div", { class: name, role: "status" })]);
  const status = html(root, "div", { class: "status", role: "status" });
  const tell = patience((text) => (status.textContent = text));

  function draw() {
    const asked = ["text", "part", "kind"].map((name) => model.get(name));
    const waits = JSON.stringify(asked) !== JSON.stringify(model.get("heard"));
    for (const [name, line] of lines) line.textContent = model.get(name);
    tell(waits);
    (el.closest(".tl-translator") ?? root).classList.toggle("waits", waits);
  }

  return watch(model, ["text", "part", "kind", "heard", "large", "latin", "note"], draw);
}

export default { render };
