"""What things are, and every pure decision: definitions, stepper, approvals, ledger, money.

May import: the standard library without clock, environment, I/O and randomness; pydantic; and, by ADR, each behind one
module, cel-expr-python, rfc8785, jsonschema-rs and semantic-version.
"""
