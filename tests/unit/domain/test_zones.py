from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from orchestration.domain.zones import ZoneChange, offset_at, zone_changes

BERLIN = ZoneInfo("Europe/Berlin")
SPRING = datetime(2026, 3, 29, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def test_the_changes_of_a_year_are_found_to_the_second():
    changes = list(
        zone_changes(
            BERLIN,
            start=datetime(2026, 1, 1, 12, 34, 56, 789, tzinfo=UTC),
            end=datetime(2027, 1, 1, tzinfo=UTC),
        )
    )
    assert changes == [
        ZoneChange(instant=SPRING, before=HOUR, after=2 * HOUR),
        ZoneChange(instant=datetime(2026, 10, 25, 1, tzinfo=UTC), before=2 * HOUR, after=HOUR),
    ]
    spring = changes[0]
    assert (str(spring.left), str(spring.reached)) == ("2026-03-29 02:00:00", "2026-03-29 03:00:00")


def test_a_change_at_the_end_counts_and_one_at_the_start_does_not():
    def found(start, end):
        return [change.instant for change in zone_changes(BERLIN, start=start, end=end)]

    assert found(SPRING - HOUR, SPRING) == [SPRING]
    assert found(SPRING - HOUR, SPRING - timedelta(microseconds=1)) == []
    assert found(SPRING, SPRING + HOUR) == []


def test_the_offset_is_that_of_the_instant():
    assert offset_at(BERLIN, SPRING - timedelta(microseconds=1)) == HOUR
    assert offset_at(BERLIN, SPRING) == 2 * HOUR
