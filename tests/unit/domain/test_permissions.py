"""Standing rules: what they let pass, what they stop, and what a person still decides."""

import json
import time
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain.config import PermissionRule
from supervisor.domain.permissions import UNSAID, Allow, Deny, ruling
from supervisor.domain.review import Request, ReviewKind
from tests.strategies import record


def asks(tool: str, **given: object) -> Request:
    return Request(ReviewKind.PERMISSION, tool, json.dumps(given), "It wants to")


def runs(command: str) -> Request:
    return asks("Bash", command=command)


def allow(pattern: str = "*", tool: str = "Bash", **more: Any) -> PermissionRule:
    return PermissionRule("allow", tool, pattern, **more)


def deny(pattern: str = "*", tool: str = "Bash", **more: Any) -> PermissionRule:
    return PermissionRule("deny", tool, pattern, **more)


def allowed(request: Request, *rules: PermissionRule) -> bool:
    return isinstance(ruling(rules, "claude", request), Allow)


def denied(request: Request, *rules: PermissionRule) -> bool:
    return isinstance(ruling(rules, "claude", request), Deny)


def test_without_a_rule_that_fits_a_person_decides() -> None:
    assert ruling((), "claude", runs("ls")) is None
    assert ruling((allow("git *"), deny("rm *")), "claude", runs("ls")) is None


def test_denials_win_in_any_order_and_say_why() -> None:
    rules = (allow("rm *"), deny("rm -rf *", reason="ask first"), deny())
    assert ruling(rules, "claude", runs("rm -rf x")) == Deny(rules[1], "ask first")
    assert ruling(rules[::-1], "claude", runs("rm -rf x")) == Deny(rules[2], UNSAID)
    assert ruling(rules[:2], "claude", runs("rm x")) == Allow(rules[0])


def test_a_rule_is_for_its_driver_and_tool() -> None:
    assert not allowed(runs("ls"), allow(driver="codex"))
    assert allowed(runs("ls"), allow(driver="claude"))
    assert not allowed(runs("ls"), allow(tool="bash"))
    assert allowed(asks("mcp__db__read", table="x"), allow(tool="mcp__db__*"))
    assert not allowed(asks("mcp__db__read", table="x"), allow("x", tool="mcp__db__*"))  # nothing is known of a table


@pytest.mark.parametrize(
    "joined",
    [
        "git log; rm x", "git log && rm x", "git log || rm x", "git log & rm x", "git log | sh", "git log\nrm x",
        "git log $(rm x)", "git log `rm x`", "git log > /etc/passwd", "git log < x", "git log <(rm x)",
        "git log ${x@P}",
        "git log 2>&1", "git log\rrm x", "git log *(e:rm:)", "git log =(rm x)", "(git log)",
    ],
)  # fmt: skip
def test_a_command_that_joins_others_is_never_allowed(joined: str) -> None:
    assert not allowed(runs(joined), allow("git *"), allow())
    assert allowed(runs("git log -p"), allow("git *"))
    assert not allowed(runs("git"), allow("git *"))
    assert not allowed(runs("cd x git log"), allow("git *"))


@pytest.mark.parametrize(
    "joined",
    [
        "rm x", "  rm   -r  x", "ls; rm x", "ls && rm x", "ls | rm x", "ls\nrm x", "echo $(rm x)", "echo `rm x`",
        "(rm x)", "if true; then rm x; fi", "A=1 rm x", "sudo rm x", "{ rm x; }", "! rm x", "RM x", "\trm\tx",
        "cat <<E\nrm x\nE",
    ],
)  # fmt: skip
def test_any_part_that_fits_denies(joined: str) -> None:
    assert denied(runs(joined), deny("rm *"))
    assert not denied(runs("farm x"), deny("rm *"))


def test_a_path_is_where_it_leads_to() -> None:
    write = allow("/repo/*", tool="Write")
    assert allowed(asks("Write", file_path="/repo/a.txt"), write)
    assert not allowed(asks("Write", file_path="/repo/../etc/passwd"), write)
    assert not allowed(asks("Write", file_path="repo/a.txt"), write)
    assert not allowed(asks("Write", file_path="/Repo/a.txt"), write)
    secret = deny("/repo/.env", tool="*")
    for path in ("/repo/.env", "/repo/src/../.env", "/repo//.env", "//repo/.env", "/repo/./.env", "/repo/.ENV"):
        assert denied(asks("Edit", file_path=path), secret), path
    assert not denied(asks("Edit", file_path="/repo/.env.example"), secret)


def test_addresses_are_compared_as_they_are() -> None:
    fetch = allow("https://docs.example.org/*", tool="WebFetch")
    assert allowed(asks("WebFetch", url="https://docs.example.org/a", prompt="x"), fetch)
    assert not allowed(asks("WebFetch", url="https://docs.example.org.evil/", prompt="x"), fetch)
    assert denied(asks("WebFetch", url="http://LOCALHOST/x"), deny("*localhost*", tool="WebFetch"))


def test_what_says_two_things_has_to_fit_in_both() -> None:
    both = asks("mcp__run", command="git log", path="/etc")
    assert not allowed(both, allow("git *", tool="*"))
    assert allowed(both, allow(tool="*"))
    assert denied(both, deny("/etc", tool="*"))


@pytest.mark.parametrize(
    "given", ["", "[]", "null", '"rm x"', '{"command": 7}', '{"command": ["rm", "x"]}', "[" * 9000]
)
def test_what_is_not_understood_is_never_allowed(given: str) -> None:
    request = Request(ReviewKind.PERMISSION, "Bash", given, "?")
    assert ruling((allow(),), "claude", request) is None
    assert denied(request, deny())


def test_stars_and_question_marks_stand_for_others_and_brackets_for_themselves() -> None:
    assert allowed(runs("ls [ab]"), allow("ls [ab]"))
    assert not allowed(runs("ls a"), allow("ls [ab]"))
    assert allowed(runs("ls a"), allow("ls ?"))
    assert not allowed(runs("ls ab"), allow("ls ?"))
    assert not allowed(runs("ls"), allow(""))


TEXT = st.sampled_from(["*", "rm *", "git *", "Bash", "?", ""]) | st.text(max_size=5)
RULE = st.builds(PermissionRule, st.sampled_from(["allow", "deny"]), TEXT, TEXT, st.none() | st.just("claude"), TEXT)
RULES = st.lists(RULE, max_size=4).map(tuple)
COMMAND = st.lists(
    st.sampled_from(["git", "log", "rm", "x", ";", "&&", "|", "$(", ")", "`", ">", "'", "\n", " "]), max_size=8
)
COMMANDS = COMMAND.map(" ".join)


@given(RULES, st.sampled_from([ReviewKind.PLAN, ReviewKind.QUESTION, ReviewKind.VISUAL, ReviewKind.PR]), COMMANDS)
def test_plans_and_questions_are_a_persons(rules: tuple[PermissionRule, ...], kind: ReviewKind, command: str) -> None:
    request = evolve(runs(command), kind=kind)
    assert ruling((*rules, allow(tool="*"), deny(tool="*")), "claude", request) is None


@given(COMMANDS, COMMANDS)
def test_two_commands_are_allowed_together_by_no_rule(first: str, second: str) -> None:
    for joint in (";", "&&", "|", "&", "\n", "$(", "`"):
        assert not allowed(runs(first + joint + second), allow(), allow("git *"), allow(first + joint + second))


PLAIN = st.lists(st.sampled_from(["git", "log", "rm", "x", "'", "sudo", "A=1", " "]), max_size=8).map(" ".join)


@given(PLAIN, PLAIN, st.sampled_from([";", " && ", "|", "\n", "&", " || "]))
def test_what_is_denied_alone_is_denied_in_any_company(first: str, second: str, joint: str) -> None:
    rule = deny("rm *")
    if denied(runs(first), rule) or denied(runs(second), rule):
        assert denied(runs(first + joint + second), rule)


@given(RULES, RULES, record(Request, kind=st.just(ReviewKind.PERMISSION)))
def test_another_rule_never_makes_a_denial_undone(
    rules: tuple[PermissionRule, ...], more: tuple[PermissionRule, ...], request: Request
) -> None:
    if isinstance(ruling(rules, "claude", request), Deny):
        assert isinstance(ruling((*more, *rules), "claude", request), Deny)


def test_a_long_command_is_judged_soon() -> None:
    before = time.process_time()
    for command in ("a" * 200_000, "a " * 100_000, "a=b " * 50_000, ";" * 30_000):
        ruling((deny("*a*a*a*b*c*"), allow("*a*a*x")), "claude", runs(command))
    assert time.process_time() - before < 5
