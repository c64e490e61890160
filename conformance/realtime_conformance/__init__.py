"""Conformance tests generated from the model, driving a real client through every interleaving.

Who may import whom: `realtime_protocol` imports nothing of this package; `cli` and `report`
are on top and nothing imports them; only `clients` knows livekit; only
`transport` knows sockets.
"""
