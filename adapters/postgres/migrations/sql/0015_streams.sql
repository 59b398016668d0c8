-- What watchers of streams read.
SELECT 1;
