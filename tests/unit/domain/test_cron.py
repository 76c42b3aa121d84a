import pytest

from orchestration.domain.cron import (
    CronError,
    UnevenStep,
    fires_every_hour,
    join_times,
    normalise_cron,
    shift_cron,
    uneven_steps,
)


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("0 2 * * *", "0 2 * * *"),
        ("  */15  *  * *\t* ", "*/15 * * * *"),
        ("30 2 * * 1-5", "30 2 * * 1-5"),
        ("0 0 1,15 JAN-MAR sun", "0 0 1,15 JAN-MAR sun"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 * * 7", "0 0 * * 7"),
        ("@daily", "0 0 * * *"),
        ("@Weekly", "0 0 * * 0"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_a_standard_expression_is_accepted_in_its_normal_form(text, normal):
    assert normalise_cron(text) == normal


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a cron expression has five fields, `` has 0"),
        ("0 2 * *", "a cron expression has five fields, `0 2 * *` has 4"),
        ("0 0 2 * * *", "a cron expression has five fields, `0 0 2 * * *` has 6"),
        ("@reboot", "`@reboot` is not a cron alias"),
        ("*/90 * * * *", "the step `/90` is beyond the minute field, which has 60 values"),
        ("0 */24 * * *", "the step `/24` is beyond the hour field, which has 24 values"),
        ("0 0 L * *", "`L` in the day of month field is not standard cron"),
        ("0 0 * * mon#1", "`mon#1` in the day of week field is not standard cron"),
        ("H * * * *", "`H` in the minute field is not standard cron"),
        ("0 0 ? * *", "`?` in the day of month field is not standard cron"),
        ("61 * * * *", "`61 * * * *` is not a valid cron expression (bad minute)"),
        ("5-1 * * * *", "`5-1 * * * *` is not a valid cron expression (bad minute)"),
        ("0 0 32 1 *", "`0 0 32 1 *` is not a valid cron expression (bad day-of-month)"),
        ("0 0 31 13 *", "`0 0 31 13 *` is not a valid cron expression (bad month)"),
        ("0 0 31 2 *", "`0 0 31 2 *` never fires: the date does not exist"),
        ("0 0 30 feb *", "`0 0 30 feb *` never fires: the date does not exist"),
        ("0 0 31 4,6 *", "`0 0 31 4,6 *` never fires: the date does not exist"),
        ("0 0 31 4 fri", "`0 0 31 4 *` never fires: the date does not exist"),
        ("5-5 * * * *", "the range `5-5` in the minute field is one value"),
        ("0 0 * * 7-7", "the range `7-7` in the day of week field is one value"),
        ("0 0 */2 * 5", "`*/2` in one day field beside `5` in the other is read in two ways"),
        ("0 0 13 * */2", "`*/2` in one day field beside `13` in the other is read in two ways"),
    ],
)
def test_what_would_not_fire_as_it_reads_is_refused(text, reason):
    with pytest.raises(CronError) as caught:
        normalise_cron(text)
    assert caught.value.reason == str(caught.value) == reason
    assert caught.value.help


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("*/15 */6 * * *", ()),
        ("*/45 * * * *", (UnevenStep(field="minute", step=45, size=60),)),
        ("0 */5 * * *", (UnevenStep(field="hour", step=5, size=24),)),
        ("0 0 */2 * *", ()),
    ],
)
def test_steps_that_do_not_divide_their_field_are_told(text, steps):
    assert uneven_steps(text) == steps


@pytest.mark.parametrize(
    ("expression", "minutes", "shifted"),
    [
        ("0 * * * *", 0, ("0 * * * *",)),
        ("0 * * * *", 7, ("7 * * * *",)),
        ("0 * * * *", 67, ("7 * * * *",)),
        ("*/15 * * * *", 7, ("7,22,37,52 * * * *",)),
        ("50 * * * 1-5", 5, ("55 * * * 1-5",)),
        ("0 2 * * *", 7, ("7 2 * * *",)),
        ("30 2 * * 1-5", 45, ("15 3 * * 1-5",)),
        ("0,30 2 * * *", 45, ("15 3 * * *", "45 2 * * *")),
        ("30 23 * * *", 45, ("15 0 * * *",)),
        ("0,30 23 * * *", 45, ("15 0 * * *", "45 23 * * *")),
        ("0 9-17 1 jan MON", 59, ("59 9,10,11,12,13,14,15,16,17 1 jan MON",)),
        ("0 23 * * 0", 59, ("59 23 * * 0",)),
    ],
)
def test_an_expression_is_shifted_on_the_wall_clock(expression, minutes, shifted):
    assert shift_cron(expression, minutes) == shifted


@pytest.mark.parametrize(
    ("expression", "minutes"),
    [("30 23 * * 1-5", 30), ("0 0 1 * *", 1440), ("55 * * * 0", 5), ("0 23 * jan *", 60)],
)
def test_a_shift_into_another_day_is_refused_where_days_are_chosen(expression, minutes):
    with pytest.raises(CronError) as caught:
        shift_cron(expression, minutes)
    assert caught.value.reason == (
        f"`{expression}` moved by {minutes} minutes passes midnight, into another day"
    )
    assert caught.value.help == "choose an earlier time or a smaller `spread`"


@pytest.mark.parametrize(
    ("expression", "every"),
    [
        ("0 * * * *", True),
        ("0 */1 * * 1", True),
        ("0 0-23 1 * *", True),
        ("0 0-22 * * *", False),
        ("0 */2 * * *", False),
    ],
)
def test_an_open_hour_is_known_however_it_is_written(expression, every):
    assert fires_every_hour(expression) is every


def test_times_of_the_day_are_joined_by_their_hours():
    assert join_times([0, 90, 180], "* * *") == ("0 0,3 * * *", "30 1 * * *")
    assert join_times([61, 62, 121, 122], "* * 0") == ("1,2 1,2 * * 0",)
