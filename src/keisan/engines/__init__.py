"""engines: what serves a model, one file per engine behind one contract.

Here: base.py, and per engine its start command, health, usage source and conventions.
Not here: starting the process (executors), its weights (weights), its bytes (crates/relay).
"""
