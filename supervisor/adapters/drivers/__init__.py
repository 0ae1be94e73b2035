"""What Operator knows about each agent CLI."""
