"""What goes wrong between here and GitHub, and which error says so."""

from collections.abc import AsyncIterator

import pytest
import trio

from supervisor.adapters.kanban.github import GitHubBoard
from supervisor.adapters.kanban.github.client import GitHub
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
from tests.fakes.boards.github import TOKEN, Hub, serving
from tests.fakes.boards.github.server import Trouble


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    async with serving() as running:
        with trio.fail_after(60):
            yield running


@pytest.fixture(params=["repo", "board"])
async def board(hub: Hub, request: pytest.FixtureRequest) -> AsyncIterator[GitHubBoard]:
    hub.person.put(hub.person.add("x"))
    where = {"repo": "acme/api", "board": "acme/7"}[request.param]
    made = GitHubBoard("work", CollectionConfig("github", base_url=hub.url, **{request.param: where}), TOKEN)  # type: ignore[arg-type]
    yield made
    await made.aclose()


@pytest.mark.parametrize(
    ("trouble", "error"),
    [
        ("401", BoardAuth),
        ("403", BoardAuth),
        ("404", BoardStatus),
        ("500", BoardStatus),
        ("429", BoardRateLimited),
        ("allowance", BoardRateLimited),
        ("secondary", BoardRateLimited),
        ("graphql limit", BoardRateLimited),
        ("html", BoardPayload),
        ("text", BoardPayload),
        ("wrong types", BoardPayload),
        ("half", BoardTransport),
        ("cut before", BoardTransport),
        ("loop", BoardPagination),
    ],
)
async def test_each_trouble_is_an_error_of_its_own(
    hub: Hub, board: GitHubBoard, trouble: Trouble, error: type[BoardError]
) -> None:
    hub.trouble(trouble, times=20)
    with pytest.raises(BoardError) as raised:
        await board.pull(None, full=True)
    assert type(raised.value) is error
    assert raised.value.message
    assert raised.value.hint
    assert TOKEN not in f"{raised.value!r} {raised.value.hint}"
    assert TOKEN not in repr(board)
    assert len(hub.requests) <= 2


@pytest.mark.parametrize(("trouble", "seconds"), [("429", 7), ("secondary", 11), ("allowance", 1_800)])
async def test_a_limit_says_how_long_and_nothing_is_sent_until_then(
    hub: Hub, board: GitHubBoard, trouble: Trouble, seconds: float
) -> None:
    hub.trouble(trouble)
    for _ in range(3):
        with pytest.raises(BoardRateLimited) as raised:
            await board.pull(None, full=True)
        assert seconds - 3 < raised.value.retry_after <= seconds + 1
    assert len(hub.requests) == 1


async def test_an_allowance_that_is_used_up_is_not_asked_beyond(hub: Hub, board: GitHubBoard) -> None:
    hub.remaining = 1
    assert (await board.pull(None, full=True)).tickets
    with pytest.raises(BoardRateLimited):
        await board.pull(None, full=True)
    assert len(hub.requests) == 1


async def test_an_answer_that_never_comes_is_waited_for_so_long_only(hub: Hub) -> None:
    hub.trouble("silent", times=2)
    github = GitHub("work", hub.url, TOKEN, deadline=0.3)
    with pytest.raises(BoardTransport, match="did not answer"):
        await github.rest("GET", "/repos/acme/api")
    with pytest.raises(BoardTransport, match="did not answer"):
        await github.ask("query Any { __typename }", {})
    await github.aclose()


async def test_a_board_that_is_not_there_is_a_transport_error() -> None:
    board = GitHubBoard("work", CollectionConfig("github", base_url="http://127.0.0.1:1", repo="acme/api"), TOKEN)
    with pytest.raises(BoardTransport) as raised:
        await board.pull(None, full=True)
    assert raised.value.hint
    await board.aclose()
    await board.aclose()


async def test_a_page_elsewhere_is_not_asked_with_the_token(hub: Hub) -> None:
    async with serving() as other:
        hub.person.add("x")
        hub.url, base = other.url, hub.url  # links of pages name the other one
        for _ in range(100):
            hub.person.add("x")
        board = GitHubBoard("work", CollectionConfig("github", base_url=base, repo="acme/api"), TOKEN)
        with pytest.raises(BoardPayload, match="another host"):
            await board.pull(None, full=True)
        assert not other.requests
        await board.aclose()
