"""What a board is still to be told, and where its secrets stand."""

import pytest
from attrs import evolve

from supervisor.domain.board_config import secret_names, where, workspace
from supervisor.domain.config import CollectionConfig
from supervisor.domain.environment import for_agents
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, TicketId
from supervisor.domain.outbox import Told, mark, news, stage, told_after
from supervisor.domain.phases import Progress, Working
from supervisor.domain.review import Approved, Pending, PlanText, Review, ReviewKind
from supervisor.domain.ticket import BoardWrite, Launching, Running, WriteKind
from tests.unit.domain.samples import AGENT, NOON, ticket

PLAN = Review(
    ReviewId(1), ReviewKind.PLAN, TicketId("T-1"), AgentId(AGENT), "plan", 1, "t", NOON, PlanText("p"), Pending()
)
PROGRESS = Progress(TicketId("T-1"), AGENT, Working(DeliveryId("d")))
TICKET = ticket("T-1", status=Running(NOON, AGENT))


def write(kind: WriteKind, about: str = "") -> BoardWrite:
    return BoardWrite(f"w-{kind}", 1, "c", TicketId("T-1"), "e", kind, NOON, about=about)


def test_a_review_of_what_there_is_is_awaited_and_a_question_is_not() -> None:
    assert stage([PLAN]) is WriteKind.AWAITING
    assert stage([evolve(PLAN, decision=Approved(NOON, "ana"))]) is WriteKind.STARTED
    assert stage([evolve(PLAN, kind=ReviewKind.PERMISSION)]) is WriteKind.STARTED
    assert stage([]) is WriteKind.STARTED


@pytest.mark.parametrize(
    ("told", "now", "about", "expected"),
    [
        (Told(), WriteKind.STARTED, "", WriteKind.STARTED),
        (Told(WriteKind.STARTED), WriteKind.STARTED, "", None),
        (Told(WriteKind.STARTED), WriteKind.STARTED, "a", WriteKind.NOTED),
        (Told(WriteKind.STARTED, "a"), WriteKind.STARTED, "a", None),
        (Told(WriteKind.STARTED, "a"), WriteKind.AWAITING, "b", WriteKind.AWAITING),
        (Told(WriteKind.AWAITING, "b"), WriteKind.AWAITING, "b", None),
        (Told(WriteKind.AWAITING, "b"), WriteKind.STARTED, "c", WriteKind.STARTED),
        (Told(WriteKind.DONE, "b"), WriteKind.STARTED, "b", None),
    ],
)
def test_only_news_are_told(told: Told, now: WriteKind, about: str, expected: WriteKind | None) -> None:
    assert news(told, now, about) is expected


def test_what_was_told_follows_from_the_writes() -> None:
    started, noted = write(WriteKind.STARTED), write(WriteKind.NOTED, "a")
    after = told_after(told_after(Told(), started), noted)
    assert after == Told(WriteKind.STARTED, "a", noted)
    assert told_after(after, write(WriteKind.AWAITING, "b")) == Told(WriteKind.AWAITING, "b")


def test_the_mark_changes_with_what_a_comment_tells() -> None:
    marks = {
        mark(TICKET, PROGRESS, ()),
        mark(TICKET, evolve(PROGRESS, step=1), ()),
        mark(TICKET, evolve(PROGRESS, run=2), ()),
        mark(evolve(TICKET, branch="b"), PROGRESS, ()),
        mark(TICKET, PROGRESS, [PLAN]),
        mark(TICKET, PROGRESS, [evolve(PLAN, decision=Approved(NOON, "ana"))]),
    }
    assert len(marks) == 6
    assert mark(TICKET, PROGRESS, [evolve(PLAN, kind=ReviewKind.QUESTION)]) in marks
    assert mark(evolve(TICKET, status=Launching(NOON, AGENT)), PROGRESS, ()) == mark(TICKET, None, ()) == ""


def test_agents_inherit_no_variable_that_holds_a_boards_secret() -> None:
    collections = [
        CollectionConfig("linear", team="ENG", webhook_secret_env="HOOK"),
        CollectionConfig("github", repo="a/b", token_env="OTHER"),
        CollectionConfig("jira", token_file="token"),
        CollectionConfig("local", "tickets"),
    ]
    names = secret_names(collections)
    assert names == {"LINEAR_API_KEY", "HOOK", "OTHER"}
    environ = dict.fromkeys((*names, "GITHUB_TOKEN", "PATH", "OPERATOR_TOKEN"), "x")
    assert set(for_agents(environ, names)) == {"GITHUB_TOKEN", "PATH"}


def test_one_place_has_one_name() -> None:
    linear = CollectionConfig("linear", team="ENG")
    assert workspace(linear) == workspace(evolve(linear, team="eng", base_url="https://api.linear.app/graphql/"))
    assert workspace(linear) != workspace(evolve(linear, team="OPS"))
    assert workspace(CollectionConfig("local", "a")) == workspace(CollectionConfig("local", "b"))
    jira = CollectionConfig("jira", base_url="https://a.example", email="me@x", key="ENG")
    assert workspace(jira) != workspace(evolve(jira, base_url="https://b.example"))
    assert [where(each) for each in (linear, jira, CollectionConfig("local", "a"))] == ["ENG", "ENG at a.example", "a"]
