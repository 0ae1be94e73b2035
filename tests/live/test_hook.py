"""`hook.py` as a process, as an agent CLI calls it: it tells, keeps, holds, and never fails."""

import json
import os
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trio

from supervisor.adapters.hooks import KeptHooks
from supervisor.domain.ids import AgentId
from tests.agents.hooks import Hooks, receiving
from tests.fakes.model.http import Exchange, serve
from tests.harness import ROOT

SCRIPT = ROOT / "supervisor" / "hook.py"
AGENT = AgentId("A-1~1")
SOON = 5.0
ALLOW = {"hookSpecificOutput": {"decision": {"behavior": "allow"}}}


class Shim:
    """An agent's private folder, and the script called on it."""

    def __init__(self, private: Path) -> None:
        self._private = private
        self.folder = private / AGENT
        self.folder.mkdir(mode=0o700)

    def command(self, how: str) -> list[str]:
        return [sys.executable, "-I", "-S", str(SCRIPT), str(self.folder / "hook"), how]

    def address(self, url: str) -> None:
        (self.folder / "hook").write_text(f"{url}\nsecret\n")

    async def call(self, how: str, payload: object) -> bytes:
        """What it printed. It always ends well, and complains of nothing."""
        with trio.fail_after(SOON):
            done = await trio.run_process(
                self.command(how), stdin=json.dumps(payload).encode(), capture_stdout=True, capture_stderr=True
            )
        assert done.stderr == b""
        return done.stdout

    def kept(self) -> list[object]:
        return list(KeptHooks(self._private).read(AGENT).values())


@pytest.fixture
def shim(tmp_path: Path) -> Shim:
    return Shim(tmp_path)


@pytest.fixture
async def hooks() -> AsyncIterator[Hooks]:
    async with receiving() as hooks:
        yield hooks


async def answering(status: int, body: bytes, nursery: trio.Nursery) -> str:
    """The address of a daemon that always answers this."""

    async def handle(exchange: Exchange) -> None:
        assert exchange.request.headers["authorization"] == "Bearer secret"
        assert exchange.request.headers["content-type"] == "application/json"
        await exchange.answer(status, body)

    return f"http://127.0.0.1:{await nursery.start(partial(serve, handle))}/api/v1/agents/A-1~1/signals"


async def test_it_posts_the_payload_and_prints_an_answer_that_says_something(shim: Shim, hooks: Hooks) -> None:
    shim.address(hooks.url)
    payload = {"hook_event_name": "Stop", "text": "ä\n" * 50_000}
    assert await shim.call("keep", payload) == b""  # {} is no answer
    hooks.answers["Asks"] = ALLOW
    assert json.loads(await shim.call("tell", {"hook_event_name": "Asks"})) == ALLOW
    assert [hook.payload for hook in hooks.seen.entries] == [payload, {"hook_event_name": "Asks"}]
    assert shim.kept() == []


async def test_a_daemon_that_is_down_is_told_later_what_must_not_be_lost(shim: Shim) -> None:
    shim.address("http://127.0.0.1:9/hook")
    for number, how in enumerate(("keep", "tell", "hold")):
        assert await shim.call(how, {"n": number}) == b""
    assert shim.kept() == [{"n": 0}, {"n": 2}]
    files = list((shim.folder / "missed").iterdir())
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}


@pytest.mark.parametrize("address", ["", "nothing", "https://127.0.0.1:9/x", "http://127.0.0.1/x", "http://[::1]:9/x"])
async def test_an_address_that_is_none_is_a_daemon_that_is_down(shim: Shim, address: str) -> None:
    shim.address(address)
    assert await shim.call("keep", {"n": 1}) == b""
    assert shim.kept() == [{"n": 1}]


@pytest.mark.parametrize(("status", "kept"), [(503, 1), (500, 1), (401, 0), (404, 0), (410, 0), (422, 0)])
async def test_a_daemon_that_cannot_hear_now_is_told_later_and_one_that_refuses_is_not(
    shim: Shim, status: int, kept: int
) -> None:
    async with trio.open_nursery() as nursery:
        shim.address(await answering(status, b'{"error": "no"}', nursery))
        assert await shim.call("keep", {"n": 1}) == b""
        nursery.cancel_scope.cancel()
    assert len(shim.kept()) == kept


async def test_a_daemon_that_takes_and_never_answers_holds_the_agent_for_two_seconds(shim: Shim, hooks: Hooks) -> None:
    shim.address(hooks.url)
    hooks.held = {"Stop"}
    before = trio.current_time()
    assert await shim.call("keep", {"hook_event_name": "Stop"}) == b""
    assert 1.9 < trio.current_time() - before < 4.0
    assert shim.kept() == [{"hook_event_name": "Stop"}]


async def test_a_permission_waits_longer_than_that_for_its_answer(shim: Shim, hooks: Hooks) -> None:
    shim.address(hooks.url)
    hooks.held = {"PermissionRequest"}
    printed: list[bytes] = []

    async def ask() -> None:
        printed.append(await shim.call("hold", {"hook_event_name": "PermissionRequest"}))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        hook = await hooks.until("PermissionRequest")
        with trio.move_on_after(2.5):  # longer than any other hook would wait
            await hooks.seen.until(lambda each: each.closed is not None)
        assert hook.closed is None
        hook.answer(ALLOW)
    assert json.loads(printed[0]) == ALLOW
    assert shim.kept() == []


async def test_a_permission_whose_daemon_dies_is_left_to_the_terminal(shim: Shim) -> None:
    async with trio.open_nursery() as nursery:
        taken = trio.Event()

        async def handle(exchange: Exchange) -> None:
            taken.set()
            await trio.sleep_forever()

        async def ask() -> None:
            assert await shim.call("hold", {"n": 1}) == b""
            nursery.cancel_scope.cancel()

        async with trio.open_nursery() as daemon:
            shim.address(f"http://127.0.0.1:{await daemon.start(partial(serve, handle))}/hook")
            nursery.start_soon(ask)
            await taken.wait()
            daemon.cancel_scope.cancel()
        await trio.sleep_forever()
    assert shim.kept() == [{"n": 1}]


async def test_a_permission_of_a_cli_that_was_killed_lets_the_daemon_know(shim: Shim, hooks: Hooks) -> None:
    shim.address(hooks.url)
    hooks.held = {"PermissionRequest"}
    script = 'import subprocess, sys; subprocess.run(sys.argv[1:], input=b\'{"hook_event_name": "PermissionRequest"}\')'
    cli = subprocess.Popen([sys.executable, "-c", script, *shim.command("hold")], start_new_session=True)
    try:
        hook = await hooks.until("PermissionRequest")
        os.kill(cli.pid, 9)
        await hooks.seen.until(lambda each: each is hook and each.closed is not None, within=SOON)
    finally:
        cli.kill()
        cli.wait()


async def test_it_is_quick_in_processor_time(shim: Shim, hooks: Hooks) -> None:
    """Not by the clock, for others work on this machine as well."""
    shim.address(hooks.url)
    spent = []
    for _ in range(5):
        before = os.times()
        await shim.call("tell", {"hook_event_name": "Stop"})
        after = os.times()
        spent.append(after.children_user + after.children_system - before.children_user - before.children_system)
    assert min(spent) <= 0.025, spent
