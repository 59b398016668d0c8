-- Evaluations.
SELECT 1;
