"""Prompts from jinja2 templates."""

from supervisor.adapters.prompts.templates import JinjaPrompts

__all__ = ["JinjaPrompts"]
