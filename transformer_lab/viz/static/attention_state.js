// What AttentionView shows, and who listens: one object, made from the model, that all parts of the view share.
// Parts listen to moments. One leads to the next, so a part listens to the first at which it must draw:
//   data       other attention has come, and with it other menus
//   shown      another part, step, palette or measure: whatever shows weights is made anew
//   selection  another head or cell is selected
//   head       and the weights of that head are here
//   hot        another cell is under the pointer or the keyboard
//   answer     the kernel has given a weight as it is
// Besides them: text (what LiveAttention reads), off (what is switched off), file (to download), end (the view is gone).

import { PALETTES, SIGNED_COLOURS } from "./attention_colours.js";
import { canDraw } from "./attention_letters.js";
import { largestOf, timesValueNorms, withoutFirstKey } from "./attention_measures.js";
import { decodeFloats, decodeHalves, headName } from "./attention_numbers.js";
import { scaleOfDifferences, scaleOfHead } from "./attention_scale.js";
import { choose, listen, once } from "./kit.js";

const DATA = ["_parts", "_steps", "_weights", "_value_norms", "_layer", "_signed"];
const SHOWN = ["part", "step", "palette", "measure"];

export class AttentionState {
  // What is chosen in this view alone; all else is the model's.
  firstKeyHidden = false;
  withArcs = false;
  byPattern = false; // the overview's order
  followsKey = false; // who reads a key is shown, not what a query reads
  hot = null; // {query, key} under the pointer or the keyboard, or null
  byKey = false; // as followsKey, or as the arc wants it whose end the pointer is at
  exact = null; // the kernel's last answer

  listeners = [];

  constructor(model) {
    this.model = model;
  }

  on(moment, listener) {
    this.listeners.push([moment, listener]);
  }

  tell(moment, ...given) {
    for (const [wanted, listener] of this.listeners) if (wanted === moment) listener(...given);
  }

  // Follow the model, from now on; gives what ends that.
  follow() {
    const read = once(() => this.read());
    const end = listen(this.model, [
      ...DATA.map((name) => [`change:${name}`, read]),
      ...SHOWN.map((name) => [`change:${name}`, () => this.show()]),
      ...["text", "message", "heard"].map((name) => [`change:${name}`, () => this.tell("text")]),
      ...["switched_off", "_outcome"].map((name) => [`change:${name}`, () => this.tell("off")]),
      ["change:selection", () => this.select()],
      ["msg:custom", (message, buffers) => this.hear(message, buffers)],
    ]);
    this.read();
    return () => {
      end();
      this.tell("end");
    };
  }

  read() {
    this.all = decodeHalves(this.get("_weights"));
    this.valueNorms = decodeFloats(this.get("_value_norms")); // of the values
    this.parts = this.get("_parts");
    this.steps = this.get("_steps");
    this.onlyLayer = this.get("_layer"); // the layer whose weights are here, if it is only one
    this.signed = this.get("_signed"); // differences are shown
    this.tell("data");
    this.show();
  }

  show() {
    const part = this.parts.find(({ name }) => name === this.get("part"));
    const weights = part && this.weightsOf(part);
    if (!weights) return; // new part, old data: it is on its way
    [this.L, this.H, this.T, this.S] = part.shape;
    Object.assign(this, { part, weights, queries: part.queries, keys: part.keys, exact: null, hot: null });
    const patterns = part.patterns[this.get("step")].map(([layer, head, name, score]) => [`${layer},${head}`, { name, score }]);
    this.patterns = new Map(patterns); // of the heads that follow one
    this.group = part.n_kv_heads ? this.H / part.n_kv_heads : 1; // so many heads share a key
    this.measure();
    this.tell("shown");
    this.select();
  }

  // The weights of a part as they came, (L, H, T, S) in one row, or (H, T, S) of one layer; null if they are not here.
  weightsOf({ shape: [L, H, T, S], start }) {
    if (this.onlyLayer !== null) return this.all.length === H * T * S ? this.all : null;
    const size = L * H * T * S, first = start + this.get("step") * size;
    return this.all.subarray(first, first + size);
  }

  // What is shown of the weights. Which colours stand for it is found for each head when it is drawn.
  measure() {
    const { part, signed, L, H, T, S } = this;
    this.byNorm = part.value_norms !== null && this.get("measure") !== "weight";
    if (this.firstKeyHidden) this.weights = withoutFirstKey(this.weights, S);
    if (this.byNorm) {
      const first = part.value_norms + (this.get("step") * L + (this.onlyLayer ?? 0)) * H * S;
      this.weights = timesValueNorms(this.weights, this.valueNorms.subarray(first), T, S);
    }
    this.scales = new Map();
    this.differences = signed ? scaleOfDifferences(SIGNED_COLOURS, largestOf(this.weights)) : null;
  }

  select() {
    const { layer, head, query, key } = this.selection;
    if (layer >= this.L || head >= this.H || query >= this.T || key >= this.S) return; // new selection, old data
    this.tell("selection");
    if (!this.isHere) return;
    this.tell("head");
    this.tell("hot");
  }

  // The pointer is at a cell, or (null) nowhere; axis: at an arc's end, of a "query" or a "key".
  point(at, axis) {
    this.byKey = at && axis ? axis === "key" : this.followsKey;
    if (this.hot?.query === at?.query && this.hot?.key === at?.key) return;
    this.hot = at;
    this.tell("hot");
  }

  hear(message, buffers) {
    if (message.save) {
      this.tell("file", message.save, buffers[0]);
      return;
    }
    this.exact = message;
    this.tell("answer");
  }

  get(name) {
    return this.model.get(name);
  }

  set(name, value) {
    choose(this.model, { [name]: value });
  }

  get selection() {
    return this.get("selection");
  }

  choose(change) {
    this.set("selection", { ...this.selection, ...change });
  }

  // Another part may have fewer layers, heads or tokens: the kernel would see to the selection, a saved page has none.
  choosePart(name) {
    const [L, H, T, S] = this.parts.find((part) => part.name === name).shape;
    const { layer, head, query, key } = this.selection;
    const gone = query === null || query >= T || key >= S;
    choose(this.model, {
      part: name,
      selection: {
        layer: Math.min(layer, L - 1), head: Math.min(head, H - 1),
        query: gone ? null : query, key: gone ? null : key,
      },
    });
  }

  // The cell that is spoken of: the hot one, else the selected one, else null.
  get cell() {
    const { query, key } = this.selection;
    return this.hot ?? (query === null ? null : { query, key });
  }

  // The numbers of one head, (T, S) in one row; null where they are not here yet.
  weightsAt(layer, head) {
    if (this.onlyLayer !== null && layer !== this.onlyLayer) return null;
    const size = this.T * this.S, start = ((this.onlyLayer === null ? layer : 0) * this.H + head) * size;
    return this.weights.subarray(start, start + size);
  }

  // Which colours stand for them; for differences the same in all heads, so that what changed more shows more.
  scaleAt(layer, head) {
    const name = `${layer},${head}`;
    if (this.differences) return this.differences;
    if (!this.scales.has(name)) {
      const colours = PALETTES[this.get("palette")], limit = this.byNorm ? Infinity : 1;
      this.scales.set(name, scaleOfHead(colours, this.weightsAt(layer, head) ?? [], limit));
    }
    return this.scales.get(name);
  }

  get scale() {
    return this.scaleAt(this.selection.layer, this.selection.head);
  }

  get headWeights() {
    return this.weightsAt(this.selection.layer, this.selection.head);
  }

  get isHere() {
    return this.headWeights !== null;
  }

  row(query) {
    return this.headWeights.subarray(query * this.S, (query + 1) * this.S);
  }

  get title() {
    const { layer, head } = this.selection;
    return headName(layer, head) + (this.group > 1 ? ` (keys ${Math.floor(head / this.group) + 1})` : "");
  }

  patternOf(layer, head) {
    return this.patterns.get(`${layer},${head}`);
  }

  // A token in letters that this browser can draw, where that takes others than its own; else null.
  romanised(text) {
    return canDraw(text) ? null : this.get("_romanised")[text] ?? null;
  }

  label(text) {
    return this.romanised(text) ?? text;
  }
}
