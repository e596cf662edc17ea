"""What the run routes take and give. Times are milliseconds since the epoch (`*_ms`), money integer micros.

The pages of a run put them together in `runs/page_serializers.py`, bulk and tables of many runs in `runs/many`.
"""
