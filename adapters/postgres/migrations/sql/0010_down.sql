-- Takes revision 0010 back; inbound webhooks go with it. Runs that they started stay.
DROP FUNCTION find_hook(text);
DROP TABLE listeners, hook_requests, hook_secrets, hooks;
