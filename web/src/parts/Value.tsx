/** Values of any size: cut at 10 KiB with "more", so that one of 5 MB does not freeze the page. */
import { useState } from "preact/hooks";
import { bytes, cut, VALUE_CHARS_MAX } from "../format";

/** `preview` shows less at first: where many values stand below each other. */
export function LongText(props: { text: string; class?: string; preview?: number }) {
  const { text, preview = VALUE_CHARS_MAX } = props;
  const [wanted, setWanted] = useState<number | null>(null);
  // A rest that is shorter than what is shown is not worth a click.
  const shown = wanted ?? (preview < VALUE_CHARS_MAX && text.length < preview * 2 ? text.length : preview);
  const head = cut(text, shown);
  const rest = text.length - head.length;
  return (
    <span class={`long-text ${props.class ?? ""}`}>
      {head}
      {rest > 0 && (
        <>
          {"… "}
          <button type="button" class="link" onClick={() => setWanted(Math.max(shown, VALUE_CHARS_MAX) * 10)}>
            more ({bytes(rest)})
          </button>
        </>
      )}
    </span>
  );
}
