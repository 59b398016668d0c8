"""The parts of benchmarks that compute, and those that stand between us and other platforms; no measurement."""
