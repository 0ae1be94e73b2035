"""The verbs by which a coding agent asks a person: to approve a plan, to answer a question. And a dialog unasked."""

from collections.abc import Callable, Iterator

from clients.cli.demo.rehearsal.dialogs import FEEDBACK, Dialog
from clients.cli.demo.rehearsal.protocol import Json, Protocol, Tool
from clients.cli.demo.rehearsal.screen import Screen
from clients.cli.demo.rehearsal.script import unescape
from clients.cli.demo.rehearsal.waits import SOON, Unplayable, Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from clients.cli.demo.rehearsal.answers import Decision

PLAN_CHOICES = [
    ("auto", "Yes, and use auto mode"),
    ("default", "Yes, manually approve edits"),
    (FEEDBACK, "Tell it what to change"),
]
UNANSWERED = "The user did not answer the question."
HEADER_LENGTH = 12


class Asking:
    """Asks, and tells the model what was answered."""

    def __init__(self, screen: Screen, protocol: Protocol) -> None:
        self._screen = screen
        self._protocol = protocol
        self.verbs: dict[str, Callable[[str], Iterator[Wait]]] = {
            "plan": self._plan, "ask": self._ask, "dialog": self._dialog,
        }  # fmt: skip

    def _denied(self, decision: "Decision | None") -> bool:
        if decision is None or decision.behavior != "deny":
            return False
        self._protocol.tell("Permission denied by hook" if decision.message is None else decision.message)
        self._screen.line(f"  ⎿  {decision.message or 'Denied'}")
        return True

    # A plan

    def _plan(self, text: str) -> Iterator[Wait]:
        session = self._protocol.session
        plan = unescape(text) + "\n"
        if session.mode != "plan":  # the model may enter plan mode without asking
            session.mode_before_plan, session.mode = session.mode, "plan"
        yield from self._write_plan(plan)
        tool = Tool("ExitPlanMode", {"plan": plan, "planFilePath": session.plan})
        decision = yield from self._protocol.before(tool)
        if self._denied(decision):
            return  # but no hook approves a plan before it was shown
        for line in plan.splitlines():
            self._screen.line(f"  {line}")
        dialog = Dialog("plan", [" Would you like to proceed?", ""], PLAN_CHOICES, ["", f" {session.plan}"])
        decision = yield from self._protocol.ask(tool, dialog)
        if self._denied(decision):
            return
        if dialog.outcome == FEEDBACK:
            self._protocol.tell(f"The user wants the plan changed. The user said: {dialog.text}")
            return
        edited = None if decision is None or decision.updated_input is None else decision.updated_input.get("plan")
        if isinstance(edited, str):
            plan = edited
            session.write_plan(plan)
        session.mode = self._mode_after(dialog, decision)
        self._screen.line("● The plan is approved")
        told = f"The user has approved the plan:\n{plan}"
        yield from self._protocol.after(tool, told, {"plan": plan, "filePath": session.plan})

    def _write_plan(self, plan: str) -> Iterator[Wait]:
        """The model writes the file by its own tool; nobody is asked for that."""
        session = self._protocol.session
        tool = Tool("Write", {"file_path": session.plan, "content": plan})
        if self._denied((yield from self._protocol.before(tool))):
            return
        session.write_plan(plan)
        response: Json = {"type": "create", "filePath": session.plan, "content": plan, "structuredPatch": []}
        yield from self._protocol.after(tool, "Wrote the plan.", response)

    def _mode_after(self, dialog: Dialog, decision: "Decision | None") -> str:
        if dialog.outcome is not None:
            return dialog.outcome
        asked = None if decision is None else decision.mode
        # Neither can be asked for here; both silently end in the default.
        if asked in ("plan", "bypassPermissions"):
            return "default"
        return asked or self._protocol.session.mode_before_plan

    # A question

    def _ask(self, text: str) -> Iterator[Wait]:
        question, *labels = (part.strip() for part in text.split("|"))
        labels = labels or ["Yes", "No"]
        if not question or not all(labels) or len(labels) > 9:
            raise Unplayable(f"not a question with options: {text!r}")
        options: list[Json] = [{"label": label, "description": f"Option {label}"} for label in labels]
        header = question[:HEADER_LENGTH]
        asked: Json = {"question": question, "header": header, "options": options, "multiSelect": False}
        tool = Tool("AskUserQuestion", {"questions": [asked]})
        decision = yield from self._protocol.before(tool)
        if self._denied(decision):
            return
        rows = [f" \N{BALLOT BOX} {header}", "", question, ""]
        dialog = Dialog("question", rows, [(label, label) for label in labels])
        if decision is None or decision.behavior != "allow" or decision.updated_input is None:
            decision = yield from self._protocol.ask(tool, dialog)
            if self._denied(decision):
                return
        yield from self._answered(tool, question, dialog, decision)

    def _answered(self, tool: Tool, question: str, dialog: Dialog, decision: "Decision | None") -> Iterator[Wait]:
        if decision is None:
            tool.input = {**tool.input, "answers": {question: dialog.outcome}}
        elif decision.updated_input is not None:
            if "questions" not in decision.updated_input:
                yield from self._protocol.after(tool, "Error: questions is missing", None)
                return
            tool.input = decision.updated_input
        answers = tool.input.get("answers")
        answer = answers.get(question) if isinstance(answers, dict) else None
        told = f'The user answered: "{question}"="{answer}"' if isinstance(answer, str) else UNANSWERED
        self._screen.line(f"  ⎿  {told}")
        yield from self._protocol.after(tool, told, dict(tool.input))

    # A dialog that nobody asked for

    def _dialog(self, text: str) -> Iterator[Wait]:
        # No hook, title or status file tells of it, and the turn goes on below it.
        dialog = Dialog("notice", [f" {line}" for line in unescape(text).split("\n")], [("seen", "OK")])
        dialog.by_enter, dialog.by_escape = None, "seen"
        self._protocol.dialogs.open(dialog)
        yield SOON
