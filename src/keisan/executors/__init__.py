"""executors: what starts processes on a site, one file per kind behind one contract.

Here: base.py and the local executor.
Not here: what is started (engines), when and how often (agent).
"""
