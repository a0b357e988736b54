// A text in letters that can be read here; apart from attention_letters.js, which saved pages of AttentionView carry too.

import { canDraw } from "./attention_letters.js";

// A text in letters that this browser can draw; latin: the romanised form of characters that it may not.
export function inLetters(text, latin) {
  return [...text].map((char) => (canDraw(char) ? char : latin[char] ?? char)).join("");
}
