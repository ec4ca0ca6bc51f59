"""cli: the commands people type, printed for eyes or as JSON.

Here: one file of commands per noun, and how values are shown.
Not here: HTTP (sdk), starting processes (daemon). It imports nothing between sdk and wire.
"""
