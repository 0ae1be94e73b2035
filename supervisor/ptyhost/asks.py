"""What the daemon asks a host to do, one by one: each is answered, and none makes the loop wait."""

from __future__ import annotations

from supervisor.ptyhost import wire
from supervisor.ptyhost.clients import Client, Gone
from supervisor.ptyhost.keeper import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from supervisor.ptyhost.host import Host

LONGEST_GRACE = 3600.0


class Asks:
    """A part of the host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._stops: list[tuple[Client, int]] = []
        """Who waits to hear that the agent and its group are gone."""

    def answer(self, client: Client, frame: wire.Frame) -> None:
        """Do what a frame asks. Raises WireError for one that makes no sense."""
        number = frame.number("id")
        if client.role != "control":
            raise wire.WireError("a viewer asks for nothing")
        try:
            self._do(client, number, frame)
        except Refused as refused:
            client.say(wire.REPLY, {"id": number, "error": refused.code, "message": str(refused)})

    def tick(self) -> None:
        """Answer those whose ladder has come to its end."""
        if self._stops and not self._host.ladder.climbing:
            waiting, self._stops = self._stops, []
            for client, number in waiting:
                try:
                    client.say(wire.REPLY, {"id": number, "empty": self._host.ladder.empty})
                except Gone:
                    pass  # dropped when it is next served

    def _do(self, client: Client, number: int, frame: wire.Frame) -> None:
        keeper = self._host.keeper
        answer: wire.Head = {"id": number}
        body = b""
        match frame.text("do"):
            case "type":
                keeper.type(frame.text("delivery"), frame.body)
            case "submit":
                keeper.submit(frame.text("delivery"))
            case "keys":
                normal = frame.number("normal", 0, len(frame.body))
                keeper.press_named(frame.body[:normal], frame.body[normal:])
            case "stamps":
                answer |= keeper.stamps()
            case "replay":
                keeper.catch_up()
                replay = keeper.replay()
                answer |= {"end": replay.end, "exact": replay.exact}
                body = replay.data
            case "resize":
                if not self._host.watched:
                    self._host.resize(frame.number("columns"), frame.number("rows"))
            case "stop":
                grace = frame.head.get("grace")
                if not isinstance(grace, int | float) or not 0 <= grace <= LONGEST_GRACE:
                    raise wire.WireError("grace is no number of seconds")
                self._host.ladder.climb(grace)
                self._stops.append((client, number))
                return
            case "release":
                keeper.look_for_end()
                if keeper.ended is None:
                    raise Refused("lives", "the agent still runs")
                self._host.released = True
            case _:
                raise wire.WireError("it asks for something unknown")
        client.say(wire.REPLY, answer, body)
