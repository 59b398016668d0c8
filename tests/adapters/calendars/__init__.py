"""Tests of the time zones."""
