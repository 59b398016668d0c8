-- Adds inbound webhooks.
SELECT 1;
