"""federation: what platforms say to one another, as rules on values.

Here: the link's protocol (bytes and ticks in, bytes and effects out), certificates, grants, credit and settlement between platforms.
Not here: transactions (control), sockets (daemon), what a message looks like (wire), SQL (storage).
"""
