from pathlib import Path

import yaml

from orchestration.defs.instance import is_generated, render_instance

TEXT = render_instance(Path('/srv/e "t" l/.orchestrate'))


def test_our_coordinator_reads_the_index_of_the_state_directory():
    assert yaml.safe_load(TEXT)["run_coordinator"] == {
        "module": "orchestration.defs.coordinator",
        "class": "OrchestrationRunCoordinator",
        "config": {
            "index_file": '/srv/e "t" l/.orchestrate/index.json',
            "dequeue_interval_seconds": 1,
            "max_user_code_failure_retries": 10,
            "user_code_failure_retry_delay": 10,
        },
    }


def test_nothing_is_sent_home_and_skipped_ticks_do_not_pile_up():
    settings = yaml.safe_load(TEXT)

    assert (settings["telemetry"], settings["nux"]) == ({"enabled": False}, {"enabled": False})
    assert settings["retention"]["schedule"]["purge_after_days"]["skipped"] == 7


def test_only_a_file_with_our_mark_is_ours():
    assert is_generated(TEXT)
    assert not is_generated("telemetry: {enabled: false}\n")
    assert not is_generated(TEXT.split("\n", maxsplit=1)[1])
