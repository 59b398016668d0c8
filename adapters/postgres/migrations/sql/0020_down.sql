-- Takes revision 0020 back: workspaces and memories are gone, and nobody knows which run started which.
DROP TRIGGER runs_forget ON runs;
DROP FUNCTION forget_what_a_run_kept();
DROP TABLE child_runs, memory_records, workspace_files;
