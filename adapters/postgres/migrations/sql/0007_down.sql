-- Takes revision 0007 back.
SELECT 1;
