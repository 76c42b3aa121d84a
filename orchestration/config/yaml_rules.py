"""What can be wrong with the YAML of a file: ORC0xx."""

from __future__ import annotations

from orchestration.config.rules import Rule

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
