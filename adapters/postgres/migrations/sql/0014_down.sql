-- Takes revision 0014 back.
SELECT 1;
