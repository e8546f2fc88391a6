/**
 * What the server remarks about answers.
 *
 * Must hold: a warning is always seen; records may be missing. Infos are hints about the query.
 */
interface Remarked {
  readonly letter: string;
  readonly warnings: readonly string[];
  readonly infos: readonly string[];
}

/** Each remark once, with the letters of the queries that it is about. */
export function gathered(of: readonly Remarked[], which: "warnings" | "infos"): string[] {
  const letters = new Map<string, Set<string>>();
  for (const remarked of of)
    for (const text of remarked[which])
      letters.set(text, (letters.get(text) ?? new Set()).add(remarked.letter));
  return [...letters].map(([text, about]) => {
    const names = [...about].filter(Boolean).sort().join(", ");
    return names ? `${names}: ${text}` : text;
  });
}

export function Remarks(props: { of: readonly Remarked[] }) {
  const warnings = gathered(props.of, "warnings");
  const infos = gathered(props.of, "infos");
  return (
    <>
      {warnings.length > 0 && (
        <div class="banner warn" role="status">
          <b>The answer may not be complete, or not what was meant:</b> {warnings.join("; ")}
        </div>
      )}
      {infos.length > 0 && (
        <div class="banner info" role="status">
          {infos.join("; ")}
        </div>
      )}
    </>
  );
}
