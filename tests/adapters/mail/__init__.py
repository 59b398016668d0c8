"""Tests of mails to reviewers."""
