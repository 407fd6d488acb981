"""Benchmarks: ratios within one run, printed as tables. They assert facts, never a speed (`make bench`)."""
