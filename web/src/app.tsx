/**
 * The frame around every page: navigation, time range, theme, keys.
 *
 * Enters: the location. Leaves: the page that mirrors it.
 */
import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect } from "preact/hooks";
import { lostSince, probe } from "./connection";
import { clock } from "./format";
import { useKeys } from "./keys";
import { LogsPage } from "./logs/LogsPage";
import { OverviewPage } from "./overview/OverviewPage";
import { Help } from "./parts/Help";
import { Icon, type IconName, Mark } from "./parts/Icon";
import { later } from "./parts/later";
import { Empty } from "./parts/Notice";
import { Palette } from "./parts/Palette";
import { RangeControl } from "./range/RangeControl";
import { range } from "./range/range";
import { href, location, navigate, tail } from "./router";
import { dark, toggleTheme } from "./theme";
import { TracePage } from "./trace/TracePage";
import { TracesPage } from "./traces/TracesPage";

/** Pages that the first one does without. */
const MetricsPage = later(async () => (await import("./metrics/MetricsPage")).MetricsPage);
const CardinalityPage = later(async () => (await import("./metrics/CardinalityPage")).CardinalityPage);

interface Place {
  readonly path: string;
  readonly title: string;
  readonly icon: IconName;
  readonly key: string;
}

/** `/metrics` is the Prometheus endpoint of the same server; the page lives beneath it. */
const PLACES: readonly Place[] = [
  { path: "/", title: "Overview", icon: "overview", key: "o" },
  { path: "/logs", title: "Logs", icon: "logs", key: "l" },
  { path: "/traces", title: "Traces", icon: "traces", key: "t" },
  { path: "/metrics/explore", title: "Metrics", icon: "metrics", key: "m" },
];

function isAt(place: Place, path: string): boolean {
  if (place.path === "/") return path === "/";
  return (
    path === place.path ||
    path.startsWith(`${place.path}/`) ||
    (place.key === "m" && /^\/metrics(\/|$)/.test(path))
  );
}

function page(path: string): ComponentChildren {
  const traceId = tail(path, "/traces/");
  if (traceId !== null) return <TracePage key={traceId} traceId={traceId} />;
  switch (path) {
    case "/":
      return <OverviewPage />;
    case "/logs":
      return <LogsPage />;
    case "/traces":
      return <TracesPage />;
    case "/metrics":
    case "/metrics/explore":
      return <MetricsPage />;
    case "/metrics/cardinality":
      return <CardinalityPage />;
    default:
      return (
        <Empty title="There is no such page">
          <p>
            <code>{path}</code> leads nowhere. <a href={href("/")}>Go to the overview</a>.
          </p>
        </Empty>
      );
  }
}

function focusSearch(): void {
  const field = document.querySelector<HTMLInputElement>("input[data-search]");
  field?.focus();
  field?.select();
}

/** The navigation at the left. */
function Rail(props: { place: Place | undefined; onPalette: () => void; onHelp: () => void }) {
  return (
    <nav class="rail" aria-label="Pages">
      <a class="home" href={href("/")} aria-label="Fresnel, overview">
        <Mark />
      </a>
      {PLACES.map((target) => (
        <a
          key={target.path}
          href={href(target.path)}
          aria-current={target === props.place ? "page" : undefined}
          title={`${target.title} (g ${target.key})`}
        >
          <Icon name={target.icon} />
          <span>{target.title}</span>
        </a>
      ))}
      <span class="grow" />
      <button
        type="button"
        onClick={toggleTheme}
        aria-label={dark.value ? "Light theme" : "Dark theme"}
        title="Dark or light (T)"
      >
        <Icon name={dark.value ? "sun" : "moon"} />
      </button>
      <button type="button" onClick={props.onPalette} aria-label="Go anywhere" title="Go anywhere (Ctrl-K)">
        <Icon name="search" />
      </button>
      <button type="button" onClick={props.onHelp} aria-label="Show the keys" title="Keys (?)">
        <Icon name="help" />
      </button>
    </nav>
  );
}

/** One sentence for the whole page; what it showed before stays. */
function Lost() {
  if (lostSince.value === null) return null;
  return (
    <div class="banner bad lost" role="alert">
      <span>
        <b>The server does not answer</b> since {clock(lostSince.value)}. What is shown is from before; the
        page goes on by itself when the server is back.
      </span>
      <button type="button" class="small" onClick={probe}>
        Try now
      </button>
    </div>
  );
}

export function App() {
  const help = useSignal(false);
  const palette = useSignal(false);
  const { path } = location.value;
  const place = PLACES.find((candidate) => isAt(candidate, path));
  useKeys("Everywhere", [
    ...PLACES.map((target) => ({
      keys: `g ${target.key}`,
      label: `Go to ${target.title}`,
      run: () => navigate(href(target.path)),
    })),
    { keys: "Ctrl-K", label: "Go anywhere", run: () => (palette.value = true) },
    { keys: "/", label: "Search", run: focusSearch },
    { keys: "?", label: "Show the keys", run: () => (help.value = true) },
    { keys: "T", label: "Dark or light", run: toggleTheme },
  ]);
  useEffect(() => {
    document.title = place ? `${place.title} · Fresnel` : "Fresnel";
  }, [place, path]);
  const tenant = location.value.params.get("tenant");
  return (
    <div class="app">
      <a class="skip" href="#main" data-external>
        Skip to the page
      </a>
      <Rail place={place} onPalette={() => (palette.value = true)} onHelp={() => (help.value = true)} />
      <header class="bar">
        <h1>{place?.title ?? "Fresnel"}</h1>
        {tenant && <span class="chip">tenant {tenant}</span>}
        <span class="grow" />
        {/* A trace has its own time. */}
        {!path.startsWith("/traces/") && <RangeControl />}
      </header>
      <main id="main" tabIndex={-1} class={lostSince.value === null ? "" : "away"}>
        {range.value.invalid && (
          <div class="banner warn" role="status">
            The time range of the address was not understood; the last 15 minutes are shown instead.
          </div>
        )}
        {page(path)}
      </main>
      <Lost />
      {palette.value && <Palette places={PLACES} onClose={() => (palette.value = false)} />}
      {help.value && <Help onClose={() => (help.value = false)} />}
    </div>
  );
}
