"""What a daemon believes of an agent, against what is true: a simulated CLI, the real reading of all it says."""

from itertools import chain, repeat

import trio
from attrs import frozen
from hypothesis import given, settings
from hypothesis import strategies as st
from trio.testing import MockClock

from supervisor.actors.session.actor import _MATERIAL
from supervisor.actors.session.watcher import Watcher
from supervisor.domain import signals
from supervisor.domain.activity import Entry
from supervisor.domain.agent import Activity, AgentState, Asking, Idle, Proof, Running, Source, Starting
from supervisor.domain.ids import AgentId, DeliveryId
from tests.fakes.simulated_cli import Fate, Lags, SimulatedCli, session_and_driver

ARRIVED = 10.0
"""Seconds in which everything arrives that is on its way."""
QUIET = 5.0
"""Seconds after the last thing that is said, in which what is believed must have become true."""
KINDS = {"idle": Idle, "busy": Running, "asking": Asking, "background": Running}


@frozen
class Act:
    """Something that happens, and how long after the last."""

    after: float
    name: str


class Daemon:
    """The watching part of a session actor's loop, in simulated time."""

    def __init__(self, cli: SimulatedCli, clock: MockClock, *, strict: bool) -> None:
        self.cli = cli
        self._clock = clock
        self._strict = strict
        self._stored = Activity(AgentId("A-1~1"), Starting(Proof(cli.clock(), Source.LAUNCH, "launched")))
        self._begin()
        self.looks: list[float] = []
        self.entered: tuple[int, int] | None = None
        """Of the prompt that Operator entered last: how many turns had ended, and which true turn it began."""
        self.told: list[Entry] = []

    def _begin(self) -> None:
        cli = session_and_driver(self.cli)
        note = lambda kind, **data: Entry(kind, self.cli.clock(), data=data)  # noqa: E731
        self.watcher = Watcher(cli, cli, "conversation", self.cli.clock, note)
        self.watcher.begin(self._stored)
        self._committed = self._stored

    @property
    def activity(self) -> Activity:
        return self.watcher.activity

    async def live(self, seconds: float) -> None:
        """Let time pass."""
        until = self.cli.now + seconds
        while True:
            look = self.watcher.next_look()
            due = self.cli.now + look + 1e-4 if look is not None else float("inf")  # as no sleep ends too early
            moment = min(self.cli.next_event(), due, until)
            self._pass(moment)
            self.cli.happen()
            if due <= self.cli.now:
                self.looks.append(self.cli.now)
            await self.round()
            if moment >= until:
                return

    def _pass(self, moment: float) -> None:
        if moment > self.cli.now:
            self._clock.jump(moment - self.cli.now)
            self.cli.now = moment

    async def round(self) -> None:
        before = self.activity
        while self.cli.hooks:
            await self.watcher.take_in()
            self._check(before)
            before = self.activity
            self.watcher.hear(self.cli.hooks.pop(0))
            self._check(before)
            before = self.activity
        await self.watcher.take_in()
        self._check(before)
        before = self.activity
        await self.watcher.look()
        self._check(before)
        if self.watcher.untold or any(getattr(self.activity, n) != getattr(self._committed, n) for n in _MATERIAL):
            self._committed = self._stored = self.watcher.with_place()
            self.told += self.watcher.untold
            self.watcher.untold = []

    async def enter(self) -> None:
        """Type a prompt, if the agent can be thought to take it."""
        if isinstance(self.activity.state, Idle) and self.cli.mode == "idle":
            self.watcher.apply(signals.Entered(self.cli.clock(), DeliveryId(f"p{len(self.cli.turns)}")))
            self.watcher.heard()
            self.entered = (self.activity.turns_ended, len(self.cli.turns))
            await self.live(0.03)
            if self.cli.mode == "idle":
                self.cli.prompt(ours=True)
            else:
                self.entered = None

    async def away(self, seconds: float) -> None:
        """Nobody listens for a while; then everything is read again."""
        self.cli.listening = False
        until = self.cli.now + seconds
        while self.cli.next_event() < until:
            self._pass(self.cli.next_event())
            self.cli.happen()
        self._pass(until)
        self.cli.listening = True
        self._begin()
        before = self.activity
        await self.watcher.catch_up()
        self._check(before)
        await self.round()

    def _check(self, before: Activity) -> None:
        """What must hold after every single signal, whatever is true."""
        after = self.activity
        assert after.turns_ended >= before.turns_ended
        if same(before.state, after.state):
            assert after.state.proof == before.state.proof, "`since` moved although the state did not"
        assert after.stalled is None
        ended = isinstance(after.state, Idle) and after.turns_ended > before.turns_ended
        if ended and self.cli.turns and not self.cli.turns[-1].ended:
            assert self.entered is None or self.entered[1] != len(self.cli.turns) - 1, "judged while its turn runs"
        if isinstance(after.state, Idle) and self.entered is not None:
            turns_before, turn = self.entered
            if after.turns_ended > turns_before and turn < len(self.cli.turns):
                assert self.cli.turns[turn].ended, "a step would be judged while its turn runs"
        if self._strict and after.interrupted and not before.interrupted:
            assert self.cli.turns[-1].stopped or (len(self.cli.turns) > 1 and self.cli.turns[-2].stopped)


def same(one: AgentState, other: AgentState) -> bool:
    if isinstance(one, Asking) and isinstance(other, Asking):
        return one.question == other.question
    return type(one) is type(other)


def simulate(acts: list[Act], fates: list[Fate], lags: Lags, *, strict: bool) -> Daemon:
    """Play it to its end and through the quiet after it, and check what is believed then."""
    clock = MockClock()
    cli = SimulatedCli(chain(fates, repeat(Fate())), lags)
    found: list[Daemon] = []

    async def play() -> None:
        daemon = Daemon(cli, clock, strict=strict)
        found.append(daemon)
        await daemon.live(3.0)
        assert isinstance(daemon.activity.state, Idle)
        for act in acts:
            if act.name == "away":
                await daemon.away(act.after)
                continue
            await daemon.live(act.after)
            if act.name == "enter":
                await daemon.enter()
            else:
                cli.act(act.name)
        await daemon.live(ARRIVED)
        await daemon.live(QUIET)

    trio.run(play, clock=clock)
    [daemon] = found
    behind = daemon.activity.background and cli.turns[-1].held_up  # it was said to be over, and then stopped
    error_told_late = not strict and cli.mode == "background" and daemon.activity.turn_error
    if not behind and not error_told_late:
        assert type(daemon.activity.state) is KINDS[cli.mode], (cli.mode, daemon.activity.state)
    ended = sum(turn.ended and not (turn.goes_on or turn.held_up or turn.unseen) for turn in cli.turns)
    assert daemon.activity.turns_ended >= ended
    if daemon.activity.interrupted:
        assert [turn.stopped for turn in cli.turns if turn.ended][-1]
    if strict and cli.mode == "idle" and cli.turns:
        assert daemon.activity.interrupted is cli.turns[-1].stopped or cli.turns[-1].held_up
        assert (daemon.activity.turn_error is not None) is cli.turns[-1].broke
    busiest = max((sum(at <= other < at + 1 for other in daemon.looks) for at in daemon.looks), default=0)
    assert busiest <= 10
    idle = cli.mode == "idle" and not behind
    assert not [at for at in daemon.looks if idle and at > cli.now - 1], "an idle agent is looked at"
    return daemon


NAMES = ("prompt", "enter", "tool", "ask", "yes", "no", "esc", "done", "blocked", "fail", "leave", "wake")
GAPS = st.sampled_from([0.0, 0.01, 0.05, 0.2, 0.4, 0.6, 1.0, 1.4, 1.6, 2.5, 5.0, 7.0, 65.0])
ACTS = st.lists(st.builds(Act, GAPS, st.sampled_from(NAMES)), max_size=14)
RESTARTS = st.lists(
    st.builds(Act, GAPS, st.sampled_from(NAMES)) | st.builds(Act, st.floats(0.1, 4), st.just("away")), max_size=14
)
PROMPT_FATES = st.lists(st.builds(Fate, st.sampled_from([0.001, 0.01, 0.05, 0.2]), st.just(1)), max_size=30)
"""Nothing is lost, and nothing much late: what a daemon that listens gets."""
HOSTILE_FATES = st.lists(
    st.builds(Fate, st.sampled_from([0.001, 0.01, 0.1, 0.5, 1.0, 2.0, 4.9]), st.sampled_from([0, 1, 1, 2])), max_size=30
)
LAGS = st.builds(
    Lags, st.sampled_from([0.0, 0.02, 0.3]), st.sampled_from([0.02, 0.16, 0.3]), st.sampled_from([0.05, 0.3])
)


fully = settings(deadline=None, max_examples=500, derandomize=True)
"""The same lives every time: a rare one that is wrong is found by playing more, not by a test that fails at times."""


@fully
@given(ACTS, PROMPT_FATES, LAGS)
def test_a_daemon_that_listens_knows_what_is_true(acts: list[Act], fates: list[Fate], lags: Lags) -> None:
    simulate(acts, fates, lags, strict=True)


@fully
@given(ACTS, HOSTILE_FATES, LAGS)
def test_hooks_that_are_lost_late_doubled_or_in_disorder_leave_nothing_wrong(
    acts: list[Act], fates: list[Fate], lags: Lags
) -> None:
    simulate(acts, fates, lags, strict=False)


@fully
@given(RESTARTS, HOSTILE_FATES, LAGS)
def test_neither_do_times_when_nobody_listened(acts: list[Act], fates: list[Fate], lags: Lags) -> None:
    simulate(acts, fates, lags, strict=False)


def play(*acts: tuple[float, str]) -> Daemon:
    """A life in which nothing is lost."""
    return simulate([Act(seconds, name) for seconds, name in acts], [], Lags(), strict=True)


def told(daemon: Daemon) -> list[str]:
    return [f"{entry.kind} {entry.data.get('source')}" for entry in daemon.told]


def test_each_state_is_told_once_with_what_told_it() -> None:
    daemon = play((1, "enter"), (1, "ask"), (20, "yes"), (2, "done"))
    assert told(daemon) == [
        "agent.idle status", "agent.running submit", "agent.asking hook", "agent.running title", "agent.idle hook",
    ]  # fmt: skip


def test_a_stop_at_the_keyboard_is_told_by_the_files() -> None:
    daemon = play((1, "enter"), (5, "esc"))
    assert told(daemon)[1:] == ["agent.running submit", "agent.idle status"]
    assert daemon.activity.interrupted


def test_a_prompt_that_is_entered_is_not_taken_for_its_own_end() -> None:
    """Until the agent shows that it took it, its title and files are those from before."""
    daemon = play((1, "enter"), (1, "done"), (300, "enter"), (1, "done"))
    assert daemon.activity.turns_ended == 2
    assert [each for each in told(daemon) if "running" in each] == ["agent.running submit"] * 2
