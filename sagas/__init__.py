"""The undo stack and its rules, deterministic.

May import: domain, activities (signatures), temporalio.workflow, temporalio.common, temporalio.exceptions.
"""
