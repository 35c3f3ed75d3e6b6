"""How the three kinds of process talk: JSON messages, one a packet."""
