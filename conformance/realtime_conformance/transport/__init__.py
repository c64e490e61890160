"""How the client and the server are connected; the only place that knows sockets."""
