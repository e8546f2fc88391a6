/** All services of the time range, to choose one. */
import { api } from "../api/client";
import { range, rangeKey, resolve } from "../range/range";
import { useResource } from "../resource";

export function ServiceSelect(props: { value: string; onChange: (service: string) => void }) {
  const services = useResource(`services ${rangeKey.value}`, (signal) =>
    api.services(resolve(range.peek(), Date.now()), signal),
  );
  const names = [...(services.data?.services ?? [])].sort();
  // A link may name a service that sent nothing in this range.
  if (props.value && !names.includes(props.value)) names.unshift(props.value);
  return (
    <label class="field">
      <span>Service</span>
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        <option value="">all services</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
