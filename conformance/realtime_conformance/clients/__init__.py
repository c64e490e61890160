"""What drives one kind of client; the only place that knows livekit."""
