"""Tests mirror src/keisan path by path; contracts, simulation, e2e, golden and tidy stand beside the rooms.

Only this folder is a package: two rooms may have a test file of the same name.
"""
