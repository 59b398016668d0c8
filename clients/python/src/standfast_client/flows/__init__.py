"""What each call of the client says to the gateway and how it reads the answer, written once for both clients, without I/O."""
