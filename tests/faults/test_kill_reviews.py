"""kill -9 of the daemon around verdicts: each acts once, none is lost, and the agent hears a reason to the letter."""

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2
import pytest
import trio

from tests.fakes.reviewing import BUILD, PLAN, Reviewing, about, any_reason, told_of
from tests.harness import Event
from tests.live.test_held_hooks import asks, decision, posting
from tests.live.test_signals import ONE, Agents

pytestmark = pytest.mark.timeout(180)
MADE = ("permission echo once >> made.txt", "commit Make it", "say went on")
HOOKED_STEPS = (
    *PLAN,
    "step build: permission echo once >> made.txt",
    "step build: commit Make it",
    "step build: say x",
)


@pytest.fixture
def place() -> Iterator[Reviewing]:
    with kept(Reviewing()) as made:
        yield made


@pytest.fixture
def hooked() -> Iterator[Reviewing]:
    with kept(Reviewing(hooks=True)) as made:
        yield made


@contextmanager
def kept(made: Reviewing) -> Iterator[Reviewing]:
    try:
        yield made
        assert "Traceback" not in made.log_tail()
    finally:
        made.close()


async def post(place: Reviewing, ref: str, verb: str, body: dict[str, object]) -> None:
    """A verdict whose answer may never come."""
    try:
        await place.post(f"/agents/{ref}/{verb}", body)
    except httpx2.TransportError:
        pass  # the daemon was killed meanwhile


async def killed_after(
    place: Reviewing, ref: str, verb: str, body: dict[str, object], moment: Any, ticket: str | None = None
) -> None:
    """Give a verdict, kill the daemon at a moment that the stream or, with `ticket`, the agent's journal tells, and
    start it again."""
    since = (await place.get("/status"))["head"]
    async with trio.open_nursery() as nursery:
        nursery.start_soon(post, place, ref, verb, body)
        if ticket is not None:
            await place.until_journal_has(ticket, moment)
        else:
            await place.until(moment, since=since)
        place.kill()
        nursery.cancel_scope.cancel()
    await place.start()


def of_review(kind: str) -> Any:
    """An entry about the text that carries a rejection."""
    return lambda event: event["kind"] == kind and event["data"].get("origin") == "review"


# --- what a step left ---------------------------------------------------------------------------------

STAGES = {
    "stored": about("review.rejected"),
    "its step begun": lambda event: event["kind"] == "step.started" and event["data"]["run"] == 2,
    "entered": of_review("delivery.submitted"),
    "acknowledged": of_review("delivery.delivered"),
}


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("hooks", [False, True], ids=["no hooks", "hooks"])
async def test_a_rejection_is_told_once_whenever_the_daemon_dies(stage: str, hooks: bool) -> None:
    with kept(Reviewing(hooks=hooks)) as place:
        place.ticket("PLAN-1", *PLAN, *BUILD, type="PLAN")
        await place.start()
        await place.opened(1)
        reason = any_reason(stage)
        await killed_after(place, "PLAN-1", "reject", {"reason": reason}, STAGES[stage])
        await assert_heard_once(place, reason)


@pytest.mark.parametrize("moment", ["paste", "prompt"])
async def test_a_rejection_is_told_once_when_the_agent_has_just_got_it(place: Reviewing, moment: str) -> None:
    place.ticket("PLAN-1", *PLAN, *BUILD, type="PLAN")
    await place.start()
    await place.opened(1)
    reason = any_reason(moment)
    known = len(place.journal("PLAN-1"))

    def met(entry: Event) -> bool:
        return entry["event"] == moment and entry in place.journal("PLAN-1")[known:]

    await killed_after(place, "PLAN-1", "reject", {"reason": reason}, met, "PLAN-1")
    await assert_heard_once(place, reason)


async def assert_heard_once(place: Reviewing, reason: str) -> None:
    """The step ran once more, in the same session, and every byte of the reason arrived once."""
    second = await place.opened(2)
    assert (second["kind"], second["run"], second["agent_id"]) == ("plan", 2, "PLAN-1~1")
    assert (await place.get("/reviews/1"))["reason"] == reason
    text = told_of("plan", reason)
    assert [place.counted("PLAN-1", event, text) for event in ("paste", "prompt")] == [1, 1]
    late = await place.post("/agents/PLAN-1/approve", {"review_id": 1})
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    await place.decide("PLAN-1", "approve", review_id=2)
    assert await place.until_over("PLAN-1") == {"PLAN-1": "done"}
    assert await place.steps("PLAN-1") == [("plan", 1), ("plan", 2), ("build", 2)]
    assert place.heard("PLAN-1", reason.partition("\n")[0]) == 1


@pytest.mark.parametrize("kind", ["review.approved", "step.started", "delivery.submitted"])
async def test_an_approval_leads_to_the_next_step_once(place: Reviewing, kind: str) -> None:
    place.ticket("PLAN-1", *PLAN, *BUILD, type="PLAN")
    await place.start()
    await place.opened(1)
    await killed_after(place, "PLAN-1", "approve", {}, lambda event: event["kind"] == kind)
    assert await place.until_over("PLAN-1") == {"PLAN-1": "done"}
    assert await place.steps("PLAN-1") == [("plan", 1), ("build", 1)]
    assert place.git("log", "--format=%s", "main..operator/PLAN-1").splitlines() == ["Build it"]


@pytest.mark.parametrize("verb", ["approve", "reject"])
@pytest.mark.parametrize("kind", ["review.*", "ticket.*"])
async def test_a_branch_s_verdict_is_carried_out_without_an_agent(place: Reviewing, verb: str, kind: str) -> None:
    place.ticket("OFFER-1", "append work.txt more", "commit Work", type="OFFER")
    await place.start()
    await place.opened(1)
    await place.until(lambda event: event["kind"] == "agent.retired")
    reason = any_reason(verb)
    body: dict[str, object] = {"reason": reason} if verb == "reject" else {}
    await killed_after(place, "OFFER-1", verb, body, lambda event: event["kind"].startswith(kind[:-1]))
    if verb == "reject":
        second = await place.opened(2)
        assert (second["agent_id"], second["run"], second["commits"]) == ("OFFER-1~2", 2, 2)
        [prompt] = [each for each in place.journal("OFFER-1") if each["event"] == "prompt"][1:]
        assert f"Reason {verb}:" in prompt["text"]
        assert prompt["bytes"] > len(reason.encode())
        await place.decide("OFFER-1", "approve")
    assert await place.until_over("OFFER-1") == {"OFFER-1": "done"}
    assert await place.steps("OFFER-1") == [("fix", run + 1) for run in range(1 + (verb == "reject"))]


async def test_a_review_outlives_agent_and_daemon_and_holds_no_slot() -> None:
    """The agent dies while its plan waits: the ticket waits without one, and the verdict starts the next agent."""
    with kept(Reviewing(max_agents=1)) as place:
        place.ticket("PLAN-1", *PLAN, *BUILD, type="PLAN")
        await place.start()
        await place.opened(1)
        place.kill()
        for pid in place.agent_pids():
            os.kill(pid, 9)
        await place.start()
        await place.until(lambda event: event["kind"] == "ticket.parked" and event["ticket"] == "PLAN-1")
        place.ticket("TASK-1", "say Meanwhile.")
        assert await place.until_over("TASK-1") == {"TASK-1": "done"}
        assert (await place.get("/tickets/PLAN-1"))["status"] == "awaiting"
        await place.decide("PLAN-1", "approve")
        assert await place.until_over("PLAN-1") == {"PLAN-1": "done"}
        assert await place.steps("PLAN-1") == [("plan", 1), ("build", 1)]


# --- a hook that waits ----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_a_verdict_for_a_hook_acts_once_when_the_daemon_dies_as_it_is_stored(
    hooked: Reviewing, verb: str
) -> None:
    """Whether the answer still got through is anybody's guess: if it did not, the dialog is answered by keys."""
    hooked.ticket("TASK-1", *MADE)
    await hooked.start()
    review = (await hooked.opened(1))["id"]
    reason = any_reason(verb)
    body: dict[str, object] = {"review_id": review} | ({"reason": reason} if verb == "reject" else {})
    stored = {"approve": "review.approved", "reject": "review.rejected"}[verb]
    await killed_after(hooked, "TASK-1", verb, body, about(stored, review))
    await hooked.until_told(review)
    if verb == "approve":
        assert await hooked.until_over("TASK-1") == {"TASK-1": "done"}
        assert hooked.git("show", "operator/TASK-1:made.txt") == "once\n"
        return
    await hooked.until_journal_has(
        "TASK-1", lambda entry: entry["event"] in ("told", "prompt") and reason[:200] in entry["text"]
    )
    assert hooked.heard("TASK-1", reason[:200]) == 1
    assert hooked.counted("TASK-1", "told", reason) + hooked.counted("TASK-1", "prompt", reason) == 1
    assert not [entry for entry in hooked.journal("TASK-1") if entry["event"] == "run"]


async def test_an_answer_is_not_told_before_the_agent_is_seen_to_go_on() -> None:
    """It may be lost with its connection, or with the daemon: then the next one must still know of the verdict."""
    agents = Agents()
    try:
        async with posting(agents, "TASK-1") as made:
            held, review = await made.hold(ONE, asks())
            agents.write_status(agents.pids()[ONE], "waiting")
            answer = await agents.post(f"/agents/{ONE}/approve", {"review_id": review})
            assert (answer.status_code, answer.json()["delivery"]) == (200, "pending")
            assert await held.result() == decision("allow")
            agents.kill()
            await agents.start()
            view = await agents.get(f"/reviews/{review}")
            assert (view["status"], view["told"]) == ("approved", False)
            late = await agents.post(f"/agents/{ONE}/reject", {"reason": "No.", "review_id": review})
            assert (late.status_code, late.json()["code"]) == (409, "already_decided")
            agents.write_status(agents.pids()[ONE], "busy")
            with trio.fail_after(10):
                while not (await agents.get(f"/reviews/{review}"))["told"]:  # noqa: ASYNC110
                    await trio.sleep(0.02)  # nothing is told when a verdict was carried out
    finally:
        agents.close()


async def test_an_answer_at_the_terminal_while_no_daemon_runs_supersedes_the_review(hooked: Reviewing) -> None:
    hooked.ticket("TASK-1", *MADE)
    await hooked.start()
    await hooked.opened(1)
    await hooked.until_journal("TASK-1", "dialog")
    hooked.kill()
    await hooked.press("TASK-1", "1")
    await hooked.until_journal("TASK-1", "dialog-end")
    await hooked.start()
    over = await hooked.until(about("review.superseded", 1))
    assert "terminal" in over["data"]["why"]
    late = await hooked.post("/agents/TASK-1/approve", {"review_id": 1})
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    assert "terminal" in late.json()["message"]
    assert await hooked.until_over("TASK-1") == {"TASK-1": "done"}
    assert hooked.git("show", "operator/TASK-1:made.txt") == "once\n"


async def test_a_dialog_that_is_not_certainly_the_one_is_left_to_the_person(hooked: Reviewing) -> None:
    """Another one opened over it while no daemon was there: nothing is stored, nothing is pressed."""
    hooked.ticket("TASK-1", "dialog A notice of the CLI's own", *MADE)
    await hooked.start()
    await hooked.opened(1)
    hooked.kill()
    await hooked.press("TASK-1", "1")  # it answers the topmost one
    await hooked.start()
    answer = await hooked.post("/agents/TASK-1/approve", {"review_id": 1})
    if answer.status_code == 409:
        assert answer.json()["code"] in ("answer_at_terminal", "already_decided")
        assert answer.json()["hint"] or answer.json()["message"]
    keys = [entry for entry in hooked.journal("TASK-1") if entry["event"] == "dialog-key"]
    assert keys == []


# --- at random ------------------------------------------------------------------------------------------


UNTOLD = "A dialog is open at its terminal."


class Deciders:
    """People who decide whatever is pending, at once or late, and remember what they were told."""

    def __init__(self, place: Reviewing, dice: random.Random) -> None:
        self.place = place
        self.dice = dice
        self.said: dict[int, str] = {}
        """Verdicts that were answered with 200."""
        self.by_hand: set[str] = set()
        """Tickets whose dialog was answered at the terminal: its hook had found no daemon, so no review tells of it."""

    async def decide_some(self) -> None:
        """Until the daemon is killed."""
        while True:
            try:
                for review in (await self.place.get("/reviews?status=pending&limit=1000"))["reviews"]:
                    await self._decide(review)
                for agent in (await self.place.get("/agents/active"))["agents"]:
                    await self._answer(agent)
            except httpx2.HTTPError:
                await trio.sleep(0.05)
            await trio.sleep(0.05)  # what is pending is looked at again and again, as people do

    async def _decide(self, review: dict[str, Any]) -> None:
        number, rejects = review["id"], review["run"] < 3 and self.dice.random() < 0.4
        body: dict[str, object] = {"review_id": number}
        if rejects:
            body["reason"] = any_reason(number)
        answer = await self.place.post(f"/agents/{review['agent_id']}/{'reject' if rejects else 'approve'}", body)
        if answer.status_code == 200:
            assert number not in self.said, "a second verdict was accepted"
            self.said[number] = "rejected" if rejects else "approved"
        else:
            assert answer.status_code == 409, answer.text

    async def _answer(self, agent: dict[str, Any]) -> None:
        ticket = agent["ticket_id"]
        if agent["needs"] == UNTOLD and agent["review_id"] is None and ticket not in self.by_hand:
            self.by_hand.add(ticket)
            await self.place.press(ticket, "1")


@pytest.mark.timeout(3600)
async def test_random_kills(hooked: Reviewing, request: pytest.FixtureRequest) -> None:
    kills = request.config.getoption("--kills")
    seed = request.config.getoption("--seed") or random.SystemRandom().randrange(10**9)
    print(f"{kills} random kills, seed {seed}")
    dice = random.Random(seed)
    deciders = Deciders(hooked, dice)
    names: list[str] = []
    for _ in range(kills):
        for _ in range(dice.choice((0, 1, 1)) if names else 2):
            names.append(f"PLAN-{len(names) + 1}")
            hooked.ticket(names[-1], *HOOKED_STEPS, type="PLAN")
        await hooked.start()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(deciders.decide_some)
            await trio.sleep(dice.expovariate(1 / 0.8))  # the moment of a random kill is the very thing that is random
            hooked.kill()
            nursery.cancel_scope.cancel()
    await hooked.start()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(deciders.decide_some)
        ended = await hooked.until_over(*names, within=90 + 6 * len(names))
        nursery.cancel_scope.cancel()
    assert set(ended.values()) == {"done"}, ended
    for name in names:
        await assert_each_acted_once(hooked, name, deciders)
    assert await hooked.stop() == 0


async def assert_each_acted_once(place: Reviewing, name: str, deciders: Deciders) -> None:
    said = deciders.said
    found = sorted((await place.get(f"/reviews?ticket={name}&limit=1000"))["reviews"], key=lambda each: each["id"])
    story = [(each["id"], each["kind"], each["run"], each["status"], each["told"]) for each in found]
    assert all(each["told"] for each in found), story
    for review in found:
        assert said.get(review["id"], review["status"]) == review["status"], (story, said)
        if review["status"] == "rejected":
            reason = any_reason(review["id"])
            assert review["reason"] == reason
            assert place.heard(name, reason[:200]) == 1, (story, review["id"])
    ran = sum(entry["event"] == "run" and entry["code"] == 0 for entry in place.journal(name))
    allowed = sum(each["kind"] == "permission" and each["status"] == "approved" for each in found)
    superseded = sum(each["kind"] == "permission" and each["status"] == "superseded" for each in found)
    assert allowed <= ran <= allowed + max(superseded, name in deciders.by_hand) <= 1, story
    steps = await place.steps(name)
    assert len(steps) == len(set(steps)), steps
    rejected = sum(each["kind"] == "plan" and each["status"] == "rejected" for each in found)
    assert [step for step, _ in steps] == ["plan"] * (1 + rejected) + ["build"], (steps, story)
