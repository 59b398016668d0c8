"""Temporal activities: thin classes with injected ports; timeouts and retry posture stand in one table (`options.py`).

May import: domain, temporalio.activity, temporalio.common, temporalio.exceptions; `interceptor.py` alone temporalio.worker.
"""
