/**
 * The words of PromQL that the editor knows: functions, aggregations, keywords.
 *
 * Must hold: the functions are those that the server evaluates without `query.prometheus.experimental`; a test
 * compares them with its table.
 */

export interface Word {
  /** What it takes. */
  readonly takes: string;
  readonly says: string;
}

/** `v` is series, `v[d]` their samples over a time, `h` a histogram. */
export const FUNCTIONS: ReadonlyMap<string, Word> = words({
  abs: ["v", "the absolute value"],
  absent: ["v", "1 where there is no series"],
  absent_over_time: ["v[d]", "1 where there was no sample"],
  acos: ["v", "arc cosine"],
  acosh: ["v", "inverse hyperbolic cosine"],
  asin: ["v", "arc sine"],
  asinh: ["v", "inverse hyperbolic sine"],
  atan: ["v", "arc tangent"],
  atanh: ["v", "inverse hyperbolic tangent"],
  avg_over_time: ["v[d]", "the mean of the samples"],
  ceil: ["v", "rounded up"],
  changes: ["v[d]", "how often the value changed"],
  clamp: ["v, min, max", "kept between two bounds"],
  clamp_max: ["v, max", "kept below a bound"],
  clamp_min: ["v, min", "kept above a bound"],
  cos: ["v", "cosine"],
  cosh: ["v", "hyperbolic cosine"],
  count_over_time: ["v[d]", "the number of samples"],
  day_of_month: ["v", "1 to 31, UTC"],
  day_of_week: ["v", "0 (Sunday) to 6, UTC"],
  day_of_year: ["v", "1 to 366, UTC"],
  days_in_month: ["v", "28 to 31, UTC"],
  deg: ["v", "radians to degrees"],
  delta: ["v[d]", "last minus first, of a gauge"],
  deriv: ["v[d]", "the slope a second, of a gauge"],
  exp: ["v", "e to the power"],
  floor: ["v", "rounded down"],
  histogram_avg: ["h", "the mean of a native histogram"],
  histogram_count: ["h", "the observations of a native histogram"],
  histogram_fraction: ["low, high, h", "the share of observations between two bounds"],
  histogram_quantile: ["φ, h", "the quantile of a histogram, 0 ≤ φ ≤ 1"],
  histogram_stddev: ["h", "the standard deviation of a native histogram"],
  histogram_stdvar: ["h", "the variance of a native histogram"],
  histogram_sum: ["h", "the sum of a native histogram"],
  hour: ["v", "0 to 23, UTC"],
  idelta: ["v[d]", "the difference of the last two samples"],
  increase: ["v[d]", "how much a counter grew"],
  irate: ["v[d]", "growth of a counter a second, by the last two samples"],
  label_join: ['v, "to", "separator", "from", …', "joins labels into one"],
  label_replace: ['v, "to", "$1", "from", "regex"', "writes a label from a part of another"],
  last_over_time: ["v[d]", "the last sample"],
  ln: ["v", "natural logarithm"],
  log10: ["v", "decimal logarithm"],
  log2: ["v", "binary logarithm"],
  max_over_time: ["v[d]", "the largest sample"],
  min_over_time: ["v[d]", "the smallest sample"],
  minute: ["v", "0 to 59, UTC"],
  month: ["v", "1 to 12, UTC"],
  pi: ["", "3.14159…"],
  predict_linear: ["v[d], seconds", "where a straight line will be"],
  present_over_time: ["v[d]", "1 where there was a sample"],
  quantile_over_time: ["φ, v[d]", "a quantile of the samples"],
  rad: ["v", "degrees to radians"],
  rate: ["v[d]", "growth of a counter a second"],
  resets: ["v[d]", "how often a counter began anew"],
  round: ["v, to", "rounded to a multiple"],
  scalar: ["v", "the one series as a number"],
  sgn: ["v", "-1, 0 or 1"],
  sin: ["v", "sine"],
  sinh: ["v", "hyperbolic sine"],
  sort: ["v", "ascending, in a table"],
  sort_desc: ["v", "descending, in a table"],
  sqrt: ["v", "square root"],
  stddev_over_time: ["v[d]", "the standard deviation of the samples"],
  stdvar_over_time: ["v[d]", "the variance of the samples"],
  sum_over_time: ["v[d]", "the sum of the samples"],
  tan: ["v", "tangent"],
  tanh: ["v", "hyperbolic tangent"],
  time: ["", "the time of the evaluation, Unix seconds"],
  timestamp: ["v", "the time of the sample, Unix seconds"],
  vector: ["number", "a number as a series without labels"],
  year: ["v", "the year, UTC"],
});

export const AGGREGATIONS: ReadonlyMap<string, Word> = words({
  sum: ["v", "adds the series up"],
  avg: ["v", "the mean of the series"],
  min: ["v", "the smallest series"],
  max: ["v", "the largest series"],
  count: ["v", "the number of series"],
  count_values: ['"label", v', "the number of series of each value"],
  group: ["v", "1 for each group"],
  stddev: ["v", "the standard deviation over series"],
  stdvar: ["v", "the variance over series"],
  topk: ["k, v", "the k largest series"],
  bottomk: ["k, v", "the k smallest series"],
  quantile: ["φ, v", "a quantile over series"],
});

export const KEYWORDS: ReadonlyMap<string, Word> = words({
  by: ["", "keep these labels"],
  without: ["", "drop these labels"],
  on: ["", "match on these labels"],
  ignoring: ["", "match without these labels"],
  group_left: ["", "many to one"],
  group_right: ["", "one to many"],
  offset: ["", "shifted into the past"],
  bool: ["", "0 or 1 instead of a filter"],
  and: ["", "where the right has it, too"],
  or: ["", "and what only the right has"],
  unless: ["", "where the right does not have it"],
});

function words(list: Record<string, readonly [string, string]>): ReadonlyMap<string, Word> {
  return new Map(Object.entries(list).map(([name, [takes, says]]) => [name, { takes, says }]));
}
