"""What every `AgentDriver` keeps: it finds its program or says why not, and reads any title and any screen."""

import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.drivers.claude import ClaudeDriver
from supervisor.adapters.drivers.codex import CodexDriver
from supervisor.adapters.drivers.command import CommandDriver
from supervisor.domain.config import DriverConfig
from supervisor.domain.durations import Duration
from supervisor.domain.errors import DriverError
from supervisor.domain.ids import AgentId, TicketId
from supervisor.domain.review import Answered, Decision, Pending, Request, ReviewKind, Superseded
from supervisor.domain.signals import Meaning
from supervisor.ports import AgentDriver, LaunchRequest
from tests.strategies import of_type

Program = Callable[..., Path]


@pytest.fixture
def program(tmp_path: Path) -> Program:
    """Puts a program into a folder of its own and returns its path."""

    def put(name: str = "agent", folder: str = "bin", mode: int = 0o755) -> Path:
        path = tmp_path / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text('#!/bin/sh\nprintf "%s|" "$0" "$@" "$OPERATOR_TICKET" "$OPERATOR_AGENT" "$KEY"\n')
        path.chmod(mode)
        return path

    return put


def driver(*command: str, **settings: object) -> AgentDriver:
    return CommandDriver("helper", DriverConfig(command or ("agent",), **settings))  # type: ignore[arg-type]


def request(path: str, **environment: str) -> LaunchRequest:
    return LaunchRequest(
        AgentId("ENG-1~2"), TicketId("ENG-1"), "/", {"PATH": path, **environment}, private_dir=Path("/nowhere")
    )


# --- plan ---------------------------------------------------------------------------------------------


def test_the_plan_can_be_executed(program: Program) -> None:
    path = program()
    made = driver("agent", "a b", args=("--flag", ""), env={"KEY": "mine"}).plan(
        request(f"relative:{path.parent}:/usr/bin:/bin", KEY="theirs", OPERATOR_TICKET="another's")
    )
    assert made.argv == (str(path), "a b", "--flag", "")
    assert made.conversation_id is None
    said = subprocess.run(made.argv, env=dict(made.env), capture_output=True, text=True, check=True).stdout
    assert said == f"{path}|a b|--flag||ENG-1|ENG-1~2|mine|"


def test_the_first_on_path_that_may_be_executed_is_taken(program: Program) -> None:
    program(folder="first", mode=0o644)
    second, third = program(folder="second"), program(folder="third")
    path = f"{second.parents[1]}/first:{second.parent}:{third.parent}"
    assert driver().plan(request(path)).argv == (str(second),)
    assert driver(env={"PATH": str(third.parent)}).plan(request(path)).argv == (str(third),)
    assert driver(str(third)).plan(request("/nowhere")).argv == (str(third),)


def test_a_program_in_the_daemons_own_folder_is_not_found(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(program().parent)
    for path in ("", ".", "relative:"):
        with pytest.raises(DriverError, match="not found"):
            driver().plan(request(path))


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("nosuch",), "nosuch, was not found"),
        (("/nowhere/agent",), "/nowhere/agent, was not found"),
        (("/",), "was not found"),
        (("./agent",), "no absolute path"),
        (("plain",), "may not be executed"),
        (("",), "names no program"),
        (("agent", "a\0b"), "no program can be given"),
    ],
)
def test_what_cannot_be_started_is_told(program: Program, command: tuple[str, ...], words: str) -> None:
    path = program("plain", mode=0o644)
    program()
    with pytest.raises(DriverError, match=words) as raised:
        driver(*command).plan(request(str(path.parent)))
    assert raised.value.hint


def test_secrets_are_in_no_representation(program: Program) -> None:
    made = driver(env={"KEY": "hunter2"}).plan(request(str(program().parent), TOKEN="hunter3"))
    assert "hunter" not in repr(made) + repr(request("/bin", TOKEN="hunter3"))


def test_settings_are_handed_on() -> None:
    made = driver(
        idle_after=Duration(4.0), quit="/exit", interrupt="C-c", stop_grace=Duration(1.5), prompt_pattern="^> $"
    )
    assert (made.name, made.kind) == ("helper", "command")
    assert (made.rules.idle_after, made.rules.has_prompt_pattern) == (4.0, True)
    assert (made.quit_text, made.interrupt_keys, made.stop_grace) == ("/exit", ("C-c",), 1.5)
    assert driver().rules.has_prompt_pattern is False


# --- titles ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("title", "meaning"),
    [
        ("⠂ Claude Code", Meaning.BUSY),
        ("⠋ projx", Meaning.BUSY),
        ("  ⣿", Meaning.BUSY),
        ("◐ thinking", Meaning.BUSY),
        ("⏳ building", Meaning.BUSY),
        ("✳ Claude Code", Meaning.IDLE),
        ("projx", Meaning.IDLE),
        ("root@host: ~/project", Meaning.IDLE),
        ("/usr/bin/agent", Meaning.IDLE),
        ("- vim", Meaning.IDLE),
        ("| pipe", Meaning.IDLE),
        ("project ⠋", Meaning.IDLE),
        ("[ ! ] Action Required | projx", Meaning.ASKING),
        ("[ . ] Action Required | projx", Meaning.ASKING),
        ("✋  Action Required (projg)", Meaning.ASKING),
        ("Action required: sign in", Meaning.ASKING),
        ("no action required", Meaning.IDLE),
        ("[x] done", Meaning.IDLE),
        ("", None),
        ("   ", None),
        ("\u2800", Meaning.IDLE),
    ],
)
def test_a_title_is_read_by_its_beginning(title: str, meaning: Meaning | None) -> None:
    assert driver().read_title(title) is meaning


@given(st.text(max_size=60), st.text(max_size=400))
def test_no_title_and_no_screen_is_an_error(title: str, screen: str) -> None:
    made = driver(prompt_pattern=r"[>$] $")
    assert made.read_title(title) is None or title.strip()
    assert made.prompt_shown(screen) in (True, False)


# --- screens ---------------------------------------------------------------------------------------------


def test_a_prompt_is_looked_for_on_the_last_line_that_is_not_empty() -> None:
    made = driver(prompt_pattern=r"^> $")
    assert made.prompt_shown("some output\n>\n\n   \n")
    assert made.prompt_shown("> ")
    assert not made.prompt_shown("> \nsome output\n\n")
    assert not made.prompt_shown("> typed")
    assert not made.prompt_shown("")
    assert not driver().prompt_shown("> ")
    assert driver(prompt_pattern=r"\$$").prompt_shown("root@host:~$")
    assert driver(prompt_pattern="→").prompt_shown("│ → │")


@pytest.mark.parametrize(
    "pattern",
    [
        r"(a+)+$",
        r"(a|a)*$",
        r"(?:a|aa)+$",
        r"((a*)b?)*c",
        r"(\w+\s?)*$",
        r"(a{1,})+$",
        r"(?P<x>a+){2,}$",
        r"([^x]*)*y",
        r"(a+){50}$",
        r".*.*.*x",
        r"[^a]*[^b]*\S*x",
        r"((((a+))))*$",
    ],
)
def test_a_pattern_that_could_search_for_ever_is_refused(pattern: str) -> None:
    with pytest.raises(DriverError, match="for ever") as raised:
        driver(prompt_pattern=pattern)
    assert raised.value.hint


@pytest.mark.parametrize(
    "pattern",
    [r"^\s*\w+\s*>\s*$", r"[>$#] ?$", r"^(>|→) $", r"\(a\+\)\+", r"[(a+)+]+ $", r".*: .*$", r"(ab)+", r"x{2,5}"],
)
def test_usual_patterns_end_soon_on_any_line(pattern: str) -> None:
    made = driver(prompt_pattern=pattern)
    before = time.process_time()
    for line in ("a" * 100_000, " " * 99_999 + "x", "a:" * 50_000, "ab" * 50_000 + "!", "\0" * 1000):
        made.prompt_shown(line)
    assert time.process_time() - before < 2


def test_what_is_no_pattern_is_told() -> None:
    with pytest.raises(DriverError, match="no regular expression") as raised:
        driver(prompt_pattern="(")
    assert raised.value.hint


# --- requests --------------------------------------------------------------------------------------------

DRIVERS: tuple[AgentDriver, ...] = (
    CommandDriver("helper", DriverConfig(("agent",))),
    ClaudeDriver("claude", DriverConfig(("claude",), "claude"), {"HOME": "/nonexistent"}),
    CodexDriver("codex", DriverConfig(("codex",), "codex"), {"HOME": "/nonexistent"}),
)
each_driver = pytest.mark.parametrize("made", DRIVERS, ids=lambda made: made.kind)
KEYS = st.sampled_from(["hook_event_name", "tool_name", "tool_input", "questions", "plan"])
WORDS = st.sampled_from(["PermissionRequest", "Bash", "AskUserQuestion", "ExitPlanMode"]) | st.text(max_size=5)
PAYLOADS = st.dictionaries(
    KEYS, st.recursive(WORDS | st.none(), lambda inner: st.dictionaries(KEYS, inner) | st.lists(inner), max_leaves=5)
)


@each_driver
@given(payload=PAYLOADS)
def test_any_payload_asks_something_that_hooks_can_answer_or_nothing(
    made: AgentDriver, payload: dict[str, object]
) -> None:
    found = made.read_request(payload)
    if found is not None:
        assert found.kind in (ReviewKind.PERMISSION, ReviewKind.QUESTION, ReviewKind.PLAN)
        assert isinstance(json.loads(found.input), dict)
        assert found.question
        assert bool(made.questions(found)) == (found.kind is ReviewKind.QUESTION)


@each_driver
@given(asked=of_type(Request), decision=of_type(Decision), mode=st.none() | st.text(max_size=5))
def test_any_decision_is_an_answer_and_none_at_all_is_the_terminals(
    made: AgentDriver, asked: Request, decision: Decision, mode: str | None
) -> None:
    answer = made.answer(asked, decision, mode)
    json.dumps(answer)
    if isinstance(decision, Pending | Superseded):
        assert answer == {}
    if isinstance(decision, Answered) and asked.kind is not ReviewKind.QUESTION:
        assert answer == {}
    assert made.mode_after_plan(made.mode_after_plan(mode)) == made.mode_after_plan(mode)


@each_driver
@given(asked=of_type(Request), decision=of_type(Decision), screen=st.text(max_size=200))
def test_a_screen_without_a_known_dialog_takes_no_key(
    made: AgentDriver, asked: Request, decision: Decision, screen: str
) -> None:
    assert made.keys_for(asked, decision, screen) is None


@each_driver
def test_without_a_record_nothing_is_known_of_what_was_told(made: AgentDriver) -> None:
    assert made.was_told("12345678-1234-4234-8234-123456789012", "no") is None


def test_those_of_one_cli_have_modes() -> None:
    assert {made.kind for made in DRIVERS if made.has_modes} == {"claude", "codex"}


def test_a_hook_that_asks_a_person_may_wait_for_a_day(tmp_path: Path, program: Program) -> None:
    folder = program().parent
    wanted = evolve(
        request(str(folder)), private_dir=tmp_path / "private", hook_url="http://127.0.0.1:1/", hook_token="t"
    )
    ClaudeDriver("claude", DriverConfig(("agent",), "claude"), {"HOME": str(tmp_path)}).plan(wanted)
    hooks = json.loads((tmp_path / "private" / "claude.json").read_text())["hooks"]
    waits = {event: hook["timeout"] for event, [group] in hooks.items() for hook in group["hooks"]}
    assert waits.pop("PermissionRequest") == 86400
    assert set(waits.values()) == {5}
    assert len(waits) == 8
