"""tmux's names of keys, as what a terminal sends."""

import pytest

from supervisor.adapters.sessions.vscode.keys import pressed


@pytest.mark.parametrize(
    ("name", "sent"),
    [
        ("Enter", b"\r"), ("C-", b"C-"),
        ("Escape", b"\x1b"), ("Tab", b"\t"), ("BTab", b"\x1b[Z"), ("Space", b" "), ("BSpace", b"\x7f"),
        ("C-c", b"\x03"), ("C-C", b"\x03"), ("C-[", b"\x1b"), ("C-\\", b"\x1c"), ("C-Space", b"\0"), ("C-@", b"\0"),
        ("M-x", b"\x1bx"), ("C-M-a", b"\x1b\x01"), ("M-Enter", b"\x1b\r"), ("PageUp", b"\x1b[5~"), ("DC", b"\x1b[3~"),
        ("F1", b"\x1bOP"), ("F5", b"\x1b[15~"), ("F12", b"\x1b[24~"), ("S-Up", b"\x1b[1;2A"), ("C-Left", b"\x1b[1;5D"),
        ("1", b"1"), ("hello", b"hello"), ("\u00fc", "\u00fc".encode()), ("C-\u00fc", "C-\u00fc".encode()),
    ],
)  # fmt: skip
def test_a_key_sends_what_it_does_in_a_terminal(name: str, sent: bytes) -> None:
    assert pressed(name).normal == sent
    assert pressed(name).application == sent


def test_cursor_keys_have_two_ways() -> None:
    keys = pressed("Up", "Home", "x")
    assert (keys.normal, keys.application) == (b"\x1b[A\x1b[Hx", b"\x1bOA\x1bOHx")
