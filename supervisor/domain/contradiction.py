"""A title that says other than the hooks did: hooks get lost, and an interrupt fires none. Pure."""

from datetime import datetime, timedelta
from typing import assert_never

from supervisor.domain.agent import Activity, Asking, Exited, Idle, Lost, Meaning, Running, Starting
from supervisor.domain.moves import unanswered

CONTRADICTION = timedelta(seconds=1.5)
"""How long a title, or the CLI's files, may contradict the last hook before they are believed."""
STATUS_LAG = timedelta(seconds=0.5)
"""How long after anything else was heard the CLI's files may still be those from before."""

HELD_UP = timedelta(seconds=1)
"""A turn that goes on for so long after its end was told was not let end, by a hook of the user's own.

However it ends then, it need not be as was told.
"""


def told_at(activity: Activity) -> datetime:
    """When something last told what the agent does: a hook, a change of its title, our own Enter."""
    entered = activity.submission.at if activity.submission is not None else None
    told = (activity.state.proof.since, activity.hook_at, activity.title_since, entered)
    return max(each for each in told if each is not None)


def title_believed_at(activity: Activity, patient: bool = False) -> datetime | None:
    """From when on a title that contradicts the hooks is believed.

    None: at once, for no hook ever spoke, and the CLI is none to be `patient` with: it has no status file that is to
    be asked first, and its title does not flicker.
    """
    if activity.title_since is None or (activity.hook_at is None and not patient):
        return None
    return told_at(activity) + CONTRADICTION


def title_is_believed(activity: Activity, at: datetime, patient: bool = False) -> bool:
    """Whether the title has contradicted the hooks for so long that they must have missed something."""
    believed_at = title_believed_at(activity, patient)
    return believed_at is not None and at >= believed_at and contradicted(activity)


def contradicted(activity: Activity) -> bool:
    """Whether the title says other than the state that hooks led to."""
    says = activity.title_says
    match activity.state:
        case Running():
            if unanswered(activity):
                return False  # the title is from before our Enter
            return says is Meaning.ASKING or (says is Meaning.IDLE and activity.background == 0)
        case Idle():
            return says in (Meaning.BUSY, Meaning.ASKING)
        case Asking(shown=shown):
            if not shown:  # it says busy until the hook has its answer
                return says is Meaning.IDLE and not unanswered(activity)
            # Only a title that has ever told a dialog tells one from an empty prompt.
            return says is Meaning.BUSY or (says is Meaning.IDLE and activity.title_asks and not unanswered(activity))
        case Starting() | Exited() | Lost():
            return False
        case never:
            assert_never(never)
