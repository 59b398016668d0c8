"""Prose for users and contributors, and the script that writes its generated parts."""
