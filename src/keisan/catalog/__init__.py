"""catalog: models, chips, makers, advisories and compatibility as data with evidence.

Here: base.py, what the catalogue is asked for; one reader of files for each noun; the files that ship with keisan.
Not here: entries made by users (storage), where weights come from (weights).
"""
