/**
 * A PromQL editor: a text area with its colours behind it, proposals at the cursor, errors where they are.
 *
 * Enters: the query of the URL. Leaves: the query as it is written, on Enter or when the editor is left.
 * Must hold: the server alone says what is wrong; the text area is the browser's own, with its undo and its selection.
 */
import { useSignal } from "@preact/signals";
import { useEffect, useId, useLayoutEffect, useRef } from "preact/hooks";
import { ApiError } from "../api/client";
import { prometheus } from "../api/prometheus";
import { applied, type Choice, type KnownMetric } from "../promql/choices";
import { contextAt } from "../promql/context";
import { type Fault, faultOf } from "../promql/fault";
import { tokens } from "../promql/tokens";
import { useChoices } from "./useChoices";

const CHECK_AFTER_MS = 250;

interface Props {
  readonly label: string;
  readonly value: string;
  readonly metrics: readonly KnownMetric[];
  readonly onCommit: (text: string) => void;
  readonly onFocus: () => void;
  /** Take the focus when it is there: a query that was added. */
  readonly eager?: boolean;
}

/** What the server says about a text that stands still; `null` while it is right or not known yet. */
function useFault(text: string): Fault | null {
  const fault = useSignal<(Fault & { text: string }) | null>(null);
  useEffect(() => {
    if (text.trim() === "") return;
    const abort = new AbortController();
    const timer = setTimeout(async () => {
      try {
        await prometheus.parse(text, abort.signal);
        fault.value = null;
      } catch (error) {
        if (abort.signal.aborted) return;
        // Another failure is not the text's; the query itself says it.
        const found = error instanceof ApiError ? faultOf(error.detail, text) : null;
        fault.value = found && { ...found, text };
      }
    }, CHECK_AFTER_MS);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [text]);
  return fault.value?.text === text ? fault.value : null;
}

/** The text in colours, the wrong part marked. It lies behind the text area and has the same letters. */
function Colours(props: { text: string; fault: Fault | null }) {
  const { text, fault } = props;
  const wrong = (start: number, end: number): boolean =>
    fault !== null && start < fault.end && end > fault.start;
  return (
    <pre class="promql" aria-hidden="true">
      {tokens(text).map(({ kind, text: own, start }) => (
        <span
          key={start}
          class={`${kind === "space" ? "" : `pq-${kind}`}${wrong(start, start + own.length) ? " pq-wrong" : ""}`}
        >
          {own}
        </span>
      ))}
      {/* Behind the end, or a last empty line. */}
      <span class={fault !== null && fault.start >= text.length ? "pq-wrong" : ""}> </span>
    </pre>
  );
}

/** Where the part of the text begins that a choice replaces: measured on the letters behind the text area. */
function Measure(props: { text: string; onPlace: (left: number, top: number) => void }) {
  const mark = useRef<HTMLSpanElement>(null);
  useLayoutEffect(() => {
    const element = mark.current;
    if (element) props.onPlace(element.offsetLeft, element.offsetTop + element.offsetHeight);
  }, [props.text]);
  return (
    <pre class="promql measure" aria-hidden="true">
      {props.text}
      <span ref={mark}>{"\u200b"}</span>
    </pre>
  );
}

export function QueryEditor(props: Props) {
  const area = useRef<HTMLTextAreaElement>(null);
  const id = useId();
  const draft = useSignal(props.value);
  const cursor = useSignal(0);
  const open = useSignal(false);
  const selected = useSignal(0);
  const place = useSignal({ left: 0, top: 0 });
  const text = draft.value;
  const context = open.value ? contextAt(text, cursor.value) : null;
  const choices = useChoices(context, props.metrics);
  const shown = open.value ? choices : [];
  // What is being typed is unfinished, not wrong.
  const fault = useFault(shown.length > 0 ? "" : text);

  // The URL changed by other means: show it.
  useEffect(() => {
    draft.value = props.value;
    open.value = false;
  }, [props.value]);
  useEffect(() => {
    if (props.eager) area.current?.focus();
  }, []);

  const commit = () => {
    open.value = false;
    const wanted = draft.value.trim();
    if (wanted !== props.value) props.onCommit(wanted);
  };
  const follow = (proposes: boolean) => {
    const element = area.current;
    if (!element) return;
    cursor.value = element.selectionStart;
    draft.value = element.value;
    selected.value = 0;
    open.value = proposes && element.selectionStart === element.selectionEnd;
  };
  const choose = (choice: Choice | undefined) => {
    const element = area.current;
    if (!element || !choice || !context) return;
    const next = applied(draft.value, context, choice);
    element.focus();
    // As typed text, so that the browser can undo it.
    element.setSelectionRange(0, element.value.length);
    if (!document.execCommand("insertText", false, next.text)) element.value = next.text;
    element.setSelectionRange(next.cursor, next.cursor);
    // The next thing is proposed where one is sure to come: the value of a label, what a function takes.
    follow((choice.back ?? 0) > 0);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const many = shown.length;
    const handled = (): void => event.preventDefault();
    if (event.key === " " && event.ctrlKey) {
      handled();
      follow(true);
    } else if (event.key === "Escape" && open.value) {
      handled();
      open.value = false;
    } else if (event.key === "Enter" && !event.shiftKey && (many === 0 || event.ctrlKey || event.metaKey)) {
      handled();
      commit();
    } else if (many === 0) return;
    else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      handled();
      selected.value = (selected.value + (event.key === "ArrowDown" ? 1 : many - 1)) % many;
    } else if (event.key === "Tab" || (event.key === "Enter" && !event.shiftKey)) {
      handled();
      choose(shown[selected.value]);
    }
  };
  return (
    <div class="query-editor">
      <div class={`query-text${fault ? " wrong" : ""}`}>
        <Colours text={text} fault={fault} />
        {context && (
          <Measure
            text={text.slice(0, context.start)}
            onPlace={(left, top) => {
              place.value = { left, top };
            }}
          />
        )}
        <textarea
          ref={area}
          class="promql"
          aria-label={props.label}
          aria-autocomplete="list"
          aria-haspopup="listbox"
          aria-controls={`${id}-choices`}
          aria-activedescendant={shown.length > 0 ? `${id}-${selected.value}` : undefined}
          aria-invalid={fault ? true : undefined}
          aria-errormessage={fault ? `${id}-fault` : undefined}
          placeholder="PromQL: type a metric, or pick one from the list"
          rows={1}
          spellcheck={false}
          autocomplete="off"
          autocapitalize="off"
          value={text}
          onInput={() => follow(true)}
          onClick={() => follow(false)}
          onKeyUp={(event) => {
            if (/^(Arrow(Left|Right)|Home|End)$/.test(event.key)) follow(false);
          }}
          onKeyDown={onKeyDown}
          onFocus={props.onFocus}
          onBlur={commit}
        />
        <Choices
          id={id}
          choices={shown}
          selected={selected.value}
          place={place.value}
          onPoint={(index) => (selected.value = index)}
          onChoose={choose}
        />
      </div>
      {fault && (
        <p class="query-fault" id={`${id}-fault`} role="alert">
          {fault.where}: {fault.says}
        </p>
      )}
    </div>
  );
}

function Choices(props: {
  id: string;
  choices: readonly Choice[];
  selected: number;
  place: { left: number; top: number };
  onPoint: (index: number) => void;
  onChoose: (choice: Choice) => void;
}) {
  const { id, choices, selected, place } = props;
  const list = useRef<HTMLDivElement>(null);
  // With many proposals the chosen one stays in sight.
  useLayoutEffect(() => {
    list.current?.children[selected]?.scrollIntoView({ block: "nearest" });
  }, [selected, choices]);
  return (
    <div
      ref={list}
      id={`${id}-choices`}
      class="choices"
      role="listbox"
      aria-label="Proposals"
      hidden={choices.length === 0}
      style={{ left: `max(0px, min(${place.left}px, 100% - 560px))`, top: `${place.top + 4}px` }}
      // The text area keeps the focus.
      onMouseDown={(event) => event.preventDefault()}
    >
      {choices.map((choice, index) => (
        // biome-ignore lint/a11y/useKeyWithClickEvents: the text area has the keys
        <div
          key={`${choice.kind} ${choice.title}`}
          id={`${id}-${index}`}
          role="option"
          tabIndex={-1}
          aria-selected={index === selected}
          onMouseMove={() => props.onPoint(index)}
          onClick={() => props.onChoose(choice)}
        >
          <b>{choice.title}</b>
          <span class="muted choice-kind">{choice.kind}</span>
          <span class="muted choice-says">{choice.says}</span>
        </div>
      ))}
    </div>
  );
}
