/**
 * What a page says when it has no data, not all data, or an error.
 *
 * Must hold: an incomplete answer is never shown without its banner; an error shows the server's own words.
 */
import type { ComponentChildren } from "preact";
import { type ApiError, Unreachable } from "../api/client";
import { lostSince } from "../connection";

/** Anything that may say it is incomplete. */
interface MaybeIncomplete {
  readonly complete?: boolean;
  readonly warnings?: readonly string[];
}

/** The warnings of incomplete answers, each once; empty when all are complete. */
export function incompleteWarnings(answers: readonly (MaybeIncomplete | undefined)[]): string[] {
  const warnings = new Set<string>();
  for (const answer of answers) {
    if (answer?.complete !== false) continue;
    const texts = answer.warnings?.length ? answer.warnings : ["the server did not say why"];
    for (const text of texts) warnings.add(text);
  }
  return [...warnings];
}

export function Incomplete(props: { answers: readonly (MaybeIncomplete | undefined)[] }) {
  const warnings = incompleteWarnings(props.answers);
  if (warnings.length === 0) return null;
  return (
    <div class="banner warn" role="status">
      <b>incomplete:</b> {warnings.join("; ")}
    </div>
  );
}

/** An error of a request, in the place of what was asked for. That nobody answers the frame says for all. */
export function Failure(props: { error: ApiError | undefined; what: string }) {
  const { error, what } = props;
  if (!error || error instanceof Unreachable) return null;
  return (
    <div class="banner bad" role="alert">
      <b>
        {what}: {error.title}
      </b>
      {error.status > 0 && <span class="muted"> ({error.status})</span>}
      {error.detail && <p>{error.detail}</p>}
      {error.hint && <p class="muted">Hint: {error.hint}</p>}
    </div>
  );
}

/** Nothing here, and what to do about it. */
export function Empty(props: { title: string; children?: ComponentChildren }) {
  return (
    <div class="empty" role="status">
      <h2>{props.title}</h2>
      {props.children}
    </div>
  );
}

export function Loading(props: { what: string }) {
  return (
    <div class="loading" role="status">
      {lostSince.value === null
        ? `Loading ${props.what} …`
        : `Waiting for the server to load ${props.what} …`}
    </div>
  );
}

/** In the place of data that is not there: the error, or that it is on its way. */
export function Pending(props: { error: ApiError | undefined; what: string; title: string }) {
  const { error } = props;
  const failed = error !== undefined && !(error instanceof Unreachable);
  return failed ? <Failure error={error} what={props.title} /> : <Loading what={props.what} />;
}
