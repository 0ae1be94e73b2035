"""When silence may next mean something. Pure: the session actor sleeps until then."""

from supervisor.domain.agent import Activity, Running, Starting
from supervisor.domain.signals import Rules

PROMPT_LOOK = 0.3
"""Seconds of silence after which a driver's prompt pattern is looked for on the screen."""


def next_look(activity: Activity, rules: Rules, silent: float, *, looked: bool) -> float | None:
    """Seconds until a conclusion could be drawn from silence (0: now); None where only an event can tell.

    Whatever is due changes the activity, or `looked`, so that nobody is told "now" twice about the same silence.
    `silent` is how long nothing has been written, `looked` whether the screen was read since the last output.
    """
    if not isinstance(activity.state, Starting | Running):
        return None
    waits: list[float] = []
    if rules.has_prompt_pattern:
        if not looked:
            waits.append(PROMPT_LOOK - silent)
    elif not activity.title_speaks:
        waits.append(rules.idle_after - silent)
    if isinstance(activity.state, Running):
        waiting = activity.submission
        if activity.title_speaks and waiting is not None and not waiting.reacted:
            waits.append(rules.reaction_within - silent)
        if activity.stalled is None:
            waits.append(rules.stall_after - silent)
    return max(0.0, min(waits)) if waits else None
