"""Who people are: how they log in, by what else than a password, and what they did to it."""
