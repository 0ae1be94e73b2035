"""The edge: REST and the activity stream. What comes in is hostile until it is a record."""
