"""When a look may next tell something that no event does. Pure: the session actor sleeps until then."""

from datetime import datetime, timedelta
from typing import assert_never

from supervisor.domain.agent import GONE, Activity, Asking, Exited, Idle, Lost, Meaning, Running, Source, Starting
from supervisor.domain.contradiction import CONTRADICTION, STATUS_LAG, contradicted, title_believed_at, told_at
from supervisor.domain.signals import Rules

PROMPT_LOOK = 0.3
"""Seconds of silence after which a driver's prompt pattern is looked for on the screen."""
READY_LOOK = 0.15
"""Seconds between two looks at the status file of an agent that starts."""
TITLE_RESTS = timedelta(seconds=0.3)
"""How long the title of a CLI that starts says idle before that is believed: it shows a spinner right after it."""
NO_TITLE = timedelta(seconds=5)
STATUS_LOOK = 0.5
"""Seconds between two looks at the status file of another, at least; and of silence before one."""
STATUS_LOOK_AT_MOST = 5.0
"""The same at most: an agent that is silent for long is looked at less often, for what it does shows."""


def next_look(
    activity: Activity, rules: Rules, silent: float, since_look: float, now: datetime, *, looked: bool
) -> float | None:
    """Seconds until a conclusion could be drawn (0: now); None where only an event can tell.

    `silent` is how long nothing has been written, `since_look` how long ago the last look was, `looked` whether
    the screen was read since the last output. The caller leaves a pause between two looks.
    """
    waits: list[float] = []
    if rules.status_file:
        waits += _status(activity, silent, since_look, now)
    elif rules.screen_tells_ready and not activity.ready and isinstance(activity.state, Starting | Asking):
        return max(0.0, (READY_LOOK if isinstance(activity.state, Starting) else STATUS_LOOK) - since_look)
    else:
        waits += _title(activity, now, patient=rules.screen_tells_ready)
    if isinstance(activity.state, Starting | Running):
        waits += _silence(activity, rules, silent, looked)
    return max(0.0, min(waits)) if waits else None


def _title(activity: Activity, now: datetime, *, patient: bool) -> list[float]:
    if activity.ending is not None and activity.title_says not in (Meaning.BUSY, Meaning.ASKING):
        return [(told_at(activity) + CONTRADICTION - now).total_seconds()]
    believed_at = title_believed_at(activity, patient)
    return [(believed_at - now).total_seconds()] if believed_at is not None and contradicted(activity) else []


def _status(activity: Activity, silent: float, since_look: float, now: datetime) -> list[float]:
    """When the status file may tell something: again and again while there is a doubt, and once after each output."""
    if isinstance(activity.state, Starting):
        return [READY_LOOK - since_look]
    if isinstance(activity.state, GONE):
        return []
    told = (told_at(activity) + STATUS_LAG - now).total_seconds()
    if doubtful(activity):
        pause = min(max(STATUS_LOOK, (silent - since_look) / 3), STATUS_LOOK_AT_MOST)
        return [max(pause - since_look, told)]
    unseen = since_look > silent - STATUS_LOOK  # written after the last look, or so shortly before that it lagged
    if isinstance(activity.state, Idle) and unseen:
        return [max(STATUS_LOOK - silent, STATUS_LOOK - since_look, told)]
    return []


def has_begun(activity: Activity, now: datetime) -> bool:
    """Whether a CLI that shows its composer has done what it does at its start: its title says so by resting.

    One that sets no title, because its user wants none, tells nothing; it has long enough.
    """
    since, patience = activity.state.proof.since, NO_TITLE
    if activity.title_since is not None:
        since, patience = activity.title_since, TITLE_RESTS
    return activity.title_says is not Meaning.BUSY and now - since >= patience


def doubtful(activity: Activity) -> bool:
    """Whether it may do something else by now, and neither hook nor title need have told."""
    if activity.ending is not None or contradicted(activity):
        return True
    match activity.state:
        case Running():
            return activity.background > 0 or activity.title_says is not Meaning.BUSY
        case Asking():
            return activity.state.proof.source is not Source.TITLE
        case Starting() | Idle() | Exited() | Lost():
            return False
        case never:
            assert_never(never)


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
