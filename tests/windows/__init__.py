"""Tests of the code for Windows, as far as they can run on Linux."""
