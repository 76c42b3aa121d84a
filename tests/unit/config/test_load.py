from datetime import timedelta

import pytest

from orchestration.domain.problem import Location
from orchestration.domain.schedule import CronTrigger, IntervalTrigger, Schedule
from orchestration.domain.workspace import DevService, Settings, Tenant

FILES = {
    "jobs/acme/orders.yaml": "command: [python, orders.py]\n",
    "jobs/globex/users.yaml": "command: [python, users.py]\n",
    "jobs/initech/reports.yml": "command: [python, reports.py]\n",
}
RUNNER = """\
runner:
  orchestrator:
    schedules:
      - name: orders
        config: jobs/acme/orders.yaml
        cron: "@daily"
        timezone: Europe/Berlin
        max_concurrent_runs: 2
        tags: {cadence: "daily, at midnight"}
      - name: users
        config: /app/jobs/globex/users.yaml
        interval_seconds: 5400
        enabled: ${USERS:-false}
      - {name: reports, config: jobs/initech/../initech/reports.yml, cron: ["0 1 * * *", "0  1 * * *"]}
    concurrency_per_tenant: 2
    max_concurrent_runs: 10
  tenants:
    acme: {concurrency: 5, env: {REGION: "${REGION}"}}
    globex:
  state_directory: ../state
  dev:
    services: [{name: rest, command: [python, "${SERVER}"], working_directory: jobs}]
"""


def commands(workspace):
    return {job.id: job.task.command for job in workspace.jobs}


def errors(workspace):
    found = [problem for problem in workspace.problems if problem.is_error]
    return [(problem.code, str(problem.location)) for problem in found]


ALL = {
    "acme/orders": ("python", "orders.py"),
    "globex/users": ("python", "users.py"),
    "initech/reports": ("python", "reports.py"),
}


def test_a_workspace_has_the_jobs_schedules_and_settings_of_its_files(load, tmp_path):
    workspace = load({"runner.yaml": RUNNER, **FILES})
    root = workspace.root
    assert workspace.problems == ()
    assert commands(workspace) == ALL
    assert workspace.schedules == (
        Schedule(
            name="orders",
            job_id="acme/orders",
            trigger=CronTrigger(expressions=("0 0 * * *",), timezone="Europe/Berlin"),
            max_concurrent_runs=2,
            tags={"cadence": "daily, at midnight"},
            location=Location(file="runner.yaml", line=4, column=9),
        ),
        Schedule(
            name="users",
            job_id="globex/users",
            trigger=IntervalTrigger(interval=timedelta(minutes=90)),
            enabled=False,
            location=Location(file="runner.yaml", line=10, column=9),
        ),
        Schedule(
            name="reports",
            job_id="initech/reports",
            trigger=CronTrigger(expressions=("0 1 * * *",)),
            location=Location(file="runner.yaml", line=14, column=9),
        ),
    )
    assert workspace.settings == Settings(
        state_directory=root.parent / "state",
        concurrency_per_tenant=2,
        max_concurrent_runs=10,
        dev_services=(
            DevService(
                name="rest", command=("python", "${SERVER}"), working_directory=root / "jobs"
            ),
        ),
    )
    assert workspace.tenants == {
        "acme": Tenant(name="acme", concurrency=5, env={"REGION": "${REGION}"}),
        "globex": Tenant(name="globex", concurrency=2),
    }
    assert workspace.watched == (root / "runner.yaml", *(root / name for name in FILES))


def test_an_empty_runner_has_the_defaults(load):
    workspace = load({"runner.yaml": "runner:\n  orchestrator:\n    schedules:\n"})
    assert workspace.problems == ()
    assert workspace.settings == Settings(state_directory=workspace.root / ".orchestrate")


def test_data_hidden_files_and_other_files_are_no_jobs(load):
    others = ("data/x.yaml", "acme/data/x.yaml", ".x/y.yaml", "acme/.x.yaml", "acme/x.json")
    workspace = load({**FILES, **{f"jobs/{name}": "- not a job" for name in others}})
    assert commands(workspace) == ALL
    assert workspace.problems == ()


def test_a_job_file_elsewhere_is_a_job_when_a_schedule_names_it(load):
    schedule = "{name: x, config: pipelines/x.yaml, cron: '@hourly'}"
    runner = f"runner: {{orchestrator: {{schedules: [{schedule}]}}}}\n"
    job = "tenant_id: hooli\ncommand: [python, x.py]\n"
    workspace = load({"runner.yaml": runner, **FILES, "pipelines/x.yaml": job})
    assert commands(workspace) == {**ALL, "hooli/x": ("python", "x.py")}
    assert [schedule.job_id for schedule in workspace.schedules] == ["hooli/x"]


def test_only_the_files_that_a_run_needs_are_read(load):
    broken = {**FILES, "jobs/globex/users.yaml": "command: ["}
    runner = RUNNER.replace("interval_seconds: 5400", "cron: nonsense")
    workspace = load({"runner.yaml": runner, **broken}, only=["/workspace/jobs/acme/orders.yaml"])
    assert commands(workspace) == {"acme/orders": ("python", "orders.py")}
    assert [schedule.name for schedule in workspace.schedules] == ["orders"]
    assert workspace.problems == ()
    assert workspace.tenants["acme"].env == {"REGION": "${REGION}"}


def test_a_broken_file_is_a_visible_job_and_the_others_load(load):
    text = "tenant_id: acme\nname: orders\ntarget_connector: duckdb\nasset: all orders\ncommand: ["
    workspace = load({"runner.yaml": RUNNER, **FILES, "jobs/acme/orders.yaml": text})
    assert commands(workspace) == {key: ALL[key] for key in ("globex/users", "initech/reports")}
    (broken,) = workspace.broken_jobs
    assert broken.id == "acme/orders"
    assert broken.asset_key == ("acme", "duckdb", "all_orders")
    assert str(broken.location) == "jobs/acme/orders.yaml:6:1"
    assert [problem.code for problem in broken.problems] == ["ORC005"]
    assert [schedule.name for schedule in workspace.schedules] == ["users", "reports"]


def test_a_file_that_says_nothing_is_named_after_its_path(load):
    workspace = load({**FILES, "jobs/acme/orders.yaml": ""})
    (broken,) = workspace.broken_jobs
    assert (broken.id, broken.asset_key) == ("acme/orders", ("acme", "orders"))


def test_placeholders_never_share_a_name(load):
    copies = {f"jobs/acme/{n}.yaml": "name: orders\nasset: orders\ncommand: 5\n" for n in "abc"}
    workspace = load({**FILES, **copies})
    assert [job.id for job in workspace.broken_jobs] == [
        "acme/orders__2",
        "acme/orders__3",
        "acme/orders__4",
    ]
    assert len({job.asset_key for job in (*workspace.jobs, *workspace.broken_jobs)}) == 6
    assert commands(workspace) == ALL


def test_no_job_takes_the_asset_that_shows_the_errors_of_the_runner_file(load):
    folder = {"jobs/config/runner_yaml.yaml": "command: [python, x.py]\n"}
    case = {"jobs/CONFIG/runner_yaml.yaml": "asset: runner_yaml\ncommand: [python, y.py]\n"}
    workspace = load({**FILES, **folder, **case})
    assert [job.asset_key for job in workspace.broken_jobs] == [
        ("CONFIG", "runner_yaml__2"),
        ("config", "runner_yaml__3"),
    ]
    assert [(p.code, p.message) for p in workspace.problems] == [
        (
            "ORC207",
            "`CONFIG/runner_yaml` clashes with `config/runner_yaml` in `runner.yaml`",
        ),
        ("ORC108", "`config` cannot be a tenant: Dagster reserves this word"),
    ]
    assert commands(workspace) == ALL


def test_a_forgotten_rename_does_not_push_out_the_job_of_the_folders_own_tenant(load):
    copy = "tenant_id: globex\nname: users\ncommand: [python, other.py]\n"
    workspace = load({**FILES, "jobs/acme/a.yaml": copy})
    assert commands(workspace) == ALL
    assert errors(workspace) == [("ORC204", "jobs/acme/a.yaml:2:7")]


def test_a_forgotten_rename_does_not_push_out_the_job_that_was_there_before(load, kept):
    copy = "name: orders\ncommand: [python, other.py]\n"
    workspace = load({**FILES, "jobs/acme/a.yaml": copy}, last_good=kept(FILES))
    assert commands(workspace) == ALL
    assert errors(workspace) == [("ORC204", "jobs/acme/a.yaml:1:7")]


def test_a_job_that_is_broken_now_stays_as_it_was(load, kept):
    store = kept(FILES)
    workspace = load({**FILES, "jobs/acme/orders.yaml": "command: 5\n"}, last_good=store)
    assert commands(workspace) == ALL
    assert {job.id: job.stale for job in workspace.jobs} == {
        "acme/orders": True,
        "globex/users": False,
        "initech/reports": False,
    }
    assert [problem.code for problem in workspace.problems] == ["ORC208", "ORC102"]
    assert workspace.broken_jobs == ()
    assert store.texts == {"runner.yaml": "runner: {}\n", **FILES}


def test_what_loads_well_is_kept_and_what_is_gone_is_forgotten(load, kept):
    store = kept({**FILES, "jobs/acme/gone.yaml": "command: [x]\n"})
    changed = {**FILES, "jobs/acme/orders.yaml": "command: [python, new.py]\n"}
    load(changed, last_good=store)
    assert store.texts == {"runner.yaml": "runner: {}\n", **changed}


def test_a_run_worker_keeps_nothing(load, kept):
    store = kept()
    load(FILES, last_good=store, only=["/workspace/jobs/acme/orders.yaml"])
    assert store.texts == {}


class FullDisk:
    path = "/workspace/.orchestrate/last_good.json"

    def read(self, _):
        return None

    def write(self, _):
        raise OSError(28, "No space left on device")


def test_a_store_that_cannot_be_written_is_reported(load):
    workspace = load(FILES, last_good=FullDisk())
    assert [(problem.code, problem.message) for problem in workspace.problems] == [
        ("ORC210", "the last good version of the files could not be kept: no space left on device")
    ]
    assert commands(workspace) == ALL


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    concurrency_per_tenant: 2", "    concurrency_per_tenant: 0"),
        ("  tenants:", " tenants:"),
        ("runner:", "rnner:"),
    ],
)
def test_a_broken_runner_stays_as_it_was(load, kept, old, new):
    workspace = load(
        {"runner.yaml": RUNNER.replace(old, new), **FILES},
        last_good=kept({"runner.yaml": RUNNER}),
    )
    assert [schedule.name for schedule in workspace.schedules] == ["orders", "users", "reports"]
    assert workspace.settings.concurrency_per_tenant == 2
    assert "ORC208" in [problem.code for problem in workspace.problems]


def test_a_broken_runner_without_a_past_loads_what_is_right(load):
    runner = RUNNER.replace("  tenants:", "  retries: {in_run_seconds: 60}\n  tenants:")
    workspace = load({"runner.yaml": runner, **FILES})
    assert [schedule.name for schedule in workspace.schedules] == ["orders", "users", "reports"]
    assert workspace.settings.max_concurrent_runs == 10
    assert errors(workspace) == [("ORC104", "runner.yaml:17:3")]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('cron: "@daily"', "cron: daily"),
        ("config: jobs/acme/orders.yaml", "config: jobs/acme/order.yaml"),
        ("timezone: Europe/Berlin", "timezone: Berlin"),
        ("max_concurrent_runs: 2", "max_concurrent_runs: two"),
        ("tags: {cadence: ", "tags: {tenant: "),
        ('cron: "@daily"', "interval_seconds: 0.7"),
        ('cron: "@daily"', 'cron: ["@daily", "@reboot"]'),
        ('cron: "@daily"', "enabled: true"),
    ],
)
def test_a_broken_schedule_costs_only_itself_and_nothing_if_it_was_right_before(
    load, kept, old, new
):
    files = {"runner.yaml": RUNNER.replace(old, new), **FILES}
    workspace = load(files)
    assert [schedule.name for schedule in workspace.schedules] == ["users", "reports"]

    workspace = load(files, last_good=kept({"runner.yaml": RUNNER}))
    assert [schedule.name for schedule in workspace.schedules] == ["orders", "users", "reports"]
    assert workspace.schedules[0].trigger == CronTrigger(
        expressions=("0 0 * * *",), timezone="Europe/Berlin"
    )
    assert workspace.schedules[0].location == Location(file="runner.yaml", line=4, column=9)
    assert len(errors(workspace)) == 1


def entry(name, cron="@daily", file="jobs/acme/orders.yaml"):
    return f"      - {{name: {name}, config: {file}, cron: '{cron}'}}\n"


def runner_of(*entries, more="  tenants:\n    acme: {concurrency: 5}\n"):
    return f"runner:\n  orchestrator:\n    schedules:\n{''.join(entries)}{more}"


def crons(workspace):
    return {schedule.name: schedule.trigger.expressions[0] for schedule in workspace.schedules}


def test_what_worked_is_not_lost_while_several_errors_come_and_go(load, kept):
    store = kept()
    good = entry("s1", "0 1 * * *"), entry("s2", "0 2 * * *"), entry("s3", "0 3 * * *")
    served = {"s1": "0 1 * * *", "s2": "0 2 * * *", "s3": "0 3 * * *"}

    def served_now(*entries, **more):
        workspace = load({"runner.yaml": runner_of(*entries, **more), **FILES}, last_good=store)
        return crons(workspace), [p.message for p in workspace.problems if p.code == "ORC208"]

    part = "until the errors are corrected, the last good version of {} stays in force".format
    bad = entry("s1", "nonsense")
    wrong = "  tenants:\n    acme: {concurency: 5}\n"
    assert served_now(good[0]) == ({"s1": "0 1 * * *"}, [])
    assert served_now(bad, good[1]) == (
        {"s1": "0 1 * * *", "s2": "0 2 * * *"},
        [part("the schedule `s1`")],
    )
    assert served_now(bad, good[1], good[2]) == (served, [part("the schedule `s1`")])
    for _ in range(2):
        assert served_now(bad, good[1], more=wrong) == (served, [part("runner.yaml")])
    assert served_now(bad, entry("s2", "broken"), good[2]) == (
        served,
        [part("the schedule `s1`"), part("the schedule `s2`")],
    )
    assert served_now(entry("s1", "0 9 * * *"), good[2]) == (
        {"s1": "0 9 * * *", "s3": "0 3 * * *"},
        [],
    )
    assert set(store.texts) == {"runner.yaml", *FILES}


def test_a_last_good_schedule_keeps_its_place_and_never_doubles_a_good_one(load, kept):
    store = kept()
    good = [entry(name) for name in ("a", "b", "c")]
    load({"runner.yaml": runner_of(*good), **FILES}, last_good=store)
    broken = [good[0], entry("b", "x"), good[2], entry("a", "x")]
    workspace = load({"runner.yaml": runner_of(*broken), **FILES}, last_good=store)
    assert list(crons(workspace)) == ["a", "b", "c"]
    assert [schedule.location.line for schedule in workspace.schedules] == [4, 5, 6]


def test_a_last_good_schedule_serves_again_when_its_job_file_is_back(load, kept):
    store = kept()
    load({"runner.yaml": runner_of(entry("a")), **FILES}, last_good=store)
    broken = {"runner.yaml": runner_of(entry("a", "x")), **FILES}
    load(broken, last_good=store)
    without = {name: text for name, text in broken.items() if "orders" not in name}
    assert crons(load(without, last_good=store)) == {}
    assert crons(load(broken, last_good=store)) == {"a": "0 0 * * *"}


class Exploding:
    """A catalog with a fault, which is ours and not the file's."""

    def names(self, _):
        raise ZeroDivisionError("source_connector: hunter2")


def test_a_fault_of_ours_costs_one_file_and_quotes_nothing_of_it(load):
    connectors = "source_connector: shop\ntarget_connector: hunter2\n"
    workspace = load({**FILES, "jobs/acme/orders.yaml": connectors}, catalog=Exploding())
    (problem,) = workspace.problems
    assert problem.code == "ORC099"
    assert problem.message.startswith(
        "this file could not be judged: ZeroDivisionError in test_load.py:"
    )
    assert [job.id for job in workspace.broken_jobs] == ["acme/orders"]
    assert list(commands(workspace)) == ["globex/users", "initech/reports"]


def test_a_file_that_is_no_job_at_all_does_not_flood_the_list(load):
    words = "".join(f"word_{number}: {number}\n" for number in range(5000))
    workspace = load({**FILES, "jobs/acme/words.yaml": words})
    codes = [problem.code for problem in workspace.problems]
    assert codes == ["ORC022", *["ORC104"] * 300]
    assert commands(workspace) == ALL


def test_schedules_behind_hundreds_of_broken_ones_are_judged_all_the_same(load):
    broken = "".join(f"- {{name: s{n}, config: nowhere.yaml, cron: x}}\n" for n in range(400))
    right = "- {name: right, config: jobs/acme/orders.yaml, cron: '@daily'}\n"
    entries = (broken + right).replace("- ", "      - ")
    workspace = load(
        {"runner.yaml": f"runner:\n  orchestrator:\n    schedules:\n{entries}", **FILES}
    )
    assert [schedule.name for schedule in workspace.schedules] == ["right"]
    assert len(workspace.problems) == 301


def test_a_schedule_with_a_name_that_is_refused_or_taken_is_left_out(load):
    runner = RUNNER.replace("name: users", "name: orders").replace(
        "name: reports", "name: re-ports"
    )
    workspace = load({"runner.yaml": runner, **FILES})
    assert [(s.name, s.job_id) for s in workspace.schedules] == [("orders", "acme/orders")]
    assert [code for code, _ in errors(workspace)] == ["ORC203", "ORC108"]
