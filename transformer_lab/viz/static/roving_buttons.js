// A line of buttons, one of which the Tab key reaches; the arrow keys go to the others.

// Gives a function to be called with the buttons whenever the line holds others.
export function rovingButtons(line) {
  let buttons = [], here = 0;
  line.addEventListener("keydown", (event) => {
    const next = { ArrowRight: here + 1, ArrowDown: here + 1, ArrowLeft: here - 1, ArrowUp: here - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (next === undefined || !buttons.length) return;
    event.preventDefault();
    buttons[Math.max(0, Math.min(next, buttons.length - 1))].focus();
  });

  function go(n) {
    buttons[here]?.setAttribute("tabindex", -1);
    here = n;
    buttons[n]?.setAttribute("tabindex", 0);
  }

  return (made) => {
    buttons = made;
    buttons.forEach((one, n) => {
      one.setAttribute("tabindex", -1);
      one.addEventListener("focus", () => go(n));
    });
    go(Math.max(0, Math.min(here, buttons.length - 1)));
  };
}
