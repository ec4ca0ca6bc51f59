"""sdk: the public, typed client of a platform and its gateway.

Here: one client per noun over HTTP; everything a caller may import is in __all__.
Not here: the shapes that cross the wire (wire) and the transport under it (kit).
"""
