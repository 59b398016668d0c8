-- Removes what watchers of streams read.
SELECT 1;
