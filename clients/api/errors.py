"""What can go wrong between a client and the daemon. Each says what happened and what to do next."""

from collections.abc import Mapping


class ApiError(Exception):
    """What every failure of a call derives from."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        """What a person can do about it, as a sentence; may be empty."""


class NoDaemon(ApiError):
    """No daemon listens where one was looked for."""


class BadAnswer(ApiError):
    """Something answered, but not as a daemon of this version does. Whether the act happened is unknown."""


class TooSlow(ApiError):
    """The daemon did not answer in time. Whether the act happened is unknown; the activity tells."""


class Refused(ApiError):
    """The daemon understood and did not do it."""

    def __init__(
        self,
        code: str,
        message: str,
        hint: str = "",
        status: int = 0,
        fields: Mapping[str, str] | None = None,
        data: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, hint)
        self.code = code
        """Stable; what programs switch on."""
        self.status = status
        """The HTTP status."""
        self.fields: Mapping[str, str] = fields or {}
        """One sentence for each wrong field."""
        self.data: Mapping[str, str] = data or {}
        """Facts to show or act on, such as the `agent_id` that holds a ticket."""
