"""Client doubles: correct ones that no check may flag, faulty ones that prove each check can fail.

Nothing here knows livekit; a double is made from `Seams`, like any client.
"""
