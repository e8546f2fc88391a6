/** Values of any size: cut at 10 KiB with "more", so that one of 5 MB does not freeze the page. */
import { useState } from "preact/hooks";
import { bytes, cut, VALUE_CHARS_MAX } from "../format";

export function LongText(props: { text: string; class?: string }) {
  const { text } = props;
  const [shown, setShown] = useState(VALUE_CHARS_MAX);
  const head = cut(text, shown);
  const rest = text.length - head.length;
  return (
    <span class={`long-text ${props.class ?? ""}`}>
      {head}
      {rest > 0 && (
        <>
          {"… "}
          <button type="button" class="link" onClick={() => setShown(shown * 10)}>
            more ({bytes(rest)})
          </button>
        </>
      )}
    </span>
  );
}
