/** What the editor proposes: known metrics and words at once, labels and values from the server. */
import { useMemo } from "preact/hooks";
import { prometheus, type Statistics } from "../api/prometheus";
import {
  type Choice,
  durationChoices,
  type KnownMetric,
  labelChoices,
  valueChoices,
  wordChoices,
} from "../promql/choices";
import type { Context } from "../promql/context";
import { range, rangeKey, resolve } from "../range/range";
import { useResource } from "../resource";

const LABELS_MAX = 200;
const VALUES_MAX = 1000;
const NOTHING: readonly Choice[] = [];

/** Labels of `x_bucket` have the bounds, which are not counted as series. */
function labelsOf(statistics: Statistics, context: Context) {
  const buckets = context.match.some((selector) => /_bucket($|\{)/.test(selector));
  const labels = statistics.labelValueCountByLabelName;
  return buckets && !labels.some(({ name }) => name === "le")
    ? [...labels, { name: "le", value: 0 }]
    : labels;
}

export function useChoices(context: Context | null, metrics: readonly KnownMetric[]): readonly Choice[] {
  const asks = context?.kind === "label" || context?.kind === "value";
  const { match = [], label } = context ?? {};
  const key = asks ? `choices ${JSON.stringify([match, label])} ${rangeKey.value}` : "choices";
  const counts = useResource(
    key,
    (signal) => {
      const window = resolve(range.peek(), Date.now());
      const wanted = label === undefined ? { match, limit: LABELS_MAX } : { match, label, limit: VALUES_MAX };
      return prometheus.statistics(window, wanted, signal);
    },
    { paused: !asks },
  );
  return useMemo(() => {
    if (!context) return NOTHING;
    if (context.kind === "word") return wordChoices(metrics, context.typed);
    if (context.kind === "duration") return durationChoices(context);
    if (!counts.data || counts.stale) return NOTHING;
    return context.kind === "label"
      ? labelChoices(labelsOf(counts.data.data, context), context)
      : valueChoices(counts.data.data.seriesCountByFocusLabelValue ?? [], context);
  }, [context?.kind, context?.typed, context?.start, counts.data, counts.stale, metrics]);
}
