/** An input that reports when the user is done: Enter, leaving the field, or a pause. */
import { useEffect, useRef } from "preact/hooks";

interface Props {
  readonly label: string;
  readonly value: string;
  readonly placeholder?: string;
  readonly onCommit: (value: string) => void;
  /** Report after a pause in typing, too. */
  readonly eager?: boolean;
  /** `/` jumps here. */
  readonly search?: boolean;
  readonly class?: string;
  readonly invalid?: boolean;
}

const PAUSE_MS = 450;

export function TextField(props: Props) {
  const input = useRef<HTMLInputElement>(null);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const said = useRef(props.value);
  // The URL changed by other means: show it, unless the user is typing.
  useEffect(() => {
    if (!input.current || (props.value === said.current && document.activeElement === input.current)) return;
    said.current = props.value;
    input.current.value = props.value;
  }, [props.value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const commit = () => {
    clearTimeout(timer.current);
    const value = input.current?.value.trim() ?? "";
    if (value === said.current) return;
    said.current = value;
    props.onCommit(value);
  };
  const typed = () => {
    clearTimeout(timer.current);
    if (props.eager) timer.current = setTimeout(commit, PAUSE_MS);
  };
  return (
    <label class={`field ${props.class ?? ""}`}>
      <span>{props.label}</span>
      <input
        ref={input}
        type="search"
        data-search={props.search ? "" : undefined}
        defaultValue={props.value}
        placeholder={props.placeholder}
        aria-invalid={props.invalid ? true : undefined}
        autocomplete="off"
        spellcheck={false}
        onInput={typed}
        onBlur={commit}
        onKeyDown={(event) => {
          if (event.key === "Enter") commit();
        }}
      />
    </label>
  );
}
