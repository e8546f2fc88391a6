/**
 * Dark and light.
 *
 * Enters: the system's preference, the user's choice. Leaves: `data-theme` on the root element,
 * a signal for whatever is drawn on a canvas, and resolved colours for it.
 */
import { computed, effect, signal } from "@preact/signals";

export type Theme = "auto" | "light" | "dark";

/** A preference of this browser, not state of a page: the one thing that is kept outside the URL. */
const KEY = "fresnel.theme";

function stored(): Theme {
  try {
    const value = localStorage.getItem(KEY);
    return value === "light" || value === "dark" ? value : "auto";
  } catch {
    return "auto";
  }
}

const systemDark = signal(false);
export const theme = signal<Theme>("auto");
export const dark = computed(() => (theme.value === "auto" ? systemDark.value : theme.value === "dark"));

/** The opposite of what is seen now; back to "auto" when that is what the system wants. */
export function toggleTheme(): void {
  const next = dark.peek() ? "light" : "dark";
  theme.value = (next === "dark") === systemDark.peek() ? "auto" : next;
  try {
    if (theme.peek() === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, theme.peek());
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the page.
  }
}

export function startTheme(): void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  systemDark.value = media.matches;
  media.addEventListener("change", (event) => {
    systemDark.value = event.matches;
  });
  theme.value = stored();
  effect(() => {
    document.documentElement.dataset.theme = dark.value ? "dark" : "light";
    resolved.clear();
  });
}

const resolved = new Map<string, string>();
let probe: HTMLElement | undefined;

/** The colour of a custom property as a canvas understands it. */
export function color(name: string): string {
  const known = resolved.get(name);
  if (known !== undefined) return known;
  if (!probe) {
    probe = document.createElement("i");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${name})`;
  const value = getComputedStyle(probe).color;
  resolved.set(name, value);
  return value;
}

/** How many colours the palette in style.css has. None of them is red: red means an error. */
export const PALETTE = 10;

/** The custom property of the n-th colour. */
export const paletteVar = (index: number): string => `--c${((index % PALETTE) + PALETTE) % PALETTE}`;

/** A colour that stays with a name, across pages and reloads. */
export function nameIndex(name: string): number {
  let hash = 2166136261;
  for (let i = 0; i < name.length; i += 1) hash = Math.imul(hash ^ name.charCodeAt(i), 16777619);
  return (hash >>> 0) % PALETTE;
}

const taken = new Map<string, number>();
/** More services than this share colours anyway. */
const TAKEN_MAX = 1000;

/** The colour of a service: its own, or the next one that no other service of this session has. */
export function serviceVar(name: string): string {
  let index = taken.get(name);
  if (index === undefined) {
    const used = new Set(taken.values());
    index = nameIndex(name);
    for (let step = 0; step < PALETTE && used.has(index); step += 1) index = (index + 1) % PALETTE;
    if (taken.size < TAKEN_MAX) taken.set(name, index);
  }
  return paletteVar(index);
}
