"""What the pages open with: one answer a page, gathered from every app below, with a number of queries that does not grow.

A page's module (`money`, `places`, `launch` ...) reads and decides what comes first; its `*_apis` parses, authorizes and
replies, its `*_serializers` has the shapes where they are many. No tables here, and no rules of its own: what is asked of
one run, pool or budget is its app's to answer, and what plans is `dispatch`'s.
"""
