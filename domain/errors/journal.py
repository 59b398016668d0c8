"""What stops an attempt or a log, and what is down. Pure."""

from domain.errors.tree import StandfastError


class LogBroken(StandfastError):
    """The stored Merkle log does not fit its last signed head, or the key that should sign is another's; nothing is signed."""

    code, title = "log-broken", "The ledger's Merkle log does not fit its signed head"


class JournalError(StandfastError):
    """The effect journal stopped an attempt."""

    code, title = "journal", "The effect journal stopped this attempt"


class EffectInDoubt(JournalError):
    """A lost attempt of an at-most-once effect: a person must say whether it happened."""

    code, title = "effect-in-doubt", "It is unknown whether this effect happened"


class EffectDivergent(JournalError):
    """The same effect key came with another request digest."""

    code, title = "effect-divergent", "This effect was done before with other arguments"


class FactDiverged(JournalError):
    """A fact came again with other content."""

    code, title = "fact-diverged", "A fact came again with other content"


class FactGap(JournalError):
    """A carrier skipped a fact."""

    code, title = "fact-gap", "A fact is missing before this one"


class StaleEpoch(JournalError):
    """An attempt of an older epoch of the run."""

    code, title = "stale-epoch", "This attempt belongs to an older epoch of the run"


class RunUnlinked(JournalError):
    """An execution of a run that the run's row does not follow: a reset, or an old one that lives on."""

    code, title = "run-unlinked", "The run follows another execution"


class RunReset(JournalError):
    """The run was reset in Temporal; its execution goes on in the next epoch. Workflows answer it themselves."""

    code, title = "run-reset", "The run was reset"


class EffectSuperseded(JournalError):
    """A read was done before with another request; it is done anew, as a new visit of its step."""

    code, title = "effect-superseded", "This read was done before with other arguments"


class Unavailable(StandfastError):
    """Something is down; try again."""

    code, status, retryable, title = "unavailable", 503, True, "A part Standfast needs is not available now"


class EffectLeased(Unavailable):
    """Another attempt may still be alive; wait for its lease (`retry_after_s`)."""

    code, title = "effect-leased", "Another attempt of this effect may still be alive"
