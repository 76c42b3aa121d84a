"""Whatever happens to a breaker and a budget, in whatever order: what they promise holds."""

from collections import deque
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from orchestration.domain.breaker import CLOSED, Breaker, BreakerPolicy, BreakerState
from orchestration.domain.budget import KEPT_AT_LEAST, SpentRetries
from orchestration.domain.retry import RetryBudget

START = datetime(2026, 1, 1, tzinfo=UTC)
SECONDS = st.integers(0, 1200).map(lambda seconds: timedelta(seconds=seconds))
SPANS = st.integers(1, 900).map(lambda seconds: timedelta(seconds=seconds))
POLICIES = st.builds(BreakerPolicy, failures=st.integers(1, 5), within=SPANS, open_for=SPANS)
BUDGETS = st.builds(RetryBudget, retries=st.integers(1, 6), per=SPANS)
CLAIMANTS = ("acme_hourly 1", "acme_hourly 2", "acme_daily 1")


class BreakerMachine(RuleBasedStateMachine):
    """A breaker beside a plain account of what happened to it."""

    @initialize(policy=POLICIES)
    def begin(self, policy):
        self.policy = policy
        self.breaker = CLOSED
        self.now = START
        self.failures: list[datetime] = []  # since the last success
        self.opened: datetime | None = None
        self.probe: tuple[str, datetime] | None = None

    @rule(wait=SECONDS)
    def time_passes(self, wait):
        self.now += wait

    @rule(lasted=SECONDS)
    def an_attempt_fails(self, lasted):
        began = self.now - lasted
        was_half_open = self._is_half_open() and began >= self.opened
        self.breaker = self.breaker.record_failure(self.policy, self.now, began)
        self.failures.append(self.now)
        recent = [at for at in self.failures if self.now - at <= self.policy.within]
        opens = self.opened is None and len(recent) >= self.policy.failures
        if opens or was_half_open:
            self.opened, self.probe = self.now, None

    @rule()
    def an_attempt_succeeds(self):
        self.breaker = CLOSED
        self.failures, self.opened, self.probe = [], None, None

    @rule(claimant=st.sampled_from(CLAIMANTS))
    def a_scheduled_run_asks(self, claimant):
        after = self.breaker.admit(self.policy, claimant, self.now)
        if self.opened is None:
            assert after == self.breaker
        elif not self._is_half_open():
            assert after is None
        elif self.probe and self.now - self.probe[1] < self.policy.open_for:
            assert (after is not None) is (claimant == self.probe[0])
        else:
            assert after is not None
            self.probe = (claimant, self.now)
        self.breaker = after or self.breaker

    @rule()
    def it_is_written_and_read(self):
        self.breaker = Breaker.from_json(self.breaker.to_json())

    @invariant()
    def it_is_in_the_state_that_the_account_says(self):
        if self.opened is None:
            expected = BreakerState.CLOSED
        else:
            expected = BreakerState.HALF_OPEN if self._is_half_open() else BreakerState.OPEN
        assert self.breaker.state(self.policy, self.now) is expected

    @invariant()
    def it_does_not_grow(self):
        assert len(self.breaker.failures) <= self.policy.failures

    @invariant()
    def what_it_says_names_its_state(self):
        text = self.breaker.explain(self.policy, self.now)
        assert text.startswith(self.breaker.state(self.policy, self.now))

    def _is_half_open(self) -> bool:
        return self.opened is not None and self.now - self.opened >= self.policy.open_for


TestBreaker = BreakerMachine.TestCase


@given(budgets=st.lists(BUDGETS, min_size=1, max_size=3), data=st.data())
def test_no_budget_is_exceeded_in_any_stretch_of_its_time(budgets, data):
    spent, now = SpentRetries(), START
    granted: deque[datetime] = deque()
    for _ in range(data.draw(st.integers(0, 40))):
        now += data.draw(SECONDS)
        budget = data.draw(st.sampled_from(budgets))
        counted = [at for at in granted if now - at < budget.per]
        after = spent.spend(budget, now)
        assert (after is not None) is (len(counted) < budget.retries)
        if after is not None:
            granted.append(now)
            spent = SpentRetries.from_json(after.to_json())
        assert len(spent.at) <= KEPT_AT_LEAST
