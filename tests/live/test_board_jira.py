"""JiraBoard reads a fake site on a real socket: pages, records of any kind, troubles, and the requests it needs."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import pytest
import trio

from supervisor.adapters.kanban.jira import JiraBoard
from supervisor.adapters.kanban.jira.adf import to_adf
from supervisor.domain.config import CollectionConfig
from supervisor.domain.errors import (
    BoardAuth,
    BoardError,
    BoardPagination,
    BoardPayload,
    BoardRateLimited,
    BoardStatus,
    BoardTransport,
    ConfigError,
)
from supervisor.domain.ticket import BoardState, WriteKind
from supervisor.ports import Conflicted, Written
from tests.fakes.boards.jira.rig import board_of, write
from tests.fakes.boards.jira.server import EMAIL, TOKEN, Jira, jira
from tests.fakes.boards.jira.site import Status

PATIENCE = 10.0


@pytest.fixture
async def server() -> AsyncIterator[Jira]:
    async with jira() as made:
        yield made


@pytest.fixture
async def board(server: Jira) -> AsyncIterator[JiraBoard]:
    made = board_of(server)
    yield made
    await made.aclose()


# --- pulling ----------------------------------------------------------------------------------------


async def test_a_thousand_issues_are_read_in_ten_pages(server: Jira, board: JiraBoard) -> None:
    ids = {server.person.add(f"Issue {n}", to_adf(f"Text **{n}**\n\n- a\n- b")) for n in range(1000)}
    with trio.fail_after(60):
        found = await board.pull(None, full=True)
    assert found.complete
    assert {each.external_id for each in found.tickets} == ids
    assert server.asked == {"GET /myself": 1, "GET /priority/search": 1, "POST /search/jql": 10}


async def test_a_pull_by_cursor_reads_what_changed_and_two_minutes_more(server: Jira, board: JiraBoard) -> None:
    old = server.person.add("old")
    first = await board.pull(None, full=True)
    assert first.cursor is not None
    server.person.later(timedelta(minutes=10))
    new = server.person.add("new")
    second = await board.pull(first.cursor, full=False)
    assert not second.complete
    assert {each.external_id for each in second.tickets} == {old, new}  # the old one lies in the overlap
    third = await board.pull(second.cursor, full=False)
    assert {each.external_id for each in third.tickets} == {new}
    assert (await board.pull(third.cursor, full=False)).cursor == third.cursor
    assert (await board.pull("not a cursor", full=False)).complete


@pytest.mark.parametrize("zone", ["America/St_Johns", "Pacific/Kiritimati", "Etc/GMT+12", None, "No/Where"])
async def test_a_pull_by_cursor_misses_nothing_in_any_time_zone(zone: str | None) -> None:
    known = zone if zone != "No/Where" else "Pacific/Kiritimati"
    async with jira() as server:
        server.site.time_zone = known
        board = board_of(server)
        server.person.add("first")
        cursor = (await board.pull(None, full=True)).cursor
        second = server.person.add("second")
        found = await board.pull(cursor, full=False)
        assert second in {each.external_id for each in found.tickets}
        await board.aclose()


async def test_pages_that_never_end_are_an_error(server: Jira, board: JiraBoard) -> None:
    server.person.add("x")
    server.site.endless = True
    with pytest.raises(BoardPagination):
        await board.pull(None, full=True)
    assert server.asked["POST /search/jql"] == 2


async def test_what_was_just_written_is_read_although_the_index_lags(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    server.site.lagging = True
    assert await board.write(write(external_id, WriteKind.STARTED)) == Written()
    (ticket,) = (await board.pull(None, full=True)).tickets
    assert ticket.state is BoardState.IN_PROGRESS


async def test_a_foreign_or_moved_issue_is_none_of_this_board(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    server.person.edit(external_id, project="OPS", key="OPS-9")
    assert await board.reread(external_id) is None
    assert await board.write(write(external_id, WriteKind.STARTED)) == Conflicted("moved to OPS")


async def test_many_are_reread_in_batches_of_fifty(server: Jira, board: JiraBoard) -> None:
    ids = [server.person.add(f"t{n}") for n in range(120)]
    server.person.delete(ids[7])
    found = await board.reread_many([*ids, "../myself", ".."])
    assert {each for each, ticket in found.items() if ticket is None} == {ids[7], "../myself", ".."}
    assert len(found) == 122
    assert server.asked["POST /issue/bulkfetch"] == 3
    assert server.asked["GET /issue/{issueIdOrKey}"] == 2  # each that a batch lacked is asked for alone


async def test_what_people_fill_in_is_read(server: Jira, board: JiraBoard) -> None:
    blocker, done = server.person.add("first"), server.person.add("done", status=server.site.status("Done"))
    external_id = server.person.add("x", type="Bug", priority="5", labels=["web", "feat"])
    server.person.block(external_id, blocker)
    server.person.block(external_id, done)
    ticket = await board.reread(external_id)
    assert ticket is not None
    assert (ticket.external_key, ticket.type, ticket.priority, ticket.labels) == ("ENG-3", "FEAT", 4, ("web", "feat"))
    assert ticket.blocked_by == ("ENG-1",)
    assert ticket.url == f"{server.url}/browse/ENG-3"
    first = await board.reread(blocker)
    assert first is not None
    assert first.blocked_by == ()
    mapped = board_of(server, types={"Bug": "FIX"})
    server.person.relabel(external_id)
    again = await mapped.reread(external_id)
    assert again is not None
    assert again.type == "FIX"
    await mapped.aclose()


async def test_one_odd_record_does_not_stop_the_rest(server: Jira, board: JiraBoard) -> None:
    good = server.person.add("good")
    person = server.person
    person.add("x", odd={"summary": None})
    person.add("no category", status=Status("1", "Limbo", "undefined"))
    person.add("wild", odd={"labels": {"a": 1}, "priority": 3, "issuelinks": "x", "updated": "soon", "issuetype": []})
    person.add("\x1b[31mred\ntitle\x00", {"type": "paragraph", "content": [{"type": "text", "text": "a\x1bb"}]})
    person.add("t" * 5000, to_adf("b" * 20))
    found = await board.pull(None, full=True)
    assert found.complete
    by_key = {each.external_key: each for each in found.tickets}
    assert by_key["ENG-1"].external_id == good
    assert by_key["ENG-1"].problem is None
    assert by_key["ENG-2"].problem == "it has no summary"
    assert "category" in (by_key["ENG-3"].problem or "")
    assert (by_key["ENG-4"].problem, by_key["ENG-4"].labels, by_key["ENG-4"].updated_at) == (None, (), None)
    assert (by_key["ENG-5"].title, by_key["ENG-5"].body) == ("[31mred title", "ab")
    assert len(by_key["ENG-6"].title) == 1000


async def test_a_record_without_a_name_makes_the_reading_incomplete(server: Jira, board: JiraBoard) -> None:
    server.person.add("good")
    external_id = server.person.add("nameless")
    server.person.edit(external_id, key="")
    found = await board.pull(None, full=True)
    assert not found.complete
    assert [each.where for each in found.problems] == [external_id]
    assert len(found.tickets) == 1


async def test_a_large_body_is_cut(server: Jira, board: JiraBoard) -> None:
    large = {"type": "paragraph", "content": [{"type": "text", "text": "ä" * 1_000_000}]}
    external_id = server.person.add("x", {"type": "doc", "version": 1, "content": [large]})
    ticket = await board.reread(external_id)
    assert ticket is not None
    assert len(ticket.body.encode()) <= 1 << 20
    assert ticket.body.endswith("longer than 1 MB)")


async def test_the_gateway_for_scoped_tokens_works_too() -> None:
    async with jira(prefix="/ex/jira/11223344-a1b2") as server:
        board = board_of(server)
        external_id = server.person.add("x")
        ticket = await board.reread(external_id)
        assert ticket is not None
        assert ticket.url == "https://example.atlassian.net/browse/ENG-1"
        assert await board.write(write(external_id, WriteKind.STARTED)) == Written()
        await board.aclose()


# --- troubles ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("401", BoardAuth),
        ("403", BoardAuth),
        ("404", BoardStatus),
        ("429", BoardRateLimited),
        ("503", BoardRateLimited),
        ("500", BoardStatus),
        ("html", BoardPayload),
        ("no_json", BoardPayload),
        ("odd", BoardPayload),
        ("half", BoardTransport),
        ("cut_before", BoardTransport),
        ("cut_after", BoardTransport),
    ],
)
@pytest.mark.parametrize("act", ["pull", "reread", "reread_many", "write"])
async def test_each_trouble_is_its_own_error(
    server: Jira, board: JiraBoard, kind: str, error: type[BoardError], act: str
) -> None:
    external_id = server.person.add("x")
    await board.pull(None, full=True)
    acts: dict[str, Callable[[], Awaitable[object]]] = {
        "pull": lambda: board.pull("2026-01-01T00:00:00+00:00", full=False),
        "reread": lambda: board.reread(external_id),
        "reread_many": lambda: board.reread_many([external_id]),
        "write": lambda: board.write(write(external_id, WriteKind.STARTED)),
    }
    server.trouble(kind)
    with trio.fail_after(PATIENCE), pytest.raises(error) as raised:
        await acts[act]()
    assert type(raised.value) is error
    assert raised.value.hint
    assert TOKEN not in str(raised.value) + raised.value.hint


async def test_a_missing_page_at_the_address_is_not_a_deleted_issue(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    await board.pull(None, full=True)
    server.trouble("404", on="/issue/")
    with pytest.raises(BoardStatus):
        await board.reread(external_id)


async def test_without_the_right_to_list_priorities_their_usual_names_do(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x", priority="2")
    server.trouble("403", on="/priority/search")
    ticket = await board.reread(external_id)
    assert ticket is not None
    assert ticket.priority == 2


async def test_a_hidden_project_makes_no_issue_gone(server: Jira, board: JiraBoard) -> None:
    external_id = server.person.add("x")
    await board.pull(None, full=True)
    server.site.hidden = True
    for act in (board.reread(external_id), board.write(write(external_id, WriteKind.DONE))):
        with pytest.raises(BoardStatus) as raised:
            await act
        assert "browse" in raised.value.hint


async def test_a_limit_is_obeyed_without_asking_again(server: Jira, board: JiraBoard) -> None:
    server.trouble("429")
    with pytest.raises(BoardRateLimited) as raised:
        await board.pull(None, full=True)
    assert 6 < raised.value.retry_after <= 7
    before = sum(server.asked.values())
    with pytest.raises(BoardRateLimited):
        await board.pull(None, full=True)
    assert sum(server.asked.values()) == before


async def test_a_wrong_token_is_said_and_never_shown(server: Jira) -> None:
    board = board_of(server, "wrong-token-12345")
    with pytest.raises(BoardAuth) as raised:
        await board.pull(None, full=True)
    assert "wrong-token" not in repr(raised.value) + str(vars(board))
    await board.aclose()


async def test_a_project_that_is_not_there_is_an_error_and_no_empty_board(server: Jira) -> None:
    board = JiraBoard("b", CollectionConfig("jira", base_url=server.url, email=EMAIL, key='O"PS'), TOKEN)
    with pytest.raises(BoardStatus) as raised:
        await board.pull(None, full=True)
    assert "does not exist" in raised.value.message
    await board.aclose()


@pytest.mark.parametrize("missing", ["base_url", "email", "key"])
def test_a_collection_that_lacks_a_key_is_refused(missing: str) -> None:
    whole = {"base_url": "https://x.atlassian.net", "email": EMAIL, "key": "ENG"}
    with pytest.raises(ConfigError):
        JiraBoard("b", CollectionConfig("jira", **whole | {missing: None}), TOKEN)
