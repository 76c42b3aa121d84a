"""Errors that only the command line can meet."""

from __future__ import annotations

from orchestration.errors import OrchestrationError


class PathNotFoundError(OrchestrationError):
    """A path on the command line does not exist, or is no part of the workspace."""

    code = "ORC620"


class PortInUseError(OrchestrationError):
    """Another process listens on the port that the UI should have."""

    code = "ORC621"


class RemoteHostError(OrchestrationError):
    """The UI was asked to listen on an address that other machines can reach."""

    code = "ORC622"


class NoInstanceError(OrchestrationError):
    """Neither `orchestrate up` nor `dev` runs for this workspace."""

    code = "ORC623"


class InstanceRunningError(OrchestrationError):
    """An `orchestrate up` or `dev` runs for this workspace already."""

    code = "ORC624"


class ServiceDiedError(OrchestrationError):
    """A process of `dev` ended by itself or did not become ready, or one of `up` ended too often."""

    code = "ORC625"


class ReloadError(OrchestrationError):
    """The code server has the files, but does not accept what they say."""

    code = "ORC626"


class BrokenRunnerError(OrchestrationError):
    """runner.yaml has errors, so that it is not known under which settings a job would run."""

    code = "ORC627"


class UnknownTenantError(OrchestrationError):
    """Neither runner.yaml nor a job has the tenant that was named."""

    code = "ORC629"


class DatabaseError(OrchestrationError):
    """The database of the Dagster instance cannot be used."""

    code = "ORC640"
