"""keisan: a federated AI-compute platform.

Here: the rooms, one folder each; imports go down only (docs/ARCHITECTURE.md has the map).
Not here: the data plane's core, which is Rust (crates/) and arrives as keisan._native.
"""
