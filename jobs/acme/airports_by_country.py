"""Counts the airports of each country: a job in plain Python, which knows nothing of Dagster.

It is started with the path of the file to write, says what it does on stdout, and exits with 0.
The lines of JSON are events: with them its figures show up in the UI.
"""

from __future__ import annotations

import csv
import json
import os
import sys
import time
from collections import defaultdict
from pathlib import Path
from statistics import fmean

AIRPORTS = Path(__file__).parent / "data/airports.csv"


def main() -> None:
    """Writes one line a country to the file that the command line names."""
    started = time.monotonic()
    target = Path(sys.argv[1])
    airports, elevations = 0, defaultdict[str, list[float]](list)
    with AIRPORTS.open(newline="", encoding="utf-8") as file:
        for airport in csv.DictReader(file):
            elevations[airport["country"]].append(float(airport["elevation"]))
            airports += 1
    emit("metrics_extraction", records_extracted=airports, files_read=1)
    write(target, elevations)
    print(f"{airports} airports in {len(elevations)} countries -> {target}")
    emit(
        "metrics_writing",
        table=target.stem,
        row_count=len(elevations),
        columns=[
            {"name": "country", "type": "VARCHAR"},
            {"name": "airports", "type": "BIGINT"},
            {"name": "mean_elevation_ft", "type": "DOUBLE"},
        ],
        records_written=len(elevations),
        files_written=1,
        total_bytes=target.stat().st_size,
    )
    seconds = time.monotonic() - started
    emit(
        "metrics_complete",
        job_name=os.environ.get("ORCHESTRATE_JOB", "").rpartition("/")[2],
        tenant_id=os.environ.get("ORCHESTRATE_TENANT", ""),
        status="success",
        execution_time_seconds=round(seconds, 3),
        records_extracted=airports,
        records_valid=airports,
        records_invalid=0,
        files_written=1,
        total_bytes=target.stat().st_size,
        records_per_second=round(airports / seconds, 1),
    )


def write(target: Path, elevations: dict[str, list[float]]) -> None:
    """Writes the report beside its place and moves it there, so that nobody sees half of it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".part")
    with unfinished.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["country", "airports", "mean_elevation_ft"])
        for country, heights in sorted(elevations.items()):
            writer.writerow([country, len(heights), round(fmean(heights), 1)])
    unfinished.replace(target)


def emit(event_type: str, **fields: object) -> None:
    """Writes one event."""
    print(json.dumps({"event_type": event_type, **fields}))


if __name__ == "__main__":
    main()
