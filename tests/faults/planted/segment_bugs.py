"""The walk of a segment with one bug each, as JOURNAL §12 names them."""

from activities.segment_walk import Ongoing, Walk
from domain.effects import IntentAnswer, IntentVerdict


class RepeatingWalk(Walk):
    """Makes a call again although its outcome is recorded."""

    async def _begin(self, call: Ongoing) -> IntentVerdict:
        verdict = await super()._begin(call)
        return verdict.model_copy(update={"answer": IntentAnswer.GO}) if verdict.answer is IntentAnswer.DONE else verdict


class HeedlessWalk(Walk):
    """Goes on after a cancellation."""

    def _may_call(self) -> bool:
        return not self._collect

    def _goes_on(self, following: Ongoing) -> bool:
        self._cancelled = False
        return super()._goes_on(following)
