from orchestration.cli.schedule.live import Switch, parse_switches


def test_schedules_and_sensors_have_switches_by_the_names_of_their_entries():
    data = {
        "repositoriesOrError": {
            "nodes": [
                {
                    "schedules": [
                        {"name": "acme", "canReset": False, "scheduleState": {"status": "RUNNING"}},
                        {
                            "name": "globex",
                            "canReset": True,
                            "scheduleState": {"status": "STOPPED"},
                        },
                    ],
                    "sensors": [
                        {
                            "name": "initech__sensor",
                            "canReset": False,
                            "sensorState": {
                                "status": "STOPPED",
                                "typeSpecificData": {"lastCursor": "once 2026-06"},
                            },
                        }
                    ],
                }
            ]
        }
    }

    assert parse_switches(data) == {
        "acme": Switch(is_on=True, by_hand=False),
        "globex": Switch(is_on=False, by_hand=True),
        "initech": Switch(is_on=False, by_hand=False, cursor="once 2026-06"),
    }


def test_an_instance_that_has_loaded_nothing_has_no_switches():
    assert parse_switches({"repositoriesOrError": {"__typename": "PythonError"}}) == {}
