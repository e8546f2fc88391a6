/**
 * The values under the pointer. Written into the DOM directly: a pointer moves a hundred times a second.
 */
import type uPlot from "uplot";

export interface TooltipSpec {
  readonly series: readonly { readonly label: string; readonly color: string }[];
  readonly format: (value: number) => string;
  readonly raw: (series: number, index: number) => number | null;
  readonly heading: (from: number, to: number | undefined) => string;
}

/** More lines than this hide the chart. */
const LINES_MAX = 12;

interface Line {
  readonly label: string;
  readonly color: string;
  readonly value: number;
}

function linesAt(spec: TooltipSpec, index: number): Line[] {
  const lines: Line[] = [];
  spec.series.forEach(({ label, color }, position) => {
    const value = spec.raw(position, index);
    if (value !== null && value !== undefined) lines.push({ label, color, value });
  });
  return lines.sort((a, b) => b.value - a.value);
}

function row(line: Line, format: (value: number) => string): HTMLElement {
  const element = document.createElement("div");
  const swatch = document.createElement("i");
  swatch.className = "swatch";
  swatch.style.background = `var(${line.color})`;
  const label = document.createElement("span");
  label.textContent = line.label;
  const value = document.createElement("b");
  value.textContent = format(line.value);
  element.append(swatch, label, value);
  return element;
}

/** Shows the values of the chart that the pointer is over; charts that only follow it show their line. */
export function tooltipPlugin(spec: TooltipSpec): uPlot.Plugin {
  const box = document.createElement("div");
  box.className = "tooltip";
  box.hidden = true;
  const show = (plot: uPlot): void => {
    const { idx, left = -1 } = plot.cursor;
    const lines =
      idx === null || idx === undefined || left < 0
        ? []
        : linesAt(spec, idx).filter((l) => l.value !== 0 || spec.series.length < 4);
    box.hidden = lines.length === 0 || !plot.over.matches(":hover");
    if (box.hidden || idx === null || idx === undefined) return;
    const heading = document.createElement("div");
    heading.className = "tooltip-time";
    heading.textContent = spec.heading(plot.data[0][idx] ?? 0, plot.data[0][idx + 1]);
    const rest = lines.length - LINES_MAX;
    box.replaceChildren(heading, ...lines.slice(0, LINES_MAX).map((line) => row(line, spec.format)));
    if (rest > 0) box.append(`and ${rest} more`);
    const flip = left > plot.over.clientWidth / 2;
    box.style.left = flip ? "" : `${left + 14}px`;
    box.style.right = flip ? `${plot.over.clientWidth - left + 14}px` : "";
  };
  return {
    hooks: {
      init: (plot) => {
        plot.over.append(box);
        plot.over.addEventListener("mouseleave", () => {
          box.hidden = true;
        });
      },
      setCursor: show,
    },
  };
}
