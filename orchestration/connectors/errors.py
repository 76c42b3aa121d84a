"""What goes wrong in a connector, said for the person who can mend it."""

from __future__ import annotations

from orchestration.errors import OrchestrationError


class SourceError(OrchestrationError):
    """The source cannot be read."""

    code = "ORC610"


class TargetError(OrchestrationError):
    """The target cannot be written."""

    code = "ORC611"


class TargetBusyError(TargetError):
    """Another process holds the target; trying again later helps."""

    code = "ORC612"


class OptionsError(OrchestrationError):
    """The options of a connector are wrong, or are wrong together with its history."""

    code = "ORC613"


class OrderError(OrchestrationError):
    """What stands on stdin is no order."""

    code = "ORC614"


class RejectedError(OrchestrationError):
    """Not one record of the source could be read."""

    code = "ORC615"


class SchemaError(OrchestrationError):
    """A record breaks the asset definition, or cannot be read, and the job is `strict`."""

    code = "ORC617"


class UnexpectedError(OrchestrationError):
    """Something that no rule here foresees; the cause is in `__cause__`."""

    code = "ORC616"
