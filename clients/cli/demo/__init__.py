"""`operator demo`: Operator at work on a small repository of its own, with the rehearsal agent."""
