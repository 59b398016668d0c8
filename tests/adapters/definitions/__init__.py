"""Tests of the adapter that reads definitions."""
