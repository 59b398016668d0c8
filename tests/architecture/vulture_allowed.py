"""Names that vulture cannot see used: parameters that a protocol of Python or of a library demands. One line each, with who asks."""

exc_type = exc_value = traceback = None  # __exit__ and __aexit__

force = filters = ignore_removed = None  # the Docker SDK's own parameter names, in a Protocol of it
arg = result_type = None  # the Temporal SDK's own parameter names, in a Protocol of it
speaking = None  # a module imported late, in a quoted type
syscall = None  # pyseccomp's own parameter name, in a Protocol of it

_ = (exc_type, exc_value, traceback, force, filters, ignore_removed, arg, result_type, syscall, speaking)
