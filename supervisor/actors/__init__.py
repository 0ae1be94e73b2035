"""When things happen: one task owns one piece of state and is reached through a typed handle."""
