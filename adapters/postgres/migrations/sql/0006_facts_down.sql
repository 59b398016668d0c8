-- Takes back what 0006_facts made.
DROP FUNCTION append_facts;
