"""Providers of persistent terminals."""
