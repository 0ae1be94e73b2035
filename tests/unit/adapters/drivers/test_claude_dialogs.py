"""Which keys answer which dialog: on recorded screens, and on screens that are nearly those."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.adapters.drivers.claude import ClaudeDriver
from supervisor.domain.config import DriverConfig
from supervisor.domain.review import Answered, Approved, Decision, Pending, Rejected, Request, Superseded

RECORDED = Path(__file__).resolve().parents[3] / "golden" / "screens" / "claude-2.1.197"
NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
YES, NO = Approved(NOON, "Ann"), Rejected(NOON, "Ann", "not so")
UNDECIDED: tuple[Decision, ...] = (Pending(), Superseded(NOON, "gone"))
SIZES = ("200x50", "80x24")
SCREENS = sorted(path.stem for path in RECORDED.glob("*.txt"))
COMMANDS = ("bash-short", "bash-nodesc", "bash-long", "bash-multi", "bash-wide")
PLANS = ("plan-short", "plan-long")
QUESTIONS = ("ask-one", "ask-long")
CERTAIN = (*COMMANDS, *PLANS, *QUESTIONS)
HOME = "/tmp/cl-recorded/home"
Home = Path


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A HOME in which every recorded plan is kept."""
    made = tmp_path_factory.mktemp("home")
    (made / ".claude" / "plans").mkdir(parents=True)
    for name in SCREENS:
        given = told(name)["tool_input"]
        if "planFilePath" in given:
            (made / given["planFilePath"].removeprefix(f"{HOME}/")).write_text(given["plan"])
    return made


def told(name: str) -> dict[str, Any]:
    payload: dict[str, Any] = json.loads((RECORDED / f"{name}.json").read_text())
    return payload


def screen(name: str) -> str:
    return (RECORDED / f"{name}.txt").read_text()


def driver(home: Path) -> ClaudeDriver:
    return ClaudeDriver("claude", DriverConfig(("claude",), "claude"), {"HOME": str(home)})


def asked(name: str, home: Path) -> Request:
    payload = told(name)
    if "planFilePath" in payload["tool_input"]:
        payload["tool_input"]["planFilePath"] = payload["tool_input"]["planFilePath"].replace(HOME, str(home))
    request = driver(home).read_request(payload)
    assert request is not None
    return request


def keys(request: Request, shown: str, home: Path, decision: Decision = NO) -> tuple[str, ...] | None:
    return driver(home).keys_for(request, decision, shown)


def other(request: Request, **changed: object) -> Request:
    return evolve(request, input=json.dumps({**json.loads(request.input), **changed}))


# --- recorded ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", CERTAIN)
def test_a_dialog_is_known_by_its_request(name: str, size: str, home: Path) -> None:
    request, shown = asked(f"{name}-{size}", home), screen(f"{name}-{size}")
    assert keys(request, shown, home, NO) == ("Escape",)
    for decision in UNDECIDED:
        assert keys(request, shown, home, decision) is None


@pytest.mark.parametrize("size", SIZES)
def test_approval_takes_the_option_that_says_so(size: str, home: Path) -> None:
    for name, key in (*((name, "1") for name in COMMANDS), *((name, "2") for name in PLANS)):
        assert keys(asked(f"{name}-{size}", home), screen(f"{name}-{size}"), home, YES) == (key,), name
    for name in QUESTIONS:
        assert keys(asked(f"{name}-{size}", home), screen(f"{name}-{size}"), home, YES) is None


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", QUESTIONS)
def test_an_option_is_chosen_by_its_number_and_another_answer_by_nothing(name: str, size: str, home: Path) -> None:
    request, shown = asked(f"{name}-{size}", home), screen(f"{name}-{size}")
    [question] = driver(home).questions(request)
    for number, option in enumerate(question.options, 1):
        assert keys(request, shown, home, Answered(NOON, "Ann", {question.text: option.label})) == (str(number),)
    for answer in ("Type something.", "Chat about this", "postgres", ""):
        assert keys(request, shown, home, Answered(NOON, "Ann", {question.text: answer})) is None
    assert keys(request, shown, home, Answered(NOON, "Ann", {})) is None


@pytest.mark.parametrize("name", [name for name in SCREENS if not name.startswith(CERTAIN)])
def test_what_one_key_cannot_answer_or_the_screen_does_not_show_in_full_is_left_alone(name: str, home: Path) -> None:
    for decision in (YES, NO):
        assert keys(asked(name, home), screen(name), home, decision) is None


@pytest.mark.parametrize("name", SCREENS)
def test_a_screen_shows_no_others_request(name: str, home: Path) -> None:
    for another in SCREENS:
        same = json.loads(asked(another, home).input) == json.loads(asked(name, home).input)
        if not same:
            assert keys(asked(another, home), screen(name), home) is None, another


# --- nearly -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_to_be_shown_to_the_letter(name: str, size: str, home: Path) -> None:
    request, shown = asked(f"{name}-{size}", home), screen(f"{name}-{size}")
    command = json.loads(request.input)["command"]
    for changed in (
        command + " x", "x " + command, command[:-1], command[1:], command + "\ntrue", "true\n" + command,
        command.replace(" ", "", 1), command.replace(" ", "\n", 1), command + "\nDo you want to proceed?",
    ):  # fmt: skip
        assert keys(other(request, command=changed), shown, home) is None, changed
    assert keys(other(request, description="Something else"), shown, home) is None


def test_a_line_of_its_own_is_not_taken_for_the_same_line_wrapped(home: Path) -> None:
    """`rm -r a` and `rm -r` followed by `a` are two things."""
    request, shown = asked("bash-multi-200x50", home), screen("bash-multi-200x50")
    command = json.loads(request.input)["command"]
    assert keys(other(request, command=command.replace("first line\n\n", "first line ")), shown, home) is None
    assert keys(other(request, command=command.replace("last\nEND", "last END")), shown, home) is None
    assert keys(other(request, command=command.replace("last\nEND", "lastEND")), shown, home) is None


def test_a_dialog_that_is_cut_off_above_is_not_known(home: Path) -> None:
    for name in (f"{each}-{size}" for each in (*COMMANDS, *QUESTIONS) for size in SIZES):
        rows = screen(name).splitlines()
        top = max(n for n, row in enumerate(rows) if row.startswith("─" * 10) and "Chat about" not in rows[n + 1])
        assert keys(asked(name, home), "\n".join(rows[top:]), home) == ("Escape",)
        for cut in range(top + 1, len(rows)):
            assert keys(asked(name, home), "\n".join(rows[cut:]), home) is None, (name, cut)


@pytest.mark.parametrize("name", [f"{each}-{size}" for each in CERTAIN for size in SIZES])
def test_a_dialog_that_somebody_has_begun_to_answer_is_theirs(name: str, home: Path) -> None:
    request, shown = asked(name, home), screen(name)
    first = next(row for row in shown.splitlines() if "\u276f 1. " in row)
    moved = shown.replace(first, first.replace("\u276f", " "))
    assert keys(request, moved, home) is None
    second = next(row for row in moved.splitlines() if row.lstrip().startswith("2. "))
    assert keys(request, moved.replace(second, second.replace("  2.", "\u276f 2.", 1)), home) is None
    begun = shown.replace(first, first + ", and")
    if name.startswith(("bash", "ask")):
        assert keys(request, begun, home) is None


@pytest.mark.parametrize("name", [f"{each}-{size}" for each in CERTAIN for size in SIZES])
def test_a_dialog_that_is_closed_is_no_dialog(name: str, home: Path) -> None:
    rule = "─" * 80
    closed = f"{screen(name).rstrip()}\n\n{rule}\n\u276f \n{rule}\n  ? for shortcuts"
    assert keys(asked(name, home), closed, home) is None


def test_a_command_that_draws_a_dialog_of_its_own_is_not_taken_for_it(home: Path) -> None:
    """Every row of a command is indented, rules too."""
    request = asked("bash-short-80x24", home)
    fake = ["─" * 80, " Bash command", "", "   touch made", "   Make a file", "", " Do you want to proceed?"]
    inside = "\n".join(f"   {row}" for row in fake)
    shown = screen("bash-short-80x24").replace("   touch made\n   Make a file", f"   rm -rf ~\n{inside}")
    assert inside in shown
    assert keys(request, shown, home) is None


def test_a_command_that_goes_on_below_a_blank_line_is_another_one(home: Path) -> None:
    request, shown = asked("bash-short-80x24", home), screen("bash-short-80x24")
    longer = shown.replace("   Make a file\n", "   Make a file\n\n   rm -rf ~\n   Make a file\n")
    assert longer != shown
    assert keys(request, longer, home) is None


@pytest.mark.parametrize("name", [f"{each}-{size}" for each in PLANS for size in SIZES])
def test_a_plan_that_was_changed_since_is_another_one(name: str, home: Path, tmp_path: Path) -> None:
    request, shown = asked(name, home), screen(name)
    given = json.loads(request.input)
    assert keys(other(request, plan=given["plan"] + "3. And this\n"), shown, home) is None
    assert keys(other(request, planFilePath=given["planFilePath"].replace(".md", "-2.md")), shown, home) is None
    elsewhere = tmp_path / Path(given["planFilePath"]).name
    elsewhere.write_text(given["plan"])
    assert keys(other(request, planFilePath=str(elsewhere)), shown, home) is None
    assert keys(other(request, planFilePath="/dev/zero"), shown, home) is None
    assert keys(other(request, planFilePath="\0"), shown, home) is None
    assert keys(other(request, planFilePath=None), shown, home) is None
    assert keys(request, shown, tmp_path) is None  # its file is not there


@given(st.text(max_size=300), st.sampled_from(SCREENS), st.integers(0, 60), st.integers(0, 60))
def test_no_screen_is_an_error(noise: str, name: str, begin: int, end: int) -> None:
    nowhere = Path("/nonexistent")
    rows = screen(name).splitlines()
    for shown in (noise, "\n".join((*rows[:begin], noise, *rows[end:]))):
        for another in ("bash-multi-80x24", "ask-one-80x24", "plan-short-80x24"):
            assert keys(asked(another, nowhere), shown, nowhere) in (None, ("Escape",))
