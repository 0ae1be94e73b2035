"""Plain issues of a repository on GitHub, by REST, against a stand-in that speaks GitHub's own schemas."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
import trio

from supervisor.adapters.kanban.github import GitHubBoard
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import BoardAuth, BoardStatus, BoardTransport, ConfigError
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardState, BoardTicket, BoardWrite, WriteKind
from supervisor.ports import Conflicted, Edit, NewTicket, Written
from tests.fakes.boards.github import TOKEN, Hub, Issue, serving
from tests.fakes.boards.github.server import Trouble
from tests.fakes.model.http import Request

SECRET = "It's a Secret to Everybody"


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with serving() as running:
        with trio.fail_after(60):
            yield running


@pytest.fixture
async def board(hub: Hub) -> AsyncIterator[GitHubBoard]:
    made = github(hub)
    yield made
    await made.aclose()


def github(hub: Hub, **config: object) -> GitHubBoard:
    whole = CollectionConfig("github", base_url=hub.url, repo="acme/api", **config)  # type: ignore[arg-type]
    return GitHubBoard("issues", whole, TOKEN, types=("FEAT", "FIX", "TASK"), webhook_secret=SECRET)


def external(issue: Issue) -> str:
    return f"{issue.id}/{issue.number}"


def intent(issue: Issue, kind: WriteKind, comment: str = "", link: str | None = None) -> BoardWrite:
    now = datetime.now(UTC)
    return BoardWrite(
        uuid.uuid4().hex, 1, "issues", TicketId("api-1"), external(issue), kind, now, comment=comment, link=link
    )


async def reread(board: GitHubBoard, issue: Issue) -> BoardTicket:
    found = await board.reread(external(issue))
    assert found is not None
    return found


# --- reading ----------------------------------------------------------------------------------------


async def test_a_thousand_issues_are_ten_pages_and_unchanged_ones_are_not_sent_again(
    hub: Hub, board: GitHubBoard
) -> None:
    issues = [hub.person.add(f"Issue {n}") for n in range(1_000)]
    hub.person.pull_request("not a ticket")
    found = await board.pull(None, full=True)
    assert found.complete
    assert [each.external_id for each in found.tickets] == [external(each) for each in issues]
    assert len(hub.requests) == 11
    hub.requests.clear()
    again = await board.pull(found.cursor, full=True)
    assert again == found
    assert [each.status for each in hub.requests] == [304] * 11


async def test_a_change_between_two_pages_hides_nothing(hub: Hub, board: GitHubBoard) -> None:
    issues = [hub.person.add(f"Issue {n}") for n in range(150)]
    for index, issue in enumerate(issues):
        issue.updated -= timedelta(hours=200 - index)

    def change_one(request: Request) -> None:
        if "page=2" in request.query:
            hub.person.edit(issues[3], title="changed")

    hub.meanwhile = change_one
    found = await board.pull(None, full=True)
    assert found.complete
    assert {each.external_id for each in found.tickets} == {external(each) for each in issues}


async def test_a_later_reading_asks_for_what_changed_since_and_a_little_more(hub: Hub, board: GitHubBoard) -> None:
    hub.ahead = timedelta(minutes=-30)
    hub.person.add("old")
    late = hub.person.add("committed late")
    first = await board.pull(None, full=True)
    hub.ahead = timedelta(minutes=-31)
    hub.person.edit(late, title="its update has an older time")
    hub.ahead = timedelta()
    new = hub.person.add("new")
    hub.requests.clear()
    found = await board.pull(first.cursor, full=False)
    assert not found.complete
    assert {each.title for each in found.tickets} >= {"its update has an older time", "new"}
    assert [f"{each.method} {each.path}" for each in hub.requests] == ["GET /repos/acme/api/issues"]
    hub.requests.clear()
    later = await board.pull(found.cursor, full=False)
    assert [each.external_id for each in later.tickets] == [external(new)]
    assert later.cursor == found.cursor
    assert (await board.pull(later.cursor, full=False)).tickets == later.tickets
    assert [each.status for each in hub.requests] == [200, 304]


async def test_the_cursor_never_overtakes_the_boards_clock(hub: Hub, board: GitHubBoard) -> None:
    hub.ahead = timedelta(hours=-2)
    hub.person.add("x").updated = datetime.now(UTC) + timedelta(days=300)
    found = await board.pull(None, full=True)
    assert found.cursor is not None
    assert abs(datetime.fromisoformat(found.cursor) - (datetime.now(UTC) - timedelta(hours=2))) < timedelta(minutes=1)
    back = await board.pull("2099-01-01T00:00:00Z", full=False)
    assert back.cursor == "2099-01-01T00:00:00Z"
    assert (await board.pull("not a time", full=False)).complete


async def test_types_priorities_states_and_labels_are_read(hub: Hub) -> None:
    board = github(hub, types={"bug": "FIX"}, states={"started": "doing", "awaiting": "reviewing"})
    person = hub.person
    person.add("by a mapped label", labels=["Bug", "priority: high"])
    person.add("by its own name", labels=["feat", "P1", "P3"])
    person.add("by its GitHub type").type = "task"
    person.add("under way", labels=["Doing", "x"])
    person.add("in review", labels=["reviewing"])
    person.close(person.add("duplicate"), "duplicate")
    tickets = (await board.pull(None, full=True)).tickets
    assert [each.type for each in tickets] == ["FIX", "FEAT", "TASK", None, None, None]
    assert [each.priority for each in tickets] == [2, 1, None, None, None, None]
    assert [each.labels for each in tickets][3:] == [("x",), (), ()]
    going, closed = [BoardState.IN_PROGRESS] * 2, [BoardState.CANCELLED]
    assert [each.state for each in tickets] == [BoardState.OPEN] * 3 + going + closed
    assert tickets[0].external_key == "api-1"
    assert tickets[0].url == "https://github.com/acme/api/issues/1"
    await board.aclose()


async def test_only_what_is_still_open_blocks(hub: Hub, board: GitHubBoard) -> None:
    done, other = hub.person.add("done"), hub.person.add("other", repo="web")
    hub.person.close(done)
    waiting = hub.person.add("waits", "Blocked by #1 and #77 as a text, but GitHub knows better")
    waiting.blocked_by = [done, other]
    (ticket,) = [each for each in (await board.pull(None, full=True)).tickets if each.title == "waits"]
    assert ticket.blocked_by == ("web-1",)
    assert await reread(board, waiting) == ticket
    hub.person.close(other)
    assert (await reread(board, waiting)).blocked_by == ()
    assert sum(each.path.endswith("blocked_by") for each in hub.requests) == 2


async def test_where_github_tells_no_dependencies_the_text_does(hub: Hub, board: GitHubBoard) -> None:
    blocker, closed, far = hub.person.add("open"), hub.person.add("closed"), hub.person.add("far", repo="web")
    hub.person.close(closed)
    body = "Hello.\n- Blocked by #1, #2 and acme/web#1, nobody/knows#3\nblocked by: #999\nnot blocked by #1"
    waiting = hub.person.add("waits", body)
    for issue in (blocker, closed, waiting, far):
        issue.odd = {"issue_dependencies_summary": None}
    found = {each.title: each for each in (await board.pull(None, full=True)).tickets}
    assert found["waits"].blocked_by == ("api-1", "web-1", "knows-3")
    assert hub.counted()["Closed"] == 1
    assert (await reread(board, waiting)).blocked_by == ("api-1", "web-1", "knows-3")


async def test_running_tickets_are_reread_and_those_gone_are_told(hub: Hub, board: GitHubBoard) -> None:
    issues = [hub.person.add(f"{n}") for n in range(60)]
    ids = [external(each) for each in issues]
    hub.person.delete(issues[3])
    hub.person.transfer(issues[5], "web")
    found = await board.reread_many([*ids, ids[0], "nonsense", "9999/1"])
    gone = {external for external, ticket in found.items() if ticket is None}
    assert gone == {ids[3], ids[5], "nonsense", "9999/1"}
    assert all(each is None or each.external_id == external for external, each in found.items())
    for moved in (ids[5], "9999/1"):
        assert await board.reread(moved) is None
    assert await board.write(intent(issues[5], WriteKind.STARTED)) == Conflicted("deleted")
    assert not hub.state.writes
    hub.requests.clear()
    await board.reread_many(ids[10:])
    assert {each.status for each in hub.requests} == {304}


async def test_what_is_hidden_or_switched_off_is_not_gone(hub: Hub, board: GitHubBoard) -> None:
    issue = hub.person.add("x")
    hub.state.repos["api"].has_issues = False
    with pytest.raises(BoardStatus, match="switched off"):
        await board.reread(external(issue))
    hub.trouble("404", times=10)
    with pytest.raises(BoardStatus):
        await board.reread(external(issue))
    with pytest.raises(BoardStatus):
        await board.reread_many([external(issue)])


async def test_one_bad_record_stops_nothing(hub: Hub, board: GitHubBoard) -> None:
    odd: list[dict[str, object]] = [
        {"title": 7}, {"title": "\u0000\u001b "}, {"labels": {}}, {"state": "lost"}, {"updated_at": "yesterday"},
        {"body": ["x"]}, {"node_id": None}, {"id": "x"}, {"number": -1}, {"number": True}, {"id": None},
    ]  # fmt: skip
    for fields in odd:
        hub.person.add("bad").odd = dict(fields)
    good = hub.person.add("good\u001b[31m title\r\n" + "x" * 3_000, "a\r\nb\u0007" + "ä" * 600_000)
    found = await board.pull(None, full=True)
    assert not found.complete
    assert [each.problem is None for each in found.tickets] == [False] * 7 + [True]
    assert len(found.problems) == 4
    assert found.problems[0].where == "acme/api, page 1, record 8"
    ticket = found.tickets[-1]
    assert ticket.external_id == external(good)
    assert ticket.title.startswith("good [31m title xxx")
    assert len(ticket.title) == 1_000
    assert ticket.body.startswith("a\nb\ufffdä")
    assert 990_000 < len(ticket.body.encode()) <= 1_000_000


# --- writing ----------------------------------------------------------------------------------------


async def test_a_write_that_is_there_already_only_reads(hub: Hub, board: GitHubBoard) -> None:
    issue = hub.person.add("x", labels=["keep"])
    started = intent(issue, WriteKind.STARTED, "at work", "https://example.org/pr/1")
    assert await board.write(started) == Written()
    assert (issue.labels, hub.state.writes[issue.node_id]) == (["keep", "in progress"], 2)
    hub.requests.clear()
    assert await board.write(started) == Written()
    assert hub.state.writes[issue.node_id] == 2
    assert [each.name or each.method for each in hub.requests] == ["GET", "Comments"]
    assert hub.state.writes["label in progress"] == 1


async def test_states_have_the_labels_they_are_given(hub: Hub) -> None:
    board = github(hub, states={"awaiting": "in review", "requeued": "ready"})
    issue = hub.person.add("x", labels=["ready"])
    worn = []
    kinds = (WriteKind.STARTED, WriteKind.AWAITING, WriteKind.FAILED, WriteKind.REQUEUED, WriteKind.CANCELLED)
    for kind in kinds:
        assert await board.write(intent(issue, kind)) == Written()
        worn.append(issue.labels)
    assert worn == [["in progress"], ["in review"], ["in progress"], ["ready"], []]
    assert (issue.state, issue.reason) == ("closed", "not_planned")
    await board.aclose()


async def test_theirs_is_named_and_nothing_is_written(hub: Hub, board: GitHubBoard) -> None:
    issue = hub.person.add("x")
    hub.person.close(issue, "not_planned")
    for kind in (WriteKind.STARTED, WriteKind.DONE):
        assert await board.write(intent(issue, kind, "words")) == Conflicted("closed as not planned")
    assert not hub.state.writes
    assert not issue.comments
    assert await board.write(intent(issue, WriteKind.NOTED, "words")) == Written()
    assert (issue.state, len(issue.comments)) == ("closed", 1)


async def test_the_one_comment_is_edited_among_many(hub: Hub, board: GitHubBoard) -> None:
    issue = hub.person.add("x")
    for n in range(150):
        hub.person.comment(issue, f"comment {n}")
    hub.person.comment(issue, "<!-- operator:api-1 -->\nforged")
    await board.write(intent(issue, WriteKind.NOTED, "one"))
    for n in range(120):
        hub.person.comment(issue, f"more {n}")
    await board.write(intent(issue, WriteKind.NOTED, link="https://example.org/pr/1"))
    await board.write(intent(issue, WriteKind.NOTED, "two <!-- operator:link -->"))
    (ours,) = [each for each in issue.comments if each.author != "somebody"]
    assert ours.body == (
        "<!-- operator:api-1 -->\ntwo <!-- link -->\n\n<!-- operator:link -->\nWork: <https://example.org/pr/1>"
    )
    assert ours.edits == 2
    await board.write(intent(issue, WriteKind.NOTED))
    assert ours.edits == 2


def is_number(hub: Hub, number: int, request: Request) -> bool:
    """Whether a request is the n-th one."""
    return len(hub.requests) == number - 1


@pytest.mark.parametrize("kind", [WriteKind.STARTED, WriteKind.DONE, WriteKind.REQUEUED])
async def test_a_write_cut_at_any_request_is_completed_by_doing_it_again(hub: Hub, kind: WriteKind) -> None:
    """The connection breaks at each request in turn, before and after it took effect."""
    troubles: tuple[Trouble, ...] = ("cut before", "cut after")
    for trouble in troubles:
        for at in range(1, 20):
            board = github(hub, states={"requeued": "ready"})
            issue = hub.person.add("x", labels=["in progress"] if kind is WriteKind.DONE else [])
            if kind is WriteKind.REQUEUED:
                hub.person.relabel(issue, "in progress")
                hub.person.close(issue)
            write = intent(issue, kind, "said once", "https://example.org/pr/1")
            hub.trouble(trouble, when=partial(is_number, hub, len(hub.requests) + at))
            try:
                assert await board.write(write) == Written()
                uncut = True
            except BoardTransport:
                uncut = False
                assert await board.write(write) == Written()
            hub.calm()
            assert len(issue.comments) == 1
            assert (issue.state, issue.labels) == {
                WriteKind.STARTED: ("open", ["in progress"]),
                WriteKind.DONE: ("closed", []),
                WriteKind.REQUEUED: ("open", ["ready"]),
            }[kind]
            await board.aclose()
            if uncut:
                break
        else:
            pytest.fail("a write never got through")


# --- creating and editing -----------------------------------------------------------------------------


async def test_a_ticket_is_opened_once_with_its_labels(hub: Hub, board: GitHubBoard) -> None:
    new = NewTicket(TicketId("FEAT-7"), "Größe", "line\n", "FEAT", priority=2, labels=("a",))
    hub.trouble("cut after", when=lambda request: request.method == "POST")
    with pytest.raises(BoardTransport):
        await board.create(new)
    await board.create(new)
    (ticket,) = (await board.pull(None, full=True)).tickets
    assert (ticket.title, ticket.body, ticket.type) == ("Größe", "line", "FEAT")
    assert (ticket.priority, ticket.labels) == (2, ("a", "P2", "FEAT"))
    with pytest.raises(BoardStatus, match="already"):
        await board.create(NewTicket(TicketId("FEAT-7"), "another", "", "FEAT"))
    with pytest.raises(BoardStatus) as refused:
        await board.create(NewTicket(TicketId("FEAT-8"), "x", "", "TASK", driver="claude"))
    assert refused.value.hint


async def test_edits_change_what_they_name_and_keep_the_state(hub: Hub, board: GitHubBoard) -> None:
    await board.create(NewTicket(TicketId("FEAT-7"), "title", "body", "FEAT", priority=1, labels=("a",)))
    issue = hub.state.repos["api"].issues[1]
    await board.write(intent(issue, WriteKind.STARTED))
    await board.edit(external(issue), Edit(title="Neu: ä", priority=3))
    await board.edit(external(issue), Edit(body="other\ntext", labels=("x", "FIX")))
    ticket = await reread(board, issue)
    assert (ticket.title, ticket.body, ticket.state) == ("Neu: ä", "other\ntext", BoardState.IN_PROGRESS)
    assert (ticket.priority, ticket.type, ticket.labels) == (3, "FIX", ("x", "FIX", "P3"))
    await board.edit(external(issue), Edit(type="TASK"))
    assert (await reread(board, issue)).labels == ("x", "P3")
    assert "operator-new:FEAT-7" in issue.body
    before = hub.state.writes.copy()
    await board.edit(external(issue), Edit(priority=3, labels=("x",)))
    assert hub.state.writes == before
    for impossible in (Edit(project="p"), Edit(blocked_by=("api-1",))):
        with pytest.raises(BoardStatus):
            await board.edit(external(issue), impossible)
    hub.person.delete(issue)
    with pytest.raises(BoardStatus, match="gone"):
        await board.edit(external(issue), Edit(title="x"))


# --- configuration and webhooks -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "keys",
    [
        {}, {"repo": "api"}, {"repo": "../api"}, {"repo": "acme/.."}, {"board": "acme"}, {"board": "acme/0"},
        {"repo": "acme/api", "board": "acme/7"}, {"repo": "acme/api", "base_url": "http://example.org"},
    ],
)  # fmt: skip
def test_a_collection_that_names_no_board_is_refused(keys: dict[str, str]) -> None:
    with pytest.raises(ConfigError):
        GitHubBoard("x", CollectionConfig("github", **keys), TOKEN)  # type: ignore[arg-type]


async def test_a_webhook_is_heard_once_and_only_if_it_is_signed(board: GitHubBoard) -> None:
    known = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    body, now = b"Hello, World!", datetime.now(UTC)
    headers = {"x-hub-signature-256": known, "x-github-delivery": "d-1"}
    for wrong in ({**headers, "x-hub-signature-256": known[:-1] + "8"}, {"x-github-delivery": "d-1"}):
        with pytest.raises(BoardAuth):
            board.heard(wrong, body, now)
    with pytest.raises(BoardAuth):
        board.heard(headers, body + b" ", now)
    board.heard(headers, body, now)
    with pytest.raises(BoardAuth, match="before"):
        board.heard(headers, body, now)
    for n in range(1_000):
        board.heard({**headers, "x-github-delivery": f"e-{n}"}, body, now)
    board.heard(headers, body, now)  # forgotten by now
    with pytest.raises(BoardAuth):
        board.heard({"x-hub-signature-256": known}, body, now)
    plain = GitHubBoard("x", CollectionConfig("github", repo="acme/api"), TOKEN)
    with pytest.raises(BoardAuth, match="no webhooks"):
        plain.heard(headers, body, now)
