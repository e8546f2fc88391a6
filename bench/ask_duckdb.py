"""DuckDB as the peer of `bench lookup`: answers the questions that come line by line.

A line of standard input is JSON: `sql`, and `identity`, the column whose values name the rows. A
line of standard output is JSON: `ms` for executing the statement and fetching all its rows, and
`ids`. The first line is a greeting: by then the module is imported and the connection is open, so
that neither is counted.

The file must not be named like the module that it imports.
"""

import json
import sys
import time

import duckdb


def answer(connection, question):
    started = time.perf_counter()
    cursor = connection.execute(question["sql"])
    rows = cursor.fetchall()
    elapsed = time.perf_counter() - started
    column = [name for name, *_ in cursor.description].index(question["identity"])
    return {"ms": elapsed * 1000, "ids": sorted(text(row[column]) for row in rows)}


def text(value):
    return value.hex() if isinstance(value, bytes) else str(value)


def settings(connection):
    """What a patient user would set: footers are kept between statements, where that is a choice."""
    try:
        connection.execute("SET parquet_metadata_cache = true")
        return "parquet_metadata_cache"
    except duckdb.Error:
        return "defaults"


def tell(what):
    print(json.dumps(what), flush=True)


def main():
    connection = duckdb.connect()
    # It would be drawn between the answers.
    connection.execute("SET enable_progress_bar = false")
    threads = connection.execute("SELECT current_setting('threads')").fetchone()[0]
    tell({"version": duckdb.__version__, "threads": threads, "settings": settings(connection)})
    for line in sys.stdin:
        tell(answer(connection, json.loads(line)))


if __name__ == "__main__":
    main()
