-- Adds channels to reviewers.
SELECT 1;
