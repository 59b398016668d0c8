"""Tests of the examples: their data, their outside services, and the jobs they run."""
