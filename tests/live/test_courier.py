"""The boards' HTTP client against a server on loopback that answers whatever bytes a test hands it."""

import base64
import gzip
import json
import logging
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import httpx2
import pytest
import trio
from attrs import Factory, define

from supervisor.adapters.kanban.courier import MAX_BODY, Courier, Reply
from supervisor.domain.errors import (
    BoardAuth,
    BoardError,
    BoardPayload,
    BoardRateLimited,
    BoardStatus,
    BoardTransport,
    ConfigError,
)

PATIENCE = 10.0
SECRET = "s3cret-t0ken-value"
Answer = bytes | None
"""Raw bytes, after which the connection is closed; None: nothing, and the connection stays open."""


@define
class Wire:
    """A server that gives each request the next of its answers, the last one again and again."""

    base_url: str
    answers: list[Answer | Callable[[str], bytes]]
    requests: list[str] = Factory(list)

    async def serve(self, stream: trio.SocketStream) -> None:
        received = b""
        while b"\r\n\r\n" not in received:
            part = await stream.receive_some(65536)
            if not part:
                return
            received += part
        head, _, body = received.partition(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")), 0
        )
        while len(body) < length:
            body += await stream.receive_some(65536)
        self.requests.append((head + b"\r\n\r\n" + body).decode())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is None:
            await trio.sleep_forever()
        try:
            await stream.send_all(answer if isinstance(answer, bytes) else answer(self.requests[-1]))
        except trio.BrokenResourceError:
            pass  # the client had enough
        await stream.aclose()


def http(status: int, body: bytes | Any = b"{}", **headers: str) -> bytes:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"content-type": "application/json", "content-length": str(len(content))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


@asynccontextmanager
async def wire(*answers: Answer | Callable[[str], bytes]) -> AsyncIterator[Wire]:
    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        served = Wire(f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}", list(answers))
        await nursery.start(trio.serve_listeners, served.serve, listeners)
        yield served
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def courier(where: Wire | str, **options: Any) -> AsyncIterator[Courier]:
    headers = {"Authorization": f"Bearer {SECRET}"}
    made = Courier("the board", where if isinstance(where, str) else where.base_url, headers, **options)
    try:
        with trio.fail_after(PATIENCE):
            yield made
    finally:
        await made.aclose()


async def failed(made: Courier, method: str = "GET", **options: Any) -> BoardError:
    """The error of one request, which holds no secret and has a hint."""
    with pytest.raises(BoardError) as caught:
        await made.send(method, "/x", **options)
    shown = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + caught.value.hint
    assert SECRET not in shown
    return caught.value


async def test_a_request_carries_what_it_was_given() -> None:
    async with wire(http(201, {"a": [1]}, X_Thing="1")) as served, courier(served) as made:
        reply = await made.send(
            "POST", "/things/7", query={"q": "a b&c", "n": 2}, json={"ä": "ö"}, headers={"Accept": "x/y"}, accept=(201,)
        )
        assert (reply.status, reply.json(), reply.headers["x-thing"]) == (201, {"a": [1]}, "1")
        (request,) = served.requests
        assert request.startswith("POST /things/7?q=a+b%26c&n=2 HTTP/1.1\r\n") or "q=a%20b%26c&n=2" in request
        assert f"authorization: bearer {SECRET}\r\n".lower() in request.lower()
        assert "accept: x/y\r\n" in request.lower()
        assert json.loads(request.partition("\r\n\r\n")[2]) == {"ä": "ö"}


async def test_paths_are_below_the_base_address_and_absolute_ones_at_its_origin() -> None:
    async with wire(http(200)) as served, courier(f"{served.base_url}/api/v3") as made:
        await made.send("GET", "/repos/x")
        await made.send("GET", "")
        await made.send("GET", f"{served.base_url}/page?cursor=a%2Fb")
        assert [each.split(" ")[1] for each in served.requests] == ["/api/v3/repos/x", "/api/v3", "/page?cursor=a%2Fb"]
        for elsewhere in (
            "http://127.0.0.1:1/x",
            "https://evil.example/x",
            f"{served.base_url.replace('//', '//u:p@')}/x",
        ):
            with pytest.raises(BoardPayload):
                await made.send("GET", elsewhere)
        assert len(served.requests) == 3


@pytest.mark.parametrize(
    ("answer", "error", "code"),
    [
        (http(401), BoardAuth, "auth"),
        (http(403), BoardAuth, "auth"),
        (http(404), BoardStatus, "status"),
        (http(410), BoardStatus, "status"),
        (http(500), BoardStatus, "status"),
        (http(503), BoardStatus, "status"),
        (http(500, b"<html>x</html>", content_type="text/html"), BoardStatus, "status"),
        (http(201), BoardStatus, "status"),
        (http(200, b"<html>log in</html>", content_type="text/html; charset=utf-8"), BoardPayload, "payload"),
        (http(200, b"not gzip", content_encoding="gzip"), BoardPayload, "payload"),
        (http(200, b"x", content_encoding="br"), BoardPayload, "payload"),
        (http(200, b"{}", content_length="50"), BoardTransport, "transport"),
        (b"", BoardTransport, "transport"),
        (b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n", BoardTransport, "transport"),
        (b"SSH-2.0-OpenSSH\r\n", BoardTransport, "transport"),
        (http(429, Retry_After="7"), BoardRateLimited, "rate_limited"),
        (http(503, Retry_After="7"), BoardRateLimited, "rate_limited"),
    ],
)
async def test_each_trouble_is_its_own_error(answer: bytes, error: type[BoardError], code: str) -> None:
    async with wire(answer) as served, courier(served) as made:
        caught = await failed(made)
        assert (type(caught), caught.code) == (error, code)
        assert caught.hint


async def test_a_board_that_is_not_there_or_never_answers_is_a_transport_error() -> None:
    async with wire(None) as served, courier(served, deadline=0.2) as made:
        assert isinstance(await failed(made), BoardTransport)
        port = served.base_url.rpartition(":")[2]
    async with courier(f"http://127.0.0.1:{port}") as made:
        assert isinstance(await failed(made), BoardTransport)
    async with courier("https://operator.invalid") as made:
        assert isinstance(await failed(made), BoardTransport)


@asynccontextmanager
async def pouring(head: bytes, part: bytes, pause: float) -> AsyncIterator[str]:
    """A server whose bodies have no end."""

    async def pour(stream: trio.SocketStream) -> None:
        try:
            await stream.receive_some(65536)
            await stream.send_all(head)
            while True:
                await stream.send_all(part)
                await trio.sleep(pause)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass  # the client had enough

    async with trio.open_nursery() as nursery:
        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, pour, listeners)
        yield f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        nursery.cancel_scope.cancel()


async def test_a_body_that_arrives_too_slowly_ends_at_the_deadline() -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
    async with pouring(head, b" ", 0.01) as url, courier(url, deadline=0.3) as made:
        assert isinstance(await failed(made), BoardTransport)


async def test_a_body_without_end_is_given_up_when_it_is_too_long() -> None:
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    chunk = b"40000\r\n" + b" " * 0x40000 + b"\r\n"
    async with pouring(head, chunk, 0) as url, courier(url) as made:
        assert isinstance(await failed(made), BoardPayload)


async def test_a_reply_of_too_many_bytes_is_refused_packed_or_not() -> None:
    large = b" " * (MAX_BODY + 1)
    answers = http(200, large), http(200, gzip.compress(large), content_encoding="gzip"), http(200)
    async with wire(*answers) as served, courier(served) as made:
        assert isinstance(await failed(made), BoardPayload)
        assert isinstance(await failed(made), BoardPayload)
        assert (await made.send("GET", "/x")).json() == {}


async def test_a_packed_body_is_unpacked() -> None:
    packed = gzip.compress(b'{"a": "' + b"x" * 100_000 + b'"}')
    half = http(200, packed[:50], content_encoding="gzip")
    async with wire(http(200, packed, content_encoding="gzip"), half) as served, courier(served) as made:
        assert len((await made.send("GET", "/x")).json()["a"]) == 100_000
        assert isinstance(await failed(made), BoardPayload)


@pytest.mark.parametrize("body", [b"", b"nope", b"\xff\xfe", b"[" * 200_000, b'{"a": NaN}', b"9" * 100_000])
async def test_a_body_that_is_not_json_is_a_payload_error(body: bytes) -> None:
    with pytest.raises(BoardPayload):
        Reply(200, {}, body).json()
    await trio.lowlevel.checkpoint()


async def test_what_the_board_says_is_repeated_without_our_credentials() -> None:
    basic = base64.b64encode(f"me@example.org:{SECRET}".encode()).decode()
    async with wire(http(400, {"message": f"bad\u001b thing {SECRET} {basic}"}), http(401, {"e": SECRET})) as served:
        made = Courier("b", served.base_url, {"authorization": f"Basic {basic}"})
        caught = await failed(made)
        assert "bad" in caught.message
        assert "[token]" in caught.message
        assert basic not in caught.message
        assert SECRET not in repr(made) + repr(vars(made).get("_client"))
        await failed(made)
        await made.aclose()


@pytest.mark.parametrize("token", [f"{SECRET}\n", f"{SECRET}\r\nX-Evil: 1", f"{SECRET}é"])
async def test_a_token_that_cannot_be_sent_is_said_without_it(token: str) -> None:
    async with wire(http(200)) as served:
        made = Courier("b", served.base_url, {"Authorization": token})
        assert isinstance(await failed(made), BoardAuth)
        assert served.requests == []


async def test_nothing_of_the_token_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with wire(http(200), http(401), b"") as served, courier(served) as made:
        await made.send("GET", "/")
        await failed(made)
        await failed(made)
    assert SECRET not in caplog.text


async def test_while_a_limit_is_in_force_nothing_is_sent() -> None:
    async with wire(http(429, Retry_After="7"), http(200)) as served, courier(served) as made:
        caught = await failed(made)
        assert isinstance(caught, BoardRateLimited)
        assert caught.retry_after == 7
        again = await failed(made)
        assert isinstance(again, BoardRateLimited)
        assert 6 < again.retry_after <= 7
        assert len(served.requests) == 1


async def test_after_a_limit_requests_go_again() -> None:
    async with wire(http(429, Retry_After="1"), http(200)) as served, courier(served) as made:
        caught = await failed(made)
        assert isinstance(caught, BoardRateLimited)
        await trio.sleep(caught.retry_after + 0.05)
        assert (await made.send("GET", "/x")).status == 200


@pytest.mark.parametrize(
    ("given", "low", "high"),
    [("0", 1, 1), ("-5", 60, 60), ("soon", 60, 60), ("inf", 60, 60), ("99999999", 3600, 3600), ("1.5", 1.5, 1.5)],
)
async def test_odd_waits_are_kept_in_bounds(given: str, low: float, high: float) -> None:
    async with wire(http(429, Retry_After=given)) as served, courier(served) as made:
        caught = await failed(made)
        assert isinstance(caught, BoardRateLimited)
        assert low <= caught.retry_after <= high


async def test_a_date_to_wait_for_is_taken_by_the_boards_clock() -> None:
    fast = datetime.now(UTC) + timedelta(days=3)
    answer = http(503, Retry_After=format_datetime(fast + timedelta(seconds=90)), Date=format_datetime(fast))
    async with wire(answer) as served, courier(served) as made:
        caught = await failed(made)
        assert isinstance(caught, BoardRateLimited)
        assert caught.retry_after == 90


async def test_the_board_may_have_its_own_sign_of_a_limit() -> None:
    def limits(reply: Reply) -> float | None:
        return 12.0 if reply.status == 400 and b"RATELIMITED" in reply.content else None

    async with wire(http(400, {"code": "RATELIMITED"})) as served, courier(served, limits=limits) as made:
        caught = await failed(made, accept=(200, 400))
        assert isinstance(caught, BoardRateLimited)
        assert caught.retry_after == 12


def left(remaining: int, seconds: float, style: str, prefix: str = "x-ratelimit") -> dict[str, str]:
    moment = datetime.now(UTC) + timedelta(seconds=seconds)
    reset = {
        "seconds": str(int(moment.timestamp())), "milliseconds": str(int(moment.timestamp() * 1000)),
        "iso": moment.isoformat(),
    }[style]  # fmt: skip
    return {f"{prefix}-limit": "100", f"{prefix}-remaining": str(remaining), f"{prefix}-reset": reset}


@pytest.mark.parametrize("style", ["seconds", "milliseconds", "iso"])
@pytest.mark.parametrize("prefix", ["x-ratelimit", "x-ratelimit-requests"])
async def test_when_nothing_is_left_requests_wait_for_the_reset(style: str, prefix: str) -> None:
    async with wire(http(200, b"{}", **left(0, 40, style, prefix))) as served, courier(served) as made:
        await made.send("GET", "/x")
        caught = await failed(made)
        assert isinstance(caught, BoardRateLimited)
        assert 38 <= caught.retry_after <= 40
        assert len(served.requests) == 1


async def test_near_a_limit_requests_are_spread_over_the_time_that_is_left() -> None:
    async with wire(http(200, b"{}", **left(5, 2, "milliseconds"))) as served, courier(served) as made:
        start = trio.current_time()
        for _ in range(3):
            await made.send("GET", "/x")
        assert 0.6 <= trio.current_time() - start < 5  # about 0.4 s apart
        assert len(served.requests) == 3


async def test_points_that_run_out_hold_requests_back_by_what_the_last_one_cost() -> None:
    points = left(900, 6, "milliseconds", "x-ratelimit-complexity") | {"x-complexity": "100"}
    points["x-ratelimit-complexity-limit"] = "250000"
    async with wire(http(200, b"{}", **points)) as served, courier(served) as made:
        start = trio.current_time()
        await made.send("GET", "/x")
        await made.send("GET", "/x")
        assert trio.current_time() - start > 0.5


async def test_far_from_a_limit_nothing_waits() -> None:
    async with wire(http(200, b"{}", **left(50, 3000, "seconds"))) as served, courier(served) as made:
        with trio.fail_after(5):
            for _ in range(20):
                await made.send("GET", "/x")


@pytest.mark.parametrize(("status", "method"), [(301, "GET"), (302, "GET"), (307, "POST"), (308, "PATCH")])
async def test_redirects_at_the_same_host_are_followed(status: int, method: str) -> None:
    async with wire(http(status, Location="/moved?x=1"), http(200, {"there": True})) as served, courier(served) as made:
        assert (await made.send(method, "/old", json={"a": 1})).json() == {"there": True}
        first, second = served.requests
        assert second.startswith(f"{method} /moved?x=1 ")
        assert second.partition("\r\n\r\n")[2] == first.partition("\r\n\r\n")[2]


async def test_redirects_elsewhere_or_without_end_are_refused_and_the_token_stays_here() -> None:
    async with wire(http(200)) as other, wire(http(302, Location=f"{other.base_url}/x")) as served:
        async with courier(served) as made:
            assert isinstance(await failed(made), BoardStatus)
        assert other.requests == []
    async with wire(http(302, Location="https://127.0.0.1/x")) as served, courier(served) as made:
        assert isinstance(await failed(made), BoardStatus)
    async with wire(http(302, Location="/x")) as served, courier(served) as made:
        assert isinstance(await failed(made), BoardStatus)
        assert len(served.requests) == 4
    async with wire(http(302, Location="/x")) as served, courier(served) as made:
        assert isinstance(await failed(made, "POST"), BoardStatus)
        assert len(served.requests) == 1


async def test_cookies_of_a_board_are_not_kept() -> None:
    async with wire(http(200, Set_Cookie="session=1; Path=/")) as served, courier(served) as made:
        await made.send("GET", "/x")
        await made.send("GET", "/x")
        assert "cookie" not in served.requests[1].lower()


async def test_what_has_not_changed_is_not_sent_again() -> None:
    def tagged(request: str) -> bytes:
        if 'if-none-match: "v1"' in request.lower():
            return http(304, b"", ETag='"v1"', X_Ratelimit_Remaining="41")
        return http(200, {"n": 1}, ETag='"v1"', Link='<x>; rel="next"')

    async with wire(tagged) as served, courier(served) as made:
        first = await made.send("GET", "/x", query={"a": 1})
        again = await made.send("GET", "/x", query={"a": 1})
        assert (again.status, again.json()) == (200, first.json())
        assert (again.headers["link"], again.headers["x-ratelimit-remaining"]) == ('<x>; rel="next"', "41")
        await made.send("GET", "/x", query={"a": 2})
        assert ["if-none-match" in each.lower() for each in served.requests] == [False, True, False]


async def test_no_more_requests_are_under_way_than_allowed() -> None:
    under_way: list[int] = [0, 0]

    async with trio.open_nursery() as nursery:

        async def count(stream: trio.SocketStream) -> None:
            await stream.receive_some(65536)
            under_way[0] += 1
            under_way[1] = max(under_way)
            await trio.testing.wait_all_tasks_blocked(0.05)
            under_way[0] -= 1
            await stream.send_all(http(200))
            await stream.aclose()

        listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
        await nursery.start(trio.serve_listeners, count, listeners)
        url = f"http://127.0.0.1:{listeners[0].socket.getsockname()[1]}"
        async with courier(url, concurrency=3) as made, trio.open_nursery() as asking:
            for n in range(12):
                asking.start_soon(made.send, "GET", f"/{n}")
        nursery.cancel_scope.cancel()
    assert under_way[1] == 3


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "http://localhost:1", "http://[::1]:1", "https://example.org/x"])
async def test_addresses_credentials_may_go_to(url: str) -> None:
    await Courier("b", url, {}).aclose()


@pytest.mark.parametrize(
    "url",
    [
        "http://example.org", "http://127.0.0.1.example.org", "http://10.0.0.1", "ftp://example.org", "example.org", "",
        "https://", "https://u:p@example.org", "https://example.org/?a=b", "https://example.org/\x00", "http://0.0.0.0",
    ],
)  # fmt: skip
async def test_addresses_credentials_must_not_go_to(url: str) -> None:
    with pytest.raises(ConfigError):
        Courier("b", url, {})
    await trio.lowlevel.checkpoint()


async def test_a_request_can_be_cancelled_and_the_courier_goes_on() -> None:
    async with wire(None, http(200)) as served, courier(served, concurrency=1) as made:
        with trio.move_on_after(0.1):
            await made.send("GET", "/x")
        assert (await made.send("GET", "/x")).status == 200
        await made.aclose()
        await made.aclose()


def test_the_library_hides_credentials_in_its_own_repr() -> None:
    request = httpx2.Request("GET", "http://x", headers={"authorization": SECRET})
    assert SECRET not in repr(request.headers)
