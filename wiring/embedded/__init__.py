"""The embedded stack: where a real Temporal server and a real PostgreSQL come from on a machine that has neither.

Nothing here decides when to start or stop a server; that is `wiring.dev`. These modules find or build the program,
give its command line, and say when it is ready.
"""
