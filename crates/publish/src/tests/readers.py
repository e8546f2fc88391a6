"""Reads published tables as other engines do; prints what they see as JSON."""

import json
import sys
from pathlib import Path

import deltalake
import duckdb
import polars

segments = Path(sys.argv[1])
seen = {}
for root in sorted(segments.iterdir()):
    table = deltalake.DeltaTable(str(root))
    time = "start_time_unix_nano" if root.name == "spans" else "time_unix_nano"
    dataset = table.to_pyarrow_dataset()
    arrow = dataset.to_table()
    rows = arrow.num_rows
    lazy = polars.scan_delta(str(root))
    database = duckdb.connect()
    database.register("published", dataset)
    by_tenant = "SELECT tenant, CAST(day AS VARCHAR), count(*), min({0}), max({0}) FROM {1} GROUP BY 1, 2 ORDER BY 1, 2"
    uris = table.file_uris()
    files = "read_parquet($files, hive_partitioning = true)"
    seen[root.name] = {
        "version": table.version(),
        "columns": arrow.schema.names,
        "files": len(uris),
        "rows": {
            "pyarrow": rows,
            "polars": lazy.select(polars.len()).collect().item(),
            "polars one tenant": lazy.filter(polars.col("tenant") == "team-b").collect().height,
            "duckdb over delta": database.execute("SELECT count(*) FROM published").fetchone()[0],
            "add actions": sum(polars.DataFrame(table.get_add_actions(flatten=True))["num_records"], 0),
        },
        "groups over delta": database.execute(by_tenant.format(time, "published")).fetchall(),
        "groups over files": database.execute(by_tenant.format(time, files), {"files": uris}).fetchall()
        if uris
        else [],
        "first": next(iter(arrow.sort_by([("tenant", "ascending"), (time, "ascending")]).slice(1, 1).to_pylist()), None),
        "history": [commit["operation"] for commit in table.history()],
    }

json.dump(seen, sys.stdout, default=lambda value: value.hex() if isinstance(value, bytes) else str(value))
