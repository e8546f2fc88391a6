/**
 * The list of traces: the newest, and older ones on demand.
 *
 * The API has no cursor here: older traces are asked for by the start of the oldest one that is known.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { type ApiError, api, type TraceFilter } from "../api/client";
import type { TraceSummary, TracesAnswer } from "../api/types";
import { nanosToMs } from "../format";
import { range, rangeKey, resolve, type Window } from "../range/range";
import { refreshMs } from "../refresh";
import { toApiError, useResource } from "../resource";

const PAGE = 200;
/** Traces that are kept while scrolling back. */
export const TRACES_MAX = 5000;

interface Older {
  readonly key: string;
  readonly traces: readonly TraceSummary[];
  readonly exhausted: boolean;
  readonly loading: boolean;
  readonly answers: readonly TracesAnswer[];
  readonly error: ApiError | undefined;
}

/** Appends traces that are not there yet. */
export function joinTraces(newer: readonly TraceSummary[], older: readonly TraceSummary[]): TraceSummary[] {
  const known = new Set(newer.map((trace) => trace.trace_id));
  return [...newer, ...older.filter((trace) => !known.has(trace.trace_id))];
}

export function useTraces(filter: TraceFilter) {
  const key = `traces ${JSON.stringify(filter)} ${rangeKey.value}`;
  const fresh: Older = { key, traces: [], exhausted: false, loading: false, answers: [], error: undefined };
  const [stored, setOlder] = useState<Older>(fresh);
  const older = stored.key === key ? stored : fresh;
  const newest = useResource(
    key,
    async (signal) => {
      const window = resolve(range.peek(), Date.now());
      return { window, answer: await api.traces(filter, window, PAGE, signal) };
    },
    // Somebody who reads older traces does not want the list to move.
    { refreshMs: older.traces.length === 0 ? refreshMs.value : null },
  );
  const abort = useRef<AbortController | undefined>(undefined);
  // Another list ends the request for the old one
  useEffect(() => () => abort.current?.abort(), [key]);

  const traces = joinTraces(newest.data?.answer.traces ?? [], older.traces);
  const full = (newest.data?.answer.traces.length ?? 0) >= PAGE;
  const window: Window | undefined = newest.data?.window;
  const loadOlder = () => {
    const last = traces.at(-1);
    if (!last || !window || !full || older.exhausted || older.loading || newest.stale) return;
    if (traces.length >= TRACES_MAX) return;
    abort.current = new AbortController();
    const { signal } = abort.current;
    setOlder({ ...older, loading: true });
    const until = { from: window.from, to: nanosToMs(last.start_unix_nano) + 1 };
    api
      .traces(filter, until, PAGE, signal)
      .then((answer) => {
        const joined = joinTraces(older.traces, answer.traces);
        const grew = joinTraces(traces, answer.traces).length > traces.length;
        setOlder({
          ...{ key, traces: joined, loading: false, error: undefined },
          exhausted: answer.traces.length < PAGE || !grew,
          answers: [...older.answers, answer],
        });
      })
      .catch((error: unknown) => {
        if (!signal.aborted)
          setOlder({ ...older, loading: false, exhausted: true, error: toApiError(error) });
      });
  };
  const answers = [newest.data?.answer, ...older.answers];
  return {
    traces,
    window,
    newest,
    answers,
    error: newest.error ?? older.error,
    more: full && !older.exhausted,
    loadingOlder: older.loading,
    loadOlder,
  };
}
