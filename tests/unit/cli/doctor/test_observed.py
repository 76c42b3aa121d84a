from datetime import UTC, datetime, timedelta

from orchestration.cli.doctor.observed import (
    Daemon,
    Live,
    LiveSchedule,
    Run,
    Tick,
    parse_live,
)

NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)
STAMP = NOON.timestamp()
RUN = {
    "runId": "r1",
    "jobName": "acme",
    "status": "QUEUED",
    "creationTime": STAMP,
    "startTime": None,
    "updateTime": STAMP + 5,
    "tags": [{"key": "tenant", "value": "acme"}, {"key": "job_name", "value": "orders"}],
}
ANSWER = {
    "version": "1.13.27",
    "instance": {
        "info": "run_coordinator:\n  module: orchestration.defs.coordinator\n"
        "  class: OrchestrationRunCoordinator\n  config: {}\n",
        "runQueueConfig": {
            "maxConcurrentRuns": 10,
            "tagConcurrencyLimitsYaml": "- {key: a, limit: 1}\n- {key: b, limit: 2}\n",
        },
        "daemonHealth": {
            "allDaemonStatuses": [
                {
                    "daemonType": "SCHEDULER",
                    "required": True,
                    "lastHeartbeatTime": STAMP,
                    "lastHeartbeatErrors": [{"message": "KeyError: x\n"}],
                },
                {
                    "daemonType": "FRESHNESS_DAEMON",
                    "required": False,
                    "lastHeartbeatTime": None,
                    "lastHeartbeatErrors": [],
                },
            ]
        },
    },
    "workspaceOrError": {
        "locationEntries": [
            {"loadStatus": "LOADED", "locationOrLoadError": {"__typename": "RepositoryLocation"}}
        ]
    },
    "repositoriesOrError": {
        "nodes": [
            {
                "schedules": [
                    {
                        "name": "acme_hourly",
                        "canReset": True,
                        "scheduleState": {
                            "status": "STOPPED",
                            "typeSpecificData": {"startTimestamp": STAMP},
                            "ticks": [{"timestamp": STAMP, "status": "SUCCESS", "error": None}],
                        },
                    }
                ],
                "sensors": [
                    {
                        "name": "globex_often__sensor",
                        "canReset": False,
                        "sensorState": {
                            "status": "RUNNING",
                            "ticks": [
                                {
                                    "timestamp": STAMP,
                                    "status": "FAILURE",
                                    "error": {"message": "KeyError: x\n"},
                                }
                            ],
                        },
                    },
                    {
                        "name": "config_problems",
                        "canReset": False,
                        "sensorState": {"status": "RUNNING", "ticks": []},
                    },
                    {
                        "name": "retries",
                        "canReset": True,
                        "sensorState": {"status": "STOPPED", "ticks": []},
                    },
                ],
            }
        ]
    },
    "queued": {"results": [RUN]},
    "underWay": {
        "results": [
            {**RUN, "runId": "r2", "status": "STARTED", "startTime": STAMP + 2},
            {**RUN, "runId": "r3", "status": "STARTING", "tags": []},
        ]
    },
    "waiting": {"results": [{"runId": "r4"}]},
}
TAGS = {"tenant": "acme", "job_name": "orders"}


def test_the_answer_of_an_instance_is_read_whole():
    assert parse_live(ANSWER) == Live(
        version="1.13.27",
        coordinator="OrchestrationRunCoordinator",
        limits={"a": 1, "b": 2},
        max_concurrent_runs=10,
        daemons=(Daemon(name="SCHEDULER", heartbeat=NOON, errors=("KeyError: x",)),),
        location_error=None,
        schedules={
            "acme_hourly": LiveSchedule(
                is_on=False, by_hand=True, since=NOON, tick=Tick(at=NOON, status="SUCCESS")
            ),
            "globex_often": LiveSchedule(
                is_on=True, tick=Tick(at=NOON, status="FAILURE", error="KeyError: x")
            ),
        },
        queued=(
            Run(
                run_id="r1",
                status="QUEUED",
                created=NOON,
                since=NOON + timedelta(seconds=5),
                job="acme/orders",
                tags=TAGS,
            ),
        ),
        under_way=(
            Run(
                run_id="r2",
                status="STARTED",
                created=NOON,
                since=NOON + timedelta(seconds=2),
                job="acme/orders",
                tags=TAGS,
            ),
            Run(
                run_id="r3",
                status="STARTING",
                created=NOON,
                since=NOON + timedelta(seconds=5),
                job="acme",
            ),
        ),
        retry_sensor=LiveSchedule(is_on=False, by_hand=True),
        has_waits=True,
    )


def test_an_instance_of_dagsters_own_making_has_its_own_coordinator_and_no_limits():
    instance = {
        **ANSWER["instance"],
        "info": "run_coordinator: DefaultRunCoordinator\n",
        "runQueueConfig": None,
    }

    live = parse_live({**ANSWER, "instance": instance})

    assert (live.coordinator, live.limits, live.max_concurrent_runs) == (
        "DefaultRunCoordinator",
        {},
        None,
    )


def test_definitions_that_are_not_there_have_a_reason():
    def read(*entries):
        answer = {**ANSWER, "workspaceOrError": {"locationEntries": entries}}
        return parse_live(answer).location_error

    error = {"__typename": "PythonError", "message": "ImportError: no module `x`\n"}
    assert read() == "it is not in the workspace of the UI"
    assert read({"loadStatus": "LOADING", "locationOrLoadError": None}) == (
        "it is still being loaded"
    )
    assert read({"loadStatus": "LOADED", "locationOrLoadError": error}) == (
        "ImportError: no module `x`"
    )
