"""The catalogue of everything that can be wrong in a file: each text stands here, once.

Codes are stable and grouped: ORC0xx the YAML itself, 1xx the fields of one file, 2xx several files,
3xx variables and secrets, 4xx time, 5xx accepted but not acted on.
"""

from __future__ import annotations

from dataclasses import dataclass

from orchestration.domain.problem import Location, Problem, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One kind of problem. `message` and `help` are templates for `str.format`.

    `title` and `cause` are for the reference; `cause` says why it is refused or warned about.
    `settles` says that nothing else about the same value is worth reporting.
    """

    code: str
    title: str
    cause: str
    message: str
    help: str
    severity: Severity = Severity.ERROR
    settles: bool = False

    def problem(
        self, location: Location, *, source_line: str = "", hint: str = "", **values: object
    ) -> Problem:
        """The problem of this kind at `location`, with `values` filled into the templates."""
        return Problem(
            code=self.code,
            severity=self.severity,
            message=self.message.format_map(values),
            help=self.help.format_map(values),
            location=location,
            hint=hint,
            source_line=source_line,
        )


# ---------------------------------------------------------------- ORC0xx: the YAML itself

UNREADABLE = Rule(
    code="ORC001",
    title="a file cannot be read",
    cause="The operating system refused to open or read the file.",
    message="the file cannot be read: {reason}",
    help="check that it exists and that this user may read it",
)
NOT_UTF8 = Rule(
    code="ORC002",
    title="not UTF-8",
    cause="Files are read as UTF-8, with or without a byte order mark.",
    message="the file is not UTF-8 text: {reason}",
    help="save it as UTF-8",
)
TOO_LARGE = Rule(
    code="ORC003",
    title="too large",
    cause="A file of this size is no hand-written configuration, and would slow every load.",
    message="the file has more than the {limit} bytes that are read",
    help="keep data out of configuration files, and split what remains",
)
EMPTY = Rule(
    code="ORC004",
    title="empty file",
    cause="There is nothing in the file but white space and comments.",
    message="the file is empty",
    help="write keys with values into it, or delete it",
)
SYNTAX = Rule(
    code="ORC005",
    title="invalid YAML",
    cause="The YAML parser gave up here; what follows was not read.",
    message="this is not valid YAML: {reason}",
    help="{cure}",
)
TAB = Rule(
    code="ORC006",
    title="tab in the indentation",
    cause="YAML forbids tabs in indentation.",
    message="a tab stands where the indentation is",
    help="indent with spaces",
)
SEVERAL_DOCUMENTS = Rule(
    code="ORC007",
    title="several documents in one file",
    cause="Each file holds one document; what follows a second `---` would be ignored.",
    message="a second YAML document starts here",
    help="move it into a file of its own",
)
DUPLICATE_KEY = Rule(
    code="ORC008",
    title="duplicate key",
    cause="YAML readers keep one of the two values, and not all the same one.",
    message="`{key}` is given twice, first in line {line}",
    help="keep one of the two",
)
AMBIGUOUS_BOOLEAN = Rule(
    code="ORC009",
    title="ambiguous boolean",
    cause="`yes`, `no`, `on` and `off` are booleans in YAML 1.1 and texts in YAML 1.2.",
    message="`{text}` is {first} in YAML 1.1 and {second} in YAML 1.2",
    help="write `{meant}`, or `{quoted}` for the text",
    settles=True,
)
AMBIGUOUS_NUMBER = Rule(
    code="ORC010",
    title="ambiguous number",
    cause="`010`, `1:30`, `1_000`, `0b1`, `0o7` and `1e3` mean different things to YAML readers.",
    message="`{text}` is {first} in YAML 1.1 and {second} in YAML 1.2",
    help="write `{meant}` for the number, or `{quoted}` for the text",
    settles=True,
)
UNQUOTED_DATE = Rule(
    code="ORC011",
    title="unquoted date",
    cause="A date without quotes is a date in YAML 1.1 and a text in YAML 1.2.",
    message="`{text}` is {first} in YAML 1.1 and {second} in YAML 1.2",
    help="put it in quotes: `{quoted}`",
    settles=True,
)
TAG = Rule(
    code="ORC012",
    title="YAML tag",
    cause="Tags create objects or include files in other tools; here nothing acts on them.",
    message="the tag `{tag}` is not supported",
    help="remove the tag; for a text, use quotes",
    settles=True,
)
BAD_MERGE = Rule(
    code="ORC013",
    title="merge of something that is no mapping",
    cause="`<<` takes over the keys of a mapping, or of each mapping in a list.",
    message="`<<` merges mappings, and this is {found}",
    help="name the anchor of a mapping: `<<: *defaults`",
)
TOO_MANY_VALUES = Rule(
    code="ORC014",
    title="aliases that multiply",
    cause="Aliases of aliases can expand to billions of values.",
    message="with its aliases written out, this file has more than {limit} values",
    help="repeat less: write out what the aliases stand for",
)
ENDLESS_ALIAS = Rule(
    code="ORC015",
    title="alias inside its own value",
    cause="Written out, such a value would never end.",
    message="the alias `*{name}` stands inside the value that it repeats",
    help="move the alias out of the value of `&{name}`",
)
UNKNOWN_ALIAS = Rule(
    code="ORC016",
    title="alias without an anchor",
    cause="An alias repeats a value that was marked with an anchor earlier in the same file.",
    message="no value above is marked `&{name}`",
    help="mark one, or put the text in quotes if it is meant to start with `*`",
)
TOO_DEEP = Rule(
    code="ORC017",
    title="nested too deeply",
    cause="No field is nested like this; the parser is protected against such files.",
    message="values are nested more than {limit} levels deep",
    help="check the indentation and the brackets",
)
KEY_NOT_TEXT = Rule(
    code="ORC018",
    title="key that is not text",
    cause="All keys are texts; other keys come from missing quotes.",
    message="a key has to be text, and this one is {found}",
    help="{cure}",
    settles=True,
)
NOT_A_MAPPING = Rule(
    code="ORC019",
    title="file without keys",
    cause="At the top of a file stand keys with their values.",
    message="{what} holds keys with values, and this file holds {found}",
    help="{cure}",
)
NOT_FINITE = Rule(
    code="ORC020",
    title="number that cannot be used",
    cause="Infinity, not-a-number and numbers of many digits are no settings.",
    message="`{text}` is not a number that can be used",
    help="write a smaller number, or put it in quotes for the text",
    settles=True,
)
AMBIGUOUS_KEY = Rule(
    code="ORC021",
    title="ambiguous key",
    cause="`on:`, `no:` and `010:` are texts to some YAML readers and other things to others.",
    message="the key `{text}` is {first} in YAML 1.1 and {second} in YAML 1.2",
    help="put it in quotes: `{quoted}:`",
)
MORE_ERRORS = Rule(
    code="ORC022",
    title="more errors than are shown",
    cause="A file with hundreds of errors is often no file of its kind; the first ones are shown.",
    message="the file has more errors than the {shown} that are shown",
    help="correct these first; move a file that is no job into a folder named `data`",
)
OUR_BUG = Rule(
    code="ORC099",
    title="a fault of this program",
    cause="Reading the file failed in a way that is not the file's fault. Other files are not touched.",
    message="this file could not be judged: {reason}",
    help="report this message together with the file",
)

# ---------------------------------------------------------------- ORC1xx: the fields of one file

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

# ---------------------------------------------------------------- ORC2xx: several files

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

# ---------------------------------------------------------------- ORC3xx: variables and secrets

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

# ---------------------------------------------------------------- ORC4xx: time

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

# ---------------------------------------------------------------- ORC5xx: accepted, not acted on

NOT_ACTED_ON = Rule(
    code="ORC501",
    title="accepted, not acted on",
    cause="Files of other versions load unchanged; what has no effect here is named once a file.",
    message="accepted, and without effect in this version: {keys}",
    help="remove what is not needed",
    severity=Severity.WARNING,
)

CATALOGUE: tuple[Rule, ...] = tuple(
    sorted(
        (rule for rule in tuple(globals().values()) if isinstance(rule, Rule)),
        key=lambda rule: rule.code,
    )
)
"""All rules, by code."""
