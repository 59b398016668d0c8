-- Takes revision 0008 back.
DROP TABLE substitutes, calendars;
