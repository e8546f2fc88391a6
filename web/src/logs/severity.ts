/** Severities as OpenTelemetry numbers them: four to a name. */
import type { Severity } from "../api/types";

/** From the quietest to the loudest; the order of the histogram from top to ground. */
export const SEVERITIES: readonly Severity[] = ["unset", "trace", "debug", "info", "warn", "error", "fatal"];

export const severityColor = (severity: Severity): string => `--sev-${severity}`;

export function severityOf(number: number): Severity {
  if (number < 1 || number > 24) return "unset";
  return SEVERITIES[Math.ceil(number / 4)] ?? "unset";
}

/** What the filter offers: the name and the smallest number. */
export const SEVERITY_FLOORS: readonly (readonly [string, number])[] = [
  ["debug and above", 5],
  ["info and above", 9],
  ["warn and above", 13],
  ["error and above", 17],
  ["fatal", 21],
];
