"""Benchmarks: each a package with one command, ``python -m benchmarks.<name>``, that compares contenders in one run."""
