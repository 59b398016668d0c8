-- Takes revision 0021 back: policy sets go with it.
ALTER TABLE runs DROP COLUMN input_labels;
DROP TABLE policy_choices, policy_sets;
