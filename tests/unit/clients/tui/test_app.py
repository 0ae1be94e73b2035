"""The screens, without a daemon: what is heard is told to them by hand."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from attrs import evolve
from textual.pilot import Pilot

from clients.api.errors import NoDaemon
from clients.api.locate import Where
from clients.tui.app import OperatorApp
from clients.tui.daemons import Daemon
from clients.tui.dialogs import Choose, Confirm, Write
from clients.tui.news import Online, Read
from clients.tui.world import World
from supervisor.domain.views import ReviewView
from tests.unit.clients.cli.samples import PERMISSION, PLAN, QUESTION, STATUS
from tests.unit.clients.tui.worlds import agent, plan, ticket, world


def nowhere() -> Where:
    raise NoDaemon("No daemon runs on the state directory /s.", "Start one in another terminal: operator serve")


def driven(play: Callable[[OperatorApp, Pilot[None]], Awaitable[None]], size: tuple[int, int] = (80, 24)) -> None:
    """Run the application without a terminal."""

    async def run() -> None:
        app = OperatorApp([Daemon("here", nowhere)])
        async with app.run_test(size=size, notifications=True) as pilot:
            while "OFFLINE" not in screen(app):  # the follower has looked for a daemon
                await pilot.pause(0.01)
            await play(app, pilot)

    asyncio.run(run())


def page(app: OperatorApp) -> str:
    return "\n".join(strip.text.rstrip() for strip in app.details.strips)


def screen(app: OperatorApp) -> str:
    """All that is drawn."""
    return "\n".join(strip.text.rstrip() for strip in app.screen._compositor.render_strips())


async def heard(app: OperatorApp, pilot: Pilot[None], what: World) -> None:
    app.hear(Online())
    app.hear(Read(what))
    await pilot.pause()
    await pilot.pause(0.05)  # the page follows the row, a picture later


WAITS = agent(1, needs="its plan waits", review=31)


def test_a_newcomer_is_told_three_things_and_two_commands() -> None:
    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        text = page(app)
        assert all(word in text for word in ("a board", "a project", "an agent CLI", "operator init", "operator serve"))
        assert not app.board.display
        assert "OFFLINE since" in screen(app)

    driven(play)


def test_a_daemon_without_boards_and_an_empty_board_say_what_to_do() -> None:
    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        await heard(app, pilot, evolve(world(), status=evolve(STATUS, collections=())))
        assert "No board is configured." in page(app)
        await heard(app, pilot, world())
        assert "Nothing needs you." in page(app)
        assert "n  adds a ticket" in page(app)

    driven(play)


def test_nothing_moves_under_the_finger() -> None:
    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        first = world(queue=[ticket(5, "queued"), ticket(6, "queued")])
        await heard(app, pilot, first)
        await pilot.press("down")
        before = screen(app).splitlines()[1:-2]
        await heard(app, pilot, world(agents=[WAITS], reviews=[plan(31, 1)], queue=first.kanban.queue[::-1]))
        assert screen(app).splitlines()[1:12] == before[:11]
        assert "1 more needs you" in screen(app)
        assert app.board.selected is not None
        assert app.board.selected.key == "ENG-6"
        await pilot.press("tab")
        assert app.board.selected.key == "ENG-1"
        assert "1 more needs you" not in screen(app)

    driven(play)


def test_the_review_that_is_shown_stays_until_the_person_goes_on() -> None:
    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        await heard(app, pilot, world(agents=[WAITS], reviews=[plan(31, 1, "# The first")]))
        assert app.details.review is not None
        assert app.details.review.id == 31
        later = world(agents=[evolve(WAITS, review_id=32)], reviews=[plan(32, 1, "# The second")])
        await heard(app, pilot, later)
        assert app.details.review.id == 31
        assert "decided or superseded" in page(app)
        await pilot.press("tab")
        await pilot.pause()
        assert app.details.review.id == 32
        assert "The second" in page(app)

    driven(play)


def test_what_has_only_just_appeared_takes_no_verdict() -> None:
    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        await heard(app, pilot, world(agents=[agent(1)]))
        assert app.details.key == "ENG-1"
        await heard(app, pilot, world(agents=[WAITS], reviews=[plan(31, 1)]))
        assert app.details.fresh
        await pilot.press("Y")
        await pilot.pause()
        assert "only just appeared" in screen(app)

    driven(play)


def shown(review: ReviewView, columns: int = 80) -> str:
    found: list[str] = []

    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        owed = evolve(review, ticket_id="ENG-1", agent_id="ENG-1~1")
        await heard(app, pilot, world(agents=[evolve(WAITS, review_id=review.id)], reviews=[owed]))
        found.append(page(app))

    driven(play, (columns, 24))
    return found[0]


def test_a_permission_shows_the_exact_command_as_text() -> None:
    hostile = evolve(PERMISSION, command="rm -rf '[bold]x[/]' \x1b[2J && echo \u202e", tool_input=None)
    assert "rm -rf '[bold]x[/]' \ufffd[2J && echo" in " ".join(shown(hostile, 200).split())


def test_a_question_shows_its_options_by_number() -> None:
    text = shown(QUESTION, 200)
    for number, option in enumerate(QUESTION.questions[0].options, 1):
        assert f"{number} {option.label}" in text


def test_a_long_plan_is_there_at_once_and_whole() -> None:
    lines = "".join(f"{number} [red]x[/] \x07\n" for number in range(10_000))
    text = shown(evolve(PLAN, plan=lines))
    assert "9999 [red]x[/] \ufffd" in text


def test_a_narrow_terminal_has_one_column() -> None:
    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        await heard(app, pilot, world(agents=[WAITS], reviews=[plan(31, 1, "# The first")]))
        assert (app.board.display, app.details.display) == (True, False)
        await pilot.press("z")
        assert (app.board.display, app.details.display) == (False, True)
        assert "The first" in screen(app)

    driven(play, (50, 20))


def answered(dialog: Any, *keys: str) -> object:
    """What a dialog is dismissed with."""
    answers: list[object] = []

    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        await pilot.pause()
        app.push_screen(dialog, answers.append)
        await pilot.pause()
        await pilot.press(*keys)
        await pilot.pause()

    driven(play)
    return answers[0] if answers else "nothing"


def test_dialogs_answer_or_leave() -> None:
    assert answered(Confirm("Sure?"), "y") is True
    assert answered(Confirm("Sure?"), "escape") is False
    assert answered(Choose("Which?", ["A", "B"], ""), "2", "enter") == "2"
    assert answered(Choose("Which?", ["A"], ""), "enter", "escape") is None
    assert answered(Write("Why?"), "a", "enter", "Y", "ctrl+s") == "a\nY"
    assert answered(Write("Why?", empty="No."), "ctrl+s", "escape") is None


def test_letters_on_another_screen_do_nothing_to_tickets() -> None:
    async def play(app: OperatorApp, pilot: Pilot[None]) -> None:
        await heard(app, pilot, world(queue=[ticket(5, "queued")]))
        await pilot.press("question_mark")
        await pilot.pause()
        depth = len(app.screen_stack)
        await pilot.press("C", "e", "n", "d", "l")
        await pilot.pause()
        assert len(app.screen_stack) == depth
        await pilot.press("escape")
        await pilot.pause()
        assert len(app.screen_stack) == depth - 1

    driven(play)
