"""An edit of runner.yaml changes one schedule, and not one character beside it."""

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestration.config.edit import add_schedule, remove_schedule, set_enabled

JOBS = ("jobs/acme/orders.yaml", "jobs/globex/users.yaml", "jobs/initech/reports.yaml")
TRIGGERS = (
    'cron: "0 2 * * *"',
    "cron: ['0 2 * * *', '@daily']",
    "interval_seconds: 90",
    "once: größe # die Größe",
    "start: 2026-01-01\n",
)
BLANKS = st.sampled_from(["", "", "\n", "  \n", "\n\n"])


class Comments:
    """Comments that differ from each other."""

    def __init__(self):
        self.count = 0

    def take(self, draw, indentation=0):
        """One or no comment on a line of its own."""
        if not draw(st.booleans()):
            return ""
        self.count += 1
        return f"{' ' * indentation}# note {self.count}: é, 💡 - name: x\n"

    def trail(self, draw):
        """One or no comment at the end of a line."""
        self.count += 1
        return f"  # tail {self.count}" if draw(st.booleans()) else ""


@st.composite
def entries(draw, comments, name, depth, gap):
    """The lines of an entry, in any style, and the comment above it."""
    quote = draw(st.sampled_from(["", "'", '"']))
    trigger = draw(st.sampled_from(TRIGGERS)).rstrip("\n")
    fields = [f"name: {quote}{name}{quote}", f"config: {draw(st.sampled_from(JOBS))}", trigger]
    if draw(st.booleans()):
        fields.append(f"enabled: {draw(st.sampled_from(['true', 'false', 'True']))}")
    fields = draw(st.permutations(fields))
    if draw(st.booleans()):
        fields.append("tags: {a: b}")
    above = comments.take(draw, depth)
    if draw(st.integers(0, 3)) == 0:
        flat = [field.partition(" # ")[0] for field in fields]
        text = f"{' ' * depth}-{gap}{{{', '.join(flat)}}}{comments.trail(draw)}\n"
        return above, text
    lines = []
    for number, field in enumerate(fields):
        start = f"{' ' * depth}-{gap}" if number == 0 else " " * (depth + 1 + len(gap))
        lines += [start + field + ("" if " # " in field else comments.trail(draw)) + "\n"]
        lines += [comments.take(draw, depth + 2)] if number + 1 < len(fields) else []
    return above, "".join(lines)


@st.composite
def runner_files(draw):
    """A runner.yaml with comments, in any layout, and for each schedule the comment above it."""
    comments, step = Comments(), draw(st.sampled_from([2, 4]))
    depth = 2 * step + draw(st.sampled_from([0, 2, step]))
    gap = draw(st.sampled_from([" ", "   "]))
    names = [f"s{number}" for number in range(draw(st.integers(1, 4)))]
    owned, parts = {}, [comments.take(draw), f"runner:{comments.trail(draw)}\n"]
    parts += [draw(BLANKS), f"{' ' * step}orchestrator:\n", comments.take(draw, 2 * step)]
    parts += [f"{' ' * 2 * step}schedules:{comments.trail(draw)}\n"]
    for name in names:
        above, text = draw(entries(comments, name, depth, gap))
        owned[name] = above.strip()
        parts += [draw(BLANKS), above, text]
    if draw(st.booleans()):
        parts += [draw(BLANKS), f"{' ' * 2 * step}max_concurrent_runs: 5\n"]
    parts += [
        draw(BLANKS),
        f"{' ' * step}tenants: {{acme: {{concurrency: 2}}}}{comments.trail(draw)}\n",
    ]
    text = "".join(parts)
    text = text.rstrip("\n") if draw(st.booleans()) else text
    text = text.replace("\n", "\r\n") if draw(st.booleans()) else text
    return ("\ufeff" if draw(st.booleans()) else "") + text, owned


def read(text):
    """What another reader of YAML makes of the file."""
    data = yaml.load(text.removeprefix("\ufeff"), yaml.BaseLoader)
    return data, data["runner"]["orchestrator"]["schedules"] or []


def assert_one_piece_differs(short, long):
    """`long` is `short` with one piece put in."""
    pairs = enumerate(zip(short, long, strict=False))
    start = next((index for index, (one, other) in pairs if one != other), len(short))
    assert long.endswith(short[start:])


@settings(max_examples=150, deadline=None)
@given(runner_files(), st.data())
def test_switching_a_schedule_changes_one_word_or_adds_one_line(file, data):
    text, owned = file
    name = data.draw(st.sampled_from(sorted(owned)))
    enabled = data.draw(st.booleans())
    expected, schedules = read(text)
    entry = next(entry for entry in schedules if entry["name"] == name)
    was = entry.get("enabled", "true").lower() == "true"

    edited = set_enabled(text, name, enabled)

    if was == enabled:
        assert edited == text
        return
    if "enabled" in entry:
        before, after = text.splitlines(), edited.splitlines()
        changed = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
        ((old, new),) = changed
        assert old.lower().replace("true", "X").replace("false", "X") == new.lower().replace(
            "true", "X"
        ).replace("false", "X")
    else:
        assert_one_piece_differs(text, edited)
    entry["enabled"] = str(enabled).lower()
    assert read(edited)[0] == expected
    assert set_enabled(edited, name, was).count("\n") == edited.count("\n")


@settings(max_examples=150, deadline=None)
@given(runner_files(), st.data())
def test_removing_a_schedule_takes_its_lines_and_its_comment_in_one_piece(file, data):
    text, owned = file
    name = data.draw(st.sampled_from(sorted(owned)))
    expected, schedules = read(text)

    edited = remove_schedule(text, name)

    assert_one_piece_differs(edited, text)
    assert [entry["name"] for entry in read(edited)[1]] == [n for n in owned if n != name]
    kept = [entry for entry in schedules if entry["name"] != name]
    expected["runner"]["orchestrator"]["schedules"] = kept or ""
    assert read(edited)[0] == expected
    for other, comment in owned.items():
        assert (comment in edited) == (other != name or not comment)


@settings(max_examples=150, deadline=None)
@given(runner_files())
def test_an_added_schedule_is_the_last_one_and_can_be_taken_away_again(file):
    text, _ = file
    fields = {"cron": ["0 2 * * *"], "name": "new", "config": JOBS[0], "tags": {"x": "yes"}}
    expected, schedules = read(text)

    edited = add_schedule(text, fields)

    assert_one_piece_differs(text, edited)
    schedules.append(fields)
    assert read(edited)[0] == expected
    assert remove_schedule(edited, "new") == text
