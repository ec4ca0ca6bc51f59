"""storage: the only room with SQL.

Here: the contract (base.py), tables, migrations, one repository per noun, commit in one file.
Not here: decisions on what was read (control, ledger, placement). Engines differ in two files only.
"""
