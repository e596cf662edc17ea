"""Wire messages between the platform's gateway and the edge agents. A leaf: imports nothing of ours."""
