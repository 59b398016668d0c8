-- Takes revision 0021 back: policy sets go with it.
DROP TABLE policy_choices, policy_sets;
