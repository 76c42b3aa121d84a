"""The database of the instance, asked before anything starts."""

import pytest
from dagster import DagsterInstance

from orchestration.cli.dev.database import check_database, has_postgres_tables
from orchestration.cli.errors import DatabaseError
from orchestration.defs.instance import render_instance
from orchestration.domain.workspace import Settings, Workspace


def settings(tmp_path):
    return Settings(state_directory=tmp_path, postgres_url="DATABASE_URL")


@pytest.mark.parametrize(
    ("environ", "reason", "help"),
    [
        (
            {},
            "`postgres_url` refers to the environment variable DATABASE_URL, which is not set",
            "set it to postgresql://USER:PASSWORD@HOST/DATABASE",
        ),
        (
            {"DATABASE_URL": "postgres://me:hush@localhost/x"},
            "the environment variable DATABASE_URL holds no URL that begins with `postgresql://`",
            "set it to postgresql://USER:PASSWORD@HOST/DATABASE",
        ),
        (
            {"DATABASE_URL": "postgresql://me:hu%sh@localhost/x"},
            "the PostgreSQL database in DATABASE_URL cannot be used: it is no valid URL",
            "start the server, or correct the variable; then try again",
        ),
        (  # the driver takes the end of the password for the beginning of the host
            {"DATABASE_URL": f"postgresql://me:hu@{'sh' * 40}@localhost/x"},
            (
                "the PostgreSQL database in DATABASE_URL cannot be used: could not translate host"
                ' name "***@localhost" to address: Name or service not known'
            ),
            "start the server, or correct the variable; then try again",
        ),
    ],
)
def test_a_variable_that_holds_no_database_is_an_error_that_does_not_show_it(
    tmp_path, environ, reason, help
):
    with pytest.raises(DatabaseError) as caught:
        check_database(settings(tmp_path), environ)

    assert (caught.value.reason, caught.value.help) == (reason, help)


@pytest.mark.parametrize("password", ["hush", "[hush"])
def test_a_server_that_does_not_answer_is_an_error_before_anything_starts(workspace, password):
    workspace.edit("runner.yaml", "runner:\n", "runner:\n  postgres_url: ${DATABASE_URL}\n")
    url = f"postgresql://me:{password}@127.0.0.1:1/x"

    done = workspace.run("up", "--port", "0", DATABASE_URL=url)

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        "error ORC640: the PostgreSQL database in DATABASE_URL cannot be used: connection to server"
    )
    assert "hush" not in done.err
    assert not (workspace.folder / ".orchestrate/dagster").exists()


def test_tables_are_there_once_dagster_has_made_them_all(tmp_path, postgres_url, monkeypatch):
    environ = {"DATABASE_URL": postgres_url()}
    before = has_postgres_tables("DATABASE_URL", environ)
    workspace = Workspace(
        root=tmp_path, runner_file=tmp_path / "runner.yaml", settings=settings(tmp_path)
    )
    text = render_instance(workspace, dagster_home=tmp_path, run_server=tmp_path / "socket")
    (tmp_path / "dagster.yaml").write_text(text)
    monkeypatch.setenv("DATABASE_URL", environ["DATABASE_URL"])

    with DagsterInstance.from_config(str(tmp_path)):
        after = has_postgres_tables("DATABASE_URL", environ)

    assert (before, after) == (False, True)
