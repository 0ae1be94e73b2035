"""When a look may next tell something that no event does. Pure: the session actor sleeps until then."""

from datetime import datetime

from supervisor.domain.agent import Activity, Asking, Running, Source, Starting
from supervisor.domain.contradiction import contradicted, title_believed_at
from supervisor.domain.signals import Rules

PROMPT_LOOK = 0.3
"""Seconds of silence after which a driver's prompt pattern is looked for on the screen."""
READY_LOOK = 0.15
"""Seconds between two looks at the status file of an agent that starts."""
DIALOG_LOOK = 0.5
"""Seconds between two looks at the status file of an agent at a dialog, or whose title contradicts its hooks."""


def next_look(
    activity: Activity, rules: Rules, silent: float, since_look: float, now: datetime, *, looked: bool
) -> float | None:
    """Seconds until a conclusion could be drawn (0: now); None where only an event can tell.

    `silent` is how long nothing has been written, `since_look` how long ago the last look was, `looked` whether
    the screen was read since the last output. The caller leaves a pause between two looks.
    """
    waits: list[float] = []
    if rules.status_file and isinstance(activity.state, Starting):
        waits.append(READY_LOOK - since_look)
    if rules.status_file and at_dialog(activity):
        waits.append(DIALOG_LOOK - since_look)
    if isinstance(activity.state, Starting | Running):
        waits += _silence(activity, rules, silent, looked)
    believed_at = title_believed_at(activity, rules.status_file)
    if believed_at is not None and contradicted(activity):
        pause = DIALOG_LOOK - since_look if rules.status_file else 0.0
        waits.append(max(pause, (believed_at - now).total_seconds()))
    return max(0.0, min(waits)) if waits else None


def at_dialog(activity: Activity) -> bool:
    """Whether it waits at a dialog whose end no hook may tell."""
    return isinstance(activity.state, Asking) and activity.state.proof.source is not Source.TITLE


def _silence(activity: Activity, rules: Rules, silent: float, looked: bool) -> list[float]:
    waits: list[float] = []
    if rules.has_prompt_pattern:
        if not looked:
            waits.append(PROMPT_LOOK - silent)
    elif not activity.title_speaks and activity.hook_at is None and not rules.status_file:
        waits.append(rules.idle_after - silent)
    if isinstance(activity.state, Running):
        waiting = activity.submission
        speaks = activity.title_speaks or activity.hook_at is not None or rules.status_file
        if speaks and waiting is not None and not waiting.reacted:
            waits.append(rules.reaction_within - silent)
        if activity.stalled is None:
            waits.append(rules.stall_after - silent)
    return waits
