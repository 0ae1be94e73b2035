"""The rehearsal agent does what its script says, and its journal is where it should be."""

import json
import re
from pathlib import Path

from tests.unit.clients.rehearsal.stage import IDLE, Start, framed, git


def test_files_commands_and_a_commit(start: Start, repository: Path) -> None:
    agent = start().ready()
    agent.play(
        r"write docs/plan.md # Plan\n\n- one\\two",
        "append docs/plan.md - three ✳",
        "run echo out; echo error >&2; exit 3",
        "commit Plan it",
        "say a\x1b]0;b",
    )
    assert (repository / "docs/plan.md").read_text() == "# Plan\n\n- one\\two\n- three ✳\n"
    assert git(repository, "log", "--format=%s|%an", "--name-only").split("\n") == [
        "Plan it|Rehearsal Agent",
        "",
        "docs/plan.md",
    ]
    assert agent.events("run")[0]["code"] == 3
    for line in ("  ⎿  out\r\n", "  ⎿  error\r\n", "  ⎿  exit 3\r\n", "● a\ufffd]0;b\r\n"):
        assert line.encode() in agent.output
    assert git(repository, "status", "--porcelain") == ""


def test_a_configured_identity_is_used(start: Start, repository: Path) -> None:
    git(repository, "config", "user.name", "Ada")
    git(repository, "config", "user.email", "ada@example.org")
    start().ready().play("write a x", "commit a")
    assert git(repository, "log", "--format=%an %ae") == "Ada ada@example.org"


def test_a_prompt_without_a_script_gets_an_agents_answer(start: Start, repository: Path) -> None:
    agent = start().ready()
    agent.send(framed("# Mend the fence\n\nIt is broken.") + b"\r")
    agent.event("turn-end")
    assert git(repository, "log", "--format=%s") == "Rehearse: Mend the fence"
    assert (repository / "REHEARSAL.md").read_text() == "- turn 1: Mend the fence\n"


def test_what_cannot_be_played_is_said_and_passed_over(start: Start, repository: Path, tmp_path: Path) -> None:
    (repository / "link").symlink_to(tmp_path)
    agent = start().ready()
    agent.play("fly away", "think x", "write ../out x", "write link/out x", "write .git/config x", "write . x")
    assert len(agent.events("problem")) == 6
    assert not (tmp_path / "out").exists()
    assert agent.play("say still here")["outcome"] == "done"


def test_touch_and_the_first_attempt_only(start: Start, tmp_path: Path) -> None:
    script = ("attempt 1: crash 9", f"attempt 2: turn 1: touch {tmp_path / 'second'}")
    agent = start().ready()
    agent.prompt(*script)
    assert agent.ended() == 9
    agent = start().ready()
    agent.play(*script)
    assert (tmp_path / "second").exists()
    assert [event["attempt"] for event in agent.events("start")] == [1, 2]


def test_a_flood_loses_no_line(start: Start) -> None:
    agent = start().ready()
    agent.play("flood 3")
    numbers = [int(line) for line in re.findall(rb"(\d{12}) the quick [^\r\n]*\r\n", agent.output)]
    assert numbers == list(range(agent.events("flood")[0]["lines"]))
    assert len(agent.output) > 3_000_000


def test_hostile_output_ends_in_a_working_terminal(start: Start) -> None:
    agent = start().ready()
    agent.play("hostile")
    assert agent.parser.bracketed_paste
    assert agent.titles()[-1] == IDLE
    assert "passed on" not in agent.titles()


def test_journals_by_file_by_directory_and_by_worktree(start: Start, repository: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared.jsonl"
    other = tmp_path / "other"
    git(repository, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "-q", "--allow-empty", "-m", "x")
    git(repository, "worktree", "add", "-q", str(other))
    for directory in (repository, other):
        start("rehearse: exit", directory=directory, journal=str(shared)).ended()
        start("rehearse: exit", directory=directory, journal=f"{tmp_path}/journals/").ended()
        start("rehearse: exit", directory=directory).ended()
    starts = [json.loads(line) for line in shared.read_text().splitlines() if '"start"' in line]
    assert [(line["cwd"], line["attempt"]) for line in starts] == [(str(repository), 1), (str(other), 1)]
    assert sorted(path.name for path in (tmp_path / "journals").iterdir()) == ["other.jsonl", "work.jsonl"]
    assert (repository / ".git/.rehearsal/journal.jsonl").exists()
    assert (repository / ".git/worktrees/other/.rehearsal/journal.jsonl").exists()
    assert git(other, "status", "--porcelain") == ""
