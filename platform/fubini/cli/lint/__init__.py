"""`fubini lint` without a server: which files, what is in them, what is wrong, and how that is written down."""
