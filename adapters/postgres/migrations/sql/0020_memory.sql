-- What agents remember.
SELECT 1;
