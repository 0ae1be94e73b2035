"""Reading responses and answers: whole or in pieces, and nothing that is not exactly a decision decides."""

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from clients.cli.demo.rehearsal.answers import read_answer
from clients.cli.demo.rehearsal.post import read_response

EVENTS = st.sampled_from(["PermissionRequest", "PreToolUse", "UserPromptSubmit", "Stop", "Notification"])
WORDS = st.sampled_from(
    [
        "hookSpecificOutput", "hookEventName", "decision", "behavior", "allow", "deny", "block", "reason", "message",
        "PermissionRequest", "PreToolUse", "permissionDecision", "updatedInput", "updatedPermissions", "interrupt",
    ]
)  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None)
@given(event=EVENTS, answer=JSON)
def test_no_answer_makes_it_stumble(event: str, answer: object) -> None:
    decision = read_answer(event, json.dumps(answer).encode())
    if decision is None:
        return
    assert isinstance(answer, dict)
    if event in ("UserPromptSubmit", "Stop"):
        assert (decision.behavior, decision.message) == ("block", answer["reason"])
    else:
        assert answer["hookSpecificOutput"]["hookEventName"] == event
        assert decision.behavior in ("allow", "deny")
        assert not (decision.interrupt and decision.behavior == "allow")


@settings(max_examples=200, deadline=None)
@given(event=EVENTS, data=st.binary(max_size=60))
def test_no_bytes_make_it_stumble(event: str, data: bytes) -> None:
    assert read_answer(event, data) is None
    read_response(data, over=True)
    read_response(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + data, over=True)


def test_a_nest_without_bottom_is_no_answer() -> None:
    assert read_answer("Stop", b"[" * 200_000) is None


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=50), size=st.integers(1, 20), chunked=st.booleans())
def test_a_response_is_read_when_it_is_whole_and_not_before(body: bytes, size: int, chunked: bool) -> None:
    if chunked:
        pieces = [body[i : i + size] for i in range(0, len(body), size)]
        sent = b"".join(b"%X;x=y\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        data = b"HTTP/1.1 200 OK\r\ntransfer-encoding:  Chunked\r\n\r\n" + sent
        whole = len(data) - 2  # what may follow the last chunk is not waited for
    else:
        data = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200\r\nCONTENT-LENGTH: %d\r\n\r\n" % len(body) + body
        whole = len(data)
    for cut in range(len(data) + 1):
        assert read_response(data[:cut], over=False) == ((200, body) if cut >= whole else None)


def test_what_is_cut_or_has_no_head_is_no_response() -> None:
    assert read_response(b"HTTP/1.1 200 OK\r\n", over=True) is None
    assert read_response(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{}", over=True) is None
    assert read_response(b"220 smtp\r\n\r\n", over=False) == (0, b"")
    assert read_response(b"HTTP/1.1 200 OK\r\n\r\n{}", over=True) == (200, b"{}")
    assert read_response(b"HTTP/1.1 200 OK\r\n\r\n{}", over=False) is None
