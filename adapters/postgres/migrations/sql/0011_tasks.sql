-- Adds human tasks beyond doubts.
SELECT 1;
