/** Service, severity, text, trace and attributes: everything that narrows the list. */
import { useSignal } from "@preact/signals";
import type { LogFilter } from "../api/client";
import { Icon } from "../parts/Icon";
import { ServiceSelect } from "../parts/ServiceSelect";
import { TextField } from "../parts/TextField";
import { setParams } from "../router";
import { typedFilter } from "./filter";
import { SEVERITY_FLOORS } from "./severity";

export function LogFilterBar(props: { filter: LogFilter }) {
  const { filter } = props;
  const attributes = filter.attributes ?? [];
  return (
    <div class="filters" role="search" aria-label="Filter logs">
      <ServiceSelect
        value={filter.service ?? ""}
        onChange={(service) => setParams({ service: service || null })}
      />
      <label class="field">
        <span>Severity</span>
        <select
          value={String(filter.severityMin ?? "")}
          onChange={(event) => setParams({ severity: event.currentTarget.value || null })}
        >
          <option value="">any</option>
          {SEVERITY_FLOORS.map(([label, floor]) => (
            <option key={floor} value={String(floor)}>
              {label}
            </option>
          ))}
        </select>
      </label>
      <TextField
        class="grow"
        label="Text"
        search
        eager
        placeholder="contained in the message  ( / )"
        value={filter.text ?? ""}
        onCommit={(text) => setParams({ q: text || null })}
      />
      <AddFilter attributes={attributes} />
      <div class="chips">
        {filter.traceId && (
          <Chip
            label={`trace ${filter.traceId}`}
            onRemove={() => setParams({ trace_id: null, span_id: null })}
          />
        )}
        {attributes.map((pair) => (
          <Chip
            key={pair}
            label={pair}
            onRemove={() => setParams({ attr: attributes.filter((other) => other !== pair) })}
          />
        ))}
      </div>
    </div>
  );
}

function AddFilter(props: { attributes: readonly string[] }) {
  const invalid = useSignal(false);
  const generation = useSignal(0);
  return (
    <TextField
      key={generation.value}
      label="Attribute or trace"
      placeholder="key:value or trace id"
      value=""
      invalid={invalid.value}
      onCommit={(text) => {
        const changes = text === "" ? {} : typedFilter(text, props.attributes);
        invalid.value = changes === null;
        if (!changes || text === "") return;
        setParams(changes);
        // A new, empty field for the next one.
        generation.value += 1;
      }}
    />
  );
}

export function Chip(props: { label: string; onRemove: () => void }) {
  return (
    <span class="chip">
      <span class="chip-text">{props.label}</span>
      <button
        type="button"
        class="ghost"
        aria-label={`Remove the filter ${props.label}`}
        onClick={props.onRemove}
      >
        <Icon name="close" size={12} />
      </button>
    </span>
  );
}
