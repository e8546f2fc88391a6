/** A metric's series for the overview; a metric that does not exist (yet) has none. */
import { ApiError, api } from "../api/client";
import type { SeriesAnswer } from "../api/types";
import { niceStepMs } from "../chart/align";
import { range, rangeKey, resolve, type Window } from "../range/range";
import { refreshMs } from "../refresh";
import { type Resource, useResource } from "../resource";

const POINTS_MAX = 180;
/** Finer than most exporters report. */
const STEP_MS_MIN = 5000;
const SERIES_MAX = 200;
/** Half a dozen charts, of figures that are measured every few seconds. */
const REFRESH_MS_MIN = 4000;
const NOT_FOUND = 404;

export interface MetricData {
  readonly window: Window;
  readonly answer: SeriesAnswer;
}

const NO_STATS = {
  ...{ elapsed_ms: 0, rows: 0, scanned_rows: 0, scanned_bytes: 0 },
  ...{ segments: 0, segments_skipped: 0, memory_peak_bytes: 0 },
};
const nothing = (stepMs: number): SeriesAnswer => ({
  ...{
    complete: true,
    warnings: [],
    stats: NO_STATS,
    step_ms: stepMs,
    series: [],
    total_series: 0,
    unit: "",
    kind: "gauge",
  },
});

export function useMetric(name: string, by: readonly string[] = []): Resource<MetricData> {
  return useResource(
    `overview ${name} ${by.join(" ")} ${rangeKey.value}`,
    async (signal) => {
      const window = resolve(range.peek(), Date.now());
      const stepMs = niceStepMs(window.to - window.from, POINTS_MAX, STEP_MS_MIN);
      try {
        return { window, answer: await api.series(name, window, { stepMs, by, limit: SERIES_MAX }, signal) };
      } catch (error) {
        if (error instanceof ApiError && error.status === NOT_FOUND)
          return { window, answer: nothing(stepMs) };
        throw error;
      }
    },
    { refreshMs: refreshMs.value === null ? null : Math.max(refreshMs.value, REFRESH_MS_MIN) },
  );
}
