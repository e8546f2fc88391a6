// Deterministic chance: the same index gives the same record, at every start.

/** A hash of integers as an unsigned 32-bit integer. */
export function hash(...parts) {
  let h = 0x811c9dc5;
  for (const part of parts) {
    h = Math.imul(h ^ (part & 0xffffffff), 0x01000193);
    h = Math.imul(h ^ Math.floor(part / 2 ** 32), 0x85ebca6b);
    h ^= h >>> 13;
  }
  h = Math.imul(h ^ (h >>> 16), 0x21f0aaad);
  h = Math.imul(h ^ (h >>> 15), 0x735a2d97);
  return (h ^ (h >>> 15)) >>> 0;
}

/** A number from 0 to 1. */
export const unit = (...parts) => hash(...parts) / 2 ** 32;

/** One of a list. */
export const pick = (list, ...parts) => list[hash(...parts) % list.length];

/** So many hexadecimal digits. */
export function hex(digits, ...parts) {
  let text = "";
  for (let i = 0; text.length < digits; i += 1)
    text += hash(...parts, i)
      .toString(16)
      .padStart(8, "0");
  return text.slice(0, digits);
}
