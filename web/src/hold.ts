/**
 * Nothing moves under a pressed pointer, and no row under one that is on its way to it.
 *
 * Enters: pointers of the whole page. Leaves: a promise that live data waits for before it is shown.
 * Must hold: a drag over a chart, a selection of text and a click on a row of a live list end on what they
 * began on; a release that nobody saw does not stop the page for good, nor does a pointer that rests.
 */

/** A pointer that moved over a list within this time is aiming at a row of it. */
const AIM_MS = 1500;

let aimedAt = Number.NEGATIVE_INFINITY;
let pressed = false;
let waiting: (() => void)[] = [];

function release(): void {
  pressed = false;
  const woken = waiting;
  waiting = [];
  for (const wake of woken) wake();
}

/** After the events that belong to the release: `mouseup` and `click` still find what was pressed. */
const releaseSoon = (): void => {
  setTimeout(release);
};

/** Listens for pointers. Called once, at start. */
export function startHold(): void {
  const options = { capture: true, passive: true };
  document.addEventListener(
    "pointerdown",
    () => {
      pressed = true;
    },
    options,
  );
  document.addEventListener("pointerup", releaseSoon, options);
  document.addEventListener("pointercancel", releaseSoon, options);
  // The browser keeps the release to itself behind a native menu or outside of a frame.
  document.addEventListener(
    "pointermove",
    (event) => {
      if (pressed && event.buttons === 0) releaseSoon();
      if (event.pointerType === "mouse" && (event.target as Element).closest?.(".vlist-scroll"))
        aimedAt = performance.now();
    },
    options,
  );
  window.addEventListener("blur", releaseSoon);
}

function nextRelease(signal: AbortSignal): Promise<void> {
  return new Promise((done) => {
    waiting.push(done);
    signal.addEventListener("abort", () => done(), { once: true });
  });
}

/**
 * Resolves when what came in may be shown: no pointer is pressed, or `signal` aborts. What only `follows`
 * the data that is there waits for an aim, too; what was asked for anew does not.
 */
export async function released(signal: AbortSignal, follows = false): Promise<void> {
  while (!signal.aborted) {
    const aiming = follows ? aimedAt + AIM_MS - performance.now() : 0;
    if (pressed) await nextRelease(signal);
    else if (aiming > 0) await new Promise((done) => setTimeout(done, aiming));
    else return;
  }
}
