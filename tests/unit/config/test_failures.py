"""Who says what follows a failure: the job, else its source connector, else the whole workspace."""

import signal
from datetime import timedelta

import pytest

from orchestration.domain.backoff import Jitter
from orchestration.domain.breaker import BreakerPolicy
from orchestration.domain.retry import (
    NO_RETRIES,
    Disposition,
    ErrorClass,
    RetryBudget,
    RetryPolicy,
)

RUNNER = """\
runner:
  retry_config: {max_retries: 7, jitter: full, retryable_exit_codes: [2, 3]}
  breaker: {failures: 9, open_for: 1h}
  run_timeout: 2h
  retry: {in_run_seconds: 0.5}
  connectors:
    shop:
      retry_config: {initial_delay_seconds: 30, jitter: decorrelated}
      breaker: {failures: 2}
    command: {retry_config: {max_retries: 1}}
"""
OF_ALL = RetryPolicy(max_retries=7, jitter=Jitter.FULL, retryable_exit_codes=frozenset({2, 3}))
OF_SHOP = RetryPolicy(
    max_retries=7,
    initial_delay=timedelta(seconds=30),
    jitter=Jitter.DECORRELATED,
    retryable_exit_codes=frozenset({2, 3}),
)
JOBS = {
    "acme": "command: [x]\nsource_connector: shop\n",
    "globex": "command: [x]\nsource_connector: bank\n",
    "initech": "command: [x]\n",
}


def load_jobs(load, runner=RUNNER, more="", **arguments):
    files = {f"jobs/{tenant}/orders.yaml": text + more for tenant, text in JOBS.items()}
    workspace = load({"runner.yaml": runner, **files}, **arguments)
    assert [p for p in workspace.problems if p.is_error] == []
    return {job.tenant: job for job in workspace.jobs}


def load_policy(load, config, runner="runner: {}\n", **arguments):
    files = {"jobs/acme/orders.yaml": f"command: [x]\nretry_config: {config}\n"}
    workspace = load({"runner.yaml": runner, **files}, **arguments)
    assert [p for p in workspace.problems if p.is_error] == []
    return workspace.jobs[0].retry


def test_a_job_that_says_nothing_has_what_its_source_connector_has_then_what_all_have(load):
    jobs = load_jobs(load)

    assert {tenant: job.retry for tenant, job in jobs.items()} == {
        "acme": OF_SHOP,
        "globex": OF_ALL,
        "initech": RetryPolicy(
            max_retries=1, jitter=Jitter.FULL, retryable_exit_codes=frozenset({2, 3})
        ),
    }


def test_a_job_wins_key_by_key(load):
    jobs = load_jobs(load, more="retry_config: {max_retries: 2, retryable_exit_codes: [4]}\n")

    assert jobs["acme"].retry == RetryPolicy(
        max_retries=2,
        initial_delay=timedelta(seconds=30),
        jitter=Jitter.DECORRELATED,
        retryable_exit_codes=frozenset({4}),
    )
    assert jobs["globex"].retry == RetryPolicy(
        max_retries=2, jitter=Jitter.FULL, retryable_exit_codes=frozenset({4})
    )


def test_an_empty_retry_config_of_a_job_asks_for_what_is_inherited(load):
    jobs = load_jobs(load, more="retry_config: {}\n")

    assert (jobs["acme"].retry, jobs["globex"].retry) == (OF_SHOP, OF_ALL)


def test_a_job_can_do_without_the_retries_of_the_others(load):
    jobs = load_jobs(load, more="retry_config: {max_retries: 0}\n")

    assert {job.retry.max_retries for job in jobs.values()} == {0}


def test_the_old_spelling_in_a_job_wins_over_the_new_one_in_runner_yaml(load):
    jobs = load_jobs(load, more="retry_config: {retry_delay_seconds: 1, retryable_errors: [x]}\n")

    assert jobs["acme"].retry.initial_delay == timedelta(seconds=1)
    assert jobs["acme"].retry.retryable_error_patterns == ("x",)


def test_where_nobody_says_anything_nothing_is_repeated_and_nothing_breaks(load):
    jobs = load_jobs(load, runner="runner: {}\n")

    assert {job.retry for job in jobs.values()} == {NO_RETRIES}
    assert {job.breaker for job in jobs.values()} == {None}


def test_the_default_of_retries_is_that_of_the_key_wherever_it_stands(load):
    jobs = load_jobs(load, runner="runner: {retry_config: {jitter: equal}}\n")

    assert jobs["acme"].retry == RetryPolicy(max_retries=3, jitter=Jitter.EQUAL)


def test_a_connector_wins_over_the_breaker_of_all_key_by_key(load):
    jobs = load_jobs(load)

    assert jobs["acme"].breaker == BreakerPolicy(failures=2, open_for=timedelta(hours=1))
    assert jobs["globex"].breaker == BreakerPolicy(failures=9, open_for=timedelta(hours=1))
    assert jobs["initech"].breaker == jobs["globex"].breaker


def test_a_breaker_has_defaults(load):
    jobs = load_jobs(load, runner="runner: {connectors: {shop: {breaker: {}}}}\n")

    assert jobs["acme"].breaker == BreakerPolicy()
    assert jobs["globex"].breaker is None


def test_settings_say_how_long_a_run_may_take_and_a_retry_wait_in_it(load):
    settings = load({"runner.yaml": RUNNER}).settings

    assert (settings.run_timeout, settings.retry_in_run) == (
        timedelta(hours=2),
        timedelta(seconds=0.5),
    )
    default = load({"runner.yaml": "runner: {}\n"}).settings
    assert (default.run_timeout, default.retry_in_run) == (
        timedelta(hours=24),
        timedelta(seconds=60),
    )


def test_a_job_may_say_how_long_its_runs_take(load):
    jobs = load_jobs(load, more="run_timeout: 15m\n")

    assert jobs["acme"].run_timeout == timedelta(minutes=15)
    assert load_jobs(load)["acme"].run_timeout is None


@pytest.mark.parametrize(
    ("timeout", "more", "problems"),
    [
        ("2h", "", []),
        ("3h", "", ["`timeout` is 3h, above the `run_timeout` of 2h"]),
        ("3h", "run_timeout: 4h\n", []),
        ("30m", "run_timeout: 20m\n", ["`timeout` is 30m, above the `run_timeout` of 20m"]),
    ],
)
def test_a_timeout_that_never_applies_is_told(load, timeout, more, problems):
    text = f"command: [x]\ntimeout: {timeout}\n{more}"
    runner = "runner: {run_timeout: 2h}\n"

    workspace = load({"runner.yaml": runner, "jobs/acme/orders.yaml": text})

    assert [problem.message for problem in workspace.problems] == problems


def test_all_keys_of_a_policy_are_read(load):
    config = """
  max_retries: 4
  initial_delay_seconds: 1.5
  max_delay_seconds: 90
  backoff_multiplier: 3
  jitter: equal
  retryable_exit_codes: [2, 75]
  retryable_error_patterns: [reset]
  non_retryable_error_patterns: [denied, "^fatal"]
  retry_on_signal: [SIGKILL, SIGBUS]
  retry_on_timeout: true
  error_classes:
    - {name: auth, disposition: permanent, patterns: ["401"]}
    - {name: row, disposition: discardable, exit_codes: [9], patterns: [bad row]}
  budget: {retries: 20, per: 1h}
"""
    assert load_policy(load, config) == RetryPolicy(
        max_retries=4,
        initial_delay=timedelta(seconds=1.5),
        max_delay=timedelta(seconds=90),
        backoff_multiplier=3.0,
        jitter=Jitter.EQUAL,
        retryable_exit_codes=frozenset({2, 75}),
        retryable_error_patterns=("reset",),
        non_retryable_error_patterns=("denied", "^fatal"),
        retry_on_signal=frozenset({signal.SIGKILL, signal.SIGBUS}),
        retry_on_timeout=True,
        error_classes=(
            ErrorClass(name="auth", disposition=Disposition.PERMANENT, patterns=("401",)),
            ErrorClass(
                name="row",
                disposition=Disposition.DISCARDABLE,
                exit_codes=frozenset({9}),
                patterns=("bad row",),
            ),
        ),
        budget=RetryBudget(retries=20, per=timedelta(hours=1)),
    )


@pytest.mark.parametrize("config", ["budget:", "error_classes:", "retryable_error_patterns:"])
def test_a_key_without_a_value_does_away_with_what_is_inherited(load, config):
    inherited = (
        "{budget: {retries: 1, per: 1s}, retryable_error_patterns: [x], "
        "error_classes: [{name: x, disposition: permanent, exit_codes: [2]}]}"
    )
    runner = f"runner: {{retry_config: {inherited}}}\n"

    policy = load_policy(load, f"{{{config} }}", runner=runner)

    field = config.rstrip(":")
    assert getattr(policy, field) == getattr(RetryPolicy(), field)
    assert policy != RetryPolicy(max_retries=3)


@pytest.mark.parametrize(
    ("written", "signals"),
    [
        ("[SIGKILL]", {signal.SIGKILL}),
        ("SIGSEGV", {signal.SIGSEGV}),
        ("false", set()),
        ("[]", set()),
    ],
)
def test_signals_are_named(load, written, signals):
    assert load_policy(load, f"{{retry_on_signal: {written}}}").retry_on_signal == signals


@pytest.mark.parametrize("written", ["true", "'${ANY}'"])
def test_all_signals_are_those_that_cancel_nothing(load, written):
    policy = load_policy(load, f"{{retry_on_signal: {written}}}", environ={"ANY": "true"})

    assert {signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT} < policy.retry_on_signal
    assert policy.retry_on_signal.isdisjoint({signal.SIGINT, signal.SIGTERM})


def test_the_last_good_runner_yaml_goes_on_saying_it_for_jobs(load, kept):
    texts = {f"jobs/{tenant}/orders.yaml": text for tenant, text in JOBS.items()}
    broken = RUNNER.replace("run_timeout: 2h", "run_timeout: long")

    workspace = load(
        {"runner.yaml": broken, **texts}, last_good=kept({"runner.yaml": RUNNER, **texts})
    )

    assert {job.retry for job in workspace.jobs} >= {OF_SHOP, OF_ALL}
    assert workspace.settings.run_timeout == timedelta(hours=2)


def test_a_connector_of_which_only_failures_are_said_has_no_limit(load):
    files = {f"jobs/{tenant}/orders.yaml": text for tenant, text in JOBS.items()}

    assert load({"runner.yaml": RUNNER, **files}).settings.connector_limits == {}
