/** What comes in: records a second for each signal, and what is refused. */
import { useMemo } from "preact/hooks";
import { number } from "../format";
import { combineBy, lastValue, ordered } from "./reduce";
import { SmallChart } from "./SmallChart";
import { useMetric } from "./useMetric";

const COLORS = { logs: "--c0", spans: "--c2", metrics: "--c1", rejected: "--bad" };
const ORDER = ["logs", "spans", "metrics", "rejected"];
const perSecond = (value: number): string => `${number(value)}/s`;

export function RatesPanel() {
  const data = useMetric("fresnel.receive.records", ["signal", "outcome"]);
  const all = data.data?.answer.series;
  const series = useMemo(() => {
    const stored = (all ?? []).filter(({ labels }) => labels.outcome !== "rejected");
    const rejected = (all ?? []).filter(({ labels }) => labels.outcome === "rejected");
    const lines = combineBy(stored, "signal", "sum");
    const refused = combineBy(rejected, "outcome", "sum");
    // A line along zero would only cover the others.
    return ordered(
      [...lines, ...refused.filter(({ points }) => points.some(([, value]) => (value ?? 0) > 0))],
      ORDER,
    );
  }, [all]);
  const sum = series.reduce((total, one) => total + (lastValue(one.points) ?? 0), 0);
  return (
    <SmallChart
      class="wide"
      name="Records received"
      title={<>Received {series.length > 0 && <span class="figure">{perSecond(sum)}</span>}</>}
      none="Nothing was counted in this range yet: the first figures come within seconds of the start."
      data={data}
      series={series}
      kind="line"
      format={perSecond}
      colors={COLORS}
      height={164}
    />
  );
}
