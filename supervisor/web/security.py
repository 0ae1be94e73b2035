"""Who may ask. The same rules hold on the REST port and at the stream's handshake.

A web page must not drive this API: its `Origin` is checked, and so is `Host`, since a name that was made to
point here (DNS rebinding) gives a page our origin. A token is needed besides.
"""

import hmac
import ipaddress
import re

from attrs import field, frozen

from supervisor.web.problems import Refusal, problem

BEARER_PROTOCOL = "operator.bearer."
"""Browsers cannot set headers on a WebSocket: they offer the token as a subprotocol after this prefix."""
STREAM_PROTOCOL = "operator.v1"

_HOST = re.compile(r"(\[[0-9a-f:.]{2,45}\]|[a-z0-9_](?:[a-z0-9._-]{0,252}[a-z0-9_])?)(?::[0-9]{1,5})?", re.ASCII)
_ORIGIN = re.compile(r"https?://(?P<host>.+)|vscode-webview://[a-z0-9-]{1,64}", re.ASCII)


@frozen
class Security:
    """What a request must bring."""

    token: str | None = field(repr=False)
    """None: no token is needed (`--no-auth`, on loopback only)."""
    host: str = "127.0.0.1"
    """The address or name that is listened on."""

    def source(self, host: str | None, origin: str | None) -> Refusal | None:
        """Whether a request was meant for us, and did not come from a foreign web page.

        Ports are not compared: a forwarded port is another one, and a page cannot choose the name it asks by.
        """
        if host is None or not self._named(host):
            return _forbidden("host_refused", "This daemon does not go by the name in the Host header.")
        if origin is None:
            return None
        found = _ORIGIN.fullmatch(origin.lower())
        if found is None or (found["host"] is not None and not self._named(found["host"])):
            return _forbidden("origin_refused", "Web pages from elsewhere may not use this daemon.")
        return None

    def bearer(self, authorization: str | None) -> Refusal | None:
        """Whether an `Authorization` header holds the token."""
        if self.token is None:
            return None
        scheme, _, given = (authorization or "").partition(" ")
        return None if scheme.lower() == "bearer" and self._same(given.strip()) else UNAUTHORIZED

    def stream_bearer(self, authorization: str | None, protocols: tuple[str, ...]) -> Refusal | None:
        """Whether a stream's handshake holds the token, as a header or as an offered subprotocol."""
        offered = (each.removeprefix(BEARER_PROTOCOL) for each in protocols if each.startswith(BEARER_PROTOCOL))
        if authorization is None and any(self._same(given) for given in offered):
            return None
        return self.bearer(authorization)

    def _same(self, given: str) -> bool:
        return self.token is not None and hmac.compare_digest(_bytes(given), _bytes(self.token))

    def _named(self, host: str) -> bool:
        found = _HOST.fullmatch(host.lower())
        if found is None:
            return False
        name = found[1].strip("[]")
        if name in ("localhost", self.host.lower()):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        # An address cannot be rebound; where all are listened on, any may be ours.
        return address.is_loopback or self.host in ("0.0.0.0", "::")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _forbidden(code: str, message: str) -> Refusal:
    return Refusal(problem(403, code, message, hint="Ask for it by its own address, such as 127.0.0.1."))


UNAUTHORIZED = Refusal(
    problem(
        401,
        "unauthorized",
        "This request brings no valid token.",
        hint="`operator token` shows it; send it as `Authorization: Bearer TOKEN`.",
    ),
    {"WWW-Authenticate": 'Bearer realm="operator"'},
)


def chosen_protocol(protocols: tuple[str, ...]) -> str | None:
    """Which of the offered subprotocols a stream speaks; a browser that offered some needs one back."""
    if STREAM_PROTOCOL in protocols:
        return STREAM_PROTOCOL
    return next((each for each in protocols if each.startswith(BEARER_PROTOCOL)), None)
