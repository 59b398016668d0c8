-- Adds dead letters.
SELECT 1;
