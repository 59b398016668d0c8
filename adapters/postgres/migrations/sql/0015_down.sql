-- Takes revision 0015 back. What was streamed is gone; every settled answer stays where it is.
DROP FUNCTION forget_deltas();
DROP FUNCTION delta_slot();
DROP TABLE stream_deltas;
