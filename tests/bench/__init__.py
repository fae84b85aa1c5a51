"""The benchmarks: that they run, say what is so, and write it down whole. Never how fast."""
