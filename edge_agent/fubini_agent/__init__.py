"""The edge agent: dials out, runs leased steps, reports until acknowledged.

Kept empty of imports: the keeper starts from this package with ``python -I -S`` and must stay small.
"""

__version__ = "0.1.0"
