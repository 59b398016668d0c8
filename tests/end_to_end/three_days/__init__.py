"""Three days of approvals on one virtual clock: the parts of the scenario in tests/end_to_end/test_three_days.py."""
