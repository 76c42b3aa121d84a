"""`orchestrate schedule` on folders of files, and beside a running `orchestrate dev`."""

import fcntl
import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from orchestration.cli.schedule.edits import read_runner_text, write
from orchestration.cli.schedule.errors import FileChangedError

ORCHESTRATE = str(Path(sys.executable).with_name("orchestrate"))
RUNNER = """\
# The schedules of three tenants.
runner:
  orchestrator:
    schedules:
      # Each year, for the books.
      - name: acme_yearly
        config: jobs/acme/orders.yaml
        cron: "0 0 1 1 *"   # midnight
        tags: {cadence: yearly}

      - name: globex_yearly
        config: jobs/globex/orders.yaml
        cron: "30 6 1 1 *"
        timezone: Asia/Tokyo
        enabled: false  # until the contract is signed

      - name: initech_after
        config: jobs/initech/orders.yaml
        after_completion_seconds: 600
  tenants:
    acme: {concurrency: 3}
"""
NEW_YEAR = datetime.now(UTC).year + 1
DOWN = "nothing is up for this workspace; start `orchestrate dev` or `orchestrate up`"
STOP = """
mutation($id: String!) { stopRunningSchedule(id: $id) { __typename } }"""
FIND = """{ schedulesOrError(repositorySelector: {
  repositoryName: "__repository__", repositoryLocationName: "orchestration"
}) { ... on Schedules { results { name id } } } }"""


@pytest.fixture
def files(workspace):
    workspace.write("runner.yaml", RUNNER)
    return workspace


@pytest.fixture
def runner_text(files):
    return (files.folder / "runner.yaml").read_text


def rows(files, *arguments):
    done = files.run("schedule", "list", "--format", "json", *arguments)
    assert (done.code, done.err) == (0, "")
    return done.json


def names(files, *arguments):
    return [row["name"] for row in rows(files, *arguments)]


def test_scripts_get_exactly_these_keys_of_every_schedule(files):
    assert rows(files, "--next", "2") == [
        {
            "name": "acme_yearly",
            "job": "acme/orders",
            "tenant": "acme",
            "enabled": True,
            "running": False,
            "trigger": "0 0 1 1 * (UTC)",
            "timezone": "UTC",
            "next": [f"{NEW_YEAR}-01-01T00:00:00+00:00", f"{NEW_YEAR + 1}-01-01T00:00:00+00:00"],
            "tags": {"cadence": "yearly"},
            "problems": [DOWN],
        },
        {
            "name": "globex_yearly",
            "job": "globex/orders",
            "tenant": "globex",
            "enabled": False,
            "running": False,
            "trigger": "30 6 1 1 * (Asia/Tokyo)",
            "timezone": "Asia/Tokyo",
            "next": [],
            "tags": {},
            "problems": ["disabled: `enabled: false` in runner.yaml:15", DOWN],
        },
        {
            "name": "initech_after",
            "job": "initech/orders",
            "tenant": "initech",
            "enabled": True,
            "running": False,
            "trigger": "10m after each run",
            "timezone": None,
            "next": [],
            "tags": {},
            "problems": [DOWN],
        },
    ]


def test_yaml_says_the_same_as_json(files):
    done = files.run("schedule", "list", "--format", "yaml")

    assert yaml.safe_load(done.out) == rows(files)


def test_people_get_a_table_and_below_it_why_something_will_not_run(files):
    files.edit("runner.yaml", "enabled: false", "enabled: true")
    files.edit("runner.yaml", "600", "600\n        enabled: false")

    done = files.run("schedule", "list", "--next", "2")

    assert (done.code, done.err) == (0, "")
    assert [line.rstrip() for line in done.out.splitlines()] == [
        "NAME           JOB             SCHEDULE                 NEXT RUN                 STATUS",
        (
            "acme_yearly    acme/orders     0 0 1 1 * (UTC)"
            f"          {NEW_YEAR}-01-01 00:00:00 UTC  not running"
        ),
        f"                                                        {NEW_YEAR + 1}-01-01 00:00:00 UTC",
        (
            "globex_yearly  globex/orders   30 6 1 1 * (Asia/Tokyo)"
            f"  {NEW_YEAR}-01-01 06:30:00 JST  not running"
        ),
        f"                                                        {NEW_YEAR + 1}-01-01 06:30:00 JST",
        "initech_after  initech/orders  10m after each run       -                        disabled",
        "",
        "initech_after: disabled: `enabled: false` in runner.yaml:20",
        DOWN,
    ]


def test_broken_schedules_and_those_of_broken_jobs_do_not_vanish(files):
    files.edit("runner.yaml", '"0 0 1 1 *"', '"0 0 31 2 *"')
    files.edit("jobs/initech/orders.yaml", "command:", "comand:")

    done = files.run("schedule", "list")
    acme, globex, initech = rows(files)

    assert [(row["name"], row["job"]) for row in (acme, globex, initech)] == [
        ("acme_yearly", "acme/orders"),
        ("globex_yearly", "globex/orders"),
        ("initech_after", "initech/orders"),
    ]
    assert acme["problems"] == [
        (
            "its entry is broken: `0 0 31 2 *` never fires: the date does not exist"
            " (runner.yaml:8:15, ORC401)"
        )
    ]
    [problem] = initech["problems"]
    assert problem.startswith(
        "its job `initech/orders` is broken: unknown key `comand` in a job file"
        " (jobs/initech/orders.yaml:3:1, ORC104"
    )
    assert [line.split()[-1] for line in done.out.splitlines()[1:4]] == [
        "broken",
        "disabled",
        "broken",
    ]


def test_a_runner_file_that_is_no_yaml_is_an_error_and_not_an_empty_list(files):
    files.write("runner.yaml", RUNNER.replace("tags: {cadence", "tags: {{cadence"))

    done = files.run("schedule", "list")

    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        "error ORC627: runner.yaml has errors, so its schedules are not known:\nrunner.yaml:"
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (["--active-only"], ["acme_yearly", "initech_after"]),
        (["--tenant", "globex"], ["globex_yearly"]),
        (["--filter", "yearly"], ["acme_yearly", "globex_yearly"]),
        (["--filter", "name=*_yearly", "--active-only"], ["acme_yearly"]),
        (["--filter", "tag:cadence=yearly"], ["acme_yearly"]),
        (["--filter", "job=initech/orders"], ["initech_after"]),
        (["--filter", "yearly", "--filter", "tenant=g*"], ["globex_yearly"]),
    ],
)
def test_filters_choose(files, arguments, found):
    assert names(files, *arguments) == found


def test_a_bad_filter_is_refused_with_the_forms(files):
    done = files.run("schedule", "list", "--filter", "cadence=yearly")

    assert (done.code, done.out, done.err) == (
        2,
        "",
        (
            "error ORC631: `cadence=yearly` is not a filter\n"
            "   help: write `name=GLOB`, `job=TENANT/NAME`, `tenant=NAME`, `tag:KEY=VALUE` or a part"
            " of the name; values may hold `*` and `?`, and several terms must all hold\n"
        ),
    )


def test_a_list_that_is_empty_says_so(files):
    assert files.run("schedule", "list", "--filter", "umbrella").out == "There are no schedules.\n"


def test_looking_writes_nothing(files):
    files.run("schedule", "list")
    files.run("schedule", "preview", "acme_yearly")

    assert not (files.folder / ".orchestrate").exists()


# -- preview


@pytest.fixture
def berlin(files):
    files.edit(
        "runner.yaml", '"0 0 1 1 *"   # midnight', '"30 2 * * *"\n        timezone: Europe/Berlin'
    )
    return files


def preview(files, *arguments):
    return files.run("schedule", "preview", *arguments)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-28", "2026-03-30"),
        ("2026-03-28T02:30", "2026-03-30T02:30"),
        ("2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"),
    ],
)
def test_scripts_get_the_instants_from_inclusive_to_exclusive(berlin, start, end):
    arguments = ("acme_yearly", "--from", start, "--to", end, "--format")

    as_json, as_yaml = (preview(berlin, *arguments, style) for style in ("json", "yaml"))

    assert as_json.out == json.dumps(as_json.json, indent=2) + "\n"
    assert as_json.json == ["2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00"]
    assert yaml.safe_load(as_yaml.out) == as_json.json


def test_no_ticks_are_an_empty_list(berlin):
    arguments = ("acme_yearly", "--from", "2026-03-28", "--to", "2026-03-28", "--format")

    assert preview(berlin, *arguments, "json").out == "[]\n"
    assert preview(berlin, *arguments, "yaml").out == "[]\n"


def test_the_window_bounds_the_ticks_and_a_disabled_schedule_has_them_too(files):
    window = "start: 2026-01-01\n        end: 2027-01-01T06:31"
    files.edit("runner.yaml", "enabled: false", f"{window}\n        enabled: false")

    done = preview(
        files, "globex_yearly", "--from", "2020-01-01", "--to", "2030-01-01", "--format", "json"
    )

    assert done.json == ["2026-01-01T06:30:00+09:00", "2027-01-01T06:30:00+09:00"]


def test_an_interval_is_previewed_on_its_grid(files):
    files.edit("runner.yaml", "after_completion_seconds: 600", "interval_seconds: 100000")

    done = preview(
        files, "initech_after", "--from", "1970-01-01", "--to", "1970-01-03", "--format", "json"
    )

    assert done.json == ["1970-01-01T00:00:00+00:00", "1970-01-02T03:46:40+00:00"]


def test_what_waits_for_something_has_no_ticks_and_says_for_what(files):
    done = preview(files, "initech_after")

    assert (done.code, done.out, done.err) == (
        2,
        "",
        (
            "error ORC633: `initech_after` has no ticks: it waits until a run of `initech/orders` has"
            " ended, and fires 10m later\n"
            "   help: `orchestrate schedule list` shows whether it is active\n"
        ),
    )


def test_an_unknown_schedule_is_refused_with_a_suggestion(files):
    for command in ("preview", "enable", "disable", "remove"):
        done = files.run("schedule", command, "acme_yearl")

        assert (done.code, done.out, done.err) == (
            2,
            "",
            (
                "error ORC630: there is no schedule `acme_yearl` in runner.yaml\n"
                "   help: did you mean `acme_yearly`? `orchestrate schedule list` shows all\n"
            ),
        )


def test_a_broken_schedule_is_refused_with_its_errors(files):
    files.edit("runner.yaml", '"0 0 1 1 *"', '"0 0 31 2 *"')
    files.edit("jobs/globex/orders.yaml", "command:", "comand:")

    entry, job = preview(files, "acme_yearly"), preview(files, "globex_yearly")

    assert (entry.code, job.code) == (2, 2)
    assert entry.err.startswith(
        "error ORC637: the schedule `acme_yearly` or its job is broken:\n"
        "runner.yaml:8:15: error ORC401: `0 0 31 2 *` never fires"
    )
    assert "\njobs/globex/orders.yaml:3:1: error ORC104: unknown key `comand`" in job.err


def test_an_instant_that_cannot_be_read_is_refused(files):
    done = preview(files, "acme_yearly", "--from", "tomorrow")

    assert (done.code, done.err.splitlines()[0]) == (
        2,
        "error ORC632: `--from tomorrow` is no instant",
    )


# -- enable, disable


def test_disable_edits_the_file_and_keeps_all_else(files, runner_text):
    done = files.run("schedule", "disable", "acme_yearly", "initech_after")

    acme, globex, initech = rows(files)
    assert (done.code, done.err) == (0, "")
    assert [acme["enabled"], globex["enabled"], initech["enabled"]] == [False, False, False]
    lines = runner_text().splitlines()
    assert [line for line in lines if "enabled: false" not in line] == [
        line for line in RUNNER.splitlines() if "enabled: false" not in line
    ]
    at = [i + 1 for i, line in enumerate(lines) if "enabled: false" in line]
    assert done.out == (
        f"runner.yaml:{at[0]}: `acme_yearly` disabled, `enabled: false`\n"
        f"runner.yaml:{at[2]}: `initech_after` disabled, `enabled: false`\n"
        "Nothing is up for this workspace; it counts from the next start.\n"
    )


def test_enable_changes_one_word(files, runner_text):
    done = files.run("schedule", "enable", "globex_yearly")

    assert runner_text() == RUNNER.replace("enabled: false  # until", "enabled: true  # until")
    assert (done.code, done.out) == (
        0,
        (
            "runner.yaml:15: `globex_yearly` enabled, `enabled: true`\n"
            "Nothing is up for this workspace; it counts from the next start.\n"
        ),
    )


def test_what_is_so_already_is_said_and_left(files, runner_text):
    enable = files.run("schedule", "enable", "acme_yearly")
    disable = files.run("schedule", "disable", "globex_yearly")

    assert (enable.code, enable.out) == (0, "runner.yaml:6: `acme_yearly` is enabled already\n")
    assert (disable.code, disable.out) == (
        0,
        "runner.yaml:15: `globex_yearly` is disabled already\n",
    )
    assert runner_text() == RUNNER


def test_of_several_names_an_unknown_one_changes_nothing(files, runner_text):
    assert files.run("schedule", "disable", "acme_yearly", "acme_hourly").code == 2
    assert runner_text() == RUNNER


def test_a_schedule_can_be_disabled_while_others_are_broken(files, runner_text):
    files.edit("runner.yaml", '"30 6 1 1 *"', '"0 0 31 2 *"')

    assert files.run("schedule", "disable", "acme_yearly").code == 0
    assert [row["enabled"] for row in rows(files)] == [False, False, True]


def test_a_dry_run_shows_the_difference_and_writes_nothing(files, runner_text):
    done = files.run("schedule", "enable", "globex_yearly", "--dry-run")

    assert (done.code, done.out) == (
        0,
        (
            "--- runner.yaml\n"
            "+++ runner.yaml (new)\n"
            "@@ -12,7 +12,7 @@\n"
            "         config: jobs/globex/orders.yaml\n"
            '         cron: "30 6 1 1 *"\n'
            "         timezone: Asia/Tokyo\n"
            "-        enabled: false  # until the contract is signed\n"
            "+        enabled: true  # until the contract is signed\n"
            " \n"
            "       - name: initech_after\n"
            "         config: jobs/initech/orders.yaml\n"
        ),
    )
    assert runner_text() == RUNNER


def test_of_two_commands_at_once_the_second_sees_what_the_first_has_written(files, runner_text):
    before = read_runner_text(files.folder / "runner.yaml")
    lock = os.open(files.folder, os.O_RDONLY)
    with ThreadPoolExecutor() as threads:
        fcntl.flock(lock, fcntl.LOCK_EX)  # as the first, which is about to write
        second = threads.submit(write, before, RUNNER + "# second\n")
        with pytest.raises(TimeoutError):
            second.result(timeout=0.3)
        before.file.write_text(RUNNER + "# first\n")
        os.close(lock)

    assert isinstance(second.exception(), FileChangedError)
    assert runner_text() == RUNNER + "# first\n"


def test_a_file_that_somebody_else_has_changed_meanwhile_is_not_overwritten(files, runner_text):
    file = files.folder / "runner.yaml"
    before = read_runner_text(file)
    file.write_text(RUNNER + "# theirs\n")

    with pytest.raises(FileChangedError) as caught:
        write(before, RUNNER + "# ours\n")

    assert str(caught.value) == (
        f"error ORC638: `{file}` was changed meanwhile, so nothing was written\n"
        "   help: look at the change, and repeat the command"
    )
    assert runner_text() == RUNNER + "# theirs\n"


def test_windows_line_ends_stay(files):
    file = files.folder / "runner.yaml"
    file.write_bytes(RUNNER.replace("\n", "\r\n").encode())

    assert files.run("schedule", "enable", "globex_yearly").code == 0

    changed = RUNNER.replace("enabled: false", "enabled: true")
    assert file.read_bytes() == changed.replace("\n", "\r\n").encode()


def test_the_shell_completes_names(files):
    done = files.run(
        _ORCHESTRATE_COMPLETE="bash_complete",
        COMP_WORDS="orchestrate schedule disable gl",
        COMP_CWORD="3",
    )

    assert done.out == "plain,globex_yearly\n"


# -- add, remove


def add(files, *arguments):
    return files.run("schedule", "add", *arguments)


def test_a_schedule_is_added_with_all_that_was_said(files, runner_text):
    done = add(
        files,
        *("--pipeline", "globex/orders", "--name", "globex_nightly"),
        *("--cron", "0 2 * * *", "--cron", "0 14 * * *", "--timezone", "Europe/Berlin"),
        *("--start", "2026-01-01", "--end", "2099-01-01", "--concurrency", "2"),
        "--skip-if-running",
    )

    assert (done.code, done.err) == (0, "")
    [line] = [i + 1 for i, x in enumerate(runner_text().splitlines()) if "globex_nightly" in x]
    first, sentence, effect = done.out.splitlines()
    assert (first, effect) == (
        f"runner.yaml:{line}: `globex_nightly` added",
        "Nothing is up for this workspace; it counts from the next start.",
    )
    assert sentence.startswith(
        "Runs `globex/orders` at `0 2 * * *` and at `0 14 * * *` (Europe/Berlin); only from 20"
    )
    entries = yaml.safe_load(runner_text())["runner"]["orchestrator"]["schedules"]
    added = next(entry for entry in entries if entry["name"] == "globex_nightly")
    assert {key: str(value) if "2" in str(value) else value for key, value in added.items()} == {
        "name": "globex_nightly",
        "config": "jobs/globex/orders.yaml",
        "cron": "['0 2 * * *', '0 14 * * *']",
        "timezone": "Europe/Berlin",
        "start": "2026-01-01",
        "end": "2099-01-01",
        "overlap": "skip",
        "max_concurrent_runs": "2",
    }
    assert all(line in runner_text().splitlines() for line in RUNNER.splitlines())
    assert files.run("validate").out == "3 jobs, 4 schedules, 3 tenants: no problems\n"


@pytest.mark.parametrize(
    ("arguments", "trigger"),
    [
        (["--interval-seconds", "5400"], "every 1h30m (UTC grid)"),
        (["--after-completion-seconds", "60"], "1m after each run"),
        (["--continuous"], "continuous, 5s apart"),
        (["--once", "2026-06"], "once, generation 2026-06"),
        (["--on-asset", "globex/orders"], "on update of globex/orders"),
    ],
)
def test_every_trigger_can_be_added(files, arguments, trigger):
    done = add(files, "--job", "jobs/initech/orders.yaml", *arguments)

    *_, row = rows(files)
    assert (done.code, row["name"], row["trigger"]) == (0, "initech_orders", trigger)


def test_a_name_that_is_taken_gets_a_number(files):
    for _ in range(3):
        assert add(files, "--job", "acme/orders", "--cron", "0 5 * * *").code == 0

    assert names(files)[3:] == ["acme_orders", "acme_orders_2", "acme_orders_3"]


def test_a_schedule_that_would_be_broken_is_refused_and_nothing_is_written(files, runner_text):
    done = add(files, "--job", "acme/orders", "--cron", "*/90 * * * *")
    taken = add(files, "--job", "acme/orders", "--name", "globex_yearly", "--cron", "0 5 * * *")

    assert (done.code, done.out, taken.code) == (2, "", 2)
    assert done.err.startswith(
        "error ORC635: the schedule `acme_orders` would be broken, so nothing was written:\n"
        "runner.yaml:"
    )
    assert "error ORC401: the step `/90` is beyond the minute field" in done.err
    assert done.err.endswith(
        "\n   help: correct what the lines above name, and repeat the command\n"
    )
    assert runner_text() == RUNNER


def test_a_job_that_is_broken_or_not_there_gets_no_schedule(files, runner_text):
    files.edit("jobs/acme/orders.yaml", "command:", "comand:")

    broken = add(files, "--job", "acme/orders", "--cron", "0 5 * * *")
    unknown = add(files, "--job", "globex/order", "--cron", "0 5 * * *")
    missing = add(files, "--job", "jobs/globex/order.yaml", "--cron", "0 5 * * *")

    assert (broken.code, unknown.code, missing.code) == (2, 2, 2)
    assert broken.err.startswith("error ORC635: the schedule `acme_orders` would be broken")
    assert unknown.err == (
        "error ORC601: there is no job `globex/order`\n"
        "   help: did you mean `globex/orders`? `orchestrate list jobs` shows all\n"
    )
    assert "jobs/globex/order.yaml" in missing.err
    assert runner_text() == RUNNER


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--vars", "A=1"], "`--vars` cannot be set for the schedule of `acme/orders`"),
        (["--max-retries", "3"], "`--max-retries` cannot be set for the schedule"),
        (["--notify-on-failure", "https://x"], "`--notify-on-failure` cannot be set"),
    ],
)
def test_what_is_set_elsewhere_is_not_ignored(files, runner_text, arguments, error):
    done = add(files, "--job", "acme/orders", "--cron", "0 5 * * *", *arguments)

    assert (done.code, done.err.startswith(f"error ORC634: {error}")) == (2, True)
    assert runner_text() == RUNNER


def test_a_new_schedule_can_be_looked_at_first(files, runner_text):
    done = add(files, "--job", "acme/orders", "--cron", "0 5 * * *", "--dry-run")

    added = [line[1:] for line in done.out.splitlines() if re.match(r"\+(?!\+)", line)]
    assert done.code == 0
    assert [entry for entry in map(str.strip, added) if entry] == [
        "- name: acme_orders",
        "config: jobs/acme/orders.yaml",
        'cron: "0 5 * * *"',
    ]
    assert runner_text() == RUNNER


def test_remove_takes_the_entry_and_leaves_the_rest(files, runner_text):
    done = files.run("schedule", "remove", "globex_yearly", "--yes")

    assert (done.code, done.out) == (0, "runner.yaml:11: `globex_yearly` removed\n")
    assert names(files) == ["acme_yearly", "initech_after"]
    assert set(runner_text().splitlines()) <= set(RUNNER.splitlines())
    assert "# Each year, for the books." in runner_text()


@pytest.mark.parametrize(
    ("answer", "code", "said", "left"),
    [
        ("y", 0, "runner.yaml:6: `acme_yearly` removed", ["globex_yearly", "initech_after"]),
        ("n", 1, "Nothing was removed.", ["acme_yearly", "globex_yearly", "initech_after"]),
    ],
)
def test_on_a_terminal_somebody_is_asked(files, answer, code, said, left):
    ours, theirs = os.openpty()
    os.write(ours, f"{answer}\n".encode())

    done = subprocess.run(
        [ORCHESTRATE, "schedule", "remove", "acme_yearly"],
        cwd=files.folder,
        env=files.environ,
        stdin=theirs,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    os.close(ours)
    os.close(theirs)
    assert (done.returncode, done.stdout) == (
        code,
        f"Remove `acme_yearly` from runner.yaml? [y/N]: {said}\n",
    )
    assert names(files) == left


def test_a_name_is_made_of_what_names_may_hold(files):
    files.write(
        "jobs/globex/us-prices.v2.yaml",
        "name: prices\nasset: prices\ncommand: [echo]\n",
    )

    assert add(files, "--job", "jobs/globex/us-prices.v2.yaml", "--once", "1").code == 0
    assert names(files)[-1] == "globex_us_prices_v2"


def test_nothing_is_removed_without_a_yes(files, runner_text):
    done = files.run("schedule", "remove", "acme_yearly", "globex_yearly")

    assert (done.code, done.err) == (
        2,
        (
            "error ORC636: nobody is there to confirm that `acme_yearly`, `globex_yearly` may be"
            " removed\n   help: add --yes, or --dry-run to see the change first\n"
        ),
    )
    assert runner_text() == RUNNER


# -- beside a running instance


def ask(url, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(
        f"{url}/graphql", data=body, headers={"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)["data"]
    except urllib.error.HTTPError as error:
        pytest.fail(error.read().decode())


@pytest.mark.xdist_group("system")
def test_a_running_instance_says_what_is_switched_on(files, start, eventually):
    environ = {"ORCHESTRATE_RUNNER": str(files.folder / "runner.yaml")}
    until = "Press Ctrl-C to stop everything."
    process, log = start("dev", "--port", "0", until=until, seconds=120, **environ)
    [url] = re.findall(r"http://localhost:\d+", log.read_text())

    def states():
        return [(row["name"], row["running"], row["problems"]) for row in rows(files)]

    disabled = "disabled: `enabled: false` in runner.yaml:15"
    assert states() == [
        ("acme_yearly", True, []),
        ("globex_yearly", False, [disabled]),
        ("initech_after", True, []),
    ]

    found = ask(url, FIND)["schedulesOrError"]["results"]
    [acme] = [schedule["id"] for schedule in found if schedule["name"] == "acme_yearly"]
    ask(url, STOP, id=acme)
    assert states()[0] == ("acme_yearly", False, [f"paused by hand in the UI at {url}"])
    assert names(files, "--active-only") == ["initech_after"]

    done = files.run("schedule", "enable", "globex_yearly")
    assert done.out.splitlines()[1] == (
        f"It is in force as soon as {url} has loaded the file, which is watched."
    )
    eventually(lambda: states()[1] == ("globex_yearly", True, []), seconds=30)

    done = files.run("schedule", "disable", "globex_yearly")
    assert done.out.splitlines()[1] == f"It is in force at the next tick; {url} is up."
    process.terminate()
    assert process.wait(timeout=30) in (0, 143)
    assert states()[0] == ("acme_yearly", False, [DOWN])
