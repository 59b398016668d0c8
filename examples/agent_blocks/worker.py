"""`python -m examples.agent_blocks.worker`: the platform's worker with the workflows of this example.

An installation registers workflows of its own by the entry-point group `standfast.workflows` instead.
"""

from examples.agent_blocks.workflows import WORKFLOWS
from wiring.processes import leave
from wiring.worker import main

if __name__ == "__main__":
    leave(main(workflows=WORKFLOWS))
