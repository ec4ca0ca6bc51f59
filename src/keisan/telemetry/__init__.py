"""The fleet as columns: what devices report becomes live values, verdicts and sums of every level, and history.

Holds no SQL and no sockets. Bytes are read in wire, files and queries are in storage, routes in api.
"""
