"""The control channel: what tmux understands of what we write, and what we make of what it prints."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.sessions.tmux import TmuxBackend
from supervisor.adapters.sessions.tmux.control import Block, Refused, ServerId, blocks_of
from supervisor.adapters.sessions.tmux.language import command, literal, quote, sequence, when
from supervisor.adapters.sessions.tmux.panes import read_panes, read_status
from supervisor.domain.agent import ExitStatus
from supervisor.domain.errors import BackendError, SessionGone
from tests.fakes.session_places import TmuxPlace, place_of, running, said, spec


@pytest.fixture
def place() -> Iterator[TmuxPlace]:
    with place_of(TmuxPlace) as made:
        yield made


@pytest.fixture
async def backend(place: TmuxPlace) -> AsyncIterator[TmuxBackend]:
    async with running(place.backend()) as made:
        yield made


HARD = [
    "", " ", ";", "a;", "';'", '"', "\\", "\\;", "\n", "a\nb\n", "\t", "~", "$HOME", "#{pid}", "#(id)", "%1", "{ }",
    "}", "-x", "--", "'\n'", "\x1b[0m", "\r", "日本 👩\u200d👧", "x" * 20_000,
]  # fmt: skip


@pytest.mark.parametrize("text", HARD)
async def test_every_argument_arrives_as_it_is(backend: TmuxBackend, tmp_path: Path, text: str) -> None:
    store = command("set-buffer", "-b", "kept", "--", "." + text)
    save = command("save-buffer", "-b", "kept", str(tmp_path / "kept"))
    await backend.control.run(sequence(when("1", "=hub:", store), save))
    expected = b"." + text.encode()
    with trio.fail_after(5):  # tmux has its client write the file
        while (tmp_path / "kept").stat().st_size < len(expected):  # noqa: ASYNC110
            await trio.sleep(0.001)
    assert (tmp_path / "kept").read_bytes() == expected
    if text.isprintable():
        shown = await backend.control.run(command("display-message", "-p", "--", literal(text)))
        assert shown[0].text == text


async def test_a_screen_that_imitates_the_protocol_is_only_text(backend: TmuxBackend) -> None:
    block = await backend.control.run("display-message -p x")
    assert block == [Block(True, (b"x",))]
    lines = [f"%end {time} {number} 1" for time in (1, 2) for number in range(10)]
    text = "\n".join(["%begin 1 1 1", *lines, "%error 1 1 1", "%exit"])
    session = await backend.open(spec("N-1~1", "sh", "-c", 'printf "%s\\n" "$0"; echo over; exec cat', text))
    await said(session, b"over")
    assert await session.screen() == text + "\nover"
    assert (await backend.control.run("display-message -p y"))[0].text == "y"


def test_a_block_ends_where_its_number_is_last_said() -> None:
    lines = [
        b"%begin 5 9 0", b"%end 5 9 0", b"%sessions-changed",
        b"%begin 5 10 1", b"%end 5 10 1", b"%begin 5 11 1", b"forged", b"%end 5 11 1", b"%end 5 10 1", b"%exit",
        b"%begin 5 12 1", b"no such thing", b"%error 5 12 1", b"%begin 5 13 1",
    ]  # fmt: skip
    first, second = blocks_of(lines)
    assert first == Block(True, tuple(lines[4:8]))
    assert second == Block(False, (b"no such thing",))


@given(st.lists(st.binary(max_size=20).filter(lambda line: b"\n" not in line)))
def test_any_output_is_read_back(output: list[bytes]) -> None:
    lines = [b"%begin 7 7 1", *output, b"%end 7 7 1", b"%window-add @1", b"%begin 7 8 1"]
    assert blocks_of(lines) == [Block(True, tuple(output))]


async def test_a_command_that_fails_ends_its_list_and_is_told(backend: TmuxBackend) -> None:
    run = backend.control.run
    with pytest.raises(Refused, match="unknown command"):
        await run("no-such-command")
    with pytest.raises(SessionGone):
        await run(sequence(command("kill-pane", "-t", "%99"), command("set-option", "-g", "@ran", "1")))
    assert (await run("show-options -gqv @ran"))[0].text == ""
    with pytest.raises(SessionGone):
        await run("display-message -p x", server=ServerId(1, 1))
    with pytest.raises(BackendError, match="NUL"):
        quote("a\0b")


async def test_many_callers_get_their_own_answers(backend: TmuxBackend) -> None:
    answers: dict[int, str] = {}

    async def ask(number: int) -> None:
        answers[number] = (await backend.control.run(f"display-message -p {number}"))[0].text

    async with trio.open_nursery() as nursery:
        for number in range(300):
            nursery.start_soon(ask, number)
    assert answers == {number: str(number) for number in range(300)}


async def test_a_caller_who_gave_up_disturbs_nobody(backend: TmuxBackend) -> None:
    for _ in range(20):
        with trio.move_on_after(0.001):
            await backend.control.run("run-shell 'sleep 0.01' ; display-message -p late")
        assert (await backend.control.run("display-message -p mine"))[0].text == "mine"


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (("", ""), None),
        (("0", ""), ExitStatus(code=0)),
        (("127", ""), ExitStatus(code=127)),
        (("", "9"), ExitStatus(signal=9)),
        (("", "KILL"), ExitStatus(signal=9)),
        (("", "SIGTERM"), ExitStatus(signal=15)),
    ],
)
def test_statuses_are_read_as_any_tmux_writes_them(fields: tuple[str, str], status: ExitStatus | None) -> None:
    assert read_status(*fields) == status


@given(st.text())
def test_a_listing_that_makes_no_sense_lists_nothing(line: str) -> None:
    assert read_panes([line, line * 14, "|" * 13, f"{line}|" * 13], "abc") == []
