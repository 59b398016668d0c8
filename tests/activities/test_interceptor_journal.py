"""The journal interceptor and the journal: the database away, facts refused, other requests, other activities."""

from activities.requests import FLUSH_FACTS
from domain.effects import EffectKey, EffectState, Intent, IntentVerdict, Outcome, OutcomeVerdict
from domain.envelope import Envelope, Receipt
from domain.errors import Forbidden, StandfastError, Unavailable
from tests.activities.bench import KEY, Attempts, details, envelope, fact, paying, refused
from tests.fake_journal import FakeJournal


class Flaky(FakeJournal):
    """A journal whose database is away for the next calls."""

    intents_away = 0
    outcomes_away = 0

    async def intent(self, intent: Intent) -> IntentVerdict:
        """Raises: Unavailable while away."""
        if self.intents_away > 0:
            self.intents_away -= 1
            raise Unavailable("PostgreSQL is away")
        return await super().intent(intent)

    async def outcome(self, outcome: Outcome) -> OutcomeVerdict:
        """Raises: Unavailable while away."""
        if self.outcomes_away > 0:
            self.outcomes_away -= 1
            raise Unavailable("PostgreSQL is away")
        return await super().outcome(outcome)


class TestDatabaseAway:
    async def test_at_the_intent_lets_nothing_happen_and_is_tried_again(self) -> None:
        pay, calls = paying()
        journal = Flaky.with_run("acme", "run_00000000000000000000000001")
        journal.intents_away = 1
        attempts = Attempts(pay, journal=journal)
        error = await refused(attempts, envelope(fact(1)))
        assert (error.type, error.non_retryable, details(error).fact_head, calls) == ("unavailable", False, 0, [])
        assert error.next_retry_delay is not None
        assert (await attempts.attempt(envelope(fact(1)))).fact_head == 1

    async def test_at_the_outcome_offers_it_until_it_is_taken(self) -> None:
        pay, calls = paying()
        journal = Flaky.with_run("acme", "run_00000000000000000000000001")
        journal.outcomes_away = 1
        receipt = await Attempts(pay, journal=journal).attempt(envelope())
        assert receipt.ref is not None
        assert (len(calls), journal.effects[KEY].state) == (1, EffectState.DONE)


class TestFacts:
    async def test_that_come_again_with_other_content_stop_the_attempt(self) -> None:
        pay, calls = paying()
        attempts = Attempts(pay)
        await attempts.attempt(envelope(fact(1)))
        other = fact(1).model_copy(update={"data": {"changed": True}})
        error = await refused(attempts, envelope(other))
        assert (error.type, error.non_retryable, len(calls)) == ("fact-diverged", True, 1)

    async def test_with_a_gap_stop_the_attempt(self) -> None:
        pay, calls = paying()
        error = await refused(Attempts(pay), envelope(fact(2)))
        assert (error.type, error.non_retryable, calls) == ("fact-gap", True, [])


class TestOtherRequest:
    async def test_is_never_answered_with_a_recorded_payment(self) -> None:
        pay, calls = paying()
        attempts = Attempts(pay)
        await attempts.attempt(envelope(amount=100))
        error = await refused(attempts, envelope(amount=80))
        assert (error.type, error.non_retryable, len(calls)) == ("effect-divergent", True, 1)


class TestOtherActivities:
    async def test_have_their_errors_translated_and_no_intent(self) -> None:
        async def flush(_given: Envelope) -> Receipt:
            raise Forbidden("no")

        attempts = Attempts(flush)
        attempts.activity_type = FLUSH_FACTS
        error = await refused(attempts, envelope())
        assert (error.type, error.non_retryable) == ("forbidden", True)
        assert attempts.fake.effects == {}


def test_the_key_of_an_effect_says_nothing_of_attempts_or_temporals_run() -> None:
    assert set(EffectKey.model_fields) == {"tenant", "run", "step", "visit", "call"}
    assert issubclass(Unavailable, StandfastError)
