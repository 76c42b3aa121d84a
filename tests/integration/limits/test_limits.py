"""Limits, judged by the stamps that the processes of the jobs made themselves.

`record` is what happened in one instance with one storage: waves of runs that were launched by
schedules, by the button of the UI, by backfills, and by all of them at once.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable

import pytest

pytestmark = pytest.mark.xdist_group("system")

LIMITS = {"acme": 1, "globex": 2, "initech": 3, "soylent": 1, "tyrell": 2, "vandelay": 3}
STRIPE_LIMIT = 2
WAVES = {
    "tick": ("acme", "globex", "initech"),
    "backfill": ("soylent", "tyrell", "vandelay"),
    "all": ("acme", "globex", "initech"),
}
OVERTAKEN = 10
"""How many runs of others may start while a run is in the queue and its tenant has a slot for it. Two
for each slot of the others; a tenant that starves waits until they are through, which is 20 and more.
"""
CHANGE_SECONDS = 10
"""How long after a change of the file the limit may still be the old one."""

Span = tuple[float, float]


def peak(spans: Iterable[Span]) -> int:
    """How many spans there are at once at most; one that ends as another begins is not with it."""
    edges = sorted(edge for start, end in spans for edge in ((start, 1), (end, -1)))
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def waits(spans: Iterable[Span], created: Iterable[float], limit: int) -> list[Span]:
    """For each span, in the order of their starts, the time in which it did not start although it was
    there and fewer than `limit` others were under way.
    """
    waited = list[Span]()
    ends = list[float]()
    for number, ((start, end), due) in enumerate(sorted(zip(spans, created, strict=True))):
        # It could have the slot of the last that had to end before fewer than `limit` were left.
        is_free = sorted(ends)[number - limit] if number >= limit else due
        waited.append((max(due, is_free), start))
        ends.append(end)
    return waited


def spans(works) -> list[Span]:
    return [(work.start, work.end) for work in works]


def run_spans(works) -> dict[str, Span]:
    """From the first start to the last end of each run, which may be of several jobs."""
    runs: dict[str, list[Span]] = {}
    for work in works:
        runs.setdefault(work.run_id, []).append((work.start, work.end))
    return {
        run_id: (min(start for start, _ in run), max(end for _, end in run))
        for run_id, run in runs.items()
    }


def of_tenant(works, tenant: str):
    return [work for work in works if work.tenant == tenant]


def test_the_peak_of_spans_is_how_many_there_are_at_once():
    assert peak([]) == 0
    assert peak([(0, 1), (1, 2), (2, 3)]) == 1
    assert peak([(0, 5), (1, 2), (1.5, 3), (4, 6)]) == 3


def test_a_span_waits_from_when_it_is_there_and_has_a_slot():
    assert waits([(1, 2), (3, 4), (4, 5)], [0, 0, 0], limit=1) == [(0, 1), (2, 3), (4, 4)]
    assert waits([(0, 2), (7, 8)], [0, 6], limit=1) == [(0, 0), (6, 7)]
    assert waits([(8, 9), (0, 9), (1, 2)], [0, 0, 0], limit=2) == [(0, 0), (0, 1), (2, 8)]
    assert waits([(0, 3), (0, 9), (9, 10)], [0, 0, 8], limit=2) == [(0, 0), (0, 0), (8, 9)]


@pytest.mark.parametrize("name", [*WAVES, "change", "cap", "priority"])
def test_every_job_ran_as_often_as_it_was_launched_and_for_its_own_tenant(record, name):
    wave = record.waves[name]
    assert sorted(work.named for work in wave.works) == wave.expected
    assert [work for work in wave.works if work.named != work.told] == []
    for work in wave.works:
        assert work.tenant in wave.runs[work.run_id].tags["tenant"].split(",")


def test_the_waves_were_launched_as_their_names_say(record):
    """By the tag that Dagster gives a run of a schedule or a backfill."""

    def launchers(name: str) -> set[str]:
        marks = {"dagster/schedule_name", "dagster/backfill"}
        runs = record.waves[name].runs.values()
        return {next(iter(marks & run.tags.keys()), "") for run in runs}

    assert {name: launchers(name) for name in (*WAVES, "change")} == {
        "tick": {"dagster/schedule_name"},
        "backfill": {"dagster/backfill"},
        "all": {"dagster/schedule_name", "dagster/backfill", ""},
        "change": {""},
    }


@pytest.mark.parametrize("tenant", LIMITS)
def test_no_tenant_ever_exceeds_its_limit(record, tenant):
    works = of_tenant(record.works, tenant)
    assert peak(spans(works)) <= LIMITS[tenant]
    assert peak(run_spans(works).values()) <= LIMITS[tenant]


def test_no_job_ever_runs_beside_itself(record):
    jobs = {work.named for work in record.works}
    peaks = {job: peak(spans(w for w in record.works if w.named == job)) for job in jobs}
    assert peaks == dict.fromkeys(jobs, 1)


@pytest.mark.parametrize("name", WAVES)
def test_every_tenant_reaches_its_limit(record, name):
    works = record.waves[name].works
    reached = {tenant: peak(spans(of_tenant(works, tenant))) for tenant in WAVES[name]}
    assert reached == {tenant: LIMITS[tenant] for tenant in WAVES[name]}


def test_a_connector_never_exceeds_its_limit_and_reaches_it(record):
    assert peak(spans(work for work in record.works if work.is_stripe)) == STRIPE_LIMIT


@pytest.mark.parametrize("tenant", LIMITS)
def test_no_tenant_starves(record, tenant):
    """Once a run is in the queue and its tenant has a slot for it, few others start before it does,
    whatever they have in the queue. Runs that wait for a connector or another tenant are left out.
    """
    created = {run_id: run.created for w in record.waves.values() for run_id, run in w.runs.items()}
    runs = run_spans(record.works)
    own = sorted({work.run_id for work in of_tenant(record.works, tenant)}, key=runs.__getitem__)
    bound = {work.run_id for work in record.works if work.is_stripe or work.tenant != tenant}
    others = [start for run_id, (start, _) in runs.items() if run_id not in own]
    waited = waits([runs[r] for r in own], [created[r] for r in own], LIMITS[tenant])

    overtaken = [
        sum(since < start < until for start in others)
        for run_id, (since, until) in zip(own, waited, strict=True)
        if run_id not in bound
    ]

    assert overtaken
    assert max(overtaken) <= OVERTAKEN


def test_a_limit_that_is_changed_counts_for_the_runs_that_wait(record):
    raised, lowered, *_ = record.changes
    wave = record.waves["change"]
    before = [work for work in wave.works if work.start < raised.done_at]
    later = [w for w in wave.works if wave.runs[w.run_id].created > lowered.in_force_at]
    beside = [w for w in later if any(other.start < w.start < other.end for other in wave.works)]

    assert peak(spans(before)) == 1
    assert peak(spans(wave.works)) == 3
    assert len(later) == 4
    assert beside == []


def test_a_limit_that_is_changed_is_in_force_soon(record):
    """Of four changes the quickest: a machine that does other things too takes longer at times."""
    assert min(change.in_force_at - change.done_at for change in record.changes) < CHANGE_SECONDS


def test_the_instance_never_exceeds_its_limit_and_reaches_it(record):
    assert peak(spans(record.waves["cap"].works)) == 4
    assert peak(spans(record.waves["priority"].works)) == 1
    assert peak(spans(record.works)) > 4


def test_runs_of_higher_priority_leave_the_queue_first(record):
    works = sorted(record.waves["priority"].works, key=lambda work: work.start)
    tenants = [work.tenant for work in works]
    assert tenants == ["umbrella", *["hooli"] * 2, *["umbrella"] * 2, *["wayne"] * 2]


def test_each_tenant_sees_its_own_secret(record):
    tenants = WAVES["tick"]
    saw = {tenant: Counter(w.token for w in of_tenant(record.works, tenant)) for tenant in tenants}
    digests = {t: hashlib.sha256(f"sesame-of-{t}".encode()).hexdigest()[:12] for t in tenants}
    assert saw == {t: Counter({digests[t]: len(of_tenant(record.works, t))}) for t in tenants}


def test_no_secret_is_kept_anywhere(record):
    assert b"the token is ***" in record.stored
    assert b"acme/job_00" in record.stored
    assert b"sesame" not in record.stored
