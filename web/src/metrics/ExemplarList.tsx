/** The exemplars of a chart as a list: for the keyboard, and with their labels. */
import { clock, day, plural } from "../format";
import { href } from "../router";
import type { ExemplarPoint } from "./result";

/** The largest are the ones one looks for. */
const LISTED_MAX = 30;

export function ExemplarList(props: { points: readonly ExemplarPoint[]; format: (value: number) => string }) {
  const { points, format } = props;
  if (points.length === 0) return null;
  const largest = points.toSorted((a, b) => b.value - a.value).slice(0, LISTED_MAX);
  return (
    <details class="exemplars">
      <summary class="small">
        <i class="mark-key" /> {plural(points.length, "exemplar")}: single measurements that lead to their
        traces
      </summary>
      <div class="table-scroll">
        <table class="rows-table">
          <thead>
            <tr>
              <th scope="col">time</th>
              <th scope="col" class="right">
                value
              </th>
              <th scope="col">trace</th>
              <th scope="col">series</th>
            </tr>
          </thead>
          <tbody>
            {largest.map((point) => (
              <tr key={`${point.traceId} ${point.spanId} ${point.timeMs}`}>
                <td>
                  {day(point.timeMs)} {clock(point.timeMs)}
                </td>
                <td class="right">{format(point.value)}</td>
                <td>
                  <a class="mono" href={href(`/traces/${point.traceId}`, { span: point.spanId || null })}>
                    {point.traceId.slice(0, 8)}…
                  </a>
                </td>
                <td class="muted">
                  {Object.entries(point.labels)
                    .filter(([label]) => label !== "__name__")
                    .map(([label, value]) => `${label}=${value}`)
                    .join(" ")}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
