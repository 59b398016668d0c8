"""Tests of the development supervisor, mostly with small stand-in children."""
