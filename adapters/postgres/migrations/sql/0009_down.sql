-- Takes revision 0009 back.
SELECT 1;
