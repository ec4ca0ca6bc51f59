"""domain: the nouns as frozen values, with the standard library only.

Here: typed ids, nouns, state tables, errors, limits, roles, prices.
Not here: how they are stored (storage), how they cross a process (wire).
"""
