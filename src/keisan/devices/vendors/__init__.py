"""One file for each maker's tool: how to ask it, how to know its texts, and what they tell. Pure: nothing here runs anything."""
