"""kit: small tools that know no domain word; at most ten files.

Here: clock, ids, units, retry, observe, the one HTTP transport.
Not here: anything that names a noun of the platform (domain).
"""
