"""weights: where the bytes of a model come from, one file per source behind one contract.

Here: base.py, `path:` and `package:`, with digests checked and progress told.
Not here: what a model is (catalog), what loads the bytes (engines).
"""
