"""ledger: money and usage as integers in append-only double entry.

Here: amounts, postings, balances, statements.
Not here: SQL (storage), the shapes of usage on the wire (wire), who may look (api).
"""
