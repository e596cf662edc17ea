"""Django's PostgreSQL backend with one difference: texts that PostgreSQL cannot store are stored with U+FFFD.

Neither `text` nor `jsonb` holds a NUL, SQLite's do. Steps print them, expressions make them and clients send them, so any
text that comes in could make the transaction fail that it is part of, again and again. What is replaced is what cannot be
read by a person anyway; bytes are blobs and logs, which are files, and keep it.
"""
