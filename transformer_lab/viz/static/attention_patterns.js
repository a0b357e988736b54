// What heads do: Python has measured it from the weights (analysis/head_patterns.py); here is how it is said.

import { html } from "./kit.js";

// Each pattern's short name, for a small picture, and which key a query reads in it.
export const PATTERNS = {
  "previous token": ["prev", "the key one place before the query's own"],
  diagonal: ["diag", "the key in the query's own place"],
  "next token": ["next", "the key one place after the query's own"],
  induction: ["ind", "the key after the last occurrence of the query's token"],
  "first token": ["1st", "the first key, whatever the query (a sink)"],
  "one token": ["one", "one and the same key, whatever the query (a sink)"],
  uniform: ["even", "all keys alike"],
};
export const NO_PATTERN = "no pattern";

export const shortName = ({ name }) => PATTERNS[name][0];
export const patternSaid = ({ name, score }) => `${name} ${score.toFixed(2)}`;
export const patternExplained = ({ name, score }) => `${score.toFixed(2)} of the weight goes to ${PATTERNS[name][1]}`;

// Below the heads, folded: the short names that stand there, and from where on a head has one.
export function patternNames(parent, state) {
  const found = Object.keys(PATTERNS).filter((name) => [...state.patterns.values()].some((one) => one.name === name));
  if (!found.length) return;
  const root = html(parent, "details", { class: "pattern-names soft" });
  html(root, "summary", {}, found.map((name) => PATTERNS[name][0]).join(", ") + ": what the names mean");
  const list = html(root, "dl");
  for (const name of found) {
    html(list, "dt", {}, PATTERNS[name][0]);
    html(list, "dd", {}, `${name}: ${PATTERNS[name][1]}`);
  }
  html(root, "div", {}, "A name is measured from the weights of this text: at least half of a head\u2019s weight goes there, and " +
    "more than three standard deviations above chance; for \u201ceven\u201d, nine tenths are spread evenly.");
}
