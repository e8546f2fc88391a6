/**
 * Keyboard: one listener, bindings that live as long as their component.
 *
 * Enters: key presses outside of input fields. Leaves: calls; the list that `?` shows.
 */
import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";

export interface Binding {
  /** One key (`j`, `Enter`, `?`), two in a row (`g l`), or one with Ctrl (`Ctrl-K`). */
  readonly keys: string;
  readonly label: string;
  readonly run: () => void;
}

export interface BindingGroup {
  readonly title: string;
  readonly bindings: readonly Binding[];
}

/** Newest last; the newest that knows a key gets it. */
export const groups = signal<readonly BindingGroup[]>([]);

const SEQUENCE_MS = 1200;
let first: { key: string; at: number } | undefined;

function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  return target.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(target.tagName);
}

/** Enter and Space on a link or a button belong to it. */
function belongsToControl(event: KeyboardEvent): boolean {
  if (event.key !== "Enter" && event.key !== " ") return false;
  return event.target instanceof HTMLElement && event.target.closest("a, button, summary") !== null;
}

function find(keys: string): Binding | undefined {
  for (const group of groups.peek().toReversed()) {
    const binding = group.bindings.find((candidate) => candidate.keys === keys);
    if (binding) return binding;
  }
  return undefined;
}

/** Shortcuts with Ctrl (or Cmd) work inside of fields, too. */
function onShortcut(event: KeyboardEvent): void {
  const binding = find(`Ctrl-${event.key.toUpperCase()}`);
  if (!binding) return;
  event.preventDefault();
  binding.run();
}

function onKey(event: KeyboardEvent): void {
  if (event.altKey || event.isComposing || event.defaultPrevented) return;
  if (event.ctrlKey || event.metaKey) {
    onShortcut(event);
    return;
  }
  // What lies beneath a dialog does not listen.
  if (document.querySelector("dialog[open]")) return;
  if (isTyping(event.target)) {
    if (event.key !== "Escape") return;
    // The browser would empty a search field while its filter stays in the address.
    event.preventDefault();
    (event.target as HTMLElement).blur();
    return;
  }
  if (belongsToControl(event)) return;
  const now = event.timeStamp;
  const sequence = first && now - first.at < SEQUENCE_MS ? find(`${first.key} ${event.key}`) : undefined;
  first = { key: event.key, at: now };
  const binding = sequence ?? find(event.key);
  if (!binding) return;
  if (sequence) first = undefined;
  event.preventDefault();
  binding.run();
}

export function startKeys(): void {
  document.addEventListener("keydown", onKey);
}

/** Binds keys while the component is there. The functions may change at every render. */
export function useKeys(title: string, bindings: readonly Binding[]): void {
  const current = useRef(bindings);
  current.current = bindings;
  const names = bindings.map((binding) => binding.keys).join("\n");
  useEffect(() => {
    const group: BindingGroup = {
      title,
      bindings: current.current.map((binding, index) => ({
        ...binding,
        run: () => current.current[index]?.run(),
      })),
    };
    groups.value = [...groups.peek(), group];
    return () => {
      groups.value = groups.peek().filter((other) => other !== group);
    };
  }, [title, names]);
}
