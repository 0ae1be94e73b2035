"""Who uses this program. Verdicts are recorded under that name."""

import getpass
import re
from functools import cache

_NAME = re.compile(r"[!-~]([ -~]{0,62}[!-~])?")
"""What a header can say, and the daemon takes."""


@cache
def login() -> str | None:
    """The user's login name; None where the system knows none, or none that can be said."""
    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        return None
    return name if _NAME.fullmatch(name) else None
