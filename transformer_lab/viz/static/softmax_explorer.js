// Five scores: their softmax, the cross-entropy of one target, and the gradient p - y.
// Traits: scores (five), shift (added to all), temperature, target (0 to 4).

import { html, signed, stage, panel, choose, watch, slider, menu, button, speaker } from "./kit.js";

const START = { scores: [2, 1, 0.5, -1, 0], shift: 0, temperature: 1, target: 1 };
const NAMES = ["a", "b", "c", "d", "e"];
const ENOUGH = 0.1; // nats: the loss that is asked for
const HIGHEST = 10; // of a score, in size

// The formula of softmax_and_loss in softmax_explorer.py.
function softmaxAndLoss(scores, target, temperature) {
  const highest = Math.max(...scores);
  const lowered = scores.map((score) => (score - highest) / temperature);
  const total = lowered.reduce((sum, x) => sum + Math.exp(x), 0);
  const probabilities = lowered.map((x) => Math.exp(x) / total);
  const gradient = probabilities.map((p, i) => p - (i === target ? 1 : 0));
  return { probabilities, loss: Math.log(total) - lowered[target], gradient };
}

// Five named rows with a bar and a number each; signed bars begin in the middle.
function bars(parent, isSigned) {
  return NAMES.map((name) => {
    const row = html(parent, "div", { class: "row" });
    const label = html(row, "span", { class: "name" }, name);
    const track = html(row, "div", { class: isSigned ? "track both" : "track" });
    const bar = html(track, "div", { class: "bar" });
    return { label, bar, number: html(row, "span", { class: "number" }) };
  });
}

function render({ model, el }) {
  const root = stage(el, "tl-explorer tl-softmax");
  const panels = html(root, "div", { class: "panels" });

  const left = panel(panels, "1 Scores", "any numbers");
  const sliders = NAMES.map((name, i) => slider(left, name, { min: -HIGHEST, max: HIGHEST, step: 0.1 }, (value) => {
    const scores = [...model.get("scores")];
    scores[i] = value;
    choose(model, { scores });
  }, (value) => signed(value, 1)));
  const middle = panel(panels, "2 Probabilities p", "softmax(score / temperature)");
  const shares = bars(middle, false);
  const sum = html(middle, "div", { class: "sum" });
  const right = panel(panels, "3 Gradient p − y", "of the loss, at score / temperature");
  const pulls = bars(right, true);
  const zero = html(right, "div", { class: "sum" });

  const controls = html(root, "div", { class: "controls" });
  const targets = menu(controls, "target", NAMES.map((name, i) => [i, name]), (value) => {
    choose(model, { target: Number(value) });
  });
  const temperatures = slider(controls, "temperature", { min: -1, max: 1, step: 0.02 }, (power) => {
    choose(model, { temperature: Number((10 ** power).toPrecision(3)) });
  }, (power) => String(Number((10 ** power).toPrecision(3))));
  const shifts = slider(controls, "added to all", { min: -50, max: 50, step: 0.5 }, (shift) => {
    choose(model, { shift });
  }, (value) => signed(value, 1));
  button(controls, "reset", () => choose(model, START));
  const readOut = html(root, "div", { class: "read-out" });
  const facts = html(readOut, "span");
  const verdict = html(readOut, "strong");
  const say = speaker(root);

  function draw() {
    const scores = model.get("scores"), target = model.get("target"), shift = model.get("shift");
    const temperature = model.get("temperature");
    const shifted = scores.map((score) => score + shift);
    const { probabilities, loss, gradient } = softmaxAndLoss(shifted, target, temperature);
    NAMES.forEach((_, i) => {
      sliders[i].draw(scores[i]);
      shares[i].number.textContent = probabilities[i].toFixed(3);
      shares[i].bar.style.width = `${100 * probabilities[i]}%`;
      pulls[i].number.textContent = signed(gradient[i], 3);
      pulls[i].bar.style.width = `${50 * Math.abs(gradient[i])}%`;
      pulls[i].bar.style.left = `${50 + 50 * Math.min(0, gradient[i])}%`;
      pulls[i].bar.classList.toggle("up", gradient[i] < 0);
      for (const { label } of [shares[i], pulls[i]]) {
        label.textContent = i === target ? `${NAMES[i]} ◂` : NAMES[i];
        label.parentElement.classList.toggle("target", i === target);
      }
    });
    sum.textContent = `sum ${signed(probabilities.reduce((a, b) => a + b), 3)}`;
    zero.textContent = `sum ${signed(gradient.reduce((a, b) => a + b), 3)}`;
    const lead = scores[target] - Math.max(...scores.filter((_, i) => i !== target));
    facts.textContent = `target ${NAMES[target]}: score ${signed(shifted[target], 1)}, leads the best other by ` +
      `${signed(lead, 1)}; p = ${probabilities[target].toFixed(3)}; cross-entropy −ln p = ${loss.toFixed(3)} nats`;
    verdict.textContent = loss < ENOUGH ? "  ✓ below 0.1" : "";
    targets.draw(target);
    temperatures.draw(Math.log10(temperature));
    shifts.draw(shift);
    say(readOut.textContent);
  }

  return watch(model, ["scores", "shift", "temperature", "target"], draw);
}

export default { render };
