"""devices: what computes on a node, one file per kind behind one contract.

Here: base.py, and per kind how devices are found and identified, never by index.
Not here: what a chip is (catalog), who reports them (agent).
"""
