"""streams: logs and registers within one platform.

Here: the contract (base.py) and its implementations, on the platform's database and on NATS JetStream.
Not here: what travels between platforms, and its protocol (federation).
"""
