-- Takes revision 0012 back: what was given up stays in the ledgers only.
DROP TRIGGER runs_give_up ON runs;
DROP TRIGGER runs_go_on ON runs;
DROP TRIGGER effects_give_up ON tasks;
DROP FUNCTION run_gives_up, effect_given_up, open_dead_letter, dead_letter_add, dead_letter_id;
DROP TABLE dead_letter_redrives, dead_letters;
