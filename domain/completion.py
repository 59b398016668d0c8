"""A person's answer to a human task, as it travels to its run with the gateway's word for it. Pure."""

from typing import Literal

from pydantic import JsonValue

from domain.attestation import attestation_of, holds
from domain.model import Wire


class TaskCompletion(Wire):
    """The signal `complete_task`: a person's answer to an effect in doubt; `attestation` is the gateway's word for it.

    `resolution` is `happened` (then `output` is the outcome), `did_not_happen` (the effect is done anew) or `give_up` (the step
    fails); of a person's work it is `completed`, with `output` as it was filled in and stored under `ref`. `late` says that the lost
    attempt's own outcome arrived (`did_not_happen`: it failed): the journal already has it.
    """

    task: str
    resolution: Literal["happened", "did_not_happen", "give_up", "completed"]
    output: JsonValue = None
    principal: str = ""
    late: bool = False
    ref: str | None = None
    attestation: str = ""


def attest_completion(key: bytes, *, tenant: str, run: str, completion: TaskCompletion) -> TaskCompletion:
    """Return the answer with the gateway's word that this principal gave it.

    Raises:
        InvalidInput: its output has no canonical form.
    """
    return completion.model_copy(update={"attestation": attestation_of(key, _said(tenant, run, completion))})


def completion_attested(key: bytes, *, tenant: str, run: str, completion: TaskCompletion) -> bool:
    """Whether the attestation is the gateway's.

    Raises:
        InvalidInput: its output has no canonical form.
    """
    return holds(key, _said(tenant, run, completion), completion.attestation)


def _said(tenant: str, run: str, completion: TaskCompletion) -> dict[str, JsonValue]:
    unsaid = {"attestation"} if completion.ref is not None else {"attestation", "ref"}  # as before there was a `ref`
    return {"tenant": tenant, "run": run, "completion": completion.model_dump(mode="json", exclude=unsaid)}
