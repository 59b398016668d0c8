"""The outside checker (PROOF H2): judges a scenario from bank, mail, client log, database and Temporal; imports nothing of the product."""
