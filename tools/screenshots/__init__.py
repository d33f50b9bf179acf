"""Take pictures of the console and of the command line from a running stack: `make screenshots`."""
