"""Reuse: a step that finished in an earlier run of the project, with the same inputs, need not run again.

`keys` says what makes two steps the same (pure), `lookup` finds and takes over finished ones when tasks open, `plan` says
before a submit what would be reused, what would run and why, and `listing` says it of a run that is there.
"""
