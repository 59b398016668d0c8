-- Takes revision 0017 back: no agent is registered any more, and runs that use one go no further.
DROP TABLE agent_moves, agents;
