"""A stand-in for GitHub on loopback: REST and GraphQL over one state, by GitHub's own schemas.

async with serving() as hub:        in a trio test: hub.url, hub.person, hub.requests, hub.trouble(...)

state.py      repositories, issues, comments, projects, and what a person does there
rest.py       REST over it;  graph.py  GraphQL over it, executed by graphql-core
schemas.py    GitHub's schemas from OPERATOR_SCHEMAS, else our own small ones: schema.graphql and operations.py
server.py     HTTP: the token, limits, ETags, counters, and scripted troubles
"""

from tests.fakes.boards.github.server import TOKEN, Hub, serving
from tests.fakes.boards.github.state import Draft, Issue, Item, Person, State

__all__ = ["TOKEN", "Draft", "Hub", "Issue", "Item", "Person", "State", "serving"]
