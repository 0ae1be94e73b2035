"""The few ways in which an agent's activity changes, shared by all kinds of signals."""

from attrs import evolve

from supervisor.domain.agent import Activity, AgentState, Idle, Proof


def to(activity: Activity, state: AgentState) -> Activity:
    """Take a state; the same state again keeps its first proof, so `since` stays true."""
    if type(state) is type(activity.state):
        return activity
    return evolve(activity, state=state, stalled=None, turn_error=None, limit_until=None)


def stopped(activity: Activity, proof: Proof) -> Activity:
    """A turn ended without the hook that tells of its end: a person stopped it, unless we were not there to hear."""
    return evolve(turn_over(activity, proof), interrupted=not activity.hooks_missed)


def turn_over(activity: Activity, proof: Proof) -> Activity:
    """A turn ended, and the agent is ready for the next prompt."""
    turns = activity.turns_ended + 1
    return evolve(
        activity,
        state=Idle(proof),
        turns_ended=turns,
        ready=True,
        submission=None,
        stalled=None,
        background=0,
        turn_error=None,
        limit_until=None,
        interrupted=activity.interrupting,
        interrupting=False,
    )


def reacted(activity: Activity) -> Activity:
    """Something was seen that only an agent does which has taken its prompt."""
    if activity.submission is None or activity.submission.reacted:
        return activity
    return evolve(activity, submission=evolve(activity.submission, reacted=True))
