"""What can be wrong between files: ORC2xx; and with times: ORC4xx."""

from __future__ import annotations

from orchestration.config.rules import Rule
from orchestration.domain.problem import Severity

MISSING_FILE = Rule(
    code="ORC201",
    title="missing file or folder",
    cause="Paths start from the folder of `runner.yaml`; `/app/...` falls back to that folder.",
    message="there is no {what} `{path}`",
    help="paths start from the folder of runner.yaml; looked for {looked}",
)
OUTSIDE_ROOT = Rule(
    code="ORC202",
    title="path that leaves the workspace",
    cause="What runs is what the workspace holds; `..`, absolute paths and symbolic links out of "
    "the folder of `runner.yaml` are refused.",
    message="`{path}` leads out of the folder of runner.yaml",
    help="move the file into the workspace",
)
DUPLICATE_NAME = Rule(
    code="ORC203",
    title="name used twice",
    cause="Names identify schedules and services.",
    message="the {kind} name `{name}` is used twice, first in line {line}",
    help="give each {kind} a name of its own",
)
DUPLICATE_JOB = Rule(
    code="ORC204",
    title="two jobs of one name",
    cause="A job is known as `tenant/name`; the name is `name:`, or the file's name.",
    message="the job `{name}` is already described in `{other}`",
    help="give this one another `name`",
)
DUPLICATE_ASSET = Rule(
    code="ORC205",
    title="two jobs for one asset",
    cause="Two jobs that write the same data would overwrite each other.",
    message="the asset `{name}` is already produced by the job in `{other}`",
    help="give this job another `asset`",
)
BROKEN_TARGET = Rule(
    code="ORC206",
    title="schedule of a broken job",
    cause="The schedule is right; its job cannot run, so the schedule is left out until it can.",
    message="the schedule `{name}` is left out: its job file `{path}` has errors",
    help="correct the errors of that file",
    severity=Severity.WARNING,
)
CLASHING_NAMES = Rule(
    code="ORC207",
    title="names that clash",
    cause="Names that differ only in case or in where `__` falls become one name in Dagster, in "
    "folders or in the warehouse.",
    message="`{name}` clashes with `{taken}` in `{other}`",
    help="choose names that differ in more than case and underscores",
)
LAST_GOOD_IN_FORCE = Rule(
    code="ORC208",
    title="last good version in force",
    cause="What worked before an edit keeps working until the file is right again.",
    message="until the errors are corrected, the last good version of {what} stays in force",
    help="correct the errors of this file",
    severity=Severity.WARNING,
)
IDLE_TENANT = Rule(
    code="ORC209",
    title="tenant without jobs",
    cause="The settings of a tenant that has no jobs do nothing; often the name is misspelt.",
    message="the tenant `{name}` has no jobs",
    help="tenants with jobs are {tenants}",
    severity=Severity.WARNING,
)
NOT_KEPT = Rule(
    code="ORC210",
    title="last good version not kept",
    cause="The state directory cannot be written, so a later mistake in a file takes its job away.",
    message="the last good version of the files could not be kept: {reason}",
    help="let this user write to {path}",
    severity=Severity.WARNING,
)
UNKNOWN_ASSET = Rule(
    code="ORC211",
    title="unknown asset",
    cause="`on_asset` names the asset of a job of the workspace.",
    message="no job produces the asset `{asset}`",
    help="write `tenant/asset` of a job in the workspace",
)
AMBIGUOUS_ASSET = Rule(
    code="ORC212",
    title="ambiguous asset",
    cause="A tenant may have assets of one name in several targets.",
    message="several assets are meant by `{asset}`",
    help="write the whole key, one of {keys}",
)
OWN_ASSET = Rule(
    code="ORC213",
    title="asset of the job itself",
    cause="A job that is started by the update of its own asset would never stop.",
    message="the schedule `{name}` would start its job after each run of that same job",
    help="name the asset of another job, or use `continuous: true` or `after_completion_seconds`",
)
ASSET_CIRCLE = Rule(
    code="ORC214",
    title="jobs that start each other in a circle",
    cause="Jobs that are started by the updates of each other's assets would never stop.",
    message="the schedule `{name}` closes a circle of `on_asset`: {circle}",
    help="remove one of the schedules of the circle",
)
IDLE_CONNECTOR = Rule(
    code="ORC215",
    title="settings of a connector without jobs",
    cause="Settings that no job meets do nothing; often the name is misspelt. A limit counts for the "
    "connectors at both ends of a job, the others for its source.",
    message="no job has the {role} `{name}`",
    help="connectors of jobs are {connectors}",
    severity=Severity.WARNING,
)
MISSPELT_LIMIT = Rule(
    code="ORC216",
    title="settings of a misspelt connector",
    cause="No connector has this name, and one has nearly this name, which would go without them.",
    message="there is no connector `{name}`",
    help="connectors are {connectors}",
)
BROKEN_DEFINITION = Rule(
    code="ORC217",
    title="broken asset definition",
    cause="Without it, records could not be checked, so the job does not run.",
    message="the asset definition `{path}` has errors",
    help="correct the errors of that file, or remove `asset_path` to load records unchecked",
)
BAD_CRON = Rule(
    code="ORC401",
    title="invalid cron expression",
    cause="Only expressions that fire exactly as they read are accepted: five standard fields.",
    message="{reason}",
    help="{cure}",
)
UNEVEN_STEP = Rule(
    code="ORC402",
    title="uneven cron step",
    cause="A step starts anew with each hour or day, so one that does not divide it leaves a "
    "shorter gap at the end.",
    message="`*/{step}` in the {field} field is not every {step} {field}s: it starts anew at 0",
    help="choose a step that divides {size}, or use `interval_seconds`",
    severity=Severity.WARNING,
)
UNKNOWN_TIMEZONE = Rule(
    code="ORC403",
    title="unknown time zone",
    cause="Time zones are those of the IANA database.",
    message="there is no time zone `{name}`",
    help="write a name of the IANA database, such as `Europe/Berlin` or `UTC`",
)
SEVERAL_TRIGGERS = Rule(
    code="ORC404",
    title="several triggers",
    cause="A schedule has one trigger; a job may have several schedules.",
    message="the schedule `{name}` has several triggers: {keys}",
    help="keep one of them, and give each other one a schedule of its own",
)
NO_TRIGGER = Rule(
    code="ORC405",
    title="no trigger",
    cause="A schedule says when its job runs, in one of six ways.",
    message="the schedule `{name}` does not say when its job runs",
    help='add `cron: "0 2 * * *"`, or one of `interval_seconds`, `after_completion_seconds`, '
    "`continuous`, `once` and `on_asset`",
)
INTERVAL_TIMEZONE = Rule(
    code="ORC406",
    title="time zone of an interval",
    cause="Intervals run on a grid that starts at the Unix epoch in UTC, in every zone the same.",
    message="`timezone` does not change when an interval fires: it runs on a grid in UTC",
    help="remove `timezone`, or use `cron` for local times",
    severity=Severity.WARNING,
)
SHORT_INTERVAL = Rule(
    code="ORC407",
    title="interval that is shorter than a look",
    cause="Sensors look every five seconds; of several ticks since the last look one run comes late.",
    message="an interval of {interval} is shorter than the five seconds between two looks",
    help="choose at least 5 seconds, or use `continuous: true`",
    severity=Severity.WARNING,
)
FOREIGN_OPTION = Rule(
    code="ORC408",
    title="option of another trigger",
    cause="An option that does nothing for its schedule would be ignored, so it is refused.",
    message="`{option}` belongs to {owners}, which the schedule `{name}` does not have",
    help="remove it",
)
BAD_INSTANT = Rule(
    code="ORC409",
    title="invalid date or time",
    cause="A date or a date-time names one instant, in the zone of the schedule unless it has an "
    "offset; a local time that clocks skip or repeat does not.",
    message="`{field}` is {found}, and {reason}",
    help="{cure}",
)
EMPTY_WINDOW = Rule(
    code="ORC410",
    title="window without a duration",
    cause="A schedule fires from `start` on and before `end`, so `end` is the later one.",
    message="the schedule `{name}` ends before it starts, so it would never fire",
    help="let `end` be after `start`",
)
PAST_WINDOW = Rule(
    code="ORC411",
    title="window that is over",
    cause="A schedule whose `end` has passed does not fire any more.",
    message="the `end` of the schedule `{name}` has passed, so it does not fire any more",
    help="remove the schedule, or choose another `end`",
    severity=Severity.WARNING,
)
BAD_SPREAD = Rule(
    code="ORC412",
    title="spread that does not fit",
    cause="A spread moves all ticks of a schedule by the same number of whole minutes, less than "
    "the time between two of them, and never to another day where days are chosen.",
    message="a spread of {spread} does not fit: {reason}",
    help="{cure}",
)
BACKOFF_ABOVE_LIMIT = Rule(
    code="ORC413",
    title="first wait above the longest wait",
    cause="Each wait is cut to `max_error_backoff_seconds`, so the first one never applies.",
    message="`error_backoff_seconds` is {initial}, above `max_error_backoff_seconds` of {longest}",
    help="lower the first or raise the second",
    severity=Severity.WARNING,
)
