"""What tmux itself does to an agent's input and size: copy mode, switched-off input, attached people."""

import contextlib
import fcntl
import os
import pty
import random
import signal
import struct
import subprocess
import tempfile
import termios
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from supervisor.adapters.sessions.tmux import TmuxBackend
from supervisor.domain.errors import BackendError
from supervisor.domain.ids import DeliveryId
from supervisor.ports import Session
from tests.fakes.session_places import TmuxPlace, open_reader, place_of, reader, running, said


@pytest.fixture
def place() -> Iterator[TmuxPlace]:
    with place_of(TmuxPlace) as made:
        yield made


@pytest.fixture
async def backend(place: TmuxPlace) -> AsyncIterator[TmuxBackend]:
    async with running(place.backend()) as made:
        yield made


@contextmanager
def attached(session: Session, columns: int, rows: int) -> Iterator[tuple[int, int]]:
    """A person's terminal of that size, attached as `attach` says; gives our end of it and the client's pid."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    env = {"PATH": os.environ["PATH"], "TERM": "xterm", "LANG": "C.UTF-8"}
    client = subprocess.Popen(
        session.attach().argv, stdin=theirs, stdout=theirs, stderr=theirs, env=env, start_new_session=True
    )
    os.close(theirs)
    try:
        yield ours, client.pid
    finally:
        client.kill()
        client.wait()
        os.close(ours)


@pytest.mark.parametrize("way", ["copy-mode", "clock-mode", "choose-tree", "select-pane -d"])
async def test_what_a_person_left_the_pane_in_swallows_nothing(backend: TmuxBackend, tmp_path: Path, way: str) -> None:
    session = await open_reader(backend, "Y-1~1", tmp_path / "kept")
    name, *flags = way.split()
    await backend.control.run(" ".join([name, *flags, "-t", f"'={session.session_id}:'"]))
    await session.type(DeliveryId("1"), "text")
    await backend.control.run(" ".join([name, *flags, "-t", f"'={session.session_id}:'"]))
    await session.submit(DeliveryId("1"))
    await said(session, b"total 17")
    assert (tmp_path / "kept").read_bytes() == b"\x1b[200~text\x1b[201~\r"


async def test_an_attached_terminal_decides_the_size_and_a_detached_one_leaves_it(
    backend: TmuxBackend, tmp_path: Path
) -> None:
    session = await open_reader(backend, "Y-2~1", tmp_path / "kept")
    await session.resize(100, 30)
    await said(session, b"size 100x30")
    with attached(session, 91, 27) as (terminal, client):
        await said(session, b"size 91x27")
        await session.resize(60, 20)
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 29, 93, 0, 0))
        os.kill(client, signal.SIGWINCH)
        text = await said(session, b"size 93x29")
        assert b"size 60x20" not in text
        os.write(terminal, b"typed by a person")
        await said(session, b"total 17")
    await until_detached(backend, session)
    await session.resize(93, 29)
    await session.resize(70, 25)
    text = await said(session, b"size 70x25")
    assert text.count(b"size ") == 4


async def until_detached(backend: TmuxBackend, session: Session) -> None:
    ask = f"display-message -p -t '={session.session_id}:' '#{{session_attached}}'"
    with trio.fail_after(5):
        while (await backend.control.run(ask))[0].text != "0":  # noqa: ASYNC110
            await trio.sleep(0.01)


async def test_titles_are_shown_and_never_obeyed(backend: TmuxBackend, tmp_path: Path) -> None:
    mark = Path(tempfile.gettempdir()) / f"pwned-{os.getpid()}"
    title = f"#(touch {mark}) #{{pid}} %H 'x' \n漢字"
    session = await backend.open(reader("Y-3~1", tmp_path / "kept", title=title))
    await said(session, b"ready")
    blocks = await backend.control.run("list-windows -a -F '#{window_name}'")
    assert title.replace("\n", "") in blocks[0].rows
    assert not mark.exists()


async def test_a_text_is_stamped_if_and_only_if_all_of_it_arrived(place: TmuxPlace, tmp_path: Path) -> None:
    text = "x" * 200_000
    chance = random.Random(4)
    async with running(place.backend()) as backend:
        sessions = [await open_reader(backend, f"Y-{i}~4", tmp_path / str(i)) for i in range(15)]
        for session in sessions:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(give_up_on, session, text)
                await trio.sleep(chance.random() * 0.006)
                client = backend.control.pid
                assert client is not None
                os.kill(client, signal.SIGKILL)
            await another_client(backend, client)
            await session.press("C-a")  # comes after whatever was typed
        for i, session in enumerate(sessions):
            typed = (await session.stamps()).typed is not None
            size = len(text) + 12 if typed else 0
            await said(session, b"total %d\r\n" % (size + 1))
            assert (tmp_path / str(i)).stat().st_size == size + 1


async def give_up_on(session: Session, text: str) -> None:
    with contextlib.suppress(BackendError):
        await session.type(DeliveryId("once"), text)


async def another_client(backend: TmuxBackend, former: int) -> None:
    with trio.fail_after(5):
        while backend.control.pid in (None, former):  # noqa: ASYNC110
            await trio.sleep(0.005)
        await backend.control.run("display-message -p there")
