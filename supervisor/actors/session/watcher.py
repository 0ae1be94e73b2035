"""What one agent is doing: output, titles, hooks, silence and its end, drawn together into its activity."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import assert_never

import trio
from attrs import evolve

from supervisor.actors.kit import Clock
from supervisor.domain import looks, signals, terminal
from supervisor.domain.activity import Entry, Value
from supervisor.domain.agent import GONE, Activity, Asking, Meaning, Running, Source, Starting
from supervisor.domain.hooks import TurnEnd
from supervisor.domain.terminal import TerminalParser
from supervisor.ports import AgentDriver, Session

READ = 64 * 1024
PER_TURN = 1024 * 1024
"""How much output is taken in before others have their turn: a flood delays a prompt by this much at most."""
LOOK_PAUSE = 0.1
"""Seconds between two looks, at least."""

Note = Callable[..., Entry]
"""Makes an entry about this agent."""


class Watcher:
    """A part of the session actor: used in its task only. It stores nothing; the actor commits what it finds."""

    def __init__(
        self, session: Session, driver: AgentDriver, conversation_id: str | None, clock: Clock, note: Note
    ) -> None:
        self._session = session
        self._driver = driver
        self._conversation_id = conversation_id
        self._clock = clock
        self._note = note
        self.activity: Activity
        self.untold: list[Entry] = []
        """Entries for what was found and is not committed yet."""
        self._parser = TerminalParser()
        self._heard = self._looked_at = 0.0
        self._looked = False

    def begin(self, activity: Activity) -> None:
        """Go on from a stored activity: the transcript is read from where it had been taken into account."""
        self.activity = evolve(activity, heard=False)  # hooks may have been missed
        self.untold = []
        self._parser = TerminalParser(activity.parser)
        self._heard = self._looked_at = trio.current_time()
        self._looked = False

    @property
    def takes_paste(self) -> bool:
        return self._parser.bracketed_paste

    def with_place(self) -> Activity:
        """The activity together with where the parser stands, as it is to be stored."""
        self.activity = evolve(self.activity, parser=self._parser.state)
        return self.activity

    # --- what comes by itself -----------------------------------------------------------------------

    async def take_in(self) -> bool:
        """Read new output, then exit and loss. True if output is left for later."""
        taken, end = 0, self._session.end  # the end is asked of the file system: once, where nothing is new
        while self.activity.offset < end and taken < PER_TURN:
            start, data = await self._session.read(self.activity.offset, READ)
            if not data:
                break
            if start != self.activity.offset:
                self._skip_gap()
            taken += len(data)
            self.heard()
            for event in self._parser.feed(data):
                self._apply_event(event)
            self.activity = evolve(self.activity, offset=start + len(data))
            end = self._session.end
        self.see_end()
        return self.activity.offset < end and taken >= PER_TURN

    def see_end(self) -> None:
        """Conclude from how the session ended, if it did."""
        if self._session.exit is not None:
            self.apply(signals.ProcessExited(self._clock(), self._session.exit))
        elif self._session.lost is not None:
            self.apply(signals.SessionLost(self._clock(), self._session.lost))

    def hear(self, payload: Mapping[str, object]) -> None:
        """Conclude from a hook's payload."""
        event = self._driver.read_hook(payload, self._clock())
        if event is not None:
            self.apply(signals.Hooked(self._clock(), event))

    def heard(self) -> None:
        """Silence begins anew."""
        self._heard = trio.current_time()
        self._looked = False

    def apply(self, signal: signals.Signal) -> None:
        """Draw the conclusion from one signal; each new state is told, also one that the next byte ends."""
        before = self.activity
        after = self.activity = signals.next(before, signal, self._driver.rules)
        if after.state is not before.state and (_differs(before, after) or after.turns_ended != before.turns_ended):
            self.untold.append(self._told(after))
        if after.stalled is not None and before.stalled is None:
            self.untold.append(self._note("agent.stalled", evidence=after.stalled.evidence))

    def _told(self, activity: Activity) -> Entry:
        proof = activity.state.proof
        data: dict[str, Value] = {
            "source": str(proof.source),
            "evidence": proof.evidence,
            "turns": activity.turns_ended,
        }
        return self._note(f"agent.{type(activity.state).__name__.lower()}", **data)

    def _apply_event(self, event: terminal.TerminalEvent) -> None:
        now = self._clock()
        match event:
            case terminal.TitleChanged(title=title):
                self.apply(signals.Titled(now, title, self._driver.read_title(title)))
            case terminal.BracketedPaste(enabled=True):
                rules = self._driver.rules
                if not (rules.status_file or rules.screen_tells_ready):  # with one, a dialog may be what takes it
                    self.apply(signals.BecameReady(now, "it takes pasted text"))
            case terminal.Printed(count=count):
                self.apply(signals.Printed(now, count))
            case terminal.BracketedPaste() | terminal.Notified() | terminal.Bell():
                pass
            case never:
                assert_never(never)

    def _skip_gap(self) -> None:
        """The oldest output was freed before it was read: go on at a clean point, with the modes as last known."""
        known = self._parser.state
        fresh = terminal.ParserState(title=known.title, bracketed_paste=known.bracketed_paste)
        self._parser = TerminalParser(fresh)

    # --- what has to be looked for --------------------------------------------------------------------

    def next_look(self) -> float | None:
        """Seconds until a look may tell something; None where only an event can."""
        now = trio.current_time()
        silent, since_look = now - self._heard, now - self._looked_at
        due = looks.next_look(self.activity, self._driver.rules, silent, since_look, self._clock(), looked=self._looked)
        return None if due is None else max(due, LOOK_PAUSE - since_look)

    async def look(self) -> None:
        """Draw conclusions from silence, the status file and the screen, if it is time."""
        due = self.next_look()
        if due is None or due > 0:
            return
        self._looked_at = trio.current_time()
        silent = trio.current_time() - self._heard
        rules = self._driver.rules
        if rules.status_file:
            await self._look_at_status(silent)
        elif rules.screen_tells_ready and not self.activity.ready:
            await self._look_at_first_screen()
        else:
            self.apply(signals.Settled(self._clock(), self._recorded() if rules.record else None))
        shown = False
        if rules.has_prompt_pattern and not self._looked:
            shown = self._driver.prompt_shown(await self._session.screen())
            self._looked = True
        busy = silent >= min(rules.idle_after, rules.reaction_within) and await self._session.busy_children()
        self.apply(signals.Quiet(self._clock(), silent, busy, shown))
        if busy:
            self.heard()  # a long build is no stall
        elif silent >= rules.stall_after:
            self.apply(signals.StallChecked(self._clock(), silent))

    async def catch_up(self) -> None:
        """Read what was written since the stored activity, then look: the CLI's files are newer than all of that."""
        while await self.take_in():
            pass
        if self._driver.rules.status_file and not isinstance(self.activity.state, (Starting, *GONE)):
            await self._look_at_status(0.0, newer=True)

    async def _look_at_status(self, silent: float, *, newer: bool = False) -> None:
        """What the CLI's own files say; where they say nothing yet, whether a known dialog is on the screen."""
        found = self._driver.look(self._session.pid) if self._session.pid is not None else None
        now, state = self._clock(), self.activity.state
        if isinstance(state, Starting) or signals.asks_before_start(self.activity):
            await self._look_at_start(found, silent, now)
        elif found is None:
            self.apply(signals.Settled(now))
        else:
            open_turn = isinstance(state, Running | Asking) or self.activity.ending is not None
            rests = open_turn and found[0] in (Meaning.IDLE, Meaning.BACKGROUND)
            recorded = self._recorded() if rests else None
            self.apply(signals.Looked(now, *found, recorded, newer))

    def _recorded(self) -> TurnEnd | None:
        """How the last turn ended by the CLI's own record."""
        conversation = self.activity.conversation_id or self._conversation_id
        return self._driver.last_turn(conversation) if conversation is not None else None

    async def _look_at_first_screen(self) -> None:
        """Whether the screen shows a known dialog, or where prompts are typed."""
        if not isinstance(self.activity.state, Starting | Asking):
            return
        screen = await self._session.screen()
        question = self._driver.dialog(screen)
        if question is not None:
            self.apply(signals.DialogSeen(self._clock(), question))
        elif self._driver.prompt_shown(screen) and looks.has_begun(self.activity, self._clock()):
            self.apply(signals.BecameReady(self._clock(), "it shows where prompts are typed", Source.SCREEN))

    async def _look_at_start(self, found: tuple[Meaning, str] | None, silent: float, now: datetime) -> None:
        if found is None and silent < looks.PROMPT_LOOK:
            return
        question = self._driver.dialog(await self._session.screen())
        if question is not None:
            self.apply(signals.DialogSeen(now, question))
        elif found is not None and found[0] in (Meaning.IDLE, Meaning.BACKGROUND):
            self.apply(signals.BecameReady(now, found[1], Source.STATUS))
        elif found is not None:
            self.apply(signals.Looked(now, *found))


def _differs(before: Activity, after: Activity) -> bool:
    """Whether a state is another one: another kind, or another question."""
    if isinstance(before.state, Asking) and isinstance(after.state, Asking):
        return before.state.question != after.state.question
    return type(before.state) is not type(after.state)
