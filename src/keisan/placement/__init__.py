"""placement: decides where a replica runs, on values, with a reason for every refusal.

Here: fit, filter, score, decide; pure functions, no await, no clock.
Not here: reading state (control does, and passes values), the policy of calls (crates/route).
"""
