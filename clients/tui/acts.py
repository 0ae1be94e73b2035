"""What a person does: each act asks the daemon, and says what came of it. Failures are the caller's to say."""

import shutil
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from textual.screen import ModalScreen, Screen

from clients.api.client import Client, TicketText
from clients.api.errors import Refused
from clients.cli.asked import meant
from clients.tui.changes import Changes
from clients.tui.dialogs import Choose, Confirm, Write
from clients.tui.diff import patch_of
from clients.tui.editor import Failed, attach, launch_viewer, viewer
from clients.tui.rows import Row, Section
from clients.tui.say import template, title_and_body
from clients.tui.steady import steady
from supervisor.domain.views import ArtifactView, ReviewView

if TYPE_CHECKING:
    from clients.tui.app import OperatorApp

T = TypeVar("T")
_OPENED = "operator-open-"
_CAPS = ("no_slot",)
"""Refusals that a person may insist against."""


class Acts:
    """The acts that need the daemon, by the names of their commands."""

    def __init__(self, app: "OperatorApp") -> None:
        self._app = app
        self.by_name: Mapping[str, Callable[[], Awaitable[None]]] = {
            "approve": self.approve,
            "reject": self.reject,
            "answer": self.answer,
            "attach": self.attach,
            "prompt": self.prompt,
            "sync": self.sync,
            "pause": self.pause,
            "resume": self.resume,
            "diff": self.diff,
            "open": self.open,
            "interrupt": self.interrupt,
            "stop": self.stop,
            "new": self.new,
            "edit": self.edit,
            "raise": lambda: self.prioritize(-1),
            "lower": lambda: self.prioritize(1),
            "launch": self.launch,
            "retry": self.retry,
            "cancel": self.cancel,
            "done": self.done,
        }

    # --- deciding -------------------------------------------------------------------------------------

    async def approve(self) -> None:
        """Approve the review on the screen."""
        review = self._review("approve")
        if review.kind == "question":
            await self.answer()
            return
        said = await self._client.approve(review.agent_id, review.id)
        self._decided(review, said.message)

    async def reject(self) -> None:
        """Reject the review on the screen: it stays the one that is meant, however long the reason takes."""
        review = self._review("reject")
        asked = f"Reject the {review.kind} of {review.ticket_id}? The agent is told this, letter for letter:"
        reason = await self._ask(Write(asked, send="reject", empty="A rejection needs a reason."))
        if reason is not None:
            said = await self._client.reject(review.agent_id, reason.strip("\r\n"), review.id)
            self._decided(review, said.message)

    async def answer(self) -> None:
        """Answer the questions on the screen, one after the other; all are sent together."""
        review = self._review("answer")
        if review.kind != "question":
            raise Failed(f"This is a {review.kind}: Y approves it, X rejects it.")
        answers: dict[str, str] = {}
        for question in review.questions:
            hint = "Numbers or your own words" if question.multiple else "A number, or your own words"
            labels = [f"{each.label}  {each.description}".rstrip() for each in question.options]
            words = await self._ask(Choose(question.text, labels, hint))
            if words is None:
                return
            answers[question.text] = meant(question, words)
        said = await self._client.answer(review.agent_id, answers, review.id)
        self._decided(review, said.message)

    def _review(self, verb: str) -> ReviewView:
        details = self._app.details
        review = details.review
        if review is None:
            raise Failed(f"Nothing is shown here to {verb}; tab goes to what needs you.")
        selected = self._app.board.selected
        if not details.display or selected is None or details.key != selected.key:
            self._app.show_details()
            raise Failed("Look at it, and press again.")
        if details.fresh:
            raise Failed("This has only just appeared: look at it, and press again.")
        return review

    def _decided(self, review: ReviewView, message: str) -> None:
        self._app.say(message)
        self._app.decided(review)

    # --- agents ---------------------------------------------------------------------------------------

    async def attach(self) -> None:
        """Sit down at the selected agent's terminal, and come back to the same place."""
        row = self._row()
        view = await self._client.attach(self._agent(row))
        if not view.argv:
            raise Failed(f"The session of {view.agent_id} is not there yet.")
        code = attach(self._app, view.argv)
        if code:
            self._app.say(f"The terminal of {row.key} ended with {code}.", wrong=True)

    async def prompt(self) -> None:
        """Type a text into the selected agent's terminal."""
        row = self._row()
        agent = self._agent(row)
        text = await self._ask(Write(f"To {row.key}, typed into its terminal:"))
        if text is not None:
            said = await self._client.prompt(agent, text)
            why = f": {said.reason}" if said.reason else ""
            self._app.say(f"The prompt to {row.key} is {said.delivery}{why}.", wrong=said.delivery == "refused")

    async def interrupt(self) -> None:
        """End its turn."""
        row = self._row()
        await self._client.interrupt(self._agent(row))
        self._app.say(f"{row.key}: the key that ends its turn was pressed.")

    async def stop(self) -> None:
        """End it: what its process holds in memory is gone."""
        row = self._row()
        agent = self._agent(row)
        if await self._sure(f"Stop the agent of {row.key} and all its processes?"):
            await self._client.stop(agent)
            self._app.say(f"The agent of {row.key} is stopped.")

    async def diff(self) -> None:
        """The changes of the selected agent's worktree."""
        row = self._row()
        patch = await self._client.diff(self._agent(row))
        if not patch.strip():
            raise Failed(f"{row.key} has changed nothing yet.")
        self._app.push_screen(Changes(f"{row.key} · {row.title}", patch_of(patch)))

    async def open(self) -> None:
        """Open what a review is about: in the desktop's own program, or say where it lies."""
        review = self._app.details.review
        if review is None or not (review.artifacts or review.url):
            raise Failed("Nothing is shown here that could be opened.")
        target = review.url
        if review.artifacts:
            names = [each.name for each in review.artifacts]
            chosen = names[0]
            if len(names) > 1:
                words = await self._ask(Choose("Which one?", names, "Its number"))
                if words is None:
                    return
                number = int(words) if words.isascii() and words.isdigit() else 0
                chosen = names[number - 1] if 1 <= number <= len(names) else words
            target = await self._fetched(review, next((a for a in review.artifacts if a.name == chosen), None))
        assert target is not None
        program = viewer()
        if program is None:
            self._app.say(f"No desktop is here to open it. It is at {target}", long=True)
            return
        launch_viewer(program, target)

    async def _fetched(self, review: ReviewView, artifact: ArtifactView | None) -> str:
        """Where an artifact can be opened: its own address, or a copy of it."""
        if artifact is None:
            raise Failed("There is no such file.")
        if artifact.url is not None and artifact.url.startswith(("http:", "https:")):
            return artifact.url
        content = await self._client.artifact(review.id, artifact.name)
        folder = Path(tempfile.mkdtemp(prefix=_OPENED))
        self._app.to_remove(lambda: shutil.rmtree(folder, ignore_errors=True))
        copy = folder / (Path(artifact.name).name or "artifact")
        copy.write_bytes(content)
        return str(copy)

    # --- tickets --------------------------------------------------------------------------------------

    async def new(self) -> None:
        """Add a ticket: its type, then its title and text in one."""
        types = await self._client.issue_types()
        names = [each.name for each in types]
        labels = [f"{each.name}  {' → '.join(each.steps)}" for each in types]
        words = await self._ask(Choose("A new ticket of which type?", labels, "Its number or name"))
        if words is None:
            return
        number = int(words) if words.isascii() and words.isdigit() else 0
        name = names[number - 1] if 1 <= number <= len(names) else words.upper()
        asked = f"A new {name}: its title in the first line, what is wanted below."
        text = await self._ask(Write(asked, template(name), send="add it"))
        if text is None:
            return
        title, body = title_and_body(text)
        made = await self._client.create_ticket(TicketText(title=title, body=body, type=name))
        self._app.say(f"{made.id} is added.")

    async def edit(self) -> None:
        """Change a ticket's title and text."""
        row = self._row()
        ticket = await self._client.ticket(row.key)
        asked = f"{row.key}: its title in the first line, its text below."
        text = await self._ask(Write(asked, f"{ticket.title}\n\n{ticket.body}", send="save it"))
        if text is not None:
            title, body = title_and_body(text)
            await self._client.edit_ticket(row.key, TicketText(title=title, body=body))
            self._app.say(f"{row.key} is changed.")

    async def prioritize(self, step: int) -> None:
        """One nearer to 1, which comes first, or one further from it."""
        row = self._row()
        ticket = await self._client.ticket(row.key)
        now = ticket.priority if ticket.priority is not None else 5
        wanted = min(max(now + step, 1), 9)
        await self._client.edit_ticket(row.key, TicketText(priority=wanted))
        self._app.say(f"{row.key} has priority {wanted}.")

    async def launch(self) -> None:
        """Start an agent on it now; beyond the caps only if that is meant."""
        row = self._row()
        full: Refused | None = None
        try:
            made = await self._client.launch(row.key)
        except Refused as refused:
            if refused.code not in _CAPS:
                raise
            full = refused
        else:
            self._app.say(f"{made.agent_id} is {made.phase}.")
        if full is not None and await self._sure(f"{full.message} Start it all the same?"):
            made = await self._client.launch(row.key, force=True)
            self._app.say(f"{made.agent_id} is {made.phase}.")

    async def retry(self) -> None:
        """Back in line."""
        row = self._row()
        await self._client.retry(row.key)
        self._app.say(f"{row.key} is back in line.")

    async def cancel(self) -> None:
        """Give it up."""
        row = self._row()
        stops = " Its agent is stopped." if row.section in (Section.RUNNING, Section.NEEDS_YOU) else ""
        if await self._sure(f"Give {row.key} up?{stops}"):
            await self._client.cancel(row.key)
            self._app.say(f"{row.key} is given up.")

    async def done(self) -> None:
        """Call it done; its agent ends."""
        row = self._row()
        if await self._sure(f"Call {row.key} done? Its agent ends."):
            await self._client.finish(row.key)
            self._app.say(f"{row.key} is done.")

    # --- the queue ------------------------------------------------------------------------------------

    async def sync(self) -> None:
        """Read the boards, and say what that brought."""
        self._app.say("Reading the boards…")
        view = await self._client.sync()
        counts = {"new": view.created, "updated": view.updated, "closed": view.closed}
        parts = [f"{len(keys)} {word}" for word, keys in counts.items() if keys]
        told = ", ".join(parts) or "nothing new"
        if view.errors:
            self._app.say(f"Sync: {told}; {'; '.join(view.errors)}", wrong=True)
        else:
            self._app.say(f"Sync: {told}, {view.total_processed} read.")

    async def pause(self) -> None:
        """Start no more agents."""
        self._app.say((await self._client.pause()).message)

    async def resume(self) -> None:
        """Start agents again."""
        self._app.say((await self._client.resume()).message)

    # --- what they all need ---------------------------------------------------------------------------

    @property
    def _client(self) -> Client:
        client = self._app.client
        if client is None:
            raise Failed("No daemon is heard; it is looked for all the time.")
        return client

    def _row(self) -> Row:
        row = self._app.board.selected
        if row is None:
            raise Failed("No row is selected.")
        return row

    def _agent(self, row: Row) -> str:
        if row.agent is None:
            raise Failed(f"{row.key} has no agent yet; L starts one.")
        return row.agent

    async def _ask(self, dialog: Screen[T]) -> T:
        self._app.opening = False
        return await self._app.push_screen_wait(dialog)

    async def _sure(self, asked: str) -> bool:
        dialog: ModalScreen[bool] = Confirm(steady(asked))
        return await self._ask(dialog)
