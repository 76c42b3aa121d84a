"""What is said of each schedule, and why it will not run. Three tenants, a schedule each at least."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.cli.holds import NO_HOLDS, Holds
from orchestration.cli.schedule.entries import read_entries
from orchestration.cli.schedule.live import Live, Switch
from orchestration.cli.schedule.survey import Reason, Status, Survey
from orchestration.config import EMPTY_CATALOG, LastGood, load_workspace
from orchestration.config.files import Memory
from orchestration.defs.ledger import BreakerRow
from orchestration.domain.breaker import BreakerState

ROOT = Path("/srv/etl")
RUNNER = ROOT / "runner.yaml"
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
URL = "http://localhost:3000"
TENANTS = ("acme", "globex", "initech")
TEXT = """\
runner:
  orchestrator:
    schedules:
      - name: acme_orders
        config: jobs/acme/orders.yaml
        cron: "30 2 * * *"
        timezone: Europe/Berlin
        tags: {cadence: daily}
      - name: globex_orders
        config: jobs/globex/orders.yaml
        interval_seconds: 3600
      - name: initech_orders
        config: jobs/initech/orders.yaml
        cron: "0 4 * * *"
"""
DOWN = "nothing is up for this workspace; start `orchestrate dev` or `orchestrate up`"


class Store(LastGood):
    """Last good versions that are never written."""

    def __init__(self, texts):
        super().__init__(ROOT / "none")
        self.texts = texts

    def read(self, file):
        return self.texts.get(file)

    def write(self, texts):
        pass


def look(text=TEXT, *, live=None, count=1, kept=None, now=NOW, holds=NO_HOLDS, **jobs):
    """The states of the schedules in `text`; `jobs` are texts of job files in place of right ones."""
    files = {
        f"{ROOT}/jobs/{tenant}/orders.yaml": jobs.get(tenant, "command: [load]\n").encode()
        for tenant in TENANTS
    }
    workspace = load_workspace(
        RUNNER,
        environ={"ZONE": "Asia/Tokyo"},
        catalog=EMPTY_CATALOG,
        last_good=Store(kept or {}),
        files=Memory({**files, str(RUNNER): text.encode()}),
    )
    entries, _ = read_entries(text.encode(), RUNNER, {"ZONE": "Asia/Tokyo"})
    return Survey(workspace, entries, live, holds=holds, now=now, count=count).look()


def up(**switches):
    on = {f"{tenant}_orders": Switch(is_on=True, by_hand=False) for tenant in TENANTS}
    return Live(url=URL, switches={**on, **switches})


def texts(state):
    return [reason.text for reason in state.reasons]


def summary(states):
    return [(state.name, state.status, state.running, texts(state)) for state in states]


def test_the_ticks_are_in_the_zone_of_each_schedule():
    states = look(count=2, live=up())

    assert [(s.job, s.trigger, s.timezone, [t.isoformat() for t in s.next]) for s in states] == [
        (
            "acme/orders",
            "30 2 * * * (Europe/Berlin)",
            "Europe/Berlin",
            ["2026-06-02T02:30:00+02:00", "2026-06-03T02:30:00+02:00"],
        ),
        (
            "globex/orders",
            "every 1h (UTC grid)",
            "UTC",
            ["2026-06-01T13:00:00+00:00", "2026-06-01T14:00:00+00:00"],
        ),
        (
            "initech/orders",
            "0 4 * * * (UTC)",
            "UTC",
            ["2026-06-02T04:00:00+00:00", "2026-06-03T04:00:00+00:00"],
        ),
    ]
    assert summary(states) == [(f"{tenant}_orders", Status.ACTIVE, True, []) for tenant in TENANTS]


def test_without_an_instance_all_say_so_and_still_show_their_ticks():
    states = look()

    assert summary(states) == [
        (f"{tenant}_orders", Status.DOWN, False, [DOWN]) for tenant in TENANTS
    ]
    assert [len(state.next) for state in states] == [1, 1, 1]
    assert [state.is_active for state in states] == [True, True, True]


def test_a_disabled_schedule_names_the_line_that_disables_it():
    text = TEXT.replace("interval_seconds: 3600", "interval_seconds: 3600\n        enabled: false")
    off = Switch(is_on=False, by_hand=False)

    acme, globex, initech = look(text, live=up(globex_orders=off))

    assert [acme.status, initech.status] == [Status.ACTIVE, Status.ACTIVE]
    assert (globex.enabled, globex.running, globex.next, globex.is_active) == (
        False,
        False,
        (),
        False,
    )
    assert globex.reasons == (
        Reason(status=Status.DISABLED, text="disabled: `enabled: false` in runner.yaml:12"),
    )


def test_what_somebody_switched_off_in_the_ui_is_paused():
    paused = Switch(is_on=False, by_hand=True)

    _, globex, _ = look(live=up(globex_orders=paused))

    assert summary([globex]) == [
        ("globex_orders", Status.PAUSED, False, [f"paused by hand in the UI at {URL}"])
    ]
    assert (globex.enabled, globex.next, globex.is_active) == (True, (), False)


def test_a_generation_that_has_been_launched_is_done():
    text = TEXT.replace("interval_seconds: 3600", "once: 2026-06")
    for cursor, status in (("once 2026-05", Status.ACTIVE), ("once 2026-06", Status.DONE)):
        switch = Switch(is_on=True, by_hand=False, cursor=cursor)

        _, globex, _ = look(text, live=up(globex_orders=switch))

        assert (globex.status, globex.is_active) == (status, status is Status.ACTIVE)
    assert [reason.text for reason in globex.reasons] == [
        "generation 2026-06 has been launched; a new one runs again"
    ]


def test_what_runs_may_be_older_than_the_file():
    _, globex, initech = look(
        live=Live(
            url=URL,
            switches={
                "acme_orders": Switch(is_on=True, by_hand=False),
                "initech_orders": Switch(is_on=False, by_hand=False),
            },
        )
    )

    assert summary([globex, initech]) == [
        (
            "globex_orders",
            Status.NOT_LOADED,
            False,
            ["not loaded by what is running; `orchestrate reload` loads the files"],
        ),
        (
            "initech_orders",
            Status.NOT_LOADED,
            False,
            ["disabled when the files were last loaded; `orchestrate reload` loads them"],
        ),
    ]


def test_a_ui_that_does_not_answer_leaves_the_switch_unknown():
    states = look(live=Live(url=URL, switches=None))

    unknown = f"the UI at {URL} does not answer, so its switch there is not known"
    assert summary(states) == [
        (f"{tenant}_orders", Status.UNKNOWN, False, [unknown]) for tenant in TENANTS
    ]


@pytest.mark.parametrize(
    ("window", "status", "text", "ticks"),
    [
        (
            "start: 2026-07-01",
            Status.WAITING,
            "its window has not begun: it starts at 2026-07-01 00:00:00 UTC",
            ["2026-07-01T04:00:00+00:00"],
        ),
        (
            "end: 2026-06-01T12:00:00Z",
            Status.ENDED,
            "its window is over since 2026-06-01 12:00:00 UTC",
            [],
        ),
        (
            "end: 2026-06-01T12:30:00+00:00",
            Status.ENDED,
            "no tick is left before its window ends at 2026-06-01 12:30:00 UTC",
            [],
        ),
    ],
)
def test_a_window_keeps_a_schedule_from_firing(window, status, text, ticks):
    *_, initech = look(f"{TEXT}        {window}\n", live=up())

    assert (initech.status, texts(initech)) == (status, [text])
    assert [tick.isoformat() for tick in initech.next] == ticks


def test_a_window_is_told_in_the_zone_of_the_schedule():
    window = "timezone: Europe/Berlin\n        end: 2026-06-01"

    acme, *_ = look(TEXT.replace("timezone: Europe/Berlin", window), live=up())

    assert texts(acme) == ["its window is over since 2026-06-01 00:00:00 CEST"]


def test_a_broken_entry_stays_in_its_place_with_its_error():
    acme, globex, initech = look(TEXT.replace("3600", "often"), live=up())

    assert [acme.status, initech.status] == [Status.ACTIVE, Status.ACTIVE]
    assert globex.status is Status.BROKEN
    assert (globex.name, globex.job, globex.tenant, globex.trigger, globex.next) == (
        "globex_orders",
        "globex/orders",
        "globex",
        None,
        (),
    )
    [text] = texts(globex)
    assert text.startswith("its entry is broken: ")
    assert "(runner.yaml:11:27, ORC" in text


def test_the_schedule_of_a_broken_job_says_which_job_and_why():
    *_, initech = look(live=up(), initech="comand: [load]\nretry: x\n")

    assert (initech.name, initech.job, initech.status) == (
        "initech_orders",
        "initech/orders",
        Status.BROKEN,
    )
    [text] = texts(initech)
    assert text.startswith("its job `initech/orders` is broken: unknown key `comand` in a job file")
    assert text.endswith(" more)")


def test_the_second_of_two_entries_with_one_name_is_the_broken_one():
    states = look(TEXT.replace("name: globex_orders", "name: acme_orders"), live=up())

    assert [(s.name, s.tenant, s.status) for s in states] == [
        ("acme_orders", "acme", Status.ACTIVE),
        ("acme_orders", "globex", Status.BROKEN),
        ("initech_orders", "initech", Status.ACTIVE),
    ]


def test_an_entry_without_a_name_is_there_too():
    states = look(TEXT.replace("name: globex_orders", "nam: globex_orders"), live=up())

    assert [(s.name, s.tenant, s.status) for s in states] == [
        ("acme_orders", "acme", Status.ACTIVE),
        (None, "globex", Status.BROKEN),
        ("initech_orders", "initech", Status.ACTIVE),
    ]


def test_a_last_good_version_that_is_in_force_is_stale_and_has_its_ticks():
    broken = TEXT.replace("3600", "often")

    acme, globex, initech = look(
        broken,
        live=up(),
        kept={"runner.yaml": TEXT, "jobs/initech/orders.yaml": "command: [x]\n"},
        initech="comand: [x]\n",
    )

    assert [s.status for s in (acme, globex, initech)] == [
        Status.ACTIVE,
        Status.STALE,
        Status.STALE,
    ]
    assert [len(s.next) for s in (acme, globex, initech)] == [1, 1, 1]
    assert globex.is_active
    assert texts(globex)[0].startswith(
        "its entry is broken, and its last good version is in force: "
    )
    assert texts(initech)[0].startswith(
        "its job `initech/orders` is broken, and its last good version is in force: "
    )


def test_schedules_that_only_the_last_good_file_has_come_last():
    torn = TEXT[: TEXT.index("      - name: initech")] + "      - name: [\n"

    *_, initech = look(torn, live=up(), kept={"runner.yaml": TEXT})

    assert (initech.name, initech.status) == ("initech_orders", Status.STALE)
    assert texts(initech)[0].startswith("runner.yaml is broken: ")


def test_references_to_the_environment_are_resolved():
    text = TEXT.replace("Europe/Berlin", "${ZONE}").replace(
        "3600", "often\n        timezone: ${ZONE}"
    )

    acme, globex, _ = look(text, live=up())

    assert [acme.timezone, globex.timezone] == ["Asia/Tokyo", "Asia/Tokyo"]


def test_the_gravest_reason_is_the_status():
    text = TEXT.replace("interval_seconds: 3600", "interval_seconds: 3600\n        enabled: false")
    paused = Switch(is_on=False, by_hand=True)

    _, globex, _ = look(text, live=up(globex_orders=paused))

    assert globex.status is Status.DISABLED
    assert len(globex.reasons) == 2


def test_a_state_without_reasons_is_active():
    [acme, *_] = look(live=up())

    assert replace(acme, reasons=()).status is Status.ACTIVE
    assert acme.next[0] - NOW < timedelta(days=1)


def breaker(tenant, state, since=None):
    return BreakerRow(
        tenant=tenant,
        connector="command",
        state=state,
        failures=5,
        since=since,
        next_probe=since and since + timedelta(minutes=15),
        reason=f"the breaker of {tenant} is {state}",
    )


def test_what_failures_hold_back_is_said_of_the_schedules_of_that_tenant():
    holds = Holds(
        pauses={"initech_orders": "paused by failures"},
        breakers=(
            breaker("acme", BreakerState.CLOSED),
            breaker("globex", BreakerState.OPEN, NOW),
            breaker("initech", BreakerState.HALF_OPEN, NOW),
        ),
    )

    acme, globex, initech = look(live=up(), holds=holds)

    assert (acme.status, texts(acme)) == (Status.ACTIVE, [])
    assert (globex.status, texts(globex)) == (Status.HELD, ["the breaker of globex is open"])
    assert (initech.status, texts(initech)) == (
        Status.PAUSED,
        ["paused by failures", "the breaker of initech is half-open"],
    )
    assert [(state.is_active, len(state.next)) for state in (acme, globex, initech)] == [
        (True, 1),
        (True, 1),
        (False, 0),
    ]


def test_without_the_database_it_is_not_known_what_failures_hold_back():
    states = look(live=up(), holds=None)

    text = "the database does not answer, so it is not known what failures have paused"
    assert [(state.status, texts(state)) for state in states] == [(Status.UNKNOWN, [text])] * 3
