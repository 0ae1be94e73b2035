"""Agents' terminals over the WebSocket of a whole daemon, on both backends."""

import os
import signal
import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
import trio_websocket

from tests.fakes.onlooker import Onlooker, looking
from tests.harness import REHEARSAL_DRIVER, Event, Place

DRAWING = r"shell behind\r\n\033[?1049h\033[2J\033[3;7Hin the middle"
ALTERNATE = f"""
[drivers.editor]
command = ["sh", "-c", 'stty raw -echo; printf "{DRAWING}"; exec sleep 600']
stop_grace = "200ms"
idle_after = "300ms"
"""
ECHO = """
[drivers.echo]
command = ["sh", "-c", "stty raw -echo; printf ready; exec cat"]
stop_grace = "200ms"
idle_after = "300ms"
"""
KEYS = 200


@pytest.fixture(params=["tmux", "vscode"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    made = Place(backend=request.param)
    try:
        yield made
    finally:
        made.close()
    assert not made.agent_pids()
    assert not made.host_pids()


async def seated(place: Place, *script: str, driver: str = "rehearsal") -> None:
    """A daemon with an agent that waits for a person, having done what the script says."""
    place.configure(driver=REHEARSAL_DRIVER + ALTERNATE + ECHO)
    place.ticket("SPIKE-1", *script, front=f"driver: {driver}\n", type="SPIKE")
    await place.start()
    await place.until(_waits)


def _waits(event: Event) -> bool:
    """It has ended its first turn, or takes no prompt of several lines."""
    turned = event["kind"] == "agent.idle" and event["data"]["turns"] > 0
    return turned or event["kind"] == "delivery.refused"


def at(place: Place, agent: str = "SPIKE-1~1") -> Any:
    return looking(place.stream_url, agent, place.headers())


async def shown(place: Place) -> list[str]:
    """The rows of the screen, as the daemon tells it by REST."""
    async with place.client() as client:
        text = (await client.get("/agents/SPIKE-1~1/screen")).text
    return [line.rstrip() for line in text.split("\n") if line.strip()]


async def test_a_person_sees_the_screen_types_and_resizes(place: Place) -> None:
    await seated(place, "say Hello from before")
    async with at(place, "SPIKE-1") as person, at(place) as other:
        assert person.hello.items() >= {"protocol": 1, "agent": "SPIKE-1~1", "columns": 200, "rows": 50}.items()
        (agent,) = (await place.get("/agents"))["agents"]
        assert person.hello["backend"] == agent["backend"]
        assert any("Hello from before" in row for row in person.screen)
        assert person.screen == await shown(place)

        await person.type(b"rehearse: say F\xc3\xbcr dich\r")
        entry = await place.until_journal_has("SPIKE-1", lambda each: "dich" in str(each.get("text")))
        assert entry["event"] == "prompt"
        await person.until_shown("● Für dich")
        await other.until_shown("● Für dich")
        await other.type(b"\x1b[1;5A")
        assert (await place.until_journal("SPIKE-1", "key"))["hex"] == b"\x1b[1;5A".hex()

        await person.resize(101, 33)
        found = await place.until_journal("SPIKE-1", "resize")
        assert (found["columns"], found["rows"]) == (101, 33)
    async with at(place) as late:
        assert (late.hello["columns"], late.hello["rows"]) == (101, 33)
        await late.until_shown("● Für dich")


async def test_a_program_on_the_alternate_screen_is_restored_with_what_is_behind_it(place: Place) -> None:
    await seated(place, driver="editor")
    async with at(place) as person:
        assert person.screen == ["      in the middle"]
        person.leave_alternate()
        assert person.screen == ["shell behind"]


async def test_after_kill_9_of_the_daemon_a_person_comes_back_to_the_same_screen(place: Place) -> None:
    await seated(place, "say Hello from before")
    async with at(place) as person:
        await person.type(b"half a li")
        await person.until_shown("half a li")
        before = person.screen
        place.kill()
        assert await person.closed() in (0, 1006)
    await place.start()
    async with at(place) as person:
        await person.until_shown("half a li")
        assert person.screen == before
        await person.type(b"ne\r")
        entry = await place.until_journal_has("SPIKE-1", lambda each: "half a line" in str(each.get("text")))
        assert entry["event"] == "prompt"
    assert len([each for each in place.journal("SPIKE-1") if each["event"] == "start"]) == 1


@pytest.mark.parametrize(
    ("end", "told"), [("exit", {"code": 0, "signal": None}), ("kill", {"code": None, "signal": 9})]
)
async def test_the_end_is_told_and_the_last_screen_stays(place: Place, end: str, told: dict[str, int | None]) -> None:
    await seated(place, "say Hello from before")
    async with at(place) as person:
        if end == "exit":
            await person.type(b"/exit\r")
        else:
            os.kill((await place.until_journal("SPIKE-1", "start"))["pid"], signal.SIGKILL)
        assert await person.until_told("exit") == told
        await person.type(b"into the void")
    await place.until(lambda event: event["kind"] == "agent.exited")
    async with at(place) as late:
        assert await late.until_told("exit") == told
        assert any("Hello from before" in row for row in late.screen)


async def test_a_lost_terminal_is_told_and_closed(place: Place) -> None:
    await seated(place, "say Hello")
    async with at(place) as person:
        for pid in place.host_pids():
            os.kill(pid, signal.SIGKILL)
        for socket in place.tmux_sockets_of_server():
            await _kill_server(str(socket))
        assert await person.until_told("gone")
        assert await person.closed() == 1000


async def _kill_server(socket: str) -> None:
    import trio

    found = await trio.run_process(["tmux", "-S", socket, "display-message", "-p", "#{pid}"], capture_stdout=True)
    os.kill(int(found.stdout), signal.SIGKILL)


async def test_a_flood_is_complete_or_followed_by_the_present_screen(place: Place) -> None:
    await seated(place, "say Hello")
    async with at(place) as person:
        await person.type(b"rehearse: flood 10\r")
        await place.until_journal("SPIKE-1", "flood", within=60)
        await person.until_shown("lines", within=60)
        final = await _steady(place)
        await person.until(lambda each: each.screen == final, within=30)
        print(f"{sum(len(data) for _, data in person.output)} bytes, {person.replays - 1} times shown anew")
        async with place.client() as client:
            for start, data in person.output:
                if data:
                    query = {"offset": start, "limit": min(len(data), 1 << 20)}
                    kept = (await client.get("/agents/SPIKE-1~1/transcript", params=query)).content
                    assert data[: len(kept)] == kept


async def _steady(place: Place) -> list[str]:
    """The screen once its agent waits for a person again."""
    await place.until_journal_has("SPIKE-1", lambda each: each["event"] == "turn-end" and _floods(place))
    before: list[str] = []
    while (now := await shown(place)) != before:
        before = now
    return now


def _floods(place: Place) -> bool:
    journal = [each["event"] for each in place.journal("SPIKE-1")]
    return "flood" in journal and "turn-end" in journal[journal.index("flood") :]


@pytest.mark.parametrize(
    ("token", "status", "code"), [("x", 401, "unauthorized"), ("wrong", 401, "unauthorized"), (None, 404, "not_found")]
)
async def test_a_terminal_is_not_for_everybody_and_not_for_every_agent(
    place: Place, token: str | None, status: int, code: str
) -> None:
    await place.start()
    headers = place.headers() if token is None else {"Authorization": f"Bearer {token}"}
    refused: list[trio_websocket.ConnectionRejected] = []
    try:
        async with looking(place.stream_url, "NOBODY~1", headers):
            pass
    except* trio_websocket.ConnectionRejected as group:
        refused += [error for error in group.exceptions if isinstance(error, trio_websocket.ConnectionRejected)]
    assert [each.status_code for each in refused] == [status]
    assert f'"{code}"'.encode() in (refused[0].body or b"")


async def test_a_key_is_seen_soon(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    await seated(place, driver="echo")
    async with at(place) as person:
        await person.until_shown("ready")
        times = [await _pressed(person, b"abcdefghij"[number % 10 :][:1]) for number in range(KEYS)]
    with capsys.disabled():
        p50, p90 = statistics.median(times), statistics.quantiles(times, n=10)[8]
        print(f"\n{person.hello['backend']}: key to echo p50 {p50:.1f} ms, p90 {p90:.1f} ms")


async def _pressed(person: Onlooker, key: bytes) -> float:
    """Milliseconds from a key to its echo."""
    count = len(person.seen)
    began = time.perf_counter()
    await person.type(key)
    await person.until(lambda each: len(each.seen) > count)
    assert person.seen[count:] == key
    return 1000 * (time.perf_counter() - began)
