"""The gateway over fake stores and a fake Temporal."""
