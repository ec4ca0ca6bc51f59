"""reconcilers: one file per noun that is brought from desired to actual state; base.py is their contract.

Here: load, decide, apply of each noun.
Not here: the loop that leases the work and guards the apply (control/lease.py).
"""
