import pytest

from orchestration.domain.cron import CronError, UnevenStep, normalise_cron, uneven_steps


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
