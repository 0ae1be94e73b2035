"""A project (Projects v2) on GitHub, by GraphQL, against a stand-in that executes GitHub's own schema."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import trio

from supervisor.adapters.kanban.github import GitHubBoard
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import BoardAuth, BoardPagination, BoardPayload, BoardStatus, BoardTransport
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardState, BoardWrite, WriteKind
from supervisor.ports import Conflicted, Edit, NewTicket, Written
from tests.fakes.boards.github import TOKEN, Draft, Hub, Issue, Item, serving
from tests.fakes.model.http import Request


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with serving() as running:
        with trio.fail_after(60):
            yield running


@pytest.fixture
async def board(hub: Hub) -> AsyncIterator[GitHubBoard]:
    made = project(hub)
    yield made
    await made.aclose()


def project(hub: Hub, number: int = 7, **config: object) -> GitHubBoard:
    whole = CollectionConfig("github", base_url=hub.url, board=f"acme/{number}", **config)  # type: ignore[arg-type]
    return GitHubBoard("project", whole, TOKEN, types=("FEAT", "FIX"))


def put(hub: Hub, title: str, body: str = "", column: str | None = "Todo", labels: tuple[str, ...] = ()) -> Item:
    return hub.person.put(hub.person.add(title, body, labels=labels), column)


def draft(hub: Hub, title: str, body: str = "") -> Item:
    return hub.person.put(hub.state.draft(title, body))


def issue_of(item: Item) -> Issue:
    assert isinstance(item.content, Issue)
    return item.content


def intent(item: Item, kind: WriteKind, comment: str = "") -> BoardWrite:
    now = datetime.now(UTC)
    return BoardWrite(uuid.uuid4().hex, 1, "project", TicketId("T-1"), item.node_id, kind, now, comment=comment)


async def test_a_thousand_items_are_ten_requests_and_what_changed_two_more(hub: Hub, board: GitHubBoard) -> None:
    hub.ahead = timedelta(hours=-1)
    items = [put(hub, f"Issue {n}") for n in range(1_000)]
    found = await board.pull(None, full=True)
    assert found.complete
    assert [each.external_id for each in found.tickets] == [each.node_id for each in items]
    assert hub.counted() == {"Items": 10}
    hub.ahead = timedelta()
    hub.person.move(items[500], "Done")
    hub.person.edit(issue_of(items[700]), title="new title")
    hub.requests.clear()
    later = await board.pull((datetime.now(UTC) - timedelta(minutes=10)).isoformat(), full=False)
    assert not later.complete
    assert {each.external_id for each in later.tickets} == {items[500].node_id, items[700].node_id}
    assert {each.title for each in later.tickets} == {"Issue 500", "new title"}
    assert hub.counted() == {"Items": 10, "Some": 1}


async def test_items_are_tickets_and_drafts_too_but_not_pull_requests(hub: Hub, board: GitHubBoard) -> None:
    item = put(hub, "an issue", "text", None, ("Feat", "P2"))
    note = draft(hub, "a draft", "note")
    hub.person.put(hub.person.pull_request("a pull request"))
    hidden = put(hub, "hidden")
    hidden.redacted = True
    found = await board.pull(None, full=True)
    assert found.complete
    issue, other = found.tickets
    assert (issue.external_id, issue.external_key, issue.title, issue.body) == (
        item.node_id,
        "api-1",
        "an issue",
        "text",
    )
    assert (issue.type, issue.priority, issue.labels, issue.state) == ("FEAT", 2, ("Feat", "P2"), BoardState.OPEN)
    assert (other.external_id, other.external_key, other.url) == (note.node_id, f"draft-{note.id}", None)
    assert (other.title, other.body, other.type) == ("a draft", "note", None)
    item.priority = "P1"
    assert await board.reread(item.node_id) == (await board.pull(None, full=True)).tickets[0]


async def test_a_ticket_that_the_token_may_not_see_any_more_is_not_gone(hub: Hub, board: GitHubBoard) -> None:
    item = put(hub, "x", column="In Progress")
    await board.pull(None, full=True)
    item.redacted = True
    (ticket,) = (await board.pull(None, full=True)).tickets
    assert (ticket.external_id, ticket.state) == (item.node_id, BoardState.IN_PROGRESS)
    assert ticket.problem is not None
    assert await board.reread(item.node_id) == ticket
    restarted = project(hub)
    again = await restarted.reread(item.node_id)
    assert again is not None
    assert again.problem is not None
    with pytest.raises(BoardPayload):
        await board.write(intent(item, WriteKind.DONE))
    await restarted.aclose()


async def test_columns_of_any_name_mean_something(hub: Hub, board: GitHubBoard) -> None:
    hub.state.projects[7].columns = ("Icebox", "to do", "Doing", "Blocked", "QA", "Shipped", "Archive", "won't do")
    items = [put(hub, name, column=name) for name in hub.state.projects[7].columns]
    states = [each.state for each in (await board.pull(None, full=True)).tickets]
    going, done = BoardState.IN_PROGRESS, BoardState.DONE
    assert states == [BoardState.OPEN] * 2 + [going] * 3 + [done] * 2 + [BoardState.CANCELLED]
    assert await board.write(intent(items[0], WriteKind.STARTED)) == Written()
    assert items[0].status == "Doing"
    assert await board.write(intent(items[4], WriteKind.AWAITING)) == Written()
    assert items[4].status == "QA"
    configured = project(hub, states={"started": "qa", "requeued": "icebox", "done": "archive"})
    for kind, column in ((WriteKind.STARTED, "QA"), (WriteKind.REQUEUED, "Icebox"), (WriteKind.DONE, "Archive")):
        assert await configured.write(intent(items[0], kind)) == Written()
        assert items[0].status == column
    await configured.aclose()


async def test_a_board_of_three_columns_will_do(hub: Hub, board: GitHubBoard) -> None:
    hub.state.projects[7].columns = ("Todo", "In Progress", "Done")
    item = put(hub, "x")
    kinds = (WriteKind.STARTED, WriteKind.AWAITING, WriteKind.FAILED, WriteKind.REQUEUED, WriteKind.CANCELLED)
    columns = []
    for kind in kinds:
        assert await board.write(intent(item, kind)) == Written()
        assert await board.write(intent(item, kind)) == Written()
        columns.append(item.status)
    assert columns == ["In Progress", "In Progress", "In Progress", "Todo", "Done"]
    assert hub.state.writes[item.node_id] == 3


async def test_a_column_that_is_not_there_is_named(hub: Hub) -> None:
    board = project(hub, states={"started": "Under way"})
    with pytest.raises(BoardStatus, match="Under way") as refused:
        await board.write(intent(put(hub, "x"), WriteKind.STARTED))
    assert "In Progress" in refused.value.hint
    await board.aclose()


async def test_a_closed_issue_is_closed_in_whatever_column_it_stands(hub: Hub, board: GitHubBoard) -> None:
    item = put(hub, "x", column="In Progress")
    hub.person.close(issue_of(item), "not_planned")
    (ticket,) = (await board.pull(None, full=True)).tickets
    assert ticket.state is BoardState.CANCELLED
    for kind in (WriteKind.STARTED, WriteKind.REQUEUED, WriteKind.DONE):
        assert await board.write(intent(item, kind)) == Conflicted("closed as not planned")
    assert not hub.state.writes
    hub.person.reopen(issue_of(item))
    item.archived = True
    assert await board.write(intent(item, WriteKind.AWAITING)) == Conflicted("archived")


async def test_done_moves_the_status_and_leaves_the_issue(hub: Hub, board: GitHubBoard) -> None:
    item = put(hub, "x", column="In Review")
    assert await board.write(intent(item, WriteKind.DONE, "finished")) == Written()
    assert (item.status, issue_of(item).state) == ("Done", "open")
    assert [each.body for each in issue_of(item).comments] == ["<!-- operator:T-1 -->\nfinished"]
    theirs = put(hub, "y", column="Done")
    assert await board.write(intent(theirs, WriteKind.STARTED)) == Conflicted("Done")


async def test_of_a_write_to_a_draft_its_status_arrives(hub: Hub, board: GitHubBoard) -> None:
    note = draft(hub, "a draft")
    hub.requests.clear()
    assert await board.write(intent(note, WriteKind.STARTED, "nowhere to say it")) == Written()
    assert note.status == "In Progress"
    assert hub.counted() == {"Some": 1, "Choose": 1}


async def test_a_comment_is_not_doubled_after_a_cut_connection(hub: Hub, board: GitHubBoard) -> None:
    item = put(hub, "x")
    write = intent(item, WriteKind.STARTED, "said once")

    def asks(operation: bytes, request: Request) -> bool:
        return operation in request.body

    for operation, expected in ((b"Choose", 0), (b"AddComment", 1)):
        hub.trouble("cut after", when=partial(asks, operation))
        with pytest.raises(BoardTransport):
            await board.write(write)
        assert (item.status, len(issue_of(item).comments)) == ("In Progress", expected)
    assert await board.write(write) == Written()
    assert (len(issue_of(item).comments), hub.state.writes[item.node_id]) == (1, 1)


async def test_lines_of_the_text_say_what_an_item_waits_for(hub: Hub, board: GitHubBoard) -> None:
    put(hub, "open")
    hub.person.close(issue_of(put(hub, "closed")))
    hub.person.add("elsewhere", repo="web")
    text = "Blocked by #1, #2, #99, https://github.com/acme/web/issues/1, #4"
    put(hub, "waits", text)
    note = draft(hub, "a draft waits", "blocked by #1, acme/api#1")
    found = {each.title: each.blocked_by for each in (await board.pull(None, full=True)).tickets}
    assert found == {"open": (), "closed": (), "waits": ("api-1", "web-1"), "a draft waits": ("api-1",)}
    again = await board.reread(note.node_id)
    assert again is not None
    assert again.blocked_by == ("api-1",)


async def test_gone_is_what_the_project_does_not_have_any_more(hub: Hub, board: GitHubBoard) -> None:
    items = [put(hub, f"{n}") for n in range(120)]
    hub.person.take_out(items[7])
    found = await board.reread_many([each.node_id for each in items])
    assert [external for external, ticket in found.items() if ticket is None] == [items[7].node_id]
    assert hub.counted() == {"Some": 3}
    assert await board.write(intent(items[7], WriteKind.DONE)) == Conflicted("deleted")
    del hub.state.projects[7]
    for reading in (board.reread(items[0].node_id), board.pull(None, full=True)):
        with pytest.raises(BoardStatus, match="no project acme/7") as refused:
            await reading
        assert "scope" in refused.value.hint


async def test_a_token_without_the_scope_is_told(hub: Hub, board: GitHubBoard) -> None:
    hub.trouble("scopes")
    with pytest.raises(BoardAuth, match="read:project"):
        await board.pull(None, full=True)


async def test_pages_that_do_not_end_are_noticed(hub: Hub, board: GitHubBoard) -> None:
    put(hub, "x")
    hub.trouble("loop", times=100)
    with pytest.raises(BoardPagination):
        await board.pull(None, full=True)
    assert len(hub.requests) == 2


async def test_a_draft_is_added_once_and_edited(hub: Hub, board: GitHubBoard) -> None:
    new = NewTicket(TicketId("TASK-7"), "title", "body", "TASK", priority=2)
    hub.trouble("cut after", when=lambda request: b"AddDraft" in request.body)
    with pytest.raises(BoardTransport):
        await board.create(new)
    await board.create(new)
    (ticket,) = (await board.pull(None, full=True)).tickets
    assert (ticket.title, ticket.body, ticket.priority, ticket.type) == ("title", "body", 2, None)
    await board.edit(ticket.external_id, Edit(title="other", body="text", priority=3))
    edited = await board.reread(ticket.external_id)
    assert edited is not None
    assert (edited.title, edited.body, edited.priority) == ("other", "text", 3)
    content = hub.state.projects[7].items[0].content
    assert isinstance(content, Draft)
    assert "operator-new:TASK-7" in content.body
    for impossible in (Edit(labels=("x",)), Edit(type="FEAT"), Edit(driver="claude")):
        with pytest.raises(BoardStatus):
            await board.edit(ticket.external_id, impossible)
    with pytest.raises(BoardStatus, match="no labels"):
        await board.create(NewTicket(TicketId("FEAT-1"), "x", "", "FEAT"))


async def test_an_edit_of_an_item_changes_its_issue(hub: Hub, board: GitHubBoard) -> None:
    item = put(hub, "x", labels=("P4", "a"))
    await board.edit(item.node_id, Edit(title="y", body="text", labels=("b",), priority=1))
    issue = issue_of(item)
    assert (issue.title, issue.body, issue.labels, item.priority) == ("y", "text", ["b", "P4"], "P1")
    ticket = await board.reread(item.node_id)
    assert ticket is not None
    assert ticket.priority == 1
