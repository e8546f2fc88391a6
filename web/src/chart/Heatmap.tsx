/**
 * How often which values were measured, over time: darker is more often.
 *
 * Enters: cells. Leaves: the time range, by drag and double click as on every chart.
 * Must hold: moving the pointer re-renders no component.
 */
import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { setWindow, type Window, zoomOut } from "../range/range";
import { color, dark } from "../theme";
import { chartAxes, followWidth } from "./plot";

export interface HeatCell {
  readonly timeMs: number;
  readonly low: number;
  readonly high: number;
  readonly count: number;
}

interface Props {
  readonly label: string;
  readonly cells: readonly HeatCell[];
  readonly low: number;
  readonly high: number;
  readonly most: number;
  readonly logarithmic: boolean;
  readonly stepMs: number;
  readonly window: Window;
  readonly height: number;
  readonly format: (value: number) => string;
  /** What is under the pointer, in words; `null` where nothing is. */
  readonly tell: (timeMs: number, value: number) => string | null;
  readonly stale: boolean;
}

/** The faintest cell is still seen. */
const ALPHA_MIN = 0.12;

function paint(plot: uPlot, props: Props): void {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  ctx.save();
  ctx.beginPath();
  ctx.rect(left, top, width, height);
  ctx.clip();
  ctx.fillStyle = color("--c0");
  for (const cell of props.cells) {
    const [x0, x1] = [cell.timeMs - props.stepMs, cell.timeMs].map((ms) => plot.valToPos(ms, "x", true));
    const [y0, y1] = [cell.high, cell.low].map((value) => plot.valToPos(value, "y", true));
    if (x0 === undefined || x1 === undefined || y0 === undefined || y1 === undefined) continue;
    // Of counts that differ a thousandfold the small ones count, too.
    ctx.globalAlpha = ALPHA_MIN + (1 - ALPHA_MIN) * Math.sqrt(cell.count / props.most);
    const [from, to] = [Math.round(x0), Math.round(x1)];
    ctx.fillRect(
      from,
      Math.round(y0),
      Math.max(1, to - from),
      Math.max(1, Math.round(y1) - Math.round(y0) - 1),
    );
  }
  ctx.restore();
}

/** The cell under the pointer in words. Written into the document directly. */
function tellPlugin(latest: { current: Props }): uPlot.Plugin {
  const box = document.createElement("div");
  box.className = "tooltip";
  box.hidden = true;
  return {
    hooks: {
      init: (plot) => {
        plot.over.append(box);
        plot.over.addEventListener("mouseleave", () => {
          box.hidden = true;
        });
      },
      setCursor: (plot) => {
        const { left = -1, top = -1 } = plot.cursor;
        const inside = left >= 0 && top >= 0 && plot.over.matches(":hover");
        const said = inside ? latest.current.tell(plot.posToVal(left, "x"), plot.posToVal(top, "y")) : null;
        box.hidden = said === null;
        box.textContent = said;
        const flip = left > plot.over.clientWidth / 2;
        box.style.left = flip ? "" : `${left + 14}px`;
        box.style.right = flip ? `${plot.over.clientWidth - left + 14}px` : "";
      },
    },
  };
}

function create(host: HTMLElement, latest: { current: Props }): uPlot {
  const { height, logarithmic, format } = latest.current;
  const range = (): [number, number] => [latest.current.window.from, latest.current.window.to];
  const plot = new uPlot(
    {
      ...{ width: Math.max(host.clientWidth, 80), height, ms: 1, padding: [8, 18, 0, 0] },
      legend: { show: false },
      scales: {
        x: { time: true, range },
        y: { range: () => [latest.current.low, latest.current.high], ...(logarithmic && { distr: 3 }) },
      },
      series: [{}, { paths: () => null, points: { show: false } }],
      axes: chartAxes({ format, logarithmic }),
      cursor: {
        points: { show: false },
        drag: { x: true, y: false, setScale: false },
        bind: {
          dblclick: () => () => {
            zoomOut();
            return null;
          },
        },
      },
      hooks: {
        draw: [(drawn) => paint(drawn, latest.current)],
        setSelect: [
          (drawn) => {
            const { left, width } = drawn.select;
            drawn.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
            if (width >= 4) setWindow(drawn.posToVal(left, "x"), drawn.posToVal(left + width, "x"));
          },
        ],
      },
      plugins: [tellPlugin(latest)],
    },
    dataOf(latest.current),
    host,
  );
  return plot;
}

/** The ends of the range; what is drawn are the cells. */
const dataOf = ({ window, low, high }: Props): uPlot.AlignedData => [
  [window.from, window.to],
  [low, high],
];

export function Heatmap(props: Props) {
  const host = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    if (!host.current) return;
    const created = create(host.current, latest);
    const stopFollowing = followWidth(host.current, created, props.height);
    plot.current = created;
    const stop = effect(() => {
      dark.value;
      created.redraw(false, true);
    });
    return () => {
      stop();
      stopFollowing();
      created.destroy();
      plot.current = null;
    };
  }, [props.logarithmic, props.height, props.format]);
  useEffect(() => {
    plot.current?.setData(dataOf(props));
  }, [props.cells, props.window.from, props.window.to, props.low, props.high]);
  return (
    <div
      class={`chart${props.stale ? " stale" : ""}`}
      ref={host}
      role="img"
      aria-label={props.label}
      style={{ height: `${props.height}px` }}
    />
  );
}
