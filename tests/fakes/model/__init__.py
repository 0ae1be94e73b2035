"""A stand-in model: answers agent CLIs over HTTP on loopback, and a prompt's own text says how.

    async with serving() as model:      in a trio test: model.url, model.asked, model.strays
    python -m tests.fakes.model         as a process of its own

Script lines are those of the rehearsal agent (`rehearse: VERB ARGUMENTS`, `turn N:` before a verb), with the verbs
listed in `script.py`. The answer follows from the request alone: which turn it is and how far the script got
is counted in the conversation that the CLI sends along, so resuming in a new process or against a new
stand-in goes on where it was. A prompt without a script is answered `Done.`

    script.py       a conversation -> what the model does next; pure
    anthropic.py    one dialect: Messages, as Claude Code speaks it. A further one is a further module
    responses.py    Responses, as Codex speaks it
    completions.py  chat completions, as opencode speaks it
    server.py       the log, faults, and which dialect answers
    http.py         HTTP/1.1
"""
