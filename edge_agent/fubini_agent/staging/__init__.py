"""Bytes in and out of an attempt: names, the site cache, inputs, outputs."""
