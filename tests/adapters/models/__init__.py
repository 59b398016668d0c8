"""Tests of the model adapters: what each does beyond the port that they share."""
