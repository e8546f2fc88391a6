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
connection.execute(f"COPY (SELECT * FROM {source}) TO '{target}' (FORMAT parquet, COMPRESSION zstd)")
rows = connection.execute(f"SELECT count(*) FROM read_parquet('{target}')").fetchone()[0]
json.dump({"bytes": os.path.getsize(target), "rows": rows}, sys.stdout)
