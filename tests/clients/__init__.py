"""Tests of the Python client against the real gateway app over fake stores, and against answers played by hand."""
