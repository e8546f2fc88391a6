/**
 * A list of any length with the rows of the viewport in the document.
 *
 * Enters: rows of one height and a function that draws one. Leaves: selection, "near the end", "scrolled away".
 * Must hold: hovering re-renders nothing; scrolling re-renders only when other rows come into view.
 */
import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { rowWindow, scrollToShow } from "./virtual";

export interface VirtualListProps {
  readonly label: string;
  readonly count: number;
  readonly rowHeight: number;
  readonly rowKey: (index: number) => string;
  /** Draws the cells of a row. */
  readonly row: (index: number) => ComponentChildren;
  readonly rowClass?: (index: number) => string;
  readonly selected?: number;
  readonly onSelect?: (index: number) => void;
  /** The last rows are near: load more. */
  readonly onNearEnd?: () => void;
  /** Whether the list stands at its top. */
  readonly onTop?: (atTop: boolean) => void;
  /** Changes when the list is another one and begins at its top again. */
  readonly resetKey?: string;
  readonly header?: ComponentChildren;
  readonly footer?: ComponentChildren;
  readonly class?: string;
}

const NEAR_END_ROWS = 30;

/** The viewport of the list: where it stands, and the effects that move it. */
function useViewport(props: VirtualListProps) {
  const { count, rowHeight, selected = -1 } = props;
  const host = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ scrollTop: 0, viewportHeight: 0 });
  const measure = (): void => {
    const element = host.current;
    if (!element) return;
    const { scrollTop, clientHeight } = element;
    const row = (top: number) => Math.floor(top / rowHeight);
    setView((old) =>
      old.viewportHeight === clientHeight && row(old.scrollTop) === row(scrollTop)
        ? old
        : { scrollTop, viewportHeight: clientHeight },
    );
    props.onTop?.(scrollTop < rowHeight);
  };

  useLayoutEffect(() => {
    if (!host.current) return;
    const observer = new ResizeObserver(measure);
    observer.observe(host.current);
    return () => observer.disconnect();
  }, []);

  // Another list begins at its top; the first one where its selection is.
  const shownKey = useRef(props.resetKey);
  useEffect(() => {
    if (host.current && shownKey.current !== props.resetKey) host.current.scrollTop = 0;
    shownKey.current = props.resetKey;
  }, [props.resetKey]);

  // Only a new selection moves the list.
  useLayoutEffect(() => {
    const element = host.current;
    if (!element || selected < 0) return;
    const { scrollTop, clientHeight } = element;
    element.scrollTop = scrollToShow(selected, { scrollTop, viewportHeight: clientHeight, rowHeight, count });
  }, [selected]);
  return { host, view, measure };
}

export function VirtualList(props: VirtualListProps) {
  const { count, rowHeight, selected = -1 } = props;
  const { host, view, measure } = useViewport(props);
  const rows = rowWindow({ ...view, rowHeight, count });
  const nearEnd = count > 0 && rows.end > count - NEAR_END_ROWS;
  // Asked again whenever the list has grown.
  useEffect(() => {
    if (nearEnd && view.viewportHeight > 0) props.onNearEnd?.();
  }, [nearEnd, count, view.viewportHeight]);

  const row = (index: number) => (
    // biome-ignore lint/a11y/useKeyWithClickEvents: j, k and Enter are bound for the whole page
    <div
      key={props.rowKey(index)}
      role="row"
      tabIndex={-1}
      aria-rowindex={index + 1}
      aria-selected={index === selected}
      class={`vrow ${props.rowClass?.(index) ?? ""}`}
      style={{ height: `${rowHeight}px` }}
      onClick={() => props.onSelect?.(index)}
    >
      {props.row(index)}
    </div>
  );
  return (
    <div class={`vlist ${props.class ?? ""}`} role="grid" aria-label={props.label} aria-rowcount={count}>
      {props.header}
      <div
        class="vlist-scroll"
        ref={host}
        onScroll={measure}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region must be reachable by keyboard
        tabIndex={0}
        role="rowgroup"
        aria-label={props.label}
      >
        <div class="vlist-space" style={{ height: `${rows.total}px` }}>
          <div class="vlist-rows" style={{ transform: `translateY(${rows.offset}px)` }}>
            {Array.from({ length: rows.end - rows.first }, (_, offset) => row(rows.first + offset))}
          </div>
        </div>
        {props.footer}
      </div>
    </div>
  );
}
