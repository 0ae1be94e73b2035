"""JiraBoard writes to a fake site on a real socket: moves, its one comment, its link, and issues of its own."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from attrs import evolve

from supervisor.adapters.kanban.jira import JiraBoard
from supervisor.adapters.kanban.jira.adf import to_adf, to_markdown
from supervisor.domain.errors import (
    BoardStatus,
    BoardTransport,
)
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardState, WriteKind
from supervisor.ports import Conflicted, Edit, NewTicket, Written
from tests.fakes.boards.jira.rig import board_of, write
from tests.fakes.boards.jira.server import Jira, jira
from tests.fakes.boards.jira.site import Site, Status


@pytest.fixture
async def server() -> AsyncIterator[Jira]:
    async with jira() as made:
        yield made


@pytest.fixture
async def board(server: Jira) -> AsyncIterator[JiraBoard]:
    made = board_of(server)
    yield made
    await made.aclose()


# --- moving -----------------------------------------------------------------------------------------


async def where(server: Jira, external_id: str) -> str:
    await trio.lowlevel.checkpoint()
    return server.site.issues[external_id].status.name


async def test_a_ticket_goes_through_the_statuses_that_fit_best(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    for kind, name in [
        (WriteKind.STARTED, "In Progress"),
        (WriteKind.AWAITING, "In Review"),
        (WriteKind.STARTED, "In Progress"),
        (WriteKind.FAILED, "In Progress"),
        (WriteKind.REQUEUED, "To Do"),
        (WriteKind.STARTED, "In Progress"),
        (WriteKind.DONE, "Done"),
        (WriteKind.REQUEUED, "To Do"),
        (WriteKind.CANCELLED, "Won't Do"),
    ]:
        assert await board.write(write(external_id, kind)) == Written()
        assert await where(server, external_id) == name
    moves = server.asked["POST /issue/{issueIdOrKey}/transitions"]
    assert await board.write(write(external_id, WriteKind.CANCELLED)) == Written()
    assert server.asked["POST /issue/{issueIdOrKey}/transitions"] == moves == 8


async def test_configured_names_rule(server: Jira) -> None:
    board = board_of(server, states={"started": "in review", "done": "Won't Do"})
    external_id = server.person.add("x")
    assert await board.write(write(external_id, WriteKind.STARTED)) == Written()
    assert await where(server, external_id) == "In Review"
    await board.aclose()


async def test_a_status_of_peoples_own_is_left_as_it_is(server: Jira, board: JiraBoard) -> None:
    server.site.statuses = (*server.site.statuses, Status("10009", "QA", "indeterminate"))
    external_id = server.person.add("x", status=server.site.status("QA"))
    assert await board.write(write(external_id, WriteKind.STARTED)) == Written()
    assert await where(server, external_id) == "QA"
    assert server.site.writes[external_id] == 0


@pytest.mark.parametrize(("status", "resolution"), [("Done", None), ("Done", "Duplicate"), ("Won't Do", None)])
async def test_what_a_person_closed_stays_closed(
    server: Jira, board: JiraBoard, status: str, resolution: str | None
) -> None:
    external_id = server.person.add("x")
    server.person.move(external_id, status, resolution)
    news = write(external_id, WriteKind.STARTED, comment="news", link="https://example.org/1")
    assert await board.write(news) == Conflicted(status)
    assert server.site.writes[external_id] == 0


async def test_a_workflow_that_leads_nowhere_is_told_with_the_ways_there_are(server: Jira, board: JiraBoard) -> None:
    server.site.workflow = {"To Do": ("In Progress",)}
    external_id = server.person.add("x")
    with pytest.raises(BoardStatus) as raised:
        await board.write(write(external_id, WriteKind.DONE))
    assert raised.value.message == "no transition brings ENG-1 from where it is to a status of the category “done”"
    assert "“In Progress”" in raised.value.hint
    assert server.site.writes[external_id] == 0


async def test_a_name_that_no_transition_leads_to_is_told_with_the_ways_there_are(server: Jira) -> None:
    board = board_of(server, states={"started": "Doing"})
    external_id = server.person.add("x")
    with pytest.raises(BoardStatus) as raised:
        await board.write(write(external_id, WriteKind.STARTED))
    assert "“Doing”" in raised.value.message
    assert "“In Progress”, “In Review”, “Done”" in raised.value.hint
    await board.aclose()


async def test_without_a_status_for_it_cancelled_is_done_and_still_known_as_cancelled() -> None:
    plain = tuple(each for each in Site().statuses if each.name != "Won't Do")
    async with jira() as server:
        server.site.statuses = plain
        board = board_of(server)
        external_id = server.person.add("x")
        cancelled = write(external_id, WriteKind.CANCELLED)
        assert await board.write(cancelled) == Written()
        assert await board.write(cancelled) == Written()
        assert await where(server, external_id) == "Done"
        ticket = await board.reread(external_id)
        assert ticket is not None
        assert ticket.state is BoardState.CANCELLED
        for kind in (WriteKind.REQUEUED, WriteKind.DONE):
            assert await board.write(write(external_id, kind)) == Written()
        ticket = await board.reread(external_id)
        assert ticket is not None
        assert ticket.state is BoardState.DONE
        await board.aclose()


async def test_a_move_by_a_person_between_reading_and_writing_wins(server: Jira, board: JiraBoard) -> None:
    server.site.workflow = {"To Do": ("In Progress",), "Done": ("To Do",)}
    external_id = server.person.add("x")
    server.meanwhile(lambda: server.person.move(external_id, "Done"), on="GET /rest/api/3/issue/20001/transitions")
    assert await board.write(write(external_id, WriteKind.STARTED)) == Conflicted("Done")
    assert server.site.writes[external_id] == 0


async def test_an_issue_that_never_rests_is_given_up_for_now(server: Jira, board: JiraBoard) -> None:
    server.site.workflow = {"To Do": ("In Progress",), "Backlog": ("In Progress",)}
    server.site.statuses = (*server.site.statuses, Status("10009", "Backlog", "new"))
    external_id = server.person.add("x")
    server.site.workflow = {"To Do": ("In Progress",), "Backlog": ("In Progress",)}

    def hide(name: str) -> None:
        server.person.move(external_id, name)
        server.site.workflow = {}

    def show() -> None:
        server.site.workflow = {"To Do": ("In Progress",), "Backlog": ("In Progress",)}

    for n in range(4):
        server.meanwhile(lambda n=n: hide("Backlog" if n % 2 == 0 else "To Do"), on="GET /rest/api/3/issue/20001/trans")
        server.meanwhile(show, on="POST /rest/api/3/issue/20001/transitions")
    with pytest.raises(BoardStatus) as raised:
        await board.write(write(external_id, WriteKind.STARTED))
    assert "kept changing" in raised.value.message


# --- comments and links -----------------------------------------------------------------------------


def comments(server: Jira, external_id: str) -> list[str]:
    return [to_markdown(each.body) for each in server.site.issues[external_id].comments]


async def test_one_comment_is_edited_and_a_repeated_write_changes_nothing(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    server.person.comment(external_id, to_adf("from a person"))
    news = write(external_id, WriteKind.NOTED, comment="**running**\n\n- step `do`", link="https://example.org/pr/1")
    assert await board.write(news) == Written()
    expected = ["from a person", "**running**\n\n- step `do`\n\n*Operator, ticket ENG-1*"]
    assert comments(server, external_id) == expected
    assert server.site.issues[external_id].links["operator:ENG-1"]["object"] == {
        "url": "https://example.org/pr/1",
        "title": "Work on ENG-1",
    }
    writes = server.site.writes[external_id]
    assert await board.write(news) == Written()
    another = board_of(server)
    assert await another.write(news) == Written()
    await another.aclose()
    assert server.site.writes[external_id] == writes == 2
    later = evolve(news, comment="done", link="https://example.org/pr/2")
    assert await board.write(later) == Written()
    assert comments(server, external_id) == ["from a person", "done\n\n*Operator, ticket ENG-1*"]
    assert len(server.site.issues[external_id].links) == 1
    assert server.site.issues[external_id].links["operator:ENG-1"]["object"]["url"].endswith("/2")
    assert await where(server, external_id) == "To Do"


async def test_the_comment_is_found_among_hundreds_and_by_its_last_line(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    for n in range(150):
        server.person.comment(external_id, to_adf(f"talk {n}\n\n*Operator, ticket ENG-1*"))
    await board.write(write(external_id, WriteKind.NOTED, comment="one"))
    assert server.asked["GET /issue/{issueIdOrKey}/comment"] == 2
    await board.write(write(external_id, WriteKind.NOTED, comment="two"))
    server.site.shows_properties = False
    await board.write(write(external_id, WriteKind.NOTED, comment="three"))
    assert comments(server, external_id)[150:] == ["three\n\n*Operator, ticket ENG-1*"]


async def test_the_comment_is_found_by_its_mark_whatever_a_person_made_of_it(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    await board.write(write(external_id, WriteKind.NOTED, comment="one"))
    server.site.issues[external_id].comments[0].body = to_adf("cut short by a person")
    await board.write(write(external_id, WriteKind.NOTED, comment="two"))
    assert comments(server, external_id) == ["two\n\n*Operator, ticket ENG-1*"]


@pytest.mark.parametrize("kind", ["cut_before", "cut_after", "half", "500"])
@pytest.mark.parametrize(
    "on", ["/transitions", "POST /rest/api/3/issue/20001/comment", "POST /rest/api/3/issue/20001/remotelink"]
)
async def test_a_write_that_was_cut_off_is_completed_by_doing_it_again(
    server: Jira, board: JiraBoard, kind: str, on: str
) -> None:
    external_id = server.person.add("x")
    server.trouble(kind, on=on)
    news = write(external_id, WriteKind.STARTED, comment="running", link="https://example.org/pr/1")
    with pytest.raises((BoardTransport, BoardStatus)):
        await board.write(news)
    assert await board.write(news) == Written()
    assert await where(server, external_id) == "In Progress"
    assert comments(server, external_id) == ["running\n\n*Operator, ticket ENG-1*"]
    assert len(server.site.issues[external_id].links) == 1
    assert server.site.writes[external_id] == 3


# --- adding and editing -----------------------------------------------------------------------------

NEW = NewTicket(
    id=TicketId("new-1"), title="Größe 🚀", body="# Why\n\n- List<str>", type="FIX", priority=2, project="api",
    driver="claude", labels=("web",),
)  # fmt: skip


async def test_a_ticket_that_is_written_here_is_added_once(server: Jira) -> None:
    board = board_of(server, types={"Bug": "FIX"})
    blocker = server.person.add("first")
    new = evolve(NEW, blocked_by=("ENG-1",))
    server.trouble("cut_after", on="POST /rest/api/3/issueLink")
    with pytest.raises(BoardTransport):
        await board.create(new)
    await board.create(new)
    await board.create(new)
    assert len(server.site.issues) == 2
    (made,) = (each for each in (await board.pull(None, full=True)).tickets if each.external_id != blocker)
    assert (made.title, made.body, made.type, made.priority) == ("Größe 🚀", "# Why\n\n- List\\<str>", "FIX", 2)
    assert (made.project, made.driver, made.labels, made.blocked_by) == ("api", "claude", ("web",), ("ENG-1",))
    with pytest.raises(BoardStatus):
        await board.create(evolve(new, title="another"))
    await board.aclose()


async def test_a_type_that_the_project_lacks_becomes_a_label(server: Jira, board: JiraBoard) -> None:
    await board.create(evolve(NEW, type="FEAT"))
    (made,) = (await board.pull(None, full=True)).tickets
    assert (made.type, made.labels) == ("FEAT", ("web", "FEAT"))


@pytest.mark.parametrize(
    "wrong",
    [{"title": "x" * 256}, {"title": ""}, {"labels": ("a b",)}, {"body": "x" * 40_000}, {"blocked_by": ("NO-1",)}],
)
async def test_what_jira_cannot_keep_is_refused_with_a_hint(
    server: Jira, board: JiraBoard, wrong: dict[str, Any]
) -> None:
    with pytest.raises(BoardStatus) as raised:
        await board.create(evolve(NEW, **wrong))
    assert raised.value.hint


async def test_edits_change_what_they_name(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("title", to_adf("body"), labels=["a"])
    await board.edit(external_id, Edit(title="Neu: ä", priority=4, driver="codex"))
    await board.edit(external_id, Edit(body="other\n\ntext", labels=("x", "y"), project="api", type="TASK"))
    ticket = await board.reread(external_id)
    assert ticket is not None
    assert (ticket.title, ticket.body, ticket.priority, ticket.labels) == ("Neu: ä", "other\n\ntext", 4, ("x", "y"))
    assert (ticket.driver, ticket.project) == ("codex", "api")
    with pytest.raises(BoardStatus):
        await board.edit(external_id, Edit(blocked_by=("ENG-9",)))
    server.person.delete(external_id)
    with pytest.raises(BoardStatus):
        await board.edit(external_id, Edit(title="x"))
