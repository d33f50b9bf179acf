"""What the ports of the local stack answer: programs of its owner, its own pages, requests signed with its key."""
