-- Adds what sagas show.
SELECT 1;
