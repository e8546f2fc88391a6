import { useState } from "preact/hooks";
import { Icon, type IconName } from "./Icon";

const CONFIRM_MS = 1500;

/**
 * Copies a text. The clipboard of today's browsers needs a secure origin; a server in the own network
 * is often reached by plain HTTP, where the older way still works.
 */
async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    const focused = document.activeElement;
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (focused instanceof HTMLElement) focused.focus();
    return done;
  }
}

/** Copies a text and says so. */
export function CopyButton(props: { text: string | (() => string); label: string; icon?: IconName }) {
  const [state, setState] = useState<"idle" | "done" | "failed">("idle");
  const copy = async () => {
    const done = await copyText(typeof props.text === "string" ? props.text : props.text());
    setState(done ? "done" : "failed");
    setTimeout(() => setState("idle"), CONFIRM_MS);
  };
  const said =
    state === "done" ? "Copied" : state === "failed" ? "The browser did not allow it" : props.label;
  return (
    <button type="button" class={`ghost icon-button ${state}`} onClick={copy} aria-label={said} title={said}>
      <Icon name={state === "done" ? "check" : (props.icon ?? "copy")} size={16} />
    </button>
  );
}
