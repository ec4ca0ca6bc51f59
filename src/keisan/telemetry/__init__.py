"""telemetry: the fleet as columns, live.

Here: live values, verdicts, sums of every level, what frames are taken, history.
Not here: the bytes of frames (wire), files and queries (storage), routes (api).
"""
