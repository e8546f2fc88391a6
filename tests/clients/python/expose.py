"""Exposes metrics with prometheus_client, on a port that it prints, until its input ends."""

import sys

from prometheus_client import Counter, Enum, Gauge, Histogram, Info, Summary, start_http_server

orders = Counter("orders", "Orders so far.", ["code"])
orders.labels('a "b" \\ c\nd {e}, ü').inc(7, exemplar={"trace_id": "0af7651916cd43dd8448eb211c80319c"})
Gauge("temperature", "Outside.").set(-1.5)
latency = Histogram("latency_seconds", "Of a request.", buckets=[0.1, 1])
for value in (0.05, 0.5, 5):
    latency.observe(value)
size = Summary("size_bytes", "Of an answer.")
for value in (1, 3):
    size.observe(value)
Info("build", "What runs.").info({"version": "1.2.3"})
state = Enum("lift_state", "Where it is.", states=["up", "down"])
state.state("down")

server, _ = start_http_server(0, addr="127.0.0.1")
print(server.server_port, flush=True)
sys.stdin.read()
