-- What tenants say of models.
SELECT 1;
