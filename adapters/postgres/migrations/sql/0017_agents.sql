-- Registered agents.
SELECT 1;
