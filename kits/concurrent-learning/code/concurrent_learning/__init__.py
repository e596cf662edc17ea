"""Concurrent learning of a force field for one small molecule, one command per pipeline step.

Run as ``python -m concurrent_learning COMMAND``. Each command reads and writes plain files named on its command line,
so that every one is a step of `pipeline.yaml`. Modules are imported by the command that needs them: most steps start
with NumPy alone, because a run has many short steps and each pays its own imports.

Units everywhere: eV, angstrom, femtosecond, dalton, kelvin.
"""
