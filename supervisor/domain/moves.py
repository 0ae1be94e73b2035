"""The few ways in which an agent's activity changes, shared by all kinds of signals."""

from attrs import evolve

from supervisor.domain.agent import Activity, AgentState, Asking, Idle, Meaning, Proof, Running, Submission, TurnOver

REMEMBERED = 8
"""Turns that are over and still known by name. A hook is not later than a few turns."""


def to(activity: Activity, state: AgentState) -> Activity:
    """Take a state; the same state again keeps its first proof, so `since` stays true."""
    if type(state) is type(activity.state):
        return activity
    return evolve(activity, state=state, stalled=None, turn_error=None, limit_until=None)


def at_work(activity: Activity, proof: Proof) -> Activity:
    """A turn is seen to be under way."""
    known = fresh(activity) if isinstance(activity.state, Idle) else activity
    return to(reacted(other_end_counted(known)), Running(proof))


def prompted(activity: Activity, submission: Submission) -> Activity:
    """Operator entered a prompt. What went before it is over."""
    before = other_end_counted(activity)
    past = _past(before, before.turn)
    return evolve(fresh(before), submission=submission, turn=None, past_turns=past, ending=None, heard=False)


def begun(activity: Activity, turn: str | None) -> Activity:
    """A hook tells that this turn goes on. If it is a new one, whatever was before it is over, told or not.

    Unless it came late: nothing follows an error, and a turn may go on behind an end that was told well before.
    """
    told = activity.ending
    if turn is None or turn == activity.turn:
        if told is not None and told.sure and told.error is not None:
            return activity
        held_up = activity.held_up or (told is not None and told.sure)
        return evolve(other_end_counted(activity), ending=None, held_up=held_up)
    early = told is not None and told.turn == turn
    if not early:
        activity = other_end_counted(activity)
    untold = activity.turn is not None and isinstance(activity.state, Running | Asking)
    turns = activity.turns_ended + (untold or _rested_meanwhile(activity))
    new = evolve(fresh(activity), turn=turn, heard=True, ending=None, turns_ended=turns, held_up=early)
    return evolve(new, ending=evolve(told, sure=True)) if told is not None and early and told.error is not None else new


def _rested_meanwhile(activity: Activity) -> bool:
    """Whether the title has turned idle in a turn of which nothing more was heard: so that is over."""
    since = activity.title_since
    if not isinstance(activity.state, Running) or activity.background or since is None:
        return False
    return activity.title_says is Meaning.IDLE and since > activity.state.proof.since


def fresh(activity: Activity) -> Activity:
    """A new turn: what went on in the background, and how the turn before ended, belongs to that."""
    return evolve(
        activity,
        held_up=False,
        background=0,
        background_shown=False,
        turn_error=None,
        limit_until=None,
        interrupting=False,
        interrupted=False,
    )


def without_tasks(activity: Activity) -> Activity:
    """Where tasks went on behind a turn, another one is under way now, which will tell what goes on behind it."""
    return fresh(activity) if activity.background else activity


def other_end_counted(activity: Activity) -> Activity:
    """An end that was told is not that of the turn that goes on: it was another's, which nobody saw."""
    if activity.ending is None or activity.ending.sure:
        return activity
    past = _past(activity, activity.ending.turn)
    return evolve(activity, ending=None, past_turns=past, turns_ended=activity.turns_ended + 1)


def ended(activity: Activity, end: TurnOver, proof: Proof | None = None) -> Activity:
    """A turn ended as its hook told; `proof` where something else than the hook was what made it certain."""
    if end.background:
        past = _past(activity, activity.turn, end.turn, activity.ending.turn if activity.ending else None)
        going_on = to(reacted(fresh(activity)), Running(proof or end.proof))
        return evolve(going_on, background=end.background, turn=None, past_turns=past, ending=None, heard=False)
    over = turn_over(activity, proof or end.proof)
    past = _past(over, end.turn)
    return evolve(over, past_turns=past, turn_error=end.error, limit_until=end.limit_until)


def stopped(activity: Activity, proof: Proof) -> Activity:
    """A turn ended without the hook that tells of its end: a person stopped it, unless we were not there to hear.

    Nor if its end was told before: then what came after that may have come late, and nobody is troubled for it.
    `heard` stays: the hook may still be on its way.
    """
    over = turn_over(activity, proof)
    untold = activity.heard and not activity.held_up
    return evolve(over, interrupted=over.interrupted or untold, heard=activity.heard)


def turn_over(activity: Activity, proof: Proof) -> Activity:
    """A turn ended, and the agent is ready for the next prompt."""
    state = activity.state if isinstance(activity.state, Idle) else Idle(proof)
    return evolve(
        activity,
        state=state,
        turns_ended=activity.turns_ended + 1,
        ready=True,
        submission=None,
        stalled=None,
        turn=None,
        past_turns=_past(activity, activity.turn, activity.ending.turn if activity.ending else None),
        ending=None,
        held_up=False,
        heard=False,
        background=0,
        background_shown=False,
        turn_error=None,
        limit_until=None,
        interrupted=activity.interrupting,
        interrupting=False,
    )


def _past(activity: Activity, *turns: str | None) -> tuple[str, ...]:
    new = dict.fromkeys(turn for turn in turns if turn is not None)
    kept = [turn for turn in activity.past_turns if turn not in new]
    return (*kept, *new)[-REMEMBERED:]


def reacted(activity: Activity) -> Activity:
    """Something was seen that only an agent does which has taken its prompt."""
    if activity.submission is None or activity.submission.reacted:
        return activity
    return evolve(activity, submission=evolve(activity.submission, reacted=True))


def unanswered(activity: Activity) -> bool:
    """A prompt was entered, and nothing shows yet that the agent has it: what it shows may be from before."""
    return activity.submission is not None and not activity.submission.reacted
