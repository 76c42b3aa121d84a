"""The database of the Dagster instance: whether it can be used, and whether its tables are there.

Processes that create the tables at the same time get in each other's way, so the first one starts
alone. SQLite needs no more than a folder; PostgreSQL is asked before anything starts.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from orchestration.cli.errors import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import psycopg2

    from orchestration.domain.workspace import Settings

_SCHEME: Final = "postgresql://"
_CONNECT_SECONDS: Final = 10
_BEFORE_AT: Final = re.compile(r'"[^"]*@')
# The step with which Dagster's schedule storage, the last of three, completes its tables.
_LAST_STEP: Final = """
    SELECT 1 FROM secondary_indexes
    WHERE name = 'schedule_ticks_selector_id' AND migration_completed IS NOT NULL"""


def read_url(variable: str, environ: Mapping[str, str]) -> str:
    """The URL of the PostgreSQL database, from the environment variable that holds it.

    Raises:
        DatabaseError: the variable is not set, or holds something else.
    """
    url = environ.get(variable, "")
    if not url:
        raise DatabaseError(
            f"`postgres_url` refers to the environment variable {variable}, which is not set",
            help=f"set it to {_SCHEME}USER:PASSWORD@HOST/DATABASE",
        )
    if not url.startswith(_SCHEME):
        raise DatabaseError(
            f"the environment variable {variable} holds no URL that begins with `{_SCHEME}`",
            help=f"set it to {_SCHEME}USER:PASSWORD@HOST/DATABASE",
        )
    return url


def check_database(settings: Settings, environ: Mapping[str, str]) -> None:
    """Returns when the database that the settings name can be used; a file always can.

    Raises:
        DatabaseError: it does not answer, or what is needed to ask it is missing.
    """
    if settings.postgres_url is not None:
        has_postgres_tables(settings.postgres_url, environ)


def has_postgres_tables(variable: str, environ: Mapping[str, str]) -> bool:
    """Whether all tables of a Dagster instance are in the database that the variable names.

    Raises:
        DatabaseError: it does not answer, or what is needed to ask it is missing.
    """
    url = read_url(variable, environ)
    if not (find_spec("dagster_postgres") and find_spec("psycopg2")):
        raise DatabaseError(
            "`postgres_url` needs packages that are not installed",
            help="pip install 'orchestration[postgres]'",
        )
    import psycopg2
    import psycopg2.errors

    try:
        with (
            closing(psycopg2.connect(url, connect_timeout=_CONNECT_SECONDS)) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(_LAST_STEP)
            return cursor.fetchone() is not None
    except psycopg2.errors.UndefinedTable:
        return False
    except psycopg2.Error as error:
        raise DatabaseError(
            f"the PostgreSQL database in {variable} cannot be used: {_reason(error, url)}",
            help="start the server, or correct the variable; then try again",
        ) from error


def has_sqlite_tables(dagster_home: Path) -> bool:
    """Whether all tables of a Dagster instance are in the files below its home."""
    database = dagster_home / "schedules" / "schedules.db"
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as connection:
            return bool(connection.execute("SELECT 1 FROM alembic_version").fetchone())
    except sqlite3.Error:
        return False


def _reason(error: psycopg2.Error, url: str) -> str:
    """What the server says, in one line, without the password. What the driver says of a URL that
    it cannot read may quote any part of it; with an `@` in the password, its end counts as host.
    """
    if error.pgcode is None and "invalid" in str(error):
        return "it is no valid URL"
    reason = _BEFORE_AT.sub('"***@', " ".join(str(error).split()))
    userinfo = url.removeprefix(_SCHEME).rpartition("@")[0]
    password = userinfo.partition(":")[2]
    for secret in filter(None, (password, unquote(password))):
        reason = reason.replace(secret, "***")
    return reason
