"""Tests of the stand-alone verifier, against bundles written by code that shares nothing with the platform or the verifier."""
