"""Benchmarks: ratios measured in one run, a table as output."""
