import { useState } from "preact/hooks";
import { Icon, type IconName } from "./Icon";

const CONFIRM_MS = 1500;

/** Copies a text and says so. */
export function CopyButton(props: { text: string | (() => string); label: string; icon?: IconName }) {
  const [state, setState] = useState<"idle" | "done" | "failed">("idle");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof props.text === "string" ? props.text : props.text());
      setState("done");
    } catch {
      // Browsers allow it only on secure origins; loopback is one, a plain address in the network is not.
      setState("failed");
    }
    setTimeout(() => setState("idle"), CONFIRM_MS);
  };
  const said =
    state === "done" ? "Copied" : state === "failed" ? "The browser did not allow it" : props.label;
  return (
    <button type="button" class={`ghost icon-button ${state}`} onClick={copy} aria-label={said} title={said}>
      <Icon name={props.icon ?? "copy"} size={16} />
    </button>
  );
}
