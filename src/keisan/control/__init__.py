"""control: the reconcilers that turn desired state into fact.

Here: the one lease loop, one reconciler per noun, the snapshot compiler, outbox delivery.
Not here: where a replica goes (placement), SQL (storage), who may ask (api).
"""
