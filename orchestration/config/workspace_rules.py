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
CRON_AND_INTERVAL = Rule(
    code="ORC404",
    title="both cron and interval",
    cause="A schedule fires by a cron expression or by an interval.",
    message="the schedule `{name}` has both `cron` and `interval_seconds`",
    help="keep one of the two",
)
NO_TRIGGER = Rule(
    code="ORC405",
    title="neither cron nor interval",
    cause="A schedule fires by a cron expression or by an interval.",
    message="the schedule `{name}` does not say when: it has neither `cron` nor `interval_seconds`",
    help='add `cron: "0 2 * * *"` or `interval_seconds: 3600`',
)
INTERVAL_TIMEZONE = Rule(
    code="ORC406",
    title="time zone of an interval",
    cause="Intervals run on a grid that starts at the Unix epoch in UTC, in every zone the same.",
    message="`timezone` does not change when an interval fires: it runs on a grid in UTC",
    help="remove `timezone`, or use `cron` for local times",
    severity=Severity.WARNING,
)
INEXACT_INTERVAL = Rule(
    code="ORC407",
    title="interval that cannot be kept exactly yet",
    cause="Nothing is approximated: an interval is accepted when it fires exactly.",
    message="an interval of {interval} cannot be kept exactly yet",
    help="choose a whole number of minutes that divides a day: {near}",
)
