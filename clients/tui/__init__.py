"""`operator tui`: the board, what waits for a person, and every act, in a terminal.

`world` is what the daemon said last, `rows` and `page` what is shown of it (pure), `follow` keeps it fresh,
`commands` lists every act once for keys, palette and help, `acts` does them.
"""
