"""Errors of `orchestrate schedule`: ORC630 to ORC639."""

from __future__ import annotations

from orchestration.errors import OrchestrationError


class UnknownScheduleError(OrchestrationError):
    """No schedule of runner.yaml has that name."""

    code = "ORC630"


class FilterError(OrchestrationError):
    """A filter of `schedule list` is not of any known form."""

    code = "ORC631"


class InstantError(OrchestrationError):
    """An instant of `schedule preview` cannot be read, or the range ends before it begins."""

    code = "ORC632"


class NoTicksError(OrchestrationError):
    """A schedule was asked for its ticks that has none: it waits for something that happens."""

    code = "ORC633"


class UnsupportedOptionError(OrchestrationError):
    """An option of `schedule add` is set elsewhere, or has no meaning yet."""

    code = "ORC634"


class RefusedScheduleError(OrchestrationError):
    """A new schedule would be broken, so nothing was written."""

    code = "ORC635"


class NotConfirmedError(OrchestrationError):
    """Something would be removed, and nobody was there to confirm it."""

    code = "ORC636"


class BrokenScheduleError(OrchestrationError):
    """The schedule that was asked for, or its job, has errors in its file."""

    code = "ORC637"


class FileChangedError(OrchestrationError):
    """runner.yaml was changed by somebody else between its reading and its writing."""

    code = "ORC638"
