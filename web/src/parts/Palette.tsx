/**
 * Ctrl-K: pages, services, metrics, traces and time ranges by typing.
 *
 * Enters: what is typed. Leaves: the way there.
 */
import { useSignal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";
import { api } from "../api/client";
import { moved } from "../list/virtual";
import { parseRange } from "../range/parse";
import { range, rangeKey, resolve, setRange } from "../range/range";
import { useResource } from "../resource";
import { href, navigate } from "../router";
import { toggleTheme } from "../theme";

export interface Target {
  readonly title: string;
  readonly kind: string;
  readonly run: () => void;
}

const SHOWN_MAX = 12;
const TRACE_ID = /^[0-9a-f]{32}$/i;

/** Targets with every word; those that begin with the text come first. */
export function matching(targets: readonly Target[], text: string): Target[] {
  const input = text.trim().toLowerCase();
  const words = input.split(/\s+/).filter(Boolean);
  const found = targets.filter(({ title, kind }) => {
    const hay = `${title} ${kind}`.toLowerCase();
    return words.every((word) => hay.includes(word));
  });
  const begins = (target: Target) => (target.title.toLowerCase().startsWith(input) ? 0 : 1);
  return found.toSorted((a, b) => begins(a) - begins(b)).slice(0, SHOWN_MAX);
}

/** What the text itself says: a trace, a range of time, words to look for in the logs. */
function spoken(text: string): Target[] {
  const input = text.trim();
  if (input === "") return [];
  if (TRACE_ID.test(input)) {
    return [{ title: input, kind: "trace", run: () => navigate(href(`/traces/${input.toLowerCase()}`)) }];
  }
  const parsed = parseRange(input, new Date());
  const ranges = "error" in parsed ? [] : [{ title: input, kind: "time range", run: () => setRange(parsed) }];
  return [
    ...ranges,
    { title: `“${input}”`, kind: "search the logs", run: () => navigate(href("/logs", { q: input })) },
  ];
}

function useTargets(places: readonly { readonly path: string; readonly title: string }[]): Target[] {
  const window = () => resolve(range.peek(), Date.now());
  const services = useResource(`services ${rangeKey.value}`, (signal) => api.services(window(), signal));
  const metrics = useResource(`metrics ${rangeKey.value}`, (signal) => api.metrics(window(), "", signal));
  const to = (title: string, kind: string, url: string): Target => ({
    title,
    kind,
    run: () => navigate(url),
  });
  return [
    ...places.map((place) => to(place.title, "page", href(place.path))),
    { title: "Dark or light", kind: "action", run: toggleTheme },
    ...(services.data?.services ?? []).flatMap((service) => [
      to(service, "logs of the service", href("/logs", { service })),
      to(service, "traces of the service", href("/traces", { service })),
    ]),
    ...(metrics.data?.metrics ?? []).map(({ name }) =>
      to(name, "metric", href("/metrics/explore", { name })),
    ),
  ];
}

export function Palette(props: {
  places: readonly { readonly path: string; readonly title: string }[];
  onClose: () => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const text = useSignal("");
  const selected = useSignal(0);
  const found = [...matching(useTargets(props.places), text.value), ...spoken(text.value)];
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  const run = (target: Target | undefined) => {
    if (!target) return;
    dialog.current?.close();
    target.run();
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === "Enter") run(found[selected.value]);
    else if (event.key === "ArrowDown") selected.value = moved(selected.value, 1, found.length);
    else if (event.key === "ArrowUp") selected.value = moved(selected.value, -1, found.length);
    else return;
    event.preventDefault();
  };
  return (
    <dialog ref={dialog} class="palette" aria-label="Go anywhere" onClose={props.onClose}>
      <input
        type="text"
        role="combobox"
        aria-label="Go to"
        aria-expanded="true"
        aria-controls="palette-targets"
        aria-activedescendant={`palette-${selected.value}`}
        placeholder="a page, service, metric, trace id or time range"
        autocomplete="off"
        spellcheck={false}
        onInput={(event) => {
          text.value = event.currentTarget.value;
          selected.value = 0;
        }}
        onKeyDown={onKeyDown}
      />
      <div id="palette-targets" class="palette-targets" role="listbox" aria-label="Targets">
        {found.map((target, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the keys
          <div
            key={`${target.kind} ${target.title}`}
            id={`palette-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === selected.value}
            onMouseMove={() => (selected.value = index)}
            onClick={() => run(target)}
          >
            {target.title} <span class="muted">{target.kind}</span>
          </div>
        ))}
      </div>
    </dialog>
  );
}
