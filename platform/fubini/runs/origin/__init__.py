"""Provenance both ways: where data came from, and what was made of it.

`links` records what a run read that it did not make (everything else follows from rows that are there), `walk` decides
where a look ends (pure), `steps` and `coarse` find neighbours in the tables, step by step and run by run, `facts` says what
is known of each, `selectors` puts an answer together, and `crate` writes it as an RO-Crate (pure).

All of it stays within one project: keys, claims and reuse mean something in their own project only.
"""
