-- Takes revision 0010 back.
SELECT 1;
