"""A ticket's steps from agent to agent: another permission mode, a run that takes too long, people who take long."""

from collections.abc import Iterator

import pytest

from tests.fakes.reviewing import BUILD, PLAN, Reviewing, any_reason, told_of
from tests.harness import Event

MODES = """
[[types.PLAN.steps]]
name = "plan"
prompt = "You are in step plan of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"
artifacts = [".operator/plan.md"]
review = "plan"
permission_mode = "plan"

[[types.PLAN.steps]]
name = "build"
prompt = "You are in step build of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"
permission_mode = "acceptEdits"

[[types.PLAN.steps]]
name = "check"
prompt = "You are in step check of ticket {{ ticket.id }}. {{ fenced(ticket.body) }}"
permission_mode = "acceptEdits"
"""
TIMED = """
[[types.TIMED.steps]]
name = "do"
prompt = "You are in step do of ticket {{ ticket.id }}, attempt {{ attempt }}. {{ fenced(ticket.body) }}"
max_time = "3s"
"""


@pytest.fixture
def place() -> Iterator[Reviewing]:
    made = Reviewing(hooks=True, types=MODES + TIMED)
    try:
        yield made
        assert "Traceback" not in made.log_tail()
    finally:
        made.close()


def starts(place: Reviewing, ticket: str) -> list[list[str]]:
    """The command line of each agent."""
    return [entry["argv"] for entry in place.journal(ticket) if entry["event"] == "start"]


def option(argv: list[str], name: str) -> str | None:
    return argv[argv.index(name) + 1] if name in argv else None


async def test_the_next_step_s_agent_resumes_the_conversation_in_the_other_mode(place: Reviewing) -> None:
    """A plan by file, in plan mode: rejected in the same session; approved, its conversation goes on in the other."""
    place.ticket("PLAN-1", *PLAN, *BUILD, "step check: say Checked.", type="PLAN")
    await place.start()
    await place.opened(1)
    reason = any_reason("once more")
    await place.decide("PLAN-1", "reject", reason=reason)
    assert (await place.opened(2))["agent_id"] == "PLAN-1~1"
    assert place.counted("PLAN-1", "prompt", told_of("plan", reason)) == 1
    await place.decide("PLAN-1", "approve")
    assert await place.until_over("PLAN-1") == {"PLAN-1": "done"}
    assert await place.steps("PLAN-1") == [("plan", 1), ("plan", 2), ("build", 2), ("check", 2)]

    first, second = starts(place, "PLAN-1")
    assert [option(each, "--permission-mode") for each in (first, second)] == ["plan", "acceptEdits"]
    assert option(first, "--session-id") == option(second, "--resume") is not None
    [resumed] = [entry for entry in place.journal("PLAN-1") if entry["event"] == "resume"]
    assert (resumed["session"], len(resumed["prompts"])) == (option(second, "--resume"), 2)
    handed = await place.until(lambda event: event["kind"] == "step.handed_over")
    assert handed["data"] == {"step": "build", "why": "step build wants the permission mode acceptEdits"}
    ticket = await place.get("/tickets/PLAN-1")
    assert (ticket["launches"], ticket["attempts"], ticket["agent_id"]) == (2, 0, "PLAN-1~2")


async def test_the_two_agents_are_never_at_work_together_and_share_one_slot(place: Reviewing) -> None:
    place.configure(max_agents=1, driver=place.driver, extra=MODES)
    place.ticket("PLAN-1", *PLAN, *BUILD, "step check: say Checked.", type="PLAN")
    place.ticket("PLAN-2", *PLAN, *BUILD, "step check: say Checked.", type="PLAN")
    await place.start()
    await place.opened(1)
    await place.decide("PLAN-1", "approve")
    assert await place.until_over("PLAN-1") == {"PLAN-1": "done"}
    told = [
        (event["kind"], event["agent"])
        for event in (await place.get("/activity?limit=1000&kinds=agent.retired,agent.starting"))["events"]
    ]
    assert told[:3] == [
        ("agent.starting", "PLAN-1~1"), ("agent.retired", "PLAN-1~1"), ("agent.starting", "PLAN-1~2"),
    ]  # fmt: skip


async def test_a_handing_over_outlives_the_daemon(place: Reviewing) -> None:
    place.ticket("PLAN-1", *PLAN, *BUILD, "step check: say Checked.", type="PLAN")
    await place.start()
    await place.opened(1)
    await place.decide("PLAN-1", "approve")
    await place.until(lambda event: event["kind"] == "step.handed_over")
    place.kill()
    await place.start()
    assert await place.until_over("PLAN-1") == {"PLAN-1": "done"}
    assert await place.steps("PLAN-1") == [("plan", 1), ("build", 1), ("check", 1)]
    assert len(starts(place, "PLAN-1")) == 2


async def test_a_plan_that_its_cli_proposes_leads_on_in_the_same_session(place: Reviewing) -> None:
    """An approval sets the next step's mode, so no other agent is needed."""
    script = ("step plan: plan # The plan\\nDo it.", "step plan: say It goes on.", *BUILD, "step check: say Checked.")
    place.ticket("PLAN-1", *script, type="PLAN")
    await place.start()
    assert (await place.opened(1))["plan"] == "# The plan\nDo it.\n"
    await place.decide("PLAN-1", "approve")
    assert await place.until_over("PLAN-1") == {"PLAN-1": "done"}
    assert await place.steps("PLAN-1") == [("plan", 1), ("build", 1), ("check", 1)]
    assert len(starts(place, "PLAN-1")) == 1


# --- time -----------------------------------------------------------------------------------------


async def test_a_run_that_takes_too_long_is_over_and_tried_again(place: Reviewing) -> None:
    place.ticket("TIMED-1", "attempt 1: hang forever", "say Done.", type="TIMED")
    await place.start()
    broke = await place.until(lambda event: event["kind"] == "step.broke")
    assert broke["data"]["reason"] == "step do took longer than it may"
    assert await place.until_over("TIMED-1") == {"TIMED-1": "done"}
    ticket = await place.get("/tickets/TIMED-1")
    assert (ticket["attempts"], ticket["launches"]) == (1, 2)
    whys = [event["data"]["why"] for event in await started(place, "TIMED-1")]
    assert whys == ["", "its last agent ended in it"]


async def started(place: Reviewing, ticket: str) -> list[Event]:
    found: list[Event] = (await place.get(f"/activity?ticket={ticket}&kinds=step.started"))["events"]
    return found


async def test_the_time_that_a_person_takes_is_not_the_agent_s(place: Reviewing) -> None:
    place.ticket("TIMED-1", "permission touch made", "say Done.", type="TIMED")
    await place.start()
    await place.opened(1)
    with pytest.raises(AssertionError, match="did not come"):
        await place.until(lambda event: event["kind"] == "step.broke", within=5.0)
    await place.decide("TIMED-1", "approve")
    assert await place.until_over("TIMED-1") == {"TIMED-1": "done"}
    assert (await place.get("/tickets/TIMED-1"))["attempts"] == 0


# --- taken from its agent -------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["stop", "cancel"])
async def test_what_was_approved_stays_approved_when_a_person_stops_the_agent(place: Reviewing, verb: str) -> None:
    """The next agent takes up the step in which the last one was stopped, and it is said why that begins again."""
    script = (*PLAN, "attempt 2: step build: wait never", *BUILD, "step check: say Checked.")
    place.ticket("PLAN-1", *script, type="PLAN")
    await place.start()
    await place.opened(1)
    await place.decide("PLAN-1", "approve")
    await place.until(lambda event: event["kind"] == "delivery.delivered" and event["agent"] == "PLAN-1~2")
    path = "/agents/PLAN-1/stop" if verb == "stop" else "/tickets/PLAN-1/cancel"
    assert (await place.post(path)).status_code == 200
    await place.until(lambda event: event["kind"] == "agent.retired" and event["agent"] == "PLAN-1~2")
    assert (await place.post("/tickets/PLAN-1/retry")).status_code == 200
    await place.until(lambda event: event["kind"] == "step.started" and event["agent"] == "PLAN-1~3")
    assert (await place.steps("PLAN-1"))[:3] == [("plan", 1), ("build", 1), ("build", 2)]
    assert (await started(place, "PLAN-1"))[2]["data"]["why"] == "its last agent was taken off it"
    assert await place.until_over("PLAN-1") in ({"PLAN-1": "done"}, {"PLAN-1": "cancelled"})
