-- Takes revision 0013 back.
SELECT 1;
