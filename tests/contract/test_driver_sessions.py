"""What every driver for a CLI with hooks keeps, with its CLI in a real terminal: the rehearsal agent and real ones."""

import stat
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from supervisor.domain.agent import Activity, Asking, Delivery, DeliveryState, Exited, Idle, Running, Source
from supervisor.domain.delivery import HELD
from supervisor.domain.ids import AgentId
from tests.agents.cli import ClaudeCode
from tests.agents.codex import Codex
from tests.fakes.driver_rig import AGENT, Cli, Rehearsal, Rig, Working, rig
from tests.fakes.model.server import Model, serving

HOLLOW = "\u00e4\u00f6\u00fc \u6f22\u5b57 \U0001f469\u200d\U0001f4bb e\u0301 ' \" ` $HOME $(x) \\ #{pid} %0 ~ ! ;"
"""Text that a terminal, a shell or tmux could take for something else."""


REAL: dict[str, Callable[[Model], Cli]] = {"claude": ClaudeCode, "codex": Codex}
"""The real CLIs, each with a stand-in for its model."""
REHEARSALS = ("rehearsal", "rehearsal-vscode")


@pytest.fixture(params=[*REHEARSALS, *(pytest.param(name, marks=pytest.mark.agents) for name in REAL)])
async def made(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param.startswith("rehearsal"):
        async with rig(Rehearsal(), "vscode" if request.param.endswith("vscode") else "tmux") as found:
            yield found
        return
    async with serving() as model, rig(REAL[request.param](model)) as found:
        yield found
    assert not model.strays


def idle_after(turns: int) -> "Met":
    return Met(Idle, turns)


class Met:
    """Whether an activity is in this state after so many turns."""

    def __init__(self, state: type, turns: int) -> None:
        self._state, self._turns = state, turns

    def __call__(self, activity: Activity) -> bool:
        return isinstance(activity.state, self._state) and activity.turns_ended == self._turns


def script(*lines: str) -> str:
    return "\n".join(f"rehearse: {line}" for line in lines)


async def at_dialog(made: Rig, *lines: str) -> Working:
    working = await made.launch()
    await working.deliver(script(*lines))
    await working.until(lambda activity: isinstance(activity.state, Asking) and activity.state.shown)
    return working


# --- prompts ------------------------------------------------------------------------------------------------


async def test_it_is_ready_when_it_shows_that_and_not_before(made: Rig) -> None:
    working = await made.launch()
    ready = await working.until(Met(Idle, 0))
    assert ready.ready
    assert ready.state.proof.source is (Source.STATUS if made.driver.rules.status_file else Source.SCREEN)
    assert not made.heard.entries


async def test_a_prompt_arrives_whole_and_once_and_is_acknowledged(made: Rig) -> None:
    working = await made.launch()
    text = "\n".join(("Two words.", HOLLOW, "", script("say heard"), *(f"line {number}" for number in range(100))))
    delivery = await working.settled(await working.deliver(text))
    assert delivery.state is DeliveryState.DELIVERED
    over = await working.until(Met(Idle, 1))
    assert over.state.proof.source is Source.HOOK
    assert not over.interrupted
    assert over.turn_error is None
    assert made.prompts() == (text,)
    assert [payload["prompt"] for payload in made.heard.entries if "prompt" in payload] == [text]


async def test_prompts_are_typed_one_at_a_time(made: Rig) -> None:
    working = await made.launch()
    texts = [script(f"turn {number}: say {number}") for number in (1, 2, 3)]
    for text in texts:
        await working.deliver(text)
    await working.until(Met(Idle, 3))
    assert made.prompts() == tuple(texts)


async def test_a_text_waits_until_a_person_has_taken_back_what_they_typed(made: Rig) -> None:
    working = await made.launch()
    await working.until(Met(Idle, 0))
    await working.type("Half a thou")
    waiting = await working.held(await working.deliver("And then this."))
    assert (waiting.state, waiting.reason) == (DeliveryState.PENDING, HELD)
    assert not made.prompts()
    await working.press(*["BSpace"] * len("Half a thou"))
    assert (await working.settled(waiting.id)).reason == ""
    await working.until(Met(Idle, 1))
    assert made.prompts() == ("And then this.",)


async def test_a_text_waits_until_a_person_has_sent_what_they_typed(made: Rig) -> None:
    working = await made.launch()
    await working.deliver(script("turn 1: say one"))
    await working.until(Met(Idle, 1))
    await working.type("Mine first.")
    waiting = await working.held(await working.deliver("Then ours."))
    made.away()
    stored = [each for each in await made.store.load(Delivery) if each.id == waiting.id]
    assert stored == [waiting]  # so what waits, and why, is known to the next daemon
    working = await made.back(working)
    await working.press("Enter")
    await working.until(Met(Idle, 3))
    assert made.prompts()[1:] == ("Mine first.", "Then ours.")


# --- dialogs ------------------------------------------------------------------------------------------------


async def test_a_dialog_is_known_by_its_question_and_its_answer(made: Rig) -> None:
    working = await at_dialog(made, "permission touch made", "say done")
    asking = working.now.state
    assert isinstance(asking, Asking)
    assert (asking.proof.source, asking.question) == (Source.HOOK, "It wants to use Bash: touch made")
    since = working.mark()
    await working.press("1")
    await working.until(lambda activity: isinstance(activity.state, Running), since)
    over = await working.until(Met(Idle, 1))
    assert not over.interrupted
    assert (made.work / "made").exists()


async def test_a_dialog_that_is_refused_leaves_an_interrupted_turn(made: Rig) -> None:
    working = await at_dialog(made, "permission touch made")
    await working.press("Escape")
    over = await working.until(Met(Idle, 1))
    assert over.interrupted
    assert not (made.work / "made").exists()


async def test_a_question_is_told_in_its_own_words(made: Rig) -> None:
    made.needs("questions")
    working = await at_dialog(made, "ask Which one? | Red | Blue")
    assert isinstance(working.now.state, Asking)
    assert working.now.state.question == "Which one?"


async def test_nothing_is_typed_into_a_dialog(made: Rig) -> None:
    working = await at_dialog(made, "turn 1: permission touch made", "turn 2: say two")
    waiting = await working.deliver("And then this.")
    assert working.handle.deliveries[waiting].value.state is DeliveryState.PENDING
    await working.press("1")
    await working.until(Met(Idle, 2))
    assert made.prompts()[1:] == ("And then this.",)


# --- turns that end otherwise --------------------------------------------------------------------------------


async def test_an_interrupt_is_told_by_no_hook_and_seen(made: Rig) -> None:
    working = await made.launch()
    await working.deliver(script("turn 1: say half", "turn 1: think 60"))
    await made.hook("UserPromptSubmit")
    await working.until(Met(Running, 0))
    await working.handle.interrupt()
    over = await working.until(Met(Idle, 1))
    assert over.interrupted
    await working.deliver("All of it.")
    again = await working.until(Met(Idle, 2))
    assert not again.interrupted
    assert made.prompts()[-1] == "All of it."


async def test_an_error_of_the_model_ends_a_turn_and_not_the_agent(made: Rig) -> None:
    working = await made.launch()
    await working.deliver(script("turn 1: fail 400 too bad", "turn 2: say better"))
    broken = await working.until(Met(Idle, 1))
    assert "too bad" in str(broken.turn_error)
    await working.deliver("Go on.")
    better = await working.until(Met(Idle, 2))
    assert better.turn_error is None


async def test_work_behind_a_finished_turn_is_no_end(made: Rig) -> None:
    made.needs("background")
    working = await made.launch()
    await working.deliver(script("background 1.5", "say it goes on"))
    await made.hook("Stop")
    behind = await working.until(lambda activity: activity.background == 1)
    assert isinstance(behind.state, Running)
    over = await working.until(lambda activity: isinstance(activity.state, Idle) and activity.turns_ended > 0)
    assert over.background == 0
    assert not over.interrupted


# --- ends ---------------------------------------------------------------------------------------------------


async def test_it_leaves_when_it_is_asked_to(made: Rig) -> None:
    working = await made.launch()
    await working.until(Met(Idle, 0))
    await working.handle.end("it is over", politely=True)
    gone = await working.until(lambda activity: isinstance(activity.state, Exited))
    assert str(gone.state.proof.evidence) == "exit 0"
    assert "chosen id" in made.cli.lacks or await made.hook("SessionEnd")  # without an id there is no session yet


async def test_a_busy_one_is_ended_all_the_same(made: Rig) -> None:
    working = await made.launch()
    await working.deliver(script("think 60"))
    await working.until(Met(Running, 0))
    await working.handle.end("it is over", politely=True)
    await working.until(lambda activity: isinstance(activity.state, Exited))


async def test_its_conversation_is_taken_up_again(made: Rig) -> None:
    first = await made.launch()
    await first.deliver(script("turn 1: say one", "turn 2: touch two"))
    await first.until(Met(Idle, 1))
    await first.handle.end("it is over", politely=True)
    await first.until(lambda activity: isinstance(activity.state, Exited))
    assert first.conversation is not None
    second = await made.launch(AgentId("A-1~2"), first.conversation)
    assert second.agent.conversation_id == first.conversation
    await second.deliver("And now?")
    await second.until(Met(Idle, 1))
    assert (made.work / "two").exists()
    assert made.prompts()[-1] == "And now?"
    assert second.conversation == first.conversation


async def test_a_conversation_in_which_nothing_was_said_is_not(made: Rig) -> None:
    first = await made.launch()
    await first.until(Met(Idle, 0))
    first.kill()
    await first.until(lambda activity: isinstance(activity.state, Exited))
    second = await made.launch(AgentId("A-1~2"), first.agent.conversation_id)
    assert second.agent.conversation_id != first.agent.conversation_id or "chosen id" in made.cli.lacks
    await second.until(Met(Idle, 0))


# --- nobody attends for a while --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["well", "by an error", "by a person"])
async def test_how_a_turn_ended_that_nobody_attended_to_is_found_out(made: Rig, how: str) -> None:
    last = {"well": "say well", "by an error": "fail 400 too bad", "by a person": "think 60"}[how]
    working = await made.launch()
    await working.deliver(script("say half", "think 0.7", last))
    await made.hook("UserPromptSubmit")
    await working.until(lambda activity: activity.submission is not None and activity.submission.reacted)
    made.away()
    if how == "by a person":
        await working.press("Escape")
    else:
        await made.left_off(working, "Stop" if how == "well" else "StopFailure")
    working = await made.back(working)
    over = await working.until(Met(Idle, 1))
    assert (over.interrupted, over.turn_error is not None) == (how == "by a person", how == "by an error")
    assert len(made.prompts()) <= 1  # none, if it was stopped before its model was asked


async def test_a_dialog_that_opened_meanwhile_is_seen(made: Rig) -> None:
    working = await made.launch()
    await working.deliver(script("think 0.7", "permission touch made"))
    await made.hook("UserPromptSubmit")
    await working.until(lambda activity: activity.submission is not None and activity.submission.reacted)
    made.away()
    await made.hook("PermissionRequest")
    working = await made.back(working)
    asking = await working.until(Met(Asking, 0))
    assert asking.state.proof.source is (Source.STATUS if made.driver.rules.status_file else Source.HOOK)
    await working.until_dialog()
    await working.press("1")
    await working.until(Met(Idle, 1))
    assert (made.work / "made").exists()


# --- what it is given ------------------------------------------------------------------------------------------


async def test_its_token_is_in_a_file_for_its_owner_and_in_no_argument(made: Rig) -> None:
    request = made.request()
    plan = made.driver.plan(request)
    assert not any(request.hook_token in word for word in (*plan.argv, *plan.env.values()))
    files = list(Path(request.private_dir).iterdir())
    assert len([each for each in files if request.hook_token in each.read_text()]) == 1
    assert {stat.S_IMODE(each.stat().st_mode) for each in files} == {0o600}
    assert stat.S_IMODE(request.private_dir.stat().st_mode) == 0o700
    assert plan == made.driver.plan(request)  # a launch that is tried again is the same
    made.needs("chosen id")
    assert plan.conversation_id != made.driver.plan(made.request(AgentId("A-1~9"))).conversation_id


async def test_a_status_file_of_an_earlier_process_says_nothing(made: Rig) -> None:
    made.needs("status file")
    working = await made.launch()
    await working.until(Met(Idle, 0))
    pid = working.session.pid
    assert pid is not None
    assert made.driver.look(pid) is not None
    assert working.agent.id == AGENT
    assert made.driver.look(1) is None
