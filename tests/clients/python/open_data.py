"""Reads the data directory with engines of others and prints what they find as JSON.

usage: open_data.py (duckdb|polars|delta|duckdb-values|polars-values|duckdb-tiers|polars-tiers) DATA_DIRECTORY

Of `delta` it may also be an address such as s3://bucket/prefix; the environment says how to get there.
"""

import json
import os
import struct
import sys
from pathlib import Path

engine, folder = sys.argv[1], Path(sys.argv[2])
TABLES = ("logs", "spans", "samples")


def files(table):
    return str(folder / "segments" / table / "tenant=*" / "day=*" / "*.parquet")


def with_duckdb():
    import duckdb

    db = duckdb.connect()
    counts = {table: db.execute(f"SELECT count(*) FROM '{files(table)}'").fetchone()[0] for table in TABLES}
    first = db.execute(
        f"""SELECT service_name, attributes['test.id'], hex(trace_id) IS NULL, tenant,
                   make_timestamp_ns(time_unix_nano) > TIMESTAMP '2020-01-01'
            FROM read_parquet('{files("logs")}', hive_partitioning = true)
            WHERE service_name = 'open' ORDER BY time_unix_nano LIMIT 1"""
    ).fetchone()
    nested = db.execute(f"SELECT sum(len(events)), sum(len(links)) FROM '{files('spans')}'").fetchone()
    return {"counts": counts, "first": first, "nested": nested}


def with_polars():
    import polars

    # A map is a list of key and value here.
    scan = {table: polars.scan_parquet(files(table), hive_partitioning=True) for table in TABLES}
    counts = {table: frame.select(polars.len()).collect().item() for table, frame in scan.items()}
    first = (
        scan["logs"]
        .filter(polars.col("service_name") == "open")
        .sort("time_unix_nano")
        .select("service_name", "severity_number", "body", "attributes", "tenant")
        .first()
        .collect()
        .to_dicts()[0]
    )
    return {"counts": counts, "first": first}


def with_delta():
    import deltalake

    counts, tenants = {}, {}
    for table in TABLES:
        delta = deltalake.DeltaTable(f"{sys.argv[2]}/segments/{table}")
        data = delta.to_pyarrow_table()
        counts[table] = data.num_rows
        tenants[table] = sorted(set(data.column("tenant").to_pylist()))
    return {"counts": counts, "tenants": tenants}


def bits(rows):
    """Times and the bits of their values, in order; how many values are scaled."""
    values = sorted((time, struct.pack(">d", value).hex()) for time, value, _ in rows)
    return {"values": values, "scaled": sum(scaled is not None for _, _, scaled in rows)}


# As docs/reference/schema.md says.
def values_with_duckdb():
    import duckdb

    return bits(
        duckdb.connect()
        .execute(
            f"""SELECT time_unix_nano,
                       coalesce(value, (value_base + value_scaled * value_unit) / value_divisor), value_scaled
                FROM read_parquet('{files("samples")}', union_by_name = true)"""
        )
        .fetchall()
    )


def values_with_polars():
    import polars

    c = polars.col
    value = polars.coalesce("value", (c("value_base") + c("value_scaled") * c("value_unit")) / c("value_divisor"))
    frame = polars.scan_parquet(files("samples")).with_columns(value=value)
    return bits(frame.select("time_unix_nano", "value", "value_scaled").collect().rows())


def hours_with_duckdb():
    import duckdb

    return (
        duckdb.connect()
        .execute(
            f"""SELECT metric_name, (time_unix_nano // 1000000 - 1) // 3600000 AS hour,
                       sum(count)::BIGINT, sum(sum) / sum(count), min(min), max(max)
                FROM read_parquet('{files("downsampled")}')
                WHERE resolution_ms = 3600000 GROUP BY ALL ORDER BY ALL"""
        )
        .fetchall()
    )


def hours_with_polars():
    import polars

    c = polars.col
    hour = (c("time_unix_nano") // 1_000_000 - 1) // 3_600_000
    frame = polars.scan_parquet(files("downsampled")).filter(resolution_ms=3_600_000)
    hours = frame.group_by("metric_name", hour.alias("hour")).agg(
        count=c("count").sum(), average=c("sum").sum() / c("count").sum(), min=c("min").min(), max=c("max").max()
    )
    return hours.sort("metric_name", "hour").collect().rows()


found = {
    "duckdb-tiers": hours_with_duckdb,
    "polars-tiers": hours_with_polars,
    "duckdb": with_duckdb,
    "polars": with_polars,
    "delta": with_delta,
    "duckdb-values": values_with_duckdb,
    "polars-values": values_with_polars,
}[engine]()
print(json.dumps(found, default=str), flush=True)
# Without the interpreter's teardown: threads of the engines that are still running then abort the
# process now and then, after the answer.
os._exit(0)
