"""What reaches the rehearsal agent is counted exactly; what it shows tells busy from idle."""

import fcntl
import random
import struct
import termios
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

import pytest

from supervisor.domain.terminal import BracketedPaste
from tests.unit.clients.rehearsal.stage import BUSY, IDLE, PROGRAM, Start, framed, git


def test_it_starts_idle_and_asks_for_framed_pastes(start: Start, repository: Path) -> None:
    agent = start().ready()
    assert agent.said[0] == BracketedPaste(True)
    event = agent.event("start")
    assert (event["pid"], event["attempt"], event["cwd"]) == (agent.process.pid, 1, str(repository))
    assert event["argv"] == [PROGRAM]
    assert git(repository, "status", "--porcelain") == ""


CLASSES = bytes(range(256)) + "é✳👩‍💻\r\n\tend".encode()


@pytest.mark.parametrize("size", [0, 1, 100, 4095, 4096, 200_000, 1_000_000])
def test_a_paste_arrives_byte_for_byte(start: Start, size: int) -> None:
    chance = random.Random(size)
    text = (CLASSES + chance.randbytes(size))[:size].replace(b"\x1b[201~", b"")
    agent = start().ready()
    agent.send(framed(text))
    agent.send(b"\r")
    assert agent.event("paste")["sha256"] == sha256(text).hexdigest()
    if text:
        event = agent.event("prompt")
        assert (event["n"], event["bytes"]) == (1, len(text))
        assert event["sha256"] == sha256(text).hexdigest()
        assert event["text"] == text.decode("utf-8", "replace")[:2000]
    else:
        agent.event("enter-empty")
        assert not agent.events("prompt")


def test_a_paste_that_comes_byte_by_byte(start: Start) -> None:
    text = "zwei\r\nZeilen ✳ \x1b[20 \x1b[201 \x03".encode()
    agent = start().ready()
    for byte in framed(text) + b"\r":
        agent.send(bytes([byte]))
    assert agent.event("prompt")["sha256"] == sha256(text).hexdigest()
    assert len(agent.events("paste")) == 1
    assert not agent.events("key")


def test_every_enter_is_counted_and_only_text_is_submitted(start: Start) -> None:
    agent = start().ready()
    agent.send(b"\r\r\r")
    agent.event("enter-empty", 3)
    agent.prompt("say one")
    agent.send(b"\r")
    agent.event("enter-empty", 4)
    agent.event("turn-end")
    assert len(agent.events("prompt")) == 1


def test_typing_pasting_and_erasing_fill_one_composer(start: Start) -> None:
    agent = start().ready()
    agent.send(b"lost\x15rehearse: say ab\xc3\xa9\x7f")
    agent.send(framed("c\n") + b"\x1b[A\x01rehearse: say d\r")
    assert agent.event("prompt")["text"] == "rehearse: say abc\nrehearse: say d"
    assert [event["hex"] for event in agent.events("key")] == ["1b5b41", "01"]
    agent.until(lambda: "● abc".encode() in agent.output and "● d".encode() in agent.output)


def test_without_framed_pastes_a_carriage_return_submits(start: Start) -> None:
    agent = start("--no-paste").ready()
    agent.send(b"rehearse: say one\nrehearse: say two\rrest")
    assert agent.event("prompt")["text"] == "rehearse: say one\nrehearse: say two"
    assert not agent.parser.bracketed_paste


def test_prompts_that_come_in_a_turn_wait_for_its_end(start: Start, tmp_path: Path) -> None:
    agent = start().ready()
    agent.prompt(f"wait {tmp_path / 'go'}")
    agent.prompt("say second")
    assert agent.event("prompt", 2)["queued"] is True
    assert not agent.events("turn-end")
    (tmp_path / "go").touch()
    assert [agent.event("turn-end", n)["n"] for n in (1, 2)] == [1, 2]


def test_a_first_prompt_on_the_command_line(start: Start) -> None:
    agent = start("rehearse: crash 4")
    assert agent.ended() == 4
    assert agent.events("prompt")[0]["text"] == "rehearse: crash 4"


def test_the_title_tells_busy_from_idle(start: Start, tmp_path: Path) -> None:
    agent = start().ready()
    agent.prompt(f"wait {tmp_path / 'go'}")
    agent.until(lambda: agent.titles()[1:4] == [BUSY, "⠐ rehearsal", BUSY])
    (tmp_path / "go").touch()
    agent.ready()
    *busy, last = agent.titles()[1:]
    assert last == IDLE
    assert all(a != b for a, b in pairwise(busy))


def test_a_hanging_agent_prints_nothing(start: Start) -> None:
    agent = start().ready()
    agent.play("hang 0.3")
    assert agent.titles() == [IDLE, BUSY, IDLE]
    # The composer's row of the busy agent, and the next thing is the title of the idle one.
    assert f"rehearse: hang 0.3\r\n\r\x1b[K… \x1b]0;{IDLE}\x07".encode() in agent.output


def test_titles_by_name_by_script_and_never_again(start: Start) -> None:
    agent = start("--name", "claude")
    agent.until(lambda: agent.titles() == ["✳ claude"])
    agent.prompt("title [ ! ] Action Required | projx")
    agent.event("turn-end")
    agent.until(lambda: len(agent.titles()) >= 4)
    assert agent.titles() == ["✳ claude", "⠂ claude", "[ ! ] Action Required | projx", "✳ claude"]
    agent.prompt("quiet", "think 0.2")
    agent.event("turn-end", 2)
    agent.prompt("exit")
    assert agent.ended() == 0
    assert agent.titles()[4:] == ["⠂ claude"]


def test_no_titles_at_all(start: Start) -> None:
    agent = start("--no-title")
    agent.until(lambda: agent.said)
    agent.prompt("title no", "think 0.2", "exit")
    assert agent.ended() == 0
    assert agent.titles() == []


def test_resizing_is_noted(start: Start) -> None:
    agent = start().ready()
    fcntl.ioctl(agent.master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 101, 0, 0))
    event = agent.event("resize")
    assert (event["columns"], event["rows"]) == (101, 33)
