"""The stand-alone verifier: checks an evidence bundle offline. It needs `cryptography` and shares no code with the platform.

`read_bundle` reads a file, `verify_bundle` checks it; `standfast-verify bundle FILE` does both.
"""

from standfast_verify.bundle import Bundle, PublicKey, TreeHead, bundle_of, read_bundle
from standfast_verify.findings import BadInput, Problem, Report, Verdict
from standfast_verify.trust import Remembered, read_heads, read_keys
from standfast_verify.verification import verify_bundle

__all__ = [
    "BadInput",
    "Bundle",
    "Problem",
    "PublicKey",
    "Remembered",
    "Report",
    "TreeHead",
    "Verdict",
    "bundle_of",
    "read_bundle",
    "read_heads",
    "read_keys",
    "verify_bundle",
]
