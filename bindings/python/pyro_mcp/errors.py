"""What a call raises: one class for each error code."""

from __future__ import annotations


class PyroError(Exception):
    """A call failed. `code` is stable, `message` says what failed and why, `hint` the next step (or is empty)."""

    code = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message}\nhint: {self.hint}" if self.hint else self.message


class Invalid(PyroError):
    """The request is wrong: mend it."""

    code = "invalid"


class NotFound(PyroError):
    """What was named does not exist."""

    code = "not_found"


class Denied(PyroError):
    """It is not permitted."""

    code = "denied"


class Unavailable(PyroError):
    """The host or the guest cannot do it now."""

    code = "unavailable"


class DeadlineExceeded(PyroError):
    """It took too long."""

    code = "deadline"


class LimitReached(PyroError):
    """A stated bound was reached."""

    code = "limit"


class Conflict(PyroError):
    """The thing is in a state that does not allow it, or somebody else holds it."""

    code = "conflict"


class Damaged(PyroError):
    """Stored data does not match its record."""

    code = "damaged"


class Internal(PyroError):
    """A defect of pyro: please report it."""

    code = "internal"


_BY_CODE: dict[str, type[PyroError]] = {
    kind.code: kind
    for kind in (Invalid, NotFound, Denied, Unavailable, DeadlineExceeded, LimitReached, Conflict, Damaged, Internal)
}


def make(code: str, message: str, hint: str) -> PyroError:
    """The error of that code; the compiled module calls this."""
    return _BY_CODE.get(code, Internal)(message, hint)
