/**
 * Points on a chart that lead somewhere, and a moment that it marks. In the document, not on the canvas, so that
 * they are links.
 *
 * Enters: points in time and value. Leaves: links over the plot. Must hold: what lies above the axis stays in sight
 * at its top.
 */
import type uPlot from "uplot";

export interface Mark {
  readonly timeMs: number;
  /** On the value axis; `null` stands on the ground. */
  readonly value: number | null;
  readonly href: string;
  readonly title: string;
}

export interface MarksSpec {
  readonly marks: () => readonly Mark[];
  /** Milliseconds. */
  readonly moment: () => number | null;
}

function placed(plot: uPlot, mark: Mark): HTMLAnchorElement | null {
  const { clientWidth: width, clientHeight: height } = plot.over;
  const left = plot.valToPos(mark.timeMs, "x");
  if (left < 0 || left > width) return null;
  const wanted = mark.value === null ? height - 5 : plot.valToPos(mark.value, "y");
  const top = Math.min(height - 1, Math.max(1, Number.isFinite(wanted) ? wanted : height));
  const link = document.createElement("a");
  link.className = wanted < 0 ? "mark-link above" : "mark-link";
  link.href = mark.href;
  link.title = wanted < 0 ? `${mark.title} (above the axis)` : mark.title;
  // The list below the chart has them for the keyboard.
  link.tabIndex = -1;
  link.setAttribute("aria-hidden", "true");
  link.style.left = `${left}px`;
  link.style.top = `${top}px`;
  return link;
}

export function marksPlugin(spec: MarksSpec): uPlot.Plugin {
  const layer = document.createElement("div");
  layer.className = "marks";
  const line = document.createElement("i");
  line.className = "moment";
  line.hidden = true;
  const draw = (plot: uPlot): void => {
    const moment = spec.moment();
    const left = moment === null ? -1 : plot.valToPos(moment, "x");
    line.hidden = left < 0 || left > plot.over.clientWidth;
    line.style.left = `${left}px`;
    const links = spec.marks().flatMap((mark) => placed(plot, mark) ?? []);
    layer.replaceChildren(line, ...links);
  };
  return {
    hooks: {
      init: (plot) => plot.over.append(layer),
      draw,
    },
  };
}
