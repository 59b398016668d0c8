"""Tests of the payload cipher, its keys, the Temporal codec and the codec server."""
