"""What scenarios are run with: a stack of real processes that can be killed, a client that logs what was acknowledged, a report."""
