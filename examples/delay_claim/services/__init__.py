"""The outside world of the example: a bank and a mail service, each its own process with its own store.

They know nothing of the platform and import nothing of it, so what they have counted is evidence about it.
"""
