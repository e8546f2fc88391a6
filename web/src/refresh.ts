/** How often the pages ask again while the time range ends in now. */
import { computed } from "@preact/signals";
import { live, range, resolve } from "./range/range";

const FASTEST_MS = 2000;
const SLOWEST_MS = 60_000;

/** The wider the range, the less a second changes; `null` for a fixed range. */
export const refreshMs = computed<number | null>(() => {
  if (!live.value) return null;
  const { from, to } = resolve(range.value, Date.now());
  return Math.min(SLOWEST_MS, Math.max(FASTEST_MS, Math.round((to - from) / 1800)));
});
