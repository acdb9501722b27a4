"""How big the big customer is."""

COMPANIES, USERS, SERVERS, TEMPLATES = 150, 5_000, 2_200, 300
MESSAGES, QUEUE = 50_000, 1_000
#: The servers that are neither these users' nor a company's are nobody's.
USERS_WITH_SERVER = 2_000
#: Servers that are imported besides, by one file.
IMPORTED = 1_000
