-- Removes registered agents.
SELECT 1;
