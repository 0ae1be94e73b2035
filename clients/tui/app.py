"""The application: it joins the follower of one daemon, the board, the details and the acts."""

import shutil
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, assert_never

from rich.text import Text
from textual import on
from textual.app import App, ComposeResult, SystemCommand
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.screen import Screen
from textual.widgets import Input, Static
from textual.worker import Worker

from clients.api.errors import ApiError
from clients.cli.events import line
from clients.cli.terminal import Terminal
from clients.tui import say
from clients.tui.board import Board
from clients.tui.commands import ASKING, BY_NAME, COMMANDS, DECIDE, LOOK, OPERATOR, footer, help_lines
from clients.tui.daemons import Daemon, pick
from clients.tui.details import Details
from clients.tui.editor import Failed
from clients.tui.news import News, Offline, Online, Read
from clients.tui.panes import NARROW, WIDE, panes
from clients.tui.peek import Peek
from clients.tui.rows import Layout, Row, Section, arrived, layout_of, rows_of
from clients.tui.screens import Reader, text_strips
from clients.tui.steady import steady
from clients.tui.world import World, without_review
from supervisor.domain.views import EventView, ReviewView, TicketDetail

if TYPE_CHECKING:
    from clients.api.client import Client
    from clients.tui.acts import Acts
    from clients.tui.follow import Follower

_KEPT = 2000
"""Entries of the activity that can be looked back at here."""
_HISTORY, _RECENT = 5, 6
_THEMES = ("ansi-dark", "textual-dark", "textual-light")


class Main(Screen[None], inherit_bindings=False):
    """The board. Keys are the application's alone."""


class OperatorApp(App[None]):
    """`operator tui`."""

    CSS = """
    #head, #ticker, #foot { height: 1; }
    #foot { text-style: reverse; }
    #filter { height: 1; border: none; padding: 0 1; display: none; }
    #body { height: 1fr; }
    #detail, #peek { padding-left: 1; border-left: solid $primary; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(each.key, f"do('{each.name}')") for each in COMMANDS),
        Binding("escape", "unfilter"),
    ]

    def __init__(self, daemons: Sequence[Daemon], bell: bool = False) -> None:
        super().__init__()
        self._daemons = tuple(daemons)
        self._daemon = self._daemons[0]
        self._world: World | None = None
        self._offline: Offline | None = None
        self._held: tuple[str, ...] = ()
        self._layout: Layout = {}
        self._about_due = False
        self._entries: deque[EventView] = deque(maxlen=_KEPT)
        self._framed: tuple[Text, ...] = ()
        self._follower: Follower | None = None
        self._following: Worker[None] | None = None
        self._bell_rings = bell
        self._zoomed = False
        self._at_it: set[str] = set()
        self.opening = False
        """A dialog is about to open."""
        self._peeking: bool | None = None
        """None: as there is room."""
        self._left_behind: list[Callable[[], None]] = []
        self._clis = tuple(name for name in say.AGENT_CLIS if shutil.which(name))
        self.board = Board(id="board")
        self.details = Details(id="detail")
        self.peek = Peek(lambda: self.client, id="peek")
        self._head, self._ticker, self._foot = (Static(id=name, markup=False) for name in ("head", "ticker", "foot"))
        self._acts: Acts | None = None
        self.own: Mapping[str, Callable[[], None]] = {
            "next": self._next,
            "peek": self._peek,
            "palette": self.action_command_palette,
            "help": lambda: self._read("Every key   Esc back", help_lines()),
            "log": lambda: self._read("Activity   Esc back", [f" {each}" for each in map(self._line, self._entries)]),
            "zoom": self._zoom,
            "page_down": lambda: self.details.move(self.details.size.height - 1),
            "page_up": lambda: self.details.move(1 - self.details.size.height),
            "down": lambda: self.board.move(1),
            "up": lambda: self.board.move(-1),
            "first": lambda: self.board.move_to_end(last=False),
            "last": lambda: self.board.move_to_end(last=True),
            "filter": self._filter,
            "bell": self._bell,
            "theme": self._theme,
            "quit": self.exit,
        }

    def get_default_screen(self) -> Screen[None]:
        """The board."""
        return Main()

    def compose(self) -> ComposeResult:
        yield self._head
        with Horizontal(id="body"):
            yield self.board
            yield self.details
            yield self.peek
        yield self._ticker
        yield Input(id="filter", placeholder="words that a row must have; Esc shows all", disabled=True)
        yield self._foot

    def on_mount(self) -> None:
        self.theme = _THEMES[0]
        self.board.focus()
        self._arrange()
        self.set_interval(5.0, self._frame)
        self.call_after_refresh(self._follow)

    def on_resize(self) -> None:
        if self.board.is_mounted:
            self._arrange()

    def on_unmount(self) -> None:
        for remove in self._left_behind:
            remove()

    def _arrange(self) -> None:
        """Which panes there is room for."""
        never = self._world is None and self._offline is not None
        room = panes(self.size.width, zoomed=self._zoomed, peeking=self._peeking, nothing_yet=never)
        self.board.display, self.details.display, self.peek.display = room.board, room.details, room.peek
        self.board.styles.width = room.board_columns or "1fr"
        self.peek.watch_agent(self.board.selected.agent if self.board.selected else None)
        self._frame()

    def _frame(self) -> None:
        """Draw head and foot anew."""
        columns = self.size.width
        name = self._daemon.name if len(self._daemons) > 1 else ""
        recent = [self._line(each) for each in self._latest(_RECENT)]
        framed = (
            say.head(self._world, self._offline, name, len(self._held), columns, datetime.now(UTC)),
            say.ticker(recent, columns),
            Text(footer(columns)),
        )
        if framed != self._framed:
            self._framed = framed
            for line_of, text in zip((self._head, self._ticker, self._foot), framed, strict=True):
                line_of.update(text, layout=False)
        if self.board.selected is None:
            self.details.say(say.newcomer(self._world, self._offline, self._clis))

    def _latest(self, count: int) -> list[EventView]:
        """The newest entries, oldest first."""
        return list(islice(reversed(self._entries), count))[::-1]

    def _line(self, event: EventView) -> str:
        return steady(line(event, _PLAIN))

    @property
    def client(self) -> "Client | None":
        """The daemon's, once it was found."""
        return self._follower.client if self._follower is not None else None

    @property
    def acts(self) -> "Acts":
        """What the daemon is asked to do; loaded when it is wanted."""
        from clients.tui.acts import Acts

        if self._acts is None:
            self._acts = Acts(self)
        return self._acts

    def _follow(self) -> None:
        from clients.tui.follow import Follower  # HTTP and WebSockets are loaded behind the first picture

        self._follower = Follower(self._daemon.find, self.hear)
        self._following = self.run_worker(self._follower.run(), name="follower")

    def hear(self, news: News) -> None:
        """Show what the follower tells."""
        match news:
            case Online():
                self._offline = None
            case Offline():
                self._offline = news
                self._arrange()
            case Read(world=world):
                self._show(world)
            case EventView():
                self._entries.append(news)
                self.peek.heard(news.agent)
                return  # drawn with the reading that follows
            case never:
                assert_never(never)
        self._frame()

    def _show(self, world: World) -> None:
        first, self._world = self._world is None, world
        rows = rows_of(world)
        before, self._layout = self._layout, layout_of(rows.values())
        if not first:
            self._announce([rows[key] for key in arrived(before, self._layout)])
        self.board.update(rows)
        if first:
            self._arrange()

    def _announce(self, rows: Sequence[Row]) -> None:
        """Say what needs a person since a moment ago; several at once are one."""
        told = [row for row in rows if row.key != self.details.key]
        if not told:
            return
        if self._bell_rings:
            self.bell()
        self.say(say.announcement(told))

    @on(Board.Selected)
    def _selected(self) -> None:
        if not self._about_due:
            self._about_due = True
            self.call_after_refresh(self._tell_about)  # the mark moves at once; the page follows

    def _tell_about(self) -> None:
        """Show the page and the terminal of the selected row."""
        self._about_due = False
        row = self.board.selected
        self.peek.watch_agent(row.agent if row is not None else None)
        if row is None or self._world is None:
            self._frame()
            return
        about = [say.lately(each) for each in self._latest(200) if each.ticket == row.key][-_HISTORY:]
        another = self.details.about(row, self._world, tuple(about))
        if another and row.review is None and row.section is not Section.RUNNING:
            self.run_worker(self._fetch_ticket(row.key), group="ticket", exclusive=True)

    @on(Board.Held)
    def _announce_held(self, message: Board.Held) -> None:
        self._held = message.keys
        self._frame()

    def on_board_opened(self) -> None:
        self.action_do("attach")

    async def _fetch_ticket(self, key: str) -> None:
        if self.client is None:
            return
        try:
            found: TicketDetail = await self.client.ticket(key)
        except ApiError:
            return  # the row says what is known, and the head that nobody is heard
        self.details.add_ticket(found)

    # --- acts -----------------------------------------------------------------------------------------

    def action_do(self, name: str) -> None:
        """Do what this command says; beside the board only what decides. One act of a kind at a time."""
        if isinstance(self.screen, Reader) and BY_NAME[name].group != DECIDE:
            return
        if isinstance(self.focused, Input):
            return  # a letter that came too fast behind the filter's key: it was no command
        if self.opening and BY_NAME[name].group not in (LOOK, OPERATOR):
            return  # its dialog is about to open: this key was typed for it
        own = self.own.get(name)
        if own is not None:
            own()
        elif name not in self._at_it:
            self.opening = name in ASKING
            self.run_worker(self._try(name, self._switch if name == "daemon" else self.acts.by_name[name]))

    async def _try(self, name: str, act: Callable[[], Awaitable[None]]) -> None:
        self._at_it.add(name)
        try:
            await act()
        except ApiError as error:
            self.say(f"{error.message} {error.hint}".strip(), wrong=True)
        except Failed as error:
            self.say(str(error), wrong=True)
        else:
            return
        finally:
            self._at_it.discard(name)
            self.opening = self.opening and name not in ASKING
        if self._follower is not None:
            self._follower.again()  # it may be refused as something else is true by now

    def say(self, text: str, *, wrong: bool = False, long: bool = False) -> None:
        """A sentence in the corner, for a while."""
        timeout = 12 if wrong or long else 4
        self.notify(steady(text), severity="warning" if wrong else "information", timeout=timeout, markup=False)

    def decided(self, review: ReviewView) -> None:
        """A verdict was given here: what comes next comes up."""
        if isinstance(self.screen, Reader):
            self.pop_screen()
        self.details.let_go()
        if self._world is not None:
            self._world = without_review(self._world, review)
            self.board.update(rows_of(self._world))
            self.board.release()
        self.board.next_that_needs()

    def to_remove(self, remove: Callable[[], None]) -> None:
        """Have this done at the end."""
        self._left_behind.append(remove)

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """All that can be done, for the palette."""
        for each in COMMANDS:
            if each.name != "palette":
                yield SystemCommand(each.title, f"{each.group} · {each.sign}", partial(self.action_do, each.name))

    def _next(self) -> None:
        if isinstance(self.screen, Reader):
            self.pop_screen()
        if self.details.over:
            self.details.let_go()
        if not self.board.next_that_needs():
            self.say("Nothing needs you.")

    def _peek(self) -> None:
        self._peeking = not self.peek.display
        self._zoomed = False
        self._arrange()

    def show_details(self) -> None:
        """Have the details on the screen, if they are not."""
        if not self.details.display:
            self._zoomed = self.size.width < NARROW
            self._peeking = None if self.size.width >= WIDE else False
            self._arrange()

    def _zoom(self) -> None:
        self._zoomed = not self._zoomed
        self._arrange()

    def _read(self, title: str, lines: list[str]) -> None:
        self.push_screen(Reader(title, text_strips(lines)))

    def _bell(self) -> None:
        self._bell_rings = not self._bell_rings
        self.say(f"The bell {'rings' if self._bell_rings else 'is silent'} when something needs you.")

    def _theme(self) -> None:
        self.theme = _THEMES[(_THEMES.index(self.theme) + 1) % len(_THEMES)]

    async def _switch(self) -> None:
        """Another daemon, by its name."""
        found = await pick(self, self._daemons)
        if found is None:
            return
        if self._following is not None:
            self._following.cancel()
        self._daemon, self._world, self._offline = found, None, None
        self._entries.clear()
        self.board.clear()
        self._follow()
        self._frame()

    def _filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.disabled, box.display = False, True
        self.set_focus(box)

    @on(Input.Changed, "#filter")
    def _filtered(self, event: Input.Changed) -> None:
        self.board.filter(event.value)

    @on(Input.Submitted, "#filter")
    def _filter_set(self) -> None:
        box = self.query_one("#filter", Input)
        box.display = bool(box.value)
        box.disabled = True
        self.board.focus()

    def action_unfilter(self) -> None:
        """Show all rows again."""
        box = self.query_one("#filter", Input)
        box.value = ""
        self._filter_set()


_PLAIN = Terminal(columns=120)
