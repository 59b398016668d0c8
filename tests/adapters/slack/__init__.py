"""Tests of Slack messages to reviewers."""
