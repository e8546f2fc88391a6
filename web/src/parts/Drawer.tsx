/** A panel at the right side: details of what is selected in the list beside it. */
import type { ComponentChildren } from "preact";
import { useKeys } from "../keys";
import { Icon } from "./Icon";

interface Props {
  readonly label: string;
  readonly title: ComponentChildren;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}

export function Drawer(props: Props) {
  useKeys("Details", [{ keys: "Escape", label: "Close the details", run: props.onClose }]);
  return (
    <aside class="drawer" aria-label={props.label}>
      <header>
        <div class="drawer-title">{props.title}</div>
        <button
          type="button"
          class="ghost icon-button"
          onClick={props.onClose}
          aria-label="Close the details"
          title="Close (Esc)"
        >
          <Icon name="close" size={16} />
        </button>
      </header>
      <div class="drawer-body">{props.children}</div>
    </aside>
  );
}
