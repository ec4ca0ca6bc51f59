"""wire: what crosses a process, versioned and validated once.

Here: pydantic shapes of HTTP bodies, agent messages, the snapshot and usage records.
Not here: the nouns themselves (domain); the Rust twins live in crates/ and golden files keep them equal.
"""
