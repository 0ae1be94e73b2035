"""Changes to an issue by REST: labels one by one, so that a person's change to others meanwhile is kept."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from supervisor.adapters.kanban.github.client import GitHub
from supervisor.adapters.kanban.github.mapping import Reading
from supervisor.adapters.kanban.github.refs import Ref
from supervisor.adapters.kanban.github.rules import folded, label_priority, type_of
from supervisor.domain.errors import BoardStatus
from supervisor.ports import Edit

_COLOR, _SAYS = "1d76db", "An agent works on it; Operator sets and removes this label"


class Labels:
    """The labels of a repository, of which Operator makes those that it needs."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._made: set[tuple[str, str]] = set()

    async def wear(self, repo: str, number: int, worn: Iterable[str], wanted: str | None, ours: frozenset[str]) -> None:
        """Have an issue wear `wanted`, and no other of ours."""
        names = list(worn)
        if wanted is not None and wanted.casefold() not in {each.casefold() for each in names}:
            await self._make(repo, wanted)
            await self._github.rest("POST", f"/repos/{repo}/issues/{number}/labels", json={"labels": [wanted]})
        for name in names:
            if name.casefold() in ours and name.casefold() != (wanted or "").casefold():
                path = f"/repos/{repo}/issues/{number}/labels/{quote(name, safe='')}"
                await self._github.rest("DELETE", path, accept=(200, 404))

    async def _make(self, repo: str, name: str) -> None:
        if (repo, name) in self._made:
            return
        known = await self._github.rest("GET", f"/repos/{repo}/labels/{quote(name, safe='')}", accept=(200, 404))
        if known.status == 404:
            label = {"name": name, "color": _COLOR, "description": _SAYS}
            await self._github.rest("POST", f"/repos/{repo}/labels", json=label, accept=(201, 422))
        self._made.add((repo, name))


def edited_labels(present: tuple[str, ...], edit: Edit, reading: Reading, type_label: str | None) -> list[str]:
    """An issue's labels after an edit: those of its state stay, and its priority and its type have one each.

    `type_label` shows the edit's type; None for the type of tickets that name none.
    """
    names = list(present)
    if edit.labels is not None:
        kept = [each for each in present if folded(each) in reading.labels.all or label_priority(each) is not None]
        names = [*edit.labels, *kept]
    if edit.priority is not None:
        names = [each for each in names if label_priority(each) is None] + [f"P{edit.priority}"]
    if edit.type is not None:
        names = [each for each in names if type_of([each], reading.mapped, reading.types) is None]
        names += [type_label] if type_label is not None else []
    return list({folded(each): each for each in names}.values())


def label_of(type_name: str, reading: Reading, default_type: str) -> str | None:
    """The label that shows a type; none for the type of tickets that name none."""
    if type_name == default_type:
        return None
    return next((theirs for theirs, ours in reading.mapped.items() if ours == type_name), type_name)


async def edit_issue(
    github: GitHub, ref: Ref, labels: tuple[str, ...], edit: Edit, mark: str, reading: Reading, default_type: str
) -> None:
    """Change an issue's text and labels in one request; none if it has them already."""
    wanted = changes(edit, mark)
    if edit.labels is not None or edit.priority is not None or edit.type is not None:
        label = label_of(edit.type, reading, default_type) if edit.type is not None else None
        after = edited_labels(labels, edit, reading, label)
        if {folded(each) for each in after} != {folded(each) for each in labels}:
            wanted["labels"] = after
    if wanted:
        await github.rest("PATCH", f"/repos/{ref.repo}/issues/{ref.number}", json=wanted)


def changes(edit: Edit, mark: str) -> dict[str, Any]:
    """What of an edit is a text of an issue."""
    wanted: dict[str, Any] = {}
    if edit.title is not None:
        wanted["title"] = edit.title
    if edit.body is not None:
        wanted["body"] = edit.body + mark
    return wanted


def must_be_possible(edit: Edit) -> None:
    """Raise BoardStatus for what a GitHub board has no place for."""
    if edit.project is not None or edit.driver is not None:
        raise BoardStatus(
            "GitHub has no place for a ticket's project or driver", hint="set them for the collection in operator.toml"
        )
    if edit.blocked_by is not None:
        raise BoardStatus(
            "what an issue waits for is not changed from here",
            hint="set it on GitHub: Relationships, Mark as blocked by",
        )
