-- Takes revision 0011 back.
SELECT 1;
