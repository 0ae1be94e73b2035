"""The Python client of a daemon: `locate` finds it, `client` has its routes, `stream` its activity.

It works on trio and on asyncio, and knows `supervisor.domain` and nothing else of Operator.
"""
