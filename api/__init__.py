"""The gateway: HTTP in, validated requests to stores and Temporal out.

May import: domain, workflows.messages, temporalio.client, temporalio.common, temporalio.service, temporalio.exceptions,
fastapi; only `api.main` imports wiring.
"""
