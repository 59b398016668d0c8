"""The whole platform as a user meets it: real servers, real processes, the documented ways in."""
