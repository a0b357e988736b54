// The loss over the steps of training, with a mark at the step that is shown; a click goes to the nearest step.

import { set, svg } from "./kit.js";

const WIDTH = 260, HEIGHT = 54, PAD = 5;

// steps: [{step, loss}, ...], where a loss that is NaN or infinite is null. Gives what moves the mark to step i.
export function lossCurve(parent, steps, show) {
  const point = pointsOf(steps);
  const picture = svg(parent, "svg", {
    class: "curve", width: WIDTH, height: HEIGHT, role: "img", "aria-label": "The loss over the steps of training",
  });
  const points = steps.flatMap(({ loss }, i) => (loss === null ? [] : [point(i)]));
  svg(picture, "polyline", { points: points.map(({ x, y }) => `${x.toFixed(1)},${y.toFixed(1)}`).join(" ") });
  const mark = svg(picture, "circle", { r: 4.5 });
  picture.addEventListener("click", (event) => {
    const x = event.clientX - picture.getBoundingClientRect().left;
    const distances = steps.map((_, i) => Math.abs(point(i).x - x));
    show(distances.indexOf(Math.min(...distances)));
  });
  return (i) => {
    const { x, y } = point(i), isNumber = steps[i].loss !== null;
    set(mark, { cx: x, cy: isNumber ? y : PAD });
    mark.style.display = isNumber ? "" : "none";
  };
}

// Where each step is in the picture.
function pointsOf(steps) {
  const losses = steps.map(({ loss }) => loss).filter((loss) => loss !== null);
  const least = Math.min(...losses), most = Math.max(...losses);
  const first = steps[0].step, last = steps[steps.length - 1].step;
  return (i) => ({
    x: PAD + ((steps[i].step - first) / (last - first || 1)) * (WIDTH - 2 * PAD),
    y: PAD + ((most - steps[i].loss) / (most - least || 1)) * (HEIGHT - 2 * PAD),
  });
}
