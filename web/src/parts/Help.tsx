/** The keys, as `?` shows them. */
import { useLayoutEffect, useRef } from "preact/hooks";
import { groups } from "../keys";

export function Help(props: { onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useLayoutEffect(() => {
    dialog.current?.showModal();
  }, []);
  return (
    <dialog ref={dialog} class="help" aria-label="Keys" onClose={props.onClose}>
      <header>
        <h2>Keys</h2>
        <button type="button" class="ghost" onClick={() => dialog.current?.close()}>
          Close
        </button>
      </header>
      <div class="help-groups">
        {groups.value.map((group) => (
          <section key={group.title}>
            <h3>{group.title}</h3>
            <dl>
              {group.bindings.map((binding) => (
                <div key={binding.keys}>
                  <dt>
                    {binding.keys.split(" ").map((key) => (
                      <kbd key={key}>{key}</kbd>
                    ))}
                  </dt>
                  <dd>{binding.label}</dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
        <section>
          <h3>Charts</h3>
          <dl>
            <div>
              <dt>drag</dt>
              <dd>Set the time range</dd>
            </div>
            <div>
              <dt>double click</dt>
              <dd>Twice as wide</dd>
            </div>
            <div>
              <dt>back</dt>
              <dd>The range before</dd>
            </div>
          </dl>
        </section>
      </div>
    </dialog>
  );
}
