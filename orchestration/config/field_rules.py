"""What can be wrong with the fields of one file: ORC1xx; its variables and secrets: ORC3xx; and what
is accepted without effect: ORC5xx.
"""

from __future__ import annotations

from orchestration.config.rules import Rule
from orchestration.domain.problem import Severity

MISSING_KEY = Rule(
    code="ORC101",
    title="missing key",
    cause="The key has no default.",
    message="`{key}` is missing in {where}",
    help="add `{key}: ...`{meaning}",
)
WRONG_TYPE = Rule(
    code="ORC102",
    title="wrong type",
    cause="The value is not of the type of its field; nothing is converted silently.",
    message="`{field}` has to be {expected}, and is {found}",
    help="{cure}",
)
BAD_VALUE = Rule(
    code="ORC103",
    title="value that is not allowed",
    cause="The value is of the right type and outside of what the field takes.",
    message="`{field}` is {found}, and has to be {expected}",
    help="{cure}",
)
UNKNOWN_KEY = Rule(
    code="ORC104",
    title="unknown key",
    cause="A key that is not known would be ignored, so it is refused.",
    message="unknown key `{key}` in {where}",
    help="allowed keys are {allowed}",
)
NO_VALUE = Rule(
    code="ORC105",
    title="key without a value",
    cause="Nothing stands after the colon.",
    message="`{field}` has no value",
    help="write a value, or remove the key",
)
TWO_SPELLINGS = Rule(
    code="ORC106",
    title="old and new spelling together",
    cause="Both keys set the same thing; which one is meant cannot be known.",
    message="`{old}` is the old spelling of `{new}`, and both are given",
    help="keep `{new}`",
)
NOTHING_TO_RUN = Rule(
    code="ORC107",
    title="nothing to run",
    cause="A job runs a command, or moves data from a source connector to a target connector.",
    message="the job does not say what to run: {missing}",
    help="give `command`, or both `source_connector` and `target_connector`",
)
BAD_NAME = Rule(
    code="ORC108",
    title="name that is not allowed",
    cause="Dagster names assets, groups, jobs and schedules with letters, digits and `_`, and "
    "reserves some words; job names also stand in paths.",
    message="`{value}` cannot be {role}: {reason}",
    help="{cure}",
)
BAD_TAG = Rule(
    code="ORC109",
    title="tag that is not allowed",
    cause="Dagster limits the characters and the length of tags, and keeps the prefix `dagster/`.",
    message="`{value}` cannot be {role}: {reason}",
    help="{cure}",
)
BAD_OWNER = Rule(
    code="ORC110",
    title="owner that is not allowed",
    cause="Dagster knows owners by their e-mail address or as a team.",
    message="`{value}` is neither an e-mail address nor `team:` with a name",
    help="write it like `data@example.com` or `team:data`",
)
BAD_PATTERN = Rule(
    code="ORC111",
    title="invalid regular expression",
    cause="Error patterns are regular expressions of Python.",
    message="`{value}` is not a valid regular expression: {reason}",
    help="put a backslash before characters that are meant literally",
)
BAD_DURATION = Rule(
    code="ORC112",
    title="invalid duration",
    cause="Durations carry their units.",
    message="`{field}` is {found}: {reason}",
    help="{cure}",
)
MISSPELT_CONNECTOR = Rule(
    code="ORC113",
    title="misspelt connector",
    cause="No connector has this name, and one has nearly this name.",
    message="there is no {role} connector `{name}`",
    help="available connectors: {available}",
)
UNAVAILABLE_CONNECTOR = Rule(
    code="ORC114",
    title="connector that is not installed",
    cause="The job loads and is shown, so that one set of files serves several installations.",
    message="there is no {role} connector `{name}` in this installation, so each run of the job fails",
    help="available connectors: {available}",
    severity=Severity.WARNING,
)
BAD_OPTION = Rule(
    code="ORC115",
    title="option that its connector refuses",
    cause="The connector checks its options when the file is loaded.",
    message="`{field}` is refused: {reason}",
    help="see the options of the connector in the reference of job files",
)
NO_TENANT = Rule(
    code="ORC116",
    title="job without a tenant",
    cause="The tenant is `tenant_id`, or the folder below `jobs/` that the file lies in.",
    message="the job has no `tenant_id`, and its file does not lie in a folder `jobs/<tenant>/`",
    help="add `tenant_id: ...`, or move the file",
)
FOREIGN_FOLDER = Rule(
    code="ORC117",
    title="tenant and folder differ",
    cause="A file that was copied to another tenant's folder would still run for the old tenant.",
    message="the job is of tenant `{tenant}`, and lies in the folder of `{folder}`",
    help="correct `tenant_id`, or move the file to `jobs/{tenant}/`",
    severity=Severity.WARNING,
)
BAD_VARIABLE_NAME = Rule(
    code="ORC118",
    title="name of an environment variable",
    cause="A process cannot be given a variable of this name.",
    message="`{value}` cannot be the name of an environment variable",
    help="use letters, digits and `_`, and no digit first",
)
DELAY_ABOVE_LIMIT = Rule(
    code="ORC119",
    title="first delay above the longest delay",
    cause="Each delay is cut to `max_delay_seconds`, so the first one never applies.",
    message="`initial_delay_seconds` is {initial}, above `max_delay_seconds` of {longest}",
    help="lower the first or raise the second",
    severity=Severity.WARNING,
)
BAD_PREFIX = Rule(
    code="ORC120",
    title="prefix that is not allowed",
    cause="A prefix of variables is the beginning of their names, and long enough to tell them from "
    "those of others.",
    message="`{value}` cannot be the prefix of variables",
    help="use letters, digits and `_`, at least two of them, and no digit first: `{suggestion}`",
)
SHARED_PREFIX = Rule(
    code="ORC121",
    title="prefixes that overlap",
    cause="Where the prefix of one tenant begins with that of another, the variables of the one "
    "would be secrets of both.",
    message="the prefix `{value}` and `{taken}` of tenant `{tenant}` begin alike",
    help="choose prefixes of which none begins with another, such as `{suggestion}`",
)
BAD_POSTGRES_URL = Rule(
    code="ORC122",
    title="URL of the database in a file",
    cause="The URL holds a password, so it stays out of the files and is read where it is needed.",
    message="`postgres_url` has to be one reference to a variable, without a default",
    help="put the URL into the environment, and write `${{DATABASE_URL}}`",
)
BAD_CHECKPOINT_URL = Rule(
    code="ORC123",
    title="place where checkpoints cannot be kept",
    cause="A checkpoint that is half written, forgotten or readable by others would lose data.",
    message="checkpoints cannot be kept at this `url`: {reason}",
    help="{cure}",
)
EMPTY_CLASS = Rule(
    code="ORC124",
    title="error class without a sign",
    cause="Failures belong to a class by their exit codes, their patterns, or both.",
    message="the error class `{name}` has neither `exit_codes` nor `patterns`",
    help="say which failures belong to it",
)
CANCELLED = Rule(
    code="ORC125",
    title="end of a job that was told to stop",
    cause="A process that dies of SIGINT or SIGTERM, or returns 130 or 143, was cancelled.",
    message="{end} stands for a job that was told to stop, which is never repeated",
    help="remove it; where it is a failure of the program, let that return another code",
    severity=Severity.WARNING,
)
TIMEOUT_ABOVE_LIMIT = Rule(
    code="ORC126",
    title="time-out of an attempt above that of its run",
    cause="An attempt is stopped when the time of its run is over.",
    message="`timeout` is {timeout}, above the `run_timeout` of {longest}",
    help="raise `run_timeout` of the job or of runner.yaml, or lower `timeout`",
    severity=Severity.WARNING,
)
NEVER_REPEATED = Rule(
    code="ORC127",
    title="retries of nothing",
    cause="Without exit codes, signals, time-outs and transient error classes no failure is left.",
    message="no failure is ever repeated: `retryable_exit_codes` is empty, and nothing else is given",
    help="name the codes, or write `max_retries: 0` where nothing shall be repeated",
    severity=Severity.WARNING,
)
REPEATED = Rule(
    code="ORC128",
    title="twice in a list",
    cause="It has no effect, and most often another one was meant.",
    message="`{name}` stands twice in `{field}`",
    help="remove one of them, or write what was meant",
)
MISSING_VARIABLE = Rule(
    code="ORC301",
    title="variable without a value",
    cause="The field is needed when the files are loaded, so its variables are too.",
    message="the variable `{name}` is needed here and is not set",
    help="set it in the environment of this process, which was the only place looked in, "
    "or write a default: `${{{name}:-...}}`",
    settles=True,
)
BAD_REFERENCE = Rule(
    code="ORC302",
    title="malformed reference",
    cause="References are `${NAME}` and `${NAME:-default}`; `$${` stands for a literal `${`.",
    message="`{text}` is no reference to a variable",
    help="write `${{NAME}}` or `${{NAME:-default}}`, or `$${{` for a literal `${{`",
    settles=True,
)
LITERAL_SECRET = Rule(
    code="ORC303",
    title="literal secret",
    cause="Files are copied, committed and shown; secrets belong into the environment.",
    message="the value of `{key}` looks like a literal secret",
    help="take it from the environment: `${{{variable}}}`",
    severity=Severity.WARNING,
)
PASSWORD_IN_URL = Rule(
    code="ORC304",
    title="password in a URL",
    cause="Files are copied, committed and shown; secrets belong into the environment.",
    message="a URL in `{key}` holds a literal password",
    help="take it from the environment: `//user:${{{variable}}}@host`",
    severity=Severity.WARNING,
)
KNOWN_TOKEN = Rule(
    code="ORC305",
    title="known token",
    cause="The text has the shape in which a well-known service issues its credentials.",
    message="`{key}` holds what looks like {kind}",
    help="revoke it if it is real, and take it from the environment: `${{{variable}}}`",
    severity=Severity.WARNING,
)
SHOWN_SECRET = Rule(
    code="ORC306",
    title="secret where it would be seen",
    cause="Most fields are resolved when the files are loaded, and are then stored and shown.",
    message="the variable `{name}` is a secret of tenant `{tenant}`, and this field is shown",
    help="use it in `env`, in `command` or in options of a connector, which are resolved in the "
    "process of a run",
    settles=True,
)
NOT_ACTED_ON = Rule(
    code="ORC501",
    title="accepted, not acted on",
    cause="Files of other versions load unchanged; what has no effect here is named once a file.",
    message="accepted, and without effect in this version: {keys}",
    help="remove what is not needed",
    severity=Severity.WARNING,
)
FOR_CONNECTOR_JOBS = Rule(
    code="ORC502",
    title="only for connector jobs",
    cause="The records of a command job do not go through the built-in connectors.",
    message="without effect in a job with a `command`: {keys}",
    help="remove them, or let `source_connector` and `target_connector` do the work of the command",
    severity=Severity.WARNING,
)
FOR_DEFINITIONS = Rule(
    code="ORC503",
    title="validation without a definition",
    cause="What records have to look like is said by the asset definition.",
    message="without effect while the job has no `asset_path`: {keys}",
    help="add `asset_path: ...`, the file with the asset definition",
    severity=Severity.WARNING,
)
