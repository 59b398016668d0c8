"""Anchors: the file, and the webhook over a transport of the tests."""
