//! The 507 series of one machine, as node_exporter names them, and how their values move.

/// A series of every machine.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    /// Name of the metric.
    pub(crate) name: &'static str,
    /// Its labels, besides those of the machine.
    pub(crate) labels: Vec<(&'static str, String)>,
    /// How it moves.
    pub(crate) moves: Moves,
}

/// How the values of a series move from scrape to scrape, in whole units: what is measured has a
/// resolution.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moves {
    /// Whether it only grows.
    pub(crate) counter: bool,
    /// A counter's growth in a scrape at most; how far a gauge goes in a scrape. 0: it stays.
    pub(crate) pace: u32,
    /// Where it begins at most, and what a gauge comes back to.
    pub(crate) level: u64,
    /// Units in one: 100 for hundredths.
    pub(crate) per_one: u32,
    /// Of one unit: 4096 for pages of memory.
    pub(crate) unit: u32,
}

const fn counter(pace: u32) -> Moves {
    Moves { counter: true, pace, level: pace as u64 * 100_000, per_one: 1, unit: 1 }
}
/// Seconds that are counted, in hundredths.
const fn seconds(pace: u32) -> Moves {
    Moves { per_one: 100, ..counter(pace) }
}
const fn gauge(level: u64, pace: u32) -> Moves {
    Moves { counter: false, pace, level, per_one: 1, unit: 1 }
}
/// Memory, in pages.
const fn pages(level: u64, pace: u32) -> Moves {
    Moves { unit: 4096, ..gauge(level, pace) }
}
/// Hundredths that go up and down.
const fn hundredths(level: u64, pace: u32) -> Moves {
    Moves { per_one: 100, ..gauge(level, pace) }
}

type Metric = (&'static str, Moves);

const MODES: [(&str, Moves); 8] = [
    ("idle", seconds(1400)),
    ("iowait", seconds(12)),
    ("irq", counter(0)),
    ("nice", seconds(1)),
    ("softirq", seconds(8)),
    ("steal", seconds(2)),
    ("system", seconds(90)),
    ("user", seconds(260)),
];
const SOFTNET: [Metric; 3] = [
    ("node_softnet_processed_total", counter(9_000)),
    ("node_softnet_dropped_total", counter(0)),
    ("node_softnet_times_squeezed_total", counter(2)),
];
const DISK: [Metric; 17] = [
    ("node_disk_discard_time_seconds_total", seconds(0)),
    ("node_disk_discarded_sectors_total", counter(0)),
    ("node_disk_discards_completed_total", counter(0)),
    ("node_disk_discards_merged_total", counter(0)),
    ("node_disk_flush_requests_time_seconds_total", seconds(30)),
    ("node_disk_flush_requests_total", counter(40)),
    ("node_disk_io_now", gauge(2, 2)),
    ("node_disk_io_time_seconds_total", seconds(300)),
    ("node_disk_io_time_weighted_seconds_total", seconds(900)),
    ("node_disk_read_bytes_total", Moves { unit: 512, ..counter(20_000) }),
    ("node_disk_read_time_seconds_total", seconds(200)),
    ("node_disk_reads_completed_total", counter(600)),
    ("node_disk_reads_merged_total", counter(30)),
    ("node_disk_write_time_seconds_total", seconds(800)),
    ("node_disk_writes_completed_total", counter(2_000)),
    ("node_disk_writes_merged_total", counter(900)),
    ("node_disk_written_bytes_total", Moves { unit: 512, ..counter(90_000) }),
];
const NETWORK: [Metric; 30] = [
    ("node_network_carrier", gauge(1, 0)),
    ("node_network_carrier_changes_total", counter(0)),
    ("node_network_carrier_down_changes_total", counter(0)),
    ("node_network_carrier_up_changes_total", counter(0)),
    ("node_network_device_id", gauge(0, 0)),
    ("node_network_dormant", gauge(0, 0)),
    ("node_network_flags", gauge(4099, 0)),
    ("node_network_iface_id", gauge(3, 0)),
    ("node_network_iface_link", gauge(3, 0)),
    ("node_network_mtu_bytes", gauge(1500, 0)),
    ("node_network_net_dev_group", gauge(0, 0)),
    ("node_network_receive_bytes_total", counter(9_000_000)),
    ("node_network_receive_compressed_total", counter(0)),
    ("node_network_receive_drop_total", counter(3)),
    ("node_network_receive_errs_total", counter(0)),
    ("node_network_receive_fifo_total", counter(0)),
    ("node_network_receive_frame_total", counter(0)),
    ("node_network_receive_multicast_total", counter(20)),
    ("node_network_receive_packets_total", counter(30_000)),
    ("node_network_speed_bytes", gauge(1_250_000_000, 0)),
    ("node_network_transmit_bytes_total", counter(7_000_000)),
    ("node_network_transmit_carrier_total", counter(0)),
    ("node_network_transmit_colls_total", counter(0)),
    ("node_network_transmit_compressed_total", counter(0)),
    ("node_network_transmit_drop_total", counter(0)),
    ("node_network_transmit_errs_total", counter(0)),
    ("node_network_transmit_fifo_total", counter(0)),
    ("node_network_transmit_packets_total", counter(28_000)),
    ("node_network_transmit_queue_length", gauge(1000, 0)),
    ("node_network_up", gauge(1, 0)),
];
const FILESYSTEM: [Metric; 7] = [
    ("node_filesystem_avail_bytes", pages(9_000_000, 3_000)),
    ("node_filesystem_device_error", gauge(0, 0)),
    ("node_filesystem_files", gauge(6_553_600, 0)),
    ("node_filesystem_files_free", gauge(6_000_000, 40)),
    ("node_filesystem_free_bytes", pages(9_500_000, 3_000)),
    ("node_filesystem_readonly", gauge(0, 0)),
    ("node_filesystem_size_bytes", pages(20_000_000, 0)),
];
/// How much of each there is, in pages, and how far it moves.
const MEMORY: [Metric; 48] = [
    ("node_memory_Active_anon_bytes", pages(900_000, 4_000)),
    ("node_memory_Active_bytes", pages(1_500_000, 6_000)),
    ("node_memory_Active_file_bytes", pages(600_000, 3_000)),
    ("node_memory_AnonHugePages_bytes", pages(120_000, 500)),
    ("node_memory_AnonPages_bytes", pages(850_000, 4_000)),
    ("node_memory_Bounce_bytes", pages(0, 0)),
    ("node_memory_Buffers_bytes", pages(90_000, 40)),
    ("node_memory_Cached_bytes", pages(1_600_000, 5_000)),
    ("node_memory_CommitLimit_bytes", pages(2_000_000, 0)),
    ("node_memory_Committed_AS_bytes", pages(1_900_000, 9_000)),
    ("node_memory_DirectMap1G_bytes", pages(3_000_000, 0)),
    ("node_memory_DirectMap2M_bytes", pages(1_100_000, 0)),
    ("node_memory_DirectMap4k_bytes", pages(80_000, 0)),
    ("node_memory_Dirty_bytes", pages(900, 300)),
    ("node_memory_FileHugePages_bytes", pages(0, 0)),
    ("node_memory_FilePmdMapped_bytes", pages(0, 0)),
    ("node_memory_HardwareCorrupted_bytes", pages(0, 0)),
    ("node_memory_HugePages_Free", gauge(0, 0)),
    ("node_memory_HugePages_Rsvd", gauge(0, 0)),
    ("node_memory_HugePages_Surp", gauge(0, 0)),
    ("node_memory_HugePages_Total", gauge(0, 0)),
    ("node_memory_Hugepagesize_bytes", pages(512, 0)),
    ("node_memory_Hugetlb_bytes", pages(0, 0)),
    ("node_memory_Inactive_anon_bytes", pages(60_000, 200)),
    ("node_memory_Inactive_bytes", pages(1_000_000, 3_000)),
    ("node_memory_Inactive_file_bytes", pages(940_000, 2_500)),
    ("node_memory_KReclaimable_bytes", pages(150_000, 90)),
    ("node_memory_KernelStack_bytes", pages(4_000, 20)),
    ("node_memory_Mapped_bytes", pages(200_000, 400)),
    ("node_memory_MemAvailable_bytes", pages(2_300_000, 7_000)),
    ("node_memory_MemFree_bytes", pages(500_000, 7_000)),
    ("node_memory_MemTotal_bytes", pages(4_100_000, 0)),
    ("node_memory_Mlocked_bytes", pages(0, 0)),
    ("node_memory_NFS_Unstable_bytes", pages(0, 0)),
    ("node_memory_PageTables_bytes", pages(9_000, 60)),
    ("node_memory_Percpu_bytes", pages(3_000, 0)),
    ("node_memory_SReclaimable_bytes", pages(150_000, 90)),
    ("node_memory_SUnreclaim_bytes", pages(40_000, 50)),
    ("node_memory_ShmemHugePages_bytes", pages(0, 0)),
    ("node_memory_ShmemPmdMapped_bytes", pages(0, 0)),
    ("node_memory_Shmem_bytes", pages(70_000, 100)),
    ("node_memory_Slab_bytes", pages(190_000, 130)),
    ("node_memory_SwapCached_bytes", pages(0, 0)),
    ("node_memory_SwapFree_bytes", pages(500_000, 0)),
    ("node_memory_SwapTotal_bytes", pages(500_000, 0)),
    ("node_memory_Unevictable_bytes", pages(20, 0)),
    ("node_memory_WritebackTmp_bytes", pages(0, 0)),
    ("node_memory_Writeback_bytes", pages(6, 8)),
];
const SINGLE: [Metric; 38] = [
    ("node_boot_time_seconds", gauge(1_700_000_000, 0)),
    ("node_context_switches_total", counter(90_000)),
    ("node_entropy_available_bits", gauge(256, 0)),
    ("node_entropy_pool_size_bits", gauge(256, 0)),
    ("node_filefd_allocated", gauge(9_000, 90)),
    ("node_filefd_maximum", gauge(9_000_000_000, 0)),
    ("node_forks_total", counter(120)),
    ("node_intr_total", counter(70_000)),
    ("node_load1", hundredths(240, 40)),
    ("node_load15", hundredths(220, 3)),
    ("node_load5", hundredths(230, 12)),
    ("node_netstat_Icmp_InErrors", counter(0)),
    ("node_netstat_Icmp_InMsgs", counter(2)),
    ("node_netstat_Icmp_OutMsgs", counter(2)),
    ("node_netstat_IpExt_InOctets", counter(9_000_000)),
    ("node_netstat_IpExt_OutOctets", counter(7_000_000)),
    ("node_netstat_Ip_Forwarding", gauge(1, 0)),
    ("node_netstat_TcpExt_ListenDrops", counter(0)),
    ("node_netstat_TcpExt_SyncookiesSent", counter(0)),
    ("node_netstat_Tcp_ActiveOpens", counter(200)),
    ("node_netstat_Tcp_CurrEstab", gauge(310, 12)),
    ("node_netstat_Tcp_InErrs", counter(0)),
    ("node_netstat_Tcp_InSegs", counter(30_000)),
    ("node_netstat_Tcp_OutSegs", counter(28_000)),
    ("node_netstat_Tcp_PassiveOpens", counter(220)),
    ("node_netstat_Tcp_RetransSegs", counter(15)),
    ("node_netstat_Udp_InDatagrams", counter(800)),
    ("node_netstat_Udp_OutDatagrams", counter(810)),
    ("node_procs_blocked", gauge(0, 2)),
    ("node_procs_running", gauge(3, 3)),
    ("node_sockstat_TCP_alloc", gauge(420, 12)),
    ("node_sockstat_TCP_inuse", gauge(330, 12)),
    ("node_sockstat_sockets_used", gauge(900, 14)),
    ("node_time_seconds", seconds(1_500)),
    ("node_vmstat_pgfault", counter(50_000)),
    ("node_vmstat_pgmajfault", counter(12)),
    ("node_vmstat_pgpgin", counter(10_000)),
    ("node_vmstat_pgpgout", counter(45_000)),
];

/// All series of a machine; those of a metric are together.
pub(crate) fn all() -> Vec<Series> {
    let cpus: Vec<String> = (0..16).map(|cpu| cpu.to_string()).collect();
    let mut all = Vec::new();
    for cpu in &cpus {
        all.extend(MODES.map(|(mode, moves)| {
            let labels = vec![("cpu", cpu.clone()), ("mode", mode.to_owned())];
            Series { name: "node_cpu_seconds_total", labels, moves }
        }));
    }
    for cpu in &cpus {
        all.extend(["nice", "user"].map(|mode| {
            let labels = vec![("cpu", cpu.clone()), ("mode", mode.to_owned())];
            Series { name: "node_cpu_guest_seconds_total", labels, moves: seconds(0) }
        }));
    }
    let mut each = |metrics: &[Metric], label: &'static str, values: &[&str]| {
        for (name, moves) in metrics {
            all.extend(values.iter().map(|value| Series {
                name,
                labels: vec![(label, (*value).to_owned())],
                moves: *moves,
            }));
        }
    };
    let cpus: Vec<&str> = cpus.iter().map(String::as_str).collect();
    each(&SOFTNET, "cpu", &cpus);
    each(&DISK, "device", &["nvme0n1", "nvme1n1", "sda"]);
    each(&NETWORK, "device", &["eth0", "eth1", "docker0", "lo"]);
    each(&FILESYSTEM, "mountpoint", &["/", "/boot", "/data", "/run", "/tmp", "/var"]);
    all.extend(MEMORY.iter().chain(&SINGLE).map(|(name, moves)| Series {
        name,
        labels: Vec::new(),
        moves: *moves,
    }));
    all
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn there_are_as_many_as_a_node_exporter_has() {
        let all = all();
        let different: HashSet<_> = all.iter().map(|series| (series.name, series.labels.clone())).collect();
        assert_eq!((all.len(), different.len()), (507, 507));
    }
}
