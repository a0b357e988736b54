// AttentionView in the browser: a grid of all heads, one large map to read, and what belongs to it. attention_view.py joins
// four files into one module: colours, arcs, extras, and this one. No dependencies, no requests. The same module serves a
// live kernel and a saved page; only a kernel can be asked for more digits, for a file, or to compute again.

import { PALETTES, SIGNED_COLOURS, decodeHalves, decodeFloats, canDraw, element, svg, paint, few, many, difference, digits, clip, labelled, menuOf, checkboxOf } from "./attention_colours.js";
import { makeArcs } from "./attention_arcs.js";
import { makeTable, makeFooter, download, makeTextField, makeWhatIf } from "./attention_extras.js";

function render({ model, el }) {
  const root = element("div", "tl-attention");
  const live = model.get("text") !== undefined, whatIf = model.get("switched_off") !== undefined;
  const controls = element("div", "controls"), overview = element("div", "overview"), detail = element("div", "detail");
  const title = element("div", "title");
  const keyAxis = element("div", "axis-key soft", "key: the token that is read \u2192");
  const withAxis = element("div", "with-axis");
  const queryAxis = element("div", "axis-query soft", "\u2190 query: the token that reads");
  const scroller = element("div", "scroller");
  const keyLabels = element("div", "key-labels"), queryLabels = element("div", "query-labels");
  const map = element("div", "map masked");
  const readout = element("div", "readout"), legend = element("div", "legend");
  const canvas = element("canvas"), lines = element("div", "lines");
  const rowBand = element("div", "band"), columnBand = element("div", "band");
  const hotCell = element("div", "cell hot"), chosenCell = element("div", "cell chosen");
  map.append(canvas, lines, rowBand, columnBand, chosenCell, hotCell);
  map.tabIndex = 0;
  map.setAttribute("role", "application");
  map.setAttribute("aria-roledescription", "attention map");
  readout.setAttribute("role", "status");
  readout.setAttribute("aria-live", "polite");
  scroller.append(element("div", "corner"), keyLabels, queryLabels, map);
  withAxis.append(queryAxis, scroller);
  const switches = element("div", "switches");
  const firstKey = checkboxOf("hide the first key", (checked) => {
    firstHidden = checked;
    showPart();
  });
  const arcsSwitch = checkboxOf("arcs", (checked) => {
    arcs.root.hidden = !checked;
    drawHot();
  });
  const followMenu = menuOf("follow", ["the query: what it reads", "the key: who reads it"], (choice) => {
    byKey = choice.startsWith("the key");
    drawHot();
  });
  const measureMenu = menuOf("measure", ["weight", "weight x value"], (choice) => set("measure", choice));
  const paletteMenu = menuOf("colours", Object.keys(PALETTES), (choice) => set("palette", choice));
  switches.append(followMenu, arcsSwitch, firstKey, measureMenu, paletteMenu);
  const arcs = makeArcs((at, axis) => {
    byKey = at ? axis === "key" : followMenu.lastChild.value.startsWith("the key");
    point(at);
  }, choose);
  const table = makeTable(), footer = makeFooter(model);
  const textField = makeTextField(model, live), ifOff = whatIf ? makeWhatIf(model) : null;
  detail.append(title, keyAxis, withAxis, readout, legend, switches);
  root.append(controls, overview, detail, arcs.root);
  if (ifOff) root.append(ifOff.root);
  root.append(table.root, footer.root);
  el.append(root);
  // JupyterLab's own single keys (b: new cell, d d: delete this one) are not meant while the focus is in here.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  let allWeights, norms, steps; // of every part at every step of training
  let firstHidden = false, byKey = false;
  let unscored; // layers whose scores are not known
  let signed, oneLayer; // differences are shown; the layer whose weights are here, if it is only one
  let scale; // {colours, low, high}
  let L, H, T, S, weights, queries, keys, group, cell; // what is shown: sizes, data, and a map cell's side in pixels
  let hot = null; // {query, key} under the pointer or the keyboard, or null
  let exact = null; // {cell, value}: the kernel's last answer
  let timer, thumbnails, marked, reachable; // the thumbnail that is shown, and the one that Tab reaches

  const chosen = () => model.get("selection");
  const romanised = (text) => (canDraw(text) ? null : model.get("_romanised")[text] ?? null);
  // The numbers of one head, (T, S) in one row; null where they are not here yet.
  function of(layer, head) {
    if (oneLayer !== null && layer !== oneLayer) return null;
    const start = ((oneLayer === null ? layer : 0) * H + head) * T * S;
    return weights.subarray(start, start + T * S);
  }
  function set(name, value) {
    model.set(name, value);
    model.save_changes();
  }
  function choose(change) {
    model.set("selection", { ...chosen(), ...change });
    model.save_changes();
  }

  function readData() {
    allWeights = decodeHalves(model.get("_weights"));
    norms = decodeFloats(model.get("_norms"));
    steps = model.get("_steps");
    oneLayer = model.get("_layer");
    buildControls();
    showPart();
  }

  function showPart() {
    const part = model.get("_parts").find((part) => part.name === model.get("part"));
    if (!part) return; // new part, old data: it is on its way
    [L, H, T, S] = part.shape;
    if (oneLayer === null) {
      const start = part.start + model.get("step") * L * H * T * S;
      weights = allWeights.subarray(start, start + L * H * T * S);
    } else if (allWeights.length === H * T * S) weights = allWeights;
    else return; // new part, old data
    ({ queries, keys, unscored } = part);
    group = part.n_kv_heads ? H / part.n_kv_heads : 1;
    if (firstHidden) weights = withoutFirstKey(weights);
    const byValue = model.get("measure") !== "weight" && part.norms !== null;
    if (byValue) weights = timesNorms(weights, part.norms + model.get("step") * L * H * S);
    signed = model.get("_signed");
    const most = signed || byValue ? weights.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1 : 1;
    const colours = signed ? SIGNED_COLOURS : PALETTES[model.get("palette")];
    scale = { colours, low: signed ? -most : 0, high: most };
    exact = hot = null;
    measureMenu.hidden = part.norms === null;
    paletteMenu.hidden = signed;
    measureMenu.lastChild.value = model.get("measure");
    paletteMenu.lastChild.value = model.get("palette");
    drawControls();
    buildOverview();
    buildMap();
    arcs.build({ T, S, queries, keys, scale, row: rowOf, label: (text) => romanised(text) ?? text });
    drawSelection();
  }

  // What a query reads of each key: the weight times the length of what the key's value would write (|v W_O|).
  function timesNorms(weights, start) {
    const first = oneLayer === null ? 0 : oneLayer;
    return Float32Array.from(weights, (weight, i) => {
      const head = Math.floor(i / (T * S)) + first * H;
      return weight * norms[start + head * S + (i % S)];
    });
  }
  const rowOf = (query) => {
    const { layer, head } = chosen();
    return of(layer, head).subarray(query * S, (query + 1) * S);
  };

  // What is left where the first key is left out: the other weights of a row, made to add up to 1 again. Many heads with
  // nothing to do look at the first token, and hide what little they do beside it.
  function withoutFirstKey(weights) {
    const rest = Float32Array.from(weights);
    for (let start = 0; start < rest.length; start += S) {
      const row = rest.subarray(start, start + S);
      row[0] = 0;
      const sum = row.reduce((a, b) => a + b, 0);
      if (sum > 0) row.forEach((weight, key) => (row[key] = weight / sum));
    }
    return rest;
  }

  // Which kind of attention, and at which step of training: only where there is a choice.
  let partChoice, layerChoice, slider, stepText, curve;
  function buildControls() {
    controls.replaceChildren();
    const parts = model.get("_parts");
    partChoice = slider = null;
    if (live) controls.append(textField.root);
    if (parts.length > 1) {
      const menu = menuOf("attention", parts.map(({ name }) => name), choosePart);
      partChoice = menu.lastChild;
      controls.append(menu);
    }
    layerChoice = null;
    if (oneLayer !== null) {
      const { shape } = parts.find(({ name }) => name === model.get("part"));
      const menu = menuOf("layer", Array.from({ length: shape[0] }, (_, layer) => String(layer)), (layer) => choose({ layer: Number(layer) }));
      layerChoice = menu.lastChild;
      layerChoice.disabled = !model.send;
      const n_weights = shape.reduce((product, size) => product * size, 1).toLocaleString("en");
      const why = model.send ? "one layer at a time" : `this page holds layer ${oneLayer} alone`;
      controls.append(menu, element("span", "soft", `${n_weights} weights are more than a browser can hold: ${why}`));
    }
    if (steps.length > 1) {
      slider = Object.assign(element("input"), { type: "range", min: 0, max: steps.length - 1, step: 1 });
      slider.addEventListener("input", () => set("step", Number(slider.value)));
      stepText = element("span", "soft step");
      curve = lossCurve();
      controls.append(labelled("training", slider), stepText, curve);
    }
  }

  // Another part may have fewer layers, heads or tokens: the kernel would see to the selection, a saved page has none.
  function choosePart(name) {
    const [layers, heads, queries, keys] = model.get("_parts").find((part) => part.name === name).shape;
    const { layer, head, query, key } = chosen();
    const gone = query === null || query >= queries || key >= keys;
    model.set("part", name);
    model.set("selection", {
      layer: Math.min(layer, layers - 1), head: Math.min(head, heads - 1),
      query: gone ? null : query, key: gone ? null : key,
    });
    model.save_changes();
  }

  // The loss at each step as a line, where it is a number, with a mark at the step that is shown. A click goes to the
  // nearest step.
  const CURVE = { width: 260, height: 54, pad: 5 };
  function curvePoint(i) {
    const losses = steps.map(({ loss }) => loss).filter((loss) => loss !== null), least = Math.min(...losses), most = Math.max(...losses);
    const first = steps[0].step, last = steps[steps.length - 1].step;
    return {
      x: CURVE.pad + ((steps[i].step - first) / (last - first || 1)) * (CURVE.width - 2 * CURVE.pad),
      y: CURVE.pad + ((most - steps[i].loss) / (most - least || 1)) * (CURVE.height - 2 * CURVE.pad),
    };
  }
  function lossCurve() {
    const picture = svg("svg", { class: "curve", width: CURVE.width, height: CURVE.height, role: "img" });
    picture.setAttribute("aria-label", "The loss over the steps of training");
    const points = steps.flatMap(({ loss }, i) => (loss === null ? [] : [curvePoint(i)])).map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`);
    picture.append(svg("polyline", { points: points.join(" ") }), svg("circle", { r: 4.5 }));
    picture.addEventListener("click", (event) => {
      const x = event.clientX - picture.getBoundingClientRect().left;
      const distances = steps.map((_, i) => Math.abs(curvePoint(i).x - x));
      set("step", distances.indexOf(Math.min(...distances)));
    });
    return picture;
  }

  function drawControls() {
    if (partChoice) partChoice.value = model.get("part");
    if (layerChoice) layerChoice.value = chosen().layer;
    if (!slider) return;
    const i = model.get("step"), { step, loss } = steps[i], { x, y } = curvePoint(i), said = digits(steps[i], "loss");
    slider.value = i;
    slider.setAttribute("aria-valuetext", `step ${step}, loss ${said}`);
    stepText.textContent = `step ${step} \u00b7 loss ${said}`;
    const mark = curve.querySelector("circle");
    mark.setAttribute("cx", x);
    mark.setAttribute("cy", loss === null ? CURVE.pad : y);
    mark.style.display = loss === null ? "none" : "";
  }

  function buildOverview() {
    const longest = Math.max(T, S), limit = Math.max(30, clip(Math.floor(400 / H) - 8, 76));
    const step = Math.ceil(longest / limit), zoom = Math.max(1, Math.floor(limit / Math.ceil(longest / step)));
    const grid = element("div", "heads");
    grid.setAttribute("role", "grid");
    grid.setAttribute("aria-label", "All heads: arrow keys move, Enter shows one");
    grid.style.gridTemplateColumns = `repeat(${H + 1}, max-content)`;
    const narrow = zoom * Math.ceil(S / step) < 44;
    const header = element("div");
    header.setAttribute("role", "row");
    const corner = element("span", "soft", narrow ? "head" : "");
    const headers = Array.from({ length: H }, (_, head) => element("span", "soft", narrow ? head : `head ${head}`));
    for (const one of [corner, ...headers]) one.setAttribute("role", "columnheader");
    header.append(corner, ...headers);
    grid.append(header);
    if (group > 1) grid.append(groupRow());
    thumbnails = [];
    const rows = oneLayer === null ? Array.from({ length: L }, (_, layer) => layer) : [oneLayer];
    for (const layer of rows) {
      const row = element("div"), name = element("span", "soft", `layer ${layer}`);
      row.setAttribute("role", "row");
      name.setAttribute("role", "rowheader");
      row.append(name);
      for (let head = 0; head < H; head++) {
        const thumbnail = element("div", "thumbnail masked");
        const picture = element("canvas");
        paint(picture, of(layer, head), T, S, scale, step);
        picture.style.width = `${picture.width * zoom}px`;
        picture.style.height = `${picture.height * zoom}px`;
        thumbnail.append(picture);
        thumbnail.setAttribute("role", "gridcell");
        thumbnail.setAttribute("aria-selected", "false");
        thumbnail.tabIndex = -1;
        thumbnail.setAttribute("aria-label", `layer ${layer}, head ${head}`);
        thumbnail.title = `layer ${layer}, head ${head}`;
        thumbnail.dataset.head = `${layer},${head}`;
        thumbnail.addEventListener("click", () => choose({ layer, head }));
        thumbnail.addEventListener("keydown", (event) => thumbnailKey(event, layer, head));
        row.append(thumbnail);
        thumbnails.push(thumbnail);
      }
      grid.append(row);
    }
    overview.replaceChildren(element("div", "title", signed ? "All heads: first \u2212 second" : oneLayer === null ? "All heads" : `All heads of layer ${oneLayer}`), grid);
    if (signed) overview.append(...farthestHeads());
    markOff();
  }

  // Which heads share a key and a value: a bracket above them.
  function groupRow() {
    const row = element("div"), corner = element("span", "soft", "keys");
    row.setAttribute("role", "row");
    corner.setAttribute("role", "rowheader");
    row.append(corner);
    for (let first = 0; first < H; first += group) {
      const bracket = element("span", "bracket soft", String(first / group));
      bracket.style.gridColumn = `span ${group}`;
      bracket.setAttribute("role", "columnheader");
      bracket.setAttribute("aria-label", `heads ${first} to ${first + group - 1} share keys and values`);
      bracket.title = bracket.getAttribute("aria-label");
      row.append(bracket);
    }
    return row;
  }

  // Heads that are switched off are struck through.
  function markOff() {
    const off = new Set((model.get("switched_off") ?? []).filter((one) => one.length === 3 && one[0] === model.get("part"))
      .map(([, layer, head]) => `${layer},${head}`));
    for (const thumbnail of thumbnails) thumbnail.classList.toggle("off", off.has(thumbnail.dataset.head));
  }

  // Half the sum of a row's absolute differences, mean of the rows: 0 where two attentions are the same, 1 where no key
  // gets weight in both (the total variation distance).
  const distance = (values, rows) => values.reduce((sum, value) => sum + Math.abs(value), 0) / 2 / rows;
  function farthestHeads() {
    const all = Array.from({ length: L * H }, (_, i) => ({ layer: Math.floor(i / H), head: i % H }));
    const heads = all.filter(({ layer, head }) => of(layer, head) !== null);
    for (const one of heads) one.distance = distance(of(one.layer, one.head), T);
    heads.sort((a, b) => b.distance - a.distance);
    const list = element("ol", "farthest");
    list.append(...heads.slice(0, 8).map(({ layer, head, distance }) => {
      const button = element("button", "", `layer ${layer}, head ${head}: ${distance.toFixed(3)}`);
      button.addEventListener("click", () => choose({ layer, head }));
      const item = element("li");
      item.append(button);
      return item;
    }));
    return [element("div", "soft", "Farthest apart (0: the same, 1: nothing in common)"), list];
  }

  function thumbnailKey(event, layer, head) {
    const step = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (step) {
      const next = thumbnailOf(clip(layer + step[0], L - 1), clip(head + step[1], H - 1));
      if (next) {
        rove(next);
        next.focus();
      } else choose({ layer: clip(layer + step[0], L - 1), head }); // its layer is not here yet
    } else if (event.key === "Enter" || event.key === " ") {
      choose({ layer, head });
    } else return;
    event.preventDefault();
  }

  // Scroll the overview, and nothing else, to where the chosen head is.
  function showInOverview(thumbnail) {
    const inner = thumbnail.getBoundingClientRect(), outer = overview.getBoundingClientRect();
    if (inner.bottom > outer.bottom - 4) overview.scrollTop += inner.bottom - outer.bottom + 8;
    else if (inner.top < outer.top) overview.scrollTop -= outer.top - inner.top + 8;
  }

  const thumbnailOf = (layer, head) => thumbnails.find((one) => one.dataset.head === `${layer},${head}`);

  // Tab reaches one thumbnail; arrow keys go on from there.
  function rove(thumbnail) {
    if (reachable) reachable.tabIndex = -1;
    reachable = thumbnail;
    reachable.tabIndex = 0;
  }

  function buildMap() {
    cell = Math.max(8, Math.min(30, Math.floor(600 / Math.max(T, S))));
    const fontSize = cell >= 20 ? 12 : cell >= 13 ? 11 : 10, height = Math.ceil(fontSize * 1.5);
    const pen = document.createElement("canvas").getContext("2d");
    pen.font = `${fontSize}px system-ui, sans-serif`;
    const queryTexts = queries.map((text) => romanised(text) ?? text);
    const keyTexts = keys.map((text) => romanised(text) ?? text);
    const width = (text) => Math.min(140, Math.ceil(pen.measureText(text.slice(0, 60)).width * 1.08) + 8);
    const stride = Math.ceil(height / (cell + 2)), upright = keyTexts.every((key) => width(key) <= cell + 4);
    const widest = Math.max(...keyTexts.map(width)), left = Math.max(24, ...queryTexts.map(width)) + 4;
    const slanted = !upright && cell >= 20;
    const top = upright ? height + 6 : slanted ? Math.ceil((widest + height) * 0.71) + 4 : widest + 6;
    const right = slanted ? Math.ceil(Math.max(0, ...keyTexts.map((key, k) => width(key) * 0.71 - (S - k - 0.5) * cell))) + 4 : 3;

    scroller.style.gridTemplateColumns = `${left}px ${S * cell + right}px`;
    scroller.style.gridTemplateRows = `${top}px ${T * cell + 3}px`;
    keyAxis.style.paddingLeft = `${left + 22}px`;
    detail.style.flexBasis = `${left + S * cell + right + 24}px`; // beside the overview if that fits, else below
    map.style.width = `${S * cell}px`;
    map.style.height = `${T * cell}px`;
    lines.style.background = cell < 12 ? "" :
      "linear-gradient(90deg, var(--bg) 1px, transparent 1px), linear-gradient(var(--bg) 1px, transparent 1px)";
    lines.style.backgroundSize = `${cell}px ${cell}px`;
    lines.style.backgroundPosition = "-1px -1px";

    const label = (text, i) => {
      const made = element("span", i % stride ? "label thin" : "label", text.slice(0, 200));
      made.style.fontSize = `${fontSize}px`;
      made.style.maxWidth = "140px";
      return made;
    };
    queryLabels.replaceChildren(...queryTexts.map((text, i) => {
      const made = label(text, i);
      made.style.right = "4px";
      made.style.top = `${(i + 0.5) * cell - height / 2}px`;
      return made;
    }));
    keyLabels.replaceChildren(...keyTexts.map((text, i) => {
      const made = label(text, i), centre = (i + 0.5) * cell;
      if (upright) {
        made.style.left = `${centre}px`;
        made.style.transform = "translateX(-50%)";
        made.style.bottom = "3px";
      } else {
        made.style.left = `${centre + height / (slanted ? 3 : 2)}px`;
        made.style.bottom = slanted ? "0px" : "2px";
        made.style.transformOrigin = "0 100%";
        made.style.transform = slanted ? "rotate(-45deg)" : "rotate(-90deg)";
      }
      return made;
    }));

    firstKey.hidden = signed || S === 1;
    const byValue = !signed && scale.high !== 1;
    const masked = !signed && weights.some((weight) => weight === 0);
    const ramp = element("div", "scale"), bar = element("canvas"), ticks = element("div", "ticks soft");
    const { low, high } = scale, ends = [low, (low + high) / 2, high];
    paint(bar, Float32Array.from({ length: 256 }, (_, i) => Math.max(low + (i / 255) * (high - low), low || 1e-9)), 1, 256, scale);
    const write = signed ? difference(2) : (value) => (byValue ? value.toFixed(2) : String(value));
    ticks.append(...ends.map((end) => element("span", "", write(end))));
    ramp.append(bar, ticks);
    legend.replaceChildren(element("span", "soft", meaning()), ramp);
    if (masked) {
      const entry = element("span", "soft mask-entry", firstHidden ? "exactly 0 (masked), and the first key" : "exactly 0 (masked)");
      entry.prepend(element("span", "swatch masked"));
      legend.append(entry);
    }
  }

  function meaning() {
    if (signed) return "difference of weights";
    return model.get("measure") === "weight" || scale.high === 1 ? "attention weight" : "weight \u00d7 length of the value";
  }

  function drawSelection() {
    const { layer, head, query, key } = chosen();
    if (layer >= L || head >= H || query >= T || key >= S) return; // new selection, old data: it is on its way
    footer.draw(chosen());
    ifOff?.draw();
    if (layerChoice) layerChoice.value = layer;
    title.textContent = `layer ${layer}, head ${head}${group > 1 ? ` (keys ${Math.floor(head / group)})` : ""}`;
    if (of(layer, head) === null) {
      title.textContent += ": on its way";
      return;
    }
    marked?.setAttribute("aria-selected", "false");
    marked = thumbnailOf(layer, head);
    marked.setAttribute("aria-selected", "true");
    if (!overview.contains(document.activeElement)) rove(marked);
    showInOverview(marked);
    map.setAttribute("aria-label", `Attention of layer ${layer}, head ${head}: ${T} queries in rows, ${S} keys in ` +
      "columns. Arrow keys move, Enter selects, Escape lets go.");
    paint(canvas, of(layer, head), T, S, scale);
    table.draw({ T, S, queries, keys, row: rowOf, title: title.textContent, write: signed ? difference(3) : (weight) => weight.toFixed(3) }, query);
    place(chosenCell, query === null ? null : { query, key });
    drawHot();
  }

  function place(box, at) {
    box.hidden = at === null;
    if (at === null) return;
    Object.assign(box.style, { left: `${at.key * cell}px`, top: `${at.query * cell}px`, width: `${cell}px`, height: `${cell}px` });
  }

  function drawHot() {
    const { query, key } = chosen();
    place(hotCell, hot);
    place(rowBand, hot && !byKey ? { query: hot.query, key: 0 } : null);
    place(columnBand, hot && byKey ? { query: 0, key: hot.key } : null);
    rowBand.style.width = `${S * cell}px`;
    columnBand.style.height = `${T * cell}px`;
    [...queryLabels.children].forEach((label, i) => mark(label, hot?.query === i, query === i));
    [...keyLabels.children].forEach((label, i) => mark(label, hot?.key === i, key === i));
    const at = hot ?? (query === null ? null : { query, key });
    if (!arcs.root.hidden) arcs.draw(at && (byKey ? { key: at.key } : { query: at.query }), at);
    drawReadout();
  }

  function mark(label, isHot, isChosen) {
    label.classList.toggle("hot", isHot);
    label.classList.toggle("chosen", isChosen && !isHot);
  }

  function drawReadout() {
    clearTimeout(timer);
    const { layer, head, query, key } = chosen();
    const at = hot ?? (query === null ? null : { query, key });
    if (!at) {
      readout.replaceChildren(element("span", "soft", "Point at a cell to read its weight; click to select it. " +
        "By keyboard: Tab, arrow keys, Enter."));
      return;
    }
    if (of(layer, head) === null) return;
    const row = rowOf(at.query), value = row[at.key];
    const asked = { part: model.get("part"), step: model.get("step"), cell: [layer, head, at.query, at.key] };
    const plain = !firstHidden && model.get("measure") === "weight"; // what the kernel has is what is shown
    const known = exact && String(exact.cell) === String(asked.cell) && exact.part === asked.part && exact.step === asked.step;
    const [short, long] = signed ? [difference(3), difference(6)] : [few, many];
    const shown = !plain ? value.toFixed(3) : known ? long(exact.value) : short(value);
    readout.replaceChildren(
      "query ", ...quoted(queries[at.query]), " \u2192 key ", ...quoted(keys[at.key]), ": ", element("strong", "", shown), element("br"),
      element("span", "soft", `${!hot ? "selected \u00b7 " : ""}${byKey ? aboutColumn(at.key) : aboutRow(row)}${plain ? aboutScore(row, at.key, known) : ""}`),
    );
    if (!known && plain && model.send) timer = setTimeout(() => model.send(asked), 40);
  }

  function aboutRow(row) {
    if (signed) return `this query's two attentions are ${distance(row, 1).toFixed(3)} apart`;
    const sum = row.reduce((a, b) => a + b, 0).toFixed(2);
    if (scale.high !== 1) return `this query's values, so weighted, have lengths that add up to ${sum}`;
    if (firstHidden) return "without the first key: the other weights are scaled up to add up to 1";
    return `this query's weights add up to ${sum}`;
  }

  // The weights of a column add up to nothing in particular: that is what one looks for.
  function aboutColumn(key) {
    let sum = 0;
    for (let query = 0; query < T; query++) sum += rowOf(query)[key];
    return `all ${T} queries together give this key ${signed ? difference(2)(sum) : sum.toFixed(2)}`;
  }

  // The score itself where the kernel knows it; elsewhere what the weights tell of it: softmax keeps differences.
  function aboutScore(row, key, known) {
    if (signed || row[key] === 0) return "";
    if (unscored.includes(chosen().layer)) return " \u00b7 no score: no softmax made these weights";
    if (known && exact.score !== null && exact.score !== undefined) return ` \u00b7 score ${difference(3)(exact.score)}`;
    const below = Math.log(row.reduce((a, b) => Math.max(a, b), 0) / row[key]);
    return below < 0.005 ? " \u00b7 the largest score of this query" : ` \u00b7 score ${below.toFixed(2)} below this query's largest`;
  }

  function quoted(text) {
    const aloud = romanised(text);
    return ["\u2018", element("bdi", "", text), "\u2019", aloud === null ? "" : ` (${aloud})`];
  }

  function cellAt(event) {
    const box = map.getBoundingClientRect();
    return {
      query: clip(Math.floor(((event.clientY - box.top) / box.height) * T), T - 1),
      key: clip(Math.floor(((event.clientX - box.left) / box.width) * S), S - 1),
    };
  }
  function point(at) {
    if (hot?.query === at?.query && hot?.key === at?.key) return;
    hot = at;
    drawHot();
  }
  const start = () => (chosen().query === null ? { query: 0, key: 0 } : { query: chosen().query, key: chosen().key });

  map.addEventListener("pointermove", (event) => point(cellAt(event)));
  map.addEventListener("pointerleave", () => point(null));
  map.addEventListener("click", (event) => choose(cellAt(event)));
  map.addEventListener("focus", () => map.matches(":focus-visible") && point(start()));
  map.addEventListener("blur", () => point(null));
  map.addEventListener("keydown", (event) => {
    const { query, key } = hot ?? start();
    const moves = {
      ArrowUp: [query - 1, key], ArrowDown: [query + 1, key], ArrowLeft: [query, key - 1], ArrowRight: [query, key + 1],
      Home: [query, 0], End: [query, S - 1], PageUp: [0, key], PageDown: [T - 1, key],
    };
    if (moves[event.key]) {
      point({ query: clip(moves[event.key][0], T - 1), key: clip(moves[event.key][1], S - 1) });
      hotCell.scrollIntoView({ block: "nearest", inline: "nearest" });
    } else if (event.key === "Enter" || event.key === " ") choose({ query, key });
    else if (event.key === "Escape") choose({ query: null, key: null });
    else return;
    event.preventDefault();
  });

  // One update changes several traits: draw once, when all of them are there.
  let waiting = false;
  function dataChanged() {
    if (waiting) return;
    waiting = true;
    queueMicrotask(() => {
      waiting = false;
      readData();
    });
  }
  function answered(message, buffers) {
    if (message.save) return download(message.save, buffers[0]);
    exact = message;
    drawReadout();
  }
  function switched() {
    ifOff.draw();
    markOff();
  }
  const events = ["_parts", "_steps", "_weights", "_norms", "_layer", "_signed"].map((name) => [`change:${name}`, dataChanged]);
  events.push(["change:part", showPart], ["change:step", showPart]);
  events.push(["change:palette", showPart], ["change:measure", showPart]);
  if (live) events.push(["change:text", textField.draw], ["change:message", textField.draw]);
  if (ifOff) events.push(["change:switched_off", switched], ["change:_outcome", switched]);
  events.push(["change:selection", drawSelection], ["msg:custom", answered]);
  for (const [event, listener] of events) model.on(event, listener);
  readData();

  return () => {
    clearTimeout(timer);
    for (const [event, listener] of events) model.off(event, listener);
    root.remove();
  };
}

export default { render };
