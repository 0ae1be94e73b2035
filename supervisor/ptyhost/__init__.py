"""The pty host: one small process for each agent, which owns its pseudo-terminal and outlives all who watch it.

Standard library only, and little of that: there is one of these for every agent, so its size and its start count.
"""
