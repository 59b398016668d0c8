-- Takes revision 0003 back; leaves, heads and public keys go with it. The ledger itself stays, and can be sealed anew from nothing.
DROP TABLE anchor_deliveries, tree_heads, signing_keys, ledger_nodes, ledger_leaves, sealers;
DROP FUNCTION refuse_log_change();
DROP TRIGGER runs_unsealed ON runs;
DROP FUNCTION mark_unsealed();
ALTER TABLE runs DROP COLUMN unsealed;
