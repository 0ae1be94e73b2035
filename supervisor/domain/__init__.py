"""What Operator knows: frozen records, tagged-union states and pure transitions. No I/O, no clock."""
