"""Terminal sockets among clients that misbehave or do not read, before real sessions of both backends."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from attrs import frozen

from supervisor.actors.kit import Inbox
from supervisor.actors.session import SessionHandle
from supervisor.domain.agent import Opened
from supervisor.ports import Session
from supervisor.web import terminal
from supervisor.web.stream import Limits
from tests.fakes.listening import handshake, shake, subscribers
from tests.fakes.onlooker import Onlooker, looking
from tests.fakes.served import TOKEN, Served, serving
from tests.fakes.session_places import PLACES, place_of, reader, running, said, spec

FLOOD = "stty -icanon -echo; read go; seq -f '%09.0f flood flood' 1 550000; printf over; exec cat"
"""12 MB."""


@frozen
class Seat:
    """An edge with one agent behind it, whose session is a real one."""

    served: Served
    session: Session
    agent: str

    def person(self) -> Any:
        url = f"ws://127.0.0.1:{self.served.stream_port}"
        return looking(url, self.agent, {"Authorization": f"Bearer {TOKEN}"})

    @property
    def path(self) -> str:
        return f"/api/v1/agents/{self.agent}/terminal"


@asynccontextmanager
async def seated(kind: str, *argv: str, limits: Limits | None = None) -> AsyncIterator[Seat]:
    with place_of(PLACES[kind]) as place:
        async with running(place.backend()) as backend, serving(limits=limits) as served:
            fleet = served.house.fleet
            agent = fleet.add(served.house.queue.tickets["ENG-1"], Opened(pid=1))
            session = await backend.open(spec(agent.id, *argv))
            fleet.sessions[agent.id] = SessionHandle(session, Inbox("unused"), {})
            yield Seat(served, session, agent.id)


@pytest.fixture(params=sorted(PLACES))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def test_who_does_not_read_is_cut_off_while_the_agent_and_others_go_on(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All of it is sent: whoever is only shown the screen now and then may not fill the system's buffers.
    monkeypatch.setattr(terminal, "BEHIND", 1 << 40)
    async with (
        seated(kind, "sh", "-c", FLOOD, limits=Limits(send=1.0)) as seat,
        seat.person() as good,
        await handshake(seat.served, path=seat.path) as stalled,
    ):
        stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await subscribers(seat.served, 2)
        await good.type(b"\n")
        await good.until(lambda each: each.seen.endswith(b"over") or _ends(each, "over"), within=60)
        await said_at_end(seat.session, b"over")
        await subscribers(seat.served, 1)
        await good.type(b"still here")
        await good.until_shown("overstill here")


def _ends(person: Onlooker, text: str) -> bool:
    """Whether the screen ends so; looked at only where it was shown anew, since that costs more than a glance."""
    return not person.seen and bool(person.screen) and person.screen[-1].endswith(text)


async def said_at_end(session: Session, text: bytes) -> None:
    seen = 0
    with trio.fail_after(30):
        while (await session.read(max(0, session.end - len(text)), len(text)))[1] != text:
            seen = await session.changed(seen)


async def test_who_is_far_behind_is_shown_the_present_screen(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "BEHIND", 64 * 1024)
    async with seated(kind, "sh", "-c", FLOOD) as seat, seat.person() as person:
        await person.type(b"\n")
        await said_at_end(seat.session, b"over")  # meanwhile the client has taken nothing
        rows = (await seat.session.screen()).split("\n")
        await person.until(lambda each: each.seen.endswith(b"over") or _ends(each, "over"), within=60)
        await person.until(lambda each: each.screen == rows)  # a doubtful one is shown again
        assert person.replays > 1
        assert sum(len(data) for _, data in person.output) < seat.session.end


@pytest.mark.parametrize(
    "said",
    [
        "{}}",
        "[]",
        '"resize"',
        '{"resize": {"columns": 80}}',
        '{"resize": {"columns": 0, "rows": 24}}',
        '{"resize": {"columns": 80, "rows": 1e9}}',
        '{"resize": {"columns": "80", "rows": 24}}',
        '{"launch": "rm"}',
        "[" * 20_000,
        "\ud800".encode("utf-8", "replace").decode(),
    ],
)
async def test_nonsense_ends_its_own_connection_only(said: str) -> None:
    async with seated("vscode", "cat") as seat, seat.person() as witness:
        async with seat.person() as rude:
            await rude.socket.send_message(said)
            assert await rude.closed() == 1008
        await witness.type(b"fine\r")
        await witness.until_shown("fine")


@pytest.mark.parametrize("message", [b"x" * (64 * 1024 + 1), "x" * (64 * 1024 + 1)])
async def test_a_frame_that_is_too_long_is_no_input(message: bytes | str) -> None:
    async with seated("vscode", "cat") as seat, seat.person() as rude:
        end = seat.session.end
        await rude.socket.send_message(message)
        assert await rude.closed() == 1009
        assert seat.session.end == end


async def test_input_is_taken_no_faster_than_may_be_and_arrives_whole(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    async with seated("vscode", *reader("x", kept).argv) as seat, seat.person() as person:
        await said(seat.session, b"ready")
        began = trio.current_time()
        piece, count = bytes(range(256)) * 256, 24
        for _ in range(count):
            await person.type(piece)
        await said(seat.session, f"total {count * len(piece)}\r\n".encode(), within=30)
        least = (count * len(piece) - terminal.BURST) / terminal.RATE
        assert trio.current_time() - began > 0.9 * least
        assert kept.read_bytes() == piece * count


async def test_the_size_that_was_asked_for_is_the_agents(kind: str, tmp_path: Path) -> None:
    async with seated(kind, *reader("x", tmp_path / "kept").argv) as seat, seat.person() as person:
        await said(seat.session, b"ready")
        await person.resize(77, 19)
        await person.until(lambda each: b"size 77x19" in each.seen)
        await person.socket.send_message(json.dumps({"resize": None}))
        async with seat.person() as other:
            assert (other.hello["columns"], other.hello["rows"]) == (77, 19)


async def test_a_screen_that_was_overtaken_is_shown_again_once_it_rests(kind: str) -> None:
    """Whoever sits down in the middle of a flood has the right screen after it."""
    script = "stty raw -echo; while :; do printf 'flood\\r\\n'; done & read go; kill $!; wait; printf quiet; exec cat"
    async with seated(kind, "sh", "-c", script) as seat:
        await said(seat.session, b"flood")
        async with seat.person() as person:
            await person.type(b"\n")
            await person.until(lambda each: each.seen.endswith(b"quiet"), within=60)

            def right(each: Onlooker) -> bool:
                return bool(each.screen) and each.screen[-1].endswith("quiet") and each.replays > (kind == "tmux")

            await person.until(right)
            assert person.screen == [line for line in (await seat.session.screen()).split("\n") if line]


async def test_a_session_that_is_closed_is_told_and_ends_the_connection(kind: str) -> None:
    async with seated(kind, "sh", "-c", "echo last words") as seat, seat.person() as person:
        assert await person.until_told("exit") == {"code": 0, "signal": None}
        await person.until_shown("last words")
        await seat.session.close()
        assert await person.until_told("gone") == "its session was closed"
        assert await person.closed() == 1000


async def test_foreign_pages_and_rebound_names_are_refused() -> None:
    async with seated("vscode", "cat") as seat:
        for asked in ({"Origin": "https://evil.example"}, {"host": "evil.example"}, {"Authorization": ""}):
            assert (await shake(seat.served, path=seat.path, **asked)).status in (401, 403)
        assert (await shake(seat.served, path=seat.path, Origin="vscode-webview://0a1b")).status == 101
        assert (await shake(seat.served, path="/api/v1/agents/ENG-9~1/terminal")).status == 404
        seat.served.house.fleet.sessions.clear()
        found = await shake(seat.served, path=seat.path)
        assert (found.status, found.problem["code"]) == (409, "session_gone")
