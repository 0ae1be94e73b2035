"""The terminal UI as a person uses it: in a real terminal, key by key, on a real daemon, verified by REST."""

import shlex
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import trio

from tests.harness import REHEARSAL, Place
from tests.window import Window, check_golden

FEATURE = (
    "step plan: write .operator/plan.md # A first plan\\n\\n1. Middleware\\n2. `Tests`\\n",
    "redo plan: write .operator/plan.md # A better plan",
    "step build: write feature.py def f():\\n    return 1\\n",
    "step build: commit Build it",
    "step show: write .operator/show/page.html <p>shown</p>",
    "step offer: write .operator/summary.md It is done.",
)
BUSY = ("title ⠂ Running the test suite", "hang forever")


@pytest.fixture
def window(place: Place) -> Iterator[Window]:
    made = Window(place)
    yield made
    made.close()


@pytest.fixture
def wide(place: Place) -> Iterator[Window]:
    made = Window(place, 200, 50)
    yield made
    made.close()


async def opened(place: Place, number: int) -> dict[str, Any]:
    await place.until(lambda event: event["kind"] == "review.opened" and event["data"]["review"] == number)
    found: dict[str, Any] = await place.get(f"/reviews/{number}")
    return found


async def decided(place: Place, number: int) -> dict[str, Any]:
    """The review, once somebody has decided it."""
    kinds = ("review.approved", "review.rejected", "review.answered")
    await place.until(lambda event: event["kind"] in kinds and event["data"]["review"] == number)
    found: dict[str, Any] = await place.get(f"/reviews/{number}")
    return found


async def a_full_board(place: Place) -> None:
    """A plan that waits, an agent at work, and two tickets in line."""
    place.configure(max_agents=2)
    place.ticket("FEAT-1", *FEATURE, type="FEAT", title="Rate-limit the login endpoint")
    place.ticket("TASK-2", *BUSY, title="Dark mode")
    await place.start()
    await opened(place, 1)
    await place.until(lambda event: event["kind"] == "agent.running" and event["agent"] == "TASK-2~1")
    place.ticket("FIX-3", "say hi", type="FIX", title="日本語の合計 e\u0301 is null 👨‍👩‍👧")
    place.ticket("TASK-4", "say hi", title="Later", front="blocked_by: [FIX-3]\n")
    await place.post("/queue/sync")


# --- deciding -----------------------------------------------------------------------------------------


async def test_what_needs_a_person_comes_first_and_one_key_decides_it(place: Place, window: Window) -> None:
    await a_full_board(place)
    window.run("tui")
    shown = await window.until(lambda screen: all(each in screen for each in ("Middleware", "QUEUE (2)", "⠂ Run")))
    check_golden("board-80x24", shown, place)
    window.keys("Y")
    await window.until("The plan of FEAT-1 is approved.")
    assert (await place.get("/reviews/1"))["status"] == "approved"
    await opened(place, 2)
    await window.until("visual review")
    await window.insist("X", "^s reject")
    window.type("No “quotes” [b]please[/b].")
    window.keys("Enter")
    window.type("Second line.")
    window.keys("C-s")
    await window.until("is rejected")
    review = await decided(place, 2)
    assert (review["status"], review["reason"]) == ("rejected", "No “quotes” [b]please[/b].\nSecond line.")


async def test_a_wide_terminal_shows_list_details_and_the_terminal(place: Place, wide: Window) -> None:
    await a_full_board(place)
    wide.run()  # plain `operator`
    shown = await wide.until(lambda screen: "Write(.operator/plan.md)" in screen and "FIX-3" in screen)
    check_golden("board-200x50", shown, place)


async def test_a_verdict_is_about_what_was_on_the_screen(place: Place, window: Window) -> None:
    place.ticket("FEAT-1", *FEATURE, type="FEAT")
    await place.start()
    await opened(place, 1)
    window.run("tui")
    await window.until("A first plan")
    await place.post("/agents/FEAT-1/reject", {"review_id": 1, "reason": "Again."})
    await opened(place, 2)
    assert "A first plan" in await window.until("decided or superseded by now")
    window.keys("Y")
    await window.until(lambda screen: "rejected" in screen and "▌" in screen)
    assert (await place.get("/reviews/2"))["status"] == "pending"
    window.keys("Tab")
    await window.until(lambda screen: "A better plan" in screen and "superseded by now" not in screen)
    await window.insist("Y", "is approved")
    assert (await decided(place, 2))["status"] == "approved"


async def test_a_rejection_is_written_in_ones_own_editor(place: Place, window: Window) -> None:
    editor = place.root / "editor.sh"
    editor.write_text('#!/bin/sh\nprintf "Written elsewhere." > "$1"\n')
    editor.chmod(0o755)
    place.ticket("FEAT-1", *FEATURE, type="FEAT")
    await place.start()
    await opened(place, 1)
    window.run("tui", environ={"EDITOR": str(editor)})
    await window.until("A first plan")
    await window.insist("X", "^s reject")
    window.keys("C-e")
    await window.until("Written elsewhere.")
    window.keys("C-s")
    assert (await decided(place, 1))["reason"] == "Written elsewhere."


async def test_permissions_and_questions_are_answered_without_leaving(place: Place, window: Window) -> None:
    place.configure(
        driver=f"""
[drivers.rehearsal]
kind = "claude"
command = ["{sys.executable}", "-S", "{REHEARSAL}"]
stop_grace = "500ms"
env = {{ CLAUDE_CONFIG_DIR = "{place.root}/home/.rehearsal" }}
"""
    )
    command = "echo '[red]x[/]' > built.txt && true"
    place.ticket("TASK-1", f"permission {command}", "permission touch never", "ask Which db? | A | B", "commit x")
    await place.start()
    await opened(place, 1)
    window.run("tui")
    shown = await window.until("Bash would do exactly this:")
    assert "echo '[red]x[/]' >" in shown
    window.keys("Y")
    assert (await decided(place, 1))["status"] == "approved"
    await opened(place, 2)
    await window.until("touch never")
    await window.insist("X", "^s reject")
    window.type("Never.")
    window.keys("C-s")
    assert (await decided(place, 2))["reason"] == "Never."
    await opened(place, 3)
    await window.until("Which db?")
    await window.insist("a", "own words")
    window.type("2")
    window.keys("Enter")
    assert (await decided(place, 3))["answers"] == {"Which db?": "B"}


async def test_changes_are_read_folded_and_approved(place: Place, window: Window) -> None:
    place.configure(extra='[types.ONE]\nsteps = [{ name = "do", prompt = "{{ ticket.body }}", review = "pr" }]\n')
    place.ticket("ONE-1", "write a.py def f():\\n    return 1\\n", "write b.py x = 1", "commit Both", type="ONE")
    await place.start()
    await opened(place, 1)
    window.run("tui")
    await window.until("2 files changed")
    window.keys("d")
    shown = await window.until("+def f():")
    check_golden("diff-80x24", shown, place)
    window.keys("f")
    assert "▸ b.py  +1 -0" in await window.until_not("+def f():")
    window.keys("Y")
    assert (await decided(place, 1))["status"] == "approved"


# --- sessions -----------------------------------------------------------------------------------------


async def test_one_sits_down_types_and_comes_back_to_the_same_place(place: Place, window: Window) -> None:
    place.ticket("TASK-1", "wait go", title="The first")
    place.ticket("TASK-2", "wait go", title="The second")
    await place.start()
    await place.until(lambda event: event["kind"] == "agent.running" and event["agent"] == "TASK-2~1")
    await place.until(lambda event: event["kind"] == "agent.running" and event["agent"] == "TASK-1~1")
    window.run("tui")
    await window.until(lambda screen: "TASK-2" in screen and "TASK-1" in screen)
    first = "TASK-1" if "▸● TASK-1" in await window.until("▸●") else "TASK-2"
    ticket = "TASK-2" if first == "TASK-1" else "TASK-1"
    window.keys("j" if first in window.screen().split(ticket)[0] else "k")
    await window.until(f"▸● {ticket}")
    window.keys("Enter")
    await window.until_not("RUNNING")
    place.kill()
    window.resize(100, 30)
    window.type("typed by a person")
    await window.until("typed by a person")
    await place.start()
    window.keys("C-b", "d")
    shown = await window.until(lambda screen: "live" in screen and max(map(len, screen.splitlines())) > 80)
    assert f"▸● {ticket}" in shown


async def test_the_agent_ends_while_a_person_sits_at_it(place: Place, window: Window) -> None:
    place.ticket("TASK-1", "wait go", "say bye")
    await place.start()
    await place.until(lambda event: event["kind"] == "agent.running")
    window.run("tui")
    await window.until("TASK-1")
    window.keys("Enter")
    await window.until_not("RUNNING")
    agent = await place.get("/agents/TASK-1")
    await trio.Path(agent["worktree_path"], "go").touch()
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    window.keys("C-b", "d")
    await window.until("DONE (1)")
    assert "✓ TASK-1" in await window.until("live")


async def test_prompts_interrupts_and_stops(place: Place, window: Window) -> None:
    place.ticket("TASK-1", *BUSY)
    await place.start()
    await place.until(lambda event: event["kind"] == "agent.running")
    window.run("tui")
    await window.until("▸● TASK-1")
    window.keys("Space")
    await window.until("You are in step")
    window.keys("i")
    await window.until("was pressed")
    await place.until_journal("TASK-1", "interrupt")
    window.keys("m")
    await window.until("typed into its terminal")
    window.type("first")
    window.keys("Enter")
    window.type("rehearse: hang forever")
    window.keys("C-s")
    told = await place.until_journal_has(
        "TASK-1", lambda entry: entry["event"] == "prompt" and entry["text"].startswith("first")
    )
    assert told["text"] == "first\nrehearse: hang forever"
    window.keys("s")
    await window.until("Stop the agent of TASK-1 and all its processes?")
    window.keys("n")
    await window.until_not("Stop the agent")
    assert (await place.get("/agents/TASK-1"))["state"]["name"] != "exited"
    window.keys("s")
    await window.until("Stop the agent")
    window.keys("y")
    await place.until(lambda event: event["kind"] == "agent.exited")


# --- queue and tickets --------------------------------------------------------------------------------


async def test_the_queue_is_synced_paused_and_resumed(place: Place, window: Window) -> None:
    await place.start()
    window.run("tui")
    shown = await window.until(lambda screen: "Nothing needs you." in screen and "live" in screen)
    check_golden("empty-80x24", shown, place)
    window.keys("P")
    await window.until("‖ PAUSED")
    assert (await place.get("/status"))["paused"]
    place.ticket("TASK-1", "say hi", title="A new one")
    window.keys("S")
    await window.until("Sync: ")
    await window.until("◌ TASK-1")
    assert (await place.get("/tickets/TASK-1"))["status"] == "queued"
    window.keys("R")
    await window.until_not("PAUSED")
    assert not (await place.get("/status"))["paused"]
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    await window.until("✓ TASK-1")


async def test_tickets_are_added_changed_put_in_order_and_given_up(place: Place, window: Window) -> None:
    await place.start()
    await place.post("/queue/pause")
    window.run("tui")
    await window.until("Nothing needs you.")
    window.keys("n")
    await window.until("of which type?")
    window.type("FIX")
    window.keys("Enter")
    await window.until("What should happen:")
    window.type("Null in the total")
    window.keys("C-s")
    await window.until("FIX-1 is added.")
    ticket = await place.get("/tickets/FIX-1")
    assert (ticket["type"], ticket["title"]) == ("FIX", "Null in the total")
    assert "How to see it:" in ticket["body"]
    await window.until("▸◌ FIX-1")
    window.keys("e")
    await window.until("its title in the first line")
    window.type(", always")
    window.keys("C-s")
    await window.until("FIX-1 is changed.")
    assert (await place.get("/tickets/FIX-1"))["title"] == "Null in the total, always"
    window.keys("+")
    await window.until("has priority 4")
    assert (await place.get("/tickets/FIX-1"))["priority"] == 4
    window.keys("C")
    await window.until("Give FIX-1 up?")
    window.keys("y")
    await window.until("FIX-1 is given up.")
    assert (await place.get("/tickets/FIX-1"))["status"] == "cancelled"
    window.keys("r")
    await window.until("back in line")
    assert (await place.get("/tickets/FIX-1"))["status"] == "queued"


# --- finding ones way ---------------------------------------------------------------------------------


async def test_help_palette_filter_log_and_mouse(place: Place, window: Window) -> None:
    await place.start()
    await place.post("/queue/pause")
    for number in (1, 2, 3):
        place.ticket(f"TASK-{number}", "say hi", title=f"The {'odd' if number % 2 else 'even'} one")
    await place.post("/queue/sync")
    window.run("tui")
    await window.until("QUEUE (3)")
    window.keys("?")
    check_golden("help-80x24", await window.until("Approve what is shown"), place)
    window.keys("Escape")
    await window.until("QUEUE (3)")
    window.keys("/")
    await window.until("words that a row must have")
    window.type("even")
    await window.until("QUEUE (1)")
    window.keys("Enter", "Escape")
    await window.until("QUEUE (3)")
    window.keys("l")
    await window.until("Activity")
    window.keys("Escape")
    rows = (await window.until("QUEUE (3)")).splitlines()
    row = next(number for number, line in enumerate(rows, 1) if "TASK-3" in line)
    window.click(5, row)
    await window.until("▸◌ TASK-3")
    window.keys("C-p")
    await window.until("Search")
    window.type("resume")
    await window.until("Resume Queue Processing")
    window.keys("Enter")
    await window.until_not("PAUSED")
    assert not (await place.get("/status"))["paused"]


async def test_without_a_daemon_a_newcomer_is_told_what_to_do_and_it_is_found_later(
    place: Place, window: Window
) -> None:
    window.run("tui", environ={"PATH": "/usr/bin:/bin"})
    shown = await window.until("operator init --example")
    check_golden("first-run-80x24", shown.replace("gemini", ""), place)
    place.ticket("TASK-1", *BUSY)
    await place.start()
    await window.until("live")
    await window.until("● TASK-1")
    place.kill()
    await window.until("OFFLINE since")
    await place.start()
    await window.until_not("OFFLINE")
    await window.until("● TASK-1")


async def test_it_says_where_there_is_no_terminal(place: Place) -> None:
    command = [sys.executable, "-m", "clients.cli.main", "tui"]
    ended = await trio.run_process(command, env=place.env, capture_stderr=True, capture_stdout=True, check=False)
    assert ended.returncode == 1
    assert b"There is no terminal here." in ended.stderr


async def test_hostile_titles_long_plans_and_huge_patches(place: Place, window: Window) -> None:
    place.configure(extra='[types.ONE]\nsteps = [{ name = "do", prompt = "{{ ticket.body }}", review = "plan", '
                    'artifacts = [".operator/plan.md"] }]\n')  # fmt: skip
    title = "[bold]x[/] \u202eevil שלום مرحبا e" + "\u0301" * 40 + " 👨‍👩‍👧🇩🇪❤️ \\x1b]0;owned\\a " + "長" * 250
    code = "import pathlib;pathlib.Path('.operator').mkdir(exist_ok=True);"
    code += "pathlib.Path('.operator/plan.md').write_text(''.join(f'line {n} [red]x[/]\\\\n' for n in range(10000)));"
    code += "pathlib.Path('big.py').write_text('x = 1 # ' + '\\\\nx = 1 # '.join(map(str, range(500000))))"
    place.ticket("ONE-1", f'run {sys.executable} -c "{code}"', type="ONE", title=f'"{title}"')
    await place.start()
    await opened(place, 1)
    window.run("tui")
    shown = await window.until("line 4")
    assert "[bold]x[/] evil" in shown
    lines = shown.splitlines()
    assert {line[42] for line in lines[1:21] if len(line) > 42 and line.isascii()} <= {"│", " "}, shown
    window.keys("PageDown")
    await window.until("line 20")
    window.keys("d")
    await window.until("+x = 1 # 1", within=40)
    window.keys("End")
    await window.until("[cut: the patch is longer than", within=40)  # it is the daemon that ends it there
    window.keys("Escape")
    await window.until("NEEDS YOU (1)")
    window.keys("q")
    await window.until("ended with 0")


async def test_the_command_line_goes_to_the_next_that_needs_a_person(place: Place) -> None:
    command = [sys.executable, "-m", "clients.cli.main", "attach", "--next", "--print", "--state-dir", str(place.state)]
    await place.start()
    nobody = await trio.run_process(command, env=place.env, capture_stderr=True, capture_stdout=True, check=False)
    assert (nobody.returncode, b"No agent needs you." in nobody.stderr) == (1, True)
    place.ticket("FEAT-1", *FEATURE, type="FEAT")
    await opened(place, 1)
    found = await trio.run_process(command, env=place.env, capture_stdout=True)
    attach = (await place.get("/agents/FEAT-1/attach"))["argv"]
    assert shlex.split(found.stdout.decode()) == attach
