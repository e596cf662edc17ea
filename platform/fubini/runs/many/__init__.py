"""Several runs at once: deeds on many, one table of what went in and came out, two beside each other."""
