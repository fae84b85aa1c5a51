"""Benchmarks: ratios measured in one run, never timed tests. ``python -m bench`` runs them all."""
