-- Takes revision 0025 back.
DROP FUNCTION journal_advance;
