"""catalog: models and chips as data with evidence.

Here: base.py, the reader of catalogue files, and the files that ship with keisan.
Not here: entries made by users (storage), where weights come from (weights).
"""
