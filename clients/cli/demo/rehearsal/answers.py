"""What a hook's answer decides. Read leniently as a whole, strictly in what counts: all else is no opinion."""

import json

Json = dict[str, object]


class Decision:
    """A decision in the shape that its event has for it."""

    def __init__(self, behavior: str, message: str | None = None) -> None:
        self.behavior = behavior
        """allow, deny, ask, block; or `context`, which only adds a message for the model."""
        self.message = message
        self.updated_input: Json | None = None
        self.interrupt = False
        self.mode: str | None = None
        """The permission mode to change to."""


def read_answer(event: str, body: bytes) -> Decision | None:
    """The decision in the answer to a hook of this event."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(answer, dict):
        return None
    specific = _mapping(answer.get("hookSpecificOutput"))
    named = specific.get("hookEventName") == event
    if event == "PermissionRequest":
        return _permission(_mapping(specific.get("decision"))) if named else None
    if event == "PreToolUse":
        return _tool(specific) if named else None
    if event in ("UserPromptSubmit", "Stop"):
        if answer.get("decision") == "block":
            reason = answer.get("reason")
            return Decision("block", reason) if isinstance(reason, str) else None
        context = specific.get("additionalContext")
        if named and event == "UserPromptSubmit" and isinstance(context, str):
            return Decision("context", context)
    return None


def _permission(found: Json) -> Decision | None:
    decision = _told(found.get("behavior"), ("allow", "deny"), found.get("message"))
    if decision is None:
        return None
    decision.interrupt = decision.behavior == "deny" and found.get("interrupt") is True
    if decision.behavior == "allow":
        decision.updated_input = _mapping(found.get("updatedInput")) or None
        decision.mode = _mode(found.get("updatedPermissions"))
    return decision


def _tool(found: Json) -> Decision | None:
    asked = ("allow", "deny", "ask")
    decision = _told(found.get("permissionDecision"), asked, found.get("permissionDecisionReason"))
    if decision is not None and decision.behavior == "allow":
        decision.updated_input = _mapping(found.get("updatedInput")) or None
    return decision


def _told(behavior: object, known: tuple[str, ...], message: object) -> Decision | None:
    if not isinstance(behavior, str) or behavior not in known or not isinstance(message, (str, type(None))):
        return None
    return Decision(behavior, message)


def _mode(updates: object) -> str | None:
    """The mode that an update sets. Rules are not kept: a script asks only where it says so."""
    mode = None
    for update in updates if isinstance(updates, list) else []:
        entry = _mapping(update)
        if entry.get("type") == "setMode" and isinstance(found := entry.get("mode"), str):
            mode = found
    return mode


def _mapping(value: object) -> Json:
    return value if isinstance(value, dict) else {}
