"""Operator's daemon: it supervises AI coding agents that work in persistent terminals."""
