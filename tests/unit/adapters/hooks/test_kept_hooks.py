"""Hooks that were kept for a daemon, as hostile as their writer may be."""

import os
from pathlib import Path

from supervisor.adapters.hooks import KeptHooks
from supervisor.domain.ids import AgentId

AGENT = AgentId("A-1~1")


def test_they_are_read_in_order_and_forgotten_by_name(tmp_path: Path) -> None:
    kept, folder = KeptHooks(tmp_path), tmp_path / AGENT / "missed"
    assert kept.read(AGENT) == {}
    folder.mkdir(parents=True)
    second, first = f"{2:020d}-7.json", f"{1:020d}-9.json"
    (folder / second).write_text('{"n": 2}')
    (folder / first).write_text('{"n": 1}')
    (folder / f"{3:020d}-9.new").write_text('{"n"')
    assert list(kept.read(AGENT).items()) == [(first, {"n": 1}), (second, {"n": 2})]
    kept.forget(AGENT, [first, first])
    assert list(kept.read(AGENT)) == [second]


def test_what_is_no_payload_says_nothing_and_can_be_forgotten(tmp_path: Path) -> None:
    kept, folder = KeptHooks(tmp_path), tmp_path / AGENT / "missed"
    folder.mkdir(parents=True)
    (tmp_path / "secret").write_text('{"secret": 1}')
    odd = [f"{number:020d}-1.json" for number in range(6)]
    (folder / odd[0]).write_text("[1]")
    (folder / odd[1]).write_bytes(b"\xff\x00")
    (folder / odd[2]).symlink_to(tmp_path / "secret")
    os.mkfifo(folder / odd[3])
    (folder / odd[4]).mkdir()
    (folder / odd[5]).write_text("[" * 100_000)
    assert kept.read(AGENT) == {key: {} for key in odd}
    kept.forget(AGENT, odd)
    assert list(kept.read(AGENT)) == [odd[4]]
