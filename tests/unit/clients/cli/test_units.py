"""How a text stands in a unit, so that systemd reads what was meant."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clients.cli import units
from clients.cli.options import CliError
from clients.cli.units import Site

SITE = Site(
    system=False,
    operator=("/opt/op 1/bin/operator",),
    tmux="/usr/bin/tmux",
    config=Path("/home/a b/100%/operator.toml"),
    state_dir=Path("/home/a b/$state"),
    tmux_socket="%t/operator/abc.tmux",
    unix_socket="%t/operator/abc.rest",
    rest="127.0.0.1:7008",
    stream="127.0.0.1:7009",
    environment={"PATH": "/a b:/c", "LANG": "C.UTF-8"},
)


def test_odd_paths_are_quoted_and_specifiers_kept_apart() -> None:
    text = units.rendered(SITE, units.DAEMON)
    assert (
        'ExecStart="/opt/op 1/bin/operator" serve --config "/home/a b/100%%/operator.toml"'
        ' --state-dir "/home/a b/$$state" --tmux-socket %t/operator/abc.tmux --no-start-tmux --log-format json\n'
    ) in text
    assert 'Environment=LANG=C.UTF-8\nEnvironment="PATH=/a b:/c"\n' in text
    assert "EnvironmentFile=-/home/a b/100%%/operator.env\n" in text
    assert "@" not in text.replace("~@clock @cpu-emulation @module @obsolete @raw-io @reboot @swap", "")


@pytest.mark.parametrize("system", [False, True])
def test_every_unit_has_its_template(system: bool) -> None:
    found = {path.name.removesuffix(".in") for path in units.templates(system).iterdir()}
    assert found == {*units.UNITS, *(["operator.sysusers"] if system else [])}


@given(st.text(st.characters(exclude_categories=["C"], include_characters="\t%$\"'\\ ;")).filter(bool))
def test_a_word_is_read_back_as_it_was(text: str) -> None:
    """By systemd's rules for quoted words, specifiers and variables."""
    written = units.word(units.literal(text))
    if written.startswith('"'):
        written = written[1:-1].replace("$$", "$")
        read, rest = "", iter(written)
        for character in rest:
            read += next(rest) if character == "\\" else character
        written = read
    assert written.replace("%%", "%") == text


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\0b"])
def test_what_no_unit_can_hold_is_refused(text: str) -> None:
    with pytest.raises(CliError):
        units.literal(text)


@pytest.mark.parametrize(
    ("host", "port", "expected"),
    [("127.0.0.1", 7008, "127.0.0.1:7008"), ("localhost", 7008, "127.0.0.1:7008"), ("::1", 7009, "[::1]:7009")],
)
def test_addresses(host: str, port: int, expected: str) -> None:
    assert units.address(host, port, "daemon.port") == expected


@pytest.mark.parametrize(("host", "port"), [("127.0.0.1", 0), ("box.example", 7008)])
def test_addresses_that_systemd_cannot_listen_on(host: str, port: int) -> None:
    with pytest.raises(CliError):
        units.address(host, port, "daemon.port")


@pytest.mark.parametrize(
    ("name", "good"), [("operatord", True), ("a-b_c1", True), ("1a", False), ("a b", False), ("", False)]
)
def test_user_names(name: str, good: bool) -> None:
    assert units.is_name(name) is good


def test_the_systems_daemon_sees_homes_only_where_it_must() -> None:
    from attrs import evolve

    system = evolve(SITE, system=True, user="a", agents_user="b", group="b", writable=(Path("/srv/re po"),))
    text = units.rendered(system, units.DAEMON)
    assert 'ProtectHome=yes\nReadWritePaths="-/srv/re po"\n' in text
    text = units.rendered(evolve(system, programs=(Path("/root/venv/bin/python"),)), units.DAEMON)
    assert "ProtectHome=read-only\n" in text
