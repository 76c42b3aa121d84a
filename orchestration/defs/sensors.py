"""One Dagster sensor an entry of `runner.yaml` whose ticks no cron expression can say."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from zlib import crc32

import dagster as dg

from orchestration.defs.history import TickHistory, read_tick_id
from orchestration.defs.schedules import Gate, build_look, build_requests
from orchestration.domain.describe import dagster_name, describe_schedule
from orchestration.domain.due import decide
from orchestration.domain.job import Job
from orchestration.domain.schedule import (
    AfterCompletionTrigger,
    IntervalTrigger,
    OnceTrigger,
    Schedule,
)

# Dagster looks at sensors every 5 s at most, and measures from one start to the next, which varies
# by a little: with 5 it would pass over many a sensor at every other turn.
_EVERY_TURN = 4
_NOT_EVERY_TURN = 15
_LONG = timedelta(hours=1)
# Every look is a row, some 770 bytes and 17,000 a day; Dagster deletes by days.
_LOOKS_KEPT = timedelta(hours=3)
_LOOKS_BETWEEN_DELETIONS = 100


@dataclass(frozen=True, slots=True, eq=False)  # Dagster hashes it, by identity
class SensorEvaluation:
    """What happens at a look: the runs that are due, or the reason why there are none.

    `since` is the moment since which the file has the schedule enabled, as far as it is known.
    """

    schedule: Schedule
    job: Job
    gate: Gate
    since: datetime | None = None

    def __call__(self, context: dg.SensorEvaluationContext) -> dg.SensorResult:
        """The runs to launch and the new cursor. Dagster stores both before it launches anything."""
        since = _last_turned_on(self.since, context.last_sensor_start_time)
        look = build_look(
            self.schedule, self.job, self.gate, context, since=since, cursor=context.cursor
        )
        forget_looks(context, look.now)
        decision = decide(self.schedule, look)
        if not decision.runs:
            return dg.SensorResult(skip_reason=decision.reason, cursor=decision.cursor)
        requests = build_requests(self.schedule, self.job, decision)
        return dg.SensorResult(run_requests=requests, cursor=decision.cursor)


def build_sensor(
    schedule: Schedule, job: Job, gate: Gate, since: datetime | None = None
) -> dg.SensorDefinition:
    """The Dagster sensor of an entry: running from the start if it is enabled."""
    running = dg.DefaultSensorStatus.RUNNING
    stopped = dg.DefaultSensorStatus.STOPPED
    return dg.SensorDefinition(
        name=dagster_name(schedule),
        job_name=job.tenant,
        evaluation_fn=SensorEvaluation(schedule, job, gate, since),
        minimum_interval_seconds=_seconds_between_looks(schedule),
        default_status=running if schedule.enabled else stopped,
        description=describe_schedule(schedule),
        tags=dict(schedule.tags),
    )


def forget_looks(context: dg.SensorEvaluationContext, now: datetime) -> None:
    """Delete old looks of the sensor at which nothing was launched, once in a while."""
    tick_id = read_tick_id(context.log_key)
    if tick_id is not None and is_turn(tick_id):
        TickHistory(context.instance, tick_id).forget_skips(now - _LOOKS_KEPT)


def is_turn(tick_id: int) -> bool:
    """Whether old looks are deleted at this one: at about one of a hundred of each sensor.

    Sensors that look in turns draw ids that are always a multiple of something apart. A hash has no
    favourites among them.
    """
    return crc32(str(tick_id).encode()) % _LOOKS_BETWEEN_DELETIONS == 0


def _last_turned_on(by_file: datetime | None, by_hand: float | None) -> datetime | None:
    """The later of two moments: what was due before is not due any more."""
    stamps = [by_file] if by_file else []
    stamps += [datetime.fromtimestamp(by_hand, UTC)] if by_hand else []
    return max(stamps, default=None)


def _seconds_between_looks(schedule: Schedule) -> int:
    match schedule.trigger:
        case IntervalTrigger(interval=wait) | AfterCompletionTrigger(delay=wait):
            return _EVERY_TURN if wait < _LONG else _NOT_EVERY_TURN
        case OnceTrigger():
            return _NOT_EVERY_TURN
        case _:
            return _EVERY_TURN
