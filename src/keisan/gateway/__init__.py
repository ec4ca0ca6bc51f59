"""gateway: the Python shell around the relay that answers /v1, and around the door that it reaches sites by.

Here: starting the relay, feeding it snapshots, uploading its spool, exporting its traces.
Not here: the bytes of a call, which only crates/relay sees; any database; prices (ledger).
"""
