"""A command job as a user writes one: loads the files that are new, remembers the last one.

Its sink is idempotent by the key of its rows.
"""

import csv
import os
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

source, sink = Path(sys.argv[1]), Path(sys.argv[2])
current = Path(os.environ["ORCHESTRATE_CHECKPOINT"])
last = current.read_text() if current.exists() else ""
try:
    with closing(sqlite3.connect(sink)) as connection, connection:
        connection.execute("create table if not exists things (id integer primary key, tenant)")
        for path in sorted(source.glob("*.csv")):
            if path.name > last:
                with path.open(newline="") as file:
                    rows = [(row["id"], row["tenant"]) for row in csv.DictReader(file)]
                connection.executemany("insert or replace into things values (?, ?)", rows)
                last = path.name
    Path(os.environ["ORCHESTRATE_CHECKPOINT_NEXT"]).write_text(last)
except (OSError, RuntimeError, sqlite3.Error) as error:
    sys.stderr.write(f"{type(error).__name__}: {error}\n")
    sys.exit(2)
