"""Hooks that wait for a person: answered by the verdict, overtaken at the terminal, let go; after a restart by keys."""

import os
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
import trio

from tests.harness import REHEARSAL, Event, Place
from tests.live.test_signals import ONE, TWO, Agents, bearer, hook

SOON = 2.0
"""Seconds in which something happens that nothing has to be waited for."""
LONG = 6.0
"""A wait that is longer than every deadline of a hook that asks nothing."""
REASON = "No — not\nso.\t“Quoted” \\ 漢字 🎉\n" + "ü" * 10_000

Json = dict[str, Any]


def asks(command: str = "rm -r build", **more: object) -> Json:
    return hook("PermissionRequest", tool_name="Bash", tool_input={"command": command}, prompt_id="one", **more)


def decision(behavior: str, **more: object) -> Json:
    return {"hookSpecificOutput": {"hookEventName": "PermissionRequest", "decision": {"behavior": behavior, **more}}}


class Held:
    """A hook that was posted, as its CLI would: on a connection of its own."""

    def __init__(self) -> None:
        self.answered = trio.Event()
        self.answer: httpx2.Response | httpx2.TransportError | None = None
        self.scope = trio.CancelScope()

    async def post(self, url: str, token: str, payload: Json) -> None:
        with self.scope:
            async with httpx2.AsyncClient(timeout=120) as client:
                try:
                    self.answer = await client.post(url, json=payload, headers=bearer(token))
                except httpx2.TransportError as error:
                    self.answer = error
            self.answered.set()

    async def result(self, within: float = 10.0) -> Json:
        with trio.fail_after(within):
            await self.answered.wait()
        assert isinstance(self.answer, httpx2.Response), self.answer
        assert self.answer.status_code == 200, self.answer.text
        answer: Json = self.answer.json()
        return answer

    @property
    def waits(self) -> bool:
        return not self.answered.is_set()


class Posting:
    """Agents whose hooks the test posts."""

    def __init__(self, agents: Agents, stranger: httpx2.AsyncClient, nursery: trio.Nursery) -> None:
        self.agents = agents
        self.stranger = stranger
        self._nursery = nursery

    async def hold(self, agent: str, payload: Json) -> tuple[Held, int]:
        """Post a hook that asks; it, and the review that it opened."""
        held, since = Held(), (await self.agents.get("/status"))["head"]
        self._nursery.start_soon(held.post, self.agents.signals(agent), self.agents.token_of(agent), payload)
        opened = await opening(self.agents, agent, since)
        return held, int(opened["data"]["review"])

    async def tell(self, agent: str, payload: Json) -> Json:
        headers = bearer(self.agents.token_of(agent))
        answer: Json = (await self.stranger.post(self.agents.signals(agent), json=payload, headers=headers)).json()
        return answer


async def opening(place: Place, agent: str, since: int = 0) -> Event:
    return await place.until(lambda event: event["kind"] == "review.opened" and event["agent"] == agent, since=since)


async def status_of(place: Place, review: int) -> str:
    return str((await place.get(f"/reviews/{review}"))["status"])


@pytest.fixture
def agents() -> Iterator[Agents]:
    made = Agents()
    try:
        yield made
    finally:
        made.close()


@asynccontextmanager
async def posting(agents: Agents, *tickets: str) -> AsyncIterator[Posting]:
    async with agents.at_work(*tickets) as stranger, trio.open_nursery() as nursery:
        yield Posting(agents, stranger, nursery)
        nursery.cancel_scope.cancel()
    assert "Traceback" not in agents.log_tail()
    assert "request failed" not in agents.log_tail()


# --- hooks that the test posts --------------------------------------------------------------------------


async def test_a_hook_waits_for_its_verdict_and_keeps_no_other_waiting(agents: Agents) -> None:
    async with posting(agents, "TASK-1", "TASK-2") as made:
        held, review = await made.hold(ONE, asks())
        other, second = await made.hold(TWO, asks())
        began = trio.current_time()
        while trio.current_time() - began < LONG:
            asked = time.monotonic()
            assert await made.tell(ONE, hook("PreToolUse", tool_name="Read", prompt_id="one")) == {}
            assert await made.tell(TWO, hook("PreToolUse", tool_name="Read", prompt_id="one")) == {}
            assert time.monotonic() - asked < SOON
            agents.write_status(agents.pids()[ONE], "waiting")
            await trio.sleep(0.5)
        assert held.waits
        assert other.waits
        assert (await agents.get(f"/reviews/{review}"))["held"] is True
        assert (await agents.post(f"/agents/{ONE}/approve", {"review_id": review})).status_code == 200
        assert await held.result() == decision("allow")
        assert other.waits
        assert (await agents.post(f"/agents/{TWO}/reject", {"reason": REASON})).status_code == 200
        assert await other.result() == decision("deny", message=REASON)
        assert [await status_of(agents, each) for each in (review, second)] == ["approved", "rejected"]


@pytest.mark.parametrize("size", [10, 400_000], ids=["plain", "large"])
async def test_a_client_that_hangs_up_is_held_no_longer(agents: Agents, size: int) -> None:
    """By both ways in: the large one is read by the framework."""
    async with posting(agents, "TASK-1") as made:
        held, review = await made.hold(ONE, asks("true " + "x" * size))
        assert (await agents.get(f"/reviews/{review}"))["held"] is True
        held.scope.cancel()
        with trio.fail_after(SOON):
            while (await agents.get(f"/reviews/{review}"))["held"]:  # noqa: ASYNC110
                await trio.sleep(0.02)  # nothing is told when a hook is held no longer
        assert await status_of(agents, review) == "pending"  # its dialog may still be open


async def test_what_was_answered_at_the_terminal_is_answered_with_nothing(agents: Agents) -> None:
    async with posting(agents, "TASK-1") as made:
        held, review = await made.hold(ONE, asks())
        await made.tell(ONE, hook("Stop", prompt_id="one"))
        agents.write_status(agents.pids()[ONE], "idle")
        assert await held.result() == {}
        assert await status_of(agents, review) == "superseded"
        late = await agents.post(f"/agents/{ONE}/approve", {"review_id": review})
        assert (late.status_code, late.json()["code"]) == (409, "already_decided")


async def test_another_question_takes_the_place_of_the_one_before(agents: Agents) -> None:
    async with posting(agents, "TASK-1") as made:
        first, one = await made.hold(ONE, asks("rm a"))
        second, two = await made.hold(ONE, asks("rm b"))
        assert await first.result() == {}
        assert await status_of(agents, one) == "superseded"
        refused = await agents.post(f"/agents/{ONE}/approve", {"review_id": one})
        assert refused.status_code == 409
        assert second.waits
        assert (await agents.post(f"/agents/{ONE}/approve", {"review_id": two})).status_code == 200
        assert await second.result() == decision("allow")


async def test_of_two_verdicts_at_once_one_counts(agents: Agents) -> None:
    async with posting(agents, "TASK-1") as made:
        held, review = await made.hold(ONE, asks())
        codes: list[int] = []

        async def decide(verb: str, body: Json) -> None:
            codes.append((await agents.post(f"/agents/{ONE}/{verb}", {"review_id": review, **body})).status_code)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(decide, "approve", {})
                nursery.start_soon(decide, "reject", {"reason": "no"})
        assert sorted(codes) == [200, *[409] * 9]
        stored = await status_of(agents, review)
        assert await held.result() == (decision("allow") if stored == "approved" else decision("deny", message="no"))


async def test_the_daemon_stops_at_once_and_lets_hooks_go_first(agents: Agents) -> None:
    async with agents.at_work("TASK-1", "TASK-2") as stranger, trio.open_nursery() as nursery:
        made = Posting(agents, stranger, nursery)
        held = [(await made.hold(agent, asks()))[0] for agent in (ONE, TWO)]
        began = time.monotonic()
        assert await agents.stop() == 0
        assert time.monotonic() - began < 1.0
        for each in held:
            assert await each.result() == {}  # answered, not cut off
    assert "Traceback" not in agents.log_tail()


async def test_a_killed_daemon_leaves_the_dialog_to_the_person(agents: Agents) -> None:
    async with agents.at_work("TASK-1") as stranger, trio.open_nursery() as nursery:
        made = Posting(agents, stranger, nursery)
        held, review = await made.hold(ONE, asks())
        agents.write_status(agents.pids()[ONE], "waiting")
        agents.kill()
        with trio.fail_after(SOON):
            await held.answered.wait()
        assert isinstance(held.answer, httpx2.TransportError)
        await agents.start()
        view = await agents.get(f"/reviews/{review}")
        assert (view["status"], view["held"]) == ("pending", False)
        refused = await agents.post(f"/agents/{ONE}/approve", {"review_id": review})
        assert (refused.status_code, refused.json()["code"]) == (409, "answer_at_terminal")
        assert refused.json()["hint"] == "operator attach TASK-1"
        assert await status_of(agents, review) == "pending"  # nothing was stored that could not be carried out
        nursery.cancel_scope.cancel()


async def test_a_standing_rule_answers_at_once(agents: Agents) -> None:
    rules = '[[permissions]]\naction = "allow"\npattern = "git *"\n[[permissions]]\naction = "deny"\npattern = "rm *"\n'
    agents.config.write_text(agents.config.read_text() + rules + 'reason = "ask first"\n')
    async with posting(agents, "TASK-1") as made:
        assert await made.tell(ONE, asks("git status")) == decision("allow")
        assert await made.tell(ONE, asks("git status; rm -r x")) == decision("deny", message="ask first")
        held, _ = await made.hold(ONE, asks("git status; ls"))
        assert held.waits
        assert [each["title"] for each in (await agents.get("/reviews"))["reviews"]] == [
            "It wants to use Bash: git status; ls"
        ]


CROWD = int(os.environ.get("HELD_HOOKS", "30"))
"""How many hooks are held at once, each an agent's."""


@pytest.mark.slow
@pytest.mark.timeout(180)
async def test_many_held_hooks_cost_nothing() -> None:
    agents = Agents(CROWD)
    try:
        names = [f"TASK-{number}" for number in range(1, CROWD + 1)]
        async with posting(agents, *names) as made:
            for pid in agents.pids().values():
                agents.write_status(pid, "waiting")
            held = [await made.hold(f"{name}~1", asks()) for name in names]
            assert agents.daemon is not None
            stat = Path(f"/proc/{agents.daemon.pid}/stat")

            def used() -> float:
                """Seconds of processor time."""
                user, system = stat.read_text().rpartition(")")[2].split()[11:13]
                return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

            await trio.sleep(1)  # what their dialogs set off is over
            before, began = used(), time.monotonic()
            await trio.sleep(2)
            share = (used() - before) / (time.monotonic() - began)
            print(f"{CROWD} held: {100 * share:.1f} % of a core")
            assert all(each.waits for each, _ in held)
            for name, (_, review) in zip(names, held, strict=True):
                assert (await agents.post(f"/agents/{name}/approve", {"review_id": review})).status_code == 200
            for each, _ in held:
                assert await each.result() == decision("allow")
            assert share < 0.3
    finally:
        agents.close()


# --- hooks of an agent at work --------------------------------------------------------------------------


class Rehearsing(Place):
    """A place whose agent speaks Claude Code's protocol."""

    def __init__(self) -> None:
        super().__init__()
        self.configure(
            driver=f"""
[drivers.rehearsal]
kind = "claude"
command = ["{sys.executable}", "-S", "{REHEARSAL}"]
stop_grace = "500ms"
env = {{ CLAUDE_CONFIG_DIR = "{self.root}/home/.rehearsal" }}
"""
        )

    async def asked(self, *script: str, count: int = 1) -> int:
        """Have an agent play this script up to its question; the review's number."""
        self.ticket("TASK-1", *script)
        await self.start()
        return await self.review(count)

    async def review(self, count: int = 1) -> int:
        """The number of the last of so many reviews that were opened."""
        seen: set[int] = set()

        def met(event: Event) -> bool:
            if event["kind"] == "review.opened":
                seen.add(event["data"]["review"])
            return len(seen) == count

        await self.until(met)
        return max(seen)

    async def decide(self, verb: str, review: int, **more: object) -> Json:
        answer = await self.post("/agents/TASK-1/" + verb, {"review_id": review, **more})
        assert answer.status_code == 200, answer.text
        view: Json = answer.json()
        return view

    def told(self) -> list[str]:
        return [entry["text"] for entry in self.journal("TASK-1") if entry["event"] == "told"]

    async def press(self, *keys: str) -> None:
        """A person's keys at the agent's terminal."""
        (socket,) = self.tmux_sockets_of_server()
        tmux = ["tmux", "-S", str(socket)]
        listed = await trio.run_process([*tmux, "list-sessions", "-F", "#{session_name}"], capture_stdout=True)
        names = [name for name in listed.stdout.decode().split() if "TASK-1" in name]
        await trio.run_process([*tmux, "send-keys", "-t", f"={names[0]}:", *keys])


@pytest.fixture
def work() -> Iterator[Rehearsing]:
    made = Rehearsing()
    try:
        yield made
        assert "Traceback" not in made.log_tail()
    finally:
        made.close()


MADE = ("permission touch made", "commit Make it", "say went on")


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_a_verdict_reaches_the_agent_through_its_hook(work: Rehearsing, verb: str) -> None:
    review = await work.asked(*MADE)
    more = {"reason": REASON} if verb == "reject" else {}
    assert (await work.decide(verb, review, **more))["delivery"] == "delivered"
    assert await work.until_over("TASK-1") == {"TASK-1": "done"}
    answered = await work.until_journal_has(
        "TASK-1", lambda entry: entry["event"] == "hook" and entry["name"] == "PermissionRequest"
    )
    assert answered["decision"] == {"approve": "allow", "reject": "deny"}[verb]
    assert (REASON in work.told()) == (verb == "reject")
    assert work.told().count(REASON) == (verb == "reject")


@pytest.mark.parametrize("key", ["1", "Escape"])
async def test_a_person_at_the_terminal_is_first(work: Rehearsing, key: str) -> None:
    review = await work.asked(*MADE)
    await work.press(key)
    over = await work.until(lambda event: event["kind"] == "review.superseded")
    assert over["data"]["review"] == review
    late = await work.post("/agents/TASK-1/approve", {"review_id": review})
    assert (late.status_code, late.json()["code"]) == (409, "already_decided")
    entry = await work.until_journal_has(
        "TASK-1", lambda entry: entry["event"] == "hook" and entry["name"] == "PermissionRequest"
    )
    assert entry["decision"] is None


async def test_a_question_is_answered(work: Rehearsing) -> None:
    review = await work.asked("ask Which db? | A | B", "say went on")
    refused = await work.post("/agents/TASK-1/approve", {"review_id": review})
    assert refused.status_code == 422
    await work.decide("answer", review, answers={"Which db?": "C, of course"})
    await work.until_over("TASK-1")
    assert 'The user answered: "Which db?"="C, of course"' in work.told()


async def test_a_plan_is_rejected_and_then_approved(work: Rehearsing) -> None:
    review = await work.asked("plan # One", "plan # Two\\nDo it.", "say went on")
    assert (await work.get(f"/reviews/{review}"))["plan"] == "# One\n"
    await work.decide("reject", review, reason=REASON)
    second = await work.review(2)
    assert (await work.get(f"/reviews/{second}"))["plan"] == "# Two\nDo it.\n"
    await work.decide("approve", second)
    await work.until_over("TASK-1")
    assert work.told().count(REASON) == 1
    assert work.told().count("The user has approved the plan:\n# Two\nDo it.\n") == 1


RESTARTED = {
    "command": (MADE, "approve", {}, "made"),
    "command denied": (MADE, "reject", {"reason": "Not so."}, "Not so."),
    "plan": (("plan # One", "say went on"), "approve", {}, "The user has approved the plan:\n# One\n"),
    "question": (("ask Which db? | A | B", "say on"), "answer", {"answers": {"": "B"}}, '"Which db?"="B"'),
}


@pytest.mark.parametrize("what", RESTARTED)
async def test_after_a_restart_the_verdict_is_carried_out_by_keys(work: Rehearsing, what: str) -> None:
    script, verb, more, seen = RESTARTED[what]
    review = await work.asked(*script)
    await work.until_journal("TASK-1", "dialog")
    work.kill()
    await work.start()
    view = await work.get(f"/reviews/{review}")
    assert (view["status"], view["held"]) == ("pending", False)
    await work.decide(verb, review, **more)
    ended = await work.until_journal("TASK-1", "dialog-end")
    assert ended["by"] == "person"
    if what == "command":
        await work.until_over("TASK-1")
        assert work.git("show", "operator/TASK-1:made") == ""
        return

    def told(entry: Event) -> bool:
        return entry["event"] in ("told", "prompt") and seen in entry["text"]

    await work.until_journal_has("TASK-1", told)
    assert sum(map(told, work.journal("TASK-1"))) == 1


async def test_after_a_restart_another_dialog_is_not_taken_for_the_one_that_was_asked(work: Rehearsing) -> None:
    """It was answered, and the next one opened, while no daemon was there to hear of it."""
    review = await work.asked("permission touch one", "permission touch two", "say went on")
    await work.until_journal("TASK-1", "dialog")
    work.kill()
    await work.press("1")
    await work.until_journal_has("TASK-1", lambda entry: entry["event"] == "dialog" and entry != first(work))
    await work.start()
    refused = await work.post("/agents/TASK-1/approve", {"review_id": review})
    assert refused.status_code == 409, refused.text
    assert len([entry for entry in work.journal("TASK-1") if entry["event"] == "dialog-end"]) == 1


def first(work: Rehearsing) -> Event:
    return next(entry for entry in work.journal("TASK-1") if entry["event"] == "dialog")
