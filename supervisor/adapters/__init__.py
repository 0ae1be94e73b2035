"""How Operator reaches the outside: each file implements one port, and none imports another."""
