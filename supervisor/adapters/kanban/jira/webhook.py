"""Whether a webhook is the board's own. Pure."""

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from datetime import datetime, timedelta

from supervisor.domain.errors import BoardAuth

FRESH = timedelta(minutes=5)
"""How old, or how far ahead of our clock, a delivery may be."""
_PREFIX = "sha256="


def check(name: str, secret: str | None, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises BoardAuth unless it is signed with the secret, and fresh where it tells its time."""
    if not secret:
        raise BoardAuth(
            f"{name} listens to no webhook", hint="name the variable that holds its secret in `webhook_secret_env`"
        )
    signature = headers.get("x-hub-signature", "")
    expected = _PREFIX + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.strip().encode("utf-8", "replace")):
        raise BoardAuth(f"a webhook for {name} is not signed with its secret", hint="compare the secret at the board")
    sent = _sent(body)
    if sent is not None and abs(now.timestamp() - sent) > FRESH.total_seconds():
        raise BoardAuth(f"a webhook for {name} is too old", hint="is this machine's clock right? a replay is refused")


def _sent(body: bytes) -> float | None:
    """Seconds since the epoch; None where it tells no time."""
    try:
        told = json.loads(body)
    except (ValueError, RecursionError):
        return None
    value = told.get("timestamp") if isinstance(told, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value / 1000
