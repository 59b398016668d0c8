"""Durable shells that drive the domain's decisions.

May import: sagas, activities (signatures), domain, temporalio.workflow.
"""
