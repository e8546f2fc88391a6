/** A dotted name that breaks behind its dots, not within a word. */
export function Name(props: { text: string }) {
  const parts = props.text.split(/(?<=[._/:-])/);
  return (
    <>
      {parts.map((part, index) => (
        // The parts of a name do not move
        <span key={index}>
          {index > 0 && <wbr />}
          {part}
        </span>
      ))}
    </>
  );
}
