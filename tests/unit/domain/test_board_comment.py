"""Operator's comment on a board: it says where the work stands, and nothing in it means anything to the board."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from supervisor.domain.board_comment import LIMIT, comment, has_news, pull_request
from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.ids import AgentId, DeliveryId, ReviewId, TicketId
from supervisor.domain.phases import Progress, Working
from supervisor.domain.review import (
    Approved,
    Changes,
    Decision,
    Pending,
    Permission,
    PlanText,
    Rejected,
    Request,
    Review,
    ReviewKind,
    Subject,
)
from supervisor.domain.ticket import (
    Cancelled,
    Done,
    Failed,
    Launching,
    Parked,
    ParkReason,
    Queued,
    Running,
    TicketStatus,
)
from tests import strategies
from tests.unit.domain.samples import AGENT, NOON, ticket

FEAT = BUILT_IN["FEAT"]
TICKET = ticket("ENG-1", type="FEAT", status=Running(NOON, AGENT), branch="operator/ENG-1")
BUILDING = Progress(TicketId("ENG-1"), AGENT, Working(DeliveryId("d")), step=1)


def review(number: int, kind: ReviewKind, subject: Subject, decision: Decision) -> Review:
    return Review(
        ReviewId(number), kind, TicketId("ENG-1"), AgentId(AGENT), "plan", 1, "title", NOON, subject, decision
    )


PLAN = review(1, ReviewKind.PLAN, PlanText("1. Do it."), Approved(NOON, "ana"))


def test_work_under_way() -> None:
    rejected = review(2, ReviewKind.VISUAL, PlanText("x"), Rejected(NOON, "bo", "Too @dark.\n```\nFixes #1"))
    offered = review(3, ReviewKind.PR, Changes("b", 1, "", url="https://x/pull/7"), Pending())
    assert (
        comment(TICKET, FEAT, BUILDING, (offered, rejected, PLAN))
        == """\
**Operator**: its branch waits for a verdict (`operator review show 3`).

* Steps: `plan` ✓ → **`build`** → `show` → `offer`
* Branch: `operator/ENG-1`
* Pull request: https://x/pull/7

Decided:

* plan: approved by `ana`, 2026-11-24 12:00 UTC
* visual: rejected by `bo`, 2026-11-24 12:00 UTC

  ````
  Too @dark.
  ```
  Fixes #1
  ````


The plan:

```
x
```
"""
    )
    assert pull_request((offered, PLAN)) == "https://x/pull/7"


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (Queued(NOON), "it waits for an agent"),
        (Parked(NOON, ParkReason.RETRY, "exit 1"), "it waits: `retry: exit 1`"),
        (Launching(NOON, AGENT), "an agent works on it"),
        (Done(NOON), "it is done."),
        (Done(NOON, no_changes=True), "without a change"),
        (Failed(NOON, "exit `1`"), "no attempt succeeded: `exit '1'`"),
        (Cancelled(NOON, "by a person"), "given up: `by a person`"),
    ],
)
def test_how_it_stands(status: TicketStatus, says: str) -> None:
    assert says in comment(evolve(TICKET, status=status), FEAT, None, ())


def test_a_launch_alone_is_no_news() -> None:
    assert not has_news(evolve(TICKET, status=Launching(NOON, AGENT)), ())
    assert has_news(TICKET, ())
    assert has_news(evolve(TICKET, status=Queued(NOON)), (PLAN,))


def test_what_agents_ask_on_the_way_is_not_told() -> None:
    asked = Permission(Request(ReviewKind.PERMISSION, "Bash", '{"command": "curl -H hunter2"}', "run curl hunter2"))
    told = comment(TICKET, FEAT, BUILDING, (review(4, ReviewKind.PERMISSION, asked, Rejected(NOON, "bo", "hunter2")),))
    assert "hunter2" not in told


@pytest.mark.parametrize(
    "secret",
    [
        "lin_api_0123456789abcdef", "ghp_0123456789abcdefghij", "github_pat_11AAAAAAA0123456789_abc",
        "ATATT3xFfGF0-abcdefghijklmnop", "sk-ant-0123456789abcdefghij", "AKIA0123456789ABCDEF",
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----", "me:hunter2secret",
    ],
)  # fmt: skip
def test_what_looks_like_a_secret_is_masked(secret: str) -> None:
    text = f"use https://{secret}@x.example" if ":" in secret and " " not in secret else f"use {secret} there"
    told = comment(TICKET, FEAT, None, (review(1, ReviewKind.PLAN, PlanText(text), Rejected(NOON, "bo", text)),))
    assert secret not in told
    assert told.count("[secret]") == 2


@given(plan=strategies.ANY_TEXT, reason=strategies.ANY_TEXT, who=strategies.ANY_TEXT, times=st.integers(1, 5000))
def test_it_is_bounded_and_its_blocks_are_closed(plan: str, reason: str, who: str, times: int) -> None:
    reviews = [
        review(n, ReviewKind.PLAN, PlanText(plan * times), Rejected(NOON, who, reason * times)) for n in range(1, 14)
    ]
    told = comment(TICKET, FEAT, BUILDING, reviews)
    assert len(told.encode()) <= LIMIT
    fences = [line.strip() for line in told.split("\n") if line.strip() and not line.strip().strip("`")]
    opened: str | None = None
    for fence in (each for each in fences if len(each) >= 3):
        opened = fence if opened is None else None if fence == opened else opened
    assert opened is None
