"""The rehearsal agent: plays the part of a coding agent in a terminal, by a script in its prompt.

`operator demo` shows Operator at work with it, and the tests hold it to account: it keeps a journal of every
byte that reached it. It needs the standard library only and starts in a few hundredths of a second:
`python3 -S clients/cli/demo/rehearsal [OPTIONS] [PROMPT]`. Its verbs are listed in `verbs.py`.

    options.py    what the command line asks for
    journal.py    what happened, one JSON line each
    keys.py       bytes from the terminal -> keys and pastes, and the composer that they fill
    tty.py        raw mode, reading, and writing that never blocks
    screen.py     title, spinner, lines, and the composer's row or a dialog below them
    script.py     a prompt's text -> what to do
    waits.py      what a verb waits for, and how a turn ends early
    verbs.py      doing it; tools.py: between the hooks round a tool; asking.py: by asking a person
    turns.py      prompts in line, and what each turn consists of
    agent.py      the loop that turns all of them

With `--settings`, `--session-id` or `--resume` it also speaks Claude Code's hook protocol, as it was measured:

    settings.py   the hooks that are wanted       answers.py    what an answer decides
    hooks.py      the hooks that are out          calls.py      one of them: post.py over HTTP, program.py as a program
    dialogs.py    what a person is asked          protocol.py   all that a turn says to the outside and hears from it
    session.py    the conversation: its id, transcript, status file and plan
"""
