// AttentionView's third part: a table to be read aloud, files to download, a line to paste, what-if.

import { element, digits, labelled, buttonOf } from "./attention_colours.js";

const MOST_TABLE_CELLS = 4096;

// The chosen head's numbers as a table, for whoever cannot see a map; filled only while it is open.
export function makeTable() {
  const root = element("details", "table"), summary = element("summary", "", "the numbers as a table");
  const box = element("div", "table-scroller");
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  box.setAttribute("aria-label", "the numbers as a table");
  root.append(summary, box);
  let fill = () => {};
  root.addEventListener("toggle", () => fill());

  function draw({ T, S, queries, keys, row, title, write }, query) {
    fill = () => {
      box.replaceChildren();
      if (!root.open) return;
      const rows = T * S <= MOST_TABLE_CELLS ? queries.map((_, i) => i) : [query ?? 0];
      const table = element("table"), head = element("thead"), names = element("tr"), body = element("tbody");
      table.append(element("caption", "", title + (rows.length < T ? `: the row of query ${rows[0] + 1} of ${T}` : "")));
      names.append(Object.assign(element("th", "", "query \\ key"), { scope: "col" }));
      names.append(...keys.map((text) => Object.assign(element("th", "", text.slice(0, 60)), { scope: "col" })));
      head.append(names);
      for (const i of rows) {
        const line = element("tr");
        line.append(Object.assign(element("th", "", queries[i].slice(0, 60)), { scope: "row" }));
        row(i).forEach((weight) => line.append(element("td", "", write(weight))));
        body.append(line);
      }
      table.append(head, body);
      box.append(table);
    };
    fill();
  }
  return { root, draw };
}

// The selection as a line of Python, for an answer that survives a restart; and the picture as a file.
export function makeFooter(model) {
  const root = element("div", "footer"), line = element("code"), copied = element("span", "soft");
  copied.setAttribute("role", "status");
  const copy = buttonOf("copy", async () => {
    await navigator.clipboard?.writeText(line.textContent).catch(() => {});
    const range = document.createRange(); // where nothing may write to the clipboard, it is at least selected
    range.selectNodeContents(line);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    copied.textContent = "copied";
    setTimeout(() => (copied.textContent = ""), 2000);
  });
  copy.setAttribute("aria-label", "copy the selection as a line of Python");
  root.append(line, copy, copied);
  if (model.send) {
    const save = element("span", "save");
    save.append("save as ", ...["png", "svg", "html"].map((format) => {
      const button = buttonOf(format.toUpperCase(), () => model.send({ save: format }));
      button.setAttribute("aria-label", `save as ${format.toUpperCase()}`);
      return button;
    }));
    root.append(save);
  }
  function draw({ layer, head, query, key }) {
    const cell = query === null ? "" : `, "query": ${query}, "key": ${key}`;
    line.textContent = `selection = {"layer": ${layer}, "head": ${head}${cell}}`;
  }
  return { root, draw };
}

export function download(format, bytes) {
  const type = { png: "image/png", svg: "image/svg+xml", html: "text/html" }[format];
  const url = URL.createObjectURL(new Blob([bytes], { type }));
  Object.assign(element("a"), { href: url, download: `attention.${format}` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

// A text to type: the kernel reads it again once the reader pauses. An error stands below; the picture stays.
export function makeTextField(model, live) {
  const root = element("div", "text-field"), field = element("textarea"), message = element("div", "message");
  field.rows = 1;
  field.spellcheck = false;
  message.setAttribute("role", "alert");
  root.append(labelled("text", field), message);
  let timer = null;
  field.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      timer = null;
      model.set("text", field.value);
      model.save_changes();
    }, 350);
  });
  function draw() {
    if (timer === null && field.value !== model.get("text")) field.value = model.get("text"); // not under the fingers
    message.textContent = model.get("message");
    message.hidden = !message.textContent;
  }
  if (live) draw();
  return { root, draw };
}

// What is switched off, and what that does to the model's predictions.
export function makeWhatIf(model) {
  const root = element("div", "what-if"), buttons = element("div", "what-if-buttons"), list = element("ul");
  const outcome = element("div", "outcome");
  outcome.setAttribute("role", "status");
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
  const off = () => model.get("switched_off");
  function toggle(one) {
    const kept = off().filter((other) => !same(one, other));
    model.set("switched_off", kept.length < off().length ? kept : [...kept, one]);
    model.save_changes();
  }
  const headOf = ({ layer, head }) => [model.get("part"), layer, head];
  const edgeOf = ({ layer, head, query, key }) => [model.get("part"), layer, head, query, key];
  const headButton = buttonOf("", () => toggle(headOf(model.get("selection"))));
  const edgeButton = buttonOf("", () => toggle(edgeOf(model.get("selection"))));
  const allButton = buttonOf("switch everything on", () => {
    model.set("switched_off", []);
    model.save_changes();
  });
  buttons.append(headButton, edgeButton, allButton);
  root.append(element("div", "title", "What if"), buttons, list, outcome);

  function named([part, layer, head, query, key], parts) {
    const { queries, keys } = parts.find(({ name }) => name === part);
    const where = `${parts.length > 1 ? `${part}, ` : ""}layer ${layer}, head ${head}`;
    return query === undefined ? where : `${where}: \u2018${queries[query]}\u2019 reads \u2018${keys[key]}\u2019`;
  }

  function draw() {
    const selection = model.get("selection"), parts = model.get("_parts");
    const isOff = (one) => off().some((other) => same(one, other));
    headButton.textContent = isOff(headOf(selection)) ? "switch this head on" : "switch this head off";
    edgeButton.textContent = selection.query !== null && isOff(edgeOf(selection)) ? "let the query read this key" : "close this cell";
    edgeButton.disabled = selection.query === null;
    edgeButton.title = edgeButton.disabled ? "select a cell of the map first" : "";
    allButton.disabled = off().length === 0;
    list.replaceChildren(...off().map((one) => element("li", "", named(one, parts))));
    outcome.replaceChildren(...outcomeOf(model.get("_outcome")));
  }

  function outcomeOf(outcome) {
    const { what, position, rows } = outcome;
    if (!what) return [];
    const said = element("div");
    said.append(`${what}: `, element("strong", "", digits(outcome, "now")), off().length ? ` (whole model: ${digits(outcome, "whole")})` : "");
    if (!rows.length) return [said];
    const table = element("table", "predictions"), head = element("tr"), body = element("tbody");
    for (const text of [position, off().length ? "whole" : "", off().length ? "now" : "probability", ""])
      head.append(Object.assign(element("th", "", text), { scope: "col" }));
    table.append(element("thead"), body);
    table.firstChild.append(head);
    for (const row of rows) {
      const { token, whole, now, wanted } = row;
      const line = element("tr"), bar = element("div", "bar"), before = element("div", "before"), after = element("div", "after");
      before.style.width = `${100 * whole}%`;
      after.style.width = `${100 * now}%`;
      bar.append(after, ...(off().length ? [before] : []));
      const cell = element("td", "bars");
      cell.append(bar);
      const name = Object.assign(element("th", wanted ? "wanted" : "", token), { scope: "row" });
      if (wanted) name.title = "what comes next in the text";
      line.append(name, element("td", "", off().length ? digits(row, "whole") : ""), element("td", "", digits(row, "now")), cell);
      body.append(line);
    }
    return [said, table];
  }
  return { root, draw };
}
