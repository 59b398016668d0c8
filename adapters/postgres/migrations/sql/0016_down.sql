-- Removes what tenants say of models.
SELECT 1;
