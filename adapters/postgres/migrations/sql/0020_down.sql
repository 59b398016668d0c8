-- Removes what agents remember.
SELECT 1;
