"""Tests of the benchmarks: that they run and report correctly. They never test speed."""
