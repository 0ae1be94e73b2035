"""Who may ask: names, origins and tokens, without sockets."""

import pytest

from supervisor.web.security import UNAUTHORIZED, Security, chosen_protocol

LOOPBACK = Security("t0ken")
EVERYWHERE = Security("t0ken", host="0.0.0.0")
NAMED = Security("t0ken", host="box.lan")


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1:7008", "localhost:7008", "LOCALHOST", "[::1]:7008", "[::1]", "127.0.0.1", "localhost:9", "127.1.2.3"],
)
def test_loopback_names_are_ours_by_any_port(host: str) -> None:
    assert LOOPBACK.source(host, None) is None


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:7008",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "127.0.0.1:7008@evil.example",
        "localhost:7008:1",
        "localhost:",
        "localhost:123456",
        "192.168.1.7",
        "[fe80::1]",
        "::1",
        "localhost\n",
        "local\u212aost",
        "localhost, evil.example",
        "localhost.",
        "a" * 5000,
    ],
)
def test_other_names_are_not(host: str | None) -> None:
    refusal = LOOPBACK.source(host, None)
    assert refusal is not None
    assert (refusal.problem.status, refusal.problem.code) == (403, "host_refused")


def test_where_all_addresses_are_listened_on_any_address_is_ours_but_no_name() -> None:
    assert EVERYWHERE.source("192.168.1.7:7008", None) is None
    assert EVERYWHERE.source("evil.example:7008", None) is not None


def test_the_name_that_is_listened_on_is_ours() -> None:
    assert NAMED.source("box.lan:7008", "http://box.lan:7008") is None
    assert LOOPBACK.source("box.lan:7008", None) is not None


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "http://localhost:3000",
        "https://127.0.0.1",
        "http://[::1]:7008",
        "vscode-webview://1n2o3p4q-5r6s",
        "HTTP://LOCALHOST",
    ],
)
def test_pages_of_this_machine_may_ask(origin: str | None) -> None:
    assert LOOPBACK.source("127.0.0.1:7008", origin) is None


@pytest.mark.parametrize(
    "origin",
    [
        "null",
        "https://evil.example",
        "http://localhost.evil.example",
        "http://localhost@evil.example",
        "http://localhost/../",
        "vscode-webview://x/../evil",
        "file://",
        "vscode-file://vscode-app",
        "http://localhost, http://evil.example",
        "http://",
        "localhost",
    ],
)
def test_other_pages_may_not(origin: str) -> None:
    refusal = LOOPBACK.source("127.0.0.1:7008", origin)
    assert refusal is not None
    assert refusal.problem.code == "origin_refused"


@pytest.mark.parametrize(
    ("authorization", "good"),
    [
        ("Bearer t0ken", True),
        ("bearer t0ken", True),
        ("Bearer  t0ken ", True),
        ("Bearer t0ke", False),
        ("Bearer t0ken2", False),
        ("Bearer", False),
        ("Bearer ", False),
        ("Basic t0ken", False),
        ("t0ken", False),
        ("", False),
        (None, False),
        ("Bearer tökén", False),
        ("Bearer t0ken, Bearer t0ken", False),
    ],
)
def test_tokens(authorization: str | None, good: bool) -> None:
    assert (LOOPBACK.bearer(authorization) is None) is good


def test_without_a_token_none_is_asked_for() -> None:
    assert Security(None).bearer(None) is None
    assert Security(None).stream_bearer(None, ()) is None


def test_browsers_bring_the_stream_token_as_a_subprotocol() -> None:
    assert LOOPBACK.stream_bearer(None, ("operator.v1", "operator.bearer.t0ken")) is None
    assert LOOPBACK.stream_bearer(None, ("operator.bearer.",)) is UNAUTHORIZED
    assert LOOPBACK.stream_bearer(None, ("t0ken",)) is UNAUTHORIZED
    assert LOOPBACK.stream_bearer("Bearer wrong", ("operator.bearer.t0ken",)) is UNAUTHORIZED
    assert chosen_protocol(("operator.v1", "operator.bearer.t0ken")) == "operator.v1"
    assert chosen_protocol(("operator.bearer.t0ken",)) == "operator.bearer.t0ken"
    assert chosen_protocol(("graphql-ws",)) is None


def test_the_token_is_not_shown() -> None:
    assert "t0ken" not in repr(LOOPBACK)
