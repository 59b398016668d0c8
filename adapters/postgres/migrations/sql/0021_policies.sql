-- Policies of tenants.
SELECT 1;
