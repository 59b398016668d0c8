-- Removes references of secrets.
SELECT 1;
