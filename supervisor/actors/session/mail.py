"""The texts that are owed to one agent, in order. Records only: the session actor types."""

from supervisor.actors.kit import Watch
from supervisor.domain.agent import SETTLED, Delivery, DeliveryState
from supervisor.domain.ids import DeliveryId

_ENTERED = (DeliveryState.SUBMITTED, DeliveryState.DELIVERED, DeliveryState.UNKNOWN)


class Mail:
    """A part of the session actor. `watches` is what others see; it changes only after a commit, but for what a
    session's stamps tell of a pending text."""

    def __init__(self) -> None:
        self.watches: dict[DeliveryId, Watch[Delivery]] = {}
        self._open: list[DeliveryId] = []

    def load(self, stored: list[Delivery]) -> None:
        self._open = []
        for delivery in sorted(stored, key=lambda each: each.created_at):
            self.show(delivery)
            if delivery.state not in SETTLED:
                self._open.append(delivery.id)

    def known(self, delivery_id: DeliveryId) -> Delivery | None:
        watch = self.watches.get(delivery_id)
        return watch.value if watch is not None else None

    def accept(self, delivery: Delivery) -> None:
        """Take in a committed delivery, behind those that wait."""
        self.show(delivery)
        self._open.append(delivery.id)

    def show(self, delivery: Delivery) -> None:
        """Show a delivery as it is now; a settled one is no longer owed."""
        watch = self.watches.get(delivery.id)
        if watch is None:
            self.watches[delivery.id] = Watch(delivery)
        else:
            watch.set(delivery)
        if delivery.state in SETTLED and delivery.id in self._open:
            self._open.remove(delivery.id)

    def first(self, *states: DeliveryState) -> Delivery | None:
        """The delivery whose turn it is, if it is in one of these states (any, if none is named)."""
        if not self._open:
            return None
        delivery = self.watches[self._open[0]].value
        return delivery if not states or delivery.state in states else None

    def last_entered(self) -> Delivery | None:
        """The delivery that was entered last."""
        return next((each.value for each in reversed(self.watches.values()) if each.value.state in _ENTERED), None)

    def owed(self) -> list[Delivery]:
        return [self.watches[each].value for each in self._open]
