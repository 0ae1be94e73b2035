"""The one task that says what an agent is doing and types into its terminal."""

from collections.abc import Callable, Mapping
from typing import assert_never

import structlog
import trio
from attrs import evolve

from supervisor.actors.kit import Bell, Clock, Inbox
from supervisor.actors.session.handle import (
    BACKEND_DEADLINE,
    Answered,
    Deliver,
    End,
    Hear,
    Heard,
    Interrupt,
    Look,
    Message,
    Press,
    SessionHandle,
)
from supervisor.actors.session.mail import Mail
from supervisor.actors.session.room import Room
from supervisor.actors.session.typist import Typist
from supervisor.actors.session.watcher import Watcher
from supervisor.actors.store import Store
from supervisor.domain import signals
from supervisor.domain.activity import Entry, Value
from supervisor.domain.agent import GONE, Activity, Agent, Asking, Delivery, DeliveryState, Idle, Running
from supervisor.domain.delivery import HELD, outcome_of, pasteable
from supervisor.domain.errors import AnswerAtTerminal, BackendError, Conflict, OperatorError, SessionGone
from supervisor.domain.ids import DeliveryId
from supervisor.domain.review import Decision, Rejected, Request
from supervisor.ports import AgentDriver, MissedHooks, Session

log = structlog.get_logger()

BACKEND_PAUSE = 0.5
"""Seconds until a backend that failed is asked again."""
END_AGAIN = 5.0
"""Seconds after which an agent that could not be ended is tried to be ended again."""


class SessionActor:
    """The task behind a handle.

    Order is everything here. Deliveries go in one at a time; what the session remembers of the last one
    (its stamps) is settled before the transcript that came after it is read, so that a restart draws the
    same conclusions as an uninterrupted run. `run` returns once the agent is gone and all owed to it is answered.
    """

    def __init__(
        self,
        agent: Agent,
        session: Session,
        driver: AgentDriver,
        store: Store,
        clock: Clock,
        published: Callable[[Activity, bool], None],
        missed: MissedHooks | None = None,
    ) -> None:
        self._agent = agent
        self._session = session
        self._driver = driver
        self._store = store
        self._clock = clock
        self._published = published
        self._missed = missed
        self._wake = Bell()
        self._typist = Typist(session, driver)
        self._room = Room(self._typist)
        self._inbox: Inbox[Message] = Inbox(f"session {agent.id}", 64, self._wake)
        self._mail = Mail()
        self._watcher = Watcher(session, driver, agent.conversation_id, clock, self._noted)
        self._committed: Activity
        self._ending = False
        self.handle = SessionHandle(session, self._inbox, self._mail.watches)

    @property
    def _activity(self) -> Activity:
        return self._watcher.activity

    @property
    def _gone(self) -> bool:
        return isinstance(self._activity.state, GONE)

    async def run(self, activity: Activity) -> None:
        """Serve until the agent is gone. `activity` is the stored one."""
        self._committed = activity
        self._watcher.begin(activity)
        self._mail.load(await self._store.load(Delivery, agent_id=self._agent.id))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._listen)
            await self._recover()
            while not self._gone:
                await self._round(nursery)
            nursery.cancel_scope.cancel(reason="the agent is gone")
        await self._finish()

    def drain(self) -> None:
        """Answer what nobody will serve any more."""
        self._inbox.drain(lambda message, error: message.reply.fail(error))

    # --- the loop ---------------------------------------------------------------------------------

    async def _listen(self) -> None:
        seen = 0
        while True:
            seen = await self._session.changed(seen)
            self._wake.ring()
            self._typist.grown.ring()

    async def _round(self, nursery: trio.Nursery) -> None:
        looks = [due for due in (self._watcher.next_look(), self._room.next_look()) if due is not None]
        await self._wake.wait_until(min(looks, default=None))
        while (message := self._inbox.get_nowait()) is not None:
            await self._serve(message, nursery)
        if await self._watcher.take_in():
            self._wake.ring()
        try:
            await self._watcher.look()
            await self._commit_if_changed()
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
                case Hear(payload=payload, reply=reply):
                    reply.give(await self._hear(payload))
                case Look(request=request, reply=reply):
                    refused = Rejected(self._clock(), "", "")  # any dialog that is known for certain can be refused
                    reply.give(await self._typist.keys_for(request, refused) is not None)
                case Answered(request=request, reply=reply):
                    self._watcher.apply(signals.HookAnswered(self._clock(), request.question))
                    await self._commit_if_changed()
                    reply.give(None)
                case Press(request=request, decision=decision, reply=reply):
                    await self._press_verdict(request, decision)
                    reply.give(None)
                case Interrupt(reply=reply):
                    await self._typist.press(*self._driver.interrupt_keys)
                    self._watcher.apply(signals.Interrupting(self._clock()))
                    self._watcher.untold.append(self._noted("agent.interrupted", by="person"))
                    await self._commit_if_changed()
                    reply.give(None)
                case End(politely=politely, reason=reason, reply=reply):
                    if not self._ending:
                        self._ending = True
                        await self._note("agent.ending", reason=reason)
                        nursery.start_soon(self._end, politely)
                    reply.give(None)
                case never:
                    assert_never(never)

    async def _hear(self, payload: Mapping[str, object]) -> Heard:
        """A request is passed on only while the agent is asking it: else its dialog is closed by now."""
        await self._watcher.take_in()  # what was written before the hook is older than it
        self._watcher.hear(payload)
        await self._commit_if_changed()
        request, state = self._driver.read_request(payload), self._activity.state
        if request is None or not isinstance(state, Asking) or state.question != request.question:
            return Heard()
        return Heard(request=request, asked_at=state.proof.since)

    async def _press_verdict(self, request: Request, decision: Decision) -> None:
        keys = await self._typist.keys_for(request, decision)
        if keys is None:
            raise AnswerAtTerminal(
                f"what {self._agent.id} asked cannot be answered from here any more: {request.question}",
                hint=f"operator attach {self._agent.ticket_id}",
            )
        await self._typist.press(*keys)

    # --- records ------------------------------------------------------------------------------------

    async def _commit_if_changed(self, *puts: Delivery, durable: bool = False) -> None:
        """Store and publish the activity if it says something new; its offset and parser go with it."""
        watcher, old = self._watcher, self._committed
        changed = any(getattr(watcher.activity, name) != getattr(old, name) for name in _MATERIAL)
        if not (puts or watcher.untold or changed):
            if watcher.activity is not old:
                self._published(watcher.activity, False)
            return
        new = watcher.with_place()
        entries, watcher.untold = [*watcher.untold, *(self._delivery_entry(put) for put in puts)], []
        await self._store.commit(new, *puts, entries=entries, durable=durable)
        self._committed = new
        for put in puts:
            self._mail.show(put)
        self._published(new, True)

    def _delivery_entry(self, delivery: Delivery) -> Entry:
        return self._noted(
            f"delivery.{delivery.state}", delivery=delivery.id, origin=delivery.origin, reason=delivery.reason
        )

    def _noted(self, kind: str, **data: Value) -> Entry:
        return Entry(kind, self._clock(), self._agent.ticket_id, self._agent.id, data)

    async def _note(self, kind: str, **data: Value) -> None:
        await self._store.commit(entries=[self._noted(kind, **data)], durable=False)

    # --- after a restart ------------------------------------------------------------------------------

    async def _recover(self) -> None:
        """Hear what was missed and settle what was under way by the session's own stamps, then read on."""
        await self._hear_missed()
        self._watcher.see_end()
        pending = self._mail.first(DeliveryState.PENDING)
        if not self._gone and pending is not None:
            await self._by_stamps(pending)
        await self._watcher.catch_up()
        await self._commit_if_changed()
        await self._settle()
        await self._finish_typed()
        self._published(self._activity, True)  # the deliveries are known again: a turn may be waiting to be judged
        self._wake.ring()

    async def _hear_missed(self) -> None:
        """What hooks said while nobody listened. Killed before all is forgotten, the next of us hears it once more."""
        if self._missed is None:
            return
        found = await trio.to_thread.run_sync(self._missed.read, self._agent.id)
        for payload in found.values():
            self._watcher.hear(payload)
        await self._commit_if_changed()
        if found:
            await trio.to_thread.run_sync(self._missed.forget, self._agent.id, tuple(found))

    async def _by_stamps(self, delivery: Delivery) -> None:
        """What the session itself remembers of a delivery of which nothing else is known."""
        stamps = await self._session.stamps()
        if stamps.submitted == delivery.id:
            await self._entered(delivery)
        elif stamps.typed == delivery.id:
            self._mail.show(evolve(delivery, state=DeliveryState.TYPED, reason=""))

    async def _finish_typed(self) -> None:
        """Press the one Enter that is still owed, unless the agent has moved on or shows a dialog."""
        delivery = self._mail.first(DeliveryState.TYPED)
        if delivery is None:
            return
        if isinstance(self._activity.state, Idle):
            await self._submit(delivery)
        elif isinstance(self._activity.state, Running):
            moved_on = evolve(delivery, state=DeliveryState.DELIVERED, turns_before=self._activity.turns_ended)
            await self._commit_if_changed(moved_on, durable=True)

    # --- deliveries ---------------------------------------------------------------------------------

    async def _accept(self, message: Deliver) -> Delivery:
        known = self._mail.known(message.delivery_id)
        if known is not None:
            return known
        if self._ending or self._gone:
            raise SessionGone("the agent is ending or has ended; nothing was typed")
        text = pasteable(message.text)
        if not text.strip():
            raise Conflict("there is no text to type")
        delivery = Delivery(message.delivery_id, self._agent.id, text, self._clock(), origin=message.origin)
        await self._store.commit(delivery, durable=True)
        self._mail.accept(delivery)
        self._wake.ring()
        return delivery

    async def _pump(self) -> None:
        """Type the next text, if the agent can take it and none is under way."""
        if self._ending or not self._activity.ready or not isinstance(self._activity.state, Idle):
            return
        delivery = self._mail.first(DeliveryState.PENDING, DeliveryState.TYPED)
        if delivery is None:
            return
        if delivery.state is DeliveryState.TYPED:
            await self._submit(delivery)
        elif "\n" in delivery.text and not self._watcher.takes_paste:
            await self._refuse(delivery, "the program takes no pasted text, so lines would be sent one by one")
        elif await self._room.is_free(delivery, self._activity, self._mail.last_entered()):
            await self._type(delivery)
        elif delivery.reason != HELD:
            await self._commit_if_changed(evolve(delivery, reason=HELD), durable=True)

    async def _type(self, delivery: Delivery) -> None:
        try:
            await self._typist.paste(delivery.id, delivery.text)
            await self._submit(delivery)
        except SessionGone as gone:
            await self._refuse(delivery, gone.message)
        except BackendError:
            # Nothing is known. The stamps tell at the next try, so that nothing is typed twice.
            await self._by_stamps(delivery)
            self._wake.ring()

    async def _submit(self, delivery: Delivery) -> None:
        await self._typist.enter(delivery.id)
        await self._entered(delivery)

    async def _entered(self, delivery: Delivery) -> None:
        self._watcher.apply(signals.Entered(self._clock(), delivery.id))
        self._watcher.heard()
        turns = self._activity.turns_ended
        entered = evolve(delivery, state=DeliveryState.SUBMITTED, reason="", turns_before=turns)
        await self._commit_if_changed(entered, durable=True)

    async def _refuse(self, delivery: Delivery, reason: str) -> None:
        await self._commit_if_changed(evolve(delivery, state=DeliveryState.REFUSED, reason=reason), durable=True)

    async def _settle(self) -> None:
        """Say of an entered prompt what the agent's state proves about it."""
        delivery = self._mail.first(DeliveryState.SUBMITTED)
        outcome = outcome_of(delivery, self._activity) if delivery is not None else None
        if outcome is not None:
            await self._commit_if_changed(outcome, durable=True)

    # --- the end ------------------------------------------------------------------------------------

    async def _end(self, politely: bool) -> None:
        """The driver's own way out if the agent is idle, then the ladder, until the loop sees the agent go."""
        calm = isinstance(self._activity.state, Idle) and self._activity.turn_error is None  # else a dialog may be open
        if politely and self._driver.quit_text and calm:
            await self._until_saved()
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

    async def _until_saved(self) -> None:
        activity = self._activity
        conversation = activity.conversation_id or self._agent.conversation_id
        if conversation is not None and activity.turns_ended and not activity.interrupted:
            await self._typist.until_saved(conversation)

    async def _quit(self, text: str) -> None:
        """Type it and press Enter, but for what an earlier life of ours has done of that already."""
        quit_id = DeliveryId(f"{self._agent.id}.quit")
        try:
            stamps = await self._session.stamps()
            if stamps.typed != quit_id:
                await self._typist.clear()
                await self._typist.paste(quit_id, text)
            if stamps.submitted != quit_id:
                await self._typist.enter(quit_id)
            await trio.sleep_forever()
        except OperatorError:
            return  # the ladder follows

    async def _finish(self) -> None:
        """The agent is gone: what was still to be typed is refused, and that is said."""
        for delivery in self._mail.owed():
            outcome = outcome_of(delivery, self._activity)
            if outcome is not None:
                await self._commit_if_changed(outcome, durable=True)
            else:
                await self._refuse(delivery, "the agent ended before it could take it")
        self.handle.close("has ended")


_MATERIAL = (
    "turns_ended", "title_speaks", "ready", "submission", "stalled",
    "background", "turn_error", "limit_until", "interrupting", "interrupted", "turn", "ending", "plans_taken",
    "conversation_id",
)  # fmt: skip
"""What of an activity is worth a commit; the rest is found again in the transcript."""
