"""Tests of adapters.secrets."""
