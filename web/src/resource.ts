/**
 * Data of the server for a component: loaded, refreshed, cancelled.
 *
 * Enters: a key that says what is wanted and a function that loads it.
 * Leaves: the newest data, the error, whether it is for another key than now.
 * Must hold: one request at a time; a new key aborts the old request; a hidden tab asks nothing;
 * what comes in is shown when no pointer is pressed.
 */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, Unreachable } from "./api/client";
import { returned } from "./connection";
import { released } from "./hold";

const RETRY_MS = 1000;
const RETRY_MS_MAX = 30_000;

export interface Resource<T> {
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
  /** The data belongs to an earlier key: shown until the new data is here. */
  readonly stale: boolean;
}

export interface ResourceOptions {
  /** Milliseconds between refreshes; `null` loads once. */
  readonly refreshMs?: number | null;
  /** Do not load (yet). */
  readonly paused?: boolean;
}

interface State<T> {
  readonly key: string;
  readonly data: T | undefined;
  readonly error: ApiError | undefined;
  readonly loading: boolean;
}

/** Makes any failure presentable. */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  const detail = error instanceof Error ? error.message : String(error);
  return new ApiError(0, "The answer could not be read", detail);
}

/** Waits; ends at once when aborted, and not before the tab is visible. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((done) => {
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      done();
    });
  });
  if (signal.aborted || !document.hidden) return;
  await new Promise<void>((done) => {
    document.addEventListener("visibilitychange", () => done(), { once: true, signal });
    signal.addEventListener("abort", () => done());
  });
}

/**
 * Waits until it makes sense to ask again: for the server's return where it is away, else longer each time.
 * With an interval the wait is at least that long.
 */
export async function beforeRetry(
  error: ApiError,
  failures: number,
  signal: AbortSignal,
  everyMs = RETRY_MS,
): Promise<void> {
  if (error instanceof Unreachable) await returned(signal);
  else await pause(Math.min(everyMs * 2 ** failures, Math.max(RETRY_MS_MAX, everyMs)), signal);
}

/** Loads, and loads again, until aborted. Without an interval only what failed for now is asked again. */
async function keepLoading<T>(
  load: (signal: AbortSignal) => Promise<T>,
  refreshMs: number | null,
  signal: AbortSignal,
  report: (result: { data: T } | { error: ApiError }) => void,
): Promise<void> {
  let failures = 0;
  let follows = false;
  while (!signal.aborted) {
    try {
      const data = await load(signal);
      await released(signal, follows);
      if (signal.aborted) return;
      failures = 0;
      follows = true;
      report({ data });
      if (refreshMs === null) return;
      await pause(refreshMs, signal);
    } catch (failure) {
      if (signal.aborted) return;
      failures += 1;
      const error = toApiError(failure);
      await released(signal);
      if (signal.aborted) return;
      report({ error });
      if (refreshMs === null && !error.passing) return;
      await beforeRetry(error, failures, signal, refreshMs ?? RETRY_MS);
    }
  }
}

export function useResource<T>(
  key: string,
  load: (signal: AbortSignal) => Promise<T>,
  options: ResourceOptions = {},
): Resource<T> {
  const { refreshMs = null, paused = false } = options;
  const [state, setState] = useState<State<T>>({ key, data: undefined, error: undefined, loading: true });
  const loader = useRef(load);
  loader.current = load;
  useEffect(() => {
    if (paused) return;
    const abort = new AbortController();
    setState((old) => ({ ...old, loading: true, error: old.key === key ? old.error : undefined }));
    const report = (result: { data: T } | { error: ApiError }) =>
      setState((old) =>
        "data" in result
          ? { key, data: result.data, error: undefined, loading: false }
          : { ...old, error: result.error, loading: false },
      );
    keepLoading((signal) => loader.current(signal), refreshMs, abort.signal, report);
    return () => abort.abort();
  }, [key, refreshMs, paused]);
  return { data: state.data, error: state.error, loading: state.loading, stale: state.key !== key };
}
