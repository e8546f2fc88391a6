/** The time range in the header: typed, chosen, moved, widened, held, passed on. */
import { useSignal } from "@preact/signals";
import { useEffect, useLayoutEffect, useRef } from "preact/hooks";
import { lostSince } from "../connection";
import { useKeys } from "../keys";
import { CopyButton } from "../parts/CopyButton";
import { Icon, type IconName } from "../parts/Icon";
import { EXAMPLES, parseRange } from "./parse";
import { describe, live, range, resolve, setRange, setWindow, sharedUrl, shift, zoomOut } from "./range";

const PRESETS: readonly [string, string][] = [
  ["5m", "5 min"],
  ["15m", "15 min"],
  ["1h", "1 h"],
  ["3h", "3 h"],
  ["6h", "6 h"],
  ["24h", "24 h"],
  ["2d", "2 d"],
  ["7d", "7 d"],
  ["30d", "30 d"],
];

/** Holds a live range where it is, or lets a fixed one of the same width follow the clock again. */
function toggleLive(): void {
  const now = Date.now();
  const { from, to } = resolve(range.peek(), now);
  if (live.peek()) setWindow(from, to);
  else setRange({ from: `now-${Math.max(1, Math.round((to - from) / 1000))}s`, to: "now" });
}

/** Calls when something outside of an element is pressed. */
function useOutside(box: { readonly current: HTMLElement | null }, call: () => void): void {
  useEffect(() => {
    const pressed = (event: PointerEvent) => {
      if (!box.current?.contains(event.target as Node)) call();
    };
    document.addEventListener("pointerdown", pressed);
    return () => document.removeEventListener("pointerdown", pressed);
  }, []);
}

function Step(props: { label: string; title: string; icon: IconName; onClick: () => void }) {
  const { label, title, icon, onClick } = props;
  return (
    <button type="button" class="ghost icon-button" onClick={onClick} aria-label={label} title={title}>
      <Icon name={icon} size={15} />
    </button>
  );
}

function LiveToggle() {
  const lost = live.value && lostSince.value !== null;
  return (
    <button
      type="button"
      class={`live-toggle ${lost ? "lost" : live.value ? "on" : ""}`}
      aria-pressed={live.value}
      onClick={toggleLive}
      title={live.value ? "Hold this range (.)" : "Follow the clock (.)"}
    >
      <i class="dot" /> {lost ? "no answer" : live.value ? "live" : "held"}
    </button>
  );
}

export function RangeControl() {
  const open = useSignal(false);
  const box = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const close = () => {
    open.value = false;
    button.current?.focus();
  };
  useKeys("Time", [
    { keys: "r", label: "Type a time range", run: () => (open.value = true) },
    { keys: "[", label: "Earlier", run: () => shift(-1) },
    { keys: "]", label: "Later", run: () => shift(1) },
    { keys: "-", label: "Twice as wide", run: zoomOut },
    { keys: ".", label: "Hold, or follow the clock", run: toggleLive },
  ]);
  useOutside(box, () => (open.value = false));
  const words = describe(range.value, Date.now());
  return (
    <div class="range" ref={box}>
      <Step label="Earlier" title="Earlier ([)" icon="left" onClick={() => shift(-1)} />
      <button
        type="button"
        class="range-words"
        ref={button}
        aria-haspopup="dialog"
        aria-expanded={open.value}
        aria-label={`Time range: ${words}`}
        title="Time range (r)"
        onClick={() => (open.value = !open.value)}
      >
        {words}
      </button>
      <Step label="Later" title="Later (])" icon="right" onClick={() => shift(1)} />
      <Step label="Wider" title="Twice as wide (-)" icon="wider" onClick={zoomOut} />
      <LiveToggle />
      <CopyButton text={() => sharedUrl(Date.now())} label="Copy a link with fixed times" icon="link" />
      {open.value && <RangeDialog onClose={close} />}
    </div>
  );
}

function RangeDialog(props: { onClose: () => void }) {
  const error = useSignal("");
  const input = useRef<HTMLInputElement>(null);
  // Before the next key comes: `r` and the range are typed in one go.
  useLayoutEffect(() => {
    input.current?.focus();
    input.current?.select();
  }, []);
  const apply = (text: string) => {
    const parsed = parseRange(text, new Date());
    if ("error" in parsed) {
      error.value = parsed.error;
      return;
    }
    setRange(parsed);
    props.onClose();
  };
  return (
    <div
      class="popover range-dialog"
      role="dialog"
      aria-label="Time range"
      onKeyDown={(event) => {
        if (event.key !== "Escape") return;
        event.stopPropagation();
        props.onClose();
      }}
    >
      <form
        onSubmit={(event) => {
          event.preventDefault();
          apply(input.current?.value ?? "");
        }}
      >
        <label class="field wide">
          <span>Time range</span>
          <input
            ref={input}
            type="text"
            aria-invalid={error.value !== ""}
            aria-describedby="range-error"
            placeholder="last 3h"
            autocomplete="off"
            spellcheck={false}
          />
        </label>
        <p id="range-error" class="field-error" role="alert">
          {error.value}
        </p>
      </form>
      <div class="presets">
        {PRESETS.map(([text, label]) => (
          <button type="button" key={text} onClick={() => apply(text)}>
            {label}
          </button>
        ))}
      </div>
      <p class="muted small">For example:</p>
      <ul class="examples">
        {EXAMPLES.map((example) => (
          <li key={example}>
            <button type="button" class="link" onClick={() => apply(example)}>
              {example}
            </button>
          </li>
        ))}
      </ul>
      <p class="muted small">Times are {Intl.DateTimeFormat().resolvedOptions().timeZone}.</p>
    </div>
  );
}
