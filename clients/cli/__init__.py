"""The `operator` command: one file for each noun or verb. `main.py` only says which there are."""
