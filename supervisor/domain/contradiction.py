"""A title that says other than the hooks did: hooks get lost, and an interrupt fires none. Pure."""

from datetime import datetime, timedelta
from typing import assert_never

from supervisor.domain.agent import Activity, Asking, Exited, Idle, Lost, Meaning, Running, Starting

CONTRADICTION = timedelta(seconds=1.5)
"""How long a title may contradict the last hook before it is believed."""


def title_believed_at(activity: Activity, status_file: bool = False) -> datetime | None:
    """From when on a title that contradicts the hooks is believed.

    None: at once, for no hook ever spoke, and the CLI has no `status_file` that is to be asked first.
    """
    if activity.title_since is None or (activity.hook_at is None and not status_file):
        return None
    since = max(activity.title_since, activity.state.proof.since)
    return max(since, activity.hook_at or since) + CONTRADICTION


def title_is_believed(activity: Activity, at: datetime, status_file: bool = False) -> bool:
    """Whether the title has contradicted the hooks for so long that they must have missed something."""
    believed_at = title_believed_at(activity, status_file)
    return believed_at is not None and at >= believed_at and contradicted(activity)


def contradicted(activity: Activity) -> bool:
    """Whether the title says other than the state that hooks led to."""
    match activity.state:
        case Running() if activity.submission is not None and not activity.submission.reacted:
            return False  # the title is from before our Enter
        case Running():
            return activity.title_says is Meaning.IDLE and activity.background == 0
        case Idle():
            return activity.title_says is Meaning.BUSY
        case Asking() | Starting() | Exited() | Lost():
            return False  # a title does not tell a dialog from an empty prompt
        case never:
            assert_never(never)
