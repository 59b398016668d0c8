-- References of secrets.
SELECT 1;
