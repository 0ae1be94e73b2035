import hashlib
import hmac
import json
from datetime import UTC, datetime

import pytest

from supervisor.adapters.kanban.linear.webhook import check
from supervisor.domain.errors import BoardAuth

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
SECRET = "lin_wh_Ab12"
# HMAC-SHA256 of the body below, computed with `openssl dgst -sha256 -hmac lin_wh_Ab12`.
BODY = b'{"action":"update","type":"Issue","webhookTimestamp":1777636800000}'
SIGNATURE = "c78953ce5fc4f60f483d456ad1ff32b574c6912a4a756a3dd8177659a5c7634e"


def signed(body: bytes, secret: str = SECRET, **more: str) -> dict[str, str]:
    return {"linear-signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(), **more}


def test_a_known_signature_is_heard() -> None:
    check(SECRET, {"linear-signature": SIGNATURE}, BODY, NOW)
    check(SECRET, {"linear-signature": f" {SIGNATURE.upper()} "}, BODY, NOW)


@pytest.mark.parametrize(
    "given",
    [
        "", "x", SIGNATURE[:-1], SIGNATURE[:-1] + "0", f"sha256={SIGNATURE}", "é" * 64, "\ud800",
        hmac.new(b"", BODY, hashlib.sha256).hexdigest(),
    ],
)  # fmt: skip
def test_any_other_is_not(given: str) -> None:
    with pytest.raises(BoardAuth):
        check(SECRET, {"linear-signature": given}, BODY, NOW)


def test_a_changed_body_is_not() -> None:
    with pytest.raises(BoardAuth):
        check(SECRET, {"linear-signature": SIGNATURE}, BODY + b" ", NOW)


@pytest.mark.parametrize("secret", [None, ""])
def test_without_a_secret_nothing_is_heard(secret: str | None) -> None:
    with pytest.raises(BoardAuth):
        check(secret, signed(BODY, ""), BODY, NOW)


@pytest.mark.parametrize(
    ("offset", "heard"), [(0, True), (59, True), (-59, True), (61, False), (-61, False), (9e9, False)]
)
@pytest.mark.parametrize("place", ["body", "header"])
def test_only_what_is_fresh_is_heard(offset: float, heard: bool, place: str) -> None:
    stamp = (NOW.timestamp() + offset) * 1000
    body = json.dumps({"webhookTimestamp": stamp} if place == "body" else {}).encode()
    headers = signed(body, **({"linear-timestamp": str(int(stamp))} if place == "header" else {}))
    if heard:
        check(SECRET, headers, body, NOW)
    else:
        with pytest.raises(BoardAuth):
            check(SECRET, headers, body, NOW)


@pytest.mark.parametrize(
    "body",
    [b"", b"x", b"[]", b"{}", b'{"webhookTimestamp": "soon"}', b'{"webhookTimestamp": [1]}',
     b'{"webhookTimestamp": NaN}', b'{"webhookTimestamp": 1e999}', b"[" * 100_000,
     b'{"webhookTimestamp": ' + b"9" * 400 + b"}", b"\xff"],
)  # fmt: skip
def test_what_has_no_time_is_not_fresh(body: bytes) -> None:
    with pytest.raises(BoardAuth):
        check(SECRET, signed(body), body, NOW)
