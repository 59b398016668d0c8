"""The supervisor behind `standfast dev`: Temporal, PostgreSQL, worker and gateway as children of one process.

It knows processes, ports and files, not what worker and gateway do: both are command lines with environment variables,
and the database is prepared by a function the caller gives.
"""
