"""The root of the error tree, and all of it. Pure."""

from typing import ClassVar


class StandfastError(Exception):
    """Root of the tree. `detail` is a sentence for a person; `where` points at the place in the input, if any."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False
    title: ClassVar[str] = "Something went wrong inside Standfast"

    def __init__(self, detail: str, *, where: str | None = None, retry_after_s: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.where = where
        self.retry_after_s = retry_after_s


def error_classes() -> list[type[StandfastError]]:
    """Return every class of the tree, root first, in the order of definition."""
    found: list[type[StandfastError]] = [StandfastError]
    for error in found:
        found.extend(error.__subclasses__())
    return found
