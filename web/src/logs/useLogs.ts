/**
 * The rows of the logs page: the newest first, followed while the range is live, older ones on demand.
 *
 * Must hold: one request at a time for each direction; nothing is asked while paused or hidden.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, api, type LogFilter, Unreachable } from "../api/client";
import type { LogsAnswer } from "../api/types";
import { nanosToMs } from "../format";
import { released } from "../hold";
import { range, resolve, type Window } from "../range/range";
import { beforeRetry, pause, toApiError } from "../resource";
import { appendOlder, type LogRows, mergeNewest, ROWS_MAX, recentRate } from "./merge";

const PAGE = 200;
const NEWEST_LIMIT = 500;
const POLL_MS = 2000;
/** Records arrive late: this much of the past is asked again. */
const OVERLAP_MS = 5000;

export interface LogsState extends LogRows {
  readonly key: string;
  readonly loading: boolean;
  /** There was an answer for this key. */
  readonly answered: boolean;
  readonly loadingOlder: boolean;
  readonly error: ApiError | undefined;
  /** The answers so far, for their warnings. */
  readonly complete: boolean;
  readonly warnings: readonly string[];
  /** Records a second, while followed. */
  readonly rate: number | null;
}

const EMPTY: LogsState = {
  ...{ key: "", rows: [], next: null, loading: true, loadingOlder: false, error: undefined },
  ...{ answered: false, complete: true, warnings: [], rate: null },
};

const asRows = (answer: LogsAnswer): LogRows => ({ rows: answer.logs, next: answer.next ?? null });

function completeness(state: LogsState, answer: LogsAnswer): Pick<LogsState, "complete" | "warnings"> {
  const warnings = new Set([...state.warnings, ...(answer.complete ? [] : answer.warnings)]);
  return { complete: state.complete && answer.complete, warnings: [...warnings] };
}

export function useLogs(filter: LogFilter, rangeKey: string, follow: boolean) {
  const key = JSON.stringify([filter, rangeKey]);
  const [state, setState] = useState<LogsState>(EMPTY);
  const current = useRef(state);
  current.current = state;
  const window = useRef<Window>({ from: 0, to: 0 });
  const older = useRef<AbortController | undefined>(undefined);

  // The key stands for the filter
  useEffect(() => {
    const abort = new AbortController();
    older.current?.abort();
    setState((old) => ({ ...old, loading: true, loadingOlder: false, error: undefined }));
    loadFirst(filter, key, window, abort.signal, setState);
    return () => abort.abort();
  }, [key]);

  // Until there is a first answer it is asked for again by itself.
  const ready = state.key === key && !state.loading && state.answered;
  // The key stands for the filter
  useEffect(() => {
    if (!follow || !ready) return;
    const abort = new AbortController();
    keepPolling(
      (signal) => pollNewest(filter, current.current, signal, setState),
      abort.signal,
      (error) => setState((old) => ({ ...old, error })),
    );
    return () => abort.abort();
  }, [key, follow, ready]);

  const loadOlder = () => {
    const held = current.current;
    if (held.next === null || held.loading || held.loadingOlder || held.key !== key) return;
    if (held.rows.length >= ROWS_MAX) return;
    const abort = new AbortController();
    older.current = abort;
    setState((old) => ({ ...old, loadingOlder: true }));
    api
      .logs(filter, window.current, { limit: PAGE, before: held.next }, abort.signal)
      .then((answer) =>
        setState((old) => ({
          ...old,
          ...appendOlder(old, asRows(answer)),
          ...completeness(old, answer),
          loadingOlder: false,
        })),
      )
      .catch((error: unknown) => {
        if (abort.signal.aborted) return;
        setState((old) => ({ ...old, loadingOlder: false, error: toApiError(error) }));
      });
  };
  return { state, stale: state.key !== key, loadOlder };
}

/** The first page; asked for again while the server is away or failing. */
async function loadFirst(
  filter: LogFilter,
  key: string,
  window: { current: Window },
  signal: AbortSignal,
  setState: (change: (old: LogsState) => LogsState) => void,
): Promise<void> {
  for (let failures = 1; !signal.aborted; failures += 1) {
    window.current = resolve(range.peek(), Date.now());
    try {
      const answer = await api.logs(filter, window.current, { limit: PAGE }, signal);
      await released(signal);
      if (signal.aborted) return;
      const { complete } = answer;
      const warnings = complete ? [] : answer.warnings;
      setState(() => ({
        ...{ ...EMPTY, key, ...asRows(answer), complete, warnings },
        ...{ loading: false, answered: true },
      }));
      return;
    } catch (failure) {
      if (signal.aborted) return;
      const error = toApiError(failure);
      // While nobody answers, the rows from before are better than none.
      setState((old) =>
        error instanceof Unreachable ? { ...old, error } : { ...EMPTY, key, loading: false, error },
      );
      if (!error.passing) return;
      await beforeRetry(error, failures, signal);
    }
  }
}

/** Polls until aborted; a failure is reported and slows it down. */
async function keepPolling(
  poll: (signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
  report: (error: ApiError) => void,
): Promise<void> {
  let failures = 0;
  await pause(POLL_MS, signal);
  while (!signal.aborted) {
    try {
      await poll(signal);
      failures = 0;
      await pause(POLL_MS, signal);
    } catch (failure) {
      if (signal.aborted) return;
      failures += 1;
      const error = toApiError(failure);
      report(error);
      await beforeRetry(error, failures, signal, POLL_MS);
    }
  }
}

/** Asks for what is new and joins it with the rows that are here. */
async function pollNewest(
  filter: LogFilter,
  held: LogsState,
  signal: AbortSignal,
  setState: (change: (old: LogsState) => LogsState) => void,
): Promise<void> {
  const now = Date.now();
  const { from, to } = resolve(range.peek(), now);
  const newest = held.rows[0]?.time_unix_nano;
  const since = newest === undefined ? from : Math.max(from, Math.min(nanosToMs(newest), now) - OVERLAP_MS);
  const answer = await api.logs(filter, { from: Math.floor(since), to }, { limit: NEWEST_LIMIT }, signal);
  await released(signal, true);
  if (signal.aborted) return;
  setState((old) => {
    const merged = mergeNewest(old, asRows(answer), `${Math.floor(since)}000000`);
    return {
      ...old,
      ...merged,
      ...completeness(old, answer),
      error: undefined,
      rate: recentRate(merged.rows, Date.now()),
    };
  });
}
