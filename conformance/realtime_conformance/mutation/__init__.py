"""Mutants of a client: which faults, planted in its protocol code, do the checks notice?

Laws:
- A mutant is a changed copy, put before the original on the import path of workers of its own; what
  is installed is never written to.
- The same source, seed and size give the same sample with the same ids.
- A mutant is killed by what the client without it does not show; all others are told, one by one.
"""
