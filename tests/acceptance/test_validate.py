import pytest

from orchestration import __version__

UNKNOWN_KEY = {
    "code": "ORC104",
    "severity": "error",
    "message": "unknown key `comand` in a job file",
    "file": "jobs/globex/orders.yaml",
    "line": 3,
    "column": 1,
}


@pytest.fixture
def broken(workspace):
    """One misspelt key for globex; the jobs of the others are right."""
    workspace.edit("jobs/globex/orders.yaml", "command:", "comand:")
    return workspace


@pytest.fixture
def doubtful(workspace):
    """A field of the origin that is accepted and not acted on, which is a warning."""
    workspace.write_job("initech", "true", more="catalog: {name: main}\n")
    return workspace


def without_help(problems):
    return [{key: value for key, value in p.items() if key != "help"} for p in problems]


def test_a_workspace_without_problems_is_good(workspace):
    done = workspace.run("validate")

    assert (done.code, done.out, done.err) == (
        0,
        "3 jobs, 2 schedules, 3 tenants: no problems\n",
        "",
    )


def test_scripts_get_an_empty_list_when_all_is_well(workspace):
    done = workspace.run("validate", "--output", "json")

    assert (done.code, done.json) == (0, [])


def test_scripts_get_each_problem_with_its_place_and_an_error_exits_with_2(broken):
    done = broken.run("validate", "--output", "json")

    assert done.code == 2
    assert all(list(problem)[3] == "help" and problem["help"] for problem in done.json)
    assert UNKNOWN_KEY in without_help(done.json)
    assert {problem["file"] for problem in done.json} == {"jobs/globex/orders.yaml", "runner.yaml"}


def test_people_get_each_problem_with_its_line_and_a_summary(broken):
    done = broken.run("validate", "jobs/globex")

    assert done.code == 2
    assert done.out.startswith(
        "jobs/globex/orders.yaml:3:1: error ORC104: unknown key `comand` in a job file\n"
        "    3 | comand: [sh, -c, 'echo"
    )
    assert "      | ^^^^^^ did you mean `command`?\n   help: " in done.out
    assert done.out.splitlines()[-1].endswith("in 1 file")


def test_warnings_alone_are_good_unless_strict(doubtful):
    lax, strict = doubtful.run("validate"), doubtful.run("validate", "--strict")

    assert (lax.code, strict.code) == (0, 1)
    assert lax.out == strict.out
    assert lax.out.splitlines()[-1] == "1 warning in 1 file"


def test_errors_exit_with_2_also_if_strict(broken):
    assert broken.run("validate", "--strict").code == 2


def test_paths_restrict_what_is_reported(broken):
    elsewhere = broken.run("validate", "jobs/acme", "jobs/initech/orders.yaml", "--output", "json")
    here = broken.run("validate", "jobs/globex/orders.yaml", "--output", "json")
    absolute = broken.run("validate", str(broken.folder / "jobs/globex"), "--output", "json")

    assert (elsewhere.code, elsewhere.json) == (0, [])
    assert (here.code, here.json) == (2, absolute.json)
    assert {problem["file"] for problem in here.json} == {"jobs/globex/orders.yaml"}


def test_a_path_that_does_not_exist_is_an_error(workspace):
    done = workspace.run("validate", "jobs/umbrella")

    assert (done.code, done.out, done.err) == (
        2,
        "",
        (
            "error ORC620: `jobs/umbrella` does not exist\n"
            "   help: name files or folders of the workspace\n"
        ),
    )


def test_a_path_that_holds_no_file_of_the_workspace_is_an_error(workspace):
    done = workspace.run("validate", "said")

    assert (done.code, done.out, done.err) == (
        2,
        "",
        (
            f"error ORC620: `said` holds no file of the workspace {workspace.folder}/runner.yaml\n"
            "   help: name runner.yaml, job files, or folders that hold them\n"
        ),
    )


def test_code_scanning_gets_sarif(broken):
    done = broken.run("validate", "--output", "sarif")
    [run] = done.json["runs"]

    assert (done.code, done.json["version"]) == (2, "2.1.0")
    assert run["tool"]["driver"]["semanticVersion"] == __version__
    assert run["originalUriBaseIds"] == {"WORKSPACE": {"uri": f"{broken.folder.as_uri()}/"}}
    place = {
        "artifactLocation": {"uri": "jobs/globex/orders.yaml", "uriBaseId": "WORKSPACE"},
        "region": {"startLine": 3, "startColumn": 1, "endColumn": 7},
    }
    assert {"physicalLocation": place} in [result["locations"][0] for result in run["results"]]


def test_without_a_workspace_there_is_nothing_to_validate(workspace, tmp_path):
    done = workspace.run("validate", ORCHESTRATE_RUNNER=str(tmp_path / "none"))

    assert (done.code, done.out, done.err) == (
        2,
        "",
        (
            f"error ORC605: there is no runner.yaml at `{tmp_path}/none` (ORCHESTRATE_RUNNER)\n"
            "   help: go to the folder of a runner.yaml, or name one with --runner or"
            " ORCHESTRATE_RUNNER\n"
        ),
    )


@pytest.mark.parametrize("place", ["before", "after", "environ"])
def test_the_workspace_can_be_named_in_three_ways(workspace, tmp_path, place):
    file = str(workspace.folder / "runner.yaml")
    arguments = {
        "before": ["--runner", file, "list", "jobs", "--format", "json"],
        "after": ["list", "jobs", "--format", "json", "--runner", file],
        "environ": ["list", "jobs", "--format", "json"],
    }[place]
    elsewhere = type(workspace)(folder=tmp_path, environ=workspace.environ)
    environ = {"ORCHESTRATE_RUNNER": file} if place == "environ" else {}

    done = elsewhere.run(*arguments, **environ)

    assert [job["id"] for job in done.json] == ["acme/orders", "globex/orders", "initech/orders"]
