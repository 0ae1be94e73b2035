"""What clients see: each combination of what three actors know, as one word, and every view exact on the wire."""

import inspect
from itertools import product
from typing import Any

import attrs
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.domain import views, wire
from supervisor.domain.agent import (
    GONE,
    OVER,
    Activity,
    Agent,
    Delivery,
    DeliveryState,
    LaunchFailed,
    Opened,
    Planned,
    Prepared,
    Proof,
    Retired,
    Source,
)
from supervisor.domain.built_in import BUILT_IN
from supervisor.domain.ids import DeliveryId, ReviewId
from supervisor.domain.issue_type import IssueType, Step
from supervisor.domain.phases import (
    Broke,
    HandedOver,
    InReview,
    Progress,
    Prompting,
    Shelved,
    StepsDone,
    Vanished,
    WithPerson,
    Working,
)
from supervisor.domain.projections import agent_view, delivery_view, needs_person, ticket_detail, ticket_view
from supervisor.domain.review import PlanText, Review, ReviewKind
from supervisor.domain.ticket import (
    Cancelled,
    Done,
    Failed,
    Launching,
    Parked,
    ParkReason,
    Queued,
    Resume,
    Running,
    Ticket,
    TicketStatus,
)
from tests import strategies
from tests.unit.domain.samples import (
    AGENT,
    ASKING,
    EXITED,
    FAILED,
    IDLE,
    KILLED,
    LOST,
    NOON,
    PROPOSES,
    RUNNING,
    STARTING,
    STATES,
    activity,
    after,
    agent,
    delivery,
    progress,
    review,
    ticket,
)

WORKING = progress(Working(DeliveryId("d")))
STUCK = progress(WithPerson("3 turns ended without *.md", 3))
DONE = progress(StepsDone(NOON))
BROKE = progress(Broke(NOON, "r"))
STEPS = [None, progress(Prompting(DeliveryId("d"), "t")), WORKING, STUCK, DONE, BROKE, progress(Vanished(NOON, "r"))]
OPENED, RETIRED = Opened(7), Retired(NOON, "its process ended", after(60))
PHASES = [Planned(), Prepared(), OPENED, RETIRED, LaunchFailed(NOON, "driver_failed", "no such program")]

# --- who has to do something ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("now", "step", "needs"),
    [
        (activity(ASKING), None, "Proceed?"),
        (activity(ASKING), WORKING, "Proceed?"),
        (activity(ASKING), STUCK, "Proceed?"),
        (activity(ASKING), DONE, None),
        (activity(IDLE, 3), STUCK, "3 turns ended without *.md"),
        (activity(STARTING, 3), STUCK, "3 turns ended without *.md"),
        (activity(RUNNING, 3), STUCK, None),
        (activity(IDLE, 4), STUCK, None),
        (activity(IDLE), WORKING, None),
        (activity(IDLE), None, None),
        *((activity(state), STUCK, None) for state in (EXITED, FAILED, KILLED, LOST)),
    ],
)
def test_a_person_is_needed_where_nothing_goes_on_without_one(
    now: Activity, step: Progress | None, needs: str | None
) -> None:
    assert needs_person(now, step) == needs


# --- agents --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "now", "step", "state", "status"),
    [
        (Planned(), activity(STARTING), None, "starting", "running"),
        (OPENED, activity(STARTING), None, "starting", "running"),
        (OPENED, activity(RUNNING), WORKING, "running", "running"),
        (OPENED, activity(IDLE), WORKING, "idle", "idle"),
        (OPENED, activity(ASKING), WORKING, "awaiting_input", "awaiting_input"),
        (OPENED, activity(IDLE, 3), STUCK, "awaiting_input", "awaiting_input"),
        (OPENED, activity(RUNNING, 3), STUCK, "running", "running"),
        (OPENED, activity(IDLE), DONE, "idle", "idle"),
        (OPENED, activity(ASKING), DONE, "asking", "running"),
        (OPENED, activity(EXITED), WORKING, "exited", "completed"),
        (OPENED, activity(EXITED), None, "exited", "completed"),
        (OPENED, activity(EXITED), DONE, "exited", "completed"),
        (OPENED, activity(EXITED), BROKE, "exited", "failed"),
        (OPENED, activity(FAILED), WORKING, "exited", "failed"),
        (OPENED, activity(LOST), WORKING, "lost", "failed"),
        (RETIRED, activity(KILLED), DONE, "exited", "completed"),
        (RETIRED, activity(LOST), DONE, "lost", "completed"),
        (RETIRED, activity(IDLE), DONE, "idle", "completed"),
        # Its supervision was given up while it lived: nobody can answer it any more.
        (RETIRED, activity(IDLE), WORKING, "idle", "failed"),
        (RETIRED, activity(IDLE, 3), STUCK, "idle", "failed"),
        (RETIRED, activity(ASKING), WORKING, "asking", "failed"),
        (RETIRED, activity(RUNNING), None, "running", "failed"),
        (PHASES[-1], activity(STARTING), None, "starting", "failed"),
    ],
)
def test_an_agents_state_in_a_word(phase: Any, now: Activity, step: Progress | None, state: str, status: str) -> None:
    view = agent_view(agent(phase), now, step, BUILT_IN)
    assert (view.state.name, view.status) == (state, status)


@pytest.mark.parametrize("phase", PHASES)
def test_no_combination_contradicts_itself(phase: Any) -> None:
    for state, step in product(STATES, STEPS):
        _is_consistent(phase, state, step)


def _is_consistent(phase: Any, state: Any, step: Progress | None) -> None:
    view = agent_view(agent(phase), activity(state), step, BUILT_IN)
    over = isinstance(phase, OVER) or isinstance(state, GONE)
    assert (view.status == "awaiting_input") == (view.needs is not None)
    assert (view.state.name == "awaiting_input") <= (view.status == "awaiting_input")
    assert over == (view.status in ("completed", "failed"))
    assert view.state.since == state.proof.since
    assert (view.state.source, view.state.evidence) == ("hook", "seen")


PROPOSED = PlanText("t", request=PROPOSES)
IN_REVIEW = progress(InReview(ReviewId(31), 1))
SHELVED = progress(Shelved(NOON, Resume(1, 1, review_id=ReviewId(31))))
PERMITS = review(ReviewKind.PERMISSION, 32, title="It wants to use Bash: rm -rf build")


@pytest.mark.parametrize(
    ("phase", "now", "step", "reviews", "state", "status", "number"),
    [
        (OPENED, activity(IDLE, 1), IN_REVIEW, [review()], "awaiting_review", "awaiting_input", 31),
        (OPENED, activity(IDLE, 1), IN_REVIEW, [review(ReviewKind.VISUAL)], "awaiting_review", "awaiting_input", 31),
        (OPENED, activity(ASKING), WORKING, [PERMITS], "awaiting_input", "awaiting_input", 32),
        (OPENED, activity(ASKING), WORKING, [review(ReviewKind.QUESTION)], "awaiting_input", "awaiting_input", 31),
        (OPENED, activity(ASKING), WORKING, [review(subject=PROPOSED)], "awaiting_review", "awaiting_input", 31),
        # What waits in vain is not waited for: a person went on at the terminal, or the verdict is in.
        (OPENED, activity(RUNNING, 1), IN_REVIEW, [review()], "running", "running", 31),
        (OPENED, activity(IDLE, 1), IN_REVIEW, [], "idle", "idle", None),
        # What it left at a step's end can be decided without it; what its dialog asked cannot.
        (RETIRED, activity(EXITED, 1), IN_REVIEW, [review()], "awaiting_review", "awaiting_input", 31),
        (RETIRED, activity(EXITED), SHELVED, [review(ReviewKind.PR)], "awaiting_review", "awaiting_input", 31),
        (RETIRED, activity(EXITED), SHELVED, [], "exited", "completed", None),
        (RETIRED, activity(KILLED), progress(HandedOver(NOON, Resume(), "r")), [], "exited", "completed", None),
        (RETIRED, activity(EXITED), WORKING, [PERMITS], "exited", "completed", None),
        (OPENED, activity(LOST), WORKING, [PERMITS], "lost", "failed", None),
    ],
)
def test_an_agent_whose_review_is_open_awaits_it(
    phase: Any, now: Activity, step: Progress, reviews: list[Review], state: str, status: str, number: int | None
) -> None:
    view = agent_view(agent(phase), now, step, BUILT_IN, reviews)
    assert (view.state.name, view.status, view.review_id) == (state, status, number)
    assert (view.needs is not None) == (status == "awaiting_input")


def test_a_review_that_is_not_known_is_seen_by_the_step_that_waits_for_it() -> None:
    assert needs_person(activity(IDLE, 1), IN_REVIEW) == "review 31 waits for a verdict"
    assert needs_person(activity(EXITED), IN_REVIEW) == "review 31 waits for a verdict"
    assert needs_person(activity(IDLE, 1), IN_REVIEW, []) is None
    assert needs_person(activity(RUNNING), IN_REVIEW) is None


def test_an_agents_view_says_all_that_is_known() -> None:
    kind = IssueType("FEAT", (Step("plan", "p"), Step("build", "p")))
    full = agent(
        RETIRED, ticket_type="FEAT", attempt=2, mode="paired", worktree_path="/w", session_id="s",
    )  # fmt: skip
    stalled = activity(KILLED, title="✳ title", stalled=Proof(NOON, Source.SILENCE, "quiet"))
    view = agent_view(full, stalled, evolve(WORKING, step=1), {"FEAT": kind})
    assert view == views.AgentView(
        id="A-1~1", ticket_id="A-1", ticket_type="FEAT", title="t", project="api",
        state=views.StateView("exited", NOON, "hook", "seen"), status="failed", needs=None, stalled=True,
        review_id=None, mode="paired", attempt=2, started_at=NOON, current_step="build", step_number=2, step_count=2,
        driver="claude", backend="tmux", branch="operator/A-1", worktree_path="/w", session_id="s", phase="retired",
        phase_reason="its process ended", exit="signal 9", last_title="✳ title",
    )  # fmt: skip


def test_a_type_or_step_that_left_the_configuration_is_left_out() -> None:
    unknown = agent_view(agent(ticket_type="GONE"), activity(), WORKING, BUILT_IN)
    assert (unknown.current_step, unknown.step_count) == (None, 0)
    shrunk = agent_view(agent(), activity(), evolve(WORKING, step=4), BUILT_IN)
    assert (shrunk.current_step, shrunk.step_number) == (None, 5)


@pytest.mark.parametrize("phase", PHASES)
def test_how_far_a_launch_has_come_and_why_it_went_no_further(phase: Any) -> None:
    view = agent_view(agent(phase), activity(), None, BUILT_IN)
    assert view.phase == type(phase).__name__.lower()
    assert view.phase_reason == getattr(phase, "reason", None)


# --- tickets -------------------------------------------------------------------------------------

STATUSES: list[TicketStatus] = [
    Queued(after(1)),
    Parked(after(1), ParkReason.RETRY, "exit 1", after(9)),
    Launching(after(1), AGENT),
    Running(after(1), AGENT),
    Done(after(1), no_changes=True, dirty=True, note="by hand"),
    Failed(after(1), "r"),
    Cancelled(after(1), "r"),
]


@pytest.mark.parametrize("status", STATUSES)
def test_a_ticket_awaits_exactly_while_the_agent_that_holds_it_does(status: TicketStatus) -> None:
    for state, step in product([None, *STATES], STEPS):
        _awaits_with_its_agent(status, state, step)


def _awaits_with_its_agent(status: TicketStatus, state: Any, step: Progress | None) -> None:
    now = None if state is None else activity(state)
    view = ticket_view(ticket(status=status), now, step, BUILT_IN)
    held = isinstance(status, Launching | Running)
    needs = needs_person(now, step) if held and now is not None else None
    assert view.status == ("awaiting" if needs is not None else type(status).__name__.lower())
    assert view.reason == (needs if needs is not None else ticket(status=status).reason)
    assert view.since == after(1)
    assert (view.step is not None) == (held and step is not None)


def test_a_parked_ticket_says_why_and_until_when() -> None:
    view = ticket_view(ticket(status=STATUSES[1]), None, None, BUILT_IN)
    assert (view.status, view.reason, view.until) == ("parked", "retry: exit 1", after(9))
    assert ticket_view(ticket(status=STATUSES[0]), None, None, BUILT_IN).until is None


def test_a_ticket_awaits_the_review_of_what_its_agent_left() -> None:
    running = ticket(status=Running(after(1), AGENT))
    view = ticket_view(running, activity(IDLE, 1), IN_REVIEW, BUILT_IN, [review()])
    assert (view.status, view.reason) == ("awaiting", "its plan waits for a verdict (review 31)")
    assert ticket_view(running, activity(EXITED), IN_REVIEW, BUILT_IN, [review()]).status == "awaiting"


def test_a_ticket_awaits_the_verdict_on_its_pull_request_without_an_agent() -> None:
    waits = Parked(after(1), ParkReason.REVIEW, "review 31 waits for a verdict")
    steps = {"FIX": IssueType("FIX", (Step("fix", "p"), Step("pr", "p")))}
    parked = ticket(status=waits, type="FIX", resume=Resume(1, 1, review_id=ReviewId(31)))
    view = ticket_view(parked, None, None, steps, [review(ReviewKind.PR)])
    assert (view.status, view.step) == ("awaiting", "pr")
    assert view.reason == "its changes wait for a verdict (review 31)"
    unknown = ticket_view(parked, None, None, steps)
    assert (unknown.status, unknown.reason) == ("awaiting", "review: review 31 waits for a verdict")


def test_a_done_ticket_says_what_came_of_it() -> None:
    view = ticket_view(ticket(status=STATUSES[4]), None, None, BUILT_IN)
    assert (view.no_changes, view.dirty, view.reason) == (True, True, "by hand")
    view = ticket_view(ticket(status=STATUSES[5]), None, None, BUILT_IN)
    assert (view.no_changes, view.dirty) == (False, False)


@given(stored=strategies.record(Ticket))
def test_every_field_of_a_ticket_that_clients_know_is_the_tickets_own(stored: Ticket) -> None:
    view = ticket_view(stored, None, None, {})
    projected = {"status", "since", "reason", "until", "step", "no_changes", "dirty"}
    for each in attrs.fields(views.TicketView):
        assert each.name in projected or getattr(view, each.name) == getattr(stored, each.name)


@given(stored=strategies.record(Ticket), body=strategies.ANY_TEXT)
def test_a_detail_is_the_view_and_the_text(stored: Ticket, body: str) -> None:
    view = ticket_view(stored, None, None, {})
    detail = ticket_detail(view, body, "/exported")
    assert (detail.body, detail.exported) == (body, "/exported")
    assert all(getattr(detail, each.name) == getattr(view, each.name) for each in attrs.fields(views.TicketView))


# --- deliveries, and the wire --------------------------------------------------------------------


@pytest.mark.parametrize("state", list(DeliveryState))
def test_what_is_entered_but_unproven_is_called_typed(state: DeliveryState) -> None:
    word = "typed" if state is DeliveryState.SUBMITTED else state.value
    assert delivery_view(delivery(state, reason="r")) == views.DeliveryView(
        "A-1~1", "A-1~1.0.1.0", word, "r"
    )  # fmt: skip


@given(
    given=strategies.record(Agent),
    now=strategies.record(Activity),
    step=st.none() | strategies.record(Progress, step=st.integers(0, 3)),
    held=strategies.record(Ticket),
    text=strategies.record(Delivery),
)
def test_any_records_at_all_have_views_that_the_wire_carries(
    given: Agent, now: Activity, step: Progress | None, held: Ticket, text: Delivery
) -> None:
    seen = [agent_view(given, now, step, BUILT_IN), ticket_view(held, now, step, BUILT_IN), delivery_view(text)]
    for view in seen:
        assert wire.from_json(wire.to_json(view), type(view)) == view


VIEWS = [
    kind
    for _, kind in inspect.getmembers(views, inspect.isclass)
    if attrs.has(kind) and kind.__module__ == views.__name__
]


@pytest.mark.parametrize("kind", VIEWS, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=20)
def test_every_view_comes_back_from_the_wire_as_it_was(kind: type[Any], data: st.DataObject) -> None:
    view = data.draw(strategies.record(kind))
    text = wire.to_json(view)
    text.encode()
    assert wire.from_json(text, kind) == view


def test_all_views_are_there() -> None:
    assert len(VIEWS) > 25
