// From bytes and merges to tokens with labels: what data/merge_history.py and data/token_labels.py do, in the browser.

const PART = ["", "₂", "₃", "₄"]; // a character's second token, and its third and fourth

// The tokens of byte pairs, [{ first, last, id }] in bytes, when only the first `used` merges exist (tokens_after); and
// the last join that took place and the next that would, { merges, parts: [left, right] }.
export function replayed({ bytes, joins }, used) {
  const tokens = new Map(bytes.map((id, at) => [at, { first: at, last: at + 1, id }]));
  let last = null;
  for (const [merges, start, id] of joins) {
    const left = tokens.get(start), right = tokens.get(left.last), join = { merges, parts: [left, right] };
    if (merges > used) return { tokens: [...tokens.values()], last, next: join };
    tokens.delete(left.last);
    tokens.set(start, { first: start, last: right.last, id });
    last = join;
  }
  return { tokens: [...tokens.values()], last, next: null };
}

// [{ id, label, start, end (characters), bytes, isUnknown }]: as they were sent, or made of the tokens of byte pairs.
export function piecesOf({ n_merges, tokens: sent }, tokens, text, drawn) {
  if (!n_merges)
    return sent.map(([id, label, start, end, hex, isUnknown]) => (
      { id, label, start, end, isUnknown, bytes: (hex.match(/../g) ?? []).map((byte) => parseInt(byte, 16)) }));
  const coded = new TextEncoder().encode(text), owners = ownersOf(text), seen = new Map();
  return tokens.map(({ first, last, id }) => ({
    id, label: label(owners.slice(first, last), text, drawn, seen), start: owners[first], end: owners[last - 1] + 1,
    bytes: [...coded.slice(first, last)], isUnknown: false,
  }));
}

// The label of a token that stands alone, as if no other had a part of its first character.
export function labelOf({ first, last }, text, drawn) {
  const owners = ownersOf(text), before = owners.slice(0, first).filter((owner) => owner === owners[first]).length;
  return label(owners.slice(first, last), text, drawn, new Map([[owners[first], before]]));
}

// Which character each byte belongs to.
function ownersOf(text) {
  const encoder = new TextEncoder();
  return [...text].flatMap((char, n) => Array(encoder.encode(char).length).fill(n));
}

// The characters that a token has bytes of; seen counts the tokens that have had some of each, and is kept up to date.
function label(owners, text, drawn, seen) {
  const chars = [...text], own = [...new Set(owners)], isSpace = (n) => chars[n] === " ";
  const from = own.findIndex((n) => !isSpace(n)), to = own.findLastIndex((n) => !isSpace(n));
  let written = "", onLetter = false;
  own.forEach((n, i) => {
    const outside = from < 0 || i < from || i > to, part = seen.get(n) ?? 0;
    seen.set(n, part + 1);
    const sign = onLetter && /\p{M}/u.test(chars[n]) && drawn[n] === `◌${chars[n]}` ? chars[n] : drawn[n];
    written += (isSpace(n) && outside ? "␣" : sign) + PART[part];
    onLetter = sign === chars[n] && !isSpace(n) || part > 0;
  });
  return written;
}
