"""The one task that says what an agent is doing and types into its terminal."""

from collections.abc import Awaitable, Callable
from typing import assert_never

import structlog
import trio
from attrs import evolve

from supervisor.actors.kit import Bell, Clock, Inbox, Watch
from supervisor.actors.session.handle import (
    BACKEND_DEADLINE,
    Deliver,
    End,
    Interrupt,
    Message,
    SessionHandle,
)
from supervisor.actors.store import Store
from supervisor.domain import looks, signals, terminal
from supervisor.domain.activity import Entry, Value
from supervisor.domain.agent import (
    GONE,
    SETTLED,
    Activity,
    Agent,
    Delivery,
    DeliveryState,
    Idle,
    Running,
)
from supervisor.domain.delivery import outcome_of, pasteable
from supervisor.domain.errors import BackendError, Conflict, OperatorError, SessionGone
from supervisor.domain.ids import DeliveryId
from supervisor.domain.terminal import TerminalParser
from supervisor.ports import AgentDriver, Session

log = structlog.get_logger()

READ = 64 * 1024
PER_TURN = 1024 * 1024
"""How much output is taken in before messages are served again: a flood delays a prompt by this much at most."""

BACKEND_PAUSE = 0.5
"""Seconds until a backend that failed is asked again."""
LOOK_PAUSE = 0.25
"""Seconds between two looks at a silent agent, at least."""
END_AGAIN = 5.0
"""Seconds after which an agent that could not be ended is tried to be ended again."""


class SessionActor:
    """The task behind a handle.

    Order is everything here. Deliveries go in one at a time; what the session remembers of the last one
    (its stamps) is settled before the transcript that came after it is read, so that a restart draws the
    same conclusions as an uninterrupted run. `run` returns once the agent is gone and all owed to it is answered."""

    def __init__(
        self,
        agent: Agent,
        session: Session,
        driver: AgentDriver,
        store: Store,
        clock: Clock,
        published: Callable[[Activity, bool], None],
    ) -> None:
        self._agent = agent
        self._session = session
        self._driver = driver
        self._store = store
        self._clock = clock
        self._published = published
        self._wake = Bell()
        self._inbox: Inbox[Message] = Inbox(f"session {agent.id}", 32, self._wake)
        self._watches: dict[DeliveryId, Watch[Delivery]] = {}
        self.handle = SessionHandle(session, self._inbox, self._watches)
        self._activity: Activity
        self._committed: Activity
        self._parser = TerminalParser()
        self._open: list[DeliveryId] = []
        self._untold: list[Entry] = []
        self._heard = 0.0
        self._looked = False
        self._looked_at = 0.0
        self._ending = False

    async def run(self, activity: Activity) -> None:
        """Serve until the agent is gone. `activity` is the stored one."""
        self._activity = self._committed = activity
        self._untold = []
        self._parser = TerminalParser(activity.parser)
        self._heard = trio.current_time()
        await self._load_deliveries()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            await self._recover()
            while not isinstance(self._activity.state, GONE):
                await self._round(nursery)
            nursery.cancel_scope.cancel(reason="the agent is gone")
        await self._finish()

    def drain(self) -> None:
        """Answer what nobody will serve any more."""
        self._inbox.drain(lambda message, error: message.reply.fail(error))

    # --- the loop ---------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            await self._session.changed()
            self._wake.ring()

    async def _round(self, nursery: trio.Nursery) -> None:
        await self._wake.wait_until(self._next_look())
        while (message := self._inbox.get_nowait()) is not None:
            await self._serve(message, nursery)
        if await self._take_in():
            self._wake.ring()
        try:
            await self._look()
            await self._settle()
            await self._pump()
        except SessionGone as gone:
            log.info("session gone", agent=self._agent.id, reason=gone.message)  # `changed` tells how it ended
        except BackendError as error:
            log.warning("terminal backend failed", agent=self._agent.id, reason=error.message)
            await trio.sleep(BACKEND_PAUSE)
            self._wake.ring()

    async def _serve(self, message: Message, nursery: trio.Nursery) -> None:
        with message.reply.answering():
            match message:
                case Deliver():
                    message.reply.give(await self._accept(message))
                case Interrupt(reply=reply):
                    await self._bounded(self._session.press(*self._driver.interrupt_keys))
                    await self._note("agent.interrupted", by="person")
                    reply.give(None)
                case End(politely=politely, reason=reason, reply=reply):
                    if not self._ending:
                        self._ending = True
                        await self._note("agent.ending", reason=reason)
                        nursery.start_soon(self._end, politely)
                    reply.give(None)
                case never:
                    assert_never(never)

    async def _bounded(self, call: Awaitable[None]) -> None:
        with trio.move_on_after(BACKEND_DEADLINE):
            await call
            return
        raise BackendError(f"the terminal backend did not answer within {BACKEND_DEADLINE:g} s")

    # --- what the agent does ------------------------------------------------------------------------

    async def _take_in(self) -> bool:
        """Read new output, exit and loss. True if output is left for the next round."""
        taken = 0
        while self._activity.offset < self._session.end and taken < PER_TURN:
            start, data = await self._session.read(self._activity.offset, READ)
            if not data:
                break
            if start != self._activity.offset:
                self._skip_gap()
            taken += len(data)
            self._heard = trio.current_time()
            self._looked = False
            for event in self._parser.feed(data):
                self._apply_event(event)
            self._activity = evolve(self._activity, offset=start + len(data))
        self._apply_end()
        await self._commit_if_changed()
        return self._activity.offset < self._session.end and taken >= PER_TURN

    def _skip_gap(self) -> None:
        """The oldest output was freed before it was read: go on at a clean point, with the modes as last known."""
        known = self._parser.state
        fresh = terminal.ParserState(title=known.title, bracketed_paste=known.bracketed_paste)
        self._parser = TerminalParser(fresh)

    def _apply_event(self, event: terminal.TerminalEvent) -> None:
        now = self._clock()
        match event:
            case terminal.TitleChanged(title=title):
                self._apply(signals.Titled(now, title, self._driver.read_title(title)))
            case terminal.BracketedPaste(enabled=True):
                self._apply(signals.BecameReady(now, "it takes pasted text"))
            case terminal.Printed(count=count):
                self._apply(signals.Printed(now, count))
            case terminal.BracketedPaste() | terminal.Notified() | terminal.Bell():
                pass
            case never:
                assert_never(never)

    def _apply_end(self) -> None:
        if self._session.exit is not None:
            self._apply(signals.ProcessExited(self._clock(), self._session.exit))
        elif self._session.lost is not None:
            self._apply(signals.SessionLost(self._clock(), self._session.lost))

    def _apply(self, signal: signals.Signal) -> None:
        """Draw the conclusion from one signal; each new state is told, also one that the next byte ends."""
        before = self._activity
        after = self._activity = signals.next(before, signal, self._driver.rules)
        if type(after.state) is not type(before.state) or after.turns_ended != before.turns_ended:
            self._untold.append(self._entry(after))
        if after.stalled is not None and before.stalled is None:
            self._untold.append(self._noted("agent.stalled", evidence=after.stalled.evidence))

    def _next_look(self) -> float | None:
        now = trio.current_time()
        due = looks.next_look(self._activity, self._driver.rules, now - self._heard, looked=self._looked)
        return None if due is None else max(due, self._looked_at + LOOK_PAUSE - now)

    async def _look(self) -> None:
        """Draw conclusions from silence, if it has lasted."""
        due = self._next_look()
        if due is None or due > 0:
            return
        self._looked_at = trio.current_time()
        silent = trio.current_time() - self._heard
        rules = self._driver.rules
        shown = False
        if rules.has_prompt_pattern and not self._looked:
            shown = self._driver.prompt_shown(await self._session.screen())
            self._looked = True
        busy = silent >= min(rules.idle_after, rules.reaction_within) and await self._session.busy_children()
        self._apply(signals.Quiet(self._clock(), silent, busy, shown))
        if busy:
            self._heard = trio.current_time()
        if silent >= rules.stall_after:
            self._apply(signals.StallChecked(self._clock(), silent))
        await self._commit_if_changed()

    async def _commit_if_changed(self, *puts: Delivery, durable: bool = False) -> None:
        """Store and publish the activity if it says something new; its offset and parser go with it."""
        new, old = self._activity, self._committed
        if not (puts or self._untold or any(getattr(new, name) != getattr(old, name) for name in _MATERIAL)):
            if new is not old:
                self._published(new, False)
            return
        new = self._activity = evolve(new, parser=self._parser.state)
        entries = [*self._untold, *(self._delivery_entry(put) for put in puts)]
        self._untold = []
        await self._store.commit(new, *puts, entries=entries, durable=durable)
        self._committed = new
        for put in puts:
            self._watches[put.id].set(put)
        self._published(new, True)

    def _entry(self, activity: Activity) -> Entry:
        proof = activity.state.proof
        name = type(activity.state).__name__.lower()
        data: dict[str, Value] = {
            "source": str(proof.source),
            "evidence": proof.evidence,
            "turns": activity.turns_ended,
        }
        return self._noted(f"agent.{name}", **data)

    def _delivery_entry(self, delivery: Delivery) -> Entry:
        return self._noted(
            f"delivery.{delivery.state}", delivery=delivery.id, origin=delivery.origin, reason=delivery.reason
        )

    def _noted(self, kind: str, **data: Value) -> Entry:
        return Entry(kind, self._clock(), self._agent.ticket_id, self._agent.id, data)

    async def _note(self, kind: str, **data: Value) -> None:
        await self._store.commit(entries=[self._noted(kind, **data)], durable=False)

    # --- deliveries ---------------------------------------------------------------------------------

    async def _load_deliveries(self) -> None:
        stored = await self._store.load(Delivery, agent_id=self._agent.id)
        for delivery in sorted(stored, key=lambda each: each.created_at):
            if (watch := self._watches.get(delivery.id)) is not None:
                watch.set(delivery)
            else:
                self._watches[delivery.id] = Watch(delivery)
        self._open = [each.id for each in sorted(stored, key=lambda each: each.created_at) if each.state not in SETTLED]

    async def _recover(self) -> None:
        """After a restart: settle what was under way by the session's own stamps, then read on."""
        self._apply_end()
        if not isinstance(self._activity.state, GONE):
            await self._recover_delivery()
        while await self._take_in():
            pass
        await self._settle()
        await self._finish_typed()
        self._wake.ring()

    async def _recover_delivery(self) -> None:
        delivery = self._first_pending()
        if delivery is None:
            return
        stamps = await self._session.stamps()
        if stamps.submitted == delivery.id:
            await self._entered(delivery)
        elif stamps.typed == delivery.id:
            self._watches[delivery.id].set(evolve(delivery, state=DeliveryState.TYPED))

    async def _finish_typed(self) -> None:
        """Press the one Enter that is still owed, unless the agent has moved on or shows a dialog."""
        if isinstance(self._activity.state, GONE) or not self._open:
            return
        delivery = self._watches[self._open[0]].value
        if delivery.state is not DeliveryState.TYPED:
            return
        if isinstance(self._activity.state, Idle):
            await self._submit(delivery)
        elif isinstance(self._activity.state, Running):
            moved_on = evolve(delivery, state=DeliveryState.DELIVERED, turns_before=self._activity.turns_ended)
            self._open.remove(delivery.id)
            await self._commit_if_changed(moved_on, durable=True)

    def _first_pending(self) -> Delivery | None:
        for delivery_id in self._open:
            delivery = self._watches[delivery_id].value
            if delivery.state is DeliveryState.PENDING:
                return delivery
        return None

    async def _accept(self, message: Deliver) -> Delivery:
        known = self._watches.get(message.delivery_id)
        if known is not None:
            return known.value
        if self._ending or isinstance(self._activity.state, GONE):
            raise SessionGone("the agent is ending or has ended; nothing was typed")
        text = pasteable(message.text)
        if not text.strip():
            raise Conflict("there is no text to type")
        delivery = Delivery(message.delivery_id, self._agent.id, text, self._clock(), origin=message.origin)
        await self._store.commit(delivery, durable=True)
        self._watches[delivery.id] = Watch(delivery)
        self._open.append(delivery.id)
        self._wake.ring()
        return delivery

    async def _pump(self) -> None:
        """Type the next text, if the agent can take it and none is under way."""
        if not self._open or self._ending or not self._activity.ready or not isinstance(self._activity.state, Idle):
            return
        delivery = self._watches[self._open[0]].value
        if delivery.state is DeliveryState.TYPED:
            await self._submit(delivery)
        elif delivery.state is DeliveryState.PENDING:
            await self._type(delivery)

    async def _type(self, delivery: Delivery) -> None:
        try:
            if "\n" in delivery.text and not self._parser.state.bracketed_paste:
                await self._refuse(delivery, "the program takes no pasted text, so lines would be sent one by one")
                return
            await self._bounded(self._session.type(delivery.id, delivery.text))
            await self._submit(delivery)
        except SessionGone as gone:
            await self._refuse(delivery, gone.message)
        except BackendError:
            # Nothing is known. The stamps tell at the next try, so that nothing is typed twice.
            await self._recheck(delivery)

    async def _recheck(self, delivery: Delivery) -> None:
        stamps = await self._session.stamps()
        if stamps.submitted == delivery.id:
            await self._entered(delivery)
        elif stamps.typed == delivery.id:
            self._watches[delivery.id].set(evolve(delivery, state=DeliveryState.TYPED))
        self._wake.ring()

    async def _submit(self, delivery: Delivery) -> None:
        await self._bounded(self._session.submit(delivery.id))
        await self._entered(delivery)

    async def _entered(self, delivery: Delivery) -> None:
        entered = evolve(delivery, state=DeliveryState.SUBMITTED, turns_before=self._activity.turns_ended)
        self._apply(signals.Entered(self._clock(), delivery.id))
        self._heard = trio.current_time()
        await self._commit_if_changed(entered, durable=True)

    async def _refuse(self, delivery: Delivery, reason: str) -> None:
        self._open.remove(delivery.id)
        await self._commit_if_changed(evolve(delivery, state=DeliveryState.REFUSED, reason=reason), durable=True)

    async def _settle(self) -> None:
        """Say of an entered prompt what the agent's state proves about it."""
        if not self._open:
            return
        delivery = self._watches[self._open[0]].value
        if delivery.state is not DeliveryState.SUBMITTED:
            return
        outcome = outcome_of(delivery, self._activity)
        if outcome is not None:
            self._open.remove(delivery.id)
            await self._commit_if_changed(outcome, durable=True)

    # --- the end ------------------------------------------------------------------------------------

    async def _end(self, politely: bool) -> None:
        """The driver's own way out if the agent is idle, then the ladder, until the loop sees the agent go."""
        if politely and self._driver.quit_text and isinstance(self._activity.state, Idle):
            with trio.move_on_after(self._driver.stop_grace):
                await self._quit(self._driver.quit_text)
        while True:
            try:
                with trio.move_on_after(3 * self._driver.stop_grace + BACKEND_DEADLINE):
                    await self._session.stop(self._driver.stop_grace)
                    await trio.sleep_forever()
            except OperatorError as error:
                await self._note("agent.end_failed", code=error.code, message=error.message)
                await trio.sleep(END_AGAIN)

    async def _quit(self, text: str) -> None:
        quit_id = DeliveryId(f"{self._agent.id}.quit")
        try:
            await self._session.type(quit_id, text)
            await self._session.submit(quit_id)
            await trio.sleep_forever()
        except OperatorError:
            return  # the ladder follows

    async def _finish(self) -> None:
        """The agent is gone: what was still to be typed is refused, and that is said."""
        for delivery_id in list(self._open):
            delivery = self._watches[delivery_id].value
            outcome = outcome_of(delivery, self._activity) or evolve(
                delivery, state=DeliveryState.REFUSED, reason="the agent ended before it could take it"
            )
            self._open.remove(delivery_id)
            await self._commit_if_changed(outcome, durable=True)
        self.handle.close("has ended")


_MATERIAL = ("turns_ended", "title_speaks", "ready", "submission", "stalled")
"""What of an activity is worth a commit; the rest is found again in the transcript."""
