"""Agents that run as another user than the daemon."""

import ctypes
import os
import pwd
import sys
from collections.abc import Mapping

from supervisor.domain.errors import OperatorError

_PR_CAP_AMBIENT = 47
_CLEAR_ALL = 4


class NoSuchUser(OperatorError):
    """The user that agents are to run as does not exist."""

    code = "no_such_user"


def at_home(user: str | None, environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` as `user` has it: at home in that user's folder, with no runtime folder of anybody else.

    None: the daemon's own user, and nothing is changed. Raises NoSuchUser.
    """
    if user is None:
        return dict(environment)
    try:
        known = pwd.getpwnam(user)
    except KeyError:
        raise NoSuchUser(f"there is no user {user}", hint="make it, or name another with --agents-user") from None
    kept = {name: value for name, value in environment.items() if not name.startswith("XDG_")}
    return kept | {"HOME": known.pw_dir, "USER": user, "LOGNAME": user, "SHELL": known.pw_shell or "/bin/sh"}


def keep_capabilities_to_ourselves() -> None:
    """See to it that no child inherits what the service manager gave us to end agents with (CAP_KILL).

    git and set-up commands run code of repositories that agents write in. Raises OSError.
    """
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.prctl(_PR_CAP_AMBIENT, _CLEAR_ALL, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
