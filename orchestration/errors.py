"""The errors of this package: every one says what is wrong, where, and what to do about it."""

from __future__ import annotations

from typing import ClassVar


class OrchestrationError(Exception):
    """Something the user can mend.

    `reason` is one sentence in lower case without a full stop, values in backticks, never a
    secret. `help` is the cure. `location` is `file:line:column` when the cause stands in a file.
    """

    code: ClassVar[str] = "ORC600"

    def __init__(self, reason: str, *, help: str, location: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.help = help
        self.location = location

    def __str__(self) -> str:
        where = f"{self.location}: " if self.location else ""
        return f"{where}error {self.code}: {self.reason}\n   help: {self.help}"


class UnknownJobError(OrchestrationError):
    """No job of the workspace has the id that was asked for."""

    code = "ORC601"


class BrokenJobError(OrchestrationError):
    """The job that was asked for has problems in its file and cannot run."""

    code = "ORC602"


class MissingVariableError(OrchestrationError):
    """A `${NAME}` that is needed at run time has no value and no default."""

    code = "ORC603"


class CommandNotFoundError(OrchestrationError):
    """The program of a command job does not exist or may not be executed."""

    code = "ORC604"


class WorkspaceNotFoundError(OrchestrationError):
    """There is no `runner.yaml` where one was looked for."""

    code = "ORC605"


class JobAlreadyRunningError(OrchestrationError):
    """Another process holds the advisory lock of the job."""

    code = "ORC606"


class ConnectorUnavailableError(OrchestrationError):
    """A job names a connector that is not part of this installation."""

    code = "ORC607"


class NoFullRefreshError(OrchestrationError):
    """A command job was asked to load everything anew, which only connector jobs know how to do."""

    code = "ORC608"


class EditError(OrchestrationError):
    """A change of `runner.yaml` cannot be made without touching other parts of the file."""

    code = "ORC628"


class SecretsUnavailableError(OrchestrationError):
    """The file or folder with the secrets of a tenant does not exist or cannot be read."""

    code = "ORC650"


class ExposedSecretsError(OrchestrationError):
    """Others than the user that runs the jobs may read or write the secrets of a tenant."""

    code = "ORC651"


class SecretsFormatError(OrchestrationError):
    """A file of secrets holds something that is not `NAME=value` or no text."""

    code = "ORC652"


class UnknownSecretsError(OrchestrationError):
    """The settings of the tenants cannot be read, so nobody's secrets can be told from others'."""

    code = "ORC653"


class CheckpointStoreError(OrchestrationError):
    """The store of the checkpoints does not do what it is asked."""

    code = "ORC665"


class CheckpointDamagedError(OrchestrationError):
    """The content of a checkpoint is not what was stored."""

    code = "ORC666"


class CheckpointRefusedError(OrchestrationError):
    """What should be a checkpoint cannot be one."""

    code = "ORC667"


class LedgerUnavailableError(OrchestrationError):
    """The database that keeps breakers and retry budgets has gone away while a job ran."""

    code = "ORC662"
