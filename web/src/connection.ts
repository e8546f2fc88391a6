/**
 * Whether the server answers at all.
 *
 * Enters: what became of every request. Leaves: since when it does not answer, and a promise for its return.
 * Must hold: while it is away one small request asks for it, whatever the page has open; a hidden tab asks nothing.
 */
import { signal } from "@preact/signals";

const PROBE_MS = 1500;
/** What a proxy says for a server that it cannot reach. */
const GATEWAY = new Set([502, 504]);

/** When the server was first missed, in unix milliseconds; `null` while it answers. */
export const lostSince = signal<number | null>(null);

/** Whether a response is the server's own, not a proxy's word for its absence. */
export const isServers = (response: Response): boolean => !GATEWAY.has(response.status);

/** The server answered: everybody who waits for it goes on. */
export function reached(): void {
  lostSince.value = null;
}

/** The server did not answer. */
export function lost(): void {
  if (lostSince.peek() !== null) return;
  lostSince.value = Date.now();
  setTimeout(probe, PROBE_MS);
}

/** Asks for a sign of life; again and again until there is one. */
export async function probe(): Promise<void> {
  if (lostSince.peek() === null) return;
  if (!document.hidden) {
    const response = await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(5000) }).catch(
      () => null,
    );
    if (response && isServers(response)) {
      reached();
      return;
    }
  }
  setTimeout(probe, PROBE_MS);
}

/** Resolves when the server answers again, or when `signal` aborts. */
export function returned(abort: AbortSignal): Promise<void> {
  return new Promise((done) => {
    const stop = lostSince.subscribe((since) => {
      if (since !== null && !abort.aborted) return;
      done();
      queueMicrotask(() => stop());
    });
    abort.addEventListener(
      "abort",
      () => {
        stop();
        done();
      },
      { once: true },
    );
  });
}
