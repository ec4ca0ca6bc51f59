"""A made-up fleet that replays requests under a routing policy, for the routing benches and tests/simulation.

In it: caches, loads, the replay, policies, workloads. Not in it: decoding, engines' batches, the network.
Caches are exact; what the relay believes of them is crates/route's, through keisan._native.
"""
