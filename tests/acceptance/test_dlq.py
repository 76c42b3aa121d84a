"""`orchestrate dlq` on three tenants, whose jobs set records aside."""

import json
import re
import shutil
import subprocess
import sys

import duckdb
import pytest

JOB = """\
source_connector: jsonl
source: {{path: {tenant}.jsonl}}
target_connector: duckdb
target: {{path: warehouse/all.duckdb}}
asset: items
asset_path: assets/items.yaml
schema_validation_mode: warn
"""
REQUIRED = "fields: [{name: id, type: integer}, {name: size, type: integer, required: true}]\n"
OPTIONAL = "fields: [{name: id, type: integer}, {name: size, type: integer}]\n"
RECORDS = {
    "acme": '{"id": 1, "size": 1}\n{"id": 2}\n{"id": 3, "size": "x"}\n{"id"\n',
    "globex": '{"id": 11, "size": 1}\n{"id": 12}\n',
    "initech": '{"id": 21, "size": 1}\n',
}
REASON = "`size` is a string, not an integer"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Where the first test leaves a copy of what all of them begin with."""
    return tmp_path_factory.mktemp("prepared") / "etl"


@pytest.fixture
def items(workspace, prepared):
    """The jobs `items` of all tenants have run once, two of them with partial success."""
    if prepared.exists():
        shutil.copytree(prepared, workspace.folder, dirs_exist_ok=True)
        return workspace
    workspace.write("assets/items.yaml", REQUIRED)
    for tenant, records in RECORDS.items():
        workspace.write(f"{tenant}.jsonl", records)
        workspace.write(f"jobs/{tenant}/items.yaml", JOB.format(tenant=tenant))
    codes = [workspace.run("run", f"{tenant}/items").code for tenant in RECORDS]
    assert codes == [1, 1, 0]
    shutil.copytree(workspace.folder, prepared)
    return workspace


def rows(workspace, tenant):
    with duckdb.connect(str(workspace.folder / "warehouse/all.duckdb"), read_only=True) as database:
        return database.execute(f"SELECT id FROM {tenant}.items ORDER BY id").fetchall()


def letters(workspace, *arguments):
    return workspace.run("dlq", "list", "--format", "json", *arguments).json["letters"]


def test_people_see_where_each_letter_was_and_why(items):
    done = items.run("dlq", "list", "--job", "acme/items")
    table = re.sub(r"[0-9a-f]{12}|[0-9-]{10} [0-9:]{8} UTC", "...", done.out)
    assert (done.code, done.err) == (0, "")
    reasons = [line.rstrip().rpartition("  ")[2] for line in table.splitlines()]
    assert sorted(reasons) == [
        "`size` has no value",
        REASON,
        "no valid JSON: Expecting ':' delimiter (column 6)",
        "reason",
    ]
    assert "acme.jsonl:3" in table
    assert '"x"' not in table


def test_scripts_get_objects_without_records(items):
    done = items.run("dlq", "list", "--tenant", "globex", "--format", "json")
    (letter,) = done.json["letters"]
    assert done.json["total"] == 1
    for key in ("id", "first_seen", "last_seen", "run_id"):
        assert letter.pop(key)
    assert letter == {
        "job": "globex/items",
        "stage": "validate",
        "reason": "`size` has no value",
        "file": "globex.jsonl",
        "position": 2,
        "failures": 1,
        "attempt": 1,
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("arguments", "jobs"),
    [
        ((), ["acme/items"] * 3 + ["globex/items"]),
        (("--tenant", "acme"), ["acme/items"] * 3),
        (("--tenant", "initech"), []),
        (("--job", "jobs/globex/items.yaml"), ["globex/items"]),
        (("--stage", "read"), ["acme/items"]),
        (("--stage", "sink_write"), ["acme/items"] * 2 + ["globex/items"]),
        (("--run", "no such run"), []),
        (("--limit", "2"), None),
    ],
    ids=["all", "tenant", "none", "job", "stage", "other name of a stage", "run", "limit"],
)
def test_letters_are_chosen_by_options(items, arguments, jobs):
    found = sorted(letter["job"] for letter in letters(items, *arguments))
    assert len(found) == 2 if jobs is None else found == jobs


def test_one_letter_is_shown_with_its_record(items):
    (letter,) = [one for one in letters(items) if one["reason"] == REASON]
    shown = items.run("dlq", "show", letter["id"][:10])
    assert (shown.code, shown.err) == (0, "")
    head, _, record = shown.out.partition("\n\n")
    assert json.loads(record) == {"id": 3, "size": "x"}
    assert "position    acme.jsonl:3" in head
    assert re.search(r"^first seen  [0-9-]{10} [0-9:]{8} UTC$", head, re.MULTILINE)
    as_json = items.run("dlq", "show", letter["id"], "--format", "json").json
    assert as_json == {**letter, "record": {"id": 3, "size": "x"}}


def test_a_letter_that_is_not_there_is_said_so(items):
    done = items.run("dlq", "show", "ffffffffff", "--job", "globex/items")
    assert (done.code, done.out) == (2, "")
    assert done.err == (
        "error ORC672: no dead letter has an id that begins with `ffffffffff`\n"
        "   help: `orchestrate dlq list` shows them\n"
    )


def test_a_tenant_reaches_no_letters_but_its_own(items):
    (foreign,) = letters(items, "--tenant", "globex")
    assert items.run("dlq", "show", foreign["id"], "--tenant", "acme").code == 2
    items.write("assets/items.yaml", OPTIONAL)
    items.run("dlq", "replay", "--tenant", "acme")
    items.run("dlq", "drop", foreign["id"], "--tenant", "acme", "--yes")
    assert letters(items, "--tenant", "globex") == [foreign]
    assert (rows(items, "acme"), rows(items, "globex")) == ([(1,), (2,)], [(11,)])
    done = items.run("dlq", "list", "--tenant", "acme", "--job", "globex/items")
    assert done.err == (
        "error ORC671: the job `globex/items` is not of tenant `acme`\n"
        "   help: leave out `--tenant`, or name a job of that tenant\n"
    )


def test_what_the_mended_definition_allows_is_replayed(items):
    before = letters(items, "--tenant", "acme")
    items.write("assets/items.yaml", OPTIONAL)

    tried = items.run("dlq", "replay", "--dry-run")
    assert tried.out == (
        "acme/items: 1 of 3 dead letters would be loaded, 2 would go back\n"
        "globex/items: 1 of 1 dead letter would be loaded\n"
    )
    assert tried.code == 1
    assert letters(items, "--tenant", "acme") == before

    done = items.run("dlq", "replay", "--format", "json")
    assert (done.code, done.err) == (1, "")
    counts = [[row[key] for key in ("job", "letters", "loaded", "returned")] for row in done.json]
    assert counts == [["acme/items", 3, 1, 2], ["globex/items", 1, 1, 0]]
    assert (rows(items, "acme"), rows(items, "globex")) == ([(1,), (2,)], [(11,), (12,)])
    assert [letter["failures"] for letter in letters(items)] == [2, 2]
    assert items.run("dlq", "replay", "--job", "globex/items").out == (
        "There are no dead letters to replay.\n"
    )
    assert items.run("run", "globex/items").code == 0


def test_what_is_outdated_goes_and_what_was_cut_off_stays_and_both_are_told(items):
    items.edit("jobs/acme/items.yaml", "source: {path: acme", "source: {primary_key: id, path: a*")
    items.edit("jobs/acme/items.yaml", "warehouse/all", "warehouse/keyed")
    items.run("run", "acme/items")
    items.write(
        "acme2.jsonl", '{"id": 3, "note": "newer"}\n{"id": 4, "note": "%s"}\n' % ("x" * 300_000)
    )
    items.run("run", "acme/items")
    items.write("assets/items.yaml", OPTIONAL)

    tried = items.run("dlq", "replay", "--job", "acme/items", "--dry-run")
    assert tried.out == (
        "acme/items: 2 of 4 dead letters would be loaded, "
        "1 would be dropped as outdated (a newer record has the key), 1 would go back, "
        "1 cannot be replayed (cut off at 256 KiB)\n"
    )
    assert tried.code == 1
    items.run("dlq", "drop", "--stage", "read", "--job", "acme/items", "--yes")
    done = items.run("dlq", "replay", "--job", "acme/items", "--format", "json")
    counts = ("letters", "loaded", "duplicates", "outdated", "returned", "cut_off")
    assert [done.json[0][name] for name in counts] == [3, 2, 0, 1, 0, 1]
    assert done.code == 1
    again = items.run("dlq", "replay", "--job", "acme/items")
    assert (again.code, again.out) == (
        1,
        "acme/items: 0 of 0 dead letters loaded, 1 cannot be replayed (cut off at 256 KiB)\n",
    )


def test_a_replay_that_fails_leaves_the_letters_where_they_are(items):
    items.edit("jobs/acme/items.yaml", "source: {path", "source: {primary_key: id, path")
    done = items.run("dlq", "replay", "--tenant", "acme")
    assert (done.code, done.out) == (2, "acme/items: nothing was changed\n")
    assert "error ORC613: the job loaded `acme.items` in another way: " in done.err
    assert len(letters(items, "--tenant", "acme")) == 3


def test_letters_are_dropped_when_somebody_confirms_it(items):
    asked = items.run("dlq", "drop", "--tenant", "acme")
    assert (asked.code, asked.out) == (2, "")
    assert asked.err == (
        "error ORC674: nobody is there to confirm that 3 dead letters of acme/items may be "
        "deleted\n   help: add --yes, or --dry-run to see first what would be deleted\n"
    )
    tried = items.run("dlq", "drop", "--stage", "read", "--dry-run")
    assert (tried.code, tried.out) == (0, "acme/items: 1 dead letter would be dropped\n")
    assert len(letters(items)) == 4
    done = items.run("dlq", "drop", "--tenant", "acme", "--yes")
    assert (done.code, done.out) == (0, "acme/items: 3 dead letters dropped\n")
    assert [letter["job"] for letter in letters(items)] == ["globex/items"]
    assert items.run("run", "acme/items").code == 0


@pytest.mark.parametrize("command", [("replay",), ("drop", "--yes")])
def test_one_letter_may_be_meant(items, command):
    (letter,) = letters(items, "--tenant", "globex")
    items.write("assets/items.yaml", OPTIONAL)
    unknown = items.run("dlq", *command, "xyz")
    assert (unknown.code, unknown.err.partition(":")[0]) == (2, "error ORC672")
    assert items.run("dlq", *command, letter["id"][:12]).code == 0
    assert {one["job"] for one in letters(items)} == {"acme/items"}


@pytest.mark.parametrize(
    "arguments",
    [
        ("drop", "", "--yes"),
        ("drop", " ", "--job", "acme/items", "--yes"),
        ("drop", "--run", "", "--yes"),
        ("drop", "--job", "", "--yes"),
        ("replay", ""),
        ("replay", "--tenant", ""),
        ("show", ""),
        ("list", "--run", ""),
    ],
    ids=" ".join,
)
def test_what_is_empty_does_not_mean_all(items, arguments):
    done = items.run("dlq", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(": it is empty, and would mean all\n")
    assert len(letters(items)) == 4


@pytest.mark.parametrize(
    "arguments",
    [("--yes",), ("--dry-run",), ("--limit", "1", "--yes"), ("--all", "--tenant", "acme", "--yes")],
    ids=" ".join,
)
def test_who_drops_says_of_which_or_that_all_are_meant(items, arguments):
    done = items.run("dlq", "drop", *arguments)
    assert (done.code, done.out) == (2, "")
    assert done.err.endswith(
        "say which: LETTER, --job, --tenant, --run or --stage; or else --all\n"
    )
    assert len(letters(items)) == 4


def test_all_are_dropped_when_it_is_said(items):
    assert items.run("dlq", "drop", "--all", "--yes").out == (
        "acme/items: 3 dead letters dropped\nglobex/items: 1 dead letter dropped\n"
    )
    assert letters(items) == []
    assert items.run("dlq", "list").out == "There are no dead letters.\n"


def test_no_secret_of_the_source_is_needed_to_look_at_letters(items):
    secret = 'env: {FILE: "${NOWHERE}", PLACE: "${STORE}"}\nsource'
    items.edit("jobs/acme/items.yaml", "source: {path: acme.jsonl}", secret + ': {path: "${FILE}"}')
    items.edit("jobs/acme/items.yaml", "warehouse/all.duckdb", '"${PLACE}.duckdb"')
    done = items.run(
        "dlq", "list", "--job", "acme/items", "--format", "json", STORE="warehouse/all"
    )
    assert (done.code, done.err, done.json["total"]) == (0, "", 3)
    (letter,) = [one for one in done.json["letters"] if one["reason"] == REASON]
    here = ("--job", "acme/items")
    assert items.run("dlq", "show", letter["id"], *here, STORE="warehouse/all").code == 0
    dropped = items.run("dlq", "drop", letter["id"], *here, "--yes", STORE="warehouse/all")
    assert dropped.out == "acme/items: 1 dead letter dropped\n"


def test_a_command_job_has_no_letters(workspace):
    done = workspace.run("dlq", "list", "--job", "acme/orders")
    assert done.code == 2
    assert done.err.startswith(
        "jobs/acme/orders.yaml:1:1: error ORC670: `acme/orders` is a command job and has no dead "
        "letters\n"
    )


def test_a_target_that_cannot_be_read_hides_no_other(items):
    items.edit("jobs/acme/items.yaml", "warehouse/all.duckdb", '"${NOWHERE}"')
    done = items.run("dlq", "list", "--format", "json")
    assert done.code == 2
    assert [letter["job"] for letter in done.json["letters"]] == ["globex/items"]
    assert "error ORC603: job `acme/items` needs a variable that has no value" in done.err


def test_a_target_that_cannot_be_read_keeps_nobody_from_the_letters_of_another(items):
    (letter,) = letters(items, "--tenant", "globex")
    items.edit("jobs/acme/items.yaml", "warehouse/all.duckdb", '"${NOWHERE}"')
    shown = items.run("dlq", "show", letter["id"], "--format", "json")
    assert (shown.code, shown.json["job"]) == (0, "globex/items")
    dropped = items.run("dlq", "drop", "--all", "--yes")
    assert (dropped.code, dropped.out) == (2, "globex/items: 1 dead letter dropped\n")
    for done in (shown, dropped):
        assert done.err.startswith("acme/items: jobs/acme/items.yaml:1:1: error ORC603: ")


@pytest.mark.parametrize(
    "command", [("list",), ("replay", "--dry-run"), ("drop", "--all", "--dry-run")]
)
def test_the_letters_of_a_broken_job_are_not_silently_left_out(items, command):
    items.edit("jobs/acme/items.yaml", "asset:", "aset:")
    done = items.run("dlq", *command)
    assert done.code == 2
    assert done.err == "acme/items: its file has errors, so dead letters of it are out of reach\n"
    assert "globex/items" in done.out


def test_looking_at_letters_needs_no_dlt(items):
    program = (
        "import sys; from orchestration.cli.boundary import run_cli; "
        "code = run_cli(['dlq', 'list', '--format', 'json']); "
        "print(code, sorted({'dlt', 'dagster'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=items.folder,
        env=items.environ,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == "0 []\n"
