-- Takes revision 0006 back: forks stay as runs of their own, and nobody knows any more where they come from.
DROP TABLE continuations;
DROP INDEX runs_by_parent;
ALTER TABLE runs DROP COLUMN parent_run, DROP COLUMN fork_step, DROP COLUMN fork_effects;
