// What bertviz 1.4.1 asks of d3 5 and of jQuery, and nothing else: its pages then need no network.
//
// Stay on d3 5: later versions hand listeners (event, datum), and bertviz' take (datum, index).
// To build transformer_lab/viz/static/bertviz_d3.js, in a copy of this folder:
//
//   npm install
//   npx esbuild entry.js --bundle --minify --format=iife --global-name=d3 --outfile=bertviz_d3.js
//
// The licences of the modules inside are in bertviz_d3.LICENSE.txt, beside the bundle; this line goes into it:
/*! Parts of d3 5, Copyright 2010-2018 Mike Bostock, BSD-3-Clause. */

export { hsl } from "d3-color";
export { default as scaleOrdinal } from "d3-scale/src/ordinal";
export { default as schemeCategory10 } from "d3-scale-chromatic/src/categorical/category10";
export { select, selectAll } from "d3-selection";
export { line } from "d3-shape";
export const version = "5";

// jQuery's part: some elements, and a handful of things to do to each of them.
class Elements {
  constructor(what) {
    this.all = typeof what !== "string" ? [what]
      : what.startsWith("<") ? [document.createElement(what.replace(/\W/g, ""))]
      : [...document.querySelectorAll(what)];
  }
  each(change) {
    this.all.forEach(change);
    return this;
  }
  append(other) { return this.each((element) => element.append(...other.all)); }
  attr(name, value) { return this.each((element) => element.setAttribute(name, value)); }
  change() { return this.each((element) => element.dispatchEvent(new Event("change"))); }
  empty() { return this.each((element) => element.replaceChildren()); }
  on(event, listener) { return this.each((element) => element.addEventListener(event, listener)); }
  text(text) { return this.each((element) => { element.textContent = text; }); }
  val(value) { return this.each((element) => { element.value = value; }); }
}

export const $ = (what) => new Elements(what);
