"""Names that vulture cannot see used: parameters that a protocol of Python or of a library demands. One line each, with who asks."""

exc_type = exc_value = traceback = None  # __exit__ and __aexit__

_ = (exc_type, exc_value, traceback)
