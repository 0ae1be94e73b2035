"""`operator` as a process, against the real edge on real sockets."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import trio

from tests.fakes.desk import DEADLINE, Desk, environment, name_it, operator
from tests.fakes.house import FAILED
from tests.fakes.served import serving


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with serving() as served:
        name_it(served, tmp_path)
        yield Desk(served, tmp_path)


READERS = [
    ("status",),
    ("ticket", "list"),
    ("ticket", "show", "ENG-1"),
    ("agent", "list"),
    ("agent", "show", "ENG-2"),
    ("agent", "screen", "ENG-2"),
    ("agent", "diff", "ENG-2"),
    ("agent", "history", "ENG-2"),
    ("attach", "ENG-2"),
    ("review", "list"),
    ("sync",),
    ("pause", "lunch"),
    ("resume",),
    ("version",),
    ("config", "show"),
    ("config", "check"),
    ("token", "show"),
]


@pytest.mark.parametrize("words", READERS, ids=" ".join)
async def test_every_command_has_exact_data(desk: Desk, words: tuple[str, ...]) -> None:
    await desk.served.house.queue.launch(desk.served.house.queue.find("ENG-2").id, False)
    ran = await desk.run(*words, "--json")
    assert (ran.code, ran.err) == (0, "")
    assert isinstance(ran.data, dict)


async def test_status_shows_what_there_is(desk: Desk) -> None:
    desk.served.house.sync.bodies.clear()
    await desk.served.house.queue.launch(desk.served.house.queue.find("ENG-2").id, False)
    ran = await desk.run("status")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].startswith("Operator 0.1.0 · 1 of 4 agents · 1 queued")
    assert lines[0].endswith(f"127.0.0.1:{desk.served.port}")
    assert any(line.startswith(" ○ ENG-2  do 1/1") and "idle · title" in line for line in lines)
    assert "NEXT        ENG-1 TASK" in lines


async def test_without_unicode_the_marks_are_ascii(desk: Desk) -> None:
    ran = await desk.run("ticket", "list", PYTHONIOENCODING="ascii")
    assert ran.code == 0
    assert ran.out.isascii()
    assert ". ENG-1" in ran.out


async def test_status_loads_nothing_that_the_daemon_needs(desk: Desk) -> None:
    heavy = [
        "quart",
        "httpx2",
        "libtmux",
        "sqlalchemy",
        "textual",
        "trio",
        "anyio",
        "asyncio",
        "supervisor.daemon",
        "wsproto",
    ]
    program = (
        "import sys\nfrom clients.cli.main import main\n"
        f"assert main(['status']) == 0\nprint([name for name in {heavy} if name in sys.modules], file=sys.stderr)"
    )
    with trio.fail_after(DEADLINE):
        done = await trio.run_process(
            [sys.executable, "-c", program],
            capture_stdout=True,
            capture_stderr=True,
            env=environment(OPERATOR_STATE_DIR=str(desk.state)),
        )
    assert done.stderr.decode().strip() == "[]"


# --- refusals and absences --------------------------------------------------------------------------


async def test_no_daemon_is_said_with_the_command_that_starts_one(tmp_path: Path) -> None:
    ran = await operator("status", OPERATOR_STATE_DIR=str(tmp_path))
    assert (ran.code, ran.out) == (3, "")
    assert "No daemon runs" in ran.err
    assert "operator serve" in ran.err


async def test_a_daemon_that_is_gone_is_no_daemon(tmp_path: Path) -> None:
    async with serving() as served:
        name_it(served, tmp_path)
    ran = await operator("ticket", "list", "--json", OPERATOR_STATE_DIR=str(tmp_path))
    assert ran.code == 3
    assert ran.data["code"] == "no_daemon"
    assert f"pid {os.getpid()}" in ran.err


async def test_a_refusal_is_a_sentence_and_a_hint(desk: Desk) -> None:
    ran = await desk.run("ticket", "show", "ENG-9")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "operator: there is no ticket ENG-9\n  `operator ticket list` shows all\n"
    ran = await desk.run("ticket", "show", "ENG-9", "--json")
    assert (ran.code, ran.data["code"]) == (1, "not_found")


async def test_a_foreign_token_is_refused(desk: Desk) -> None:
    ran = await desk.run("status", OPERATOR_TOKEN="wrong")
    assert ran.code == 1
    assert "operator: " in ran.err


async def test_what_is_no_operator_is_said(tmp_path: Path) -> None:
    async def answer(stream: trio.SocketStream) -> None:
        await stream.receive_some(65536)
        await stream.send_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello")

    async with trio.open_nursery() as nursery:
        listen = partial(trio.serve_tcp, answer, 0, host="127.0.0.1")
        [listener] = await nursery.start(listen)
        port = listener.socket.getsockname()[1]
        ran = await operator("status", "--url", f"http://127.0.0.1:{port}", OPERATOR_STATE_DIR=str(tmp_path))
        nursery.cancel_scope.cancel()
    assert ran.code == 1
    assert "cannot be understood" in ran.err


@pytest.mark.parametrize("words", [("statu",), ("status", "--jso"), ("ticket", "launch"), ("watch", "--since", "x")])
async def test_wrong_usage(words: tuple[str, ...]) -> None:
    ran = await operator(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("operator: ")


COMMANDS = {
    "": ["serve", "init", "demo", "status", "watch", "attach", "sync", "pause", "resume", "completion", "version"],
    " ": ["approve", "reject", "answer"],
    "ticket": ["add", "list", "show", "edit", "launch", "cancel", "retry", "done", "clean"],
    "agent": ["list", "show", "prompt", "interrupt", "stop", "screen", "diff", "history"],
    "review": ["list", "show", "artifact"],
    "config": ["show", "check", "path"],
    "token": ["show", "rotate"],
}


@pytest.mark.slow
async def test_every_command_explains_itself_with_an_example() -> None:
    for noun, verbs in COMMANDS.items():
        for verb in verbs:
            ran = await operator(*noun.split(), verb, "--help")
            assert ran.code == 0, (noun, verb)
            assert "For example:" in ran.out, (noun, verb)
            assert "\x1b" not in ran.out, (noun, verb)


# --- acts -------------------------------------------------------------------------------------------


async def test_a_ticket_is_added_from_options_files_and_standard_input(desk: Desk, tmp_path: Path) -> None:
    bodies = desk.served.house.sync.bodies
    ran = await desk.run(
        "ticket", "add", "Say hello", "--type", "FEAT", "--body", "plain", "--label", "a", "--label", "b"
    )
    assert ran.code == 0
    assert ran.out.startswith("◌ TASK-3 queued")
    assert desk.served.house.queue.find("TASK-3").labels == ("a", "b")
    (tmp_path / "body.md").write_text("from a file\n")
    assert (await desk.run("ticket", "add", "x", "--body", f"@{tmp_path}/body.md")).code == 0
    assert (await desk.run("ticket", "add", "x", "--body", "-", text="piped ünï\n")).code == 0
    assert [*bodies.values()] == ["plain", "from a file\n", "piped ünï\n"]
    refused = await desk.run("ticket", "add", "x", "--body", "@/nowhere/at/all")
    assert refused.code == 1
    assert "/nowhere/at/all cannot be read" in refused.err
    wrong = await desk.run("ticket", "add", "  ")
    assert wrong.code == 1
    assert "  title: " in wrong.err


async def test_a_ticket_is_edited_by_options_and_in_an_editor(desk: Desk, tmp_path: Path) -> None:
    assert (await desk.run("ticket", "edit", "ENG-1", "--title", "Renamed")).code == 0
    assert desk.served.house.queue.find("ENG-1").title == "Renamed"
    editor = tmp_path / "editor.py"
    editor.write_text(
        "import sys, pathlib\np = pathlib.Path(sys.argv[1])\np.write_text('# New title\\n\\nNew text\\n')\n"
    )
    ran = await desk.run("ticket", "edit", "ENG-1", EDITOR=f"{sys.executable} {editor}")
    assert ran.code == 0
    assert desk.served.house.queue.find("ENG-1").title == "New title"
    assert [*desk.served.house.sync.bodies.values()] == ["New text\n"]
    same = await desk.run("ticket", "edit", "ENG-1", EDITOR="true")
    assert (same.code, same.out) == (0, "ENG-1 is as it was.\n")
    broken = await desk.run("ticket", "edit", "ENG-1", EDITOR="false")
    assert broken.code == 1
    assert "Nothing was changed." in broken.err


async def test_a_launch_says_how_to_attach(desk: Desk) -> None:
    ran = await desk.run("ticket", "launch", "ENG-1")
    assert ran.code == 0
    assert "ENG-1 runs as ENG-1~1 · operator/ENG-1" in ran.out
    assert "operator attach ENG-1" in ran.out
    again = await desk.run("ticket", "launch", "ENG-1")
    assert again.code == 1
    assert "ENG-1~1" in again.err


async def test_a_launch_that_fails_says_why(desk: Desk) -> None:
    desk.served.house.fleet.after_launch = FAILED
    ran = await desk.run("ticket", "launch", "ENG-1")
    assert ran.code == 1
    assert ran.err == "operator: claude is not there\n  install it\n"


async def test_tickets_end_and_are_cleaned(desk: Desk) -> None:
    assert "cancelled" in (await desk.run("ticket", "cancel", "ENG-1", "--reason", "no need")).out
    assert desk.served.house.queue.cancelled == [("ENG-1", "no need")]
    ran = await desk.run("ticket", "clean", "ENG-1")
    assert (ran.code, "/work/exports/x.tar.gz" in ran.out) == (0, True)
    assert "queued" in (await desk.run("ticket", "retry", "ENG-1")).out
    assert "done" in (await desk.run("ticket", "done", "ENG-1")).out
    twice = await desk.run("ticket", "done", "ENG-1")
    assert twice.code == 1


@pytest.mark.parametrize(("text", "said"), [("now", "Typed into"), ("later", "Pending")])
async def test_a_prompt_says_no_more_than_is_known(desk: Desk, text: str, said: str) -> None:
    await desk.served.house.queue.launch(desk.served.house.queue.find("ENG-1").id, False)
    ran = await desk.run("agent", "prompt", "ENG-1", "-", text=text)
    assert ran.code == 0
    assert said in ran.out


async def test_what_agents_show_is_harmless(desk: Desk) -> None:
    house = desk.served.house
    agent = await house.queue.launch(house.queue.find("ENG-1").id, False)
    house.fleet.sessions[agent].shown = "> \x1b[2J\x1b]52;c;AAAA\x07 漢字"
    ran = await desk.run("agent", "screen", "ENG-1")
    assert "\x1b" not in ran.out
    assert "\x07" not in ran.out
    assert "漢字" in ran.out
    house.fleet.patch = "--- a\n+++ b\n+\tx\x1b[2J\n"
    exact = await desk.run("agent", "diff", "ENG-1")
    assert exact.out == house.fleet.patch  # for `git apply`


async def test_attach_prints_or_needs_a_terminal(desk: Desk) -> None:
    await desk.served.house.queue.launch(desk.served.house.queue.find("ENG-1").id, False)
    ran = await desk.run("attach", "ENG-1", "--print")
    assert (ran.code, ran.out) == (0, "tmux -S /run/x.sock attach -t '=ENG-1~1'\n")
    ran = await desk.run("attach", "ENG-1")
    assert ran.code == 1
    assert "no terminal" in ran.err


async def test_attach_leaves_an_outer_tmux_behind(desk: Desk, tmp_path: Path) -> None:
    await desk.served.house.queue.launch(desk.served.house.queue.find("ENG-1").id, False)
    fake = tmp_path / "bin"
    fake.mkdir()
    program = fake / "tmux"
    program.write_text('#!/bin/sh\necho "$@" > "$0.saw"\necho "${TMUX-none} ${TMUX_PANE-none}" >> "$0.saw"\n')
    program.chmod(0o755)
    environ = environment(
        OPERATOR_STATE_DIR=str(desk.state), TMUX="/outer,1,0", TMUX_PANE="%3", PATH=f"{fake}:{os.environ['PATH']}"
    )
    master, slave = pty.openpty()
    try:
        with trio.fail_after(DEADLINE):
            done = await trio.run_process(
                [sys.executable, "-m", "clients.cli.main", "attach", "ENG-1"],
                stdin=slave,
                stdout=slave,
                capture_stderr=True,
                env=environ,
            )
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 0
    assert (fake / "tmux.saw").read_text() == "-S /run/x.sock attach -t =ENG-1~1\nnone none\n"


async def test_watch_prints_lines_and_ends_with_ctrl_c(desk: Desk) -> None:
    await desk.served.house.happen("agent.running", "ENG-1", "ENG-1~1", source="hook")
    await desk.served.house.happen("ticket.done", "ENG-1")
    lines = await watched(desk, 2, "--since", "0")
    assert lines == ["12:00 ENG-1        ● running · hook · n 0", "12:00 ENG-1        ✓ done · n 0"]
    exact = await watched(desk, 1, "--since", "0", "--kinds", "ticket.*", "--json")
    assert json.loads(exact[0])["seq"] == 2


async def watched(desk: Desk, count: int, *options: str) -> list[str]:
    command = [sys.executable, "-m", "clients.cli.main", "watch", *options]
    environ = environment(OPERATOR_STATE_DIR=str(desk.state))
    with trio.fail_after(DEADLINE):
        process = await trio.lowlevel.open_process(command, stdout=subprocess.PIPE, env=environ)
        assert process.stdout is not None
        text = b""
        while text.count(b"\n") < count:
            text += await process.stdout.receive_some()
        process.send_signal(2)
        assert await process.wait() == 0
        await process.stdout.aclose()
    return text.decode().splitlines()


# --- files ------------------------------------------------------------------------------------------


async def test_init_makes_what_config_check_accepts(tmp_path: Path) -> None:
    await trio.run_process(["git", "init", "--quiet", str(tmp_path)])
    ran = await operator("init", "--path", str(tmp_path), "--example", "--yes")
    assert ran.code == 0
    assert len(ran.out.splitlines()) == 3
    assert (tmp_path / "tickets/queue/say-hello.md").is_file()
    check = await operator("config", "check", "--config", str(tmp_path / "operator.toml"))
    assert check.code == 0
    assert "no errors" in check.out
    again = await operator("init", "--path", str(tmp_path), "--yes")
    assert again.code == 1
    assert "--force" in again.err
    assert (await operator("init", "--path", str(tmp_path), "--force", "--yes")).code == 0


async def test_config_check_names_every_wrong_key(tmp_path: Path) -> None:
    file = tmp_path / "operator.toml"
    file.write_text("[queue]\nmax_agent = 2\n[daemon]\nprot = 1\n")
    ran = await operator("config", "check", "--config", str(file))
    assert ran.code == 1
    assert 'queue.max_agent: unknown key; did you mean "max_agents"?' in ran.out
    assert 'daemon.prot: unknown key; did you mean "port"?' in ran.out
    exact = await operator("config", "check", "--config", str(file), "--json")
    assert set(exact.data["errors"]) == {"queue.max_agent", "daemon.prot"}


async def test_a_token_is_replaced_for_its_owner_only(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("old")
    ran = await operator("token", "rotate", OPERATOR_STATE_DIR=str(tmp_path))
    assert ran.code == 0
    assert "the next one takes it" in ran.out
    token = (tmp_path / "token").read_text().strip()
    assert token not in ("old", "")
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    shown = await operator("token", "show", OPERATOR_STATE_DIR=str(tmp_path))
    assert shown.out == f"{token}\n"
    assert os.listdir(tmp_path) == ["token"]


async def test_rotating_says_that_the_daemon_must_restart(desk: Desk) -> None:
    ran = await desk.run("token", "rotate")
    assert "restart it" in ran.out


async def test_completion_is_a_script() -> None:
    for shell in ("bash", "zsh", "fish"):
        ran = await operator("completion", shell)
        assert (ran.code, "operator" in ran.out, "ticket" in ran.out) == (0, True, True)
