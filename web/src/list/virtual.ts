/**
 * Which rows of a long list are in the document.
 *
 * Enters: the scroll position and sizes. Leaves: a range of rows and where it starts.
 * Must hold: pure; the number of rows drawn depends on the viewport, never on the list.
 */

export interface ViewportState {
  readonly scrollTop: number;
  readonly viewportHeight: number;
  readonly rowHeight: number;
  readonly count: number;
  /** Rows drawn beyond each edge, so that a fast scroll shows no blank. */
  readonly overscan?: number;
}

export interface RowWindow {
  /** First row drawn. */
  readonly first: number;
  /** Behind the last row drawn. */
  readonly end: number;
  /** Pixels above the first row drawn. */
  readonly offset: number;
  /** Height of the whole list. */
  readonly total: number;
}

export function rowWindow(state: ViewportState): RowWindow {
  const { rowHeight, count, overscan = 8 } = state;
  const total = count * rowHeight;
  // A list that shrank leaves the position behind its end for a moment.
  const top = Math.min(Math.max(0, state.scrollTop), Math.max(0, total - state.viewportHeight));
  const first = Math.max(0, Math.floor(top / rowHeight) - overscan);
  const end = Math.min(count, Math.ceil((top + state.viewportHeight) / rowHeight) + overscan);
  return { first, end: Math.max(first, end), offset: first * rowHeight, total };
}

/** The scroll position that shows `row`, moved as little as possible. */
export function scrollToShow(row: number, state: ViewportState): number {
  const { rowHeight, viewportHeight, scrollTop } = state;
  const top = row * rowHeight;
  if (top < scrollTop) return top;
  const bottom = top + rowHeight;
  return bottom > scrollTop + viewportHeight ? bottom - viewportHeight : scrollTop;
}

/** The next selection of a list; nothing selected starts at the nearer end. */
export function moved(selected: number, by: number, count: number): number {
  if (count === 0) return -1;
  if (selected < 0) return by > 0 ? 0 : count - 1;
  return Math.min(count - 1, Math.max(0, selected + by));
}
