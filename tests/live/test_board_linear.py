"""The Linear board against a fake of Linear that executes its schema over a real socket."""

import hashlib
import hmac
import json
import logging
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import trio
from attrs import evolve
from graphql import (
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    parse,
    validate,
)

from supervisor.adapters.kanban.linear import LinearBoard
from supervisor.adapters.kanban.linear import queries as asked
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import (
    BoardAuth,
    BoardError,
    BoardPagination,
    BoardPayload,
    BoardRateLimited,
    BoardStatus,
    BoardTransport,
)
from supervisor.domain.ids import TicketId
from supervisor.domain.ticket import BoardState, BoardWrite, Pull, Unnamed, WriteKind
from supervisor.ports import Conflicted, Edit, NewTicket, Written
from tests.fakes.boards.linear.points import MOST, points
from tests.fakes.boards.linear.schema import ours, schema, whole
from tests.fakes.boards.linear.server import KEY, Linear, Trouble, linear

PATIENCE = 20.0
TYPES = ("FEAT", "FIX", "TASK")


@pytest.fixture
async def server() -> AsyncIterator[Linear]:
    with trio.fail_after(2 * PATIENCE):
        async with linear() as made:
            yield made


@pytest.fixture
async def board(server: Linear) -> AsyncIterator[LinearBoard]:
    made = board_at(server)
    yield made
    await made.aclose()


def board_at(server: Linear, **config: Any) -> LinearBoard:
    given = CollectionConfig(**{"provider": "linear", "base_url": server.url, "team": "ENG", **config})
    return LinearBoard("eng", given, KEY, types=TYPES, webhook_secret="lin_wh_1")


def write(external_id: str, kind: WriteKind, **more: Any) -> BoardWrite:
    return BoardWrite(
        id="w1", number=1, collection="eng", ticket_id=TicketId("ENG-1"), external_id=external_id, kind=kind,
        at=datetime.now(UTC), branch="operator/ENG-1", **more,
    )  # fmt: skip


def keys(pull: Pull) -> list[str]:
    return sorted(each.external_key for each in pull.tickets)


# --- what is asked ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("document", asked.ALL)
def test_every_document_is_valid_and_within_linears_points(document: str) -> None:
    parsed = parse(document)
    assert validate(schema(), parsed) == []
    assert points(parsed, {"first": asked.PAGE}) < MOST * 0.8


def test_reading_every_minute_leaves_most_of_the_points_to_others() -> None:
    assert 60 * points(parse(asked.ISSUES), {"first": asked.CHANGES_PAGE}) < 250_000 / 2


def test_our_part_of_the_schema_is_as_the_whole_one() -> None:
    if whole() is None:
        pytest.skip("OPERATOR_SCHEMAS names no folder with Linear's schema")
    for name, mine in ours().type_map.items():
        theirs = schema().type_map[name]
        assert type(mine) is type(theirs), name
        if isinstance(mine, GraphQLEnumType) and isinstance(theirs, GraphQLEnumType):
            assert set(mine.values) <= set(theirs.values), name
        if not isinstance(mine, GraphQLObjectType | GraphQLInputObjectType) or name.startswith("__"):
            continue
        assert isinstance(theirs, GraphQLObjectType | GraphQLInputObjectType)
        for field, given in mine.fields.items():
            assert str(given.type) == str(theirs.fields[field].type), f"{name}.{field}"
            for argument, kind in getattr(given, "args", {}).items():
                assert str(kind.type) == str(theirs.fields[field].args[argument].type), f"{name}.{field}({argument})"
        if isinstance(theirs, GraphQLInputObjectType):
            required = {field for field, given in theirs.fields.items() if str(given.type).endswith("!")}
            assert required <= set(mine.fields), name


@pytest.mark.parametrize(
    ("token", "sent"),
    [
        ("lin_api_abc", "lin_api_abc"),
        (" lin_api_abc\n", "lin_api_abc"),
        ("lin_oauth_abc", "Bearer lin_oauth_abc"),
        ("0a" * 32, "Bearer " + "0a" * 32),
    ],
)
async def test_keys_go_bare_and_oauth_tokens_as_a_bearers(server: Linear, token: str, sent: str) -> None:
    server.authorization = sent
    made = LinearBoard("eng", CollectionConfig(provider="linear", base_url=server.url, team="ENG"), token)
    assert (await made.pull(None, full=True)).complete
    await made.aclose()


# --- reading ----------------------------------------------------------------------------------------------


async def test_a_thousand_issues_are_read_in_ten_requests(server: Linear, board: LinearBoard) -> None:
    ids = {server.person.add(f"Issue {n}", "body", labels=("web",)) for n in range(1000)}
    found = await board.pull(None, full=True)
    assert found.complete
    assert {each.external_id for each in found.tickets} == ids
    assert (server.requests["Issues"], server.asked) == (10, 10)
    assert found.cursor is not None


async def test_an_issue_that_changes_while_the_pages_are_read_is_not_missed(server: Linear, board: LinearBoard) -> None:
    ids = [server.person.add(f"Issue {n}") for n in range(250)]

    def in_between() -> None:
        server.person.edit(ids[0], title="oldest, edited")  # it was to come on the last page
        server.person.delete(ids[200])

    server.meanwhile = in_between
    found = await board.pull(None, full=True)
    assert {each.external_id for each in found.tickets} >= set(ids) - {ids[200]}
    assert found.complete
    # What changed behind the reading comes with the next changes.
    changes = await board.pull(found.cursor, full=False)
    assert ids[0] in {each.external_id for each in changes.tickets}


async def test_changes_are_read_by_the_cursor_in_one_small_request(server: Linear, board: LinearBoard) -> None:
    server.person.add("x")
    old = server.person.add("old")
    for issue in server.person.issues.values():
        issue.updated_at = issue.updated_at.replace(year=2020)
    first = await board.pull(None, full=True)
    assert first.cursor is not None
    assert first.cursor.startswith("2020")
    server.requests.clear()
    server.person.edit(old, title="new")
    changes = await board.pull(first.cursor, full=False)
    assert "new" in [each.title for each in changes.tickets]
    assert not changes.complete
    again = await board.pull(changes.cursor, full=False)
    assert [each.title for each in again.tickets] == ["new"]  # the overlap
    assert (again.cursor or "") >= (changes.cursor or "") > first.cursor
    assert server.asked == 2


async def test_a_full_pull_ignores_the_cursor(server: Linear, board: LinearBoard) -> None:
    server.person.add("x")
    found = await board.pull("2999-01-01T00:00:00+00:00", full=True)
    assert (len(found.tickets), found.complete) == (1, True)


async def test_only_the_teams_issues_are_read_and_its_key_may_be_written_small(server: Linear) -> None:
    server.person.add_team("OPS")
    mine, other = server.person.add("mine"), server.person.add("other", team="OPS")
    board = board_at(server, team="eng")
    assert keys(await board.pull(None, full=True)) == ["ENG-1"]
    assert await board.reread_many([mine, other, mine]) == {mine: await board.reread(mine), other: None}
    server.person.to_team(mine, "OPS")
    assert await board.reread(mine) is None
    assert isinstance(await board.write(write(mine, WriteKind.STARTED)), Conflicted)
    await board.aclose()


async def test_a_team_that_is_not_there_is_an_error_and_not_an_empty_board(server: Linear) -> None:
    known = server.person.add("x")
    board = board_at(server, team="GONE")
    acts: list[Callable[[], Awaitable[object]]] = [
        lambda: board.pull(None, full=True),
        lambda: board.pull("2026-01-01T00:00:00Z", full=False),
        lambda: board.reread(known),
        lambda: board.write(write(known, WriteKind.DONE)),
    ]
    for act in acts:
        with pytest.raises(BoardStatus) as caught:
            await act()
        assert "GONE" in caught.value.message
        assert caught.value.hint
    await board.aclose()


async def test_archived_and_trashed_issues_are_gone(server: Linear, board: LinearBoard) -> None:
    kept, archived, trashed = (server.person.add(each) for each in ("kept", "archived", "trashed"))
    server.person.archive(archived)
    server.person.delete(trashed)
    found = await board.pull(None, full=True)
    assert ([each.title for each in found.tickets], found.complete) == (["kept"], True)
    assert await board.reread_many([kept, archived, trashed, "unknown"]) == {
        kept: found.tickets[0], archived: None, trashed: None, "unknown": None,
    }  # fmt: skip


async def test_many_are_reread_fifty_at_a_time(server: Linear, board: LinearBoard) -> None:
    ids = [server.person.add(f"{n}") for n in range(120)]
    found = await board.reread_many(ids)
    assert list(found) == ids
    assert all(found[each] is not None for each in ids)
    assert server.asked == 3


async def test_labels_and_blockers_beyond_the_nested_page_are_read_too(server: Linear, board: LinearBoard) -> None:
    issue = server.person.add("x", labels=[f"label {n:02}" for n in range(30)])
    for _ in range(12):
        server.person.block(issue, by=server.person.add("blocker"))
    ticket = await board.reread(issue)
    assert ticket is not None
    assert (len(ticket.labels), len(ticket.blocked_by)) == (30, 12)
    assert dict(server.requests) == {"Issues": 1, "Details": 1}


async def test_blockers_are_followed_by_their_state(server: Linear, board: LinearBoard) -> None:
    issue, blocker = server.person.add("x"), server.person.add("blocker")
    server.person.block(issue, by=blocker)
    for state, blocked_by in (("Backlog", ("ENG-2",)), ("In Review", ("ENG-2",)), ("Released", ()), ("Canceled", ())):
        server.person.move(blocker, state)
        ticket = await board.reread(issue)
        assert ticket is not None
        assert ticket.blocked_by == blocked_by


async def test_one_bad_record_never_stops_the_rest(server: Linear, board: LinearBoard) -> None:
    good = server.person.add("good")
    for odd in ({"priority": 9.0}, {"url": "javascript:alert(1)"}, {"identifier": "??"}, {"title": "\x1b[2J\u0000"}):
        server.person.issues[server.person.add("odd")].odd = odd
    unnamed = server.person.add("unnamed")
    server.person.issues[unnamed].odd = {"id": ""}
    found = await board.pull(None, full=True)
    assert len(found.tickets) == 5
    assert {each.external_id for each in found.tickets if each.problem is None} >= {good}
    assert sum(each.problem is not None for each in found.tickets) == 2
    assert len(found.problems) == 1
    assert not found.complete  # whoever cannot be named may be one that is missing
    with pytest.raises(BoardPayload):
        await board.reread(unnamed)


async def test_what_linear_could_not_give_of_one_issue_is_that_issues_problem(
    server: Linear, board: LinearBoard
) -> None:
    for title in ("a", "b"):
        server.person.add(title, "text")
    server.trouble("partial")
    found = await board.pull(None, full=True)
    assert sorted((each.problem or "").startswith("Linear could not") for each in found.tickets) == [False, True]


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("unauthorized", BoardAuth), ("forbidden", BoardAuth), ("too_many", BoardRateLimited),
        ("rate_limited", BoardRateLimited), ("unavailable", BoardRateLimited), ("broken", BoardStatus),
        ("refused", BoardStatus), ("html", BoardPayload), ("not_json", BoardPayload), ("no_data", BoardPayload),
        ("types", BoardPayload), ("half", BoardTransport), ("cut_before", BoardTransport),
        ("cut_after", BoardTransport),
    ],
)  # fmt: skip
@pytest.mark.parametrize("act", ["pull", "reread", "write"])
async def test_each_trouble_is_its_own_error(
    server: Linear,
    board: LinearBoard,
    trouble: Trouble,
    error: type[BoardError],
    act: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    issue = server.person.add("x")
    server.trouble(trouble, times=2)
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "pull": lambda: board.pull(None, full=True),
        "reread": lambda: board.reread(issue),
        "write": lambda: board.write(write(issue, WriteKind.DONE)),
    }
    with pytest.raises(BoardError) as caught:
        await acts[act]()
    assert type(caught.value) is error
    assert caught.value.hint
    assert KEY not in "".join(traceback.format_exception(caught.value)) + caplog.text
    assert server.person.writes[issue] == 0


async def test_pages_that_lead_in_a_circle_are_an_error(server: Linear, board: LinearBoard) -> None:
    server.person.add("x")
    server.trouble("loop", times=5)
    with pytest.raises(BoardPagination):
        await board.pull(None, full=True)
    assert server.asked == 2


async def test_a_reading_that_hangs_can_be_given_up(server: Linear, board: LinearBoard) -> None:
    server.person.add("x")
    server.trouble("silent")
    with trio.move_on_after(0.1) as scope:
        await board.pull(None, full=True)
    assert scope.cancelled_caught
    assert (await board.pull(None, full=True)).complete


async def test_a_page_that_fails_fails_the_reading(server: Linear, board: LinearBoard) -> None:
    for n in range(150):
        server.person.add(f"{n}")
    server.meanwhile = lambda: server.trouble("broken")
    with pytest.raises(BoardStatus):
        await board.pull(None, full=True)


async def test_while_linear_limits_us_nothing_is_asked(server: Linear, board: LinearBoard) -> None:
    server.trouble("rate_limited")
    for _ in range(3):
        with pytest.raises(BoardRateLimited) as caught:
            await board.pull(None, full=True)
        assert 8 < caught.value.retry_after <= 9
    assert server.asked == 1


# --- writing ----------------------------------------------------------------------------------------------


async def test_a_whole_life_is_written_with_one_comment_and_one_link(server: Linear, board: LinearBoard) -> None:
    issue = server.person.add("x", "body")
    link = "https://github.com/acme/api/pull/7"
    for kind, comment, state in (
        (WriteKind.STARTED, "working", "In Progress"),
        (WriteKind.AWAITING, "please look", "In Review"),
        (WriteKind.STARTED, "working again", "In Progress"),
        (WriteKind.NOTED, "still working", "In Progress"),
        (WriteKind.DONE, "done", "Done"),
        (WriteKind.NOTED, "merged", "Done"),
    ):
        for _ in range(2):
            assert await board.write(write(issue, kind, comment=comment, link=link)) == Written()
        assert server.person.state_of(issue) == state
        assert list(server.person.issues[issue].comments.values()) == [comment]
    assert server.person.issues[issue].attachments == {link: "Operator: operator/ENG-1"}
    assert server.person.writes[issue] == 4 + 6 + 1
    assert server.person.issues[issue].description == "body"


async def test_a_write_that_is_done_asks_once_and_changes_nothing(server: Linear, board: LinearBoard) -> None:
    issue = server.person.add("x")
    intended = write(issue, WriteKind.STARTED, comment="c", link="https://x.example/1")
    assert await board.write(intended) == Written()
    assert dict(server.requests) == {
        "Record": 1, "Team": 1, "UpdateIssue": 1, "CreateComment": 1, "Link": 1,
    }  # fmt: skip
    server.requests.clear()
    assert await board.write(intended) == Written()
    assert dict(server.requests) == {"Record": 1}


@pytest.mark.parametrize("trouble", ["cut_before", "cut_after"])
@pytest.mark.parametrize("on", ["Record", "Team", "UpdateIssue", "CreateComment", "Link"])
async def test_a_write_that_was_cut_anywhere_is_completed_by_doing_it_again(
    server: Linear, trouble: Trouble, on: str
) -> None:
    issue = server.person.add("x")
    intended = write(issue, WriteKind.STARTED, comment="c", link="https://x.example/1")
    server.trouble(trouble, on=on)
    first = board_at(server)
    with pytest.raises(BoardTransport):
        await first.write(intended)
    await first.aclose()
    second = board_at(server)  # another daemon, which remembers nothing
    assert await second.write(intended) == Written()
    await second.aclose()
    assert server.person.state_of(issue) == "In Progress"
    assert list(server.person.issues[issue].comments.values()) == ["c"]
    assert server.person.issues[issue].attachments == {"https://x.example/1": "Operator: operator/ENG-1"}
    assert server.person.writes[issue] == 3


@pytest.mark.parametrize("trouble", ["cut_before", "cut_after"])
async def test_a_comment_edit_that_was_cut_is_completed_and_not_doubled(
    server: Linear, board: LinearBoard, trouble: Trouble
) -> None:
    issue = server.person.add("x")
    await board.write(write(issue, WriteKind.STARTED, comment="one"))
    server.trouble(trouble, on="UpdateComment")
    with pytest.raises(BoardTransport):
        await board.write(write(issue, WriteKind.NOTED, comment="two"))
    assert await board.write(write(issue, WriteKind.NOTED, comment="two")) == Written()
    assert list(server.person.issues[issue].comments.values()) == ["two"]


@pytest.mark.parametrize("trouble", ["broken_after", "refused_after"])
async def test_a_comment_that_was_made_although_linear_said_no_is_not_doubled(
    server: Linear, board: LinearBoard, trouble: Trouble
) -> None:
    issue = server.person.add("x")
    server.trouble(trouble, on="CreateComment")
    try:
        await board.write(write(issue, WriteKind.STARTED, comment="c"))
    except BoardStatus:
        assert trouble == "broken_after"
    assert await board.write(write(issue, WriteKind.STARTED, comment="c")) == Written()
    assert list(server.person.issues[issue].comments.values()) == ["c"]


async def test_peoples_comments_are_never_touched_even_when_they_quote_ours(server: Linear, board: LinearBoard) -> None:
    issue = server.person.add("x")
    await board.write(write(issue, WriteKind.STARTED, comment="ours"))
    server.person.comment(issue, "ours")
    server.person.comment(issue, "> ours\n\nI disagree")
    await board.write(write(issue, WriteKind.NOTED, comment="news"))
    assert list(server.person.issues[issue].comments.values()) == ["news", "ours", "> ours\n\nI disagree"]


async def test_a_comment_that_a_person_deleted_is_made_again_once(server: Linear, board: LinearBoard) -> None:
    issue = server.person.add("x")
    await board.write(write(issue, WriteKind.STARTED, comment="one"))
    (ours_id,) = server.person.issues[issue].comments
    server.person.uncomment(issue, ours_id)
    for text in ("two", "three"):
        for _ in range(2):
            assert await board.write(write(issue, WriteKind.NOTED, comment=text)) == Written()
        assert list(server.person.issues[issue].comments.values()) == [text]


async def test_tickets_that_share_an_issue_have_a_comment_each(server: Linear, board: LinearBoard) -> None:
    issue = server.person.add("x")
    await board.write(write(issue, WriteKind.NOTED, comment="one"))
    await board.write(evolve(write(issue, WriteKind.NOTED, comment="two"), ticket_id=TicketId("ENG-11")))
    assert sorted(server.person.issues[issue].comments.values()) == ["one", "two"]


@pytest.mark.parametrize(
    ("theirs", "kind"),
    [("Released", WriteKind.STARTED), ("Duplicate", WriteKind.DONE), ("Done", WriteKind.CANCELLED)],
)
async def test_a_persons_move_wins_by_its_name_and_nothing_is_written(
    server: Linear, board: LinearBoard, theirs: str, kind: WriteKind
) -> None:
    issue = server.person.add("x")
    server.person.move(issue, theirs)
    assert await board.write(write(issue, kind, comment="c", link="https://x.example")) == Conflicted(theirs)
    assert server.person.writes[issue] == 0


async def test_a_state_made_after_the_states_were_read_is_found(server: Linear) -> None:
    board = board_at(server, states={"started": "Building"})
    issue = server.person.add("x")
    with pytest.raises(BoardStatus) as caught:
        await board.write(write(issue, WriteKind.STARTED))
    assert "Building" in caught.value.message
    assert "states" in caught.value.hint
    assert await board.write(write(issue, WriteKind.DONE)) == Written()
    server.person.move(issue, "Todo")
    server.person.add_state("ENG", "Building", "started", 99.0)
    assert await board.write(write(issue, WriteKind.STARTED)) == Written()
    assert server.person.state_of(issue) == "Building"
    await board.aclose()


async def test_a_state_that_was_deleted_after_the_states_were_read_is_not_used_twice(
    server: Linear, board: LinearBoard
) -> None:
    issue = server.person.add("x")
    await board.write(write(issue, WriteKind.DONE))
    server.person.move(issue, "Todo")
    del server.person.states[server.person.state_named("ENG", "In Progress")]
    with pytest.raises(BoardStatus):
        await board.write(write(issue, WriteKind.STARTED))
    assert await board.write(write(issue, WriteKind.STARTED)) == Written()
    assert server.person.state_of(issue) == "In Review"


async def test_hostile_names_are_values_and_never_part_of_a_query(server: Linear) -> None:
    board = board_at(server, team='ENG"}}) { nodes { id } } issues(first: 1) {')
    with pytest.raises(BoardStatus):
        await board.pull(None, full=True)
    await board.aclose()


# --- tickets written here ---------------------------------------------------------------------------------


async def test_a_ticket_written_here_is_an_issue_there_once(server: Linear) -> None:
    board = board_at(server, types={"Bug": "FIX"})
    for label in ("web", "bug", "Feat"):
        server.person.label(label)
    fix = NewTicket(TicketId("FIX-1"), "Größe: 🚀 # x", "line\n\n---\nline  \n", "FIX", 2, labels=("web",))
    for each in (
        fix,
        fix,
        NewTicket(TicketId("FEAT-1"), "b", "", "FEAT"),
        NewTicket(TicketId("TASK-1"), "c", "", "TASK"),
    ):
        await board.create(each)
    tickets = {each.title: each for each in (await board.pull(None, full=True)).tickets}
    assert {title: each.type for title, each in tickets.items()} == {fix.title: "FIX", "b": "FEAT", "c": None}
    made = tickets[fix.title]
    assert (made.body, made.priority, made.labels, made.state) == (fix.body, 2, ("bug", "web"), BoardState.OPEN)
    await board.aclose()


@pytest.mark.parametrize("trouble", ["cut_before", "cut_after"])
async def test_a_creation_that_was_cut_is_completed_and_not_doubled(
    server: Linear, board: LinearBoard, trouble: Trouble
) -> None:
    new = NewTicket(TicketId("TASK-1"), "a", "b", "TASK")
    server.trouble(trouble, on="CreateIssue")
    with pytest.raises(BoardTransport):
        await board.create(new)
    await board.create(new)
    assert len(server.person.issues) == 1


@pytest.mark.parametrize(
    "more",
    [{"project": "api"}, {"driver": "claude"}, {"blocked_by": ("ENG-1",)}, {"labels": ("unknown",)}, {"type": "FEAT"}],
)
async def test_what_linear_cannot_keep_is_refused_with_a_hint(
    server: Linear, board: LinearBoard, more: dict[str, Any]
) -> None:
    issue = server.person.add("x")
    with pytest.raises(BoardStatus) as caught:
        await board.create(NewTicket(**{"id": TicketId("TASK-1"), "title": "a", "body": "b", "type": "TASK", **more}))
    assert caught.value.hint
    with pytest.raises(BoardStatus):
        await board.edit(issue, Edit(**more))
    assert list(server.person.issues) == [issue]
    assert server.person.writes[issue] == 0


async def test_edits_change_what_they_name(server: Linear, board: LinearBoard) -> None:
    issue = server.person.add("title", "body", labels=("web", "fix"))
    server.person.label("FEAT")
    await board.edit(issue, Edit(title="Neu: ä", priority=3))
    await board.edit(issue, Edit(body="other\ntext", type="FEAT"))
    ticket = await board.reread(issue)
    assert ticket is not None
    assert (ticket.title, ticket.body, ticket.priority) == ("Neu: ä", "other\ntext", 3)
    assert (ticket.type, ticket.labels) == ("FEAT", ("FEAT", "web"))
    await board.edit(issue, Edit(labels=("web",)))
    await board.edit(issue, Edit(labels=("web",), title="Neu: ä", body="other\ntext", priority=3))
    assert server.person.writes[issue] == 3
    server.person.delete(issue)
    with pytest.raises(BoardStatus):
        await board.edit(issue, Edit(title="x"))


# --- bells ------------------------------------------------------------------------------------------------


async def test_a_webhook_is_heard_by_its_signature_and_says_nothing_itself(board: LinearBoard) -> None:
    await trio.lowlevel.checkpoint()
    now = datetime.now(UTC)
    body = json.dumps({"action": "create", "webhookTimestamp": int(now.timestamp() * 1000)}).encode()
    signature = hmac.new(b"lin_wh_1", body, hashlib.sha256).hexdigest()
    board.heard({"linear-signature": signature}, body, now)
    with pytest.raises(BoardAuth):
        board.heard({"linear-signature": signature[::-1]}, body, now)


async def test_changes_never_ring(board: LinearBoard) -> None:
    with trio.move_on_after(0.05) as scope:
        async for _ in board.changes():
            pytest.fail("it rang")
    assert scope.cancelled_caught
    assert await board.assign(Unnamed("x", None), TicketId("ENG-1")) is False
