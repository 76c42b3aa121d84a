"""Secrets from real files and variables, in real processes of three tenants."""

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from orchestration.domain.chain import Chain
from orchestration.domain.job import CommandTask, Job, JobKind
from orchestration.domain.outcome import Outcome
from orchestration.domain.problem import Location
from orchestration.domain.retry import RetryPolicy
from orchestration.domain.secrets import EnvSecrets, FileSecrets
from orchestration.domain.workspace import Settings, Tenant, Workspace
from orchestration.errors import (
    ExposedSecretsError,
    MissingVariableError,
    OrchestrationError,
    SecretsFormatError,
    SecretsUnavailableError,
)
from orchestration.runner import prepare, run_with_retries
from orchestration.runner.secrets import open_secrets

SECRET = "correct-horse"
OTHERS_UID = 54321
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


@pytest.fixture
def keep(tmp_path: Path) -> Callable[..., Path]:
    """Writes a file that only its owner may read."""

    def write(name: str, content: str | bytes, mode: int = 0o400) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        path.chmod(mode)
        return path

    return write


def find(path: Path, *names: str) -> list[str | None]:
    provider = open_secrets(FileSecrets(path=path), {})
    return [provider.find(name) for name in names]


def refusal(path: Path, kind: type[OrchestrationError], name: str = "TOKEN") -> str:
    """The message with which a lookup is refused; it never shows what the file holds."""
    with pytest.raises(kind) as caught:
        find(path, name)
    assert SECRET not in repr((caught.value.args, str(caught.value)))
    assert caught.value.__cause__ is None
    return str(caught.value).replace(str(path.parent), "<folder>")


def test_a_file_holds_a_secret_a_line(keep):
    path = keep(
        "acme",
        "# of the shop\n"
        "\n"
        "TOKEN=correct-horse\n"
        "  KEY = with = signs and # no comment  \n"
        "SINGLE=' kept '\n"
        'DOUBLE="it\'s $HOME \\n"\n'
        "HALF='x\n"
        "EMPTY=\n"
        "_1=ünï\r\n"
        "LAST=end",
    )

    names = ("TOKEN", "KEY", "SINGLE", "DOUBLE", "HALF", "EMPTY", "_1", "LAST", "OTHER", "HOME")
    assert find(path, *names) == [
        "correct-horse",
        "with = signs and # no comment",
        " kept ",
        "it's $HOME \\n",
        "'x",
        "",
        "ünï",
        "end",
        None,
        None,
    ]


def test_a_folder_holds_a_secret_a_file(keep, tmp_path):
    keep("acme/TOKEN", "correct-horse\n")
    keep("acme/CERTIFICATE", "one\ntwo\n\n")
    keep("acme/WINDOWS", "correct\r\n", mode=0o600)
    keep("acme/BARE", "# no comment")

    names = ("TOKEN", "CERTIFICATE", "WINDOWS", "BARE", "OTHER")
    assert find(tmp_path / "acme", *names) == [
        "correct-horse",
        "one\ntwo\n",
        "correct",
        "# no comment",
        None,
    ]


def test_the_links_of_a_secret_that_kubernetes_mounts_are_followed_as_they_are_switched(
    keep, tmp_path
):
    folder = tmp_path / "acme"
    for version, value in (("..2026_01", "before"), ("..2026_02", "after")):
        keep(f"acme/{version}/TOKEN", value)
    folder.chmod(0o1777)
    (folder / "..data").symlink_to("..2026_01")
    (folder / "TOKEN").symlink_to("..data/TOKEN")
    assert find(folder, "TOKEN") == ["before"]

    (folder / "..new").symlink_to("..2026_02")
    (folder / "..new").rename(folder / "..data")

    assert find(folder, "TOKEN") == ["after"]


def test_within_an_attempt_a_secret_keeps_the_value_that_was_read_first(keep, tmp_path):
    keep("acme/TOKEN", "before")
    keep("acme.env", "TOKEN=before")
    sources = [FileSecrets(path=tmp_path / name) for name in ("acme", "acme.env")]
    providers = [open_secrets(source, {}) for source in sources]
    assert [provider.find("TOKEN") for provider in providers] == ["before", "before"]

    keep("acme/TOKEN", "after")
    keep("acme.env", "TOKEN=after")

    assert [provider.find("TOKEN") for provider in providers] == ["before", "before"]
    assert [open_secrets(source, {}).find("TOKEN") for source in sources] == ["after", "after"]


@pytest.mark.parametrize("mode", [0o440, 0o404, 0o420, 0o402, 0o410, 0o401, 0o644, 0o666, 0o777])
def test_a_file_on_which_others_have_a_right_is_refused(keep, mode: int):
    path = keep("acme", f"TOKEN={SECRET}", mode=mode)
    assert refusal(path, ExposedSecretsError) == (
        "error ORC651: others may read or write the secrets in `<folder>/acme`: its mode is "
        f"{mode:04o}\n"
        "   help: `chmod 0400 <folder>/acme`; and if others did read them, replace them"
    )


@pytest.mark.parametrize("mode", [0o400, 0o600, 0o700])
def test_a_file_that_is_for_its_owner_alone_is_read(keep, mode: int):
    assert find(keep("acme", f"TOKEN={SECRET}", mode=mode), "TOKEN") == [SECRET]


def test_of_a_folder_each_file_is_judged(keep, tmp_path):
    keep("acme/TOKEN", SECRET)
    exposed = keep("acme/KEY", SECRET, mode=0o440)

    assert find(tmp_path / "acme", "TOKEN") == [SECRET]
    with pytest.raises(ExposedSecretsError, match=re.escape(f"`{exposed}`: its mode is 0440")):
        find(tmp_path / "acme", "TOKEN", "KEY")


def test_a_link_is_judged_by_what_it_points_to(keep, tmp_path):
    exposed = keep("exposed", SECRET, mode=0o644)
    (tmp_path / "acme").mkdir()
    (tmp_path / "acme" / "TOKEN").symlink_to(exposed)

    with pytest.raises(ExposedSecretsError, match="mode is 0644"):
        find(tmp_path / "acme", "TOKEN")


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o722])
def test_a_folder_into_which_others_may_put_files_is_refused(keep, tmp_path, mode: int):
    keep("acme/TOKEN", SECRET)
    (tmp_path / "acme").chmod(mode)
    assert refusal(tmp_path / "acme", ExposedSecretsError) == (
        f"error ORC651: others may replace the secrets in `<folder>/acme`: its mode is {mode:04o}\n"
        "   help: `chmod go-w <folder>/acme`; and if others did read them, replace them"
    )


@needs_root
def test_a_file_of_somebody_else_is_refused(keep):
    path = keep("acme", f"TOKEN={SECRET}")
    os.chown(path, OTHERS_UID, -1)
    assert refusal(path, ExposedSecretsError) == (
        f"error ORC651: the secrets in `<folder>/acme` belong to user {OTHERS_UID}, who is neither "
        "root nor the user that runs the job (0)\n"
        "   help: `chown 0 <folder>/acme`"
    )


def test_a_file_that_does_not_exist_is_told_and_not_passed_over(tmp_path):
    assert refusal(tmp_path / "acme", SecretsUnavailableError) == (
        "error ORC650: there is no `<folder>/acme`, which holds the secrets of the tenant\n"
        "   help: create it, or correct `secrets.path` of the tenant in runner.yaml"
    )


def test_a_path_through_a_file_is_told(keep):
    path = keep("acme", "") / "below"
    assert refusal(path, SecretsUnavailableError) == (
        "error ORC650: the secrets in `<folder>/below` cannot be read: not a directory\n"
        "   help: let the user that runs the jobs own it, and read it: `chmod 0400`"
    )


def test_what_is_no_file_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "acme", 0o400)
    (tmp_path / "globex" / "TOKEN").mkdir(parents=True)
    for path in (tmp_path / "acme", tmp_path / "globex"):
        assert "cannot be read: it is not a regular file\n" in refusal(
            path, SecretsUnavailableError
        )


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (f"A=1\n{SECRET}\n", "line 2 of the secrets in `<folder>/acme` is no `NAME=value`"),
        (f"{SECRET}=1\n", "line 1 of the secrets in `<folder>/acme` is no `NAME=value`"),
        (f"export A={SECRET}\n", "line 1 of the secrets in `<folder>/acme` is no `NAME=value`"),
        (
            f"A={SECRET}\n#\nA=x\n",
            "line 3 of the secrets in `<folder>/acme` gives a name for the second time",
        ),
    ],
)
def test_a_line_that_is_wrong_is_named_by_its_number_and_never_shown(keep, content: str, what: str):
    assert refusal(keep("acme", content), SecretsFormatError) == (
        f"error ORC652: {what}\n"
        "   help: each line is `NAME=value`, a comment that begins with `#`, or empty; the value "
        "goes to the end of the line, and quotes around all of it are taken off"
    )


@pytest.mark.parametrize("content", [b"TOKEN=correct-horse\xff", b"TOKEN=correct-horse\0"])
def test_what_is_no_text_is_refused(keep, content: bytes):
    assert refusal(keep("acme", content), SecretsFormatError) == (
        "error ORC652: the secrets in `<folder>/acme` are no text in UTF-8 without null bytes, and "
        "cannot be variables\n"
        "   help: write binary secrets in base64, and let the job decode them"
    )


ENVIRON = {
    "PATH": os.environ["PATH"],
    "ACME_TOKEN": "secret-of-acme",
    "GLOBEX_TOKEN": "secret-of-globex",
    "TOKEN": "shared-by-all",
}


def make_workspace(folder: Path, **sources) -> Workspace:
    return Workspace(
        root=folder,
        runner_file=folder / "runner.yaml",
        settings=Settings(state_directory=folder / ".orchestrate"),
        tenants={
            name: Tenant(name=name, concurrency=1, secrets=source)
            for name, source in sources.items()
        },
    )


@pytest.fixture
def workspace(tmp_path: Path, keep) -> Workspace:
    """Three tenants: two with variables of the environment, one with a file."""
    return make_workspace(
        tmp_path,
        acme=EnvSecrets(prefix="ACME_"),
        globex=EnvSecrets(prefix="GLOBEX_"),
        initech=FileSecrets(path=keep("initech", "TOKEN=secret-of-initech\n")),
    )


def make_job(folder: Path, tenant: str, *, env: dict[str, str], script: str, **facts) -> Job:
    return Job(
        tenant=tenant,
        name="orders",
        asset="orders",
        kind=JobKind.COMMAND,
        task=CommandTask(command=("sh", "-c", script), working_directory=folder),
        location=Location(file=f"jobs/{tenant}/orders.yaml", line=1, column=1),
        env=env,
        **facts,
    )


def prepare_first(job: Job, workspace: Workspace):
    return prepare(job, workspace=workspace, environ=ENVIRON, run_id="run-1", attempt=1)


def test_three_tenants_each_get_their_own_secret_by_the_same_name(attempt, workspace, tmp_path):
    for tenant in workspace.tenants:
        job = make_job(
            tmp_path,
            tenant,
            env={"T": "${TOKEN}"},
            script='echo "$T" > $ORCHESTRATE_TENANT.saw; env',
        )
        spec = prepare_first(job, workspace)
        result = attempt.run(*spec.argv, environ=spec.environ, secrets=spec.secrets)
        assert result.outcome is Outcome.SUCCEEDED

    saw = {tenant: (tmp_path / f"{tenant}.saw").read_text() for tenant in workspace.tenants}
    assert saw == {tenant: f"secret-of-{tenant}\n" for tenant in workspace.tenants}
    said = [line for _, line in attempt.lines]
    assert [line for line in said if line.startswith("T=")] == ["T=***"] * 3
    assert not [line for line in said if "secret-of" in line or "shared-by" in line]


@pytest.mark.parametrize("tenant", ["acme", "globex", "initech"])
def test_no_tenant_can_name_the_secrets_of_another_one(workspace, tmp_path, tenant: str):
    own = f"{tenant.upper()}_TOKEN"
    foreign = sorted({"ACME_TOKEN", "GLOBEX_TOKEN"} - {own})
    for name in foreign:
        owner = name.partition("_")[0].lower()
        with pytest.raises(MissingVariableError) as caught:
            prepare_first(
                make_job(tmp_path, tenant, env={"T": f"${{{name}}}"}, script="true"), workspace
            )
        assert caught.value.help.endswith(
            f", environment; `{name}` of the environment belongs to tenant `{owner}`"
        )
        spec = prepare_first(
            make_job(tmp_path, tenant, env={"T": f"${{{name}:-nothing}}"}, script="true"), workspace
        )
        assert spec.environ["T"] == "nothing"


def test_a_missing_secret_is_told_with_every_place_that_was_looked_in(workspace, tmp_path):
    helps = {}
    for tenant in workspace.tenants:
        with pytest.raises(MissingVariableError) as caught:
            prepare_first(
                make_job(tmp_path, tenant, env={"T": "${API_KEY}"}, script="true"), workspace
            )
        assert caught.value.reason == (
            f"job `{tenant}/orders` needs a variable that has no value: `API_KEY` (for env.T)"
        )
        helps[tenant] = caught.value.help.partition("; all of these places were looked in, ")[2]

    assert helps == {
        "acme": "in the order `--env`, job, tenant, variables `ACME_<NAME>`, environment",
        "globex": "in the order `--env`, job, tenant, variables `GLOBEX_<NAME>`, environment",
        "initech": f"in the order `--env`, job, tenant, `{tmp_path / 'initech'}`, environment",
    }


def test_a_variable_of_another_tenant_is_not_inherited_either(tmp_path):
    workspace = make_workspace(tmp_path, acme=EnvSecrets(prefix="HTTPS_"), globex=None)
    environ = {**ENVIRON, "HTTPS_PROXY": "http://ada:hunter2@proxy"}
    saw = {
        tenant: "HTTPS_PROXY"
        in prepare(
            make_job(tmp_path, tenant, env={}, script="true"),
            workspace=workspace,
            environ=environ,
            run_id="run-1",
            attempt=1,
        ).environ
        for tenant in workspace.tenants
    }
    assert saw == {"acme": True, "globex": False}


def test_a_secret_that_is_rotated_is_in_force_and_masked_at_the_next_attempt(
    attempt, keep, tmp_path
):
    workspace = make_workspace(tmp_path, acme=FileSecrets(path=tmp_path / "acme"))
    keep("acme", "TOKEN=the-old-one")
    job = make_job(
        tmp_path,
        "acme",
        env={"T": "${TOKEN}"},
        script='echo "$T" >> saw; echo "using $T"; test "$T" = the-new-one',
        retry=RetryPolicy(max_retries=3),
    )
    lines = []

    def prepare_attempt(number: int):
        return prepare(job, workspace=workspace, environ=ENVIRON, run_id="run-1", attempt=number)

    result = run_with_retries(
        Chain.of(job, workspace.settings, "run-1"),
        prepare_attempt,
        on_output=lambda _, line: lines.append(line),
        on_event=lambda _: None,
        on_log=lambda _: None,
        sleep=lambda _: keep("acme", "TOKEN=the-new-one") and None,
    )

    assert (result.outcome, result.attempt) == (Outcome.SUCCEEDED, 2)
    assert (tmp_path / "saw").read_text() == "the-old-one\nthe-new-one\n"
    assert lines == ["using ***", "using ***"]
