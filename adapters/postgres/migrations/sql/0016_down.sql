-- Takes revision 0016 back.
DROP TABLE model_aliases;
