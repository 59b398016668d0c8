-- Takes revision 0020 back: workspaces and memories are gone.
DROP TRIGGER runs_forget ON runs;
DROP FUNCTION forget_what_a_run_kept();
DROP TABLE memory_records, workspace_files;
