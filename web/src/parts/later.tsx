/**
 * A page that is loaded when it is asked for, so that the first one is there sooner.
 *
 * Must hold: a page of an older build that finds its file gone says so; it is never blank.
 */
import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Empty, Loading } from "./Notice";

export function later(load: () => Promise<ComponentType>): ComponentType {
  let known: ComponentType | undefined;
  return function Later() {
    const [state, setState] = useState<"loading" | "here" | "gone">(known ? "here" : "loading");
    useEffect(() => {
      if (state !== "loading") return;
      load().then(
        (page) => {
          known = page;
          setState("here");
        },
        () => setState("gone"),
      );
    }, [state]);
    if (known) {
      const Page = known;
      return <Page />;
    }
    if (state === "loading") return <Loading what="the page" />;
    return (
      <Empty title="The page could not be loaded">
        <p>The server may have been upgraded or is away.</p>
        <p>
          <button type="button" onClick={() => location.reload()}>
            Load it again
          </button>
        </p>
      </Empty>
    );
  };
}
