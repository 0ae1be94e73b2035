"""The host's one loop: it carries bytes between the agent's terminal and whoever watches, and waits for neither."""

from __future__ import annotations

import os
import selectors
import socket
import time
import traceback

from supervisor.ptyhost import files, wire
from supervisor.ptyhost.asks import Asks
from supervisor.ptyhost.clients import CHUNK, Client, Gone
from supervisor.ptyhost.keeper import Keeper
from supervisor.ptyhost.ladder import Ladder
from supervisor.ptyhost.terminal import Terminal, within

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from supervisor.ptyhost.start import Spec

CLIENTS = 64
"""Connections there may be at once; more are closed."""
KEYS_LIMIT = 256 * 1024
"""Bytes of input that the agent may leave unread before no more keys are taken from people."""
NUDGE = 0.1
"""Seconds for which a terminal is a row smaller, to have its program draw everything anew."""
FAREWELL = 2.0
"""Seconds that clients have to take the last words of a host."""
GRACE = 2.0
"""Seconds between the steps of the ladder, when it is the host that is asked to go."""
_IDLE = 60.0


class Host:
    """One agent's host. `run` returns when it was released, was asked to go, or nobody came for it."""

    def __init__(self, spec: Spec, terminal: Terminal, listener: socket.socket) -> None:
        """Raises OSError."""
        self.spec = spec
        self.terminal = terminal
        self.keeper = Keeper(spec.folder, spec.limit, terminal)
        self.ladder = Ladder(terminal)
        self.size = (within(spec.columns), within(spec.rows))
        self.released = False
        self._asks = Asks(self)
        self._clients: list[Client] = []
        self._listener = listener
        self._selector = selectors.DefaultSelector()
        self._wake, self._waker = socket.socketpair()
        for end in (self._wake, self._waker):
            end.setblocking(False)
        self._nudge_ends = 0.0
        self._leaving = self._climbed = False
        self._told_at: float | None = None
        """When a daemon was told how the agent ended."""

    def run(self) -> None:
        """Serve."""
        select = self._selector
        select.register(self._listener, selectors.EVENT_READ)
        select.register(self._wake, selectors.EVENT_READ)
        select.register(self.terminal.fileno(), selectors.EVENT_READ, self.terminal)
        self.terminal.wake_on_exit(self._waker)
        while not self._over():
            self.keeper.look_for_end()
            self._tick(time.monotonic())
            for client in list(self._clients):
                self._guarded(client, self._serve)
            self._choose()
            for key, events in select.select(self._patience()):
                self._happened(key, events)
        self._part()

    @property
    def _leaves_at(self) -> float:
        """When it goes by itself, once its agent has ended."""
        told = self._told_at
        return self.keeper.ended_at + self.spec.linger if told is None else told + self.spec.rest

    def leave(self) -> None:
        """The machine or its service manager wants the host gone: the agent first, then the host."""
        self._leaving = True

    def _over(self) -> bool:
        ended = self.keeper.ended is not None
        if self._leaving and not self.ladder.climbing:
            if self.ladder.empty or self._climbed:
                return True
            self._climbed = True
            self.ladder.climb(GRACE)
        return self.released or (ended and not self.watched and time.monotonic() > self._leaves_at)

    # --- waiting --------------------------------------------------------------------------------------

    def _choose(self) -> None:
        """What is worth being woken for."""
        takes_keys = self.keeper.unread < KEYS_LIMIT
        for client in self._clients:
            reads = selectors.EVENT_READ if takes_keys or client.role != "view" else 0
            self._watch(client, reads | (selectors.EVENT_WRITE if client.busy else 0))
        writes = selectors.EVENT_WRITE if self.keeper.unread else 0
        self._selector.modify(self.terminal.fileno(), selectors.EVENT_READ | writes, self.terminal)

    def _watch(self, client: Client, events: int) -> None:
        known = client.watched
        client.watched = events
        if events and known:
            self._selector.modify(client.socket, events, client)
        elif events:
            self._selector.register(client.socket, events, client)
        elif known:
            self._selector.unregister(client.socket)

    def _patience(self) -> float:
        """Seconds until something is due without anybody saying so."""
        now = time.monotonic()
        due = [now + _IDLE]
        due += [client.progress + self.spec.stall for client in self._clients if client.busy or not client.role]
        due += [self._nudge_ends] if self._nudge_ends else []
        look = self.ladder.next_look(self.keeper.ended is not None)
        due += [look] if look is not None else []
        due += [self._leaves_at] if self.keeper.ended is not None and not self.watched else []
        return max(0.0, min(due) - now)

    def _happened(self, key: selectors.SelectorKey, events: int) -> None:
        if key.fileobj is self._listener:
            self._accept()
        elif key.fileobj is self._wake:
            self._wake.recv(CHUNK)
        elif isinstance(key.data, Client):
            if events & selectors.EVENT_READ:
                self._guarded(key.data, self._hear)
        else:
            if events & selectors.EVENT_READ:
                self.keeper.take_output()
            if events & selectors.EVENT_WRITE:
                self.keeper.pass_input()

    def _tick(self, now: float) -> None:
        for client in list(self._clients):
            if (client.busy or not client.role) and now - client.progress > self.spec.stall:
                self._drop(client)
        if self._nudge_ends and now >= self._nudge_ends:
            self._nudge_ends = 0.0
            self.terminal.resize(*self.size)
        self.ladder.look(self.keeper.ended is not None)
        self._asks.tick()

    # --- clients --------------------------------------------------------------------------------------

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return  # it left before it was let in
        if len(self._clients) < CLIENTS:
            self._clients.append(Client(connection, time.monotonic()))
        else:
            connection.close()

    def _guarded(self, client: Client, act: Callable[[Client], None]) -> None:
        """Do something for a client; what it does wrong, or is done wrong for it, ends it and nobody else."""
        try:
            act(client)
        except (Gone, wire.WireError):
            self._drop(client)
        except Exception:
            # A fault of ours must not cost the agent its terminal. There is no log here but this file.
            files.write_fault(self.spec.folder, traceback.format_exc())
            self._drop(client)

    def _drop(self, client: Client) -> None:
        if client not in self._clients:
            return
        self._clients.remove(client)
        self._watch(client, 0)
        client.close()
        sized = [other.size for other in self._clients if other.size is not None]
        if client.size is not None and sized:
            self.resize(*sized[-1])

    def _serve(self, client: Client) -> None:
        """Give a client what it has not been told yet, as far as it takes it: what is left waits for room only."""
        keeper, now = self.keeper, time.monotonic()
        client.send(now)
        while client.role == "view" and not client.busy and client.place < keeper.end:
            if not client.show(self.spec.folder, keeper.end):
                self.show_screen(client)
            client.send(now)
        if client.role == "control" and not client.busy and client.told < keeper.end:
            client.told = keeper.end
            client.say(wire.GROWN, {"end": keeper.end})
            client.send(now)
        if client.role and keeper.ended is not None and not client.knows_end and not client.busy:
            client.knows_end = True
            if client.role == "control" and self._told_at is None:
                self._told_at = now
            client.say(wire.EXIT, {**keeper.ended.told(), "end": keeper.end})
            client.send(now)

    def _hear(self, client: Client) -> None:
        for frame in client.receive():
            if not client.role:
                self._greet(client, frame)
            elif frame.kind == wire.ASK:
                self._asks.answer(client, frame)
            elif frame.kind == wire.INPUT:
                self._prefer(client)
                self.keeper.press(frame.body)
            elif frame.kind == wire.RESIZE:
                client.size = within(frame.number("columns")), within(frame.number("rows"))
                self._prefer(client)
            else:
                raise wire.WireError("a frame that no client sends")

    def _greet(self, client: Client, frame: wire.Frame) -> None:
        if frame.kind != wire.HELLO:
            raise wire.WireError("it did not say hello")
        if frame.number("version") != wire.VERSION:
            client.say(wire.REFUSED, {"version": wire.VERSION, "reason": "another version of the protocol"})
            client.send(time.monotonic())
            raise Gone("another version")
        role = frame.text("role")
        if role not in ("control", "view"):
            raise wire.WireError("an unknown role")
        client.role = role
        before = self.size
        if role == "view" and "columns" in frame.head:
            client.size = within(frame.number("columns")), within(frame.number("rows"))
            self._prefer(client)
        client.say(wire.WELCOME, self._welcome())
        client.told = self.keeper.end
        if role == "view":
            self.show_screen(client, redraw=self.size == before)

    def _welcome(self) -> wire.Head:
        keeper = self.keeper
        head: wire.Head = {"version": wire.VERSION, "host": os.getpid(), "agent": self.terminal.pid}
        head |= {"end": keeper.end, "columns": self.size[0], "rows": self.size[1]}
        return head

    def show_screen(self, client: Client, *, redraw: bool = True) -> None:
        """Have a viewer's terminal show what this one does. `redraw`: the program may be asked to draw it, too."""
        self.keeper.catch_up()
        replay = self.keeper.replay()
        size = {"columns": self.size[0], "rows": self.size[1]}
        client.place = replay.end
        client.say(wire.REPLAY, {"end": replay.end, "exact": replay.exact, **size}, replay.data)
        if redraw and not replay.exact and self.keeper.ended is None:
            self._nudge_ends = time.monotonic() + NUDGE
            self.terminal.resize(self.size[0], self.size[1] - 1)

    # --- what asks do ---------------------------------------------------------------------------------

    @property
    def watched(self) -> bool:
        """Whether a person's own terminal is attached."""
        return any(client.size is not None for client in self._clients)

    def _prefer(self, client: Client) -> None:
        """The person who acts last decides how large the terminal is."""
        if client.size is not None:
            self._clients.remove(client)
            self._clients.append(client)
            self.resize(*client.size)

    def resize(self, columns: int, rows: int) -> None:
        """Give the terminal a size, and tell everybody."""
        size = (within(columns), within(rows))
        if size == self.size:
            return
        self.keeper.catch_up()
        self.size, self._nudge_ends = size, 0.0
        self.terminal.resize(*size)
        head: wire.Head = {"columns": size[0], "rows": size[1], "end": self.keeper.end}
        for client in [each for each in self._clients if each.role]:
            self._guarded(client, lambda each: each.say(wire.RESIZED, head))

    # --- the end --------------------------------------------------------------------------------------

    def _part(self) -> None:
        """Say the last words, for a moment at most, and take the socket away."""
        if self.released:
            files.remove(self.spec.folder, files.RECORD)
        try:
            os.unlink(self.spec.socket)
        except OSError:
            pass  # a new host may have its own there by now, or the folder is gone
        self._listener.close()
        deadline = time.monotonic() + FAREWELL
        for client in self._clients:
            client.socket.settimeout(max(0.01, deadline - time.monotonic()))
            self._guarded(client, self._serve_last)

    def _serve_last(self, client: Client) -> None:
        self._serve(client)
        while client.busy:
            client.send(time.monotonic())
