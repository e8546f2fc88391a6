/**
 * The router: the URL is the only state that lasts.
 *
 * Enters: clicks on links, `navigate` and `setParams`, the browser's back and forward.
 * Leaves: `location`, a signal that every page derives its state from.
 * Must hold: nothing that a shared link should restore lives anywhere else.
 */
import { signal } from "@preact/signals";

export interface Location {
  readonly path: string;
  readonly params: URLSearchParams;
}

/** A change to one parameter: text sets it, a list repeats it, `null` removes it. */
export type ParamChange = string | readonly string[] | null;

/** Parameters that travel along when a link leads to another page. */
const CARRIED = ["from", "to", "tenant"] as const;

function read(): Location {
  const { pathname, search } = globalThis.location ?? { pathname: "/", search: "" };
  return { path: pathname.replace(/\/+$/, "") || "/", params: new URLSearchParams(search) };
}

export const location = signal<Location>(read());

/** Goes to `url`; with `replace` the current entry of the history is overwritten. */
export function navigate(url: string, options: { replace?: boolean } = {}): void {
  if (options.replace) history.replaceState(null, "", url);
  else history.pushState(null, "", url);
  location.value = read();
}

/** Applies changes to a copy of `params`. */
export function withParams(params: URLSearchParams, changes: Record<string, ParamChange>): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [key, value] of Object.entries(changes)) {
    next.delete(key);
    if (value === null) continue;
    for (const item of typeof value === "string" ? [value] : value) next.append(key, item);
  }
  return next;
}

/** A path with its parameters, written so that times and `key:value` pairs stay readable. */
export function toUrl(path: string, params: URLSearchParams): string {
  const query = params.toString().replaceAll("%3A", ":").replaceAll("%2F", "/");
  return query ? `${path}?${query}` : path;
}

/** Changes parameters of the page that is open. */
export function setParams(changes: Record<string, ParamChange>, options: { replace?: boolean } = {}): void {
  const { path, params } = location.peek();
  const url = toUrl(path, withParams(params, changes));
  if (url !== toUrl(path, params)) navigate(url, options);
}

/** A link to another page that keeps the time range and the tenant. */
export function href(path: string, changes: Record<string, ParamChange> = {}): string {
  const current = location.value.params;
  const carried = new URLSearchParams();
  for (const key of CARRIED) {
    const value = current.get(key);
    if (value !== null) carried.set(key, value);
  }
  return toUrl(path, withParams(carried, changes));
}

/** The rest of `path` behind `prefix`, decoded; `null` when it does not match or is empty. */
export function tail(path: string, prefix: string): string | null {
  if (!path.startsWith(prefix)) return null;
  const rest = path.slice(prefix.length);
  if (rest === "" || rest.includes("/")) return null;
  try {
    return decodeURIComponent(rest);
  } catch {
    return null;
  }
}

/** Turns clicks on links to this origin into navigation; everything else stays the browser's. */
function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = (event.target as Element | null)?.closest?.("a");
  if (!link?.href || link.target || link.hasAttribute("download") || link.dataset.external !== undefined)
    return;
  const url = new URL(link.href);
  if (url.origin !== window.location.origin || url.pathname.startsWith("/api/")) return;
  event.preventDefault();
  navigate(url.pathname + url.search + url.hash);
}

/** Connects the router to the browser. Called once, at start. */
export function startRouter(): void {
  window.addEventListener("popstate", () => {
    location.value = read();
  });
  document.addEventListener("click", follow);
}
