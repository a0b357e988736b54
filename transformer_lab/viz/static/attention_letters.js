// Which letters this browser can draw: what it cannot is shown romanised.

// Whether some font here has every character: one that none has looks like the last character of Unicode, which
// is nobody's. Each answer is kept.
const seen = new Map();
export function canDraw(text) {
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
