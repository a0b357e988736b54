// AttentionView in the browser: a grid of all heads, and one large map to read. No dependencies, no requests.
// The same module serves a live kernel and a saved page; only a kernel can be asked for more digits.

// matplotlib's viridis (public domain) at 33 even steps; colours between them are mixed.
const VIRIDIS =
  "440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e 26828e 23898e " +
  "21918c 1f988b 1fa088 22a785 28ae80 32b67a 3fbc73 4ec36b 5ec962 70cf57 84d44b 98d83e addc30 c2df23 d8e219 ece51b fde725";
// For differences: orange where negative, almost white at 0, blue where positive.
const DIVERGING = "9a3e00 e8842c f7f7f7 4f92cc 0b3c78";
function palette(hexes) {
  const anchors = hexes.split(" ").map((hex) => [0, 2, 4].map((i) => parseInt(hex.slice(i, i + 2), 16)));
  return Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (anchors.length - 1);
    const low = Math.min(Math.floor(at), anchors.length - 2);
    return anchors[low].map((c, j) => Math.round(c + (at - low) * (anchors[low + 1][j] - c)));
  });
}
const COLOURS = palette(VIRIDIS), SIGNED_COLOURS = palette(DIVERGING);

// 16-bit floats, none infinite: 1 bit sign, 5 bits exponent, 10 bits fraction.
function decodeHalves(view) {
  const values = new Float32Array(view.byteLength / 2);
  for (let i = 0; i < values.length; i++) {
    const bits = view.getUint16(2 * i, true);
    const exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const size = exponent ? 2 ** (exponent - 25) * (1024 + fraction) : 2 ** -24 * fraction;
    values[i] = bits >> 15 ? -size : size;
  }
  return values;
}

// Whether some font here has every character: one that none has looks like the last character of Unicode, which
// is nobody's. Each answer is kept.
const seen = new Map();
function canDraw(text) {
  return [...text.slice(0, 60)].every((char) => {
    if (!seen.has(char)) seen.set(char, char < "\u0370" || pixels(char) !== pixels("\u{10FFFD}"));
    return seen.get(char);
  });
}
function pixels(char) {
  const canvas = Object.assign(document.createElement("canvas"), { width: 24, height: 24 });
  const pen = canvas.getContext("2d");
  pen.font = "16px system-ui, sans-serif";
  pen.fillText(char, 2, 18);
  return String(pen.getImageData(0, 0, 24, 24).data);
}

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text; // never innerHTML: tokens are data
  return made;
}

// One pixel for each block of `step` x `step` weights: the largest of them, so that no spike is lost. With a scale they
// are differences, from -scale to scale.
function paint(canvas, weights, n_rows, n_columns, step = 1, scale = null) {
  const height = Math.ceil(n_rows / step), width = Math.ceil(n_columns / step);
  canvas.width = width;
  canvas.height = height;
  const image = new ImageData(width, height);
  const largest = new Float32Array(width * height);
  for (let row = 0; row < n_rows; row++) {
    for (let column = 0; column < n_columns; column++) {
      const pixel = Math.floor(row / step) * width + Math.floor(column / step);
      const weight = weights[row * n_columns + column];
      if (Math.abs(weight) > Math.abs(largest[pixel])) largest[pixel] = weight;
    }
  }
  largest.forEach((weight, pixel) => {
    if (scale !== null) image.data.set(SIGNED_COLOURS[clip(Math.round(127.5 * (1 + weight / scale)), 255)], 4 * pixel);
    else if (weight === 0) return; // stays transparent: the hatching behind it shows
    else image.data.set(COLOURS[Math.min(255, Math.round(weight * 255))], 4 * pixel);
    image.data[4 * pixel + 3] = 255;
  });
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const few = (weight) => (weight === 0 ? "0 (masked)" : weight < 0.0005 ? "less than 0.001" : weight.toFixed(3));
const many = (weight) => (weight === 0 ? "0 (masked)" : weight < 0.00001 ? weight.toExponential(3) : weight.toFixed(6));
const difference = (digits) => (value) => `${value < 0 ? "\u2212" : value > 0 ? "+" : ""}${Math.abs(value).toFixed(digits)}`;
const clip = (value, top) => Math.max(0, Math.min(top, value));

function render({ model, el }) {
  const root = element("div", "tl-attention");
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
  detail.append(title, keyAxis, withAxis, readout, legend);
  const firstKey = labelled("hide the first key", Object.assign(element("input"), { type: "checkbox" }));
  firstKey.lastChild.addEventListener("change", () => {
    firstHidden = firstKey.lastChild.checked;
    showPart();
  });
  detail.append(firstKey);
  root.append(controls, overview, detail);
  el.append(root);
  // JupyterLab's own single keys (b: new cell, d d: delete this one) are not meant while the focus is in here.
  root.addEventListener("keydown", (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });

  let allWeights, steps; // of every part at every step of training
  let firstHidden = false;
  let scale; // of differences: the largest of them; null where weights are shown
  let L, H, T, S, weights, queries, keys, cell; // what is shown: sizes, data, and a map cell's side in pixels
  let hot = null; // {query, key} under the pointer or the keyboard, or null
  let exact = null; // {cell, value}: the kernel's last answer
  let timer, thumbnails;

  const chosen = () => model.get("selection");
  const romanised = (text) => (canDraw(text) ? null : model.get("_romanised")[text] ?? null);
  const of = (layer, head) => weights.subarray((layer * H + head) * T * S, (layer * H + head + 1) * T * S);
  function choose(change) {
    model.set("selection", { ...chosen(), ...change });
    model.save_changes();
  }

  function readData() {
    allWeights = decodeHalves(model.get("_weights"));
    steps = model.get("_steps");
    scale = model.get("_signed") ? allWeights.reduce((most, value) => Math.max(most, Math.abs(value)), 0) || 1 : null;
    buildControls();
    showPart();
  }

  function showPart() {
    const part = model.get("_parts").find((part) => part.name === model.get("part"));
    if (!part) return; // new part, old data: it is on its way
    [L, H, T, S] = part.shape;
    const start = part.start + model.get("step") * L * H * T * S;
    weights = allWeights.subarray(start, start + L * H * T * S);
    if (firstHidden) weights = withoutFirstKey(weights);
    ({ queries, keys } = part);
    exact = hot = null;
    drawControls();
    buildOverview();
    buildMap();
    drawSelection();
  }

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
  let partChoice, slider, stepText, curve;
  function buildControls() {
    controls.replaceChildren();
    const parts = model.get("_parts");
    partChoice = slider = null;
    if (parts.length > 1) {
      partChoice = element("select");
      partChoice.append(...parts.map(({ name }) => Object.assign(element("option", "", name), { value: name })));
      partChoice.addEventListener("change", () => choosePart(partChoice.value));
      controls.append(labelled("attention", partChoice));
    }
    if (steps.length > 1) {
      slider = Object.assign(element("input"), { type: "range", min: 0, max: steps.length - 1, step: 1 });
      slider.addEventListener("input", () => {
        model.set("step", Number(slider.value));
        model.save_changes();
      });
      stepText = element("span", "soft step");
      curve = lossCurve();
      controls.append(labelled("training", slider), stepText, curve);
    }
  }

  function labelled(text, control) {
    const label = element("label", "control");
    control.setAttribute("aria-label", text); // the label's own text would hold every option's
    label.append(element("span", "", text), control);
    return label;
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

  // The loss at each step as a line, with a mark at the step that is shown. A click goes to the nearest step.
  const CURVE = { width: 260, height: 54, pad: 5 };
  function svg(tag, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  }
  function curvePoint(i) {
    const losses = steps.map(({ loss }) => loss), least = Math.min(...losses), most = Math.max(...losses);
    const first = steps[0].step, last = steps[steps.length - 1].step;
    return {
      x: CURVE.pad + ((steps[i].step - first) / (last - first || 1)) * (CURVE.width - 2 * CURVE.pad),
      y: CURVE.pad + ((most - steps[i].loss) / (most - least || 1)) * (CURVE.height - 2 * CURVE.pad),
    };
  }
  function lossCurve() {
    const picture = svg("svg", { class: "curve", width: CURVE.width, height: CURVE.height, role: "img" });
    picture.setAttribute("aria-label", "The loss over the steps of training");
    const points = steps.map((_, i) => curvePoint(i)).map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`);
    picture.append(svg("polyline", { points: points.join(" ") }), svg("circle", { r: 4.5 }));
    picture.addEventListener("click", (event) => {
      const x = event.clientX - picture.getBoundingClientRect().left;
      const distances = steps.map((_, i) => Math.abs(curvePoint(i).x - x));
      model.set("step", distances.indexOf(Math.min(...distances)));
      model.save_changes();
    });
    return picture;
  }

  function drawControls() {
    if (partChoice) partChoice.value = model.get("part");
    if (!slider) return;
    const i = model.get("step"), { step, loss } = steps[i], { x, y } = curvePoint(i);
    slider.value = i;
    slider.setAttribute("aria-valuetext", `step ${step}, loss ${loss.toFixed(3)}`);
    stepText.textContent = `step ${step} \u00b7 loss ${loss.toFixed(3)}`;
    curve.querySelector("circle").setAttribute("cx", x);
    curve.querySelector("circle").setAttribute("cy", y);
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
    header.append(element("span"), ...Array.from({ length: H }, (_, h) => element("span", "soft", narrow ? h : `head ${h}`)));
    if (narrow) header.firstChild.append(element("span", "soft", "head"));
    grid.append(header);
    thumbnails = [];
    for (let layer = 0; layer < L; layer++) {
      const row = element("div");
      row.setAttribute("role", "row");
      row.append(element("span", "soft", `layer ${layer}`));
      for (let head = 0; head < H; head++) {
        const thumbnail = element("div", "thumbnail masked");
        const picture = element("canvas");
        paint(picture, of(layer, head), T, S, step, scale);
        picture.style.width = `${picture.width * zoom}px`;
        picture.style.height = `${picture.height * zoom}px`;
        thumbnail.append(picture);
        thumbnail.setAttribute("role", "gridcell");
        thumbnail.setAttribute("aria-label", `layer ${layer}, head ${head}`);
        thumbnail.title = `layer ${layer}, head ${head}`;
        thumbnail.addEventListener("click", () => choose({ layer, head }));
        thumbnail.addEventListener("keydown", (event) => thumbnailKey(event, layer, head));
        row.append(thumbnail);
        thumbnails.push(thumbnail);
      }
      grid.append(row);
    }
    overview.replaceChildren(element("div", "title", scale === null ? "All heads" : "All heads: first \u2212 second"), grid);
    if (scale !== null) overview.append(...farthestHeads());
  }

  // Half the sum of a row's absolute differences, mean of the rows: 0 where two attentions are the same, 1 where no key
  // gets weight in both (the total variation distance).
  const distance = (values, rows) => values.reduce((sum, value) => sum + Math.abs(value), 0) / 2 / rows;
  function farthestHeads() {
    const heads = Array.from({ length: L * H }, (_, i) => ({ layer: Math.floor(i / H), head: i % H }));
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
      const next = thumbnails[clip(layer + step[0], L - 1) * H + clip(head + step[1], H - 1)];
      rove(next);
      next.focus();
    } else if (event.key === "Enter" || event.key === " ") {
      choose({ layer, head });
    } else return;
    event.preventDefault();
  }

  // Tab reaches one thumbnail; arrow keys go on from there.
  function rove(reachable) {
    for (const thumbnail of thumbnails) thumbnail.tabIndex = thumbnail === reachable ? 0 : -1;
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

    firstKey.hidden = scale !== null || S === 1;
    const masked = scale === null && weights.some((weight) => weight === 0);
    const ramp = element("div", "scale"), bar = element("canvas"), ticks = element("div", "ticks soft");
    if (scale === null) paint(bar, COLOURS.map((_, i) => Math.max(i, 0.1) / 255), 1, 256);
    else paint(bar, SIGNED_COLOURS.map((_, i) => (i / 127.5 - 1) * scale), 1, 256, 1, scale);
    const numbers = scale === null ? ["0", "0.5", "1"] : [-scale, 0, scale].map(difference(2));
    ticks.append(...numbers.map((text) => element("span", "", text)));
    ramp.append(bar, ticks);
    legend.replaceChildren(element("span", "soft", scale === null ? "attention weight" : "difference of weights"), ramp);
    if (masked) {
      const entry = element("span", "soft mask-entry", firstHidden ? "exactly 0 (masked), and the first key" : "exactly 0 (masked)");
      entry.prepend(element("span", "swatch masked"));
      legend.append(entry);
    }
  }

  function drawSelection() {
    const { layer, head, query, key } = chosen();
    if (layer >= L || head >= H || query >= T || key >= S) return; // new selection, old data: it is on its way
    thumbnails.forEach((thumbnail, i) => thumbnail.setAttribute("aria-selected", String(i === layer * H + head)));
    if (!overview.contains(document.activeElement)) rove(thumbnails[layer * H + head]);
    title.textContent = `layer ${layer}, head ${head}`;
    map.setAttribute("aria-label", `Attention of layer ${layer}, head ${head}: ${T} queries in rows, ${S} keys in ` +
      "columns. Arrow keys move, Enter selects, Escape lets go.");
    paint(canvas, of(layer, head), T, S, 1, scale);
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
    place(rowBand, hot && { query: hot.query, key: 0 });
    place(columnBand, hot && { query: 0, key: hot.key });
    rowBand.style.width = `${S * cell}px`;
    columnBand.style.height = `${T * cell}px`;
    [...queryLabels.children].forEach((label, i) => mark(label, hot?.query === i, query === i));
    [...keyLabels.children].forEach((label, i) => mark(label, hot?.key === i, key === i));
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
    const row = of(layer, head).subarray(at.query * S, (at.query + 1) * S);
    const asked = { part: model.get("part"), step: model.get("step"), cell: [layer, head, at.query, at.key] };
    const [short, long] = scale === null ? [few, many] : [difference(3), difference(6)];
    const known = exact && !firstHidden && String(exact.cell) === String(asked.cell) && exact.part === asked.part && exact.step === asked.step;
    readout.replaceChildren(
      "query ", ...quoted(queries[at.query]), " \u2192 key ", ...quoted(keys[at.key]), ": ", element("strong", "", known ? long(exact.value) : short(row[at.key])), element("br"),
      element("span", "soft", `${!hot ? "selected \u00b7 " : ""}${aboutRow(row)}`),
    );
    if (!known && !firstHidden && model.send) timer = setTimeout(() => model.send(asked), 40);
  }

  function aboutRow(row) {
    if (scale !== null) return `this query's two attentions are ${distance(row, 1).toFixed(3)} apart`;
    if (firstHidden) return "without the first key: the other weights are scaled up to add up to 1";
    return `this query's weights add up to ${row.reduce((a, b) => a + b, 0).toFixed(2)}`;
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
  function answered(message) {
    exact = message;
    drawReadout();
  }
  const events = ["_parts", "_steps", "_weights", "_signed"].map((name) => [`change:${name}`, dataChanged]);
  events.push(["change:part", showPart], ["change:step", showPart]);
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
