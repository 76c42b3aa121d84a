"""What keeps schedules from firing that the files and the switches do not show."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from orchestration.defs.ledger import BreakerRow, Ledger
    from orchestration.defs.shared_values import Connect
    from orchestration.domain.job import Job
    from orchestration.domain.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Holds:
    """`pauses` are the reasons why schedules are paused since their jobs keep failing, by name.
    `is_exact` tells whether all machines that share the instance count together.
    """

    pauses: Mapping[str, str] = field(default_factory=dict[str, str])
    breakers: tuple[BreakerRow, ...] = ()
    is_exact: bool = True

    def breaker_of(self, job: Job) -> BreakerRow | None:
        """The breaker that the job has; None where it has none, or nothing is known of it."""
        same = (r for r in self.breakers if (r.tenant, r.connector) == (job.tenant, job.connector))
        return next(same, None)


NO_HOLDS: Final = Holds()
UNCOUNTED: Final = (
    "failures and retries are not counted for breakers and budgets: that begins when"
    " `orchestrate dev` or `orchestrate up` is started for the first time"
)
"""What to say where nothing has ever been up."""


def explain_unprobed(workspace: Workspace, row: BreakerRow) -> str:
    """What closes a breaker that no scheduled run will probe; empty where one will, or it is closed."""
    probing = {s.job_id for s in workspace.schedules if s.enabled}
    ends = {(job.tenant, job.connector) for job in workspace.jobs if job.id in probing}
    if row.since is None or (row.tenant, row.connector) in ends:
        return ""
    return (
        f"no enabled schedule of `{row.tenant}` has `{row.connector}`: a run by hand that succeeds"
        f" closes the breaker, or `orchestrate breaker reset {row.tenant} {row.connector}`"
    )


def find_holds(workspace: Workspace, environ: Mapping[str, str]) -> Holds:
    """What the instance of the workspace has against its schedules, whether it is up or not. It is
    not asked where the files provide for nothing of the kind.

    Raises:
        DatabaseError: its database does not answer.
    """
    pausable = [s for s in workspace.schedules if s.max_consecutive_errors]
    guarded = [job for job in workspace.jobs if job.breaker]
    counted = bool(guarded) or any(job.retry.budget for job in workspace.jobs)
    connect = find_connection(workspace, environ) if pausable or counted else None
    if connect is None:
        return Holds()
    from orchestration.defs.ledger import Ledger
    from orchestration.defs.pauses import Pauses
    from orchestration.defs.shared_values import is_shared_safely

    return Holds(
        pauses=Pauses(connect).reasons(pausable),
        breakers=tuple(Ledger(connect).breakers(guarded)),
        is_exact=not counted or is_shared_safely(connect()),
    )


def find_ledger(workspace: Workspace, environ: Mapping[str, str]) -> Ledger | None:
    """The ledger of the workspace's instance; None where nothing has ever been up.

    Raises:
        DatabaseError: its database does not answer.
    """
    from orchestration.defs.ledger import Ledger

    connect = find_connection(workspace, environ)
    return Ledger(connect) if connect else None


def find_connection(workspace: Workspace, environ: Mapping[str, str]) -> Connect | None:
    """Opens the workspace's instance; None where nothing has ever been up.

    Raises:
        DatabaseError: its database does not answer.
    """
    from orchestration.cli.dev.database import check_database
    from orchestration.defs.shared_values import find_instance

    connect = find_instance(workspace, environ)
    if connect is not None:
        check_database(workspace.settings, environ)
    return connect
