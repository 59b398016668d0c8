-- Takes revision 0012 back.
SELECT 1;
