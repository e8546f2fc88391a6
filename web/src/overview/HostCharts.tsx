/** The host: processor, memory, disk, network. */
import { useMemo } from "preact/hooks";
import { bytes, withUnit } from "../format";
import { location, setParams } from "../router";
import { busyModes, combineBy, hostsOf, type NamedSeries, ofHost, ordered, physical } from "./reduce";
import { SmallChart } from "./SmallChart";
import { useMetric } from "./useMetric";

const percent = (value: number): string => withUnit(value, "1", true);
const byteRate = (value: number): string => withUnit(value, "By/s");

/** From the ground up: what is taken, then what is lent, then what is free. */
const MEMORY_ORDER = ["used", "slab", "buffers", "cached", "free"];
const MEMORY_COLORS = { used: "--c0", slab: "--c8", buffers: "--c2", cached: "--c1", free: "--free" };
const DISK_COLORS = { read: "--c1", write: "--c3" };
const NETWORK_COLORS = { receive: "--c4", transmit: "--c2" };
const NOT_MEASURED = "Not measured in this range.";

/** The host's metrics, reduced to the lines that are drawn. */
function useHost() {
  // Named labels: without them an answer leaves out what all its series share, such as the only host.
  const cpu = useMetric("system.cpu.utilization", ["host.name", "cpu.mode", "cpu.logical_number"]);
  const memory = useMetric("system.memory.usage", ["host.name", "system.memory.state"]);
  const filesystem = useMetric("system.filesystem.utilization", [
    "host.name",
    "system.filesystem.mountpoint",
  ]);
  const disk = useMetric("system.disk.io", ["host.name", "disk.io.direction"]);
  const network = useMetric("system.network.io", [
    "host.name",
    "network.interface.name",
    "network.io.direction",
  ]);
  const hosts = useMemo(() => hostsOf(cpu.data?.answer.series ?? []), [cpu.data]);
  const host = location.value.params.get("host") ?? hosts[0] ?? null;
  const lines = useMemo(() => {
    const of = (metric: typeof cpu) => ofHost(metric.data?.answer.series ?? [], host);
    return {
      cpu: busyModes(of(cpu)),
      memory: ordered(combineBy(of(memory), "system.memory.state", "sum"), MEMORY_ORDER),
      filesystem: combineBy(of(filesystem), "system.filesystem.mountpoint", "mean"),
      disk: combineBy(of(disk), "disk.io.direction", "sum"),
      network: combineBy(physical(of(network)), "network.io.direction", "sum"),
    };
  }, [host, cpu.data, memory.data, filesystem.data, disk.data, network.data]);
  return { hosts, host, lines, cpu, memory, filesystem, disk, network };
}

/** Which host the charts show; a choice only where there is one. */
function HostLine(props: { hosts: readonly string[]; host: string | null }) {
  const { hosts, host } = props;
  return (
    <div class="section-line">
      <h2>Host</h2>
      {hosts.length > 1 ? (
        <select
          aria-label="Host"
          value={host ?? ""}
          onChange={(event) => setParams({ host: event.currentTarget.value })}
        >
          {hosts.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </select>
      ) : (
        <span class="muted">{host}</span>
      )}
    </div>
  );
}

export function HostCharts() {
  const { hosts, host, lines, cpu, memory, filesystem, disk, network } = useHost();
  const chart = (name: string, data: typeof cpu, series: readonly NamedSeries[]) => ({
    ...{ name, title: name, none: NOT_MEASURED, data, series },
  });
  return (
    <>
      <HostLine hosts={hosts} host={host} />
      <div class="grid host">
        <SmallChart
          {...chart("Processor", cpu, lines.cpu)}
          kind={lines.cpu.length > 1 ? "stack" : "area"}
          format={percent}
          top={1}
        />
        <SmallChart
          {...chart("Memory", memory, lines.memory)}
          kind="stack"
          format={bytes}
          colors={MEMORY_COLORS}
          binary
        />
        <SmallChart
          {...chart("Network", network, lines.network)}
          kind="line"
          format={byteRate}
          colors={NETWORK_COLORS}
          binary
        />
        <SmallChart
          {...chart("Disk", disk, lines.disk)}
          kind="line"
          format={byteRate}
          colors={DISK_COLORS}
          binary
        />
        <SmallChart
          {...chart("File systems", filesystem, lines.filesystem)}
          kind="line"
          format={percent}
          top={1}
        />
      </div>
    </>
  );
}
