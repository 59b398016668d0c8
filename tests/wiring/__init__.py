"""Tests of the wiring room: how the parts are assembled and started."""
