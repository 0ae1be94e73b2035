"""A person decides from a shell: `operator review`, `approve`, `reject` and `answer`."""

import getpass
import os
import pty
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from supervisor.domain.errors import AnswerAtTerminal
from supervisor.domain.ids import AgentId, ReviewId
from supervisor.domain.review import (
    Answered,
    Approved,
    Artifact,
    Option,
    Question,
    Questions,
    Rejected,
    Review,
    ReviewKind,
    Visuals,
)
from tests.fakes.asking import AGENT_1, with_agent
from tests.fakes.desk import DEADLINE, Desk, Ran, environment, name_it, operator
from tests.fakes.served import serving
from tests.harness import REHEARSAL, Place
from tests.unit.domain.samples import ASKS, CHANGES, PERMISSION, PLAN, QUESTIONS

PNG = b"\x89PNG\r\n\x1a\n\0\xff"


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with serving() as served:
        name_it(served, tmp_path)
        with_agent(served)
        yield Desk(served, tmp_path)


def ask(desk: Desk, kind: ReviewKind, subject: Any) -> Review:
    return desk.served.house.review.ask(AGENT_1, kind, subject)


def decision(desk: Desk, number: int = 1) -> Any:
    return desk.served.house.review.all[ReviewId(number)].decision


def editor(folder: Path, text: str) -> str:
    """A program that writes this at the beginning of what it edits, and keeps what was there in `saw`."""
    program = folder / "editor.py"
    program.write_text(
        "import sys, pathlib\np = pathlib.Path(sys.argv[1])\nold = p.read_text()\n"
        f"pathlib.Path({str(folder / 'saw')!r}).write_text(old)\np.write_text({text!r} + old)\n"
    )
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    return f"{sys.executable} {program}"


# --- looking --------------------------------------------------------------------------------------


async def test_what_waits_is_listed_and_shown(desk: Desk) -> None:
    assert (await desk.run("review", "list")).out == "Nothing waits for your decision.\n"
    ask(desk, ReviewKind.PLAN, PLAN)
    ask(desk, ReviewKind.PERMISSION, PERMISSION)
    listed = await desk.run("review", "list")
    assert listed.code == 0
    assert [line.split()[:4] for line in listed.out.splitlines()[1:]] == [
        ["◆", "2", "ENG-1", "permission"],
        ["◈", "1", "ENG-1", "plan"],
    ]
    assert "rm -rf build" in listed.out
    plan = await desk.run("review", "show", "1")
    assert "# Limits\n\n1. Middleware\n" in plan.out
    assert "Approve: operator approve ENG-1 --review 1" in plan.out
    permission = await desk.run("review", "show", "2")
    assert "tool        Bash\n  command     rm -rf build\n" in permission.out
    exact = await desk.run("review", "show", "2", "--json")
    assert (exact.data["command"], exact.data["held"]) == ("rm -rf build", True)
    assert [each["id"] for each in (await desk.run("review", "list", "--json")).data["reviews"]] == [2, 1]


async def test_status_begins_with_what_waits(desk: Desk) -> None:
    ask(desk, ReviewKind.QUESTION, QUESTIONS)
    ran = await desk.run("status")
    assert " ◆ ENG-1  question" in ran.out
    assert "operator answer ENG-1" in ran.out


async def test_finished_work_is_shown_with_its_branch(desk: Desk) -> None:
    ask(desk, ReviewKind.PR, CHANGES)
    ran = await desk.run("review", "show", "1")
    assert "branch      operator/A-1, 2 commits\n  url         http://[::1]/pull/3\n" in ran.out
    assert " a.py | 2 +-" in ran.out


async def test_what_was_made_is_named_and_saved_byte_for_byte(desk: Desk, tmp_path: Path) -> None:
    name = "shots/a\n b%2F.png"
    desk.served.house.fleet.files[name] = PNG
    ask(desk, ReviewKind.VISUAL, Visuals((Artifact(name, "image/png", len(PNG)),)))
    shown = await desk.run("review", "show", "1")
    assert f"image/png  10 B  http://127.0.0.1:{desk.served.port}/api/v1/reviews/1/artifacts/shots/a%0A" in shown.out
    with trio.fail_after(DEADLINE):
        saved = await trio.run_process(
            [sys.executable, "-m", "clients.cli.main", "review", "artifact", "1", name],
            capture_stdout=True,
            env=environment(OPERATOR_STATE_DIR=str(desk.state)),
        )
    assert saved.stdout == PNG
    missing = await desk.run("review", "artifact", "1", "../../token")
    assert (missing.code, missing.out) == (1, "")
    assert "no such artifact" in missing.err


# --- deciding -------------------------------------------------------------------------------------


async def test_an_approval_is_recorded_under_the_users_name(desk: Desk) -> None:
    ask(desk, ReviewKind.PERMISSION, PERMISSION)
    ran = await desk.run("approve", "ENG-1~1", "--review", "1")
    assert (ran.code, ran.out) == (0, "✓ ENG-1 may go on with: rm -rf build · review 1\n")
    assert isinstance(decision(desk), Approved)
    assert decision(desk).by == getpass.getuser()
    again = await desk.run("approve", "ENG-1", "--review", "1", "--json")
    assert (again.code, again.data["code"]) == (1, "already_decided")
    assert again.data["data"]["by"] == getpass.getuser()
    assert "approved already, by" in again.err


@pytest.mark.parametrize("words", [("-m", "- no\n"), ("--message", "# no ünï"), ("-m", "-")])
async def test_a_reason_is_told_letter_for_letter(desk: Desk, words: tuple[str, str]) -> None:
    ask(desk, ReviewKind.PLAN, PLAN)
    ran = await desk.run("reject", "ENG-1", *words, text=" piped\n\ttext\n")
    assert ran.code == 0, ran.err
    assert "The plan of ENG-1 is rejected." in ran.out
    assert isinstance(decision(desk), Rejected)
    assert decision(desk).reason == (" piped\n\ttext\n" if words[1] == "-" else words[1])


async def test_a_reason_is_written_in_the_editor(desk: Desk, tmp_path: Path) -> None:
    ask(desk, ReviewKind.PLAN, PLAN)
    empty = await desk.run("reject", "ENG-1", VISUAL="true", EDITOR="false")
    assert empty.code == 1
    assert "Nothing was rejected" in empty.err
    assert decision(desk).__class__.__name__ == "Pending"
    reason = "# Not so\n\n- use the helper\n"
    ran = await desk.run("reject", "ENG-1", EDITOR=editor(tmp_path, reason))
    assert ran.code == 0, ran.err
    assert decision(desk).reason == reason.rstrip("\n")
    assert "# 1. Middleware" in (tmp_path / "saw").read_text()


async def test_a_rejection_without_a_way_to_say_why_is_wrong_usage(desk: Desk) -> None:
    ask(desk, ReviewKind.PLAN, PLAN)
    ran = await desk.run("reject", "ENG-1")
    assert ran.code == 2
    assert "-m REASON" in ran.err
    assert (await desk.run("reject", "ENG-1", "-m", "  ")).code == 1


@pytest.mark.parametrize(("words", "answer"), [("2", "SQLite"), ("postgres", "Postgres"), ("- neither", "- neither")])
async def test_a_question_is_answered(desk: Desk, words: str, answer: str) -> None:
    ask(desk, ReviewKind.QUESTION, QUESTIONS)
    ran = await desk.run("answer", "ENG-1", words)
    assert (ran.code, ran.out) == (0, "✓ The question of ENG-1 is answered. · review 1\n")
    assert isinstance(decision(desk), Answered)
    assert decision(desk).answers == {"Which db?": answer}


async def test_several_questions_are_answered_at_once(desk: Desk) -> None:
    both = Questions(ASKS, (Question("a?", (Option("x"), Option("y")), multiple=True), Question("b?")))
    ask(desk, ReviewKind.QUESTION, both)
    some = await desk.run("answer", "ENG-1", "--question", "1", "1")
    assert some.code == 1
    assert "no answer to: b?" in some.err
    assert (await desk.run("answer", "ENG-1", "x")).code == 2
    ran = await desk.run("answer", "ENG-1", "--question", "2", "my own words", "--question", "1", "1,2")
    assert ran.code == 0, ran.err
    assert decision(desk).answers == {"a?": "x, y", "b?": "my own words"}


async def test_a_question_is_asked_at_the_terminal(desk: Desk) -> None:
    ask(desk, ReviewKind.QUESTION, QUESTIONS)
    master, slave = pty.openpty()
    try:
        os.write(master, b"2\n")
        with trio.fail_after(DEADLINE):
            done = await trio.run_process(
                [sys.executable, "-m", "clients.cli.main", "answer", "ENG-1"],
                stdin=slave,
                capture_stdout=True,
                capture_stderr=True,
                check=False,
                env=environment(OPERATOR_STATE_DIR=str(desk.state)),
            )
    finally:
        os.close(master)
        os.close(slave)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stderr.decode() == "Which db?\n  1  Postgres  as now\n  2  SQLite\nA number, or your own words: "
    assert decision(desk).answers == {"Which db?": "SQLite"}


async def test_without_a_terminal_an_answer_has_to_be_given(desk: Desk) -> None:
    ask(desk, ReviewKind.QUESTION, QUESTIONS)
    ran = await desk.run("answer", "ENG-1")
    assert ran.code == 2
    assert "operator review show 1" in ran.err


# --- refusals -------------------------------------------------------------------------------------


async def test_refusals_say_what_to_do(desk: Desk) -> None:
    none = await desk.run("approve", "ENG-1")
    assert none.code == 1
    assert "nothing to decide" in none.err
    assert "operator review list" in none.err
    assert "operator review list" in (await desk.run("answer", "ENG-1", "x")).err
    ask(desk, ReviewKind.QUESTION, QUESTIONS)
    wrong = await desk.run("approve", "ENG-1")
    assert (wrong.code, "operator answer ENG-1 ANSWER" in wrong.err) == (1, True)
    ask(desk, ReviewKind.PLAN, PLAN)
    for words in (("approve", "ENG-1"), ("answer", "ENG-1", "x")):
        several = await desk.run(*words)
        assert (several.code, "--review" in several.err) == (1, True)
    fits_not = await desk.run("answer", "ENG-1", "x", "--review", "2")
    assert (fits_not.code, "operator review show 2" in fits_not.err) == (1, True)
    await desk.run("answer", "ENG-1", "x", "--review", "1")
    late = await desk.run("answer", "ENG-1", "y", "--review", "1")
    assert (late.code, "answered already, by" in late.err) == (1, True)
    desk.served.house.review.fails = AnswerAtTerminal("the hook is gone", hint="operator attach ENG-1")
    terminal = await desk.run("approve", "ENG-1")
    assert terminal.err == "operator: the hook is gone\n  operator attach ENG-1\n"


@pytest.mark.parametrize(
    "words", [("approve",), ("review", "show", "x"), ("answer", "T", "--question", "1")], ids=" ".join
)
async def test_wrong_usage(words: tuple[str, ...]) -> None:
    ran = await operator(*words)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("operator: ")


async def test_verdicts_without_a_daemon(tmp_path: Path) -> None:
    for words in (("review", "list"), ("approve", "T"), ("reject", "T", "-m", "no"), ("answer", "T", "x")):
        ran = await operator(*words, OPERATOR_STATE_DIR=str(tmp_path))
        assert (ran.code, "operator serve" in ran.err) == (3, True)


async def test_a_shell_completes_verdicts(tmp_path: Path) -> None:
    script = (await operator("completion", "bash", OPERATOR_STATE_DIR=str(tmp_path))).out
    assert all(word in script for word in ("approve", "reject", "answer", "artifact"))


# --- the whole of it ------------------------------------------------------------------------------


@pytest.fixture
def rehearsal() -> Iterator[Place]:
    """A place whose agent speaks Claude Code's protocol."""
    made = Place()
    made.configure(
        driver=f"""
[drivers.rehearsal]
kind = "claude"
command = ["{sys.executable}", "-S", "{REHEARSAL}"]
stop_grace = "500ms"
env = {{ CLAUDE_CONFIG_DIR = "{made.root}/home/.rehearsal" }}
"""
    )
    try:
        yield made
    finally:
        made.close()


async def asked(place: Place, number: int) -> None:
    await place.until(lambda event: event["kind"] == "review.opened" and event["data"]["review"] == number)


async def test_an_agents_questions_are_decided_from_the_shell(rehearsal: Place) -> None:
    place, reason = rehearsal, "Not that — use make clean.\n\n\t# ünï 漢字"

    async def run(*words: str) -> Ran:
        ran = await operator(*words, OPERATOR_STATE_DIR=str(place.state))
        assert (ran.code, ran.err) == (0, ""), (ran, place.log_tail())
        return ran

    place.ticket(
        "TASK-1", "permission echo built > built.txt", "permission touch never.txt", "ask Which db? | A | B", "commit x"
    )
    await place.start()
    await asked(place, 1)
    status = (await run("status")).out
    assert "◆ TASK-1  permission" in status
    assert "rehearsal wants: echo built > built.txt  operator approve TASK-1 --review 1" in status
    assert "operator approve TASK-1 --review 1" in (await run("review", "show", "1")).out
    assert "may go on with: echo built > built.txt" in (await run("approve", "TASK-1", "--review", "1")).out
    await asked(place, 2)
    await run("reject", "TASK-1", "-m", reason)
    told = await place.until_journal_has("TASK-1", lambda entry: entry["event"] == "told" and entry["text"] == reason)
    assert told["text"] == reason
    await asked(place, 3)
    assert "2  B" in (await run("review", "show", "3")).out
    assert "answered" in (await run("answer", "TASK-1", "2")).out
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    answered = [entry["text"] for entry in place.journal("TASK-1") if entry["event"] == "told"][-2:]
    assert any('"Which db?"="B"' in text for text in answered), answered
    assert place.git("show", "operator/TASK-1:built.txt") == "built\n"
    assert "never.txt" not in place.git("ls-tree", "--name-only", "operator/TASK-1")
    decided = (await run("review", "list", "--all", "--json")).data["reviews"]
    assert [(each["id"], each["status"], each["told"]) for each in decided] == [
        (3, "answered", True),
        (2, "rejected", True),
        (1, "approved", True),
    ]
    assert {each["decided_by"] for each in decided} == {getpass.getuser()}


async def test_a_proposed_plan_is_read_and_approved_from_the_shell(rehearsal: Place) -> None:
    place = rehearsal
    place.ticket("TASK-1", "plan 1. Middleware\\n2. Tests", "commit x")
    await place.start()
    await asked(place, 1)
    agent = await place.get("/agents/TASK-1")
    assert (agent["state"]["name"], agent["review_id"]) == ("awaiting_review", 1)
    shown = await operator("review", "show", "1", OPERATOR_STATE_DIR=str(place.state))
    assert "\n1. Middleware\n2. Tests\n" in shown.out
    ran = await operator("approve", "TASK-1", OPERATOR_STATE_DIR=str(place.state))
    assert (ran.code, ran.out) == (0, "✓ The plan of TASK-1 is approved. · review 1\n")
    assert await place.until_over("TASK-1") == {"TASK-1": "done"}
    assert AgentId(agent["id"]) == "TASK-1~1"


SHOWN = """
[types.SHOWN]
steps = [
    { name = "show", prompt = "{{ ticket.body }}", artifacts = ["shots/*"], review = "visual" },
    { name = "offer", prompt = "Offer it.", review = "pr" },
]
"""


async def test_what_an_agent_made_is_fetched_and_its_work_is_approved_from_the_shell(place: Place) -> None:
    place.configure(extra=SHOWN)
    place.ticket("S-1", "write shots/page.html <!doctype html><script>x</script>", "commit Made", type="SHOWN")
    await place.start()
    state = {"OPERATOR_STATE_DIR": str(place.state)}
    await asked(place, 1)
    saved = await operator("review", "artifact", "1", "shots/page.html", **state)
    assert (saved.code, saved.out) == (0, "<!doctype html><script>x</script>\n")
    async with place.client() as client:
        served = await client.get("/reviews/1/artifacts/shots/page.html")
    assert served.headers["content-type"] == "text/html; charset=utf-8"
    assert served.headers["content-security-policy"].startswith("sandbox;")
    assert (await operator("approve", "S-1", **state)).code == 0
    await asked(place, 2)
    await place.until(lambda event: event["kind"] == "ticket.parked")
    await place.until(lambda event: event["kind"] == "agent.retired")
    status = await operator("status", **state)
    assert "· 0 queued · 1 needs you" in status.out
    assert " ◈ S-1  pr" in status.out
    assert "operator review show 2" in status.out
    assert "branch      operator/S-1, " in (await operator("review", "show", "2", **state)).out
    assert (
        await operator("approve", "S-1", "--review", "2", **state)
    ).out == "✓ The work of S-1 is approved. · review 2\n"
    assert await place.until_over("S-1") == {"S-1": "done"}
