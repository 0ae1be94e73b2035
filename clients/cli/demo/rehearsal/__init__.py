"""The rehearsal agent: plays the part of a coding agent in a terminal, by a script in its prompt.

`operator demo` shows Operator at work with it, and the tests hold it to account: it keeps a journal of every
byte that reached it. It needs the standard library only and starts in a few hundredths of a second:
`python3 -S clients/cli/demo/rehearsal [OPTIONS] [PROMPT]`. Its verbs are listed in `verbs.py`.

    journal.py    what happened, one JSON line each
    keys.py       bytes from the terminal -> keys and pastes, and the composer that they fill
    tty.py        raw mode, reading, and writing that never blocks
    screen.py     title, spinner, lines and the composer's row
    script.py     a prompt's text -> what to do
    verbs.py      doing it
    agent.py      the loop that turns all of them
"""
