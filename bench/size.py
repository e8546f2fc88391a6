"""DuckDB as the peer of `bench road` in size: writes the rows of Parquet files as one file of its own.

Arguments: JSON with `files`, and a folder to write to. On standard output: JSON with `bytes`, the
size of the file, and `rows`.
"""

import json
import os
import sys

import duckdb

files = json.loads(sys.argv[1])["files"]
target = os.path.join(sys.argv[2], "duckdb.parquet")
connection = duckdb.connect()
connection.execute("SET enable_progress_bar = false")  # it would be on standard output
connection.execute("SET preserve_insertion_order = true")
source = f"read_parquet({files!r}, hive_partitioning = false)"
# Values that are scaled are written as what they are: DuckDB is to find its own way.
named = [column[0] for column in connection.execute(f"DESCRIBE SELECT * FROM {source}").fetchall()]
columns = "*"
if "value_scaled" in named:
    value = "coalesce(value, (value_base + value_scaled * value_unit) / value_divisor)"
    columns = f"* EXCLUDE (value_scaled, value_base, value_unit, value_divisor) REPLACE ({value} AS value)"
connection.execute(f"COPY (SELECT {columns} FROM {source}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
rows = connection.execute(f"SELECT count(*) FROM read_parquet('{target}')").fetchone()[0]
json.dump({"bytes": os.path.getsize(target), "rows": rows}, sys.stdout)
