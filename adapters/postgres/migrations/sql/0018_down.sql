-- Removes evaluations.
SELECT 1;
