"""Boards: one module or package for each provider."""
