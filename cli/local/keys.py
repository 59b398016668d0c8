"""`standfast keys create` and `standfast keys revoke`."""

from dataclasses import asdict

from cli.exit_codes import ExitCode
from cli.options import KeyOptions, RevokeOptions
from cli.screen import clean, note, say, show_json
from domain.errors import NotFound, StandfastError, Unavailable
from wiring.api_keys import create_key_command, revoke_key_command


def run(options: KeyOptions | RevokeOptions) -> int:
    """Make a key and show it this once, or revoke one."""
    try:
        return _revoke(options) if isinstance(options, RevokeOptions) else _create(options)
    except StandfastError as error:
        note(clean(f"error: {error.detail}"))
        if isinstance(error, Unavailable):
            return ExitCode.UNAVAILABLE
        return ExitCode.NOT_FOUND if isinstance(error, NotFound) else ExitCode.USAGE


def _create(options: KeyOptions) -> int:
    made = create_key_command(options.tenant, name=options.name, role=options.role, reviewer_roles=options.reviewer_roles)
    if options.json_output:
        show_json(asdict(made))
        return ExitCode.OK
    say(made.key)
    note(f"{made.principal} is {made.role} in tenant {made.tenant}, and its key is shown this once")
    note(f"to end it: standfast keys revoke {made.key_id}")
    return ExitCode.OK


def _revoke(options: RevokeOptions) -> int:
    key_id = revoke_key_command(options.tenant, options.key_id)
    if options.json_output:
        show_json({"key_id": key_id})
    else:
        note(clean(f"revoked {key_id}"))
    return ExitCode.OK
