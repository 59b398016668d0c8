-- Removes policies of tenants.
SELECT 1;
