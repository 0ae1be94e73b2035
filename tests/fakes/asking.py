"""What tests of the edge ask in more than one place."""

from typing import Any

import httpx2
import trio

from supervisor.domain.agent import Opened
from supervisor.domain.ids import AgentId, TicketId
from tests.fakes.served import Served

ENG_1, AGENT_1 = TicketId("ENG-1"), AgentId("ENG-1~1")


def with_agent(served: Served) -> None:
    """ENG-1 is held by a live agent."""
    agent = served.house.fleet.add(served.house.queue.tickets[ENG_1], Opened(1))
    assert agent.id == AGENT_1


def problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """The response is this problem, whole and well-formed."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found = response.json()
    assert found.keys() == {
        *("type", "title", "status", "detail", "code", "hint"),
        *("error", "message", "fields", "data"),
    }
    assert found["status"] == status
    assert found["code"] == found["error"] == code
    assert found["message"] == found["detail"] != ""
    assert isinstance(found, dict)
    return found


async def raw(served: Served, request: str) -> trio.SocketStream:
    stream = await trio.open_tcp_stream("127.0.0.1", served.port)
    try:
        await stream.send_all(request.encode())
    except trio.BrokenResourceError:
        pass  # refused before it was all sent
    return stream
