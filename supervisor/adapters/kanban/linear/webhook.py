"""Whether a webhook is Linear's, and fresh. Pure."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime

from supervisor.domain.errors import BoardAuth

WINDOW = 60.0
"""Seconds between Linear's clock and ours: an older delivery may be a replay."""


def check(secret: str | None, headers: Mapping[str, str], body: bytes, now: datetime) -> None:
    """Raises BoardAuth unless the raw body bears Linear's signature and a time of now."""
    if not secret:
        raise BoardAuth("no webhook is configured here", hint="name its secret with `webhook_secret_env`")
    wanted = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    given = headers.get("linear-signature", "").strip().lower()
    if not hmac.compare_digest(wanted.encode(), given.encode("utf-8", "replace")):
        raise BoardAuth(
            "the webhook's signature is not that of its secret",
            hint="is `webhook_secret_env` the signing secret that Linear shows for this webhook?",
        )
    sent = _sent(headers, body)
    if sent is None or not abs(now.timestamp() - sent) <= WINDOW:  # so that NaN is refused, too
        raise BoardAuth("the webhook is not fresh", hint="is this machine's clock right?")


def _sent(headers: Mapping[str, str], body: bytes) -> float | None:
    """When Linear sent it, in seconds since the epoch; the body tells it in milliseconds, or else a header."""
    try:
        parsed = json.loads(body)
        stamp = parsed.get("webhookTimestamp") if isinstance(parsed, dict) else None
        return float(headers.get("linear-timestamp", "") if stamp is None else stamp) / 1000
    except (ValueError, TypeError, OverflowError, RecursionError):
        return None
