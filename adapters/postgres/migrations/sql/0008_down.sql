-- Takes revision 0008 back.
SELECT 1;
