-- Takes revision 0026 back: the triggers here, the function by 0006_facts.
DROP TRIGGER runs_give_up ON runs;
DROP TRIGGER runs_go_on ON runs;
CREATE TRIGGER runs_give_up AFTER UPDATE ON runs FOR EACH ROW
    WHEN (OLD.closed_at IS NULL AND NEW.closed_at IS NOT NULL AND NEW.status IN ('failed', 'timed_out', 'dead', 'terminated', 'expired'))
    EXECUTE FUNCTION run_gives_up();
CREATE TRIGGER runs_go_on AFTER UPDATE ON runs FOR EACH ROW WHEN (OLD.closed_at IS NOT NULL AND NEW.closed_at IS NULL)
    EXECUTE FUNCTION run_gives_up();

DROP FUNCTION append_facts;
