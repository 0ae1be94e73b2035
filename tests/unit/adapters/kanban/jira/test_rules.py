"""Where a write brings an issue, which issues are asked for, and whose webhook it is."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from supervisor.adapters.kanban.jira import query, webhook
from supervisor.adapters.kanban.jira.reading import Status
from supervisor.adapters.kanban.jira.rules import Stay, Theirs, Transition, Wanted, choose, decide, transitions_of
from supervisor.domain.errors import BoardAuth
from supervisor.domain.ticket import BoardState, WriteKind
from tests.fakes.boards.jira.schema import full, ours

TODO, GOING = Status("1", "To Do", "new"), Status("2", "In Progress", "indeterminate")
REVIEW, OWN = Status("3", "Code Review", "indeterminate"), Status("4", "Blocked", "indeterminate")
DONE, UNDONE = Status("5", "Done", "done"), Status("6", "Cancelled", "done")
STATES = {
    TODO: BoardState.OPEN,
    GOING: BoardState.IN_PROGRESS,
    REVIEW: BoardState.IN_PROGRESS,
    OWN: BoardState.IN_PROGRESS,
    DONE: BoardState.DONE,
    UNDONE: BoardState.CANCELLED,
}
EVERYWHERE = [Transition(each.id, f"to {each.name}", each) for each in (OWN, UNDONE, *STATES)]
K = WriteKind


@pytest.mark.parametrize(
    ("kind", "status", "end"),
    [
        (K.STARTED, TODO, GOING),
        (K.STARTED, GOING, GOING),
        (K.STARTED, REVIEW, GOING),
        (K.STARTED, OWN, OWN),
        (K.STARTED, DONE, None),
        (K.STARTED, UNDONE, None),
        (K.AWAITING, TODO, REVIEW),
        (K.AWAITING, GOING, REVIEW),
        (K.AWAITING, REVIEW, REVIEW),
        (K.AWAITING, OWN, OWN),
        (K.AWAITING, DONE, None),
        (K.FAILED, TODO, GOING),
        (K.FAILED, REVIEW, REVIEW),
        (K.FAILED, DONE, None),
        (K.REQUEUED, TODO, TODO),
        (K.REQUEUED, OWN, TODO),
        (K.REQUEUED, DONE, TODO),
        (K.REQUEUED, UNDONE, TODO),
        (K.DONE, TODO, DONE),
        (K.DONE, OWN, DONE),
        (K.DONE, DONE, DONE),
        (K.DONE, UNDONE, None),
        (K.CANCELLED, GOING, UNDONE),
        (K.CANCELLED, UNDONE, UNDONE),
        (K.CANCELLED, DONE, None),
        (K.NOTED, DONE, DONE),
        (K.NOTED, OWN, OWN),
    ],
)
def test_each_write_has_its_place_and_a_persons_move_wins(kind: WriteKind, status: Status, end: Status | None) -> None:
    decision = decide(kind, status, STATES[status], {})
    match decision:
        case Stay():
            assert end == status
        case Theirs(name):
            assert (end, name) == (None, status.name)
        case Wanted():
            chosen = choose(decision, EVERYWHERE)
            assert chosen is not None
            assert chosen.to == end


def test_awaiting_stays_where_there_is_no_review() -> None:
    decision = decide(K.AWAITING, GOING, BoardState.IN_PROGRESS, {})
    assert isinstance(decision, Wanted)
    assert decision.only_liked
    assert choose(decision, [each for each in EVERYWHERE if each.to != REVIEW]) is None


def test_a_configured_name_is_the_only_target() -> None:
    states = {"started": "blocked", "awaiting": "Code review"}
    assert decide(K.STARTED, OWN, BoardState.IN_PROGRESS, states) == Stay()
    decision = decide(K.STARTED, REVIEW, BoardState.IN_PROGRESS, states)
    assert isinstance(decision, Wanted)
    chosen = choose(decision, EVERYWHERE)
    assert chosen is not None
    assert chosen.to == OWN
    assert choose(decision, [each for each in EVERYWHERE if each.to != OWN]) is None


def test_done_without_a_usual_name_avoids_what_says_undone() -> None:
    released = Transition("9", "ship", Status("9", "Shipped", "done"))
    decision = decide(K.DONE, GOING, BoardState.IN_PROGRESS, {})
    assert isinstance(decision, Wanted)
    assert choose(decision, [EVERYWHERE[1], released]) == released


def test_transitions_that_are_not_available_or_not_understood_are_left_out() -> None:
    good = {
        "id": "11",
        "name": "Go",
        "to": {"id": "2", "name": "In Progress", "statusCategory": {"key": "indeterminate"}},
    }
    odd = [good, good | {"isAvailable": False}, {"id": "1"}, {"to": good["to"]}, 3, None]
    assert [each.id for each in transitions_of({"transitions": odd})] == ["11"]
    assert transitions_of({"transitions": "x"}) == []


# --- queries ----------------------------------------------------------------------------------------

ZONES = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Pacific/Kiritimati",
    "Asia/Kathmandu",
    "Etc/GMT+12",
]


@given(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)), st.sampled_from(ZONES))
@example(datetime(2026, 10, 25, 0, 30, tzinfo=UTC), "Europe/Berlin")
@example(datetime(2026, 10, 25, 1, 30, tzinfo=UTC), "Europe/Berlin")
def test_what_is_asked_for_begins_before_the_overlap_whichever_hour_is_meant(cursor: datetime, zone: str) -> None:
    written = query.changed_since("ENG", cursor, zone).split('updated >= "')[1].split('"')[0]
    local = datetime.strptime(written, "%Y-%m-%d %H:%M")
    for fold in (0, 1):
        asked = local.replace(tzinfo=ZoneInfo(zone), fold=fold).astimezone(UTC)
        assert asked <= cursor - query.OVERLAP
        assert cursor - asked <= query.OVERLAP + timedelta(hours=3)


def test_without_a_known_zone_it_begins_earlier_than_in_any() -> None:
    cursor = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
    for unknown in (None, "", "No/Where", "../../etc/passwd", "\x00"):
        assert 'updated >= "2026-11-23 21:58"' in query.changed_since("ENG", cursor, unknown)


def test_names_in_a_query_end_where_they_should() -> None:
    assert query.everything('E"N\\G') == 'project = "E\\"N\\\\G" ORDER BY key ASC'


def test_a_cursor_never_goes_back_nor_beyond_the_pull() -> None:
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    assert query.advanced(None, None, late) is None
    assert query.advanced(late, early, late) == late.isoformat()
    assert query.advanced(early, datetime(2999, 1, 1, tzinfo=UTC), late) == late.isoformat()
    assert query.read_cursor(late.isoformat()) == late
    assert query.read_cursor("2026-01-01T00:00:00") is None


# --- webhooks ---------------------------------------------------------------------------------------

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
SECRET = "It's a Secret to Everybody"


def heard(body: bytes, signature: str | None, secret: str | None = SECRET) -> None:
    webhook.check("jira", secret, {} if signature is None else {"x-hub-signature": signature}, body, NOW)


def signed(body: bytes) -> str:
    return "sha256=" + hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()


def test_a_known_signature_is_accepted() -> None:
    vector = "757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    heard(b"Hello, World!", f"sha256={vector}")
    for wrong in (None, "", vector, f"sha1={vector}", f"sha256={vector[:-1]}0", "sha256=é", f"sha256={vector.upper()}"):
        with pytest.raises(BoardAuth):
            heard(b"Hello, World!", wrong)
    with pytest.raises(BoardAuth):
        heard(b"Hello, World?", f"sha256={vector}")


def test_without_a_secret_nothing_is_heard() -> None:
    for secret in (None, ""):
        with pytest.raises(BoardAuth) as raised:
            heard(b"x", "sha256=" + hmac.new(b"", b"x", hashlib.sha256).hexdigest(), secret)
        assert "webhook_secret_env" in raised.value.hint


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (-290, True), (290, True), (-310, False), (310, False)])
def test_an_old_delivery_is_refused(seconds: int, fresh: bool) -> None:
    body = b'{"timestamp": %d}' % ((NOW.timestamp() + seconds) * 1000)
    if fresh:
        heard(body, signed(body))
    else:
        with pytest.raises(BoardAuth):
            heard(body, signed(body))


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"timestamp": true}', b'{"timestamp": "x"}', b'{"timestamp": 1e999}']
)
def test_a_delivery_that_tells_no_time_counts_by_its_signature(body: bytes) -> None:
    heard(body, signed(body))


# --- our own types ----------------------------------------------------------------------------------


def test_our_own_types_are_jiras() -> None:
    document = full()
    if document is None:
        pytest.skip("OPERATOR_SCHEMAS names no folder with Jira's document")
    for path, methods in ours()["paths"].items():
        for method, operation in methods.items():
            theirs = document["paths"][path][method]
            names = {each["name"] for each in theirs.get("parameters", ())}
            assert {each["name"] for each in operation["parameters"]} <= names, (path, method)
            assert ("requestBody" in operation) == ("requestBody" in theirs), (path, method)
            assert set(operation["responses"]) - {"400", "401", "404", "409"} <= set(theirs["responses"]), (
                path,
                method,
            )
    schemas = document["components"]["schemas"]
    for name, schema in ours()["components"]["schemas"].items():
        for member, kind in schema["properties"].items():
            theirs = schemas[name]["properties"][member]
            reference = theirs.get("$ref") or (theirs.get("allOf") or [{}])[0].get("$ref")
            assert kind.get("$ref") == reference, (name, member)
            assert kind.get("type", theirs.get("type")) == theirs.get("type"), (name, member)
        assert set(schema.get("required", ())) == set(schemas[name].get("required", ())), name
